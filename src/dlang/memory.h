/*
 * memory.h: the memory of one compilation. Nodes, names, types all live in it and are freed together, so that
 * a compilation may be given up at any point without a leak.
 */
#ifndef DLANG_MEMORY_H
#define DLANG_MEMORY_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>

struct memory_block;

struct memory {
    struct memory_block *blocks; /* the newest first */
    jmp_buf *exhausted;          /* where to go when the machine has no more memory */
};

/* An empty memory. An allocation never returns NULL: without memory it jumps, with the value 1, to
   `exhausted`, which must stay valid as long as anything is allocated. */
void memory_init(struct memory *memory, jmp_buf *exhausted);
void memory_free(struct memory *memory);

/* Zeroed, aligned for everything, valid until memory_free. */
void *memory_allocate(struct memory *memory, size_t size);

/* A copy of `length` bytes with a '\0' behind them. */
char *memory_copy(struct memory *memory, const char *bytes, size_t length);

/* What printf would write. */
char *memory_print(struct memory *memory, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
