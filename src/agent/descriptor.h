/*
 * descriptor.h: file descriptors that the program may close, and then reuse, behind our back, where threads
 * cannot have tables of their own: each is known by device and inode, and looked at before each use. Any
 * thread, also in a child that fork() has just made.
 */
#ifndef CATPROBE_DESCRIPTOR_H
#define CATPROBE_DESCRIPTOR_H

#include <stdbool.h>
#include <sys/types.h>

struct descriptor {
    int fd; /* -1: none */
    dev_t device;
    ino_t inode;
};

#define DESCRIPTOR_NONE ((struct descriptor){.fd = -1})

/* Of an open fd; none for -1. */
struct descriptor descriptor_of(int fd);

/* Is it still what it was? */
bool descriptor_is_ours(const struct descriptor *descriptor);

/* Closes it if it is; it is none then. */
void descriptor_close(struct descriptor *descriptor);

/* From here on the calling thread's descriptors are not the program's: neither sees, closes or reuses the
   other's. The thread keeps `count` of them, in ascending order. False: the system has no such thing (before
   Linux 5.9). */
bool descriptors_separate(const int *kept, int count);

#endif
