/*
 * evaluator: an extension module of the tests, another tool that evaluates frames (PEP 523), as a debugger or
 * a compiler of Python does.
 *
 * take() puts it into the slot and remembers what was there, which it calls; give_back() puts that back;
 * calls() -> how many frames it has evaluated; is_there() -> bool.
 */
#include "hooks/compat.h"

static compat_evaluator *previous;
static long count;

static PyObject *evaluate(COMPAT_EVALUATOR_PARAMETERS) {
    count++;
    return previous(COMPAT_EVALUATOR_ARGUMENTS);
}

static PyObject *take(PyObject *self, PyObject *unused) {
    (void)self, (void)unused;
    PyInterpreterState *interp = compat_main_interpreter();
    previous = compat_get_evaluator(interp);
    compat_set_evaluator(interp, evaluate);
    Py_RETURN_NONE;
}

static PyObject *give_back(PyObject *self, PyObject *unused) {
    (void)self, (void)unused;
    compat_set_evaluator(compat_main_interpreter(), previous);
    Py_RETURN_NONE;
}

static PyObject *calls(PyObject *self, PyObject *unused) {
    (void)self, (void)unused;
    return PyLong_FromLong(count);
}

static PyObject *is_there(PyObject *self, PyObject *unused) {
    (void)self, (void)unused;
    return PyBool_FromLong(compat_get_evaluator(compat_main_interpreter()) == evaluate);
}

static PyObject *is_default(PyObject *self, PyObject *unused) {
    (void)self, (void)unused;
    return PyBool_FromLong(compat_get_evaluator(compat_main_interpreter()) == _PyEval_EvalFrameDefault);
}

static PyMethodDef methods[] = {
    {"take", take, METH_NOARGS, NULL},
    {"give_back", give_back, METH_NOARGS, NULL},
    {"calls", calls, METH_NOARGS, NULL},
    {"is_there", is_there, METH_NOARGS, NULL},
    {"is_default", is_default, METH_NOARGS, "Has nobody an evaluator in the slot?"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "evaluator", .m_size = -1,
                                        .m_methods = methods};

PyMODINIT_FUNC PyInit_evaluator(void) {
    return PyModule_Create(&definition);
}
