/*
 * What the system tells about any process and user: /proc where there is one, and the user database.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* fgetpwent */
#endif
#include "process.h"

#include "../agent/control.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_MAX = 1 << 20 }; /* bytes of a file in /proc */

static FILE *open_proc(pid_t pid, const char *file) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, file);
    return fopen(path, "re");
}

bool process_exists(pid_t pid) {
    return kill(pid, 0) == 0 || errno != ESRCH;
}

bool process_lives(pid_t pid) {
    char path[64];
    char program[8];
    snprintf(path, sizeof path, "/proc/%ld", (long)pid);
    bool is_listed = access(path, F_OK) == 0;
    snprintf(path, sizeof path, "/proc/%ld/exe", (long)pid);
    /* It has no program any more from before its descriptors are closed. */
    bool is_over = is_listed && readlink(path, program, sizeof program) < 0 && errno == ENOENT;
    return process_exists(pid) && !is_over;
}

bool process_user(pid_t pid, uid_t *uid) {
    char path[64];
    struct stat found;
    snprintf(path, sizeof path, "/proc/%ld", (long)pid);
    if (stat(path, &found) != 0) {
        return false;
    }
    *uid = found.st_uid;
    return true;
}

void process_command(pid_t pid, char *text, size_t size) {
    size_t length = 0;
    FILE *file = open_proc(pid, "cmdline");
    if (file != NULL) {
        length = fread(text, 1, size - 1, file);
        fclose(file);
    }
    while (length > 0 && text[length - 1] == '\0') {
        length--;
    }
    for (size_t at = 0; at < length; at++) {
        if (text[at] == '\0') {
            text[at] = ' ';
        }
    }
    if (length == 0) {
        char name[PROCESS_NAME_MAX];
        process_name(pid, name, sizeof name);
        length = (size_t)snprintf(text, size, strcmp(name, "-") == 0 ? "%s" : "[%s]", name);
    }
    text[length] = '\0';
    control_clean(text, length);
}

void process_name(pid_t pid, char *text, size_t size) {
    size_t length = 0;
    FILE *file = open_proc(pid, "comm");
    if (file != NULL) {
        length = fread(text, 1, size - 1, file);
        fclose(file);
    }
    text[length] = '\0';
    length = strcspn(text, "\n");
    if (length == 0) {
        length = (size_t)snprintf(text, size, "-");
    }
    text[length] = '\0';
    control_clean(text, length);
}

char *process_read(pid_t pid, const char *name, size_t *length) {
    FILE *file = open_proc(pid, name);
    char *text = NULL;
    size_t room = 0;
    size_t got = 0;
    *length = 0;
    do {
        room = room == 0 ? 4096 : room * 2;
        char *larger = file == NULL ? NULL : realloc(text, room + 1);
        if (larger == NULL) {
            break;
        }
        text = larger;
        got = fread(text + *length, 1, room - *length, file);
        *length += got;
        text[*length] = '\0';
    } while (*length == room && room < READ_MAX);
    if (file != NULL) {
        fclose(file);
    }
    return text;
}

long process_status(pid_t pid, const char *key) {
    FILE *file = open_proc(pid, "status");
    char *line = NULL;
    size_t room = 0;
    size_t length = strlen(key);
    long number = 0;
    while (file != NULL && getline(&line, &room, file) > 0) {
        if (strncmp(line, key, length) == 0 && line[length] == ':') {
            number = strtol(line + length + 1, NULL, 10);
            break;
        }
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
    return number;
}

bool process_mapping(pid_t pid, const char *name, char *path, size_t size) {
    FILE *file = open_proc(pid, "maps");
    char *line = NULL;
    size_t room = 0;
    size_t length = strlen(name);
    bool found = false;
    while (!found && length > 0 && file != NULL && getline(&line, &room, file) > 0) {
        unsigned long start;
        unsigned long end;
        const char *mapped = strrchr(line, '/');
        found = mapped != NULL && strncmp(mapped + 1, name, length) == 0 &&
                (mapped[length + 1] == '\n' || mapped[length + 1] == ' ') && /* " (deleted)" */
                sscanf(line, "%lx-%lx", &start, &end) == 2;
        if (found) {
            snprintf(path, size, "/proc/%ld/map_files/%lx-%lx", (long)pid, start, end);
        }
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

bool process_has_extension(pid_t pid) {
    FILE *file = open_proc(pid, "maps");
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    while (!found && file != NULL && getline(&line, &room, file) > 0) {
        found = strstr(line, "/_catprobe.") != NULL;
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

static bool is_executable(const char *path) {
    struct stat found;
    return stat(path, &found) == 0 && S_ISREG(found.st_mode) && access(path, X_OK) == 0;
}

bool program_found(const char *program) {
    if (strchr(program, '/') != NULL) {
        return is_executable(program);
    }
    const char *folder = getenv("PATH");
    while (folder != NULL) {
        char path[CONTROL_PATH_MAX];
        size_t length = strcspn(folder, ":");
        int written =
            snprintf(path, sizeof path, "%.*s%s%s", (int)length, folder, length == 0 ? "" : "/", program);
        if (written > 0 && (size_t)written < sizeof path && is_executable(path)) {
            return true;
        }
        folder = folder[length] == '\0' ? NULL : folder + length + 1;
    }
    return false;
}

void user_name(uid_t uid, char *name, size_t size) {
    struct passwd *user = NULL;
#ifdef CATPROBE_STATIC
    /* getpwuid() would load the shared libraries of the system's user databases. */
    FILE *file = fopen("/etc/passwd", "re");
    while (file != NULL && (user = fgetpwent(file)) != NULL && user->pw_uid != uid) {
    }
#else
    user = getpwuid(uid);
#endif
    if (user != NULL) {
        snprintf(name, size, "%s", user->pw_name);
    } else {
        snprintf(name, size, "%lu", (unsigned long)uid);
    }
#ifdef CATPROBE_STATIC
    if (file != NULL) {
        fclose(file);
    }
#endif
}

/* Of the two versions of control groups: the controllers that a line names, where they lie, the file. */
static const struct {
    const char *controllers, *folder, *file;
} memory_groups[] = {
    {"", "", "memory.max"},
    {"memory", "/memory", "memory.limit_in_bytes"},
};

static unsigned long long read_limit(const char *folder, const char *file) {
    char path[1200], text[32] = "";
    snprintf(path, sizeof path, "%s/%s", folder, file);
    FILE *stream = fopen(path, "re");
    if (stream == NULL) {
        return 0;
    }
    size_t length = fread(text, 1, sizeof text - 1, stream);
    fclose(stream);
    text[length] = '\0';
    unsigned long long limit = strtoull(text, NULL, 10); /* "max" is 0 */
    return limit < 1ULL << 60 ? limit : 0;
}

/* The least limit of a group and of those above it. Where the group is not to be seen, as its name is that of
   another namespace, the uppermost is what we have. */
static unsigned long long least_limit(char *folder, size_t uppermost, const char *file) {
    unsigned long long least = 0;
    for (;;) {
        unsigned long long limit = read_limit(folder, file);
        if (limit > 0 && (least == 0 || limit < least)) {
            least = limit;
        }
        char *slash = strrchr(folder, '/');
        if (slash == NULL || (size_t)(slash - folder) < uppermost) {
            return least;
        }
        *slash = '\0';
    }
}

unsigned long long memory_limit(const char *groups, const char *mount) {
    unsigned long long least = 0;
    for (const char *line = groups; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
        int length = (int)strcspn(line, "\n");
        const char *controllers = memchr(line, ':', (size_t)length);
        const char *group = controllers == NULL
                                ? NULL
                                : memchr(controllers + 1, ':', (size_t)(line + length - controllers - 1));
        if (group == NULL) {
            continue;
        }
        controllers++;
        for (size_t i = 0; i < sizeof memory_groups / sizeof memory_groups[0]; i++) {
            if (strlen(memory_groups[i].controllers) != (size_t)(group - controllers) ||
                strncmp(memory_groups[i].controllers, controllers, (size_t)(group - controllers)) != 0) {
                continue;
            }
            char folder[1024];
            int uppermost = snprintf(folder, sizeof folder, "%s%s", mount, memory_groups[i].folder);
            snprintf(folder + uppermost, sizeof folder - (size_t)uppermost, "%.*s",
                     length - (int)(group + 1 - line), group + 1);
            unsigned long long limit = least_limit(folder, (size_t)uppermost, memory_groups[i].file);
            least = limit > 0 && (least == 0 || limit < least) ? limit : least;
        }
    }
    return least;
}

unsigned long long process_memory_limit(pid_t pid) {
    size_t length;
    char *groups = process_read(pid, "cgroup", &length);
    unsigned long long limit = groups == NULL ? 0 : memory_limit(groups, "/sys/fs/cgroup");
    free(groups);
    return limit;
}
