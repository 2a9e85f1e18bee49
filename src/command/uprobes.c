/*
 * Takes apart what the kernel tells of uprobes. Where it tells less, older kernels among them, less is found.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "uprobes.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Lines of the fdinfo of a BPF link. */
static void take_path(struct uprobe *uprobe, const char *value) {
    snprintf(uprobe->path, sizeof uprobe->path, "%s", value);
}

static void take_pid(struct uprobe *uprobe, const char *value) {
    uprobe->only = (pid_t)strtol(value, NULL, 10);
}

static void take_offset(struct uprobe *uprobe, const char *value) {
    uprobe->offset = strtoull(value, NULL, 0);
}

/* A link of many uprobes has a table of them behind its path, a link of a perf event one in lines of its own.
 */
static const struct fdinfo_key {
    const char *key;
    void (*take)(struct uprobe *uprobe, const char *value);
} fdinfo_keys[] = {{"path", take_path}, {"name", take_path}, {"pid", take_pid}, {"offset", take_offset}};

void uprobes_in_link(char *fdinfo, void (*seen)(void *context, const struct uprobe *uprobe), void *context) {
    struct uprobe uprobe = {.path = ""};
    bool table = false;
    char *rest;
    for (char *line = strtok_r(fdinfo, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        unsigned long long cookie;
        if (table && sscanf(line, "%llu %llx", &cookie, &uprobe.offset) == 2) {
            seen(context, &uprobe);
            continue;
        }
        table = strncmp(line, "cookie\t", 7) == 0 && uprobe.path[0] == '/';
        for (size_t i = 0; i < sizeof fdinfo_keys / sizeof fdinfo_keys[0]; i++) {
            size_t length = strlen(fdinfo_keys[i].key);
            if (strncmp(line, fdinfo_keys[i].key, length) == 0 && strncmp(line + length, ":\t", 2) == 0) {
                fdinfo_keys[i].take(&uprobe, line + length + 2);
            }
        }
        if (strcmp(line, "event_type:\tuprobe") == 0 && uprobe.path[0] == '/') {
            seen(context, &uprobe);
        }
    }
}

#if defined __linux__ && defined SYS_bpf

/* As in <linux/bpf.h>, of which the one that is installed may be older than the kernel. */
enum { TASK_FD_QUERY = 20, FD_TYPE_UPROBE = 4 };
struct task_fd_query {
    uint32_t pid, fd, flags, length;
    uint64_t text;
    uint32_t program, type;
    uint64_t offset, address;
};

enum event_kind uprobe_of_event(pid_t pid, int fd, struct uprobe *uprobe) {
    struct task_fd_query query = {.pid = (uint32_t)pid,
                                  .fd = (uint32_t)fd,
                                  .length = sizeof uprobe->path,
                                  .text = (uint64_t)(uintptr_t)uprobe->path};
    uprobe->path[0] = '\0';
    uprobe->only = 0;
    if (syscall(SYS_bpf, TASK_FD_QUERY, &query, sizeof query) != 0) {
        return errno == ENOENT ? EVENT_UNTOLD : EVENT_UNRELATED;
    }
    uprobe->offset = query.offset;
    return query.type == FD_TYPE_UPROBE ? EVENT_UPROBE : EVENT_UNRELATED;
}

#else

enum event_kind uprobe_of_event(pid_t pid, int fd, struct uprobe *uprobe) {
    (void)pid, (void)fd, (void)uprobe;
    return EVENT_UNRELATED;
}

#endif

bool uprobe_in_tracefs(const char *line, char *name, size_t size, struct uprobe *uprobe) {
    char group[64];
    char event[64];
    if (sscanf(line, "p:%63[^/ ]/%63s %1023s", group, event, uprobe->path) != 3) {
        return false;
    }
    char *offset = strrchr(uprobe->path, ':');
    if (offset == NULL || strncmp(offset, ":0x", 3) != 0 || uprobe->path[0] != '/') {
        return false;
    }
    *offset = '\0';
    uprobe->offset = strtoull(offset + 1, NULL, 16);
    uprobe->only = 0;
    snprintf(name, size, "%s:%s", group, event);
    return true;
}
