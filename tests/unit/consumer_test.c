/*
 * Unit tests of the consumer, on arenas filled by hand: the order of records, the freeing of chunks and
 * slots, what the actions print, aggregations, JSON, and what it does with damaged memory. What a whole
 * program prints is in tests/golden. Silent when all is well; with the argument `speed` it says how fast it
 * is.
 */
#include "by_hand.h"
#include "check.h"
#include "consumer/consumer.h"

#include <errno.h>
#include <time.h>

static bool describe(void *context, uint32_t id, struct consumer_probe *probe) {
    static const char *const names[] = {"BEGIN", "function-entry", "function-return", "function-return"};
    (void)context;
    if (id < 10 || id >= 10 + sizeof names / sizeof names[0])
        return false;
    *probe = (struct consumer_probe){.provider = "python7", .name = names[id - 10]};
    return true;
}

/* A consumer whose output is kept. */
struct run {
    struct consumer *consumer;
    FILE *out, *err;
    char *printed, *said;
    size_t printed_size, said_size;
};

static void run_open(struct run *run, struct by_hand *hand) {
    char problem[256] = "";
    *run = (struct run){0};
    run->out = open_memstream(&run->printed, &run->printed_size);
    run->err = open_memstream(&run->said, &run->said_size);
    struct consumer_settings settings = {
        .out = run->out, .err = run->err, .name = "catprobe", .probe = describe};
    run->consumer = consumer_open(hand->program, hand->arena, &settings, problem, sizeof problem);
    SAME(problem, "");
}

/* What has been printed since the last time; good until the next output. */
static const char *run_printed(struct run *run) {
    static char copy[1 << 16];
    fflush(run->out);
    snprintf(copy, sizeof copy, "%s", run->printed);
    rewind(run->out);
    memset(run->printed, 0, run->printed_size);
    return copy;
}

static const char *run_pass(struct run *run, uint64_t until) {
    consumer_pass(run->consumer, until);
    return run_printed(run);
}

static const char *run_end(struct run *run) {
    consumer_end(run->consumer);
    return run_printed(run);
}

static const char *run_said(struct run *run) {
    fflush(run->err);
    return run->said;
}

static void run_close(struct run *run) {
    consumer_close(run->consumer);
    fclose(run->out);
    fclose(run->err);
    free(run->printed);
    free(run->said);
}

static void quiet(struct by_hand *hand) {
    by_hand_begin(hand);
    hand->options[OPTION_QUIET] = 1;
}

static struct by_hand hand;

static struct by_hand_bytes *number(int64_t value) {
    static struct by_hand_bytes fields;
    fields.size = 0;
    by_hand_integer(&fields, value);
    return &fields;
}

static struct by_hand_bytes *text(const char *value) {
    static struct by_hand_bytes fields;
    fields.size = 0;
    by_hand_text(&fields, value);
    return &fields;
}

static void records_come_in_the_order_of_time(void) {
    struct run run;
    quiet(&hand);
    by_hand_clause(&hand, 0);
    by_hand_action(&hand, ACTION_PRINTF, "i", "%d ");
    by_hand_finish(&hand);
    by_hand_slots(&hand, 7, 3);
    run_open(&run, &hand);

    SAME(run_pass(&run, UINT64_MAX), "");
    CHECK(!consumer_waiting(run.consumer));
    for (int i = 0; i < 4; i++)
        for (uint32_t slot = 0; slot < 3; slot++)
            by_hand_record(&hand, slot, 10 * (uint64_t)i + 3 - slot, 0, number(10 * i + 3 - (int)slot));
    CHECK(consumer_waiting(run.consumer));
    SAME(run_pass(&run, 12), "1 2 3 11 ");
    CHECK(consumer_waiting(run.consumer));
    SAME(run_pass(&run, 13), "12 ");
    SAME(run_pass(&run, UINT64_MAX), "13 21 22 23 31 32 33 ");
    CHECK(!consumer_waiting(run.consumer));
    CHECK(consumer_records(run.consumer) == 12);
    SAME(run_said(&run), "");
    run_close(&run);
    by_hand_end(&hand);
}

static uint32_t taken_chunks(void) {
    uint32_t taken = 0;
    for (uint32_t i = 0; i < hand.arena->shape.chunks; i++)
        taken += hand.arena->owners[i] != 0;
    return taken;
}

static void chunks_that_were_read_are_free(void) {
    struct run run;
    quiet(&hand);
    by_hand_clause(&hand, 0);
    by_hand_action(&hand, ACTION_PRINTF, "l", "%d\n");
    by_hand_finish(&hand);
    by_hand_slots(&hand, 7, 1);
    run_open(&run, &hand);
    char all[16384] = "";
    for (int i = 0; i < 1500; i++) {
        by_hand_record(&hand, 0, 1, 0, number(i));
        snprintf(all + strlen(all), sizeof all - strlen(all), "%d\n", i);
    }
    CHECK(taken_chunks() == 15);
    SAME(run_pass(&run, UINT64_MAX), all);
    CHECK(taken_chunks() == 1);
    CHECK(arena_slot(hand.arena, 0)->consumed == arena_slot(hand.arena, 0)->written);
    CHECK(arena_slot(hand.arena, 0)->first_record_chunk == hand.record_chunk[0]);
    by_hand_record(&hand, 0, 2, 0, number(-1));
    SAME(run_pass(&run, UINT64_MAX), "-1\n");
    run_close(&run);
    by_hand_end(&hand);
}

static void what_a_dead_process_left_is_printed(void) {
    struct run run;
    quiet(&hand);
    by_hand_aggregation(&hand, "a", AGGREGATING_COUNT, "s", NULL);
    by_hand_clause(&hand, 0);
    by_hand_action(&hand, ACTION_PRINTF, "i", "%d\n");
    by_hand_finish(&hand);
    by_hand_slots(&hand, 7, 1);
    by_hand_slots(&hand, 8, 1);
    run_open(&run, &hand);
    *by_hand_entry(&hand, 0, 0, text("k")) = 3;
    *by_hand_entry(&hand, 1, 0, text("k")) = 4;
    by_hand_record(&hand, 0, 5, 0, number(1));
    by_hand_record(&hand, 0, 20, 0, number(2));
    arena_slot(hand.arena, 0)->drops[DROP_PRINCIPAL] = 2;
    consumer_process_gone(run.consumer, 7);
    SAME(run_pass(&run, 10), "1\n");
    CHECK(arena_slot(hand.arena, 0)->owner == 7);
    SAME(run_pass(&run, 30), "2\n");
    CHECK(arena_slot(hand.arena, 0)->owner == 0);
    CHECK(taken_chunks() == 1);

    by_hand_slots(&hand, 9, 1); /* takes the same slot */
    by_hand_record(&hand, 0, 40, 0, number(3));
    *by_hand_entry(&hand, 0, 0, text("k")) = 10;
    SAME(run_pass(&run, UINT64_MAX), "3\n");
    SAME(run_end(&run), "\n  k                                                                17\n");
    SAME(run_said(&run), "catprobe: 2 drops in thread 100\n");
    run_close(&run);
    by_hand_end(&hand);
}

static void default_output_has_columns(void) {
    struct run run;
    by_hand_begin(&hand);
    by_hand_clause(&hand, 0);
    by_hand_action(&hand, ACTION_TRACE, "i", NULL);
    by_hand_action(&hand, ACTION_TRACE, "s", NULL);
    by_hand_action(&hand, ACTION_PRINTF, "i", "x=%d\n");
    by_hand_clause(&hand, CLAUSE_NAMES_PROBE);
    by_hand_action(&hand, ACTION_TRACE, "c", NULL);
    by_hand_action(&hand, ACTION_TRACE, "L", NULL);
    by_hand_finish(&hand);
    by_hand_slots(&hand, 7, 1);
    run_open(&run, &hand);
    struct by_hand_bytes fields = {.size = 0};
    by_hand_integer(&fields, -3);
    by_hand_text(&fields, "hello");
    by_hand_integer(&fields, 5);
    by_hand_record(&hand, 0, 1, 0, &fields);
    fields.size = 0;
    by_hand_text(&fields, "new_cat_video");
    by_hand_text(&fields, "demo.py");
    by_hand_integer(&fields, 65);
    by_hand_integer(&fields, -1);
    by_hand_record(&hand, 0, 2, 1, &fields);
    SAME(run_pass(&run, UINT64_MAX),
         "CPU     ID                    FUNCTION:NAME\n"
         "  1     10                           :BEGIN          -3  hello            "
         "                x=5\n\n"
         "  1     11     new_cat_video:function-entry   65 18446744073709551615\n");
    SAME(run_end(&run), "\n");
    run_close(&run);
    by_hand_end(&hand);
}

static void flow_is_indented_by_thread(void) {
    struct run run;
    by_hand_begin(&hand);
    hand.options[OPTION_FLOWINDENT] = 1;
    for (int i = 0; i < 4; i++)
        by_hand_clause(&hand, CLAUSE_NAMES_PROBE);
    by_hand_finish(&hand);
    by_hand_slots(&hand, 7, 2);
    run_open(&run, &hand);
    static const struct {
        uint32_t slot, enabling;
        const char *function;
    } firings[] = {{0, 0, ""},  {0, 1, "a"}, {1, 1, "x"}, {0, 1, "b"}, {1, 1, "y"}, {0, 2, "b"},
                   {1, 2, "y"}, {0, 2, "a"}, {1, 2, "x"}, {0, 2, "?"}, {0, 0, "z"}};
    for (size_t i = 0; i < sizeof firings / sizeof firings[0]; i++) {
        struct by_hand_bytes names = {.size = 0};
        by_hand_text(&names, firings[i].function);
        by_hand_text(&names, "demo.py");
        by_hand_record(&hand, firings[i].slot, i, firings[i].enabling, &names);
    }
    SAME(run_pass(&run, UINT64_MAX), "CPU FUNCTION                                 \n"
                                     "  1 | :BEGIN                                  \n"
                                     "  1  -> a                                     \n"
                                     "  1  -> x                                     \n"
                                     "  1    -> b                                   \n"
                                     "  1    -> y                                   \n"
                                     "  1    <- b                                   \n"
                                     "  1    <- y                                   \n"
                                     "  1  <- a                                     \n"
                                     "  1  <- x                                     \n"
                                     "  1  <- ?                                     \n"
                                     "  1 | z:BEGIN                                 \n");
    run_close(&run);
    by_hand_end(&hand);
}

/* Sums, averages and so on of one key in two threads. */
static void aggregations_are_summed(void) {
    static const struct {
        enum aggregating_function function;
        int64_t first[4], second[4];
        const char *value;
    } cases[] = {
        {AGGREGATING_COUNT, {3}, {4}, "7"},
        {AGGREGATING_SUM, {-30}, {4}, "-26"},
        {AGGREGATING_MIN, {5}, {-2}, "-2"},
        {AGGREGATING_MAX, {5}, {-2}, "5"},
        {AGGREGATING_AVG, {2, -5}, {1, -6}, "-3"},
        {AGGREGATING_AVG, {0, 0}, {0, 0}, "0"},
        {AGGREGATING_STDDEV, {2, 6, 26}, {1, 9, 81}, "3"},
        {AGGREGATING_STDDEV,
         {1, INT64_MAX, 1, INT64_MAX / 2},
         {1, -INT64_MAX, 1, INT64_MAX / 2},
         "9223372036854775807"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct run run;
        quiet(&hand);
        by_hand_aggregation(&hand, "a", cases[i].function, "", NULL);
        by_hand_clause(&hand, 0);
        by_hand_on(&hand, ACTION_PRINTA, "", "%@d\n", 0, -1);
        by_hand_finish(&hand);
        by_hand_slots(&hand, 7, 2);
        run_open(&run, &hand);
        uint32_t words = program_aggregation_words(&hand.aggregations[0]);
        memcpy(by_hand_entry(&hand, 0, 0, NULL), cases[i].first, 8 * words);
        memcpy(by_hand_entry(&hand, 1, 0, NULL), cases[i].second, 8 * words);
        by_hand_record(&hand, 0, 1, 0, NULL);
        char value[32];
        snprintf(value, sizeof value, "%s\n", cases[i].value);
        SAME(run_pass(&run, UINT64_MAX), value);
        SAME(run_end(&run), "\n");
        run_close(&run);
        by_hand_end(&hand);
    }
}

static void clear_loses_nothing(void) {
    struct run run;
    quiet(&hand);
    by_hand_aggregation(&hand, "a", AGGREGATING_SUM, "s", NULL);
    by_hand_aggregation(&hand, "m", AGGREGATING_MIN, "s", NULL);
    by_hand_clause(&hand, 0);
    by_hand_on(&hand, ACTION_PRINTA, "", "%s %@d %@d; ", 0, 1);
    by_hand_on(&hand, ACTION_CLEAR, "", NULL, 0, -1);
    by_hand_on(&hand, ACTION_CLEAR, "", NULL, 1, -1);
    by_hand_on(&hand, ACTION_PRINTA, "", "%s %@d %@d\n", 0, 1);
    by_hand_finish(&hand);
    by_hand_slots(&hand, 7, 1);
    run_open(&run, &hand);
    int64_t *sum = by_hand_entry(&hand, 0, 0, text("k")), *least = by_hand_entry(&hand, 0, 1, text("k"));
    struct arena_aggregate *entry = (struct arena_aggregate *)(void *)((char *)least - sizeof *entry);
    *sum = 5;
    *least = 3;
    by_hand_record(&hand, 0, 1, 0, NULL);
    SAME(run_pass(&run, UINT64_MAX), "k 5 3; k 0 9223372036854775807\n");
    *sum += 2; /* goes on as it was: a sum is not reset in the threads */
    *least = 9;
    entry->generation = hand.arena->generations[1];
    by_hand_record(&hand, 0, 2, 0, NULL);
    SAME(run_pass(&run, UINT64_MAX), "k 2 9; k 0 9223372036854775807\n");
    consumer_process_gone(run.consumer, 7);
    SAME(run_pass(&run, UINT64_MAX), "");
    by_hand_slots(&hand, 8, 1);
    by_hand_record(&hand, 0, 3, 0, NULL);
    SAME(run_pass(&run, UINT64_MAX), "k 0 9223372036854775807; k 0 9223372036854775807\n");
    run_close(&run);
    by_hand_end(&hand);
}

static void trunc_keeps_the_greatest_or_the_least(void) {
    static const struct {
        int64_t keep;
        const char *left;
    } cases[] = {{2, "d 4 e 5 "},
                 {-2, "a 1 b 2 "},
                 {0, ""},
                 {9, "a 1 b 2 c 3 d 4 e 5 "},
                 {-9, "a 1 b 2 c 3 d 4 e 5 "}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct run run;
        quiet(&hand);
        by_hand_aggregation(&hand, "a", AGGREGATING_SUM, "s", NULL);
        by_hand_clause(&hand, 0);
        by_hand_on(&hand, ACTION_TRUNC, "i", NULL, 0, -1);
        by_hand_on(&hand, ACTION_PRINTA, "", "%s %@d ", 0, -1);
        by_hand_finish(&hand);
        by_hand_slots(&hand, 7, 1);
        run_open(&run, &hand);
        int64_t *data = NULL;
        for (int k = 5; k > 0; k--) {
            data = by_hand_entry(&hand, 0, 0, text((char[]){(char)('a' + k - 1), '\0'}));
            *data = k;
        }
        by_hand_record(&hand, 0, 1, 0, number(cases[i].keep));
        SAME(run_pass(&run, UINT64_MAX), cases[i].left);

        struct arena_aggregate *a = (struct arena_aggregate *)(void *)((char *)data - sizeof *a);
        *data = 100; /* of key a, anew */
        a->generation = hand.arena->generations[0];
        by_hand_record(&hand, 0, 2, 0, number(1));
        SAME(run_pass(&run, UINT64_MAX), cases[i].keep < -1 || cases[i].keep == 9 ? "a 101 " : "a 100 ");
        run_close(&run);
        by_hand_end(&hand);
    }
}

static const char header[] = "\n           value  ------------- Distribution ------------- count    \n";

static void histograms_are_drawn(void) {
    static const int64_t linear[4] = {0, 10, 2}, loglinear[4] = {10, 1, 3, 10};
    static const struct {
        enum aggregating_function function;
        const int64_t *parameters;
        uint32_t first, second; /* words */
        int64_t of_first, of_second;
        const char *rows;
    } cases[] = {
        {AGGREGATING_QUANTIZE, NULL, 66, 67, 1, 3,
         "               2 |                                         0        \n"
         "               4 |@@@@@@@@@@                               1        \n"
         "               8 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@           3        \n"
         "              16 |                                         0        \n"},
        {AGGREGATING_QUANTIZE, NULL, 66, 67, -1, 3,
         "               2                     |                     0        \n"
         "               4                @@@@@|                     -1       \n"
         "               8                     |@@@@@@@@@@@@@@@      3        \n"
         "              16                     |                     0        \n"},
        {AGGREGATING_QUANTIZE, NULL, 0, 126, 1, 1,
         "-4611686018427387904 |@@@@@@@@@@@@@@@@@@@@                     1        \n"},
        {AGGREGATING_QUANTIZE, NULL, 5, 5, 0, 0,
         "              -1 |                                         0        \n"
         "               0 |                                         0        \n"
         "               1 |                                         0        \n"},
        {AGGREGATING_LQUANTIZE, linear, 0, 6, 1, 1,
         "             < 0 |@@@@@@@@@@@@@@@@@@@@                     1        \n"
         "               0 |                                         0        \n"
         "               2 |                                         0        \n"
         "               4 |                                         0        \n"
         "               6 |                                         0        \n"
         "               8 |                                         0        \n"
         "           >= 10 |@@@@@@@@@@@@@@@@@@@@                     1        \n"},
        {AGGREGATING_LLQUANTIZE, loglinear, 0, 0, 0, 1,
         "             -10 |                                         0        \n"
         "      abs() < 10 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@ 1        \n"
         "              10 |                                         0        \n"},
        {AGGREGATING_LLQUANTIZE, loglinear, 1, 1, 0, 1,
         "            < 10 |                                         0        \n"
         "              10 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@ 1        \n"
         "              20 |                                         0        \n"},
        {AGGREGATING_LLQUANTIZE, loglinear, 1, 1, 0, 0,
         "            < 10 |                                         0        \n"
         "              10 |                                         0        \n"
         "              20 |                                         0        \n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct run run;
        quiet(&hand);
        by_hand_aggregation(&hand, "q", cases[i].function, "", cases[i].parameters);
        by_hand_finish(&hand);
        by_hand_slots(&hand, 7, 1);
        run_open(&run, &hand);
        int64_t *data = by_hand_entry(&hand, 0, 0, NULL);
        data[cases[i].first] = cases[i].of_first;
        data[cases[i].second] = cases[i].of_second;
        char printed[1 << 16];
        snprintf(printed, sizeof printed, "%s", run_end(&run));
        char start[1 << 12];
        snprintf(start, sizeof start, "\n%s%s", header, cases[i].rows);
        if (cases[i].second == 126)
            printed[strlen(start)] = '\0'; /* and 126 more rows */
        else
            strcat(start, "\n");
        SAME(printed, start);
        run_close(&run);
        by_hand_end(&hand);
    }
}

static void a_terminal_has_colours_unless_told_not_to(void) {
    for (int plain = 0; plain < 2; plain++) {
        quiet(&hand);
        by_hand_aggregation(&hand, "q", AGGREGATING_QUANTIZE, "", NULL);
        by_hand_finish(&hand);
        by_hand_slots(&hand, 7, 1);
        if (plain)
            setenv("NO_COLOR", "1", 1);
        char problem[256], *printed;
        size_t size;
        FILE *out = open_memstream(&printed, &size);
        struct consumer_settings settings = {
            .out = out, .err = stderr, .name = "catprobe", .terminal = true, .probe = describe};
        struct consumer *consumer =
            consumer_open(hand.program, hand.arena, &settings, problem, sizeof problem);
        unsetenv("NO_COLOR");
        by_hand_entry(&hand, 0, 0, NULL)[126] = 3;
        consumer_end(consumer);
        SAME(printed, plain
                          ? "\n\n           value  ------------- Distribution ------------- count    \n"
                            "2305843009213693952 |                                         0        \n"
                            "4611686018427387904 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@ 3        \n\n"
                          : "\n\n\033[1m           value  ------------- Distribution ------------- count    "
                            "\033[0m\n"
                            "2305843009213693952 |                                         0        \n"
                            "4611686018427387904 |\033[34m@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\033[0m "
                            "3        \n\n");
        consumer_close(consumer);
        fclose(out);
        free(printed);
        by_hand_end(&hand);
    }
}

static void faults_are_said_in_dtraces_words(void) {
    static const struct {
        int64_t fault, value;
        const char *words;
    } cases[] = {{FAULT_DIVIDE_BY_ZERO, 0, "divide-by-zero"},
                 {FAULT_BAD_ADDRESS, 16, "invalid address (0x10)"},
                 {12345, 0, "unknown fault"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct run run;
        quiet(&hand);
        by_hand_clause(&hand, 0);
        by_hand_clause(&hand, CLAUSE_NAMES_PROBE);
        by_hand_finish(&hand);
        by_hand_slots(&hand, 7, 1);
        run_open(&run, &hand);
        for (int k = 0; k < 2; k++) {
            struct by_hand_bytes fields = {.size = 0};
            by_hand_integer(&fields, k);
            by_hand_integer(&fields, 0);
            by_hand_integer(&fields, 12);
            by_hand_integer(&fields, cases[i].fault);
            by_hand_integer(&fields, cases[i].value);
            by_hand_text(&fields, "go");
            by_hand_text(&fields, "demo.py");
            by_hand_record(&hand, 0, 1, RECORD_FAULT, &fields);
        }
        SAME(run_pass(&run, UINT64_MAX), "");
        char said[512];
        snprintf(said, sizeof said,
                 "catprobe: error in dt_clause_0 for probe ID 10 (python7:::BEGIN): %s at DIF offset 12\n"
                 "catprobe: error in dt_clause_1 for probe ID 10 (python7:demo.py:go:BEGIN): %s at DIF "
                 "offset 12\n",
                 cases[i].words, cases[i].words);
        SAME(run_said(&run), said);
        run_close(&run);
        by_hand_end(&hand);
    }
}

static void drops_are_said_once(void) {
    struct run run;
    quiet(&hand);
    by_hand_clause(&hand, 0);
    by_hand_finish(&hand);
    by_hand_slots(&hand, 7, 2);
    run_open(&run, &hand);
    arena_slot(hand.arena, 0)->drops[DROP_PRINCIPAL] = 1;
    arena_slot(hand.arena, 1)->drops[DROP_AGGREGATION] = 12;
    arena_slot(hand.arena, 1)->drops[DROP_DYNAMIC] = 2;
    hand.arena->drops[DROP_DYNAMIC] = 1;
    hand.arena->drops[DROP_SPECULATION_BUSY] = 1;
    run_pass(&run, UINT64_MAX);
    run_pass(&run, UINT64_MAX);
    arena_slot(hand.arena, 0)->drops[DROP_PRINCIPAL] = 4;
    run_end(&run);
    SAME(run_said(&run), "catprobe: 1 drop in thread 100\n"
                         "catprobe: 12 aggregation drops in thread 101\n"
                         "catprobe: 3 dynamic variable drops\n"
                         "catprobe: 1 failed speculation (available buffer(s) still busy)\n"
                         "catprobe: 3 drops in thread 100\n");
    run_close(&run);
    by_hand_end(&hand);
}

static void exit_gives_its_status(void) {
    struct run run;
    quiet(&hand);
    by_hand_clause(&hand, 0);
    by_hand_action(&hand, ACTION_EXIT, "i", NULL);
    by_hand_finish(&hand);
    by_hand_slots(&hand, 7, 1);
    run_open(&run, &hand);
    CHECK(consumer_pass(run.consumer, UINT64_MAX) == CONSUMER_GOING);
    by_hand_record(&hand, 0, 1, 0, number(7));
    CHECK(consumer_pass(run.consumer, UINT64_MAX) == CONSUMER_EXITED);
    CHECK(consumer_exit_status(run.consumer) == 7);
    by_hand_record(&hand, 0, 2, 0, number(5)); /* in END */
    CHECK(consumer_pass(run.consumer, UINT64_MAX) == CONSUMER_EXITED);
    CHECK(consumer_exit_status(run.consumer) == 5);
    SAME(run_end(&run), "\n");
    run_close(&run);
    by_hand_end(&hand);
}

static void a_full_disk_is_a_failure(void) {
    FILE *full = fopen("/dev/full", "w");
    if (!full)
        return;
    quiet(&hand);
    by_hand_clause(&hand, 0);
    by_hand_action(&hand, ACTION_PRINTF, "i", "%d\n");
    by_hand_finish(&hand);
    by_hand_slots(&hand, 7, 1);
    char problem[256];
    struct consumer_settings settings = {.out = full, .err = stderr, .name = "catprobe", .probe = describe};
    struct consumer *consumer = consumer_open(hand.program, hand.arena, &settings, problem, sizeof problem);
    CHECK(consumer_pass(consumer, UINT64_MAX) == CONSUMER_GOING);
    by_hand_record(&hand, 0, 1, 0, number(7));
    errno = 0;
    CHECK(consumer_pass(consumer, UINT64_MAX) == CONSUMER_FAILED);
    CHECK(errno == ENOSPC);
    consumer_close(consumer);
    fclose(full);
    by_hand_end(&hand);
}

static void json_is_one_document(void) {
    struct run run;
    by_hand_begin(&hand);
    hand.options[OPTION_OFORMAT] = 1;
    by_hand_aggregation(&hand, "a", AGGREGATING_COUNT, "si", NULL);
    by_hand_aggregation(&hand, "q", AGGREGATING_QUANTIZE, "", NULL);
    by_hand_clause(&hand, CLAUSE_NAMES_PROBE);
    by_hand_action(&hand, ACTION_TRACE, "i", NULL);
    by_hand_action(&hand, ACTION_PRINTF, "si", "%s is %d\n");
    by_hand_action(&hand, ACTION_STACK, "k", NULL);
    by_hand_on(&hand, ACTION_PRINTA, "", NULL, 0, -1);
    by_hand_finish(&hand);
    by_hand_slots(&hand, 7, 1);
    run_open(&run, &hand);
    struct by_hand_bytes fields = {.size = 0};
    by_hand_text(&fields, "go");
    by_hand_text(&fields, "demo.py");
    by_hand_integer(&fields, -3);
    by_hand_text(&fields, "\"\t\x80\001h\303\251\\");
    by_hand_integer(&fields, 5);
    by_hand_text(&fields, "f (a b.py:12)\n<module> (c.py:1)");
    by_hand_record(&hand, 0, 99, 0, &fields);
    struct by_hand_bytes key = {.size = 0};
    by_hand_text(&key, "k");
    by_hand_integer(&key, -1);
    *by_hand_entry(&hand, 0, 0, &key) = 2;
    by_hand_entry(&hand, 0, 1, NULL)[63] = 1;
    SAME(run_pass(&run, UINT64_MAX),
         "{\"dtrace\": {\"probes\": [\n"
         "{\"timestamp\": 99, \"cpu\": 1, \"id\": 10, \"provider\": \"python7\", \"module\": \"demo.py\", "
         "\"function\": \"go\", \"name\": \"BEGIN\", \"output\": [{\"value\": -3}, "
         "{\"message\": \"\\\"\\t\357\277\275\\u0001h\303\251\\\\ is 5\\n\"}, "
         "{\"value\": \"\\\"\\t\357\277\275\\u0001h\303\251\\\\\"}, {\"value\": 5}, "
         "{\"ustack-frames\": [{\"symbol\": \"f (a b.py:12)\", \"module\": \"a b.py\", \"name\": \"f\", "
         "\"offset\": \"12\"}, {\"symbol\": \"<module> (c.py:1)\", \"module\": \"c.py\", \"name\": "
         "\"<module>\", "
         "\"offset\": \"1\"}]}, {\"aggregation-data\": [{\"keys\": [\"k\", -1], \"count\": 2}], "
         "\"aggregation-name\": \"a\"}]}\n");
    const char *end = run_end(&run);
    CHECK(strncmp(end, ",{\"cpu\": -1, \"id\": -1, \"provider\": \"dtrace\"", 40) == 0);
    SAME(strstr(end, "\"output\""),
         "\"output\": [{\"aggregation-data\": [{\"keys\": [], \"buckets\": [{\"value\": -1, \"count\": 0}, "
         "{\"value\": 0, \"count\": 1}, {\"value\": 1, \"count\": 0}]}], \"aggregation-name\": "
         "\"q\"}]}\n]}}\n");
    run_close(&run);
    by_hand_end(&hand);
}

static void stacks_dumps_and_values_are_printed(void) {
    struct run run;
    quiet(&hand);
    by_hand_clause(&hand, 0);
    by_hand_action(&hand, ACTION_STACK, "k", NULL);
    by_hand_action(&hand, ACTION_TRACEMEM, "b", NULL);
    struct program_action *print = by_hand_action(&hand, ACTION_PRINT, "L", NULL);
    by_hand_field(&hand, FIELD_BYTES, 16, false,
                  "struct pt\n0,0,16,s,,struct pt\n1,0,4,i,x,int\n1,4,8,a,s,char [8]\n2,0,1,c,,char\n"
                  "1,12,4,s,in,struct in\n2,0,3,b,low,int\n2,3,5,B,high,unsigned int\n2,2,2,u,zero,short\n");
    print->fields = 2;
    by_hand_finish(&hand);
    by_hand_slots(&hand, 7, 1);
    run_open(&run, &hand);
    struct by_hand_bytes fields = {.size = 0};
    by_hand_text(&fields, "f (a.py:1)\ng (b.py:2)");
    by_hand_raw(&fields, "0123456789abcdef\377\001", 18);
    by_hand_integer(&fields, 0x1000);
    by_hand_raw(&fields, "\375\377\377\377ab\0\0\0\0\0\0\375\0\0\0", 16);
    by_hand_record(&hand, 0, 1, 0, &fields);
    SAME(run_pass(&run, UINT64_MAX),
         "\n              f (a.py:1)\n              g (b.py:2)\n"
         "\n             0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f  0123456789abcdef\n"
         "         0: 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef\n"
         "        10: ff 01                                            ..\n"
         "0x1000 = *\n"
         "                                            (struct pt) {\n"
         "                                             .x = (int)-3,\n"
         "                                             .s = (char [8]) [\n"
         "                                              (char)'a',\n"
         "                                              (char)'b',\n"
         "                                             ],\n"
         "                                             .in = (struct in) {\n"
         "                                              .low = (int)-3,\n"
         "                                              .high = (unsigned int)31,\n"
         "                                             },\n"
         "                                            }\n");
    run_close(&run);
    by_hand_end(&hand);
}

static const char *content(const char *name) {
    static char text[256];
    FILE *file = fopen(name, "r");
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void files_and_commands_keep_the_order(void) {
    char name[] = "/tmp/consumer_test.XXXXXX", other[] = "/tmp/consumer_test.XXXXXX", problem[256];
    close(mkstemp(name));
    close(mkstemp(other));
    quiet(&hand);
    by_hand_clause(&hand, 0);
    by_hand_action(&hand, ACTION_PRINTF, "", "zero\n");
    by_hand_action(&hand, ACTION_FTRUNCATE, "", NULL);
    by_hand_action(&hand, ACTION_FREOPEN, "s", "%s");
    by_hand_action(&hand, ACTION_PRINTF, "", "one\n");
    by_hand_action(&hand, ACTION_SYSTEM, "s", "echo two >>%s");
    by_hand_action(&hand, ACTION_PRINTF, "", "three\n");
    by_hand_action(&hand, ACTION_FREOPEN, "", NULL);
    by_hand_action(&hand, ACTION_PRINTF, "", "four\n");
    by_hand_action(&hand, ACTION_FREOPEN, "", "/nowhere/at/all");
    by_hand_action(&hand, ACTION_PRINTF, "", "five\n");
    by_hand_finish(&hand);
    by_hand_slots(&hand, 7, 1);
    char *said;
    size_t said_size;
    FILE *out = fopen(other, "w"), *err = open_memstream(&said, &said_size);
    struct consumer_settings settings = {.out = out, .err = err, .name = "catprobe", .probe = describe};
    struct consumer *consumer = consumer_open(hand.program, hand.arena, &settings, problem, sizeof problem);
    struct by_hand_bytes fields = {.size = 0};
    by_hand_text(&fields, name);
    by_hand_text(&fields, name);
    by_hand_record(&hand, 0, 1, 0, &fields);
    CHECK(consumer_pass(consumer, UINT64_MAX) == CONSUMER_GOING);
    SAME(content(other), "four\nfive\n");
    SAME(content(name), "one\ntwo\nthree\n");
    fflush(err);
    SAME(said, "catprobe: error in dt_clause_0 for probe ID 10 (python7:::BEGIN): couldn't freopen() "
               "\"/nowhere/at/all\": No such file or directory\n");
    consumer_close(consumer);
    fclose(out);
    fclose(err);
    free(said);
    by_hand_end(&hand);
    unlink(name);
    unlink(other);
}

static void setopt_changes_what_comes_after(void) {
    struct run run;
    by_hand_begin(&hand);
    by_hand_clause(&hand, 0);
    by_hand_action(&hand, ACTION_SETOPT, "ss", NULL);
    by_hand_finish(&hand);
    by_hand_slots(&hand, 7, 1);
    run_open(&run, &hand);
    static const char *const options[][2] = {
        {"quiet", ""}, {"aggsortpos", "x"}, {"strsize", "5"}, {"cat", "1"}};
    for (int i = 0; i < 4; i++) {
        struct by_hand_bytes fields = {.size = 0};
        by_hand_text(&fields, options[i][0]);
        by_hand_text(&fields, options[i][1]);
        by_hand_record(&hand, 0, 1, 0, &fields);
    }
    SAME(run_pass(&run, UINT64_MAX),
         "CPU     ID                    FUNCTION:NAME\n  1     10                           :BEGIN ");
#define COULD_NOT "catprobe: error in dt_clause_0 for probe ID 10 (python7:::BEGIN): couldn't set option "
    SAME(run_said(&run),
         COULD_NOT "\"aggsortpos\" to \"x\": Invalid value for specified option\n\n" COULD_NOT
                   "\"strsize\" to \"5\": Operation illegal when tracing is active\n\n" COULD_NOT
                   "\"cat\" to \"1\": Invalid option name\n\n");
    run_close(&run);
    by_hand_end(&hand);
}

static void damage_is_left_out_and_said(void) {
    struct run run;
    quiet(&hand);
    by_hand_clause(&hand, 0);
    by_hand_action(&hand, ACTION_PRINTF, "si", "%s %d\n");
    by_hand_finish(&hand);
    by_hand_slots(&hand, 7, 1);
    run_open(&run, &hand);
    by_hand_record(&hand, 0, 1, 0, NULL);  /* no fields at all */
    by_hand_record(&hand, 0, 2, 99, NULL); /* no such enabling */
    run_pass(&run, UINT64_MAX);
    SAME(run_said(&run), "catprobe: records of process 7 were damaged, and are left out\n");
    by_hand_record(&hand, 0, 3, 0, NULL);
    struct arena_chunk *chunk = arena_chunk(hand.arena, hand.record_chunk[0]);
    ((struct arena_record *)(void *)((char *)(chunk + 1) + chunk->used - sizeof(struct arena_record)))->size =
        12345;
    chunk->next = hand.record_chunk[0]; /* a chain that bites its tail */
    run_pass(&run, UINT64_MAX);
    chunk->used = UINT32_MAX;
    run_pass(&run, UINT64_MAX);
    chunk->next = 12345;
    run_pass(&run, UINT64_MAX);
    run_end(&run);
    run_close(&run);
    by_hand_end(&hand);
}

/* A million lines like those of a flow script, in nanoseconds of processor time a line. */
static void speed(void) {
    enum { LINES = 1000000, BATCH = 400 };
    by_hand_begin(&hand);
    hand.options[OPTION_QUIET] = 1;
    by_hand_clause(&hand, CLAUSE_NAMES_PROBE);
    by_hand_action(&hand, ACTION_PRINTF, "iisiss", "%3d %6d %10d  %16s:%-4d %-8s %*s-> %s\n");
    hand.actions[0].fields = 8;
    hand.field_count = 0;
    hand.actions[0].first_field = by_hand_fields(&hand, "iilsisiss");
    hand.actions[0].fields = 9;
    by_hand_finish(&hand);
    by_hand_slots(&hand, 7, 2);
    char problem[256];
    FILE *null = fopen("/dev/null", "w");
    struct consumer_settings settings = {.out = null, .err = stderr, .name = "catprobe", .probe = describe};
    struct consumer *consumer = consumer_open(hand.program, hand.arena, &settings, problem, sizeof problem);
    int64_t spent = 0;
    for (int line = 0; line < LINES;) {
        for (int i = 0; i < BATCH; i++, line++) {
            struct by_hand_bytes fields = {.size = 0};
            by_hand_text(&fields, "new_cat_video");
            by_hand_text(&fields, "demo.py");
            by_hand_integer(&fields, 1);
            by_hand_integer(&fields, 24601);
            by_hand_integer(&fields, line);
            by_hand_text(&fields, "demo.py");
            by_hand_integer(&fields, 17);
            by_hand_text(&fields, "func");
            by_hand_integer(&fields, line % 8);
            by_hand_text(&fields, "");
            by_hand_text(&fields, "new_cat_video");
            by_hand_record(&hand, line & 1, (uint64_t)line, 0, &fields);
        }
        struct timespec before, after;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
        consumer_pass(consumer, UINT64_MAX);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
        spent += (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
    }
    printf("%lld ns a line\n", (long long)(spent / LINES));
    consumer_close(consumer);
    fclose(null);
    by_hand_end(&hand);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "speed") == 0) {
        speed();
        return 0;
    }
    records_come_in_the_order_of_time();
    chunks_that_were_read_are_free();
    what_a_dead_process_left_is_printed();
    default_output_has_columns();
    flow_is_indented_by_thread();
    aggregations_are_summed();
    clear_loses_nothing();
    trunc_keeps_the_greatest_or_the_least();
    histograms_are_drawn();
    a_terminal_has_colours_unless_told_not_to();
    faults_are_said_in_dtraces_words();
    drops_are_said_once();
    exit_gives_its_status();
    a_full_disk_is_a_failure();
    json_is_one_document();
    stacks_dumps_and_values_are_printed();
    files_and_commands_keep_the_order();
    setopt_changes_what_comes_after();
    damage_is_left_out_and_said();
    return failures != 0;
}
