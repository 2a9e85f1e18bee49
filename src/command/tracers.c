/*
 * Finds out who is attached to a target: looks which uprobes all processes hold, keeps those on the sites of
 * a target's library, and then asks for each target whether they are meant for it.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "tracers.h"

#include "../agent/notes.h"
#include "command.h"
#include "uprobes.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char provider[] = "python";

/* A build of the extension that a traced target has mapped. */
struct library {
    dev_t device;
    ino_t inode;
    char name[sizeof((struct target_status *)0)->module];
    size_t count;
    struct usdt_note notes[QUERY_PROBES_MAX];
};

/* A command line. */
struct words {
    char *text; /* each word ends with '\0'; owned; NULL: not known */
    size_t length;
};

/* A process that holds uprobes on a site of a library. */
struct tracer {
    pid_t pid; /* 0: the kernel itself */
    char name[PROCESS_NAME_MAX];
    struct words words;
};

struct hold {
    size_t tracer;
    size_t library;
    size_t note;
    pid_t only;   /* process that it is for; 0: all, or not known */
    bool by_name; /* its file is out of our reach and only has the library's name */
};

/* An event on a site that perf probe or its like has made in tracefs, for others to listen to. */
struct event {
    char name[136]; /* "group:event" */
    size_t library;
    size_t note;
};

struct list {
    size_t count, room;
    size_t size; /* of an item */
    void *items;
};

struct tracers {
    struct list libraries; /* struct library */
    struct list tracers;   /* struct tracer */
    struct list holds;     /* struct hold */
    struct list events;    /* struct event */
};

/* Room for one more item at the end, zeroed. */
static void *append(struct list *list) {
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 8 : list->room * 2;
        void *items = command_allocate(room, list->size);
        if (list->count > 0) {
            memcpy(items, list->items, list->count * list->size);
        }
        free(list->items);
        list->items = items;
        list->room = room;
    }
    return (char *)list->items + list->count++ * list->size;
}

/* ---- Command lines ---- */

static struct words words_of(pid_t pid) {
    struct words words;
    words.text = process_read(pid, "cmdline", &words.length);
    return words;
}

/* The word behind one of them, or the first, behind NULL. NULL at the end. */
static const char *next_word(const struct words *words, const char *word) {
    const char *next = word == NULL ? words->text : word + strlen(word) + 1;
    return next != NULL && next < words->text + words->length ? next : NULL;
}

/* ---- Libraries ---- */

static bool wanted(const struct target *target) {
    for (int i = 0; target->outcome == QUERY_ANSWERED && i < target->status.probe_count; i++) {
        if (target->status.probes[i].tracers > 0) {
            return true;
        }
    }
    return false;
}

/* The library of a target in the list, or NULL. `path` is where it is to be had. */
static struct library *library_of(const struct tracers *tracers, const struct target *target, char *path,
                                  size_t size, struct stat *found) {
    if (!process_mapping(target->pid, target->status.module, path, size) || stat(path, found) != 0) {
        found->st_ino = 0;
        return NULL;
    }
    struct library *libraries = tracers->libraries.items;
    for (size_t i = 0; i < tracers->libraries.count; i++) {
        if (libraries[i].device == found->st_dev && libraries[i].inode == found->st_ino) {
            return &libraries[i];
        }
    }
    return NULL;
}

static void add_library(struct tracers *tracers, const struct target *target) {
    char path[64];
    struct stat found;
    if (wanted(target) && library_of(tracers, target, path, sizeof path, &found) == NULL &&
        found.st_ino != 0) {
        struct library *library = append(&tracers->libraries);
        library->device = found.st_dev;
        library->inode = found.st_ino;
        snprintf(library->name, sizeof library->name, "%s", target->status.module);
        library->count = usdt_notes(path, provider, library->notes, QUERY_PROBES_MAX);
    }
}

/* ---- Holds ---- */

/* The process that is looked at, by whom its tracer is known once it turns out to be one. */
struct suspect {
    struct tracers *tracers;
    pid_t pid;          /* 0: the kernel itself */
    const char *name;   /* NULL: that of the process */
    bool listed;        /* the last of the tracers is this one */
    bool untold_events; /* it has perf events of which the kernel tells nothing */
};

/* Whether a path, as a process sees it or as we do, leads to a file, and to which. */
static bool find_file(pid_t pid, const char *path, struct stat *found) {
    char seen[CONTROL_PATH_MAX + 64];
    snprintf(seen, sizeof seen, "/proc/%ld/%s/%s", (long)pid, path[0] == '/' ? "root" : "cwd", path);
    return (pid != 0 && stat(seen, found) == 0) || stat(path, found) == 0;
}

static void add_tracer(struct suspect *suspect) {
    if (!suspect->listed) {
        struct tracer *tracer = append(&suspect->tracers->tracers);
        tracer->pid = suspect->pid;
        if (suspect->name != NULL) {
            snprintf(tracer->name, sizeof tracer->name, "%s", suspect->name);
        } else {
            process_name(suspect->pid, tracer->name, sizeof tracer->name);
            tracer->words = words_of(suspect->pid);
        }
        suspect->listed = true;
    }
}

static void add_hold(struct suspect *suspect, struct hold hold) {
    add_tracer(suspect);
    hold.tracer = suspect->tracers->tracers.count - 1;
    *(struct hold *)append(&suspect->tracers->holds) = hold;
}

/* Calls `add` for each library of which this uprobe is on a site: one, unless all that is known is the name.
 */
static void match_uprobe(struct suspect *suspect, const struct uprobe *uprobe,
                         void (*add)(struct suspect *suspect, struct hold hold)) {
    struct stat found;
    const char *base = strrchr(uprobe->path, '/');
    const struct library *libraries = suspect->tracers->libraries.items;
    bool reached = find_file(suspect->pid, uprobe->path, &found);
    for (size_t i = 0; base != NULL && i < suspect->tracers->libraries.count; i++) {
        const struct library *library = &libraries[i];
        if (reached ? found.st_dev != library->device || found.st_ino != library->inode
                    : strcmp(base + 1, library->name) != 0) {
            continue;
        }
        for (size_t note = 0; note < library->count; note++) {
            if (library->notes[note].offset == uprobe->offset) {
                add(suspect,
                    (struct hold){.library = i, .note = note, .only = uprobe->only, .by_name = !reached});
            }
        }
    }
}

static void see_link_uprobe(void *context, const struct uprobe *uprobe) {
    match_uprobe(context, uprobe, add_hold);
}

static void look_at_link(struct suspect *suspect, int fd) {
    char name[32];
    size_t length;
    snprintf(name, sizeof name, "fdinfo/%d", fd);
    char *fdinfo = process_read(suspect->pid, name, &length);
    if (fdinfo != NULL) {
        uprobes_in_link(fdinfo, see_link_uprobe, suspect);
    }
    free(fdinfo);
}

static void look_at_event(struct suspect *suspect, int fd) {
    struct uprobe uprobe;
    long pid;
    int length = 0;
    switch (uprobe_of_event(suspect->pid, fd, &uprobe)) {
    case EVENT_UPROBE:
        /* So DTrace names a library: no process but this one has the path. */
        if (sscanf(uprobe.path, "/proc/%ld/map_files/%n", &pid, &length) == 1 && length > 0) {
            uprobe.only = (pid_t)pid;
        }
        match_uprobe(suspect, &uprobe, add_hold);
        break;
    case EVENT_UNTOLD:
        suspect->untold_events = true;
        break;
    case EVENT_UNRELATED:
        break;
    }
}

/* What a descriptor of a tracer is called. */
static const struct descriptor_kind {
    const char *name;
    void (*look)(struct suspect *suspect, int fd);
} descriptor_kinds[] = {
    {"anon_inode:[perf_event]", look_at_event},
    {"anon_inode:bpf_link", look_at_link},
    {"anon_inode:bpf-link", look_at_link},
};

/* ---- Events of tracefs ---- */

static const char *const tracefs_folders[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};

static void add_event(struct suspect *suspect, struct hold hold) {
    struct event *event = append(&suspect->tracers->events);
    snprintf(event->name, sizeof event->name, "%s", suspect->name);
    event->library = hold.library;
    event->note = hold.note;
}

static bool is_enabled(const char *path) {
    FILE *file = fopen(path, "re");
    bool enabled = file != NULL && getc(file) == '1';
    if (file != NULL) {
        fclose(file);
    }
    return enabled;
}

/* Ftrace listens to an event in all processes, until somebody writes 0 to this file. */
static void look_at_ftrace(struct tracers *tracers, const char *folder) {
    struct suspect ftrace = {.tracers = tracers, .name = "ftrace"};
    const struct event *events = tracers->events.items;
    for (size_t i = 0; i < tracers->events.count; i++) {
        static const char *const places[] = {"", "/instances/*"};
        for (size_t place = 0; place < sizeof places / sizeof places[0]; place++) {
            char pattern[512];
            glob_t matches;
            int group = (int)strcspn(events[i].name, ":");
            snprintf(pattern, sizeof pattern, "%s%s/events/%.*s/%s/enable", folder, places[place], group,
                     events[i].name, events[i].name + group + 1);
            if (glob(pattern, GLOB_NOSORT, NULL, &matches) != 0) {
                continue;
            }
            for (size_t k = 0; k < matches.gl_pathc; k++) {
                if (is_enabled(matches.gl_pathv[k])) {
                    add_hold(&ftrace, (struct hold){.library = events[i].library, .note = events[i].note});
                }
            }
            globfree(&matches);
        }
    }
}

static void look_at_tracefs(struct tracers *tracers) {
    char path[128];
    char *line = NULL;
    size_t room = 0;
    FILE *file = NULL;
    const char *folder = NULL;
    for (size_t i = 0; file == NULL && i < sizeof tracefs_folders / sizeof tracefs_folders[0]; i++) {
        folder = tracefs_folders[i];
        snprintf(path, sizeof path, "%s/uprobe_events", folder);
        file = fopen(path, "re");
    }
    if (file == NULL) {
        return;
    }
    while (getline(&line, &room, file) > 0) {
        struct uprobe uprobe;
        char name[sizeof((struct event *)0)->name];
        struct suspect suspect = {.tracers = tracers, .name = name};
        if (uprobe_in_tracefs(line, name, sizeof name, &uprobe)) {
            match_uprobe(&suspect, &uprobe, add_event);
        }
    }
    free(line);
    fclose(file);
    look_at_ftrace(tracers, folder);
}

/* Whether a word of a command line, such as perf's "-e" takes it, asks for an event. */
static bool asks_for(const char *word, const char *event) {
    const char *value = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
    value = value != NULL ? value + 1 : strncmp(word, "-e", 2) == 0 ? word + 2 : word;
    while (*value != '\0') {
        char pattern[256];
        size_t length = strcspn(value, ",{}");
        int colons = 0;
        snprintf(pattern, sizeof pattern, "%.*s", (int)(length < 255 ? length : 255), value);
        for (char *at = pattern; *at != '\0'; at++) { /* "group:event:modifiers" */
            colons += *at == ':';
            if (colons == 2 || *at == '/') {
                *at = '\0';
                break;
            }
        }
        if (colons > 0 && fnmatch(pattern, event, 0) == 0) {
            return true;
        }
        value += length + (value[length] != '\0');
    }
    return false;
}

/* Perf has no BPF program, so that its events are told by its command line alone. */
static void look_at_words(struct suspect *suspect) {
    struct words words = words_of(suspect->pid);
    const struct event *events = suspect->tracers->events.items;
    for (const char *word = next_word(&words, NULL); word != NULL; word = next_word(&words, word)) {
        for (size_t i = 0; i < suspect->tracers->events.count; i++) {
            if (asks_for(word, events[i].name)) {
                add_hold(suspect, (struct hold){.library = events[i].library, .note = events[i].note});
            }
        }
    }
    free(words.text);
}

/* ---- All processes ---- */

static void look_at_process(struct tracers *tracers, pid_t pid) {
    char path[64];
    struct suspect suspect = {.tracers = tracers, .pid = pid};
    snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char kind[64];
        ssize_t length = readlinkat(dirfd(directory), entry->d_name, kind, sizeof kind - 1);
        kind[length > 0 ? length : 0] = '\0';
        for (size_t i = 0; i < sizeof descriptor_kinds / sizeof descriptor_kinds[0]; i++) {
            if (strcmp(kind, descriptor_kinds[i].name) == 0) {
                descriptor_kinds[i].look(&suspect, (int)strtol(entry->d_name, NULL, 10));
            }
        }
    }
    if (suspect.untold_events && tracers->events.count > 0) {
        look_at_words(&suspect);
    }
    if (directory != NULL) {
        closedir(directory);
    }
}

struct tracers *tracers_find(const struct targets *targets) {
    struct tracers *tracers = command_allocate(1, sizeof *tracers);
    tracers->libraries.size = sizeof(struct library);
    tracers->tracers.size = sizeof(struct tracer);
    tracers->holds.size = sizeof(struct hold);
    tracers->events.size = sizeof(struct event);
    for (size_t i = 0; i < targets->count; i++) {
        add_library(tracers, &targets->items[i]);
    }
    DIR *directory = tracers->libraries.count > 0 ? opendir("/proc") : NULL;
    if (directory != NULL) {
        look_at_tracefs(tracers);
        struct dirent *entry;
        while ((entry = readdir(directory)) != NULL) {
            pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
            if (pid > 0 && pid != getpid()) {
                look_at_process(tracers, pid);
            }
        }
        closedir(directory);
    }
    return tracers;
}

void tracers_free(struct tracers *tracers) {
    struct tracer *items = tracers->tracers.items;
    for (size_t i = 0; i < tracers->tracers.count; i++) {
        free(items[i].words.text);
    }
    free(tracers->libraries.items);
    free(tracers->tracers.items);
    free(tracers->holds.items);
    free(tracers->events.items);
    free(tracers);
}

/* ---- Whether a hold is meant for a target ---- */

enum meant { MEANT_NO, MEANT_PERHAPS, MEANT_YES };

/* "4711", or "1,4711": the process, or one of its threads. */
static bool lists_pid(const char *list, pid_t pid) {
    while (isdigit((unsigned char)*list)) {
        char path[64];
        char *end;
        long number = strtol(list, &end, 10);
        snprintf(path, sizeof path, "/proc/%ld/task/%ld", (long)pid, number);
        if ((*end == ',' || *end == '\0') && access(path, F_OK) == 0) {
            return true;
        }
        list = *end == ',' ? end + 1 : end;
    }
    return false;
}

static bool descends(pid_t pid, pid_t ancestor) {
    for (int level = 0; pid > 1 && level < 64; level++) {
        pid = (pid_t)process_status(pid, "PPid");
        if (pid == ancestor) {
            return true;
        }
    }
    return false;
}

/* The options of tracers that say which processes they trace; "" stands for the absence of all others. */
enum option_meaning { OPTION_PIDS, OPTION_CHILD, OPTION_ALL };
static const struct tool_option {
    const char *tool;
    const char *option;
    enum option_meaning meaning;
} tool_options[] = {
    {"bpftrace", "-p", OPTION_PIDS}, {"bpftrace", "-c", OPTION_CHILD}, {"bpftrace", "", OPTION_ALL},
    {"dtrace", "-p", OPTION_PIDS},   {"dtrace", "-c", OPTION_CHILD},   {"dtrace", "", OPTION_CHILD},
    {"perf", "-p", OPTION_PIDS},     {"perf", "--pid", OPTION_PIDS},   {"perf", "-t", OPTION_PIDS},
    {"perf", "--tid", OPTION_PIDS},  {"perf", "-a", OPTION_ALL},       {"perf", "--all-cpus", OPTION_ALL},
    {"perf", "-C", OPTION_ALL},      {"perf", "--cpu", OPTION_ALL},    {"perf", "", OPTION_CHILD},
};

/* What stands behind an option, in `word` or in the next one. NULL: this word is not that option. */
static const char *option_value(const struct words *words, const char *word, const char *option) {
    size_t length = strlen(option);
    if (length == 0 || strncmp(word, option, length) != 0) {
        return NULL;
    }
    bool is_long = option[1] == '-';
    if (word[length] == '\0') {
        const char *next = next_word(words, word);
        return next != NULL ? next : "";
    }
    return !is_long ? word + length : word[length] == '=' ? word + length + 1 : NULL;
}

/* What the command line of a tracer says, if it is one that we know. */
static enum meant meant_by_options(const struct tracer *tracer, pid_t pid, bool *known) {
    enum option_meaning meaning = OPTION_CHILD;
    *known = false;
    for (size_t i = 0; i < sizeof tool_options / sizeof tool_options[0]; i++) {
        const struct tool_option *option = &tool_options[i];
        if (strcmp(option->tool, tracer->name) != 0) {
            continue;
        }
        if (option->option[0] == '\0' && !*known) {
            meaning = option->meaning;
            *known = true;
        }
        for (const char *word = next_word(&tracer->words, NULL); word != NULL;
             word = next_word(&tracer->words, word)) {
            const char *value = option_value(&tracer->words, word, option->option);
            if (value != NULL) {
                *known = true;
                meaning = option->meaning;
                if (meaning == OPTION_PIDS) {
                    return lists_pid(value, pid) ? MEANT_YES : MEANT_NO;
                }
            }
        }
    }
    return meaning == OPTION_ALL || descends(pid, tracer->pid) ? MEANT_YES : MEANT_PERHAPS;
}

/* Whether a word of it is the pid: that of -p, --pid= or whatever the tool has. */
static enum meant meant_by_words(const struct tracer *tracer, pid_t pid) {
    for (const char *word = next_word(&tracer->words, NULL); word != NULL;
         word = next_word(&tracer->words, word)) {
        const char *value = strchr(word, '=');
        value = value != NULL ? value + 1 : strncmp(word, "-p", 2) == 0 ? word + 2 : word;
        if (lists_pid(value, pid)) {
            return MEANT_YES;
        }
    }
    return MEANT_PERHAPS;
}

static enum meant meant_for(const struct tracer *tracer, const struct hold *hold, pid_t pid) {
    if (hold->only > 0) {
        return hold->only == pid ? MEANT_YES : MEANT_NO;
    }
    if (tracer->pid == 0) {
        return MEANT_YES;
    }
    if (hold->by_name || tracer->words.text == NULL) {
        return MEANT_PERHAPS;
    }
    bool known;
    enum meant meant = meant_by_options(tracer, pid, &known);
    return known ? meant : meant_by_words(tracer, pid);
}

/* ---- Who is attached to a target ---- */

static int probe_named(const struct target_status *status, const char *name) {
    for (int i = 0; i < status->probe_count; i++) {
        if (strcmp(status->probes[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

/* Adds probes to those of a tracer; what is certain and what is not are two entries. */
static struct attached *attach(struct list *list, const struct tracer *tracer, uint64_t probes,
                               bool certain) {
    struct attached *items = list->items;
    struct attached *attached = NULL;
    for (size_t i = 0; i < list->count; i++) {
        if (items[i].pid == tracer->pid && strcmp(items[i].name, tracer->name) == 0 &&
            items[i].certain == certain) {
            attached = &items[i];
        }
    }
    if (attached == NULL) {
        attached = append(list);
        attached->pid = tracer->pid;
        attached->certain = certain;
        snprintf(attached->name, sizeof attached->name, "%s", tracer->name);
    }
    attached->probes |= probes;
    return attached;
}

static void attach_holders(struct list *list, const struct tracers *tracers, const struct target *target,
                           uint64_t traced) {
    char path[64];
    struct stat found;
    const struct library *libraries = tracers->libraries.items;
    const struct library *library = library_of(tracers, target, path, sizeof path, &found);
    const struct tracer *all = tracers->tracers.items;
    const struct hold *holds = tracers->holds.items;
    for (size_t i = 0; library != NULL && i < tracers->holds.count; i++) {
        const struct hold *hold = &holds[i];
        if (&libraries[hold->library] != library) {
            continue;
        }
        int probe = probe_named(&target->status, library->notes[hold->note].name);
        if (probe < 0 || (traced & UINT64_C(1) << probe) == 0) {
            continue;
        }
        enum meant meant = meant_for(&all[hold->tracer], hold, target->pid);
        if (meant != MEANT_NO) {
            attach(list, &all[hold->tracer], UINT64_C(1) << probe, meant == MEANT_YES);
        }
    }
}

/* The process that has the target under ptrace(2), 0: none. The kernel tells the thread. */
static pid_t ptracer_of(const struct target *target) {
    long thread = process_status(target->pid, "TracerPid");
    return thread > 0 ? (pid_t)process_status((pid_t)thread, "Tgid") : 0;
}

/* The ptracer, and somebody for the probes of whom nothing else is known: gdb, too, raises semaphores. */
static void attach_others(struct list *list, const struct target *target, uint64_t traced) {
    struct tracer ptracer = {.pid = ptracer_of(target)};
    struct attached *attached = list->items;
    bool listed = ptracer.pid == 0;
    for (size_t i = 0; i < list->count; i++) {
        traced &= ~attached[i].probes;
        listed |= attached[i].pid == ptracer.pid && attached[i].certain;
    }
    if (!listed) {
        process_name(ptracer.pid, ptracer.name, sizeof ptracer.name);
        attach(list, &ptracer, 0, true)->ptraces = true;
    }
    if (traced != 0) {
        attached = attach(list, &(struct tracer){.name = "a tracer"}, traced, true);
        if (!listed) {
            snprintf(attached->name, sizeof attached->name, "%s or another tracer", ptracer.name);
        }
    }
}

/* Whether a name is among names separated by commas. */
static bool is_named(const char *names, const char *name) {
    size_t length = strlen(name);
    for (const char *at = names; (at = strstr(at, name)) != NULL; at++) {
        if ((at == names || at[-1] == ',') && (at[length] == '\0' || at[length] == ',')) {
            return true;
        }
    }
    return false;
}

/* The traces by catprobe itself, as the target tells them. */
static void attach_sessions(struct list *list, const struct target *target) {
    const struct target_status *status = &target->status;
    for (int i = 0; target->outcome == QUERY_ANSWERED && i < status->session_count; i++) {
        struct tracer tracer = {.pid = (pid_t)status->sessions[i].consumer, .name = "catprobe"};
        uint64_t probes = 0;
        for (int k = 0; k < status->probe_count; k++) {
            probes |= (uint64_t)is_named(status->sessions[i].probes, status->probes[k].name) << k;
        }
        attach(list, &tracer, probes, true);
    }
}

struct attached *tracers_of(const struct tracers *tracers, const struct target *target, size_t *count) {
    struct list list = {.size = sizeof(struct attached)};
    uint64_t traced = 0;
    for (int i = 0; target->outcome == QUERY_ANSWERED && i < target->status.probe_count; i++) {
        traced |= (uint64_t)(target->status.probes[i].tracers > 0) << i;
    }
    if (traced != 0) {
        attach_holders(&list, tracers, target, traced);
    }
    attach_others(&list, target, traced);
    attach_sessions(&list, target);
    *count = list.count;
    return list.items;
}

void attached_describe(const struct attached *attached, const struct target *target, char *text,
                       size_t size) {
    char pid[32] = "";
    if (attached->pid > 0) {
        snprintf(pid, sizeof pid, " (%ld)", (long)attached->pid);
    }
    size_t length = (size_t)snprintf(text, size, "%s%s%s:%s", attached->certain ? "" : "perhaps ",
                                     attached->name, pid, attached->ptraces ? " ptrace" : "");
    const char *separator = attached->ptraces ? ", " : " ";
    for (int i = 0; i < target->status.probe_count; i++) {
        if ((attached->probes & UINT64_C(1) << i) != 0 && length < size) {
            length += (size_t)snprintf(text + length, size - length, "%s%s", separator,
                                       target->status.probes[i].name);
            separator = ", ";
        }
    }
}
