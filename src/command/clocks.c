/*
 * The probes that fire in the command itself.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "clocks.h"

#include "command.h"
#include "engine/engine.h"
#include "sampler/sampler.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#    include <sys/syscall.h>
#endif

static const uint64_t LATE_MAX =
    1000000000; /* ns; what was missed before that (a stopped command) is left out */

enum { BEGIN_INDEX, END_INDEX, ERROR_INDEX, CLOCK_INDEX };
enum { TARGETS_MAX = 400 /* bytes: of a request that has CONTROL_REQUEST_MAX */ };

struct clock {
    uint64_t period, due; /* ns */
    uint32_t probe;       /* index in the host's probes */
};

struct clocks {
    struct engine *engine;
    struct engine_thread *thread;
    struct engine_probe *probes;
    struct clock *clocks;
    size_t count;
    char of_targets[TARGETS_MAX]; /* see clocks_of_targets */
};

uint64_t clocks_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint32_t thread_id(void) {
#if defined(__linux__)
    return (uint32_t)syscall(SYS_gettid);
#else
    return (uint32_t)getpid();
#endif
}

/* The catalog's clocks, which it has in the order of their ids. */
static void add_clocks(struct clocks *clocks, const struct catalog *catalog) {
    clocks->probes = command_allocate(CLOCK_INDEX + catalog->count, sizeof *clocks->probes);
    clocks->clocks = command_allocate(catalog->count, sizeof *clocks->clocks);
    for (int i = 0; i < CLOCK_INDEX; i++) {
        const struct catalog_probe *probe = &catalog->probes[i];
        clocks->probes[i] =
            (struct engine_probe){.id = probe->id, .provider = probe->provider, .name = probe->name};
    }
    for (size_t i = CLOCK_INDEX; i < catalog->count; i++) {
        const struct catalog_probe *probe = &catalog->probes[i];
        if (strcmp(probe->provider, "profile") == 0) {
            size_t index = CLOCK_INDEX + clocks->count;
            clocks->probes[index] =
                (struct engine_probe){.id = probe->id, .provider = probe->provider, .name = probe->name};
            clocks->clocks[clocks->count++] =
                (struct clock){.period = program_clock_period(probe->name), .probe = (uint32_t)index};
        }
    }
}

/* False after a message: a target takes no more. */
static bool name_those_of_targets(struct clocks *clocks) {
    static const char prefix[] = "profile-";
    size_t length = 0;
    unsigned count = 0;
    for (size_t i = CLOCK_INDEX; i < CLOCK_INDEX + clocks->count; i++) {
        const struct engine_probe *probe = &clocks->probes[i];
        if (strncmp(probe->name, prefix, sizeof prefix - 1) != 0) {
            continue;
        }
        length += (size_t)snprintf(clocks->of_targets + length, sizeof clocks->of_targets - length,
                                   "%s%lu:%s", length == 0 ? "" : ",", (unsigned long)probe->id, probe->name);
        if (++count > SAMPLER_CLOCKS_MAX || length >= sizeof clocks->of_targets) {
            command_error("a program may have %d clocks profile-N: use tick-N for what only counts time",
                          SAMPLER_CLOCKS_MAX);
            return false;
        }
    }
    return true;
}

const char *clocks_of_targets(const struct clocks *clocks) {
    return clocks->of_targets;
}

struct clocks *clocks_open(const struct program_header *program, struct arena *arena,
                           struct catalog *catalog) {
    const struct program_enabling *enablings = program_entries(program, SECTION_ENABLINGS);
    for (uint32_t i = 0; i < program_count(program, SECTION_ENABLINGS); i++) {
        catalog_add_clocks(catalog, program_string(program, enablings[i].provider),
                           program_string(program, enablings[i].module),
                           program_string(program, enablings[i].function),
                           program_string(program, enablings[i].name));
    }
    struct clocks *clocks = command_allocate(1, sizeof *clocks);
    add_clocks(clocks, catalog);
    if (!name_those_of_targets(clocks)) {
        clocks_close(clocks);
        return NULL;
    }
    struct engine_host host = {
        .provider = "dtrace",
        .pid = (uint32_t)getpid(),
        .probes = clocks->probes,
        .probe_count = (uint32_t)(CLOCK_INDEX + clocks->count),
    };
    char problem[512];
    clocks->engine = engine_open(program, program->size, arena, &host, problem, sizeof problem);
    if (clocks->engine != NULL) {
        clocks->thread = engine_thread_enter(clocks->engine, thread_id());
    }
    if (clocks->thread == NULL) {
        command_error("%s", clocks->engine == NULL ? problem : "not enough memory for a session");
        clocks_close(clocks);
        return NULL;
    }
    return clocks;
}

void clocks_close(struct clocks *clocks) {
    if (clocks == NULL) {
        return;
    }
    if (clocks->thread != NULL) {
        engine_thread_leave(clocks->thread);
    }
    if (clocks->engine != NULL) {
        engine_close(clocks->engine);
    }
    free(clocks->probes);
    free(clocks->clocks);
    free(clocks);
}

static void fire(struct clocks *clocks, uint32_t probe) {
    uint64_t arguments[10] = {0};
    if (probe >= CLOCK_INDEX) {
        arguments[1] = (uint64_t)(uintptr_t)fire; /* of a clock: where this process was */
    }
    struct engine_event event = {.probe = probe, .arguments = arguments};
    errno = 0; /* D's errno is that of what the program did: nothing */
    engine_fire(clocks->thread, &event);
}

void clocks_begin(struct clocks *clocks) {
    fire(clocks, BEGIN_INDEX);
    uint64_t now = clocks_now();
    for (size_t i = 0; i < clocks->count; i++) {
        clocks->clocks[i].due = now + clocks->clocks[i].period;
    }
}

void clocks_end(struct clocks *clocks) {
    fire(clocks, END_INDEX);
}

/* The clock that is due first; among several the one that was named first. NULL: there is none. */
static struct clock *first_due(const struct clocks *clocks) {
    struct clock *first = NULL;
    for (size_t i = 0; i < clocks->count; i++) {
        if (first == NULL || clocks->clocks[i].due < first->due) {
            first = &clocks->clocks[i];
        }
    }
    return first;
}

uint64_t clocks_due(const struct clocks *clocks) {
    const struct clock *first = first_due(clocks);
    return first == NULL ? UINT64_MAX : first->due;
}

bool clocks_fire_one(struct clocks *clocks, uint64_t now) {
    struct clock *clock = first_due(clocks);
    if (clock == NULL || clock->due > now) {
        return false;
    }
    if (now - clock->due > LATE_MAX && now - clock->due >= clock->period) {
        clock->due += (now - clock->due) / clock->period * clock->period;
    }
    clock->due += clock->period;
    fire(clocks, clock->probe);
    return true;
}
