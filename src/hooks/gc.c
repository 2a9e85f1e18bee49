/*
 * gc.c: gc-start and gc-done, by a C function in gc.callbacks.
 */
#include "compat.h"
#include "events.h"
#include "sources.h"

#include <string.h>

static long info_number(PyObject *info, const char *key) {
    PyObject *value = PyDict_Check(info) ? PyDict_GetItemString(info, key) : NULL; /* borrowed */
    return value && PyLong_Check(value) ? PyLong_AsLong(value) : 0;
}

/* (phase, info), where info has the counts. */
static PyObject *on_gc(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {
    (void)self;
    const char *phase = count == 2 && PyUnicode_Check(arguments[0]) ? PyUnicode_AsUTF8(arguments[0]) : NULL;
    if (phase && strcmp(phase, "start") == 0)
        event_gc_start((int)info_number(arguments[1], "generation"));
    else if (phase && strcmp(phase, "stop") == 0)
        event_gc_done(info_number(arguments[1], "collected") + info_number(arguments[1], "uncollectable"));
    PyErr_Clear();
    Py_RETURN_NONE;
}
COMPAT_FASTCALL_WRAPPER(gc_callback, on_gc)

static PyMethodDef gc_callback_method = {"catprobe.on_gc", (PyCFunction)(void (*)(void))gc_callback,
                                         COMPAT_METH_FASTCALL, NULL};

/* Where in gc.callbacks is it? -1: nowhere. */
static Py_ssize_t find(PyObject *list, PyObject *callback) {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++)
        if (PyList_GET_ITEM(list, i) == callback)
            return i;
    return -1;
}

/* gc.callbacks, the very list that the collector looks at, and what we put there. */
static PyObject *callbacks, *callback;

int gc_hook_initialise(void) {
    PyObject *gc = PyImport_ImportModule("gc");
    callbacks = gc ? PyObject_GetAttrString(gc, "callbacks") : NULL;
    callback = callbacks && PyList_Check(callbacks) ? PyCFunction_New(&gc_callback_method, NULL) : NULL;
    Py_XDECREF(gc);
    return callback ? 0 : -1;
}

bool gc_hook_set(bool wanted) {
    struct compat_error error = compat_error_put_aside();
    Py_ssize_t at = find(callbacks, callback);
    bool there = at >= 0;
    if (wanted && !there)
        there = PyList_Append(callbacks, callback) == 0;
    else if (!wanted && there)
        there = PyList_SetSlice(callbacks, at, at + 1, NULL) != 0;
    compat_error_put_back(error);
    return there;
}
