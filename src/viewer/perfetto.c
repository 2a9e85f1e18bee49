/*
 * perfetto.c: a trace for ui.perfetto.dev: a PerfSample for each sample, which it shows as flame graphs over
 * any stretch of time. The numbers of the fields are those of Perfetto's protos (perfetto.protos), which also
 * say what they mean. An iid is the number in the profile, plus 1; a source file is a mapping.
 */
#include "formats.h"
#include "protobuf.h"

#include <stdlib.h>

enum {
    SEQUENCE = 1,      /* any number but 0: who writes the packets */
    STATE_CLEARED = 1, /* sequence_flags: interned data begin anew */
    NEEDS_STATE = 2,   /* and are needed */
    CLOCK_REALTIME_BUILTIN = 1,
    CLOCK_MONOTONIC_BUILTIN = 3, /* BuiltinClock */
    MODE_USER = 2,               /* Profiling.CpuMode */
};

static size_t begin_packet(struct text *out) {
    size_t packet = protobuf_begin(out, 1);
    protobuf_number(out, 10, SEQUENCE);
    return packet;
}

/* Times are those of CLOCK_MONOTONIC, which at the start was this date. */
static void put_clocks(const struct profile *profile, struct text *out) {
    const struct {
        uint64_t clock, time;
    } clocks[] = {{CLOCK_REALTIME_BUILTIN, profile->start_date}, {CLOCK_MONOTONIC_BUILTIN, profile->start}};
    size_t packet = begin_packet(out);
    size_t snapshot = protobuf_begin(out, 6);
    for (size_t i = 0; i < sizeof clocks / sizeof clocks[0]; i++) {
        size_t clock = protobuf_begin(out, 1);
        protobuf_number(out, 1, clocks[i].clock);
        protobuf_number(out, 2, clocks[i].time);
        protobuf_end(out, clock);
    }
    protobuf_number(out, 2, CLOCK_MONOTONIC_BUILTIN); /* primary_trace_clock */
    protobuf_end(out, snapshot);
    protobuf_end(out, packet);
}

/* pid and the process's command, then its threads. */
static void put_process(const struct profile *profile, uint32_t first, struct text *out) {
    uint32_t pid = profile->threads[first].pid;
    size_t process = protobuf_begin(out, 1);
    protobuf_number(out, 1, pid);
    protobuf_string(out, 3, profile->strings[profile->threads[first].command]);
    protobuf_end(out, process);
    for (uint32_t i = first; i < profile->thread_count; i++) {
        if (profile->threads[i].pid == pid) {
            size_t thread = protobuf_begin(out, 2);
            protobuf_number(out, 1, profile->threads[i].tid);
            protobuf_string(out, 2, profile->strings[profile->threads[i].name]);
            protobuf_number(out, 3, pid);
            protobuf_end(out, thread);
        }
    }
}

static bool is_first_of_process(const struct profile *profile, uint32_t thread) {
    for (uint32_t i = 0; i < thread; i++) {
        if (profile->threads[i].pid == profile->threads[thread].pid) {
            return false;
        }
    }
    return true;
}

static void put_processes(const struct profile *profile, struct text *out) {
    size_t packet = begin_packet(out);
    protobuf_number(out, 8, profile->start);
    protobuf_number(out, 58, CLOCK_MONOTONIC_BUILTIN);
    size_t tree = protobuf_begin(out, 2);
    for (uint32_t i = 0; i < profile->thread_count; i++) {
        if (is_first_of_process(profile, i)) {
            put_process(profile, i, out);
        }
    }
    protobuf_end(out, tree);
    protobuf_end(out, packet);
}

static void put_interned_string(struct text *out, uint32_t field, uint64_t iid, const char *string) {
    size_t message = protobuf_begin(out, field);
    protobuf_number(out, 1, iid);
    protobuf_string(out, 2, string);
    protobuf_end(out, message);
}

static void put_frame(const struct profile *profile, uint32_t frame, struct text *out) {
    const struct profile_function *function = &profile->functions[profile->frames[frame].function];
    size_t message = protobuf_begin(out, 6);
    protobuf_number(out, 1, (uint64_t)frame + 1);
    protobuf_number(out, 2, (uint64_t)function->name + 1);
    protobuf_number(out, 3, (uint64_t)function->file + 1);
    protobuf_number(out, 4, frame); /* rel_pc: frames that differ in nothing else are told apart by it */
    protobuf_number(out, 5, (uint64_t)function->file + 1);
    protobuf_number(out, 6, profile->frames[frame].line);
    protobuf_end(out, message);
}

static void put_stack(const struct profile *profile, uint32_t node, struct text *out) {
    size_t count;
    uint32_t *frames = profile_stack(profile, node, &count);
    if (frames == NULL) {
        out->failed = true;
        return;
    }
    size_t message = protobuf_begin(out, 7);
    protobuf_number(out, 1, (uint64_t)node + 1);
    for (size_t i = 0; i < count; i++) {
        protobuf_number(out, 2, (uint64_t)frames[i] + 1);
    }
    protobuf_end(out, message);
    free(frames);
}

/* Any string may be a file: each has a mapping, those that are none are not used. */
static void put_interned(const struct profile *profile, struct text *out) {
    size_t data = protobuf_begin(out, 12);
    for (uint32_t i = 0; i < profile->string_count; i++) {
        uint64_t iid = (uint64_t)i + 1;
        put_interned_string(out, 5, iid, profile->strings[i]);  /* function_names */
        put_interned_string(out, 17, iid, profile->strings[i]); /* mapping_paths */
        put_interned_string(out, 18, iid, profile->strings[i]); /* source_paths */
        size_t mapping = protobuf_begin(out, 19);
        protobuf_number(out, 1, iid);
        protobuf_number(out, 7, iid);
        protobuf_end(out, mapping);
    }
    for (uint32_t i = 0; i < profile->frame_count; i++) {
        put_frame(profile, i, out);
    }
    for (uint32_t i = 1; i < profile->node_count; i++) {
        if (profile->nodes[i].self > 0) {
            put_stack(profile, i, out);
        }
    }
    protobuf_end(out, data);
}

/* What holds for all samples: the clock of their times, and that there is one every period. */
static void put_defaults(const struct profile *profile, struct text *out) {
    size_t packet = begin_packet(out);
    protobuf_number(out, 13, STATE_CLEARED | NEEDS_STATE);
    size_t defaults = protobuf_begin(out, 59);
    protobuf_number(out, 58, CLOCK_MONOTONIC_BUILTIN);
    size_t sampling = protobuf_begin(out, 12);
    size_t timebase = protobuf_begin(out, 1);
    protobuf_number(out, 2, profile->period > 0 ? 1000000000 / profile->period : 0); /* Hz */
    protobuf_string(out, 10, "samples");
    protobuf_end(out, timebase);
    protobuf_end(out, sampling);
    protobuf_end(out, defaults);
    put_interned(profile, out);
    protobuf_end(out, packet);
}

static void put_sample(const struct profile *profile, const struct profile_sample *sample, struct text *out) {
    const struct profile_thread *thread = &profile->threads[sample->thread];
    size_t packet = begin_packet(out);
    protobuf_number(out, 8, sample->time);
    protobuf_number(out, 13, NEEDS_STATE);
    size_t message = protobuf_begin(out, 66);
    protobuf_number(out, 1, 0);
    protobuf_number(out, 2, thread->pid);
    protobuf_number(out, 3, thread->tid);
    protobuf_number(out, 4, (uint64_t)sample->node + 1);
    protobuf_number(out, 5, MODE_USER);
    protobuf_end(out, message);
    protobuf_end(out, packet);
}

void write_perfetto(const struct profile *profile, struct text *out) {
    put_clocks(profile, out);
    put_processes(profile, out);
    put_defaults(profile, out);
    for (size_t i = 0; i < profile->sample_count; i++) {
        put_sample(profile, &profile->samples[i], out);
    }
}
