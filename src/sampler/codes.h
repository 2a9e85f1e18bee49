/*
 * codes.h: what the sampler knows of code objects: names, lines, sizes, copied once. A code object may be
 * freed at any time and another one come to lie at its address, so that each is looked at again at each tick.
 * One thread, the sampler's.
 */
#ifndef SAMPLER_CODES_H
#define SAMPLER_CODES_H

#include "copy.h"

#include <stdbool.h>
#include <stdint.h>

struct code {
    uintptr_t address;
    uint32_t serial;                         /* never used twice */
    uint64_t checked;                        /* the last check that found it unchanged */
    uint64_t noted;                          /* the last stack that was taken with it */
    const char *function, *qualified, *file; /* of `lengths` bytes, UTF-8, '\0' at the end */
    uint32_t first_line;
    const unsigned char *lines; /* the table */
    uint32_t lines_size;
    uint32_t frame_size;     /* bytes on the data stack; 0: not known */
    long size;               /* bytes of its instructions; -1: not known */
    long first_traceable;    /* byte of its instructions */
    uintptr_t name_address;  /* of the name's object */
    int64_t name_mark[2];    /* of its head */
    unsigned char *identity; /* a copy of its head */
    const uint16_t *calls;   /* what calls.h has found out; NULL: nothing */
    bool calls_known;        /* it has been looked for */
    size_t variables;        /* of a frame, below its value stack */
};

bool codes_open(void);
void codes_close(void);

/* In a child of fork(), which has not got their memory. */
void codes_forget(void);

/* At the start of a tick: makes room when there is none left, by forgetting all. */
void codes_tidy(void);

/* The code object at an address, as known; NULL: not seen before. */
struct code *codes_find(uintptr_t address);

/* Copies it; NULL: it is none, or was changed meanwhile, or there is no room until the next tick. */
struct code *codes_load(struct copier *copier, uintptr_t address);

/* What tells whether a code object is still what it was: the pieces to be copied, one behind the other, and
   the look at their copy. What is not found unchanged so is to be looked at by codes_check. */
enum { CODES_PIECES = 2 };
size_t codes_foresee(const struct code *code, struct iovec pieces[CODES_PIECES]); /* bytes in all */
bool codes_confirm(struct code *code, const unsigned char *copy, uint64_t check);

/* Looks whether these are still what they were, by one copy. False: one is not, and has been forgotten. */
bool codes_check(struct copier *copier, struct code *const *codes, int count, uint64_t check);

/* The text of a str, UTF-8, of at most `size` bytes with its end; false: it is none. */
bool codes_read_text(struct copier *copier, uintptr_t address, char *text, size_t size);

/* Room that lasts as long as what is known; NULL: there is none until the next tick. */
void *codes_room(size_t size);

/* The line of the instruction at a byte offset; 0: none. */
uint32_t codes_line(const struct code *code, long instruction);

#endif
