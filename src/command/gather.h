/*
 * gather.h: from the samples of sampling.h to a profile of the viewer's.
 */
#ifndef GATHER_H
#define GATHER_H

#include "sampling.h"
#include "viewer/profile.h"

struct gather {
    /* Set by the caller. */
    struct profile *profile; /* open */
    bool gil;                /* only what holds the GIL */
    bool mine;               /* only frames of the program's own: what these call in libraries is theirs */
    bool functions;          /* lines are those of the functions' starts */
    bool threads, processes; /* are outermost frames */

    struct gathered_process *list; /* private */
};

/* Takes a sample: for sampling_read, with a struct gather as its context. */
void gather_take(void *gather, const struct sampling_process *process, const struct sample *sample);

void gather_close(struct gather *gather);

#endif
