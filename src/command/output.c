/*
 * Writes into a temporary file beside the one that is wanted, and renames it.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "output.h"

#include "command.h"
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where a file is, and where it is made. */
struct place {
    char path[PATH_MAX];   /* behind symbolic links, so that they stay */
    char folder[PATH_MAX]; /* that it is in */
    mode_t mode;           /* that of an older file, else what the umask leaves */
    bool direct;           /* no regular file: written into */
};

static bool fail(const char *path) {
    command_error("cannot write %s: %s", path, strerror(errno));
    return false;
}

static bool find_place(const char *given, struct place *place) {
    struct stat found;
    bool exists = stat(given, &found) == 0;
    if (!exists && errno != ENOENT) {
        return fail(given);
    }
    if (exists && S_ISDIR(found.st_mode)) {
        errno = EISDIR;
        return fail(given);
    }
    place->direct = exists && !S_ISREG(found.st_mode);
    if (place->direct || !exists || realpath(given, place->path) == NULL) {
        snprintf(place->path, sizeof place->path, "%s", given);
    }
    mode_t mask = umask(0);
    umask(mask);
    place->mode = exists ? found.st_mode & 07777 : 0666 & ~mask;
    const char *slash = strrchr(place->path, '/');
    int length = slash == NULL ? 1 : slash == place->path ? 1 : (int)(slash - place->path);
    snprintf(place->folder, sizeof place->folder, "%.*s", length, slash == NULL ? "." : place->path);
    return true;
}

bool output_check(const char *path) {
    struct place place;
    if (!find_place(path, &place)) {
        return false;
    }
    return access(place.direct ? place.path : place.folder, W_OK) == 0 || fail(path);
}

/* A reader who does not read is waited for only until a signal has come. */
static bool write_all(int fd, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written >= 0) {
            bytes += written;
            length -= (size_t)written;
        } else if (errno != EINTR || signals_impatient()) {
            return false;
        }
    }
    return true;
}

static bool write_direct(const struct place *place, const char *bytes, size_t length) {
    int fd = open(place->path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool done = write_all(fd, bytes, length);
    int reason = errno;
    done = close(fd) == 0 && done;
    errno = done ? 0 : reason;
    return done;
}

static bool write_renamed(const struct place *place, const char *bytes, size_t length) {
    char name[PATH_MAX + 32];
    snprintf(name, sizeof name, "%s/.catprobe-XXXXXX", place->folder);
    int fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool done = write_all(fd, bytes, length) && fchmod(fd, place->mode) == 0;
    int reason = errno;
    if (close(fd) != 0 && done) { /* some disks tell only now that they are full */
        done = false;
        reason = errno;
    }
    if (done && rename(name, place->path) != 0) {
        done = false;
        reason = errno;
    }
    if (!done) {
        unlink(name);
        errno = reason;
    }
    return done;
}

bool output_write(const char *path, const char *bytes, size_t length) {
    struct place place;
    if (!find_place(path, &place)) {
        return false;
    }
    return (place.direct ? write_direct : write_renamed)(&place, bytes, length) || fail(path);
}
