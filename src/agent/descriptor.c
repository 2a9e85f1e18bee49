/*
 * descriptor.c: descriptors that are looked at before each use, and a table of descriptors for one thread.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* syscall */
#endif
#include "descriptor.h"

#include <sys/stat.h>
#include <unistd.h>
#if defined __linux__
#    include <sys/syscall.h>
#endif

struct descriptor descriptor_of(int fd) {
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0)
        return DESCRIPTOR_NONE;
    return (struct descriptor){.fd = fd, .device = status.st_dev, .inode = status.st_ino};
}

bool descriptor_is_ours(const struct descriptor *descriptor) {
    struct stat status;
    return descriptor->fd >= 0 && fstat(descriptor->fd, &status) == 0 &&
           status.st_dev == descriptor->device && status.st_ino == descriptor->inode;
}

void descriptor_close(struct descriptor *descriptor) {
    if (descriptor_is_ours(descriptor))
        close(descriptor->fd);
    descriptor->fd = -1;
}

bool descriptors_separate(const int *kept, int count) {
#if defined __linux__
    enum { SYSCALL_CLOSE_RANGE = 436, UNSHARE = 2 }; /* unknown to older headers; one number everywhere */
    unsigned first = 0, flags = UNSHARE;
    for (int i = 0; i <= count; i++) {
        unsigned last = i < count ? (unsigned)kept[i] - 1 : ~0U;
        if (i < count && (unsigned)kept[i] == first) {
            first++;
            continue;
        }
        if (syscall(SYSCALL_CLOSE_RANGE, first, last, flags) != 0)
            return false;
        flags = 0;
        first = last + 2;
    }
    return true;
#else
    (void)kept, (void)count;
    return false;
#endif
}
