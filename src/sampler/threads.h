/*
 * threads.h: the threads of all interpreters of the process, found by copies of the lists that the
 * interpreter keeps, and what each is doing. One thread, the sampler's.
 */
#ifndef SAMPLER_THREADS_H
#define SAMPLER_THREADS_H

#include "copy.h"
#include "stacks.h"

#include "samples.h"

enum { THREADS_MAX = 4096, THREAD_NAME_MAX = 64 };
#define THREADS_NO_COPY SIZE_MAX

struct thread {
    uintptr_t tstate, interp;        /* 0: this place is free */
    uint64_t number;                 /* of the thread state, as compat_tstate_id */
    uint64_t round;                  /* the last in which it was there */
    uint32_t serial;                 /* of this entry: never used twice */
    struct samples_thread described; /* but for the name */
    char name[THREAD_NAME_MAX];
    struct stack_trail trail;
    size_t copy;    /* where that of its state is in the copier's memory; THREADS_NO_COPY: nowhere */
    uint64_t cpu;   /* ns that it had run when it was last looked at */
    uint32_t state; /* of enum sample_state, then */
    bool changed;   /* it has run since */
    bool has_gil;
    uintptr_t gil;  /* address of its GIL; 0: not known */
    bool asked;     /* for its name */
    uint32_t named; /* names_version when its name was looked for */
    int status;     /* descriptor, or -1 */
};

bool threads_open(bool own_descriptors);
void threads_close(void);

/* Finds all that there are now. Returns how many; *threads is valid until the next call. */
size_t threads_find(struct copier *copier, struct thread *const **threads);

/* A number below THREADS_MAX that no other thread has at the time. */
size_t threads_place(const struct thread *thread);

/* Looks at what a thread does: sets state and `changed`. */
void threads_look(struct thread *thread);

/* Nanoseconds of a processor that a thread has used; 0: not known. */
uint64_t threads_cpu(uint32_t tid);

#endif
