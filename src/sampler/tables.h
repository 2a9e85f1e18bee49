/*
 * tables.h: the memory of one viewer (samples.h), as the sampler fills it: strings, frames, stacks and
 * threads that are there already are found again by tables of the sampler's own. What the viewer writes into
 * the memory is never read, but for how many samples it has taken. One thread, the sampler's.
 */
#ifndef SAMPLER_TABLES_H
#define SAMPLER_TABLES_H

#include "codes.h"
#include "samples.h"

#include <stdbool.h>
#include <stddef.h>

struct tables;

/* Maps the viewer's file. NULL: a line in `problem`. The descriptor stays the caller's. */
struct tables *tables_open(int fd, char *problem, size_t n);
void tables_close(struct tables *tables);

struct samples_header *tables_header(struct tables *tables);

/* Each returns its number, or TABLES_FULL. */
#define TABLES_FULL UINT32_MAX
uint32_t tables_string(struct tables *tables, const char *text);
uint32_t tables_frame(struct tables *tables, const struct code *code, long instruction);
uint32_t tables_other_frame(struct tables *tables, const char *text, enum frame_kind kind);
uint32_t tables_node(struct tables *tables, uint32_t caller, uint32_t frame);
uint32_t tables_thread(struct tables *tables, const struct samples_thread *thread);

/* Room for locals, of which *room is how much; then takes so much of it. Returns a sample's `locals`. */
char *tables_locals_room(struct tables *tables, size_t *room);
uint32_t tables_take_locals(struct tables *tables, size_t size);

/* Puts it into the ring; false: there is no room. */
bool tables_put(struct tables *tables, const struct sample *sample);

#endif
