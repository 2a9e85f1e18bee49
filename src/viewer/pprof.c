/*
 * pprof.c: the format of pprof: a gzipped message Profile. The numbers of the fields are those of
 * profile.proto (perftools.profiles), which also says what they mean. An id is the number in the profile,
 * plus 1.
 */
#include "formats.h"
#include "gzip.h"
#include "protobuf.h"

/* Strings of our own stand in front of the profile's; the first has to be "". */
enum own_string { S_NONE, S_SAMPLES, S_COUNT, S_TIME, S_NANOSECONDS, S_THREAD, S_TID, S_PID, OWN_STRINGS };

static const char *const own_strings[OWN_STRINGS] = {
    [S_NONE] = "",         [S_SAMPLES] = "samples",         [S_COUNT] = "count",
    [S_TIME] = "time",     [S_NANOSECONDS] = "nanoseconds", [S_THREAD] = "thread",
    [S_TID] = "thread_id", [S_PID] = "process_id",
};

static uint64_t string_number(uint32_t string) {
    return (uint64_t)string + OWN_STRINGS;
}

static void put_value_type(struct text *out, uint32_t field, enum own_string type, enum own_string unit) {
    size_t message = protobuf_begin(out, field);
    protobuf_number(out, 1, type);
    protobuf_number(out, 2, unit);
    protobuf_end(out, message);
}

static void put_label(struct text *out, enum own_string key, uint32_t field, uint64_t value) {
    size_t label = protobuf_begin(out, 3);
    protobuf_number(out, 1, key);
    protobuf_number(out, field, value); /* 2: a string, 3: a number */
    protobuf_end(out, label);
}

static void put_sample(const struct profile *profile, const struct profile_count *count, struct text *out) {
    const struct profile_thread *thread = &profile->threads[count->thread];
    size_t sample = protobuf_begin(out, 2);
    size_t locations = protobuf_begin(out, 1); /* the innermost first */
    for (uint32_t at = count->node; at != PROFILE_NO_NODE; at = profile->nodes[at].caller) {
        protobuf_varint(out, (uint64_t)profile->nodes[at].frame + 1);
    }
    protobuf_end(out, locations);
    size_t values = protobuf_begin(out, 2);
    protobuf_varint(out, count->samples);
    protobuf_varint(out, count->samples * profile->period);
    protobuf_end(out, values);
    put_label(out, S_THREAD, 2, string_number(thread->name));
    put_label(out, S_TID, 3, thread->tid);
    put_label(out, S_PID, 3, thread->pid);
    protobuf_end(out, sample);
}

static void put_location(const struct profile *profile, uint32_t frame, struct text *out) {
    size_t location = protobuf_begin(out, 4);
    protobuf_number(out, 1, (uint64_t)frame + 1);
    size_t line = protobuf_begin(out, 4);
    protobuf_number(out, 1, (uint64_t)profile->frames[frame].function + 1);
    protobuf_number(out, 2, profile->frames[frame].line);
    protobuf_end(out, line);
    protobuf_end(out, location);
}

static void put_function(const struct profile *profile, uint32_t number, struct text *out) {
    const struct profile_function *function = &profile->functions[number];
    size_t message = protobuf_begin(out, 5);
    protobuf_number(out, 1, (uint64_t)number + 1);
    protobuf_number(out, 2, string_number(function->name));
    protobuf_number(out, 3, string_number(function->name)); /* as the system has it */
    protobuf_number(out, 4, string_number(function->file));
    protobuf_number(out, 5, function->first_line);
    protobuf_end(out, message);
}

static void put_profile(const struct profile *profile, struct text *out) {
    put_value_type(out, 1, S_SAMPLES, S_COUNT);
    put_value_type(out, 1, S_TIME, S_NANOSECONDS);
    for (uint32_t i = 0; i < profile->count_count; i++) {
        put_sample(profile, &profile->counts[i], out);
    }
    for (uint32_t i = 0; i < profile->frame_count; i++) {
        put_location(profile, i, out);
    }
    for (uint32_t i = 0; i < profile->function_count; i++) {
        put_function(profile, i, out);
    }
    for (int i = 0; i < OWN_STRINGS; i++) {
        protobuf_string(out, 6, own_strings[i]);
    }
    for (uint32_t i = 0; i < profile->string_count; i++) {
        protobuf_string(out, 6, profile->strings[i]);
    }
    protobuf_number(out, 9, profile->start_date);
    protobuf_number(out, 10, profile->end - profile->start);
    put_value_type(out, 11, S_TIME, S_NANOSECONDS);
    protobuf_number(out, 12, profile->period);
}

void write_pprof(const struct profile *profile, struct text *out) {
    struct text message = {.data = NULL};
    put_profile(profile, &message);
    gzip_stored(out, message.data == NULL ? "" : message.data, message.length);
    out->failed |= message.failed;
    text_free(&message);
}
