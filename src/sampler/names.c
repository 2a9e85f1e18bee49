/*
 * names.c: see names.h. The table is written with the GIL held and read without: its version is odd while it
 * is written, and a reader that sees it change has read nothing.
 */
#include "hooks/compat.h"

#include "names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { NAMES_MAX = 1024, NAME_SIZE = 64 };

static struct {
    uint32_t version; /* atomic */
    bool wanted;      /* atomic */
    uint32_t count;
    struct {
        uint64_t ident;
        char name[NAME_SIZE];
    } names[NAMES_MAX];
} known;

void names_want(void) {
    __atomic_store_n(&known.wanted, true, __ATOMIC_RELEASE);
}

bool names_wanted(void) {
    return __atomic_load_n(&known.wanted, __ATOMIC_ACQUIRE);
}

uint32_t names_version(void) {
    return __atomic_load_n(&known.version, __ATOMIC_ACQUIRE);
}

static void collect_one(PyObject *ident, PyObject *thread) {
    unsigned long number = PyLong_AsUnsignedLong(ident);
    PyObject *name = PyErr_Occurred() ? NULL : PyObject_GetAttrString(thread, "_name");
    const char *text = name && PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;
    if (text && known.count < NAMES_MAX) {
        known.names[known.count].ident = number;
        snprintf(known.names[known.count].name, NAME_SIZE, "%s", text);
        known.count++;
    }
    Py_XDECREF(name);
    PyErr_Clear();
}

void names_collect(void) {
    if (!__atomic_exchange_n(&known.wanted, false, __ATOMIC_ACQ_REL))
        return;
    int saved_errno = errno;
    struct compat_error error = compat_error_put_aside();
    PyObject *modules = PyImport_GetModuleDict(); /* borrowed */
    PyObject *threading = modules ? PyDict_GetItemString(modules, "threading") : NULL;
    PyObject *active = threading ? PyObject_GetAttrString(threading, "_active") : NULL;
    PyObject *copy = active && PyDict_CheckExact(active) ? PyDict_Copy(active) : NULL;
    PyObject *ident, *thread;
    Py_ssize_t position = 0;
    PyErr_Clear();
    __atomic_add_fetch(&known.version, 1, __ATOMIC_SEQ_CST);
    known.count = 0;
    while (copy && PyDict_Next(copy, &position, &ident, &thread))
        collect_one(ident, thread);
    __atomic_add_fetch(&known.version, 1, __ATOMIC_SEQ_CST);
    Py_XDECREF(copy);
    Py_XDECREF(active);
    compat_error_put_back(error);
    errno = saved_errno;
}

bool names_find(uint64_t ident, char *name, size_t size) {
    uint32_t before = names_version(), count = known.count;
    if ((before & 1) || count > NAMES_MAX)
        return false;
    bool found = false;
    for (uint32_t i = 0; i < count && !found; i++) {
        found = known.names[i].ident == ident;
        if (found) {
            size_t length = strnlen(known.names[i].name, NAME_SIZE - 1);
            length = length < size ? length : size - 1;
            memcpy(name, known.names[i].name, length);
            name[length] = '\0';
        }
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return found && names_version() == before;
}
