/*
 * copy.h: copies of the process's own memory, of which any may be bad: what cannot be read ends the copy and
 * does no harm. Many pieces are copied by one system call, one behind the other.
 */
#ifndef SAMPLER_COPY_H
#define SAMPLER_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct copier {
    unsigned char *memory; /* where copies come to lie */
    size_t size;           /* of it */
    int file; /* a memory file that `memory` is a mapping of, or -1: copied by process_vm_readv */
    pid_t pid;
};

/* `own_descriptors`: the thread may keep a descriptor, as nobody else sees it. False: out of memory. */
bool copier_open(struct copier *copier, size_t size, bool own_descriptors);
void copier_close(struct copier *copier);

/* Copies the pieces, at most COPY_PIECES of them, to copier->memory + at. Returns how many bytes could be
   copied, from the first piece on. */
enum {
    COPY_PIECES = 1024,
    COPY_SPARE = 64 * 1024, /* bytes at the end of the memory, which copier_read and codes_check use */
};
size_t copier_gather(struct copier *copier, size_t at, const struct iovec *pieces, int count);

/* Pieces for one gathering, and where the next one's copy comes to lie. */
struct pieces {
    struct iovec pieces[COPY_PIECES];
    int count;
    size_t at;
};

/* There must be room. Returns where its copy comes to lie. */
static inline size_t pieces_add(struct pieces *pieces, uintptr_t address, size_t size) {
    size_t at = pieces->at;
    pieces->pieces[pieces->count++] = (struct iovec){(void *)address, size};
    pieces->at += size;
    return at;
}

/* One piece, all of it or false; to any place. */
bool copier_read(struct copier *copier, void *to, uintptr_t address, size_t size);

#endif
