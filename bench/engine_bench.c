/*
 * engine_bench.c: what the engine and the consumer cost, without an interpreter: fires the entries and
 * returns of fib(N) for a D program, then lets the consumer print what lies in the buffers.
 *
 *     engine_bench [-n] [-f FUNCTIONS] [-r ROUNDS] [-x OPTION]... TEXT|FILE.d
 *
 * Prints nanoseconds for each firing, and without -n records kept and nanoseconds that the consumer took for
 * each.
 */
#include "consumer/consumer.h"
#include "dlang/dlang.h"
#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PID = 1, FIB_OF = 15, FUNCTIONS_MAX = 1 << 17, STRINGS = 1 << 0 | 1 << 1 | 1 << 3 };
enum { PROBE_BEGIN, PROBE_ENTRY, PROBE_RETURN, PROBES };

static const struct engine_probe probes[PROBES] = {
    [PROBE_BEGIN] = {.id = 1, .provider = "dtrace", .name = "BEGIN"},
    [PROBE_ENTRY] =
        {.id = 11, .name = "function-entry", .strings = STRINGS, .by_code = STRINGS, .has_code = true},
    [PROBE_RETURN] =
        {.id = 12, .name = "function-return", .strings = STRINGS, .by_code = STRINGS, .has_code = true},
};

static struct {
    struct engine_thread *thread;
    uint32_t functions, at;
    uint64_t firings;
    char (*names)[16];
    uint64_t (*arguments)[10];
    struct engine_event (*events)[PROBES];
} bench = {.functions = 1};

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static __attribute__((noreturn)) void fail(const char *words) {
    fprintf(stderr, "engine_bench: %s\n", words);
    exit(1);
}

static void fire(uint32_t probe, uint32_t function, uint64_t line) {
    struct engine_event *event = &bench.events[function][probe];
    bench.arguments[function][2] = line;
    engine_fire(bench.thread, event);
    bench.firings++;
}

static int fib(int n) {
    uint32_t function = bench.at++ % bench.functions;
    fire(PROBE_ENTRY, function, 7);
    int result = n < 2 ? n : fib(n - 1) + fib(n - 2);
    fire(PROBE_RETURN, function, 8);
    return result;
}

static unsigned match(void *context, const char *provider, const char *module, const char *function,
                      const char *name) {
    (void)context, (void)provider, (void)module, (void)function, (void)name;
    return 1;
}

static const char *argument_type(void *context, const char *provider, const char *name, unsigned index) {
    (void)context, (void)provider, (void)name;
    return index == 2 ? "int" : "string";
}

static bool describe(void *context, uint32_t id, struct consumer_probe *probe) {
    (void)context;
    for (int i = 0; i < PROBES; i++) {
        if (probes[i].id == id) {
            *probe = (struct consumer_probe){"python1", "", "", probes[i].name};
            return true;
        }
    }
    return false;
}

static char *read_file(const char *name) {
    enum { MOST = 1 << 20 };
    FILE *file = fopen(name, "r");
    char *text = calloc(1, MOST);
    if (!file || !text)
        fail("the script cannot be read");
    text[fread(text, 1, MOST - 1, file)] = '\0';
    fclose(file);
    return text;
}

static struct program_header *compile(struct dlang_settings *settings, char *what) {
    struct dlang_result result;
    struct dlang_problem problem;
    size_t length = strlen(what);
    bool is_file = length > 2 && strcmp(what + length - 2, ".d") == 0;
    struct dlang_source source = {is_file ? what : NULL, is_file ? read_file(what) : what, !is_file,
                                  is_file ? 's' : 'n'};
    settings->sources = &source;
    settings->source_count = 1;
    settings->target = PID;
    settings->probes = (struct dlang_probes){match, argument_type, NULL, NULL};
    if (!dlang_compile(settings, &result, &problem))
        fail(problem.text);
    return result.program;
}

/* As the hooks have them ready. */
static void make_events(void) {
    static const char file[] = "/usr/lib/python3/somewhere/fib.py";
    bench.names = calloc(bench.functions, sizeof *bench.names);
    bench.arguments = calloc(bench.functions, sizeof *bench.arguments);
    bench.events = calloc(bench.functions, sizeof *bench.events);
    if (!bench.names || !bench.arguments || !bench.events)
        fail("not enough memory");
    for (uint32_t i = 0; i < bench.functions; i++) {
        char *name = bench.names[i];
        snprintf(name, sizeof *bench.names, i ? "fib%u" : "fib", i);
        bench.arguments[i][0] = (uintptr_t)file;
        bench.arguments[i][1] = bench.arguments[i][3] = (uintptr_t)name;
        for (uint32_t probe = 0; probe < PROBES; probe++)
            bench.events[i][probe] = (struct engine_event){.probe = probe,
                                                           .code_id = i + 1,
                                                           .file = file,
                                                           .function = name,
                                                           .arguments = bench.arguments[i]};
    }
}

static void consume(const struct program_header *program, struct arena *arena) {
    char problem[256];
    const struct consumer_settings settings = {
        .out = fopen("/dev/null", "w"), .err = stderr, .name = "engine_bench", .probe = describe};
    struct consumer *consumer = consumer_open(program, arena, &settings, problem, sizeof problem);
    if (!consumer)
        fail(problem);
    uint64_t start = now();
    consumer_pass(consumer, UINT64_MAX);
    uint64_t taken = now() - start, records = consumer_records(consumer);
    printf(" %llu records", (unsigned long long)records);
    if (records > 1)
        printf(" %.1f ns/record", (double)taken / (double)records);
    consumer_close(consumer);
    fclose(settings.out);
}

int main(int count, char **words) {
    struct dlang_settings settings = {0};
    char problem[256];
    int rounds = 100, option;
    bool consumes = true;
    for (int i = 0; i < OPTION_COUNT; i++)
        settings.options[i] = OPTION_UNSET;
    while ((option = getopt(count, words, "f:r:x:n")) != -1) {
        if (option == 'f')
            bench.functions = (uint32_t)atoi(optarg);
        else if (option == 'r')
            rounds = atoi(optarg);
        else if (option == 'n')
            consumes = false;
        else if (option != 'x' || dlang_option(settings.options, optarg, false) != NULL)
            fail("[-n] [-f FUNCTIONS] [-r ROUNDS] [-x OPTION]... TEXT|FILE.d");
    }
    if (optind + 1 != count || bench.functions < 1 || bench.functions > FUNCTIONS_MAX || rounds < 1)
        fail("[-n] [-f FUNCTIONS] [-r ROUNDS] [-x OPTION]... TEXT|FILE.d");
    struct program_header *program = compile(&settings, words[optind]);
    make_events();

    struct arena_shape shape;
    arena_shape_of(&shape, program);
    int file = arena_create(&shape, problem, sizeof problem);
    struct arena *arena = file < 0 ? NULL : arena_map(file, problem, sizeof problem);
    const struct engine_host host = {
        .provider = "python1", .pid = PID, .probes = probes, .probe_count = PROBES};
    struct engine *engine =
        arena ? engine_open(program, program->size, arena, &host, problem, sizeof problem) : NULL;
    if (!engine)
        fail(problem);
    bench.thread = engine_thread_enter(engine, PID);
    static const uint64_t arguments[10];
    engine_fire(bench.thread, &(struct engine_event){.probe = PROBE_BEGIN, .arguments = arguments});
    arena_advance(arena, ARENA_ACTIVE);

    double best = 1e9;
    for (int i = 0; i < rounds; i++) {
        uint64_t start = now(), before = bench.firings;
        fib(FIB_OF);
        double each = (double)(now() - start) / (double)(bench.firings - before);
        best = each < best ? each : best;
    }
    printf("%.1f ns/firing", best);
    if (consumes)
        consume(program, arena);
    printf("\n");
    engine_close(engine);
    arena_unmap(arena);
    free(program);
    free(bench.names);
    free(bench.arguments);
    free(bench.events);
    return 0;
}
