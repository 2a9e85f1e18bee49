/*
 * Each process has numbers of its own for threads and stacks; here they get those of the profile.
 */
#include "gather.h"

#include "command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gathered_process {
    const struct sampling_process *process;
    struct gathered_process *next;
    struct numbering threads; /* thread -> that of the profile */
    struct numbering stacks;  /* outermost node of the profile, node -> that of the profile */
    uint32_t *pending;        /* nodes on the way to one that has its number */
    size_t room;              /* of pending */
};

static struct gathered_process *find_process(struct gather *gather, const struct sampling_process *process) {
    struct gathered_process *found = gather->list;
    while (found != NULL && found->process != process) {
        found = found->next;
    }
    if (found == NULL) {
        found = command_allocate(1, sizeof *found);
        found->process = process;
        found->next = gather->list;
        gather->list = found;
    }
    return found;
}

static uint32_t find_thread(struct gather *gather, struct gathered_process *of, uint32_t number) {
    const uint32_t *known = numbering_find(&of->threads, number);
    if (known != NULL) {
        return *known;
    }
    struct samples_thread thread = sampling_thread(of->process, number);
    uint32_t found =
        profile_thread(gather->profile,
                       (struct profile_thread){
                           .pid = (uint32_t)of->process->pid,
                           .tid = thread.tid != 0 ? thread.tid : (uint32_t)thread.ident,
                           .name = profile_string(gather->profile, sampling_string(of->process, thread.name)),
                           .command = profile_string(gather->profile, of->process->command),
                       });
    gather->profile->failed |= !numbering_add(&of->threads, number, found);
    return found;
}

/* A node that stands for a process or a thread. */
static uint32_t place_node(struct profile *profile, uint32_t caller, const char *name,
                           enum profile_kind kind) {
    struct profile_function function = {.name = profile_string(profile, name), .kind = kind};
    return profile_node(profile, caller, profile_frame(profile, profile_function(profile, function), 0));
}

/* What stands above the frames of a thread. */
static uint32_t outermost(const struct gather *gather, const struct sampling_process *process,
                          uint32_t thread) {
    uint32_t node = PROFILE_NO_NODE;
    if (gather->processes) {
        char name[256];
        snprintf(name, sizeof name, "process %d: %s", (int)process->pid, process->command);
        node = place_node(gather->profile, node, name, PROFILE_PROCESS);
    }
    if (gather->threads) {
        struct text label = {.data = NULL};
        profile_thread_label(gather->profile, thread, false, &label);
        text_char(&label, '\0');
        gather->profile->failed |= label.failed;
        node = place_node(gather->profile, node, label.failed ? "" : label.data, PROFILE_THREAD);
        text_free(&label);
    }
    return node;
}

/* Neither of the standard library, nor installed, nor without a file. */
static bool is_own_file(const char *file) {
    return file[0] != '\0' && file[0] != '<' && strstr(file, "/lib/python") == NULL &&
           strstr(file, "-packages/") == NULL;
}

/* Whether a node's frame is left out; a C function is as its caller is. */
static bool is_hidden(const struct gather *gather, const struct sampling_process *process,
                      struct samples_node node, const struct samples_frame *frame) {
    if (!gather->mine || frame->kind == FRAME_NOTE) {
        return false;
    }
    if (frame->kind != FRAME_NATIVE) {
        return !is_own_file(sampling_string(process, frame->file));
    }
    struct samples_frame caller = sampling_frame(process, sampling_node(process, node.caller).frame);
    return node.caller == SAMPLES_NO_NODE || !is_own_file(sampling_string(process, caller.file));
}

static uint32_t add_node(struct gather *gather, const struct sampling_process *process, uint32_t caller,
                         struct samples_node node) {
    static const enum profile_kind kinds[] = {
        [FRAME_PYTHON] = PROFILE_PYTHON, [FRAME_NATIVE] = PROFILE_NATIVE, [FRAME_NOTE] = PROFILE_NOTE};
    struct samples_frame frame = sampling_frame(process, node.frame);
    if (is_hidden(gather, process, node, &frame)) {
        return caller;
    }
    struct profile *profile = gather->profile;
    const char *qualified = sampling_string(process, frame.qualified);
    struct profile_function function = {
        .name = profile_string(profile,
                               qualified[0] != '\0' ? qualified : sampling_string(process, frame.function)),
        .file = profile_string(profile, sampling_string(process, frame.file)),
        .first_line = frame.first_line,
        .kind = frame.kind <= FRAME_NOTE ? kinds[frame.kind] : PROFILE_NOTE,
    };
    uint32_t line = gather->functions ? frame.first_line : frame.line;
    return profile_node(profile, caller, profile_frame(profile, profile_function(profile, function), line));
}

static void await(struct gathered_process *of, size_t count, uint32_t node) {
    if (count == of->room) {
        size_t room = of->room == 0 ? 64 : of->room * 2;
        uint32_t *larger = realloc(of->pending, room * sizeof *larger);
        if (larger == NULL) {
            exit(command_error("out of memory"));
        }
        of->pending = larger;
        of->room = room;
    }
    of->pending[count] = node;
}

/* The node of the profile for a stack under `top`: goes outwards to one that is known, and back. */
static uint32_t find_node(struct gather *gather, struct gathered_process *of, uint32_t top, uint32_t number) {
    size_t count = 0;
    uint32_t found = top;
    for (uint32_t at = number; at != SAMPLES_NO_NODE; at = sampling_node(of->process, at).caller) {
        const uint32_t *known = numbering_find(&of->stacks, (uint64_t)top << 32 | at);
        if (known != NULL) {
            found = *known;
            break;
        }
        await(of, count++, at);
    }
    while (count-- > 0) {
        uint32_t at = of->pending[count];
        found = add_node(gather, of->process, found, sampling_node(of->process, at));
        gather->profile->failed |= !numbering_add(&of->stacks, (uint64_t)top << 32 | at, found);
    }
    return found;
}

void gather_take(void *context, const struct sampling_process *process, const struct sample *sample) {
    struct gather *gather = context;
    if (gather->gil && (sample->state & SAMPLE_HAS_GIL) == 0) {
        return;
    }
    struct gathered_process *of = find_process(gather, process);
    uint32_t thread = find_thread(gather, of, sample->thread);
    uint32_t top = outermost(gather, process, thread);
    uint32_t node = find_node(gather, of, top, sample->node);
    if (node == top && gather->mine) {
        return;
    }
    if (node == top) {
        node = place_node(gather->profile, top, "<no Python frame>", PROFILE_NOTE);
    }
    profile_add(gather->profile, sample->time, thread, node);
}

void gather_close(struct gather *gather) {
    while (gather->list != NULL) {
        struct gathered_process *next = gather->list->next;
        numbering_free(&gather->list->threads);
        numbering_free(&gather->list->stacks);
        free(gather->list->pending);
        free(gather->list);
        gather->list = next;
    }
}
