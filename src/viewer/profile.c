/*
 * profile.c: gathers samples.
 */
#include "profile.h"

#include <stdlib.h>

/* A table's room is a power of two, so that its count says when it is full. */
static void *grow(struct profile *profile, void *table, size_t count, size_t size) {
    if ((count & (count - 1)) != 0) {
        return table; /* neither 0 nor a power of two: there is room */
    }
    void *larger = count < UINT32_MAX / 2 ? realloc(table, (count == 0 ? 1 : count * 2) * size) : NULL;
    if (larger == NULL) {
        profile->failed = true;
    }
    return larger;
}

/* Adds an entry to a table and gives it the key; 0 when memory ran out. */
#define ADD(profile, numbering, table, count, key, ...)                                                      \
    do {                                                                                                     \
        void *larger_ = grow(profile, (profile)->table, (profile)->count, sizeof *(profile)->table);         \
        if (larger_ == NULL) {                                                                               \
            return 0;                                                                                        \
        }                                                                                                    \
        (profile)->table = larger_;                                                                          \
        if (!numbering_add(&(profile)->numbering, key, (profile)->count)) {                                  \
            (profile)->failed = true;                                                                        \
            return 0;                                                                                        \
        }                                                                                                    \
        (profile)->table[(profile)->count] = __VA_ARGS__;                                                    \
        return (profile)->count++;                                                                           \
    } while (0)

static uint64_t pair(uint32_t high, uint32_t low) {
    return (uint64_t)high << 32 | low;
}

static uint64_t hash(const char *string) {
    uint64_t value = UINT64_C(0xcbf29ce484222325);
    for (; *string != '\0'; string++) {
        value = (value ^ (unsigned char)*string) * UINT64_C(0x100000001b3);
    }
    return value;
}

/* Takes the string, which is UTF-8. */
static uint32_t add_string(struct profile *profile, char *string) {
    uint64_t key = hash(string);
    const uint32_t *found;
    for (; (found = numbering_find(&profile->string_numbers, key)) != NULL; key++) {
        if (strcmp(profile->strings[*found], string) == 0) {
            free(string);
            return *found;
        }
    }
    ADD(profile, string_numbers, strings, string_count, key, string);
}

uint32_t profile_string(struct profile *profile, const char *string) {
    struct text clean = {.data = NULL};
    text_clean(&clean, string, strlen(string));
    text_char(&clean, '\0');
    if (clean.failed) {
        text_free(&clean);
        profile->failed = true;
        return 0;
    }
    return add_string(profile, clean.data);
}

/* A number for a function's file and name, so that a pair of numbers is enough for the rest. */
static uint32_t add_place(struct profile *profile, uint64_t key) {
    const uint32_t *found = numbering_find(&profile->place_numbers, key);
    if (found != NULL) {
        return *found;
    }
    uint32_t number = (uint32_t)profile->place_numbers.count;
    if (!numbering_add(&profile->place_numbers, key, number)) {
        profile->failed = true;
        return 0;
    }
    return number;
}

uint32_t profile_function(struct profile *profile, struct profile_function function) {
    uint32_t place = add_place(profile, pair(function.name, function.file));
    uint64_t key = pair(place, function.first_line << 3 | function.kind);
    const uint32_t *found = numbering_find(&profile->function_numbers, key);
    if (found != NULL) {
        return *found;
    }
    ADD(profile, function_numbers, functions, function_count, key, function);
}

uint32_t profile_frame(struct profile *profile, uint32_t function, uint32_t line) {
    uint64_t key = pair(function, line);
    const uint32_t *found = numbering_find(&profile->frame_numbers, key);
    if (found != NULL) {
        return *found;
    }
    ADD(profile, frame_numbers, frames, frame_count, key,
        (struct profile_frame){.function = function, .line = line});
}

uint32_t profile_node(struct profile *profile, uint32_t caller, uint32_t frame) {
    uint64_t key = pair(caller, frame);
    const uint32_t *found = numbering_find(&profile->node_numbers, key);
    if (found != NULL) {
        return *found;
    }
    ADD(profile, node_numbers, nodes, node_count, key,
        (struct profile_node){.caller = caller, .frame = frame});
}

uint32_t profile_thread(struct profile *profile, struct profile_thread thread) {
    /* The key of a pair of pairs: a name of a thread does not change its command. */
    uint64_t key = pair(add_place(profile, pair(thread.pid, thread.tid)), thread.name);
    const uint32_t *found = numbering_find(&profile->thread_numbers, key);
    if (found != NULL) {
        return *found;
    }
    ADD(profile, thread_numbers, threads, thread_count, key, thread);
}

static uint32_t add_count(struct profile *profile, uint32_t thread, uint32_t node) {
    uint64_t key = pair(thread, node);
    const uint32_t *found = numbering_find(&profile->count_numbers, key);
    if (found != NULL) {
        return *found;
    }
    ADD(profile, count_numbers, counts, count_count, key,
        (struct profile_count){.thread = thread, .node = node});
}

void profile_add(struct profile *profile, uint64_t time, uint32_t thread, uint32_t node) {
    uint32_t count = add_count(profile, thread, node);
    if (profile->failed) {
        return;
    }
    if (profile->ordered) {
        struct profile_sample *larger =
            grow(profile, profile->samples, profile->sample_count, sizeof *larger);
        if (larger == NULL) {
            return;
        }
        profile->samples = larger;
        larger[profile->sample_count++] =
            (struct profile_sample){.time = time, .thread = thread, .node = node};
    }
    profile->counts[count].samples++;
    profile->total++;
}

void profile_finish(struct profile *profile) {
    for (uint32_t i = 0; i < profile->count_count; i++) {
        struct profile_node *node = &profile->nodes[profile->counts[i].node];
        node->self += profile->counts[i].samples;
        node->total += profile->counts[i].samples;
    }
    for (uint32_t i = profile->node_count; i-- > 1;) {
        profile->nodes[profile->nodes[i].caller].total += profile->nodes[i].total;
    }
}

void profile_open(struct profile *profile) {
    profile_string(profile, "");
    profile_frame(profile, profile_function(profile, (struct profile_function){.kind = PROFILE_NOTE}), 0);
    profile_node(profile, UINT32_MAX, 0);
}

void profile_close(struct profile *profile) {
    for (uint32_t i = 0; i < profile->string_count; i++) {
        free(profile->strings[i]);
    }
    free(profile->strings);
    free(profile->functions);
    free(profile->frames);
    free(profile->nodes);
    free(profile->threads);
    free(profile->counts);
    free(profile->samples);
    struct numbering *numberings[] = {&profile->string_numbers,   &profile->place_numbers,
                                      &profile->function_numbers, &profile->frame_numbers,
                                      &profile->node_numbers,     &profile->thread_numbers,
                                      &profile->count_numbers};
    for (size_t i = 0; i < sizeof numberings / sizeof numberings[0]; i++) {
        numbering_free(numberings[i]);
    }
}

static const struct profile_function *function_of(const struct profile *profile, uint32_t frame) {
    return &profile->functions[profile->frames[frame].function];
}

const char *profile_name(const struct profile *profile, uint32_t frame) {
    return profile->strings[function_of(profile, frame)->name];
}

const char *profile_file(const struct profile *profile, uint32_t frame) {
    return profile->strings[function_of(profile, frame)->file];
}

enum profile_kind profile_kind(const struct profile *profile, uint32_t frame) {
    return function_of(profile, frame)->kind;
}

void profile_thread_label(const struct profile *profile, uint32_t thread, bool process, struct text *out) {
    const struct profile_thread *found = &profile->threads[thread];
    const char *name = profile->strings[found->name];
    if (name[0] == '\0') {
        text_format(out, "thread %u", found->tid);
    } else {
        text_format(out, "%s (%u)", name, found->tid);
    }
    if (process) {
        text_format(out, " of %u: %s", found->pid, profile->strings[found->command]);
    }
}

bool profile_has_processes(const struct profile *profile) {
    for (uint32_t i = 1; i < profile->thread_count; i++) {
        if (profile->threads[i].pid != profile->threads[0].pid) {
            return true;
        }
    }
    return false;
}

uint32_t *profile_stack(const struct profile *profile, uint32_t node, size_t *count) {
    *count = 0;
    for (uint32_t at = node; at != PROFILE_NO_NODE; at = profile->nodes[at].caller) {
        ++*count;
    }
    uint32_t *frames = malloc((*count + 1) * sizeof *frames);
    uint32_t at = node;
    for (size_t i = *count; frames != NULL && i-- > 0; at = profile->nodes[at].caller) {
        frames[i] = profile->nodes[at].frame;
    }
    return frames;
}
