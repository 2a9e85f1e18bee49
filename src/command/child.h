/*
 * child.h: a program started to be traced, by -c or by a verb. It exists, with its pid, before it runs; a
 * Python among it waits at its start until what is to be traced there is armed.
 */
#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>
#include <sys/types.h>

struct child {
    pid_t pid;     /* 0: not started */
    int gate;      /* our end of the pipe on whose closing it begins, or -1 */
    int failure;   /* where it tells that exec failed, or -1 */
    int hold;      /* our end of the socket at which its Pythons wait, or -1 */
    bool running;  /* it was told to begin */
    bool held;     /* a Python of its own pid waits */
    bool ended;    /* and was waited for */
    int status;    /* then: its exit status, or 128 + the signal that ended it */
    bool released; /* nobody waits any more */
};

/* Makes the process, which waits. `words` are those of the command, NULL at the end. False after a message.
 */
bool child_start(struct child *child, char *const *words);

/* Lets it become the program. False after the message that it cannot. */
bool child_begin(struct child *child);

/* Waits until it is held as a Python that can be traced; false when it turns out to be none, or ends. */
bool child_wait_held(struct child *child);

/* Lets those that wait go on, and from now on nobody waits. */
void child_release(struct child *child);

/* Ends it, if it has not ended. */
void child_kill(struct child *child);

/* Answers a Python that asks late. `hold` is readable. */
void child_answer(struct child *child);

/* Whether it has ended; waits for nothing. */
bool child_ended(struct child *child);

/* Gives back what is left of it; it runs on. */
void child_close(struct child *child);

#endif
