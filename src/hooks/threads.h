/*
 * threads.h: what a hook knows of the thread that it runs on, and the probes thread-start and thread-exit.
 */
#ifndef CATPROBE_THREADS_H
#define CATPROBE_THREADS_H

#include "compat.h"

struct thread {
    /* Read at each call; see frames.c. A thread that is not known yet has stack_room 0, so that every call is
     * slow. */
    uintptr_t stack_low;        /* the lowest address at which a hooked call may start */
    uintptr_t stack_room;       /* bytes from there to the top of the stack */
    PyInterpreterState *interp; /* for which extra_index holds */
    Py_ssize_t extra_index;     /* code_extra_index(interp) */
    unsigned noted;             /* frames.c: the generation that this thread has taken note of */
    int lent;                   /* frames.c: units of C recursion that its hooked calls have been lent */

    uintptr_t stack_base, stack_top; /* of its C stack; both 0 if unknown */
    unsigned long ident;             /* as threading.get_ident() */
    char name[64];                   /* as threading has it, cut to fit; "" if none is known */
    struct leaving *leaving;         /* frames.c: frames whose memory may go before they are looked at */
    const void *import_error; /* describe.c: the ImportError that importlib raised last; to compare only */
    bool announced;           /* thread-start has fired, or the thread is older than the wish for it */
};

/* The calling thread's; the one of every unknown thread before thread_introduce. */
#if defined __GLIBC__ ||                                                                                     \
    defined __FreeBSD__ /* some bytes of static TLS are there for libraries loaded late */
#    define THREAD_TLS_MODEL __attribute__((tls_model("initial-exec")))
#else
#    define THREAD_TLS_MODEL
#endif
extern __thread struct thread *thread_self THREAD_TLS_MODEL;

/* GIL. Make thread_self the calling thread's own; it goes when the thread ends. False if memory is short. */
bool thread_introduce(void);

/* GIL. code_extra_index() of an interpreter that the calling thread runs, without a search. */
Py_ssize_t thread_look_up_extra_index(PyInterpreterState *interp);
static inline Py_ssize_t thread_extra_index(PyInterpreterState *interp) {
    return thread_self->interp == interp ? thread_self->extra_index : thread_look_up_extra_index(interp);
}

/* GIL. At the first frame that a hook sees of a thread: fire thread-start if it is new since threads_watch.
   `frame` is that frame, or NULL. */
void thread_announce(PyThreadState *tstate, compat_frame *frame, PyCodeObject *code);

/* GIL. From now on thread-start is wanted: threads that exist already are not new. */
void threads_watch(PyInterpreterState *interp);

/* From the main thread, at import: its stack, whose bounds cost a read of /proc/self/maps. */
void threads_initialise(void);

#endif
