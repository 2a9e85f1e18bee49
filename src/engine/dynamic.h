/*
 * dynamic.h: global associative arrays, in memory that all processes of a session share. A hash table in
 * stripes, each with a lock that is tried for some microseconds and never waited for. What is read from the
 * memory is checked: another process may lie, or have been killed in the middle of a change.
 */
#ifndef ENGINE_DYNAMIC_H
#define ENGINE_DYNAMIC_H

#include "text.h"

/* The region of one arena. */
struct dynamic {
    char *base;
    uint64_t size; /* from dynamic_size */
    uint32_t pid;  /* of this process, as the consumer knows it; marks the locks that it holds */
};

enum dynamic_outcome {
    DYNAMIC_DONE,
    DYNAMIC_ABSENT, /* no such element */
    DYNAMIC_FULL,   /* no room for it */
    DYNAMIC_BUSY,   /* the stripe is locked, for too long */
};

/* Bytes of a region that holds `bytes` of variables. */
uint64_t dynamic_size(uint64_t bytes);

/* Reads an element into `value`, at most `capacity` bytes; `*length` is its size. The keys are prepared. */
enum dynamic_outcome dynamic_read(const struct dynamic *dynamic, const struct keys *keys, char *value,
                                  uint32_t capacity, uint32_t *length);

/* Gives an element a value, and makes it if need be. */
enum dynamic_outcome dynamic_write(const struct dynamic *dynamic, const struct keys *keys, const char *value,
                                   uint32_t length);

enum dynamic_outcome dynamic_remove(const struct dynamic *dynamic, const struct keys *keys);

/* Where the bytes of an element are, made of zeros if need be. It is never removed. */
enum dynamic_outcome dynamic_address(const struct dynamic *dynamic, const struct keys *keys, uint32_t length,
                                     char **address);

/* No thread of the process runs any more: frees the locks that it held. */
void dynamic_break_locks(char *base, uint64_t size, uint32_t pid);

#endif
