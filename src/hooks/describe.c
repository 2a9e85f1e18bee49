/*
 * describe.c: names of C functions and of exceptions, taken from their structs.
 */
#include "describe.h"

#include "events.h"
#include "threads.h"

#include <string.h>

/* The UTF-8 of a str, else `otherwise`. */
static const char *utf8_or(PyObject *object, const char *otherwise) {
    const char *text = object && PyUnicode_Check(object) ? PyUnicode_AsUTF8(object) : NULL;
    if (!text)
        PyErr_Clear();
    return text ? text : otherwise;
}

/* As type.__name__; the tp_name of a type in C has its module in front. */
static const char *type_name(const PyTypeObject *type) {
    const char *dot = strrchr(type->tp_name, '.');
    return dot ? dot + 1 : type->tp_name;
}

/* The type in C that a method of an instance is from, which may be of a class derived from it in Python. */
static const PyTypeObject *type_in_c(const PyTypeObject *type) {
    while ((type->tp_flags & Py_TPFLAGS_HEAPTYPE) && !type->tp_methods && type->tp_base)
        type = type->tp_base;
    return type;
}

bool c_function_describe(struct c_function *function, PyObject *callable) {
    if (PyCFunction_Check(callable)) {
        const PyCFunctionObject *c_function = (PyCFunctionObject *)callable;
        PyObject *self = c_function->m_self;
        bool is_method = self && !PyModule_Check(self);
        function->name = c_function->m_ml->ml_name;
        function->module = utf8_or(c_function->m_module, is_method ? type_in_c(Py_TYPE(self))->tp_name : "");
        return true;
    }
    if (Py_TYPE(callable) == &PyMethodDescr_Type) {
        const PyMethodDescrObject *descriptor = (PyMethodDescrObject *)callable;
        function->name = descriptor->d_method->ml_name;
        function->module = descriptor->d_common.d_type->tp_name;
        return true;
    }
    return false;
}

/* An import that fails is raised in importlib, and, as the interpreter then takes importlib's frames out of
   the traceback, looks as if it were raised once more where the import is. */
static bool told_by_importlib(const struct code_record *record, PyObject *exception) {
    static const char importlib[] = "<frozen importlib";
    if (!PyObject_TypeCheck(exception, (PyTypeObject *)PyExc_ImportError) || !thread_introduce())
        return false;
    bool inside = record->file && strncmp(record->file, importlib, sizeof importlib - 1) == 0;
    bool told = !inside && thread_self->import_error == exception;
    thread_self->import_error = inside ? exception : NULL;
    return told;
}

void exception_fire(struct code_record *record, PyCodeObject *code, PyFrameObject *frame, int instruction,
                    PyObject *exception, PyObject *traceback) {
    if (!PyExceptionInstance_Check(exception) || !traceback || !PyTraceBack_Check(traceback))
        return;
    const PyTracebackObject *innermost = (PyTracebackObject *)traceback;
    if (innermost->tb_frame != frame)
        return;
    bool passes_through = innermost->tb_next || told_by_importlib(record, exception);
    if (passes_through && !compat_instruction_raises(code, instruction))
        return;
    PyObject *arguments = ((PyBaseExceptionObject *)exception)->args;
    PyObject *first = arguments && PyTuple_GET_SIZE(arguments) > 0 ? PyTuple_GET_ITEM(arguments, 0) : NULL;
    event_exception_raise(record, type_name(Py_TYPE(exception)), utf8_or(first, ""),
                          code_line_or_entry(record, code, instruction));
}
