/*
 * natives.c: see natives.h. An object is taken for what its type says only where its type is one of those
 * that only C makes; all of it is copied. What was found is remembered by the address, and holds as long as
 * the words at the head of the object are the same.
 */
#include "hooks/compat.h"

#include "natives.h"

#include "codes.h"

#include <stdio.h>
#include <string.h>

enum {
    REMEMBERED = 512,
    PART_SIZE = 64, /* of a module's, a class's, a function's name; a longer one is none */
    NAME_SIZE = 2 * PART_SIZE + 4,
};

static struct {
    uintptr_t address;
    struct natives_head head;
    char name[NAME_SIZE]; /* "": it has none */
} remembered[REMEMBERED];

/* A string of C; false: it is too long, has what no name has, or cannot be read. */
static bool read_string(struct copier *copier, uintptr_t address, char text[PART_SIZE]) {
    enum { PIECE = 8 }; /* that never crosses the end of a page */
    size_t length = 0;
    for (size_t piece = PIECE - address % PIECE; length + piece <= PART_SIZE; piece = PIECE) {
        if (!address || !copier_read(copier, text + length, address + length, piece))
            return false;
        if (memchr(text + length, '\0', piece)) {
            for (const unsigned char *at = (unsigned char *)text; *at; at++)
                if (*at <= ' ' || *at >= 0x7f)
                    return false;
            return text[0] != '\0';
        }
        length += piece;
    }
    return false;
}

/* Copies a type, its own type being `type`. */
static bool read_type(struct copier *copier, uintptr_t address, PyTypeObject *type) {
    return address && copier_read(copier, type, address, offsetof(PyTypeObject, tp_members)) &&
           Py_TYPE(type) == &PyType_Type;
}

/* The full name of a type that C has made: one made by Python has no module in its name. */
static bool read_type_name(struct copier *copier, uintptr_t address, char name[PART_SIZE]) {
    PyTypeObject type;
    return read_type(copier, address, &type) && read_string(copier, (uintptr_t)type.tp_name, name) &&
           (!(type.tp_flags & Py_TPFLAGS_HEAPTYPE) || strchr(name, '.'));
}

/* Of the type that the method of an instance is from, which may be of a class derived from it in Python. */
static bool read_class_in_c(struct copier *copier, uintptr_t address, char name[PART_SIZE]) {
    enum { BASES = 16 };
    PyTypeObject type;
    for (int i = 0; i < BASES; i++) {
        if (read_type_name(copier, address, name))
            return true;
        if (!address || !copier_read(copier, &type, address, sizeof type))
            return false;
        address = (uintptr_t)type.tp_base;
    }
    return false;
}

static void put_name(char name[NAME_SIZE], const char *of, const char *function) {
    static const char builtins[] = "builtins";
    bool plain = !*of || strcmp(of, builtins) == 0;
    snprintf(name, NAME_SIZE, "<%s%s%s>", plain ? "" : of, plain ? "" : ".", function);
}

/* A function: of a module, or bound to an instance or a class. */
static bool name_function(struct copier *copier, const struct natives_head *head, char name[NAME_SIZE]) {
    enum { DEFINITION, SELF, MODULE };
    char function[PART_SIZE], of[PART_SIZE] = "";
    PyObject self;
    uintptr_t definition, bound = head->words[SELF], module = head->words[MODULE];
    if (!copier_read(copier, &definition, head->words[DEFINITION] + offsetof(PyMethodDef, ml_name),
                     sizeof definition) ||
        !read_string(copier, definition, function))
        return false;
    bool named = module && codes_read_text(copier, module, of, sizeof of);
    if (!named && bound) {
        if (!copier_read(copier, &self, bound, sizeof self))
            return false;
        bool of_class = Py_TYPE(&self) == &PyType_Type;
        if (Py_TYPE(&self) != &PyModule_Type &&
            !read_class_in_c(copier, of_class ? bound : (uintptr_t)Py_TYPE(&self), of))
            return false;
    }
    put_name(name, of, function);
    return true;
}

/* A method of a class that is not bound: the class, its name, its qualified name, the definition. */
static bool name_method(struct copier *copier, const struct natives_head *head, char name[NAME_SIZE]) {
    enum { CLASS, NAME, QUALIFIED, DEFINITION };
    char function[PART_SIZE], of[PART_SIZE];
    uintptr_t definition;
    if (!copier_read(copier, &definition, head->words[DEFINITION], sizeof definition) ||
        !read_string(copier, definition, function) || !read_class_in_c(copier, head->words[CLASS], of))
        return false;
    put_name(name, of, function);
    return true;
}

/* An instance of a class in C that can be called, such as json's scanner. */
static bool name_instance(struct copier *copier, uintptr_t class, char name[NAME_SIZE]) {
    char of[PART_SIZE];
    PyTypeObject type;
    if (!read_type(copier, class, &type) || !type.tp_call || !read_type_name(copier, class, of) ||
        !strchr(of, '.'))
        return false;
    put_name(name, "", of);
    return true;
}

static bool name_type(struct copier *copier, uintptr_t address, char name[NAME_SIZE]) {
    char of[PART_SIZE];
    if (!read_type_name(copier, address, of))
        return false;
    put_name(name, "", of);
    return true;
}

static bool find_name(struct copier *copier, uintptr_t address, const struct natives_head *head,
                      char name[NAME_SIZE]) {
    const PyTypeObject *type = Py_TYPE(&head->object);
    if (type == &PyCFunction_Type || type == COMPAT_CMETHOD_TYPE)
        return name_function(copier, head, name);
    if (type == &PyMethodDescr_Type || type == &PyClassMethodDescr_Type || type == &PyWrapperDescr_Type)
        return name_method(copier, head, name);
    if (type == &PyType_Type)
        return name_type(copier, address, name);
    return name_instance(copier, (uintptr_t)type, name);
}

const char *natives_name(struct copier *copier, uintptr_t callable, const void *copy) {
    size_t place = (callable >> 4) % REMEMBERED;
    struct natives_head head;
    if (!callable || callable % sizeof(uintptr_t))
        return NULL;
    if (copy)
        memcpy(&head, copy, sizeof head);
    else if (!copier_read(copier, &head, callable, sizeof head))
        return NULL;
    head.object.ob_refcnt = 0; /* changes at any time */
    if (remembered[place].address != callable || memcmp(&remembered[place].head, &head, sizeof head) != 0) {
        remembered[place].address = callable;
        remembered[place].head = head;
        if (!find_name(copier, callable, &head, remembered[place].name))
            remembered[place].name[0] = '\0';
    }
    return remembered[place].name[0] ? remembered[place].name : NULL;
}
