/*
 * hostile_arena_test.c: an arena into which somebody writes any bytes at any time, while a thread fires into
 * it and a consumer reads it: neither crashes, hangs, or touches memory outside of it. Prints nothing if all
 * is well. Arguments: seconds, and the seed of the first round.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* mremap */
#endif
#include "consumer/consumer.h"
#include "dlang/dlang.h"
#include "engine/arena.h"
#include "engine/engine.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PID = 7, NAMES = 40, ROUND_MS = 100, PASS_MS_MAX = 5000, MARGIN = 1 << 20 };

static const char script[] =
    "struct pair { int a; int b; };\n"
    "int64_t g; string gs; int64_t counts[string, int]; string names[int]; struct pair pairs[int];\n"
    "python7:::function-entry { self->depth++; self->seen[copyinstr(arg1)] = g; g += arg2; gs = "
    "copyinstr(arg1);\n"
    "  counts[gs, g % 500]++; names[g % 100] = strjoin(gs, names[g % 50]); pairs[g % 100].a++;\n"
    "  pairs[g % 100].b = pairs[(g + 7) % 100].a; }\n"
    "python7:::function-entry { self->id = speculation(); speculate(self->id);\n"
    "  printf(\"%s %d\", gs, g); }\n"
    "python7:::function-entry { @count[copyinstr(arg1)] = count(); @powers[g % 30] = quantize(g);\n"
    "  @levels[gs] = lquantize(g % 100, 0, 100, 5); @spread[names[g % 100]] = stddev(g);\n"
    "  @most[counts[gs, g % 500]] = max(g); }\n"
    "python7:::function-entry { printf(\"%s %s %d\\n\", gs, names[3], counts[gs, 1]); }\n"
    "python7:::function-entry /self->id && g % 3 == 0/ { commit(self->id); self->id = 0; }\n"
    "python7:::function-entry /self->id && g % 3 == 1/ { discard(self->id); self->id = 0; }\n"
    "python7:::function-return { self->depth--; ustack(5); @mean[self->depth] = avg(timestamp);\n"
    "  names[g % 77] = 0; counts[gs, g % 300] = 0; }\n"
    "python7:::function-return /g % 64 == 0/ { printa(@count); printa(\"%d %@d\\n\", @powers); "
    "clear(@mean);\n"
    "  trunc(@levels, 3); normalize(@most, 3); }\n";

static const char *const options[] = {"maxmem=1m nspec=4 quiet bufsize=64k", "maxmem=1m oformat=json",
                                      "maxmem=1m bufpolicy=ring bufsize=16k nspec=4 quiet",
                                      "maxmem=1m dynvarsize=4k aggsize=4k strsize=16 cleanrate=10ms"};

static const struct engine_probe probes[] = {
    {.id = 1, .name = "function-entry", .strings = 3, .by_code = 3, .has_code = true},
    {.id = 2, .name = "function-return", .strings = 3, .by_code = 3, .has_code = true},
};

static struct program_header *program;
static struct arena *of_target, *of_consumer;
static bool over; /* atomic */
static char names[NAMES][24];

static unsigned match(void *context, const char *provider, const char *module, const char *function,
                      const char *name) {
    (void)context, (void)module, (void)function, (void)name;
    return strncmp(provider, "python", 6) == 0;
}

static const char *argument_type(void *context, const char *provider, const char *name, unsigned index) {
    (void)context, (void)provider, (void)name, (void)index;
    return "int64_t";
}

static bool describe(void *context, uint32_t id, struct consumer_probe *probe) {
    (void)context;
    *probe = (struct consumer_probe){.provider = "python7", .name = probes[id % 2].name};
    return id < 1000;
}

static size_t stack(char *text, size_t n, uint32_t frames) {
    (void)frames;
    return (size_t)snprintf(text, n, "f (a.py:1)\ng (b.py:2)");
}

static void fail(const char *what) {
    printf("%s\n", what);
    exit(1);
}

static void compile(const char *with) {
    struct dlang_source source = {.name = "test.d", .text = script, .kind = 's'};
    struct dlang_settings settings = {
        .sources = &source, .source_count = 1, .probes = {.match = match, .argument_type = argument_type}};
    struct dlang_problem problem = {{0}, 0, 0, 0};
    struct dlang_result result = {0};
    char each[256], *rest = each;
    for (int i = 0; i < OPTION_COUNT; i++)
        settings.options[i] = OPTION_UNSET;
    snprintf(each, sizeof each, "%s", with);
    for (char *option; (option = strsep(&rest, " "));) {
        const char *wrong = dlang_option(settings.options, option, false);
        if (wrong)
            fail(wrong);
    }
    if (!dlang_compile(&settings, &result, &problem))
        fail(problem.text);
    program = result.program;
    free(result.matched);
}

/* Has nothing before it and behind it that can be read. */
static struct arena *map_alone(int fd) {
    char problem[256] = "";
    struct arena *arena = arena_map(fd, problem, sizeof problem);
    if (!arena)
        fail(problem);
    char *around = mmap(NULL, arena->size + 2 * MARGIN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *base =
        mremap(arena->base, arena->size, arena->size, MREMAP_MAYMOVE | MREMAP_FIXED, around + MARGIN);
    if (around == MAP_FAILED || base == MAP_FAILED)
        fail("no memory");
    ptrdiff_t by = base - arena->base;
    char **const places[] = {(char **)&arena->header,       (char **)&arena->base,
                             (char **)&arena->drops,        (char **)&arena->generations,
                             (char **)&arena->globals,      (char **)&arena->dynamic,
                             (char **)&arena->speculations, (char **)&arena->owners,
                             (char **)&arena->slots,        (char **)&arena->chunks};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        *places[i] += by;
    return arena;
}

static void unmap(struct arena *arena) {
    munmap(arena->base - MARGIN, MARGIN);
    munmap(arena->base + arena->size, MARGIN);
    arena_unmap(arena);
}

static long long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void *run_target(void *unused) {
    const struct engine_host host = {
        .provider = "python7", .pid = PID, .probes = probes, .probe_count = 2, .stack = stack};
    char problem[256] = "";
    struct engine *engine = engine_open(program, program->size, of_target, &host, problem, sizeof problem);
    (void)unused;
    if (!engine)
        fail(problem);
    struct engine_thread *thread = NULL;
    for (uint32_t i = 0; !__atomic_load_n(&over, __ATOMIC_RELAXED); i++) {
        uint32_t code = i / 2 % NAMES;
        const uint64_t arguments[10] = {(uintptr_t) "/x/demo.py", (uintptr_t)names[code], i % 97};
        struct engine_event event = {.probe = i % 2,
                                     .code_id = 1 + code,
                                     .file = "/x/demo.py",
                                     .function = names[code],
                                     .arguments = arguments};
        if (!thread)
            thread = engine_thread_enter(engine, 70);
        if (thread)
            engine_fire(thread, &event);
        if (thread && i % 5000 == 0) {
            engine_thread_leave(thread);
            thread = NULL;
        }
    }
    engine_close(engine);
    return NULL;
}

static void *run_consumer(void *unused) {
    char problem[256] = "";
    FILE *out = fopen("/dev/null", "w");
    struct consumer_settings settings = {.out = out, .err = out, .name = "test", .probe = describe};
    struct consumer *consumer = consumer_open(program, of_consumer, &settings, problem, sizeof problem);
    (void)unused;
    if (!consumer)
        fail(problem);
    while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        long long before = now_ms();
        consumer_pass(consumer, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec - 1000000);
        if (now_ms() - before > PASS_MS_MAX)
            fail("a pass does not end");
    }
    consumer_process_gone(consumer, PID);
    consumer_pass(consumer, UINT64_MAX);
    consumer_end(consumer);
    consumer_close(consumer);
    fclose(out);
    return NULL;
}

static uint64_t random_below(uint64_t *state, uint64_t n) {
    *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (*state >> 16) % n;
}

/* Anywhere; among what is before the chunks; where chunks are in use; or the words of one slot. */
static size_t choose_place(uint64_t *state) {
    const struct arena *arena = of_consumer;
    size_t chunks = (size_t)(arena->chunks - arena->base), slots = (size_t)(arena->slots - arena->base);
    switch (random_below(state, 4)) {
    case 0:
        return random_below(state, arena->size / 8) * 8;
    case 1:
        return random_below(state, chunks / 8) * 8;
    case 2:
        return chunks + random_below(state, 4 * arena->shape.chunk_size / 4) * 4;
    default:
        return slots + random_below(state, 4 * arena->slot_size / 4) * 4;
    }
}

static void scribble(uint64_t *state) {
    static const uint64_t words[] = {0, 1, 2, 3, 7, 8, 71, UINT64_MAX, INT64_MAX, 0x7fffffff, 0x80000000};
    size_t at = choose_place(state);
    uint64_t word = random_below(state, 2) ? words[random_below(state, sizeof words / sizeof words[0])]
                                           : random_below(state, 1ULL << random_below(state, 48));
    memcpy(of_consumer->base + at, &word, random_below(state, 2) ? 4 : 8);
    /* So that it goes on. */
    __atomic_store_n(&of_consumer->header->activity, ARENA_ACTIVE, __ATOMIC_RELAXED);
}

static void one_round(uint64_t seed) {
    struct arena_shape shape;
    char problem[256] = "";
    pthread_t target, consumer;
    compile(options[seed % (sizeof options / sizeof options[0])]);
    arena_shape_of(&shape, program);
    int fd = arena_create(&shape, problem, sizeof problem);
    if (fd < 0)
        fail(problem);
    of_target = map_alone(fd);
    of_consumer = map_alone(fd);
    arena_advance(of_consumer, ARENA_ACTIVE);
    over = false;
    if (pthread_create(&target, NULL, run_target, NULL) ||
        pthread_create(&consumer, NULL, run_consumer, NULL))
        fail("no thread");
    uint64_t state = seed * 7919 + 1;
    for (long long end = now_ms() + ROUND_MS; now_ms() < end;)
        for (int i = 0; i < 200; i++)
            scribble(&state);
    __atomic_store_n(&over, true, __ATOMIC_RELAXED);
    pthread_join(target, NULL);
    pthread_join(consumer, NULL);
    unmap(of_target);
    unmap(of_consumer);
    close(fd);
    free(program);
}

int main(int count, char **arguments) {
    int seconds = count > 1 ? atoi(arguments[1]) : 2;
    uint64_t seed = count > 2 ? strtoull(arguments[2], NULL, 10) : 0;
    for (int i = 0; i < NAMES; i++)
        snprintf(names[i], sizeof names[i], "function%d", i);
    for (long long end = now_ms() + seconds * 1000LL; now_ms() < end; seed++)
        one_round(seed);
    return 0;
}
