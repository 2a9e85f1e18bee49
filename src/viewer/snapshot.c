/*
 * Renders each stack, and puts those together that came out equal.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "snapshot.h"

#include "command/command.h"
#include "place.h"
#include "width.h"

#include <stdlib.h>
#include <string.h>

enum {
    TEXT_WIDTH = 100,  /* columns up to which the members of a group fill a line */
    COLUMNS_MAX = 4000 /* of any one thing */
};

/* Before the lines of a thread, and of a task, which is below its thread. */
static const struct indents {
    const char *head, *frame, *local, *member;
} all_indents[] = {
    [SAMPLES_THREAD] = {"", "    ", "            ", "        "},
    [SAMPLES_TASK] = {"  ", "      ", "              ", "          "},
};

/* What a thread does, by the bits of its state; the first that fits. */
static const struct doing {
    uint32_t bits;
    const char *words;
} doings[] = {
    {SAMPLE_WAITS_GIL, "waits for the GIL"},
    {SAMPLE_ON_CPU | SAMPLE_HAS_GIL, "active+gil"},
    {SAMPLE_ON_CPU, "active"},
    {SAMPLE_HAS_GIL, "idle+gil"},
    {0, "idle"},
};

enum { DOINGS = sizeof doings / sizeof doings[0] };

static const size_t NONE = SIZE_MAX;

/* A thread or task. */
struct member {
    const struct sampling_process *process;
    struct samples_thread thread;
    struct sample sample;
    size_t group;
};

/* Those with the same stack. */
struct group {
    struct text body; /* its frames, as lines */
    enum thread_kind kind;
    size_t parent;       /* of tasks: the group of the threads whose event loops have them, or NONE */
    size_t first, count; /* member; how many */
};

struct snapshot {
    struct member *members;
    size_t count, room;
};

struct snapshot *snapshot_new(void) {
    return command_allocate(1, sizeof(struct snapshot));
}

void snapshot_free(struct snapshot *snapshot) {
    free(snapshot->members);
    free(snapshot);
}

void snapshot_take(struct snapshot *snapshot, const struct sampling_process *process,
                   const struct sample *sample) {
    if (snapshot->count == snapshot->room) {
        size_t room = snapshot->room == 0 ? 64 : snapshot->room * 2;
        struct member *members = command_allocate(room, sizeof *members);
        if (snapshot->count > 0) {
            memcpy(members, snapshot->members, snapshot->count * sizeof *members);
        }
        free(snapshot->members);
        snapshot->members = members;
        snapshot->room = room;
    }
    size_t at = snapshot->count; /* those of a process follow each other */
    while (at > 0 && snapshot->members[at - 1].process != process) {
        at--;
    }
    at = at == 0 ? snapshot->count : at;
    memmove(&snapshot->members[at + 1], &snapshot->members[at],
            (snapshot->count - at) * sizeof(struct member));
    snapshot->count++;
    snapshot->members[at] = (struct member){
        .process = process,
        .thread = sampling_thread(process, sample->thread),
        .sample = *sample,
    };
}

bool snapshot_has(const struct snapshot *snapshot, const struct sampling_process *process) {
    for (size_t i = 0; i < snapshot->count; i++) {
        if (snapshot->members[i].process == process) {
            return true;
        }
    }
    return false;
}

static const struct doing *doing_of(const struct member *member) {
    const struct doing *doing = doings;
    while ((member->sample.state & doing->bits) != doing->bits) {
        doing++;
    }
    return doing;
}

/* Walking a stack, the innermost frame first, each with its variables. */
struct walk {
    const struct member *member;
    uint32_t node;
    const char *locals, *locals_end; /* of the frames to come; NULL: none are known */
};

static struct walk begin_walk(const struct member *member) {
    size_t length = 0;
    struct walk walk = {.member = member, .node = member->sample.node};
    walk.locals = sampling_locals(member->process, &member->sample, &length);
    walk.locals_end = walk.locals == NULL ? NULL : walk.locals + length;
    return walk;
}

static bool next_frame(struct walk *walk, struct samples_frame *frame) {
    if (walk->node == SAMPLES_NO_NODE) {
        return false;
    }
    struct samples_node node = sampling_node(walk->member->process, walk->node);
    *frame = sampling_frame(walk->member->process, node.frame);
    walk->node =
        node.caller < walk->node ? node.caller : SAMPLES_NO_NODE; /* whatever the process wrote there */
    return true;
}

static const char *take_string(struct walk *walk) {
    const char *string = walk->locals;
    const char *end = string == NULL ? NULL : memchr(string, '\0', (size_t)(walk->locals_end - string));
    walk->locals = end == NULL ? NULL : end + 1;
    return end == NULL ? NULL : string;
}

/* The next variable of the frame at hand; false behind the last. */
static bool next_local(struct walk *walk, const char **name, const char **value) {
    *name = take_string(walk);
    if (*name == NULL || **name == '\0') {
        return false;
    }
    *value = take_string(walk);
    return *value != NULL;
}

static const struct indents *indents_of(const struct member *member) {
    return &all_indents[member->thread.kind == SAMPLES_TASK ? SAMPLES_TASK : SAMPLES_THREAD];
}

/* The thread whose event loop has a task; NULL: it is not known, or not shown. */
static const struct member *parent_of(const struct snapshot *snapshot, const struct member *member) {
    if (member->thread.kind != SAMPLES_TASK || member->thread.parent == SAMPLES_NO_THREAD) {
        return NULL;
    }
    size_t at = (size_t)(member - snapshot->members);
    while (at > 0 && snapshot->members[at - 1].process == member->process) {
        at--; /* the threads come before the tasks */
    }
    for (; &snapshot->members[at] != member; at++) {
        const struct member *other = &snapshot->members[at];
        if (other->thread.kind == SAMPLES_TASK) {
            return NULL;
        }
        if (other->sample.thread == member->thread.parent) {
            return other;
        }
    }
    return NULL;
}

static const char *name_of(const struct member *member, const struct samples_frame *frame) {
    const char *name = sampling_string(member->process, frame->qualified);
    return *name == '\0' ? sampling_string(member->process, frame->function) : name;
}

/* As text. */

static void append(struct text *out, const char *string, bool utf8) {
    width_append(out, string, COLUMNS_MAX, utf8);
}

static void print_frame(struct text *out, struct walk *walk, const struct samples_frame *frame, bool utf8) {
    const char *name, *value;
    char *place = place_text(name_of(walk->member, frame),
                             sampling_string(walk->member->process, frame->file), frame->line);
    text_string(out, indents_of(walk->member)->frame);
    append(out, place, utf8);
    text_char(out, '\n');
    free(place);
    while (frame->kind == FRAME_PYTHON && next_local(walk, &name, &value)) {
        text_string(out, indents_of(walk->member)->local);
        append(out, name, utf8);
        text_string(out, ": ");
        append(out, value, utf8);
        text_char(out, '\n');
    }
}

static void print_body(struct text *out, const struct member *member, bool utf8) {
    struct walk walk = begin_walk(member);
    struct samples_frame frame;
    if (member->sample.node == SAMPLES_NO_NODE) {
        text_format(out, "%s(no Python frame)\n", indents_of(member)->frame);
    }
    while (next_frame(&walk, &frame)) {
        print_frame(out, &walk, &frame, utf8);
    }
}

/* Puts a member into the group of its stack. Returns how many groups there are now. */
static size_t add_to_group(const struct snapshot *snapshot, struct group *groups, size_t count, size_t index,
                           bool utf8) {
    struct text body = {.data = NULL};
    struct member *member = &snapshot->members[index];
    const struct member *thread = parent_of(snapshot, member);
    size_t parent = thread == NULL ? NONE : thread->group;
    print_body(&body, member, utf8);
    for (size_t i = 0; i < count; i++) {
        struct group *group = &groups[i];
        if (group->kind == member->thread.kind && group->parent == parent &&
            group->body.length == body.length && memcmp(group->body.data, body.data, body.length) == 0) {
            text_free(&body);
            member->group = i;
            group->count++;
            return count;
        }
    }
    groups[count] = (struct group){
        .body = body, .kind = member->thread.kind, .parent = parent, .first = index, .count = 1};
    member->group = count;
    return count + 1;
}

/* The largest first, then as they came. */
static int compare_groups(const void *left, const void *right) {
    const struct group *one = *(const struct group *const *)left;
    const struct group *other = *(const struct group *const *)right;
    if (one->count != other->count) {
        return one->count > other->count ? -1 : 1;
    }
    return one->first < other->first ? -1 : 1;
}

static const char *thread_name(const struct member *member) {
    return sampling_string(member->process, member->thread.name);
}

/* The number by which a thread is known. */
static void print_id(struct text *out, const struct member *member) {
    if (member->thread.tid != 0) {
        text_format(out, "%lu", (unsigned long)member->thread.tid);
    } else {
        text_format(out, "0x%llx", (unsigned long long)member->thread.ident);
    }
}

static void print_name(struct text *out, const struct member *member, bool utf8) {
    text_char(out, '"');
    append(out, thread_name(member), utf8);
    text_char(out, '"');
}

static const char *without_loop(const struct member *member) {
    return member->thread.parent == SAMPLES_NO_THREAD ? ", no thread runs the event loop" : "";
}

/* A group of one: "Thread 24601 (active): "MainThread"". */
static void print_single(struct text *out, const struct member *member, bool several, bool utf8) {
    if (member->thread.kind == SAMPLES_TASK) {
        text_format(out, "%sTask (waits%s)", indents_of(member)->head, without_loop(member));
    } else {
        text_string(out, "Thread ");
        print_id(out, member);
        text_format(out, " (%s)", doing_of(member)->words);
    }
    if (*thread_name(member) != '\0') {
        text_string(out, ": ");
        print_name(out, member, utf8);
    }
    if (several) {
        text_format(out, " in process %ld", (long)member->process->pid);
    }
    text_char(out, '\n');
}

/* "3 idle", or "2 active, 1 idle": how many do what. */
static void print_doings(struct text *out, const struct snapshot *snapshot, const struct group *group,
                         size_t index) {
    size_t counts[DOINGS] = {0};
    const char *separator = "";
    for (size_t i = group->first; i < snapshot->count; i++) {
        if (snapshot->members[i].group == index) {
            counts[doing_of(&snapshot->members[i]) - doings]++;
        }
    }
    for (size_t i = 0; i < DOINGS; i++) {
        if (counts[i] == group->count) {
            text_string(out, doings[i].words);
        } else if (counts[i] > 0) {
            text_format(out, "%s%zu %s", separator, counts[i], doings[i].words);
            separator = ", ";
        }
    }
}

/* What is the same for all of a group, and need not be said of each. */
struct common {
    size_t processes;
    bool name;
};

static struct common common_of(const struct snapshot *snapshot, const struct group *group, size_t index) {
    struct common common = {.processes = 0, .name = true};
    const struct sampling_process *last = NULL; /* members of a process follow each other */
    for (size_t i = group->first; i < snapshot->count; i++) {
        const struct member *member = &snapshot->members[i];
        if (member->group == index) {
            common.processes += member->process != last;
            last = member->process;
            common.name = common.name &&
                          strcmp(thread_name(member), thread_name(&snapshot->members[group->first])) == 0;
        }
    }
    return common;
}

/* One of a group: where all are of one process the thread, else the process, each with the name unless that
 * is said of all. */
static void print_member(struct text *out, const struct member *member, struct common common, bool utf8) {
    bool by_process = common.processes > 1;
    if (by_process) {
        text_format(out, "%ld", (long)member->process->pid);
    } else if (member->thread.kind == SAMPLES_THREAD) {
        print_id(out, member);
    }
    if (!common.name) {
        text_string(out, by_process || member->thread.kind == SAMPLES_THREAD ? " " : "");
        print_name(out, member, utf8);
    }
}

/* "64 threads in 64 processes (idle), each "MainThread": 24601 24602 ...", over as many lines as it takes. */
static void print_group(struct text *out, const struct snapshot *snapshot, const struct group *group,
                        size_t index, bool several, bool utf8) {
    const struct member *first = &snapshot->members[group->first];
    struct common common = common_of(snapshot, group, index);
    size_t line = out->length;
    text_format(out, "%s%zu %s", indents_of(first)->head, group->count,
                group->kind == SAMPLES_TASK ? "tasks" : "threads");
    if (common.processes > 1) {
        text_format(out, " in %zu processes", common.processes);
    } else if (several) {
        text_format(out, " in process %ld", (long)first->process->pid);
    }
    text_string(out, " (");
    if (group->kind == SAMPLES_TASK) {
        text_format(out, "wait%s", without_loop(first));
    } else {
        print_doings(out, snapshot, group, index);
    }
    text_char(out, ')');
    if (common.name && *thread_name(first) != '\0') {
        text_string(out, ", each ");
        print_name(out, first, utf8);
    }
    text_char(out, ':');
    const struct sampling_process *last = NULL;
    for (size_t i = group->first; i < snapshot->count; i++) {
        const struct member *member = &snapshot->members[i];
        bool said = common.processes > 1 && common.name && member->process == last;
        if (member->group != index || said) {
            continue;
        }
        struct text one = {.data = NULL};
        print_member(&one, member, common, utf8);
        if (out->length - line + one.length + 1 > TEXT_WIDTH) {
            text_char(out, '\n');
            line = out->length;
            text_string(out, indents_of(first)->member);
        } else {
            text_char(out, ' ');
        }
        text_bytes(out, one.data, one.length);
        text_free(&one);
        last = member->process;
    }
    text_char(out, '\n');
}

static void print_process(struct text *out, const struct sampling_process *process, bool utf8) {
    text_format(out, "Process %ld: ", (long)process->pid);
    append(out, process->command == NULL ? "?" : process->command, utf8);
    if (process->version != NULL && *process->version != '\0') {
        text_string(out, "\nPython v");
        append(out, process->version, utf8);
        text_string(out, " (");
        append(out, process->executable == NULL ? "?" : process->executable, utf8);
        text_char(out, ')');
    }
    text_char(out, '\n');
}

/* All groups, as they are printed. */
struct groups {
    const struct snapshot *snapshot;
    struct group *all, **order;
    size_t count;
    bool several, utf8; /* processes; as snapshot_print */
};

static void print_any(struct text *out, const struct groups *groups, const struct group *group) {
    text_char(out, '\n');
    if (group->count == 1) {
        print_single(out, &groups->snapshot->members[group->first], groups->several, groups->utf8);
    } else {
        print_group(out, groups->snapshot, group, (size_t)(group - groups->all), groups->several,
                    groups->utf8);
    }
    text_bytes(out, group->body.data, group->body.length);
}

static void print_tasks(struct text *out, const struct groups *groups, size_t parent) {
    for (size_t i = 0; i < groups->count; i++) {
        const struct group *group = groups->order[i];
        if (group->kind == SAMPLES_TASK && group->parent == parent) {
            print_any(out, groups, group);
        }
    }
}

/* Each group of threads, and the tasks of their event loops below it. */
static void print_groups(struct text *out, const struct groups *groups) {
    for (size_t i = 0; i < groups->count; i++) {
        if (groups->order[i]->kind != SAMPLES_TASK) {
            print_any(out, groups, groups->order[i]);
            print_tasks(out, groups, (size_t)(groups->order[i] - groups->all));
        }
    }
    print_tasks(out, groups, NONE);
}

void snapshot_print(struct text *out, const struct snapshot *snapshot,
                    struct sampling_process *const *processes, size_t count, bool utf8) {
    struct group *groups = command_allocate(snapshot->count, sizeof *groups);
    struct group **order = command_allocate(snapshot->count, sizeof(struct group *));
    size_t group_count = 0;
    size_t shown = 0;
    for (size_t i = 0; i < snapshot->count; i++) {
        group_count = add_to_group(snapshot, groups, group_count, i, utf8);
    }
    for (size_t i = 0; i < group_count; i++) {
        order[i] = &groups[i];
    }
    if (group_count > 1) {
        qsort(order, group_count, sizeof(struct group *), compare_groups);
    }
    for (size_t i = 0; i < count; i++) {
        if (snapshot_has(snapshot, processes[i])) {
            print_process(out, processes[i], utf8);
            shown++;
        }
    }
    print_groups(out, &(struct groups){snapshot, groups, order, group_count, shown > 1, utf8});
    for (size_t i = 0; i < group_count; i++) {
        text_free(&groups[i].body);
    }
    free(groups);
    free(order);
}

/* As JSON. */

static void json_string(struct text *out, const char *string) {
    text_json(out, string, strlen(string));
}

static void json_locals(struct text *out, struct walk *walk) {
    const char *name, *value;
    const char *separator = "";
    text_string(out, ", \"locals\": [");
    while (next_local(walk, &name, &value)) {
        text_format(out, "%s{\"name\": ", separator);
        json_string(out, name);
        text_string(out, ", \"repr\": ");
        json_string(out, value);
        text_char(out, '}');
        separator = ", ";
    }
    text_char(out, ']');
}

static void json_frame(struct text *out, struct walk *walk, const struct samples_frame *frame) {
    const struct sampling_process *process = walk->member->process;
    const char *file = sampling_string(process, frame->file);
    text_string(out, "{\"name\": ");
    json_string(out, name_of(walk->member, frame));
    text_string(out, ", \"filename\": ");
    json_string(out, file);
    text_string(out, ", \"short_filename\": ");
    json_string(out, place_file(file));
    text_format(out, ", \"line\": %lu", (unsigned long)frame->line);
    if (frame->kind == FRAME_PYTHON && walk->locals != NULL) {
        json_locals(out, walk);
    }
    text_char(out, '}');
}

static const char *json_bool(const struct member *member, uint32_t bit) {
    return (member->sample.state & bit) != 0 ? "true" : "false";
}

static void json_member(struct text *out, const struct snapshot *snapshot, const struct member *member) {
    const struct member *parent = parent_of(snapshot, member);
    text_format(out, "{\"pid\": %ld, \"thread_id\": %llu, \"thread_name\": ", (long)member->process->pid,
                (unsigned long long)member->thread.ident);
    json_string(out, thread_name(member));
    text_format(out,
                ", \"os_thread_id\": %lu, \"task\": %s, \"active\": %s, \"owns_gil\": %s, \"waits_gil\": %s",
                (unsigned long)member->thread.tid, member->thread.kind == SAMPLES_TASK ? "true" : "false",
                json_bool(member, SAMPLE_ON_CPU), json_bool(member, SAMPLE_HAS_GIL),
                json_bool(member, SAMPLE_WAITS_GIL));
    if (parent != NULL) {
        text_format(out, ", \"loop_thread_id\": %llu", (unsigned long long)parent->thread.ident);
    } else if (member->thread.kind == SAMPLES_TASK) {
        text_string(out, ", \"loop_thread_id\": null");
    }
    text_string(out, ",\n  \"frames\": [");
    struct walk walk = begin_walk(member);
    struct samples_frame frame;
    for (const char *separator = "\n    "; next_frame(&walk, &frame); separator = ",\n    ") {
        text_string(out, separator);
        json_frame(out, &walk, &frame);
    }
    text_string(out, "]}");
}

void snapshot_json(struct text *out, const struct snapshot *snapshot) {
    text_char(out, '[');
    for (size_t i = 0; i < snapshot->count; i++) {
        text_string(out, i == 0 ? "" : ",\n");
        json_member(out, snapshot, &snapshot->members[i]);
    }
    text_string(out, "]\n");
}
