/*
 * _catprobe: the extension module. Importing it starts the agent; its functions are the command and the
 * agent's status.
 */
#include "hooks/compat.h"

#include "agent/agent.h"
#include "command/command.h"
#include "hooks/hooks.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- The command ---- */

static void free_arguments(char **arguments) {
    for (char **argument = arguments; argument && *argument; argument++)
        free(*argument);
    free(arguments);
}

/* A list of str as the bytes that the command line had; NULL with an exception. */
static char **arguments_of(PyObject *list) {
    Py_ssize_t count = PyList_GET_SIZE(list);
    char **arguments = calloc((size_t)count + 1, sizeof *arguments);
    if (!arguments) {
        PyErr_NoMemory();
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *bytes = NULL;
        if (!PyUnicode_FSConverter(PyList_GET_ITEM(list, i), &bytes)) {
            free_arguments(arguments);
            return NULL;
        }
        arguments[i] = strdup(PyBytes_AS_STRING(bytes));
        Py_DECREF(bytes);
    }
    return arguments;
}

PyDoc_STRVAR(
    main_doc,
    "main(arguments, python, package) -> int\n\n"
    "Run the catprobe command: arguments[0] is its name, python the interpreter and package the folder\n"
    "of this installation. Returns the exit status; `run` does not return.");

static PyObject *module_main(PyObject *self, PyObject *parameters) {
    (void)self;
    PyObject *list, *python, *package;
    if (!PyArg_ParseTuple(parameters, "O!O&O&:main", &PyList_Type, &list, PyUnicode_FSConverter, &python,
                          PyUnicode_FSConverter, &package))
        return NULL;
    char **arguments = arguments_of(list);
    int status = 0;
    if (arguments) {
        agent_shut_down(); /* the command is no program to be traced, and `run` becomes another one */
        command_set_installation(PyBytes_AS_STRING(python), PyBytes_AS_STRING(package));
        Py_BEGIN_ALLOW_THREADS status = catprobe_main((int)PyList_GET_SIZE(list), arguments);
        Py_END_ALLOW_THREADS
    }
    Py_DECREF(python);
    Py_DECREF(package);
    if (!arguments)
        return NULL;
    free_arguments(arguments);
    return PyLong_FromLong(status);
}

/* ---- A program that was started to be traced ---- */

PyDoc_STRVAR(hold_doc,
             "hold(number)\n\n"
             "Tell the command at the other end of this socket that this process is there, and wait\n"
             "until it answers or ends. Closes the socket. The agent's hooks can come meanwhile.");

static PyObject *module_hold(PyObject *self, PyObject *argument) {
    (void)self;
    enum { LOOK_MILLISECONDS = 1 };
    long number = PyLong_AsLong(argument);
    if (number == -1 && PyErr_Occurred())
        return NULL;
    char pid[24];
    int length = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    int ready = write((int)number, pid, (size_t)length) == length ? 0 : -1;
    while (ready == 0) {
        struct pollfd answer = {.fd = (int)number, .events = POLLIN};
        Py_BEGIN_ALLOW_THREADS ready = poll(&answer, 1, LOOK_MILLISECONDS);
        Py_END_ALLOW_THREADS if (Py_MakePendingCalls() < 0) return NULL;
    }
    char byte;
    (void)!(ready > 0 && read((int)number, &byte, 1)); /* without an answer nobody is there: go on */
    close((int)number);
    Py_RETURN_NONE;
}

/* ---- Status ---- */

static PyObject *probe_status(const char *engine, const char *state, unsigned long tracers, long listeners,
                              unsigned long long drops) {
    return Py_BuildValue("{s:s,s:s,s:k,s:l,s:K}", "engine", engine, "state", state, "tracers", tracers,
                         "listeners", listeners, "drops", drops);
}

/* What a line of the reply goes into. */
struct status {
    PyObject *dict, *probes, *sessions; /* owned */
};

/* One line of the reply, "key value"; 0 or -1. */
static int status_take(const struct status *status, const char *line) {
    char key[64], engine[32], state[16];
    unsigned long tracers;
    long listeners;
    unsigned long long drops;
    const char *space = strchr(line, ' ');
    PyObject *value;
    int result;
    if (sscanf(line, "probe %63s %31s %15s %lu %ld %llu", key, engine, state, &tracers, &listeners, &drops) ==
        6) {
        value = probe_status(engine, state, tracers, listeners, drops);
        result = value ? PyDict_SetItemString(status->probes, key, value) : -1;
    } else if (space && strncmp(line, "session ", 8) == 0) {
        value = PyUnicode_DecodeFSDefault(space + 1);
        result = value ? PyList_Append(status->sessions, value) : -1;
    } else if (space && (size_t)(space - line) < sizeof key) {
        memcpy(key, line, (size_t)(space - line));
        key[space - line] = '\0';
        value = PyUnicode_DecodeFSDefault(space + 1);
        result = value ? PyDict_SetItemString(status->dict, key, value) : -1;
    } else {
        return 0;
    }
    Py_XDECREF(value);
    return result;
}

PyDoc_STRVAR(
    status_doc,
    "status() -> dict\n\n"
    "What the agent tells the command: strings by key, under 'probes' a dict for each probe with engine,\n"
    "state, tracers, listeners and drops, and under 'sessions' a string for each consumer that traces: its\n"
    "number, state, probes and the pid that it knows. Any thread may call it.");

static PyObject *module_status(PyObject *self, PyObject *unused) {
    (void)self, (void)unused;
    struct control_reply *reply = calloc(1, sizeof *reply + 1);
    if (!reply)
        return PyErr_NoMemory();
    control_reply_begin(reply, CONTROL_VERSION);
    agent_describe(reply);
    struct status status = {PyDict_New(), PyDict_New(), PyList_New(0)};
    int failed = !status.dict || !status.probes || !status.sessions;
    reply->text[reply->length] = '\0';
    char *rest = strchr(reply->text, '\n'); /* behind the greeting */
    for (char *line = rest ? strtok_r(NULL, "\n", &rest) : NULL; line && !failed;
         line = strtok_r(NULL, "\n", &rest))
        failed = status_take(&status, line) < 0;
    failed = failed || PyDict_SetItemString(status.dict, "probes", status.probes) < 0 ||
             PyDict_SetItemString(status.dict, "sessions", status.sessions) < 0;
    free(reply);
    Py_XDECREF(status.probes);
    Py_XDECREF(status.sessions);
    if (failed)
        Py_CLEAR(status.dict);
    return status.dict;
}

/* ---- What the interpreter calls ---- */

static PyObject *after_fork_in_parent_call; /* as registered */

static PyObject *before_fork(PyObject *self, PyObject *unused) {
    (void)self, (void)unused;
    agent_before_fork();
    compat_call_last_after_fork(after_fork_in_parent_call);
    Py_RETURN_NONE;
}

static PyObject *after_fork_in_parent(PyObject *self, PyObject *unused) {
    (void)self, (void)unused;
    agent_after_fork_in_parent();
    Py_RETURN_NONE;
}

static PyObject *after_fork_in_child(PyObject *self, PyObject *unused) {
    (void)self, (void)unused;
    agent_after_fork_in_child();
    Py_RETURN_NONE;
}

static PyObject *at_exit(PyObject *self, PyObject *unused) {
    (void)self, (void)unused;
    agent_shut_down();
    hooks_shut_down();
    Py_RETURN_NONE;
}

static PyMethodDef interpreter_calls[] = {
    {"catprobe.before_fork", before_fork, METH_NOARGS, NULL},
    {"catprobe.after_fork_in_parent", after_fork_in_parent, METH_NOARGS, NULL},
    {"catprobe.after_fork_in_child", after_fork_in_child, METH_NOARGS, NULL},
    {"catprobe.at_exit", at_exit, METH_NOARGS, NULL},
};

static int call_with(const char *module, const char *function, PyObject *arguments, PyObject *keywords) {
    PyObject *owner = arguments ? PyImport_ImportModule(module) : NULL;
    PyObject *callable = owner ? PyObject_GetAttrString(owner, function) : NULL;
    PyObject *result = callable ? PyObject_Call(callable, arguments, keywords) : NULL;
    Py_XDECREF(owner);
    Py_XDECREF(callable);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

static int register_calls(void) {
    PyObject *before = PyCFunction_New(&interpreter_calls[0], NULL);
    PyObject *parent = PyCFunction_New(&interpreter_calls[1], NULL);
    PyObject *child = PyCFunction_New(&interpreter_calls[2], NULL);
    PyObject *exit = PyCFunction_New(&interpreter_calls[3], NULL);
    PyObject *none = PyTuple_New(0), *exit_arguments = exit ? PyTuple_Pack(1, exit) : NULL;
    PyObject *keywords = before && parent && child
                             ? Py_BuildValue("{s:O,s:O,s:O}", "before", before, "after_in_parent", parent,
                                             "after_in_child", child)
                             : NULL;
    int failed = !none || !exit_arguments || !keywords;
    if (!failed && COMPAT_HAVE_REGISTER_AT_FORK)
        failed = call_with("posix", "register_at_fork", none, keywords) < 0;
    if (!failed)
        failed = call_with("atexit", "register", exit_arguments, NULL) < 0;
    after_fork_in_parent_call = parent; /* kept */
    Py_XDECREF(before);
    Py_XDECREF(child);
    Py_XDECREF(exit);
    Py_XDECREF(none);
    Py_XDECREF(exit_arguments);
    Py_XDECREF(keywords);
    return failed ? -1 : 0;
}

static bool disabled(void) {
    const char *value = getenv("CATPROBE_DISABLE");
    return value && *value && strcmp(value, "0") != 0;
}

/* In the main interpreter; further ones get the functions of the module only, and are traced with it. */
static int module_execute(PyObject *module) {
    static bool started;
    (void)module;
    bool is_main = compat_tstate_interpreter(compat_current_tstate()) == compat_main_interpreter();
    if (started || !is_main || disabled())
        return 0;
    if (hooks_initialise() < 0 || register_calls() < 0)
        return -1;
    agent_initialise();
    agent_start();
    started = true;
    return 0;
}

static PyMethodDef methods[] = {
    {"hold", module_hold, METH_O, hold_doc},
    {"main", module_main, METH_VARARGS, main_doc},
    {"status", module_status, METH_NOARGS, status_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)module_execute},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_catprobe",
    .m_doc = "The probes of catprobe: importing this makes the process traceable. Use the package catprobe.",
    .m_methods = methods,
    .m_slots = slots,
};

/* Before 3.9 PyMODINIT_FUNC does not say that it is visible (bpo-11410). */
__attribute__((visibility("default"))) PyMODINIT_FUNC PyInit__catprobe(void) {
    return PyModuleDef_Init(&definition);
}
