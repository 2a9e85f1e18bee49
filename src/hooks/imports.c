/*
 * imports.c: import-find-load-start and import-find-load-done, by a C function in the place of
 * importlib._bootstrap._find_and_load, which the import statement calls for a module that is not in
 * sys.modules.
 *
 * It is a C function so that no frame of ours shows in tracebacks. Its self is the function that was there
 * before it. When the program wraps ours in one of its own and ours is put in front again, that is another
 * function object: so each calls what it replaced, and only the one in place fires.
 */
#include "compat.h"
#include "events.h"
#include "sources.h"

static struct {
    PyObject *module; /* importlib._bootstrap, under its frozen name */
    PyObject *ours;   /* the function that was put in its place last; its self is the original */
    bool armed;
} imports;

/* CPython's own probes fire for the import statement and __import__, not for importlib.import_module, which
   passes _gcd_import as the second argument. */
static bool is_import_module(PyObject *const *arguments, Py_ssize_t count) {
    PyObject *gcd_import = count == 2 ? PyDict_GetItemString(PyModule_GetDict(imports.module), "_gcd_import")
                                      : NULL; /* borrowed */
    return gcd_import && arguments[1] == gcd_import;
}

static PyObject *on_find_and_load(PyObject *original, PyObject *const *arguments, Py_ssize_t count) {
    const char *name = count > 0 && PyUnicode_Check(arguments[0]) ? PyUnicode_AsUTF8(arguments[0]) : NULL;
    PyErr_Clear();
    bool fires = imports.armed && PyCFunction_GET_SELF(imports.ours) == original &&
                 !is_import_module(arguments, count);
    Py_INCREF(original); /* a removal may come meanwhile */
    if (fires)
        event_import_find_load_start(name);
    PyObject *tuple = PyTuple_New(count);
    for (Py_ssize_t i = 0; tuple && i < count; i++) {
        Py_INCREF(arguments[i]);
        PyTuple_SET_ITEM(tuple, i, arguments[i]);
    }
    PyObject *result = tuple ? PyObject_CallObject(original, tuple) : NULL;
    if (fires)
        event_import_find_load_done(name, result != NULL);
    Py_XDECREF(tuple);
    Py_DECREF(original);
    return result;
}
COMPAT_FASTCALL_WRAPPER(find_and_load, on_find_and_load)

static PyMethodDef find_and_load_method = {"_find_and_load", (PyCFunction)(void (*)(void))find_and_load,
                                           COMPAT_METH_FASTCALL, NULL};

int import_hook_initialise(void) {
    imports.module = PyImport_ImportModule("_frozen_importlib");
    return imports.module ? 0 : -1;
}

/* What is in the place now; borrowed. */
static PyObject *present(void) {
    return PyDict_GetItemString(PyModule_GetDict(imports.module), "_find_and_load");
}

static bool put(PyObject *function) {
    return PyDict_SetItemString(PyModule_GetDict(imports.module), "_find_and_load", function) == 0;
}

static bool put_in_place(void) {
    PyObject *there = present();
    if (!there || (imports.ours && there == imports.ours))
        return there != NULL;
    PyObject *ours = PyCFunction_New(&find_and_load_method, there);
    if (!ours)
        return false;
    Py_XSETREF(imports.ours, ours);
    return put(ours);
}

/* Only if the place is still ours. */
static void take_away(void) {
    if (imports.ours && present() == imports.ours)
        put(PyCFunction_GET_SELF(imports.ours));
}

bool import_hook_set(bool wanted) {
    struct compat_error error = compat_error_put_aside();
    imports.armed = wanted;
    bool there = false;
    if (wanted)
        there = put_in_place();
    else
        take_away();
    compat_error_put_back(error);
    return there;
}
