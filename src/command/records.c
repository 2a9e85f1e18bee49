/*
 * What a record of a verb's script is and says, and what threads are called.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "records.h"

#include "process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool record_is(const struct consumer_record *record, const struct record_kind *kind) {
    size_t length = strlen(kind->word), count = strlen(kind->values);
    if (strncmp(record->format, kind->word, length) != 0 ||
        (record->format[length] != ' ' && record->format[length] != '\n') || record->count < count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if ((record->values[i].kind == FIELD_INTEGER) != (kind->values[i] == 'I')) {
            return false;
        }
    }
    return true;
}

void record_unnamed(uint32_t tid, char name[TRACK_NAME_MAX]) {
    snprintf(name, TRACK_NAME_MAX, "Thread %u", tid);
}

/* Python 3.14 tells the system what a thread is called, and so do some programs. */
static void name_thread(struct track *track) {
    char file[48], own[PROCESS_NAME_MAX], name[TRACK_NAME_MAX];
    size_t length = 0;
    snprintf(file, sizeof file, "task/%u/comm", track->tid);
    char *comm = process_read((pid_t)track->pid, file, &length);
    process_name((pid_t)track->pid, own, sizeof own);
    if (comm != NULL) {
        comm[strcspn(comm, "\n")] = '\0';
    }
    if (track->tid == track->pid) {
        snprintf(name, sizeof name, "MainThread");
    } else if (comm != NULL && comm[0] != '\0' && strcmp(comm, own) != 0) {
        snprintf(name, sizeof name, "%s", comm);
    } else {
        record_unnamed(track->tid, name);
    }
    free(comm);
    tracks_rename(track, name, strlen(name));
}

uint32_t record_thread(struct tracks *tracks, uint32_t pid, uint32_t tid) {
    uint32_t count = tracks->count;
    uint32_t thread = tracks_thread(tracks, pid, tid);
    if (thread == count) {
        name_thread(&tracks->all[thread]);
        struct track_process *process = tracks_process(tracks, pid);
        if (process != NULL && process->name[0] == '\0') {
            process_command((pid_t)pid, process->name, sizeof process->name);
        }
    }
    return thread;
}

uint32_t record_label(struct labels *labels, enum category category, const struct value *name,
                      const struct value *file, const struct value *line) {
    struct label label = {
        .name = name->bytes,
        .name_length = name->length,
        .file = file == NULL ? "" : file->bytes,
        .file_length = file == NULL ? 0 : file->length,
        .line = line == NULL || line->integer < 0 ? 0 : (uint32_t)line->integer,
        .category = (uint8_t)category,
    };
    return labels_id(labels, &label);
}

/* Addresses lie close together, and are multiples of 8. */
uint32_t record_key(const struct value *address) {
    return (uint32_t)(address->integer >> 3);
}
