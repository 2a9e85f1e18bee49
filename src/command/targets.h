/*
 * Finds the processes that can be traced: looks into the folders of the control sockets and asks who answers
 * there.
 */
#ifndef TARGETS_H
#define TARGETS_H

#include "query.h"

struct targets {
    size_t count;
    struct target *items; /* sorted by pid, each once */
};

/* Finds all, of this user, or of all users for root; this process is left out. Sockets on which nobody
 * listens are left out, and removed where they are ours. Free with targets_free. */
void targets_find(struct targets *targets);

/* The same for one process. Returns it (part of `targets`) if it answered, otherwise NULL after a message
 * that says what is wrong with it and what to do. */
const struct target *targets_find_pid(struct targets *targets, pid_t pid);

/* Whether somebody listens who goes by this pid, though it may be that of another pid namespace. Says
 * nothing.
 */
bool targets_has(pid_t pid);

/* Whether sockets may have come or gone since the last call, at little cost. A change is told for some calls
 * more, for a socket is there before somebody listens. */
bool targets_changed(void);

void targets_free(struct targets *targets);

/* Says on stderr why there is no socket of this process, and what to do. */
void targets_explain_absence(pid_t pid);

/* Says on stderr that there is nothing to be traced, and how to have something. Returns STATUS_FAILED. */
int targets_none(void);

#endif
