/*
 * catprobe record: samples the stacks of processes into a file, in one of the viewer's formats.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "clocks.h"
#include "command.h"
#include "gather.h"
#include "output.h"
#include "sampling.h"
#include "signals.h"
#include "verb_options.h"
#include "viewer/formats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const uint64_t SECOND = 1000000000;
static const uint64_t READ_PACE = 50000000;      /* ns between two looks at what has come */
static const uint64_t NAMES_PACE = 200000000;    /* ns before the first, in which threads get their names */
static const uint64_t PROGRESS_PACE = 250000000; /* and between two lines of progress */

enum { RATE_MAX = 100000 };

struct record {
    struct sampling_request request;
    pid_t *pids;
    const char *output;
    const struct profile_format *format;
    int64_t duration; /* ns; 0: until Ctrl-C */
    struct gather gather;
    struct profile profile;
    struct sampling *sampling;
    bool progress; /* on a terminal */
};

/* What all processes together tell. */
struct tally {
    uint64_t torn, missed, lost;
};

static int take_pid(void *context, const char *argument) {
    struct record *record = context;
    return parse_pid(argument, &record->pids[record->request.pid_count++]) ? STATUS_OK : STATUS_USAGE;
}

static int take_duration(void *context, const char *argument) {
    return parse_duration("-d", argument, "s", &((struct record *)context)->duration);
}

static int take_rate(void *context, const char *argument) {
    char *end;
    double rate = strtod(argument, &end);
    if (end == argument || argument + strspn(argument, "0123456789.") != end || *end != '\0' ||
        !(rate >= 0.01 && rate <= RATE_MAX)) {
        return command_usage_error("-r takes how many samples a second, up to %d, not %s", RATE_MAX,
                                   argument);
    }
    ((struct record *)context)->request.period = (uint64_t)((double)SECOND / rate + 0.5);
    return STATUS_OK;
}

static int take_output(void *context, const char *argument) {
    ((struct record *)context)->output = argument;
    return STATUS_OK;
}

static int take_format(void *context, const char *argument) {
    struct record *record = context;
    record->format = profile_format_named(argument);
    if (record->format != NULL) {
        return STATUS_OK;
    }
    struct text names = {.data = NULL};
    profile_format_names(&names);
    int status =
        command_usage_error("--format is one of %.*s, not %s", (int)names.length, names.data, argument);
    text_free(&names);
    return status;
}

static int take_gil(void *context, const char *argument) {
    (void)argument;
    ((struct record *)context)->gather.gil = true;
    return STATUS_OK;
}

static int take_idle(void *context, const char *argument) {
    (void)argument;
    ((struct record *)context)->request.idle = true;
    return STATUS_OK;
}

static int take_threads(void *context, const char *argument) {
    (void)argument;
    ((struct record *)context)->gather.threads = true;
    return STATUS_OK;
}

static int take_subprocesses(void *context, const char *argument) {
    (void)argument;
    ((struct record *)context)->request.children = true;
    return STATUS_OK;
}

static int take_functions(void *context, const char *argument) {
    (void)argument;
    ((struct record *)context)->gather.functions = true;
    return STATUS_OK;
}

static int take_mine(void *context, const char *argument) {
    (void)argument;
    ((struct record *)context)->gather.mine = true;
    return STATUS_OK;
}

static int take_program(void *context, char *const *program) {
    ((struct record *)context)->request.program = program;
    return STATUS_OK;
}

static const struct verb_option options[] = {
    {"-p", true, take_pid},           {"--pid", true, take_pid},
    {"-d", true, take_duration},      {"--duration", true, take_duration},
    {"-r", true, take_rate},          {"--rate", true, take_rate},
    {"-o", true, take_output},        {"--output", true, take_output},
    {"-f", true, take_format},        {"--format", true, take_format},
    {"-g", false, take_gil},          {"--gil", false, take_gil},
    {"-i", false, take_idle},         {"--idle", false, take_idle},
    {"-t", false, take_threads},      {"--threads", false, take_threads},
    {"-s", false, take_subprocesses}, {"--subprocesses", false, take_subprocesses},
    {"-F", false, take_functions},    {"--function", false, take_functions},
    {"--mine", false, take_mine},     {NULL, false, NULL},
};

static const struct verb_words words = {
    .tables = (const struct verb_option *const[]){options, NULL},
    .take_word = take_pid,
    .take_program = take_program,
};

/* What the options have to say together. */
static int check(struct record *record) {
    if (record->request.pid_count == 0 && record->request.program == NULL) {
        return command_usage_error("record: which process? A PID, or -- PROGRAM [ARGUMENT]...");
    }
    if (record->output == NULL) {
        return command_usage_error("record: -o FILE says where to, as in -o profile.svg");
    }
    if (record->format == NULL) {
        record->format = profile_format_of_file(record->output);
    }
    if (record->format == NULL) {
        struct text names = {.data = NULL};
        profile_format_names(&names);
        int status = command_usage_error("%s: which format? --format is one of %.*s", record->output,
                                         (int)names.length, names.data);
        text_free(&names);
        return status;
    }
    return output_check(record->output) ? STATUS_OK : STATUS_FAILED;
}

static struct tally count(const struct record *record) {
    struct tally tally = {.torn = 0};
    size_t processes;
    struct sampling_process *const *list = sampling_processes(record->sampling, &processes);
    for (size_t i = 0; i < processes; i++) {
        const struct samples_header *samples = list[i]->samples;
        if (samples != NULL) {
            tally.torn += __atomic_load_n(&samples->torn, __ATOMIC_RELAXED);
            tally.missed += __atomic_load_n(&samples->ticks_missed, __ATOMIC_RELAXED);
            tally.lost += __atomic_load_n(&samples->lost, __ATOMIC_RELAXED);
        }
    }
    return tally;
}

/* "1234 samples in 5.0 s, 2 torn, 1 missed, 3 lost": what is 0 is not said. */
static void describe(const struct record *record, uint64_t now, struct text *out) {
    struct tally tally = count(record);
    const struct {
        uint64_t number;
        const char *what;
    } faults[] = {
        {tally.torn, "torn"}, {tally.missed, "missed as the sampler was behind"}, {tally.lost, "lost"}};
    text_format(out, "%llu sample%s in %.1f s", (unsigned long long)record->profile.total,
                record->profile.total == 1 ? "" : "s",
                (double)(now - record->profile.start) / (double)SECOND);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        if (faults[i].number > 0) {
            text_format(out, ", %llu %s", (unsigned long long)faults[i].number, faults[i].what);
        }
    }
}

static void show_progress(const struct record *record, uint64_t now) {
    struct text line = {.data = NULL};
    describe(record, now, &line);
    fprintf(stderr, "\r\033[K%.*s; Ctrl-C ends it", (int)line.length, line.data);
    fflush(stderr);
    text_free(&line);
}

/* Until the time is over, a signal has come, or nothing more will. */
static void follow(struct record *record) {
    uint64_t end = record->duration > 0 ? record->profile.start + (uint64_t)record->duration : UINT64_MAX;
    uint64_t shown = 0;
    bool more = true;
    while (more && signals_came() == 0) {
        uint64_t now = clocks_now();
        if (now >= end) {
            break;
        }
        if (record->progress && now - shown >= PROGRESS_PACE) {
            show_progress(record, now);
            shown = now;
        }
        more = sampling_wait(record->sampling, -1, end - now < READ_PACE ? end : now + READ_PACE);
        if (clocks_now() - record->profile.start >= NAMES_PACE) {
            sampling_read(record->sampling, gather_take, &record->gather);
        }
    }
    record->profile.end = clocks_now();
    sampling_read(record->sampling, gather_take, &record->gather);
    if (record->progress) {
        fputs("\r\033[K", stderr);
    }
    if (!more && record->duration > 0 && record->request.program == NULL) {
        fprintf(stderr, "%s: what was recorded has ended\n", command_name());
    }
}

/* The command of the first process, and how many others there are. */
static void put_title(const struct record *record, struct text *title) {
    size_t processes;
    struct sampling_process *const *list = sampling_processes(record->sampling, &processes);
    text_string(title, processes > 0 ? list[0]->command : command_name());
    if (processes > 1) {
        text_format(title, ", and %zu more process%s", processes - 1, processes > 2 ? "es" : "");
    }
    text_char(title, '\0');
}

static int write_file(struct record *record) {
    struct text title = {.data = NULL};
    struct text content = {.data = NULL};
    put_title(record, &title);
    record->profile.title = title.failed ? "" : title.data;
    record->profile.exporter = "catprobe " CATPROBE_VERSION;
    profile_finish(&record->profile);
    record->format->write(&record->profile, &content);
    int status = STATUS_OK;
    if (record->profile.failed || content.failed || title.failed) {
        status = command_error("out of memory");
    } else if (!output_write(record->output, content.data, content.length)) {
        status = STATUS_FAILED;
    }
    text_free(&title);
    text_free(&content);
    return status;
}

static int finish(struct record *record) {
    struct text line = {.data = NULL};
    describe(record, record->profile.end, &line);
    int status;
    if (record->profile.total == 0) {
        status = command_error("nothing to write, %.*s: %s", (int)line.length, line.data,
                               record->gather.gil || record->gather.mine ? "see without --gil and --mine"
                               : record->request.idle
                                   ? "no thread had a Python frame"
                                   : "no thread was running; --idle records those that wait, too");
    } else {
        status = write_file(record);
        if (status == STATUS_OK) {
            fprintf(stderr, "%s: wrote %s: %.*s\n", command_name(), record->output, (int)line.length,
                    line.data);
        }
    }
    text_free(&line);
    return status;
}

static uint64_t date(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static int run(struct record *record) {
    if (!signals_catch()) {
        return STATUS_FAILED;
    }
    record->request.native = true;
    record->request.pids = record->pids;
    record->progress = isatty(STDERR_FILENO);
    record->gather.profile = &record->profile;
    record->gather.processes = record->request.children || record->request.pid_count > 1;
    record->profile.ordered = record->format->ordered;
    record->profile.period = record->request.period;
    profile_open(&record->profile);
    record->sampling = sampling_open(&record->request);
    if (record->sampling == NULL) {
        return STATUS_FAILED;
    }
    record->profile.start = clocks_now();
    record->profile.start_date = date();
    fprintf(stderr, "%s: recording at %g Hz%s\n", command_name(),
            (double)SECOND / (double)record->request.period, record->duration > 0 ? "" : ", until Ctrl-C");
    follow(record);
    int status = finish(record);
    int program_status = sampling_close(record->sampling);
    return status == STATUS_OK ? program_status : status;
}

int command_record(int argc, char **argv) {
    struct record record = {.request = {.period = SECOND / 100}};
    record.pids = command_allocate((size_t)argc, sizeof *record.pids);
    int status = verb_options_take(&words, &record, argc, argv);
    if (status == STATUS_OK) {
        status = check(&record);
    }
    if (status == STATUS_OK) {
        status = run(&record);
    }
    gather_close(&record.gather);
    profile_close(&record.profile);
    free(record.pids);
    return status;
}
