/*
 * recorder.h: a flight recorder: keeps the last megabytes of a timeline's events in memory, and writes them
 * when told.
 */
#ifndef VIEWER_RECORDER_H
#define VIEWER_RECORDER_H

#include "timeline.h"

struct recorder;

/* Keeps `size` bytes of events, a few percent more or less. NULL: out of memory, or size is too small to be
   of use: below RECORDER_LEAST. */
enum { RECORDER_LEAST = 1 << 20 };
struct recorder *recorder_open(uint64_t size);
void recorder_close(struct recorder *recorder);

/* Keeps an event, and forgets the oldest if need be. False: out of memory. */
bool recorder_event(struct recorder *recorder, const struct timeline_event *event);

/* Whether there is anything to write. */
bool recorder_has_events(const struct recorder *recorder);

/* Writes what it has as a file of its own, and forgets it; the settings' start is that of what is kept. What
   is open at `time` ends then. False, errno: it cannot be written; what was kept is forgotten all the same.
 */
bool recorder_write(struct recorder *recorder, struct timeline *timeline,
                    const struct timeline_settings *settings, uint64_t time);

#endif
