/*
 * Unit tests of what top and dump show, on processes whose samples were made by hand: parts and times,
 * windows, the layout of every size of screen, groups of equal stacks. Silent when all is well; `viewer_test
 * width` prints the width of each character.
 */
#include "check.h"
#include "command/command.h"
#include "viewer/figures.h"
#include "viewer/place.h"
#include "viewer/screen.h"
#include "viewer/snapshot.h"
#include "viewer/width.h"

#include <stdarg.h>
#include <stdlib.h>

static void equal(int line, long long is, long long should_be) {
    if (is != should_be) {
        printf("%s:%d: is %lld, should be %lld\n", __FILE__, line, is, should_be);
        failures++;
    }
}
#define EQUAL(is, should_be) equal(__LINE__, (long long)(is), (long long)(should_be))

static const uint64_t PERIOD = 10000000; /* ns: 100 Hz */

/* The tables of a process, and what of the door hands them out. */

enum { FIND = 1, PURR, FAR, FILES, LIBRARY, MAIN, WORKER, TASK };

static const char *const strings[] = {"",
                                      "find",
                                      "Cat.purr",
                                      "a_long_name",
                                      "/home/cats/demo.py",
                                      "/usr/lib/python3.11/email/parser.py",
                                      "MainThread",
                                      "worker \xe7\x8c\xab",
                                      "Task-1"};

static const struct samples_frame frames[] = {
    {.function = FIND, .qualified = FIND, .file = FILES, .line = 10, .first_line = 8},
    {.function = FIND, .qualified = PURR, .file = FILES, .line = 30, .first_line = 28},
    {.function = FAR, .qualified = FAR, .file = LIBRARY, .line = 0, .first_line = 0},
    {.function = FIND, .qualified = FIND, .file = FILES, .line = 11, .first_line = 8},
};

/* find:10 > purr:30; find:10; find:10 > find:11; a_long_name */
static const struct samples_node nodes[] = {{0, 0}, {0, 0}, {1, 1}, {1, 3}, {0, 2}};
enum { NODE_FIND = 1, NODE_PURR, NODE_RECURSION, NODE_FAR };

static const struct samples_thread threads[] = {
    {.ident = 77, .tid = 501, .name = MAIN, .main = 1},
    {.ident = 78, .tid = 502, .name = WORKER},
    {.ident = 79, .name = TASK, .kind = SAMPLES_TASK},
};

static const char locals[] = "self\0<Cat>\0n\0003\0\0x\0'y'\0";

const char *sampling_string(const struct sampling_process *process, uint32_t string) {
    (void)process;
    return strings[string];
}

struct samples_frame sampling_frame(const struct sampling_process *process, uint32_t frame) {
    (void)process;
    return frames[frame];
}

struct samples_node sampling_node(const struct sampling_process *process, uint32_t node) {
    (void)process;
    return nodes[node];
}

struct samples_thread sampling_thread(const struct sampling_process *process, uint32_t thread) {
    (void)process;
    return threads[thread];
}

const char *sampling_locals(const struct sampling_process *process, const struct sample *sample,
                            size_t *length) {
    (void)process;
    *length = sizeof locals;
    return sample->locals == 0 ? NULL : locals;
}

/* What the rooms take from the command. */

void *command_allocate(size_t count, size_t size) {
    void *memory = calloc(count > 0 ? count : 1, size);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

int command_error(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    return STATUS_FAILED;
}

/* A process, and its ticks. */
struct by_hand {
    struct samples_header header;
    struct sampling_process process;
    struct figures *figures;
};

static void begin(struct by_hand *hand, enum figures_filter filter) {
    *hand = (struct by_hand){.process = {.pid = 500, .command = "python3 demo.py", .version = "3.11.7"}};
    hand->process.samples = &hand->header;
    hand->figures = figures_new(filter, PERIOD);
}

/* So many ticks with a sample of a thread in each. */
static void ticks(struct by_hand *hand, unsigned count, uint32_t thread, uint32_t node, uint32_t state) {
    for (unsigned i = 0; i < count; i++) {
        struct sample sample = {.thread = thread, .node = node, .state = state};
        hand->header.ticks += (state & SAMPLE_FIRST) != 0;
        figures_take(hand->figures, &hand->process, &sample);
    }
}

static const struct figures_row *row_of(struct by_hand *hand, enum figures_by by, const char *label) {
    static const struct figures_row none = {.line = 0};
    size_t count;
    struct figures_row *const *rows = figures_sorted(hand->figures, by, FIGURES_OWN, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i]->label, label) == 0) {
            return rows[i];
        }
    }
    return &none;
}

/* A value in percent, or in hundredths of a second. */
static long hundredths(const struct figures_row *row, enum figures_column column) {
    return (long)(100 * row->value[column] + 0.5);
}

enum { BUSY = SAMPLE_FIRST | SAMPLE_ON_CPU | SAMPLE_HAS_GIL };

static void test_parts_and_times(void) {
    struct by_hand hand;
    begin(&hand, FIGURES_ACTIVE);
    ticks(&hand, 60, 0, NODE_PURR, BUSY);
    ticks(&hand, 20, 0, NODE_FIND, BUSY);
    ticks(&hand, 10, 0, NODE_RECURSION, BUSY);
    ticks(&hand, 10, 0, NODE_FAR, SAMPLE_FIRST);     /* idle: a tick, but nobody's time */
    ticks(&hand, 30, 1, NODE_FAR, SAMPLE_WAITS_GIL); /* of the same ticks */
    hand.header.ticks_missed = 100;                  /* so each sample stands for two periods */
    figures_turn(hand.figures);
    const struct figures_row *line = row_of(&hand, FIGURES_LINES, "find (demo.py:10)");
    EQUAL(hundredths(line, FIGURES_OWN), 20);
    EQUAL(hundredths(line, FIGURES_TOTAL), 90);
    EQUAL(hundredths(line, FIGURES_OWN_TIME), 40);
    EQUAL(hundredths(line, FIGURES_TOTAL_TIME), 180);
    const struct figures_row *function = row_of(&hand, FIGURES_FUNCTIONS, "find (demo.py:8)");
    EQUAL(hundredths(function, FIGURES_OWN), 30);
    EQUAL(hundredths(function, FIGURES_TOTAL), 90);
    EQUAL(hundredths(row_of(&hand, FIGURES_LINES, "Cat.purr (demo.py:30)"), FIGURES_OWN), 60);
    const struct figures_row *waits = row_of(&hand, FIGURES_LINES, "a_long_name (email/parser.py)");
    EQUAL(hundredths(waits, FIGURES_WAIT), 30);
    EQUAL(hundredths(waits, FIGURES_TOTAL), 0);
    const struct figures_row *thread = row_of(&hand, FIGURES_THREADS, "MainThread (501 of process 500)");
    EQUAL(hundredths(thread, FIGURES_OWN), 90);
    EQUAL(hundredths(thread, FIGURES_TOTAL), 90);
    const struct figures_totals *totals = figures_totals(hand.figures);
    EQUAL((long)(100 * totals->gil + 0.5), 90);
    EQUAL((long)(100 * totals->active + 0.5), 90);
    EQUAL((long)(100 * totals->waits + 0.5), 30);
    EQUAL(totals->threads, 2);
    EQUAL(totals->samples, 90);
    EQUAL(totals->behind, 100);
    EQUAL((long)(totals->seconds + 0.5), 2);
    figures_free(hand.figures);
}

static void test_filters(void) {
    static const struct {
        enum figures_filter filter;
        long own;
    } cases[] = {{FIGURES_ACTIVE, 30}, {FIGURES_GIL, 20}, {FIGURES_ALL, 100}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct by_hand hand;
        begin(&hand, cases[i].filter);
        ticks(&hand, 20, 0, NODE_FIND, BUSY);
        ticks(&hand, 10, 0, NODE_FIND, SAMPLE_FIRST | SAMPLE_ON_CPU);
        ticks(&hand, 70, 0, NODE_FIND, SAMPLE_FIRST);
        ticks(&hand, 70, 2, NODE_PURR, SAMPLE_ON_CPU); /* a task, which is no thread */
        figures_turn(hand.figures);
        EQUAL(hundredths(row_of(&hand, FIGURES_LINES, "find (demo.py:10)"), FIGURES_OWN), cases[i].own);
        EQUAL(figures_totals(hand.figures)->threads, 1);
        figures_free(hand.figures);
    }
}

/* A window that has no tick leaves the figures as they were; a reset leaves nothing. */
static void test_windows(void) {
    struct by_hand hand;
    begin(&hand, FIGURES_ACTIVE);
    ticks(&hand, 10, 0, NODE_FIND, BUSY);
    figures_turn(hand.figures);
    figures_turn(hand.figures);
    EQUAL(figures_totals(hand.figures)->stale, 1);
    EQUAL(hundredths(row_of(&hand, FIGURES_LINES, "find (demo.py:10)"), FIGURES_OWN), 100);
    ticks(&hand, 30, 0, NODE_FAR, BUSY);
    figures_turn(hand.figures);
    EQUAL(hundredths(row_of(&hand, FIGURES_LINES, "find (demo.py:10)"), FIGURES_OWN), 0);
    EQUAL(hundredths(row_of(&hand, FIGURES_LINES, "find (demo.py:10)"), FIGURES_OWN_TIME), 10);
    EQUAL(hundredths(row_of(&hand, FIGURES_LINES, "a_long_name (email/parser.py)"), FIGURES_OWN_TIME), 30);
    figures_reset(hand.figures);
    size_t count;
    figures_sorted(hand.figures, FIGURES_LINES, FIGURES_OWN, &count);
    EQUAL(count, 0);
    EQUAL(figures_totals(hand.figures)->samples, 0);
    figures_free(hand.figures);
}

/* The columns that a line of the screen takes, its sequences left out. */
static size_t visible_width(const char *line, size_t length) {
    struct text plain = {.data = NULL};
    for (size_t i = 0; i < length; i++) {
        if (line[i] == '\033') {
            for (i += 2; i < length && (line[i] < '@' || line[i] > '~'); i++) {
                /* up to the letter that ends the sequence */
            }
        } else if (line[i] != '\r') {
            text_char(&plain, line[i]);
        }
    }
    text_char(&plain, '\0');
    size_t width = width_text(plain.data, true);
    text_free(&plain);
    return width;
}

static void check_size(struct by_hand *hand, struct screen *screen, unsigned columns, unsigned rows) {
    struct text out = {.data = NULL};
    screen->columns = columns;
    screen->rows = rows;
    screen_draw(&out, screen, hand->figures);
    text_char(&out, '\0');
    unsigned lines = 1;
    for (const char *line = out.data; line != NULL; lines++) {
        const char *end = strchr(line, '\n');
        size_t length = end == NULL ? strlen(line) : (size_t)(end - line);
        size_t width = visible_width(line, length);
        if (width > columns) {
            printf("%u x %u: line %u has %zu columns\n", columns, rows, lines, width);
            failures++;
        }
        line = end == NULL ? NULL : end + 1;
    }
    EQUAL(lines - 1, rows);
    if (rows >= 3 && columns >= 20 && !screen->help) {
        CHECK(strstr(out.data, "%Own") != NULL && strstr(out.data, "100.00%") != NULL);
        CHECK(strstr(out.data, "find (dem") != NULL);
    }
    text_free(&out);
}

static void test_sizes(void) {
    struct by_hand hand;
    begin(&hand, FIGURES_ALL);
    ticks(&hand, 10, 0, NODE_FIND, BUSY);
    ticks(&hand, 5, 1, NODE_FAR, SAMPLE_WAITS_GIL);
    figures_turn(hand.figures);
    struct sampling_process *processes[] = {&hand.process, &hand.process};
    hand.process.command =
        "python3 \xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab.py \x1b[2J --and-a-long-option-that-is-cut";
    static const unsigned sizes[] = {1, 2, 3, 4, 5, 7, 8, 20, 79, 80, 500};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (unsigned rows = 1; rows < 60; rows += rows < 14 ? 1 : 20) {
            for (int kind = 0; kind < 8; kind++) {
                struct screen screen = {
                    .utf8 = true,
                    .colors = (kind & 1) != 0,
                    .help = (kind & 2) != 0,
                    .processes = processes,
                    .process_count = (kind & 4) != 0 ? 2 : 1,
                    .rate = 100,
                    .notice = (kind & 4) != 0 ? "the process has ended: q quits" : NULL,
                };
                check_size(&hand, &screen, sizes[i], rows);
            }
        }
    }
    figures_free(hand.figures);
}

static void test_plain(void) {
    struct by_hand hand;
    begin(&hand, FIGURES_ACTIVE);
    ticks(&hand, 75, 0, NODE_PURR, BUSY);
    ticks(&hand, 25, 0, NODE_FIND, BUSY);
    figures_turn(hand.figures);
    struct sampling_process *processes[] = {&hand.process};
    struct screen screen = {.processes = processes, .process_count = 1, .rate = 100, .sort = FIGURES_TOTAL};
    struct text out = {.data = NULL};
    screen_print(&out, &screen, hand.figures);
    text_char(&out, '\0');
    SAME(out.data, "500: python3 demo.py (Python 3.11.7)\n"
                   "100 samples at 100 Hz in 1.0 s, torn 0, behind 0\n"
                   "GIL: 100.0%, Active: 100.0%, GILWait: 0.0%, Threads: 1\n"
                   "\n"
                   "   %Own  %Total  OwnTime  TotalTime  %GILWait  Function (file:line)\n"
                   " 25.00% 100.00%    0.25s      1.00s     0.00%  find (demo.py:10)\n"
                   " 75.00%  75.00%    0.75s      0.75s     0.00%  Cat.purr (demo.py:30)\n");
    text_free(&out);
    figures_free(hand.figures);
}

/* dump */

static void take(struct snapshot *snapshot, const struct sampling_process *process, uint32_t thread,
                 uint32_t node, uint32_t state, uint32_t of_locals) {
    struct sample sample = {.thread = thread, .node = node, .state = state, .locals = of_locals};
    snapshot_take(snapshot, process, &sample);
}

static void test_one_process(void) {
    struct sampling_process process = {
        .pid = 500, .command = "python3 demo.py", .version = "3.11.7", .executable = "/usr/bin/python3"};
    struct sampling_process *processes[] = {&process};
    struct snapshot *snapshot = snapshot_new();
    struct text out = {.data = NULL};
    take(snapshot, &process, 0, NODE_PURR, BUSY, 1);
    take(snapshot, &process, 1, SAMPLES_NO_NODE, SAMPLE_WAITS_GIL, 0);
    take(snapshot, &process, 2, NODE_FAR, 0, 0);
    snapshot_print(&out, snapshot, processes, 1, true);
    text_char(&out, '\0');
    SAME(out.data, "Process 500: python3 demo.py\n"
                   "Python v3.11.7 (/usr/bin/python3)\n"
                   "\n"
                   "Thread 501 (active+gil): \"MainThread\"\n"
                   "    Cat.purr (demo.py:30)\n"
                   "            self: <Cat>\n"
                   "            n: 3\n"
                   "    find (demo.py:10)\n"
                   "            x: 'y'\n"
                   "\n"
                   "  Task (waits): \"Task-1\"\n" /* of its event loop's thread */
                   "      a_long_name (email/parser.py)\n"
                   "\n"
                   "Thread 502 (waits for the GIL): \"worker \xe7\x8c\xab\"\n"
                   "    (no Python frame)\n");
    text_free(&out);
    snapshot_free(snapshot);
}

static void test_groups(void) {
    struct sampling_process process[3];
    struct sampling_process *processes[3];
    struct snapshot *snapshot = snapshot_new();
    struct text out = {.data = NULL};
    for (int i = 0; i < 3; i++) {
        process[i] = (struct sampling_process){.pid = 600 + i, .command = "python3 rank.py"};
        processes[i] = &process[i];
    }
    take(snapshot, &process[0], 0, NODE_FIND, BUSY, 0);
    take(snapshot, &process[1], 0, NODE_PURR, 0, 0);
    take(snapshot, &process[2], 0, NODE_PURR, SAMPLE_ON_CPU, 0);
    take(snapshot, &process[0], 1, NODE_PURR, 0, 0);
    snapshot_print(&out, snapshot, processes, 3, true);
    text_char(&out, '\0');
    SAME(out.data,
         "Process 600: python3 rank.py\n"
         "Process 601: python3 rank.py\n"
         "Process 602: python3 rank.py\n"
         "\n"
         "3 threads in 3 processes (1 active, 2 idle): 600 \"worker \xe7\x8c\xab\" 601 \"MainThread\" "
         "602 \"MainThread\"\n"
         "    Cat.purr (demo.py:30)\n"
         "    find (demo.py:10)\n"
         "\n"
         "Thread 501 (active+gil): \"MainThread\" in process 600\n"
         "    find (demo.py:10)\n");
    text_free(&out);
    snapshot_free(snapshot);
}

static void test_places(void) {
    static const struct {
        const char *path, *place;
    } cases[] = {
        {"/home/cats/demo.py", "demo.py"},
        {"demo.py", "demo.py"},
        {"/demo.py", "demo.py"},
        {"/usr/lib/python3.11/email/parser.py", "email/parser.py"},
        {"/v/lib/python3.11/site-packages/flask/app.py", "flask/app.py"},
        {"/usr/lib/python3/dist-packages/apt/cache.py", "apt/cache.py"},
        {"/home/cats/shop/__init__.py", "shop/__init__.py"},
        {"shop/__main__.py", "shop/__main__.py"},
        {"<frozen importlib._bootstrap>", "<frozen importlib._bootstrap>"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SAME(place_file(cases[i].path), cases[i].place);
    }
}

static void test_cuts(void) {
    static const struct {
        const char *text;
        size_t columns;
        bool utf8;
        const char *cut;
    } cases[] = {
        {"purr", 4, true, "purr"},
        {"purrs", 4, true, "pur\xe2\x80\xa6"},
        {"purrs", 4, false, "pur."},
        {"purrs", 1, true, "\xe2\x80\xa6"},
        {"purrs", 0, true, ""},
        {"\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab", 5, true, "\xe7\x8c\xab\xe7\x8c\xab\xe2\x80\xa6"},
        {"\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab", 4, true,
         "\xe7\x8c\xab\xe2\x80\xa6"}, /* half a cat is none */
        {"e\xcc\x81t\xcc\x81", 2, true, "e\xcc\x81t\xcc\x81"},
        {"\xe7\x8c\xab", 4, false, "?"},
        {"a\x1b[2J\n\xff\xc3", 9, true, "a?[2J???"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text out = {.data = NULL};
        size_t width = width_append(&out, cases[i].text, cases[i].columns, cases[i].utf8);
        text_char(&out, '\0');
        SAME(out.data, cases[i].cut);
        EQUAL(width, width_text(cases[i].cut, true));
        text_free(&out);
    }
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "width") == 0) {
        for (uint32_t character = 0x20; character < 0x110000; character++) {
            putchar('0' + (int)width_of(character));
        }
        return 0;
    }
    test_parts_and_times();
    test_filters();
    test_windows();
    test_sizes();
    test_plain();
    test_one_process();
    test_groups();
    test_places();
    test_cuts();
    return failures > 0;
}
