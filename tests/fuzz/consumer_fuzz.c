/*
 * consumer_fuzz.c: an arena that was filled properly and then overwritten at any places with any bytes: the
 * consumer prints what it can, ends, and leaks nothing. The input is a list of patches: four bytes say where,
 * one how many, then they follow.
 */
#include "../unit/by_hand.h"
#include "consumer/consumer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static bool describe(void *context, uint32_t id, struct consumer_probe *probe) {
    (void)context;
    *probe = (struct consumer_probe){.provider = "python7",
                                     .name = id % 3 == 0   ? "BEGIN"
                                             : id % 3 == 1 ? "function-entry"
                                                           : "function-return"};
    return id % 7 != 0;
}

/* Everything that a record can hold but commands and files. */
static void make(struct by_hand *hand, int64_t variant) {
    static const int64_t linear[4] = {-10, 10, 2}, loglinear[4] = {10, 0, 3, 10};
    by_hand_begin(hand);
    hand->options[OPTION_QUIET] = variant & 1;
    hand->options[OPTION_FLOWINDENT] = variant >> 1 & 1;
    hand->options[OPTION_OFORMAT] = variant >> 2 & 1;
    hand->options[OPTION_AGGSORTKEY] = variant >> 3 & 1;
    hand->options[OPTION_RAWBYTES] = variant >> 4 & 1;
    by_hand_aggregation(hand, "a", AGGREGATING_SUM, "sil", NULL);
    by_hand_aggregation(hand, "b", AGGREGATING_STDDEV, "sil", NULL);
    by_hand_aggregation(hand, "q", AGGREGATING_QUANTIZE, "k", NULL);
    by_hand_aggregation(hand, "l", AGGREGATING_LQUANTIZE, "c", linear);
    by_hand_aggregation(hand, "ll", AGGREGATING_LLQUANTIZE, "b", loglinear);
    by_hand_clause(hand, CLAUSE_NAMES_PROBE);
    by_hand_action(hand, ACTION_TRACE, "s", NULL);
    by_hand_action(hand, ACTION_PRINTF, "isisl", "%d %*.*s %Y %S\n");
    by_hand_action(hand, ACTION_STACK, "k", NULL);
    by_hand_action(hand, ACTION_TRACEMEM, "b", NULL);
    by_hand_on(hand, ACTION_PRINTA, "", "%s %d %@d %@d\n", 0, 1);
    by_hand_clause(hand, 0);
    by_hand_on(hand, ACTION_PRINTA, "", NULL, 2, -1);
    by_hand_on(hand, ACTION_TRUNC, "i", NULL, 2, -1);
    by_hand_on(hand, ACTION_CLEAR, "", NULL, 0, -1);
    by_hand_on(hand, ACTION_NORMALIZE, "l", NULL, 3, -1);
    by_hand_action(hand, ACTION_SETOPT, "ss", NULL);
    by_hand_finish(hand);
    by_hand_slots(hand, 7, 2);

    for (uint32_t slot = 0; slot < 2; slot++) {
        struct by_hand_bytes fields = {.size = 0}, key = {.size = 0};
        for (int i = 0; i < 3; i++)
            by_hand_text(&fields, "text");
        by_hand_integer(&fields, 5);
        by_hand_integer(&fields, 6);
        by_hand_integer(&fields, 2);
        by_hand_text(&fields, "text");
        by_hand_integer(&fields, 7);
        by_hand_text(&fields, "f (a.py:1)\ng (b.py:2)");
        by_hand_raw(&fields, "0123456789", 10);
        by_hand_record(hand, slot, 1 + slot, 0, &fields);
        fields.size = 0;
        by_hand_integer(&fields, 1);
        by_hand_integer(&fields, 3);
        by_hand_text(&fields, "quiet");
        by_hand_text(&fields, "1");
        by_hand_record(hand, slot, 5 + slot, 1, &fields);
        by_hand_text(&key, "key");
        by_hand_integer(&key, 1);
        by_hand_integer(&key, 2);
        *by_hand_entry(hand, slot, 0, &key) = 3;
        *by_hand_entry(hand, slot, 1, &key) = 3;
        key.size = 0;
        by_hand_text(&key, "f (a.py:1)");
        by_hand_entry(hand, slot, 2, &key)[60] = 5;
        key.size = 0;
        by_hand_integer(&key, 'k');
        by_hand_entry(hand, slot, 3, &key)[3] = 5;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct by_hand hand;
    if (size == 0)
        return 0;
    make(&hand, bytes[0]);
    FILE *out = fopen("/dev/null", "w");
    char problem[256];
    struct consumer_settings settings = {.out = out, .err = out, .name = "catprobe", .probe = describe};
    struct consumer *consumer = consumer_open(hand.program, hand.arena, &settings, problem, sizeof problem);
    if (!consumer)
        abort();
    for (size_t at = 1; at + 5 <= size;) {
        uint32_t where;
        memcpy(&where, bytes + at, sizeof where);
        where %= (uint32_t)hand.arena->size - UINT8_MAX;
        size_t length = bytes[at + 4] < size - at - 5 ? bytes[at + 4] : size - at - 5;
        memcpy(hand.arena->base + where, bytes + at + 5, length);
        if (bytes[at + 4] % 4 == 0)
            consumer_pass(consumer, 3);
        at += 5 + length;
    }
    consumer_process_gone(consumer, 7);
    consumer_pass(consumer, UINT64_MAX);
    consumer_pass(consumer, UINT64_MAX);
    consumer_end(consumer);
    consumer_close(consumer);
    fclose(out);
    by_hand_end(&hand);
    return 0;
}
