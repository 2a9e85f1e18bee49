/*
 * catprobe dump: what each thread of some processes does at the moment.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "clocks.h"
#include "command.h"
#include "sampling.h"
#include "signals.h"
#include "verb_options.h"
#include "viewer/snapshot.h"
#include "viewer/terminal.h"

#include <stdlib.h>
#include <string.h>

/* Nanoseconds. */
static const uint64_t ANSWER_MAX = 1000000000; /* processes have so long to answer */
static const uint64_t PERIOD = 1000000;        /* the first tick is also the only one */

struct dump {
    struct sampling_request request;
    pid_t *pids;
    bool json;
    struct snapshot *snapshot;
};

static int take_pid(void *context, const char *argument) {
    struct dump *dump = context;
    return parse_pid(argument, &dump->pids[dump->request.pid_count++]) ? STATUS_OK : STATUS_USAGE;
}

static int take_locals(void *context, const char *argument) {
    (void)argument;
    ((struct dump *)context)->request.locals = true;
    return STATUS_OK;
}

static int take_json(void *context, const char *argument) {
    (void)argument;
    ((struct dump *)context)->json = true;
    return STATUS_OK;
}

static int take_tree(void *context, const char *argument) {
    (void)argument;
    ((struct dump *)context)->request.children = true;
    return STATUS_OK;
}

static const struct verb_option dump_options[] = {
    {"-p", true, take_pid},
    {"--pid", true, take_pid},
    {"-l", false, take_locals},
    {"--locals", false, take_locals},
    {"-j", false, take_json},
    {"--json", false, take_json},
    {"-s", false, take_tree},
    {"--tree", false, take_tree},
    {"--subprocesses", false, take_tree},
    {NULL, false, NULL},
};

static const struct verb_words dump_words = {
    .tables = (const struct verb_option *const[]){dump_options, NULL},
    .take_word = take_pid,
};

static void take_sample(void *context, const struct sampling_process *process, const struct sample *sample) {
    snapshot_take(context, process, sample);
}

static const struct sampling_process *find_process(const struct sampling *sampling, pid_t pid) {
    size_t count;
    struct sampling_process *const *processes = sampling_processes(sampling, &count);
    for (size_t i = 0; i < count; i++) {
        if (processes[i]->pid == pid) {
            return processes[i];
        }
    }
    return NULL;
}

/* One line for each that was asked for and has nothing to show. False if there is such a one. */
static bool check_processes(const struct dump *dump, const struct sampling *sampling) {
    bool good = true;
    for (size_t i = 0; i < dump->request.pid_count; i++) {
        const struct sampling_process *process = find_process(sampling, dump->pids[i]);
        if (process == NULL || process->problem != NULL) {
            good = false; /* it has been said */
        } else if (!snapshot_has(dump->snapshot, process)) {
            good = false;
            command_error("process %ld %s", (long)process->pid,
                          process->ended ? "has ended" : "has not answered within a second: is it stopped?");
        }
    }
    return good;
}

static void print(const struct dump *dump, const struct sampling *sampling) {
    struct text out = {.data = NULL};
    size_t count;
    struct sampling_process *const *processes = sampling_processes(sampling, &count);
    if (dump->json) {
        snapshot_json(&out, dump->snapshot);
    } else {
        snapshot_print(&out, dump->snapshot, processes, count, terminal_is_utf8());
    }
    command_print("%.*s", (int)out.length, out.data == NULL ? "" : out.data);
    text_free(&out);
}

static int run(struct dump *dump) {
    uint64_t end = clocks_now() + ANSWER_MAX;
    dump->request.pids = dump->pids;
    dump->request.period = PERIOD;
    dump->request.ticks = 1;
    dump->request.idle = dump->request.tasks = dump->request.native = true;
    struct sampling *sampling = signals_catch() ? sampling_open(&dump->request) : NULL;
    if (sampling == NULL) {
        return STATUS_FAILED;
    }
    dump->snapshot = snapshot_new();
    while (clocks_now() < end && signals_came() == 0 && sampling_wait(sampling, -1, end)) {
        sampling_read(sampling, take_sample, dump->snapshot);
    }
    sampling_read(sampling, take_sample, dump->snapshot);
    print(dump, sampling);
    bool good = check_processes(dump, sampling);
    snapshot_free(dump->snapshot);
    sampling_close(sampling);
    return good ? STATUS_OK : STATUS_FAILED;
}

int command_dump(int argc, char **argv) {
    struct dump dump = {.pids = command_allocate((size_t)argc, sizeof *dump.pids)};
    int status = verb_options_take(&dump_words, &dump, argc, argv);
    if (status == STATUS_OK && dump.request.pid_count == 0) {
        status = command_usage_error("dump: of which process? catprobe ps lists those that can be looked at");
    }
    if (status == STATUS_OK) {
        status = run(&dump);
    }
    free(dump.pids);
    return status;
}
