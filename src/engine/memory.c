/*
 * memory.c: see memory.h.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "memory.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MAP_NORESERVE
#    define MAP_NORESERVE 0
#endif

void *memory_map(size_t size) {
    int saved_errno = errno;
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
#ifdef MADV_DONTFORK
    if (memory != MAP_FAILED)
        madvise(memory, size, MADV_DONTFORK); /* a child has no arena either, so it could only keep this */
#endif
    errno = saved_errno;
    return memory == MAP_FAILED ? NULL : memory;
}

void memory_unmap(void *memory, size_t size) {
    if (memory)
        munmap(memory, size);
}

void memory_reader_open(struct memory_reader *reader) {
    reader->pid = getpid();
    reader->refused = false;
}

/* A write fails, and does not crash, when it cannot read what it shall write. The descriptors are made for
   each reading: the program might close any that we kept, and get its number for a file of its own. */
#ifdef __linux__
static bool open_ends(int ends[2]) {
    ends[0] = ends[1] = memfd_create("catprobe-read", MFD_CLOEXEC);
    return ends[0] >= 0;
}

static bool pass(const int ends[2], const void *from, void *to, size_t size) {
    return pwrite(ends[1], from, size, 0) == (ssize_t)size && pread(ends[0], to, size, 0) == (ssize_t)size;
}
#else
static bool open_ends(int ends[2]) {
    return pipe(ends) == 0;
}

static bool pass(const int ends[2], const void *from, void *to, size_t size) {
    return write(ends[1], from, size) == (ssize_t)size && read(ends[0], to, size) == (ssize_t)size;
}
#endif

static bool copy_by_file(char *to, const char *from, size_t size) {
    enum { PIECE = 512 }; /* what any pipe holds */
    int ends[2];
    if (!open_ends(ends))
        return false;
    bool good = true;
    for (size_t at = 0; at < size && good; at += PIECE) {
        size_t piece = size - at < PIECE ? size - at : PIECE;
        good = pass(ends, from + at, to + at, piece);
    }
    close(ends[0]);
    if (ends[1] != ends[0])
        close(ends[1]);
    return good;
}

#ifdef __linux__
typedef ssize_t copy_memory(pid_t pid, const struct iovec *local, unsigned long locals,
                            const struct iovec *remote, unsigned long remotes, unsigned long flags);
#endif

/* Copies by the kernel's call for it; else, where that is forbidden or not there, through a file. */
static bool copy_guarded(struct memory_reader *reader, void *own, uint64_t address, size_t size,
                         bool writes) {
    if (!size)
        return true;
    if (address + size < address)
        return false;
    void *there = (void *)(uintptr_t)address;
#ifdef __linux__
    struct iovec local = {own, size}, remote = {there, size};
    copy_memory *copy = writes ? process_vm_writev : process_vm_readv;
    if (!__atomic_load_n(&reader->refused, __ATOMIC_RELAXED)) {
        ssize_t got = copy(reader->pid, &local, 1, &remote, 1, 0);
        if (got == (ssize_t)size)
            return true;
        if (got >= 0 || errno == EFAULT)
            return false;
        __atomic_store_n(&reader->refused, true, __ATOMIC_RELAXED);
    }
#else
    (void)reader;
#endif
    return writes ? copy_by_file(there, own, size) : copy_by_file(own, there, size);
}

bool memory_read(struct memory_reader *reader, void *to, uint64_t address, size_t size) {
    return copy_guarded(reader, to, address, size, false);
}

bool memory_write(struct memory_reader *reader, const void *from, uint64_t address, size_t size) {
    return copy_guarded(reader, (void *)(uintptr_t)from, address, size, true); /* which is only read */
}

bool memory_read_text(struct memory_reader *reader, char *to, uint64_t address, size_t most, size_t *length) {
    enum { PAGE = 4096, FIRST = 256 };
    size_t done = 0;
    while (done < most) {
        /* Not beyond the page, for the next may not be there. */
        size_t piece = PAGE - (address + done) % PAGE;
        if (piece > most - done)
            piece = most - done;
        if (piece > FIRST && !done)
            piece = FIRST;
        if (!memory_read(reader, to + done, address + done, piece))
            return false;
        const char *end = memchr(to + done, '\0', piece);
        if (end) {
            *length = (size_t)(end - to);
            return true;
        }
        done += piece;
    }
    to[done] = '\0';
    *length = done;
    return true;
}
