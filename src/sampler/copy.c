/*
 * copy.c: see copy.h. A write to a memory file ends at the first byte that it cannot read; the file is
 * mapped, so that what was written needs not be read again.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "copy.h"

#include "engine/memory.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined __linux__
static bool map_file(struct copier *copier, size_t size) {
    copier->file = memfd_create("catprobe-copies", MFD_CLOEXEC);
    if (copier->file < 0)
        return false;
    void *memory = ftruncate(copier->file, (off_t)size) == 0
                       ? mmap(NULL, size, PROT_READ, MAP_SHARED, copier->file, 0)
                       : MAP_FAILED;
    if (memory != MAP_FAILED) {
        madvise(memory, size, MADV_DONTFORK);
        copier->memory = memory;
        return true;
    }
    close(copier->file);
    copier->file = -1;
    return false;
}
#endif

bool copier_open(struct copier *copier, size_t size, bool own_descriptors) {
    *copier = (struct copier){.size = size, .file = -1, .pid = getpid()};
#if defined __linux__
    if (own_descriptors && map_file(copier, size))
        return true;
#else
    (void)own_descriptors;
#endif
    copier->memory = memory_map(size);
    return copier->memory != NULL;
}

void copier_close(struct copier *copier) {
    memory_unmap(copier->memory, copier->size);
    copier->memory = NULL;
    if (copier->file >= 0)
        close(copier->file);
    copier->file = -1;
}

size_t copier_gather(struct copier *copier, size_t at, const struct iovec *pieces, int count) {
#if defined __linux__
    ssize_t got;
    if (copier->file >= 0) {
        got = pwritev(copier->file, pieces, count, (off_t)at);
    } else {
        struct iovec local = {copier->memory + at, copier->size - at};
        got = process_vm_readv(copier->pid, &local, 1, pieces, (unsigned long)count, 0);
    }
    return got < 0 ? 0 : (size_t)got;
#else
    (void)copier, (void)at, (void)pieces, (void)count;
    return 0;
#endif
}

bool copier_read(struct copier *copier, void *to, uintptr_t address, size_t size) {
    enum { PIECE = 4096 }; /* the end of the memory is for these */
    size_t at = copier->size - PIECE;
    for (size_t done = 0; done < size;) {
        size_t piece = size - done < PIECE ? size - done : PIECE;
        struct iovec from = {(void *)(address + done), piece};
        if (address + done < PIECE || copier_gather(copier, at, &from, 1) != piece)
            return false;
        memcpy((char *)to + done, copier->memory + at, piece);
        done += piece;
    }
    return true;
}
