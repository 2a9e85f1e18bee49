/*
 * speedscope.c: speedscope's own JSON: a profile for each thread, its samples in the order of time; while the
 * thread was not sampled, the stack is empty.
 *
 * https://www.speedscope.app/file-format-schema.json
 */
#include "formats.h"

#include <stdlib.h>

static void put_string(const char *string, struct text *out) {
    text_json(out, string, strlen(string));
}

/* A stretch of time with the same stack, of one thread. */
struct stretch {
    uint32_t node;
    uint64_t length; /* ns */
};

struct stretches {
    struct stretch *items;
    size_t count, room;
    bool failed;
    uint64_t end; /* of the last, ns */
};

static void add(struct stretches *stretches, uint32_t node, uint64_t length) {
    stretches->end += length;
    if (stretches->count > 0 && stretches->items[stretches->count - 1].node == node) {
        stretches->items[stretches->count - 1].length += length;
        return;
    }
    if (stretches->count == stretches->room) {
        size_t room = stretches->room == 0 ? 64 : stretches->room * 2;
        struct stretch *larger = realloc(stretches->items, room * sizeof *larger);
        if (larger == NULL) {
            stretches->failed = true;
            return;
        }
        stretches->items = larger;
        stretches->room = room;
    }
    stretches->items[stretches->count++] = (struct stretch){.node = node, .length = length};
}

/* A sample stands for a period. One that comes later than half a period after the end of the one before
 * leaves a gap; otherwise that was the timer. */
static void gather(const struct profile *profile, uint32_t thread, struct stretches *stretches) {
    stretches->end = profile->start;
    for (size_t i = 0; i < profile->sample_count; i++) {
        const struct profile_sample *sample = &profile->samples[i];
        if (sample->thread != thread) {
            continue;
        }
        if (sample->time > stretches->end + profile->period / 2) {
            add(stretches, PROFILE_NO_NODE, sample->time - stretches->end);
        }
        add(stretches, sample->node, profile->period);
    }
}

static void put_stack(const struct profile *profile, uint32_t node, struct text *out) {
    size_t count;
    uint32_t *stack = profile_stack(profile, node, &count);
    if (stack == NULL) {
        out->failed = true;
        return;
    }
    text_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        text_format(out, "%s%u", i == 0 ? "" : ",", stack[i]);
    }
    text_char(out, ']');
    free(stack);
}

static void put_thread(const struct profile *profile, uint32_t thread, struct text *out) {
    struct stretches stretches = {.items = NULL};
    struct text label = {.data = NULL};
    gather(profile, thread, &stretches);
    profile_thread_label(profile, thread, profile_has_processes(profile), &label);
    text_string(out, "{\"type\":\"sampled\",\"unit\":\"nanoseconds\",\"name\":");
    text_json(out, label.data, label.length);
    text_format(out, ",\"startValue\":0,\"endValue\":%llu,\"samples\":[",
                (unsigned long long)(stretches.end - profile->start));
    for (size_t i = 0; i < stretches.count; i++) {
        text_string(out, i == 0 ? "" : ",\n");
        put_stack(profile, stretches.items[i].node, out);
    }
    text_string(out, "],\"weights\":[");
    for (size_t i = 0; i < stretches.count; i++) {
        text_format(out, "%s%llu", i == 0 ? "" : ",", (unsigned long long)stretches.items[i].length);
    }
    text_string(out, "]}");
    out->failed |= stretches.failed || label.failed;
    free(stretches.items);
    text_free(&label);
}

static void put_frame(const struct profile *profile, uint32_t frame, struct text *out) {
    const char *file = profile_file(profile, frame);
    uint32_t line = profile->frames[frame].line;
    text_string(out, "{\"name\":");
    put_string(profile_name(profile, frame), out);
    if (file[0] != '\0') {
        text_string(out, ",\"file\":");
        put_string(file, out);
    }
    if (line > 0) {
        text_format(out, ",\"line\":%u", line);
    }
    text_char(out, '}');
}

void write_speedscope(const struct profile *profile, struct text *out) {
    text_string(out, "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\"exporter\":");
    put_string(profile->exporter, out);
    text_string(out, ",\"name\":");
    put_string(profile->title, out);
    text_string(out, ",\"activeProfileIndex\":0,\"shared\":{\"frames\":[\n");
    for (uint32_t i = 0; i < profile->frame_count; i++) {
        text_string(out, i == 0 ? "" : ",\n");
        put_frame(profile, i, out);
    }
    text_string(out, "]},\"profiles\":[\n");
    for (uint32_t i = 0; i < profile->thread_count; i++) {
        text_string(out, i == 0 ? "" : ",\n");
        put_thread(profile, i, out);
    }
    text_string(out, "]}\n");
}
