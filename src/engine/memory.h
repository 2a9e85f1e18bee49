/*
 * memory.h: memory from mmap, and reading the process's memory at an address that may be bad.
 */
#ifndef ENGINE_MEMORY_H
#define ENGINE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Zeroed pages; NULL: none left. They are charged when touched. errno is kept. */
void *memory_map(size_t size);
void memory_unmap(void *memory, size_t size);

/* Something to read the process's memory with, for all threads. */
struct memory_reader {
    pid_t pid;    /* of this process, as itself knows it */
    bool refused; /* atomic: process_vm_readv is forbidden here */
};
void memory_reader_open(struct memory_reader *reader);

/* Copies `size` bytes; false when one of them cannot be read. errno is not kept. */
bool memory_read(struct memory_reader *reader, void *to, uint64_t address, size_t size);

/* Copies a text up to its '\0', at most `most` bytes, and sets its length; a '\0' is put behind it. False as
 * above. */
bool memory_read_text(struct memory_reader *reader, char *to, uint64_t address, size_t most, size_t *length);

/* Writes `size` bytes at an address of the process; false when one of them cannot be written (those before it
 * may have been). errno is not kept. */
bool memory_write(struct memory_reader *reader, const void *from, uint64_t address, size_t size);

#endif
