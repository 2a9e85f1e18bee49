/*
 * threads.c: the bounds of each thread's C stack, its name, and the start and the end of threads.
 *
 * thread-start fires at the first Python frame that a hook sees of a thread, which covers threads that C code
 * makes; thread-exit from a pthread key, when the thread itself ends.
 */
#include "threads.h"

#include "events.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#if defined __FreeBSD__
#    include <pthread_np.h>
#endif

static struct thread thread_unknown;
__thread struct thread *thread_self THREAD_TLS_MODEL = &thread_unknown;

static pthread_key_t exit_key; /* its value is the thread's own struct */
static pthread_t main_thread;
static uintptr_t main_stack_base, main_stack_top;

/* The newest thread state there was when thread-start was first wanted: those of older threads have lower
 * ids. */
static uint64_t newest_elder;

static void stack_bounds(pthread_t thread, uintptr_t *base, uintptr_t *top) {
    *base = *top = 0;
#if defined __APPLE__
    *top = (uintptr_t)pthread_get_stackaddr_np(thread);
    *base = *top - pthread_get_stacksize_np(thread);
#else
    pthread_attr_t attributes;
    void *address = NULL;
    size_t size = 0;
#    if defined __FreeBSD__
    if (pthread_attr_init(&attributes) != 0)
        return;
    int failed = pthread_attr_get_np(thread, &attributes);
#    elif defined __linux__
    int failed = pthread_getattr_np(thread, &attributes);
    if (failed)
        return;
#    else
    int failed = 1;
    return;
#    endif
    if (!failed && pthread_attr_getstack(&attributes, &address, &size) == 0) {
        *base = (uintptr_t)address;
        *top = *base + size;
    }
    pthread_attr_destroy(&attributes);
#endif
}

static void thread_ended(void *memory) {
    struct thread *thread = memory;
    thread_self = &thread_unknown;
    if (thread->announced)
        event_thread_exit(thread->name, thread->ident);
    free(thread);
}

void threads_initialise(void) {
    static bool done;
    if (done)
        return;
    done = true;
    pthread_key_create(&exit_key, thread_ended);
    main_thread = pthread_self();
    stack_bounds(main_thread, &main_stack_base, &main_stack_top);
}

bool thread_introduce(void) {
    if (thread_self != &thread_unknown)
        return true;
    struct thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return false;
    if (pthread_equal(pthread_self(), main_thread)) {
        thread->stack_base = main_stack_base;
        thread->stack_top = main_stack_top;
    } else {
        stack_bounds(pthread_self(), &thread->stack_base, &thread->stack_top);
    }
    thread->ident = PyThread_get_thread_ident();
    thread_self = thread;
    pthread_setspecific(exit_key,
                        thread); /* fails only without memory: then this thread's struct outlives it */
    return true;
}

Py_ssize_t thread_look_up_extra_index(PyInterpreterState *interp) {
    Py_ssize_t index = code_extra_index(interp);
    if (thread_introduce()) {
        thread_self->interp = interp;
        thread_self->extra_index = index;
    }
    return index;
}

void threads_watch(PyInterpreterState *interp) {
    for (PyThreadState *t = PyInterpreterState_ThreadHead(interp); t; t = PyThreadState_Next(t))
        if (compat_tstate_id(t) > newest_elder)
            newest_elder = compat_tstate_id(t);
}

/* threading.Thread._bootstrap(self) is the first frame of a thread of that module: its name is self._name. */
static bool thread_take_name(struct thread *thread, compat_frame *frame, PyCodeObject *code) {
    PyObject *self = frame && code ? compat_frame_first_argument(frame, code) : NULL;
    const char *func = self && !PyType_Check(self) ? PyUnicode_AsUTF8(code->co_name) : NULL;
    if (!func || strcmp(func, "_bootstrap") != 0)
        return false;
    PyObject *key = PyUnicode_InternFromString("_name");
    PyObject *name = key ? PyObject_GenericGetAttr(self, key) : NULL; /* no __getattr__ of a subclass runs */
    const char *text = name && PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;
    if (text)
        strncpy(thread->name, text, sizeof thread->name - 1);
    Py_XDECREF(name);
    Py_XDECREF(key);
    return true;
}

void thread_announce(PyThreadState *tstate, compat_frame *frame, PyCodeObject *code) {
    struct thread *thread = thread_self;
    if (thread == &thread_unknown || thread->announced)
        return;
    thread->announced = true;
    struct compat_error error = compat_error_put_aside();
    bool bootstrapped = thread_take_name(thread, frame, code);
    compat_error_put_back(error);
    uint64_t id = compat_tstate_id(tstate);
    if (id ? id > newest_elder : bootstrapped)
        event_thread_start(thread->name, thread->ident);
}
