/*
 * records.h: what the scripts of the verbs print, as the verbs take it: which record it is, and what it says.
 */
#ifndef RECORDS_H
#define RECORDS_H

#include "consumer/consumer.h"
#include "viewer/labels.h"
#include "viewer/tracks.h"

#include <stdbool.h>

/* A kind of record, by the first word of its printf's format. */
struct record_kind {
    const char *word;
    const char *values; /* that it must have: I integer, S text */
};

bool record_is(const struct consumer_record *record, const struct record_kind *kind);

/* What a thread is called of which no name is known. */
void record_unnamed(uint32_t tid, char name[TRACK_NAME_MAX]);

/* The thread's track; a new one gets the best name that the system tells. TRACK_NONE: out of memory. */
uint32_t record_thread(struct tracks *tracks, uint32_t pid, uint32_t tid);

/* The label of these values; `file` and `line` may be NULL. LABEL_NONE: out of memory. */
uint32_t record_label(struct labels *labels, enum category category, const struct value *name,
                      const struct value *file, const struct value *line);

/* What a call and its return have in common, from an address. */
uint32_t record_key(const struct value *address);

#endif
