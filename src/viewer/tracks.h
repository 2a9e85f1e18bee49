/*
 * tracks.h: the threads of a timeline, and the processes that they belong to.
 */
#ifndef VIEWER_TRACKS_H
#define VIEWER_TRACKS_H

#include <stddef.h>
#include <stdint.h>

enum { TRACK_NAME_MAX = 256 }; /* bytes, with the '\0' */

struct track {
    uint32_t pid, tid;
    uint32_t renamed; /* how often its name has changed */
    char name[TRACK_NAME_MAX];
};

struct track_process {
    uint32_t pid;
    char name[TRACK_NAME_MAX];
};

#define TRACK_NONE UINT32_MAX

struct tracks {
    struct track *all; /* owned; by index */
    uint32_t count, room;
    uint32_t *table; /* by pid and tid: 1 + index; 0: free */
    uint32_t table_size;
    struct track_process *processes; /* owned */
    uint32_t process_count;
    uint32_t last; /* index of the thread that was asked for last */
};

/* The index of a thread, which is new if it equals the count before, and then has no name. TRACK_NONE: out of
   memory. */
uint32_t tracks_thread(struct tracks *tracks, uint32_t pid, uint32_t tid);
void tracks_rename(struct track *track, const char *name, size_t length);

/* The process with this pid, which is new if its name is empty; borrowed until the next call. NULL: out of
   memory. */
struct track_process *tracks_process(struct tracks *tracks, uint32_t pid);

void tracks_free(struct tracks *tracks);

#endif
