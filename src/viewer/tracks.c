/*
 * tracks.c: threads by pid and tid, processes by pid.
 */
#include "tracks.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static uint32_t place(const struct tracks *tracks, uint32_t pid, uint32_t tid) {
    return (uint32_t)(((uint64_t)pid << 32 | tid) * UINT64_C(0x9e3779b97f4a7c15) >> 32) &
           (tracks->table_size - 1);
}

/* Where a thread is in the table, or is to go. */
static uint32_t find(const struct tracks *tracks, uint32_t pid, uint32_t tid) {
    uint32_t at = place(tracks, pid, tid);
    for (; tracks->table[at] != 0; at = (at + 1) & (tracks->table_size - 1)) {
        const struct track *track = &tracks->all[tracks->table[at] - 1];
        if (track->pid == pid && track->tid == tid) {
            break;
        }
    }
    return at;
}

static bool grow(struct tracks *tracks) {
    uint32_t room = tracks->room > 0 ? tracks->room * 2 : 32;
    struct track *all = realloc(tracks->all, room * sizeof *all);
    if (all != NULL) {
        tracks->all = all;
    }
    uint32_t *table = calloc(room, 2 * sizeof *table);
    if (all == NULL || table == NULL) {
        free(table);
        return false;
    }
    free(tracks->table);
    tracks->room = room;
    tracks->table = table;
    tracks->table_size = room * 2;
    for (uint32_t i = 0; i < tracks->count; i++) {
        table[find(tracks, all[i].pid, all[i].tid)] = i + 1;
    }
    return true;
}

uint32_t tracks_thread(struct tracks *tracks, uint32_t pid, uint32_t tid) {
    if (tracks->count > 0 && tracks->all[tracks->last].tid == tid && tracks->all[tracks->last].pid == pid) {
        return tracks->last;
    }
    if (tracks->count == tracks->room && !grow(tracks)) {
        return TRACK_NONE;
    }
    uint32_t at = find(tracks, pid, tid);
    if (tracks->table[at] == 0) {
        tracks->all[tracks->count] = (struct track){.pid = pid, .tid = tid};
        tracks->table[at] = ++tracks->count;
    }
    tracks->last = tracks->table[at] - 1;
    return tracks->last;
}

void tracks_rename(struct track *track, const char *name, size_t length) {
    length = length < TRACK_NAME_MAX ? length : TRACK_NAME_MAX - 1;
    memcpy(track->name, name, length);
    track->name[length] = '\0';
    track->renamed++;
}

struct track_process *tracks_process(struct tracks *tracks, uint32_t pid) {
    for (uint32_t i = 0; i < tracks->process_count; i++) {
        if (tracks->processes[i].pid == pid) {
            return &tracks->processes[i];
        }
    }
    struct track_process *processes =
        realloc(tracks->processes, (tracks->process_count + 1) * sizeof *processes);
    if (processes == NULL) {
        return NULL;
    }
    tracks->processes = processes;
    processes[tracks->process_count] = (struct track_process){.pid = pid};
    return &processes[tracks->process_count++];
}

void tracks_free(struct tracks *tracks) {
    free(tracks->all);
    free(tracks->table);
    free(tracks->processes);
    *tracks = (struct tracks){0};
}
