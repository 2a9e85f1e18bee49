/*
 * locals.c: see locals.h.
 *
 * Values of built-in types are read by copies that fail softly, the way their memory is laid out; of
 * everything else only the class is told, as nothing of the program's can be called without the GIL. An
 * object that is freed meanwhile can come out wrong, but harms nobody: each is taken for what its type says,
 * within bounds.
 */
#include "hooks/compat.h"

#include "locals.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    VALUE_MAX = 240,      /* bytes of a value as text; what is longer is cut */
    NAME_MAX_LENGTH = 64, /* characters of a variable's or a type's name */
    TEXT_MAX = 80,        /* characters of a str or bytes */
    ITEMS_MAX = 10,       /* of a container */
    TABLE_MAX = 64,       /* places of a dict or set that are looked at for these */
    DEPTH_MAX = 3,        /* containers in containers */
    DIGITS_MAX = 16,      /* of an int, of 30 bits */
    VARIABLES_MAX = 64,   /* of a frame */
    COPIES_MAX = 20000,   /* of a stack: some 20 ms at most */
};

/* A value being written. */
struct value {
    struct copier *copier;
    int *copies; /* that may still be made */
    char text[VALUE_MAX + 1];
    size_t length;
    bool cut;
};

static bool copy(struct value *value, void *to, uintptr_t address, size_t size) {
    return address && (*value->copies)-- > 0 && copier_read(value->copier, to, address, size);
}

static void put_bytes(struct value *value, const char *bytes, size_t length) {
    if (value->cut || length > VALUE_MAX - 3 - value->length) {
        value->cut = true;
        return;
    }
    memcpy(value->text + value->length, bytes, length);
    value->length += length;
}

static void put(struct value *value, const char *text) {
    put_bytes(value, text, strlen(text));
}

static void __attribute__((format(printf, 2, 3))) put_format(struct value *value, const char *format, ...) {
    char text[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put(value, text);
}

static const char *end_value(struct value *value) {
    if (value->cut)
        memcpy(value->text + value->length, "...", 3);
    value->text[value->length + (value->cut ? 3 : 0)] = '\0';
    return value->text;
}

static void put_object(struct value *value, uintptr_t address, int depth);

/* ---- Texts ---- */

static void put_character(struct value *value, uint32_t character) {
    char bytes[4];
    size_t length = 0;
    if (character < 0x800) {
        bytes[length++] = (char)(0xC0 | character >> 6);
    } else {
        if (character < 0x10000) {
            bytes[length++] = (char)(0xE0 | character >> 12);
        } else {
            bytes[length++] = (char)(0xF0 | character >> 18);
            bytes[length++] = (char)(0x80 | (character >> 12 & 0x3F));
        }
        bytes[length++] = (char)(0x80 | (character >> 6 & 0x3F));
    }
    bytes[length++] = (char)(0x80 | (character & 0x3F));
    put_bytes(value, bytes, length);
}

/* As repr() has it. `wide`: the characters of a str above 0x9F are shown as they are. */
static void put_quoted(struct value *value, uint32_t character, char quote, bool wide) {
    static const struct {
        char character, letter;
    } escapes[] = {{'\n', 'n'}, {'\r', 'r'}, {'\t', 't'}, {'\\', '\\'}};
    for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++) {
        if (character == (unsigned char)escapes[i].character) {
            put_bytes(value, (const char[]){'\\', escapes[i].letter}, 2);
            return;
        }
    }
    if (character == (unsigned char)quote)
        put_bytes(value, (const char[]){'\\', quote}, 2);
    else if (character >= ' ' && character < 0x7F)
        put_bytes(value, (const char[]){(char)character}, 1);
    else if (character < 0xA0 || !wide)
        put_format(value, "\\x%02x", character & 0xFF);
    else if ((character >= 0xD800 && character < 0xE000) || character > 0x10FFFF)
        put_format(value, "\\u%04x", character);
    else
        put_character(value, character);
}

static uint32_t character_at(const unsigned char *raw, int kind, size_t i) {
    uint32_t character = 0; /* little-endian or not: they are the interpreter's own numbers */
    if (kind == 1)
        return raw[i];
    if (kind == 2)
        return ((const uint16_t *)(const void *)raw)[i];
    memcpy(&character, raw + 4 * i, sizeof character);
    return character;
}

/* The characters in quotes; double ones where there are only single ones within. */
static void put_text(struct value *value, const unsigned char *raw, int kind, size_t length, bool more,
                     bool wide) {
    bool single = false, twice = false;
    for (size_t i = 0; i < length; i++) {
        single = single || character_at(raw, kind, i) == '\'';
        twice = twice || character_at(raw, kind, i) == '"';
    }
    char quote = single && !twice ? '"' : '\'';
    put_bytes(value, &quote, 1);
    for (size_t i = 0; i < length; i++)
        put_quoted(value, character_at(raw, kind, i), quote, wide);
    put(value, more ? "..." : "");
    put_bytes(value, &quote, 1);
}

static bool put_str(struct value *value, uintptr_t address, int depth) {
    PyCompactUnicodeObject head;
    _Alignas(4) unsigned char raw[TEXT_MAX * 4];
    int kind;
    uintptr_t characters;
    (void)depth;
    if (!copy(value, &head, address, sizeof head) ||
        !compat_copied_str(&head._base, address, &kind, &characters))
        return false;
    size_t length = (size_t)head._base.length, shown = length < TEXT_MAX ? length : TEXT_MAX;
    if (shown && !copy(value, raw, characters, shown * (size_t)kind))
        return false;
    put_text(value, raw, kind, shown, shown < length, true);
    return true;
}

static bool put_raw(struct value *value, uintptr_t bytes, Py_ssize_t size) {
    unsigned char raw[TEXT_MAX];
    size_t shown = size < TEXT_MAX ? (size_t)size : TEXT_MAX;
    if (size < 0 || (shown && !copy(value, raw, bytes, shown)))
        return false;
    put(value, "b");
    put_text(value, raw, 1, shown, shown < (size_t)size, false);
    return true;
}

static bool put_bytes_object(struct value *value, uintptr_t address, int depth) {
    PyVarObject head;
    (void)depth;
    return copy(value, &head, address, sizeof head) &&
           put_raw(value, address + offsetof(PyBytesObject, ob_sval), Py_SIZE(&head));
}

static bool put_bytearray(struct value *value, uintptr_t address, int depth) {
    PyByteArrayObject head;
    (void)depth;
    if (!copy(value, &head, address, sizeof head))
        return false;
    put(value, "bytearray(");
    bool good = put_raw(value, (uintptr_t)head.ob_start, Py_SIZE(&head));
    put(value, good ? ")" : "?)");
    return true;
}

/* ---- Numbers ---- */

/* Divides a number of `count` digits, which gets shorter, by a billion; returns the rest. */
static uint32_t divide(digit *digits, size_t *count) {
    enum { BILLION = 1000000000 };
    uint64_t rest = 0;
    for (size_t i = *count; i-- > 0;) {
        uint64_t part = rest << PyLong_SHIFT | digits[i];
        digits[i] = (digit)(part / BILLION);
        rest = part % BILLION;
    }
    while (*count > 0 && digits[*count - 1] == 0)
        --*count;
    return (uint32_t)rest;
}

static bool put_int(struct value *value, uintptr_t address, int depth) {
    enum { PARTS = DIGITS_MAX * PyLong_SHIFT / 29 + 1 };
    PyLongObject head;
    digit digits[DIGITS_MAX];
    uint32_t parts[PARTS];
    bool negative;
    (void)depth;
    if (!copy(value, &head, address, COMPAT_LONG_DIGITS))
        return false;
    size_t count = compat_copied_long(&head, &negative), part_count = 0;
    if (count > DIGITS_MAX) {
        put_format(value, "<int of some %zu bits>", count * PyLong_SHIFT);
        return true;
    }
    if (count && !copy(value, digits, address + COMPAT_LONG_DIGITS, count * sizeof *digits))
        return false;
    do {
        parts[part_count++] = divide(digits, &count);
    } while (count > 0 && part_count < PARTS);
    put_format(value, "%s%u", negative ? "-" : "", parts[--part_count]);
    while (part_count > 0)
        put_format(value, "%09u", parts[--part_count]);
    return true;
}

/* With the fewest digits that are this number. */
static void put_double(struct value *value, double number) {
    enum { PLACES_LEAST = 15, PLACES_MOST = 17 };
    char text[64];
    for (int places = PLACES_LEAST; places <= PLACES_MOST; places++) {
        snprintf(text, sizeof text, "%.*g", places, number);
        if (strtod(text, NULL) == number)
            break;
    }
    text[strcspn(text, ",")] = text[strcspn(text, ",")] == '\0' ? '\0' : '.'; /* of the program's locale */
    put(value, text);
    if (isfinite(number) && text[strcspn(text, ".e")] == '\0')
        put(value, ".0");
}

static bool put_float(struct value *value, uintptr_t address, int depth) {
    PyFloatObject head;
    (void)depth;
    if (!copy(value, &head, address, sizeof head))
        return false;
    put_double(value, head.ob_fval);
    return true;
}

/* ---- Containers ---- */

/* What is written between and around the items of one. */
struct items {
    struct value *value;
    size_t count; /* so far */
    int depth;
};

static bool begin_item(struct items *items) {
    put(items->value, items->count ? ", " : "");
    if (items->count++ == ITEMS_MAX) {
        put(items->value, "...");
        return false;
    }
    return !items->value->cut;
}

static bool put_array(struct value *value, uintptr_t array, Py_ssize_t size, int depth) {
    uintptr_t words[ITEMS_MAX];
    size_t shown = size < ITEMS_MAX ? (size_t)size : ITEMS_MAX;
    struct items items = {.value = value, .depth = depth};
    if (size < 0 || (shown && !copy(value, words, array, shown * sizeof *words)))
        return false;
    for (Py_ssize_t i = 0; i < size && begin_item(&items); i++)
        put_object(value, words[i], depth + 1);
    return true;
}

static bool put_tuple(struct value *value, uintptr_t address, int depth) {
    PyVarObject head;
    if (!copy(value, &head, address, sizeof head))
        return false;
    put(value, "(");
    bool good = put_array(value, address + offsetof(PyTupleObject, ob_item), Py_SIZE(&head), depth);
    put(value, !good ? "?)" : Py_SIZE(&head) == 1 ? ",)" : ")");
    return true;
}

static bool put_list(struct value *value, uintptr_t address, int depth) {
    PyListObject head;
    if (!copy(value, &head, address, sizeof head))
        return false;
    put(value, "[");
    bool good = put_array(value, (uintptr_t)head.ob_item, Py_SIZE(&head), depth);
    put(value, good ? "]" : "?]");
    return true;
}

static bool put_entries(struct value *value, const PyDictObject *dict, int depth) {
    enum { WORDS = 3 };
    compat_dict_keys keys;
    uintptr_t words[TABLE_MAX * WORDS], values[TABLE_MAX];
    if (!copy(value, &keys, (uintptr_t)dict->ma_keys, offsetof(compat_dict_keys, dk_indices)))
        return false;
    struct compat_dict table = compat_copied_dict(dict, &keys);
    size_t count = table.count < TABLE_MAX ? table.count : TABLE_MAX;
    struct items items = {.value = value, .depth = depth};
    if (count && (!copy(value, words, table.entries, count * table.size * sizeof *words) ||
                  (table.values && !copy(value, values, table.values, count * sizeof *values))))
        return false;
    for (size_t i = 0; i < count; i++) {
        const uintptr_t *entry = words + i * table.size + table.key;
        uintptr_t item = table.values ? values[i] : entry[1];
        if (!entry[0] || !item)
            continue;
        if (!begin_item(&items))
            return true;
        put_object(value, entry[0], depth + 1);
        put(value, ": ");
        put_object(value, item, depth + 1);
    }
    if (items.count < (size_t)dict->ma_used)
        put(value, ", ...");
    return true;
}

static bool put_dict(struct value *value, uintptr_t address, int depth) {
    PyDictObject head;
    if (!copy(value, &head, address, sizeof head))
        return false;
    put(value, "{");
    bool good = head.ma_used <= 0 || put_entries(value, &head, depth);
    put(value, good ? "}" : "?}");
    return true;
}

static bool put_members(struct value *value, const PySetObject *set, int depth) {
    enum { REMOVED = -1 };
    setentry entries[TABLE_MAX];
    size_t count = (size_t)set->mask < TABLE_MAX ? (size_t)set->mask + 1 : TABLE_MAX;
    struct items items = {.value = value, .depth = depth};
    if (set->mask < 0 || !copy(value, entries, (uintptr_t)set->table, count * sizeof *entries))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!entries[i].key || entries[i].hash == REMOVED)
            continue;
        if (!begin_item(&items))
            return true;
        put_object(value, (uintptr_t)entries[i].key, depth + 1);
    }
    if (items.count < (size_t)set->used)
        put(value, items.count ? ", ..." : "...");
    return true;
}

static bool put_set_between(struct value *value, uintptr_t address, int depth, const char *name,
                            const char *end) {
    PySetObject head;
    if (!copy(value, &head, address, sizeof head))
        return false;
    if (head.used == 0) {
        put_format(value, "%s()", *name ? "frozenset" : "set");
        return true;
    }
    put_format(value, "%s{", name);
    bool good = put_members(value, &head, depth);
    put_format(value, "%s}%s", good ? "" : "?", end);
    return true;
}

static bool put_set(struct value *value, uintptr_t address, int depth) {
    return put_set_between(value, address, depth, "", "");
}

static bool put_frozenset(struct value *value, uintptr_t address, int depth) {
    return put_set_between(value, address, depth, "frozenset(", ")");
}

/* ---- Any object ---- */

/* Those whose value is told; of a subclass only the class is. */
static const struct shown_type {
    PyTypeObject *type;
    bool (*put)(struct value *value, uintptr_t address, int depth); /* false: it could not be read */
    const char *deep;                                               /* of a container in too many others */
} shown_types[] = {
    {&PyLong_Type, put_int, NULL},
    {&PyUnicode_Type, put_str, NULL},
    {&PyFloat_Type, put_float, NULL},
    {&PyTuple_Type, put_tuple, "(...)"},
    {&PyList_Type, put_list, "[...]"},
    {&PyDict_Type, put_dict, "{...}"},
    {&PyBytes_Type, put_bytes_object, NULL},
    {&PySet_Type, put_set, "{...}"},
    {&PyFrozenSet_Type, put_frozenset, "frozenset({...})"},
    {&PyByteArray_Type, put_bytearray, NULL},
};

static bool put_constant(struct value *value, uintptr_t address) {
    const struct {
        const PyObject *object;
        const char *name;
    } constants[] = {{Py_None, "None"}, {Py_True, "True"}, {Py_False, "False"}, {Py_Ellipsis, "Ellipsis"}};
    for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++) {
        if ((uintptr_t)constants[i].object == address) {
            put(value, constants[i].name);
            return true;
        }
    }
    return false;
}

/* A string of C; what can be read of it. */
static bool copy_string(struct value *value, char *text, size_t size, uintptr_t address) {
    enum { PIECE = 8 }; /* that never crosses the end of a page */
    size_t length = 0;
    for (size_t piece = PIECE - address % PIECE; length + piece < size; piece = PIECE) {
        if (!copy(value, text + length, address + length, piece))
            return false;
        if (memchr(text + length, '\0', piece))
            return true;
        length += piece;
    }
    text[length] = '\0';
    return true;
}

static void put_class(struct value *value, uintptr_t address, uintptr_t type) {
    PyTypeObject head;
    char name[NAME_MAX_LENGTH];
    if (!copy(value, &head, type, offsetof(PyTypeObject, tp_basicsize)) ||
        !copy_string(value, name, sizeof name, (uintptr_t)head.tp_name)) {
        put(value, "?");
        return;
    }
    for (char *at = name; *at; at++)
        if ((unsigned char)*at < ' ')
            *at = '?';
    put_format(value, "<%s at 0x%llx>", name, (unsigned long long)address);
}

static void put_object(struct value *value, uintptr_t address, int depth) {
    PyObject head;
    if (put_constant(value, address))
        return;
    if (!copy(value, &head, address, sizeof head)) {
        put(value, "?");
        return;
    }
    for (size_t i = 0; i < sizeof shown_types / sizeof shown_types[0]; i++) {
        const struct shown_type *shown = &shown_types[i];
        if (Py_TYPE(&head) != shown->type)
            continue;
        if (shown->deep && depth >= DEPTH_MAX)
            put(value, shown->deep);
        else if (!shown->put(value, address, depth))
            put(value, "?");
        return;
    }
    put_class(value, address, (uintptr_t)Py_TYPE(&head));
}

/* ---- Frames ---- */

/* What is being written to. */
struct output {
    char *to;
    size_t used, room;
};

static bool append(struct output *output, const char *text) {
    size_t size = strlen(text) + 1;
    if (output->room - output->used < size)
        return false;
    memcpy(output->to + output->used, text, size);
    output->used += size;
    return true;
}

/* The name of a variable, without quotes; false: it is none. */
static bool read_name(struct value *value, uintptr_t address) {
    PyCompactUnicodeObject head;
    _Alignas(4) unsigned char raw[NAME_MAX_LENGTH * 4];
    int kind;
    uintptr_t characters;
    if (!copy(value, &head, address, sizeof head) ||
        !compat_copied_str(&head._base, address, &kind, &characters))
        return false;
    size_t length = (size_t)head._base.length < NAME_MAX_LENGTH ? (size_t)head._base.length : NAME_MAX_LENGTH;
    if (!length || !copy(value, raw, characters, length * (size_t)kind))
        return false;
    for (size_t i = 0; i < length; i++)
        put_quoted(value, character_at(raw, kind, i), '\0', true);
    end_value(value);
    return true;
}

/* A variable that functions share is in a cell. */
static uintptr_t content(struct value *value, uintptr_t address) {
    PyCellObject head;
    if (!copy(value, &head, address, sizeof(PyObject)) || Py_TYPE(&head) != &PyCell_Type)
        return address;
    return copy(value, &head, address, sizeof head) ? (uintptr_t)head.ob_ref : 0;
}

/* False: there is no room. */
static bool write_variable(struct copier *copier, int *copies, struct output *output, uintptr_t name,
                           uintptr_t word) {
    struct value named = {.copier = copier, .copies = copies}, value = named;
    uintptr_t address = compat_copied_variable(word);
    address = address ? content(&value, address) : 0;
    if (!address || !read_name(&named, name))
        return true; /* it has no value at the moment */
    put_object(&value, address, 0);
    size_t before = output->used;
    if (append(output, named.text) && append(output, end_value(&value)))
        return true;
    output->used = before;
    return false;
}

/* The addresses of the names of a code object's variables. Returns how many. */
static size_t find_names(struct value *value, uintptr_t code, uintptr_t names[VARIABLES_MAX]) {
    PyCodeObject head;
    uintptr_t tuples[COMPAT_NAMES];
    size_t count = 0;
    if (!copy(value, &head, code, sizeof head))
        return 0;
    compat_copied_code_names(&head, tuples);
    for (int i = 0; i < COMPAT_NAMES && tuples[i]; i++) {
        PyVarObject tuple;
        if (!copy(value, &tuple, tuples[i], sizeof tuple) || Py_TYPE(&tuple) != &PyTuple_Type ||
            Py_SIZE(&tuple) < 0)
            return count;
        size_t some = (size_t)Py_SIZE(&tuple);
        some = some < VARIABLES_MAX - count ? some : VARIABLES_MAX - count;
        if (some &&
            !copy(value, names + count, tuples[i] + offsetof(PyTupleObject, ob_item), some * sizeof *names))
            return count;
        count += some;
    }
    return count;
}

static bool write_frame(struct copier *copier, int *copies, const struct stack_frame *frame,
                        struct output *output) {
    struct value reader = {.copier = copier, .copies = copies};
    uintptr_t names[VARIABLES_MAX], words[VARIABLES_MAX];
    size_t count = find_names(&reader, frame->code->address, names);
    if (count && !copy(&reader, words, frame->address + COMPAT_FRAME_VARIABLES, count * sizeof *words))
        count = 0;
    for (size_t i = 0; i < count; i++)
        if (!write_variable(copier, copies, output, names[i], words[i]))
            return false;
    return append(output, "");
}

size_t locals_write(struct copier *copier, const struct stack *stack, char *to, size_t room) {
    struct output output = {.to = to, .room = room};
    int copies = COPIES_MAX;
    for (int i = 0; i < stack->count; i++)
        if (stack->frames[i].code && !write_frame(copier, &copies, &stack->frames[i], &output))
            break;
    return output.used;
}
