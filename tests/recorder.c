/*
 * recorder: an extension module of the tests, which hears the probes of a process as a listener inside it and
 * keeps them.
 *
 * start(library, probes, functions=None): library is the path of _catprobe, probes a list of names; functions
 * a list of names of the only functions in which those that are for functions are wanted. asked() -> how
 * often since start() it was asked about a function. take() -> what was heard since, [(probe, thread,
 * arguments...)], strings as str (surrogateescape) or None, in the order of firing; thread is
 * threading.get_ident()'s. stop() -> the same, and nothing is heard any more.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "hooks/code.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct record {
    enum probe probe;
    unsigned long thread;
    union {
        char *text; /* owned */
        long number;
    } arguments[PROBE_ARGUMENTS_MAX];
};

static struct {
    pthread_mutex_t lock;
    struct record *records;
    size_t count, size;
} recorder = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void (*listen_function)(const struct listener *);

static int is_text(enum probe probe, int argument) {
    return strcmp(probe_table[probe].arguments[argument].type, "char *") == 0;
}

static long number_of(enum probe probe, int argument, uintptr_t value) {
    return strcmp(probe_table[probe].arguments[argument].type, "int") == 0 ? (int)value : (long)value;
}

static void fire(void *context, enum probe probe, struct event *event) {
    (void)context;
    pthread_mutex_lock(&recorder.lock);
    if (recorder.count == recorder.size) {
        recorder.size = recorder.size ? recorder.size * 2 : 4096;
        recorder.records = realloc(recorder.records, recorder.size * sizeof *recorder.records);
        if (!recorder.records)
            abort(); /* of a test */
    }
    struct record *record = &recorder.records[recorder.count++];
    record->probe = probe;
    record->thread = (unsigned long)pthread_self();
    for (int i = 0; i < probe_table[probe].argument_count; i++) {
        if (!is_text(probe, i))
            record->arguments[i].number = number_of(probe, i, event->arguments[i]);
        else
            record->arguments[i].text =
                event->arguments[i] ? strdup((const char *)event->arguments[i]) : NULL;
    }
    pthread_mutex_unlock(&recorder.lock);
}

static struct {
    PyObject *names; /* list of str, owned */
    long asked;
} selection;

static probe_set wants(void *context, const struct code_record *code) {
    (void)context;
    selection.asked++;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(selection.names); i++)
        if (code->func &&
            PyUnicode_CompareWithASCIIString(PyList_GET_ITEM(selection.names, i), code->func) == 0)
            return PROBE_ALL;
    return 0;
}

static struct listener listener = {.fire = fire, .wants = wants};

static PyObject *start(PyObject *self, PyObject *parameters) {
    (void)self;
    const char *library;
    PyObject *names, *functions = NULL;
    if (!PyArg_ParseTuple(parameters, "sO!|O!:start", &library, &PyList_Type, &names, &PyList_Type,
                          &functions))
        return NULL;
    void *handle = dlopen(library, RTLD_NOW | RTLD_NOLOAD);
    *(void **)&listen_function = handle ? dlsym(handle, "hooks_listen") : NULL;
    if (!listen_function)
        return PyErr_Format(PyExc_RuntimeError, "no hooks_listen in %s", library);
    listener.probes = 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(names); i++)
        for (unsigned probe = 0; probe < PROBE_COUNT; probe++)
            if (PyUnicode_CompareWithASCIIString(PyList_GET_ITEM(names, i), probe_table[probe].name) == 0)
                listener.probes |= PROBE_BIT(probe);
    Py_XINCREF(functions);
    Py_XSETREF(selection.names, functions);
    selection.asked = 0;
    listener.selective = functions ? listener.probes & PROBES_OF_CODE : 0;
    listen_function(&listener);
    Py_RETURN_NONE;
}

static PyObject *as_tuple(const struct record *record) {
    int count = probe_table[record->probe].argument_count;
    PyObject *tuple = PyTuple_New(2 + count);
    PyTuple_SET_ITEM(tuple, 0, PyUnicode_FromString(probe_table[record->probe].name));
    PyTuple_SET_ITEM(tuple, 1, PyLong_FromUnsignedLong(record->thread));
    for (int i = 0; i < count; i++) {
        PyObject *value;
        if (!is_text(record->probe, i))
            value = PyLong_FromLong(record->arguments[i].number);
        else if (record->arguments[i].text)
            value = PyUnicode_DecodeUTF8(record->arguments[i].text,
                                         (Py_ssize_t)strlen(record->arguments[i].text), "surrogateescape");
        else
            value = Py_BuildValue("");
        PyTuple_SET_ITEM(tuple, 2 + i, value);
    }
    return tuple;
}

static PyObject *take(PyObject *self, PyObject *unused) {
    (void)self, (void)unused;
    pthread_mutex_lock(&recorder.lock);
    struct record *records = recorder.records;
    size_t count = recorder.count;
    recorder.records = NULL;
    recorder.count = recorder.size = 0;
    pthread_mutex_unlock(&recorder.lock);
    PyObject *list = PyList_New(0);
    for (size_t i = 0; i < count; i++) {
        PyObject *tuple = as_tuple(&records[i]);
        PyList_Append(list, tuple);
        Py_DECREF(tuple);
        for (int j = 0; j < probe_table[records[i].probe].argument_count; j++)
            if (is_text(records[i].probe, j))
                free(records[i].arguments[j].text);
    }
    free(records);
    return list;
}

static PyObject *asked(PyObject *self, PyObject *unused) {
    (void)self, (void)unused;
    return PyLong_FromLong(selection.asked);
}

static PyObject *stop(PyObject *self, PyObject *unused) {
    if (listen_function)
        listen_function(NULL);
    return take(self, unused);
}

static PyMethodDef methods[] = {
    {"start", start, METH_VARARGS, NULL},
    {"take", take, METH_NOARGS, NULL},
    {"asked", asked, METH_NOARGS, NULL},
    {"stop", stop, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "recorder", .m_size = -1,
                                        .m_methods = methods};

PyMODINIT_FUNC PyInit_recorder(void) {
    return PyModule_Create(&definition);
}
