/*
 * Finds the processes that can be traced. Who a process is, is taken from the kernel's credentials of its
 * socket and from /proc, never from what it says; the name of the socket must agree with them.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "targets.h"

#include "command.h"
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ANSWER_MILLISECONDS = 1000, /* for all targets together */
    FOLDERS_MAX = 1024
};

/* Where users other than the own have their folders; for root. */
static const char *const foreign_folders[] = {"/run/user/*/catprobe", "/tmp/catprobe-*",
                                              "/dev/shm/catprobe-*"};

struct search {
    pid_t only; /* look at sockets of this pid alone, 0: at all */
    size_t room;
    struct targets *targets;
    size_t folder_count;
    struct {
        dev_t device;
        ino_t inode;
    } folders[FOLDERS_MAX]; /* seen already: two ways may lead to one */
};

/* errno of a look that failed since this process has no more descriptors, for the last search. */
static int lack;

static void note_lack(int reason) {
    if (reason == EMFILE || reason == ENFILE) {
        lack = reason;
    }
}

/* Nothing can be said of processes if it was not possible to look. */
static bool explain_lack(void) {
    if (lack != 0) {
        command_error("cannot look for processes: %s; raise ulimit -n", strerror(lack));
    }
    return lack != 0;
}

static bool seen_before(struct search *search, int folder) {
    struct stat found;
    if (fstat(folder, &found) < 0 || search->folder_count == FOLDERS_MAX) {
        return true;
    }
    for (size_t i = 0; i < search->folder_count; i++) {
        if (search->folders[i].device == found.st_dev && search->folders[i].inode == found.st_ino) {
            return true;
        }
    }
    search->folders[search->folder_count].device = found.st_dev;
    search->folders[search->folder_count++].inode = found.st_ino;
    return false;
}

static void add_target(struct search *search, const char *folder, const char *name) {
    struct targets *targets = search->targets;
    if (targets->count == search->room) {
        size_t room = search->room == 0 ? 16 : search->room * 2;
        struct target *items = realloc(targets->items, room * sizeof *items);
        if (items == NULL) {
            return;
        }
        targets->items = items;
        search->room = room;
    }
    struct target *target = &targets->items[targets->count];
    int length = snprintf(target->path, sizeof target->path, "%s/%s", folder, name);
    if (length > 0 && (size_t)length < sizeof target->path) {
        targets->count++;
    }
}

static void look_into(struct search *search, const char *path, uid_t owner) {
    char error[CONTROL_ERROR_MAX];
    int folder = control_folder_open(path, owner, error, sizeof error);
    if (folder < 0) {
        note_lack(errno);
        return;
    }
    DIR *directory;
    if (seen_before(search, folder) || (directory = fdopendir(folder)) == NULL) {
        close(folder);
        return;
    }
    if (owner == geteuid()) {
        control_sweep(folder, path);
    }
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        pid_t pid;
        unsigned long long start;
        if (control_name_parse(entry->d_name, &pid, &start) && (search->only == 0 || search->only == pid)) {
            add_target(search, path, entry->d_name);
        }
    }
    closedir(directory);
}

/* Calls `look` for each folder that there may be, with the user whose it must be. */
static void each_folder(void (*look)(struct search *search, const char *path, uid_t owner),
                        struct search *search) {
    uid_t mine = geteuid();
    char path[CONTROL_PATH_MAX];
    struct stat found;
    for (int which = 0; which < CONTROL_FOLDERS; which++) {
        if (control_folder(which, mine, path)) {
            /* $CATPROBE_DIR and $XDG_RUNTIME_DIR of root may be those of the user who called sudo. */
            look(search, path, mine == 0 && lstat(path, &found) == 0 ? found.st_uid : mine);
        }
    }
    for (size_t i = 0; mine == 0 && i < sizeof foreign_folders / sizeof foreign_folders[0]; i++) {
        glob_t matches;
        if (glob(foreign_folders[i], GLOB_NOSORT, NULL, &matches) == 0) {
            for (size_t k = 0; k < matches.gl_pathc; k++) {
                if (lstat(matches.gl_pathv[k], &found) == 0) {
                    look(search, matches.gl_pathv[k], found.st_uid);
                }
            }
            globfree(&matches);
        }
    }
}

#if defined(__linux__)
/* Where the folders are as a process in another mount namespace sees them: below /proc/PID/root. */
static const char *const inner_folders[] = {"/run/user/*/catprobe", "/tmp/catprobe-*", "/dev/shm/catprobe-*"};
static const char *const inner_variables[] = {"CATPROBE_DIR=", "XDG_RUNTIME_DIR="};

static void look_into_matches(struct search *search, const char *pattern) {
    glob_t matches;
    struct stat found;
    if (glob(pattern, GLOB_NOSORT, NULL, &matches) != 0) {
        return;
    }
    for (size_t i = 0; i < matches.gl_pathc; i++) {
        /* It may be the process of an unmapped user; what it says is checked anyway. */
        if (lstat(matches.gl_pathv[i], &found) == 0 && (geteuid() == 0 || found.st_uid == geteuid())) {
            look_into(search, matches.gl_pathv[i], found.st_uid);
        }
    }
    globfree(&matches);
}

static void look_into_process(struct search *search, pid_t pid) {
    char path[CONTROL_PATH_MAX];
    size_t length;
    for (size_t i = 0; i < sizeof inner_folders / sizeof inner_folders[0]; i++) {
        snprintf(path, sizeof path, "/proc/%ld/root%s", (long)pid, inner_folders[i]);
        look_into_matches(search, path);
    }
    char *environment = process_read(pid, "environ", &length);
    for (char *entry = environment; entry != NULL && entry < environment + length;
         entry += strlen(entry) + 1) {
        for (size_t i = 0; i < sizeof inner_variables / sizeof inner_variables[0]; i++) {
            size_t name = strlen(inner_variables[i]);
            if (strncmp(entry, inner_variables[i], name) == 0 && entry[name] == '/' &&
                strpbrk(entry, "*?[\\") == NULL) {
                snprintf(path, sizeof path, "/proc/%ld/root%s%s", (long)pid, entry + name,
                         i == 0 ? "" : "/catprobe");
                look_into_matches(search, path);
            }
        }
    }
    free(environment);
}

static bool mount_namespace(const char *pid, char *name, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%.20s/ns/mnt", pid);
    ssize_t length = readlink(path, name, size - 1);
    name[length > 0 ? length : 0] = '\0';
    return length > 0;
}

/* Looks into the folders of processes in containers: those with other mounts than ours. */
static void look_into_containers(struct search *search) {
    char mine[64];
    DIR *proc = mount_namespace("self", mine, sizeof mine) ? opendir("/proc") : NULL;
    struct dirent *entry;
    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        char other[64];
        bool is_process = entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
        if (is_process && mount_namespace(entry->d_name, other, sizeof other) && strcmp(mine, other) != 0) {
            look_into_process(search, (pid_t)strtol(entry->d_name, NULL, 10));
        }
    }
    if (proc != NULL) {
        closedir(proc);
    }
}
#else
static void look_into_containers(struct search *search) {
    (void)search;
}
#endif

static uint64_t folders_seen; /* a sum over all folders, which changes when something in one of them does */

static void add_to_sum(struct search *search, const char *path, uid_t owner) {
    struct stat found;
    (void)search;
    (void)owner;
    if (lstat(path, &found) == 0) {
        folders_seen += (uint64_t)found.st_ino * 31 + (uint64_t)found.st_mtime * 1000000007;
#if defined(__linux__)
        folders_seen += (uint64_t)found.st_mtim.tv_nsec;
#endif
    }
}

bool targets_changed(void) {
    enum { CALLS_AFTERWARDS = 4 };
    static uint64_t before;
    static int told;
    folders_seen = 1;
    each_folder(add_to_sum, NULL);
    if (folders_seen != before) {
        before = folders_seen;
        told = CALLS_AFTERWARDS;
    }
    return told > 0 && told-- > 0;
}

/*
 * Settles who a target is: the process that listens, as seen from here, if it started when the socket's name
 * says. The name alone tells where the kernel does not: when its queue is full, and when it runs in another
 * pid namespace, whose folder we share; then its pid is the one that it sees itself.
 */
static bool settle(struct target *target) {
    pid_t pid;
    unsigned long long wanted;
    unsigned long long start;
    if (target->outcome == QUERY_ABSENT ||
        !control_name_parse(strrchr(target->path, '/') + 1, &pid, &wanted)) {
        return false;
    }
    if (target->pid == 0 && target->outcome == QUERY_ANSWERED) {
        target->pid = pid;
        return true;
    }
    if (target->pid == 0) {
        target->pid = pid;
        process_user(pid, &target->uid);
    }
    if (target->pid == getpid()) {
        return false;
    }
    return control_start_time(target->pid, &start) ? start == wanted : wanted == 0;
}

static int by_pid(const void *one, const void *other) {
    const struct target *a = one;
    const struct target *b = other;
    if (a->pid != b->pid) {
        return a->pid < b->pid ? -1 : 1;
    }
    return (int)a->outcome - (int)b->outcome; /* the one that answers first */
}

static void find(struct targets *targets, pid_t only) {
    struct search *search = command_allocate(1, sizeof *search);
    targets->count = 0;
    targets->items = NULL;
    search->targets = targets;
    search->only = only;
    lack = 0;
    each_folder(look_into, search);
    if (only == 0) {
        look_into_containers(search);
    }
    free(search);

    query_status(targets->items, targets->count, ANSWER_MILLISECONDS);
    size_t kept = 0;
    for (size_t i = 0; i < targets->count; i++) {
        if (settle(&targets->items[i])) {
            if (kept != i) {
                targets->items[kept] = targets->items[i];
            }
            kept++;
        }
    }
    if (kept > 0) {
        qsort(targets->items, kept, sizeof targets->items[0], by_pid);
    }
    targets->count = kept > 0;
    for (size_t i = 1; i < kept; i++) {
        if (targets->items[i].pid != targets->items[targets->count - 1].pid) {
            targets->items[targets->count++] = targets->items[i];
        }
    }
}

void targets_find(struct targets *targets) {
    find(targets, 0);
}

void targets_free(struct targets *targets) {
    free(targets->items);
    targets->items = NULL;
    targets->count = 0;
}

int targets_none(void) {
    return explain_lack() ? STATUS_FAILED
                          : command_error("no process%s can be traced: `import catprobe` in the program, or "
                                          "start it with `catprobe run`",
                                          geteuid() == 0 ? "" : " of yours");
}

bool targets_has(pid_t pid) {
    struct targets targets;
    bool has = false;
    find(&targets, pid);
    for (size_t i = 0; i < targets.count; i++) {
        has = has || targets.items[i].pid == pid;
    }
    targets_free(&targets);
    return has;
}

void targets_explain_absence(pid_t pid) {
    uid_t owner;
    uid_t mine = geteuid();
    char user[64];
    char command[64];
    if (!process_exists(pid)) {
        command_error("there is no process %ld: `catprobe ps` lists those that can be traced", (long)pid);
        return;
    }
    if (explain_lack()) {
        return;
    }
    if (!process_lives(pid)) {
        command_error("process %ld has ended, and only waits for its parent to hear of it", (long)pid);
        return;
    }
    process_command(pid, command, sizeof command);
    bool known = process_user(pid, &owner);
    if (mine != 0 && (!known || owner != mine)) {
        if (known) {
            user_name(owner, user, sizeof user);
        } else {
            snprintf(user, sizeof user, "another user");
        }
        command_error("process %ld (%s) belongs to %s: run catprobe as that user, or with sudo", (long)pid,
                      command, user);
    } else if (process_has_extension(pid)) {
        command_error("process %ld (%s) has catprobe inside, but no control socket to be found: "
                      "CATPROBE_DISABLE is set "
                      "there, or the same CATPROBE_DIR must be set there and here",
                      (long)pid, command);
    } else {
        command_error(
            "process %ld (%s) cannot be traced: `import catprobe` in it, or start it with `catprobe run`",
            (long)pid, command);
    }
}

/* It may have started a moment ago. If the agent is there, for longer: it waits for its turn on a busy
 * machine, or is back soon after a fork(). */
static bool may_answer_yet(pid_t pid, int attempt) {
    enum { ATTEMPTS = 30, WITH_AGENT = 200 };
    return process_lives(pid) && (attempt < ATTEMPTS || (attempt < WITH_AGENT && process_has_extension(pid)));
}

const struct target *targets_find_pid(struct targets *targets, pid_t pid) {
    enum { BETWEEN_MILLISECONDS = 10 };
    /* Those with this pid in their name first, as one of the others might be slow to answer; then all, as a
     * process in a container has another pid there; then again. */
    for (int attempt = 0; attempt == 0 || may_answer_yet(pid, attempt); attempt++) {
        if (attempt > 1) {
            poll(NULL, 0, BETWEEN_MILLISECONDS);
        }
        find(targets, attempt == 1 ? 0 : pid);
        for (size_t i = 0; i < targets->count; i++) {
            const struct target *target = &targets->items[i];
            if (target->pid != pid || (target->unanswered && may_answer_yet(pid, attempt + 1))) {
                continue;
            }
            if (target->outcome == QUERY_ANSWERED) {
                return target;
            }
            command_error("process %ld: %s", (long)pid, target->error);
            return NULL;
        }
        targets_free(targets);
    }
    targets_explain_absence(pid);
    return NULL;
}
