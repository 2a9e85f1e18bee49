/*
 * quick.c: see quick.h.
 */
#include "quick.h"

#include "record.h"

#define LIKELY(condition) __builtin_expect(!!(condition), 1)

/* OPCODE(name, operands): W the operand is written, R read, both as integers; V and U the same as values of
   any kind; - not an operand. In the order of dst, a, b. */
#define QUICK_OPCODES(OPCODE)                                                                                \
    OPCODE(END, "---")                                                                                       \
    OPCODE(COMMIT, "---") /* the record, and the end */                                                      \
    OPCODE(RECORD, "---") /* a whole record, of the integers in a of so many instructions that follow */     \
    OPCODE(RECORD_ARGUMENT, "---") /* a whole record, of that argument */                                    \
    OPCODE(FIELD, "-R-")           /* such a one */                                                          \
    OPCODE(SLOW, "---")            /* vm_run, from the plan's `slow` with that index on */                   \
    OPCODE(SET, "W--")                                                                                       \
    OPCODE(SET_LONG, "W--")                                                                                  \
    OPCODE(TEXT, "V--")                                                                                      \
    OPCODE(POOL, "V--")                                                                                      \
    OPCODE(MOVE, "VU-")                                                                                      \
    OPCODE(ADD, "WRR")                                                                                       \
    OPCODE(ADD_NUMBER, "WR-")                                                                                \
    OPCODE(ADD_NUMBER_INT, "WR-") /* the same of 32 bits */                                                  \
    OPCODE(SUBTRACT, "WRR")                                                                                  \
    OPCODE(MULTIPLY, "WRR")                                                                                  \
    OPCODE(AND, "WRR")                                                                                       \
    OPCODE(OR, "WRR")                                                                                        \
    OPCODE(NOT, "WR-")                                                                                       \
    OPCODE(EXTEND, "WR-")                                                                                    \
    OPCODE(TRUNCATE, "WR-")                                                                                  \
    OPCODE(EQUAL, "WRR")                                                                                     \
    OPCODE(NOT_EQUAL, "WRR")                                                                                 \
    OPCODE(LESS, "WRR")                                                                                      \
    OPCODE(LESS_UNSIGNED, "WRR")                                                                             \
    OPCODE(LESS_EQUAL, "WRR")                                                                                \
    OPCODE(LESS_EQUAL_UNSIGNED, "WRR")                                                                       \
    OPCODE(JUMP, "---")                                                                                      \
    OPCODE(JUMP_IF, "-R-")                                                                                   \
    OPCODE(JUMP_UNLESS, "-R-")                                                                               \
    OPCODE(UNLESS_EQUAL, "-RR") /* a jump, unless a == b */                                                  \
    OPCODE(UNLESS_NOT_EQUAL, "-RR")                                                                          \
    OPCODE(UNLESS_LESS, "-RR")                                                                               \
    OPCODE(UNLESS_LESS_UNSIGNED, "-RR")                                                                      \
    OPCODE(UNLESS_LESS_EQUAL, "-RR")                                                                         \
    OPCODE(UNLESS_LESS_EQUAL_UNSIGNED, "-RR")                                                                \
    OPCODE(LOAD_NUMBER_UNLESS, "WR-") /* LOAD_NUMBER, and a jump if it is 0 */                               \
    OPCODE(LOAD_CELL, "W--")          /* a: enum variable_scope */                                           \
    OPCODE(STORE_CELL, "-R-")         /* b: the same */                                                      \
    OPCODE(TIME, "W--")                                                                                      \
    OPCODE(TIME_SINCE, "W-R")                                                                                \
    OPCODE(ARGUMENT, "W--")                                                                                  \
    OPCODE(LOAD_NUMBER, "WR-")     /* b: where the numbers are; a: the key */                                \
    OPCODE(STORE_NUMBER, "RR-")    /* the same */                                                            \
    OPCODE(STORE_TIME, "-R-")      /* the same */                                                            \
    OPCODE(ADD_TO_NUMBER, "RR-")   /* the same */                                                            \
    OPCODE(SUBTRACT_NUMBER, "WRR") /* b: the key; immediate: where the numbers are */                        \
    OPCODE(KNOWN, "U--")           /* b: the site */                                                         \
    OPCODE(KNOWN_GROUP, "---") /* a: so many counts and sums that follow; b: the group; immediate: its place \
                                  among those of the clause */                                               \
    OPCODE(KNOWN_COUNT, "---") /* such a one, dst: a 1 */                                                    \
    OPCODE(KNOWN_SUM, "R--")   /* b: the site; immediate: its entry in the group */                          \
    OPCODE(EMIT_STRING, "-U-")                                                                               \
    OPCODE(EMIT_INTEGER, "-R-")

enum quick_opcode {
#define OPCODE(name, operands) QUICK_##name,
    QUICK_OPCODES(OPCODE)
#undef OPCODE
        QUICK_COUNT
};

/* ---- Running ---- */

#define AT(operand) ((char *)thread + (operand))
#define INTEGER(operand) (*(int64_t *)AT(operand))
#define VALUE(operand) (*(struct value *)AT(operand))

static __attribute__((noinline)) int64_t
load_number_slowly(struct engine_thread *thread, const struct store_numbers *numbers, int64_t key) {
    struct value of_key = value_of_integer(key), value = {.integer = 0};
    variable_load_keyed(thread, numbers->variable, &of_key, &value); /* an integer key is never at fault */
    return value.integer;
}

static __attribute__((noinline)) void store_number_slowly(struct engine_thread *thread,
                                                          const struct store_numbers *numbers, int64_t key,
                                                          int64_t number) {
    struct value of_key = value_of_integer(key);
    variable_store_keyed(thread, numbers->variable, &of_key, value_of_integer(number));
}

static inline int64_t load_number(struct engine_thread *thread, const struct store_numbers *numbers,
                                  int64_t key) {
    return LIKELY((uint64_t)key < numbers->count) ? numbers->numbers[key]
                                                  : load_number_slowly(thread, numbers, key);
}

static inline void store_number(struct engine_thread *thread, const struct store_numbers *numbers,
                                int64_t key, int64_t number) {
    if (LIKELY((uint64_t)key < numbers->count))
        numbers->numbers[key] = number;
    else
        store_number_slowly(thread, numbers, key, number);
}

static inline void add_to(struct arena_aggregate *entry, int64_t value) {
    __atomic_store_n(entry->data, (int64_t)((uint64_t)*entry->data + (uint64_t)value), __ATOMIC_RELAXED);
}

static __attribute__((noinline)) bool known_slowly(struct engine_thread *thread, uint32_t site,
                                                   int64_t integer) {
    struct value value = value_of_integer(integer);
    return aggregate_known(thread, site, &value);
}

/* A whole record, where it is not sure of its room. */
static __attribute__((noinline)) void record_slowly(struct engine_thread *thread,
                                                    const struct quick_instruction *at) {
    thread->record.at = NULL;
    for (int32_t i = 1; i <= at->immediate; i++)
        record_integer(thread, INTEGER(at[i].a));
    record_commit(thread);
}

/* No clause that runs quickly alone speculates, or is one of ERROR's, whose records are deferred. NULL: there
   is no room for so much in the chunk at hand. */
static inline int64_t *begin_at_once(struct engine_thread *thread, uint32_t size) {
    const struct cursor *cursor = &thread->principal;
    if (!LIKELY(cursor->left >= size))
        return NULL;
    struct arena_record *head = (struct arena_record *)((char *)(cursor->chunk + 1) + cursor->used);
    head->size = size;
    record_head(thread, head, thread->ready->enabling);
    return (int64_t *)(head + 1);
}

static inline void record_at_once(struct engine_thread *thread, const struct quick_instruction *at) {
    uint32_t size = (uint32_t)(sizeof(struct arena_record) + (uint32_t)at->immediate * sizeof(int64_t));
    int64_t *field = begin_at_once(thread, size);
    if (!field) {
        record_slowly(thread, at);
        return;
    }
    for (const struct quick_instruction *last = at + at->immediate; at < last; field++)
        *field = INTEGER((++at)->a);
    record_publish_principal(thread, size);
}

enum { ONE_FIELD = sizeof(struct arena_record) + sizeof(int64_t) };

static inline void record_argument(struct engine_thread *thread, int32_t argument) {
    int64_t *field = begin_at_once(thread, ONE_FIELD);
    int64_t value = (int64_t)thread->event->arguments[argument];
    if (field) {
        *field = value;
        record_publish_principal(thread, ONE_FIELD);
    } else {
        thread->record.at = NULL;
        record_integer(thread, value);
        record_commit(thread);
    }
}

/* Runs what is not quick. False: a fault, which has been told. */
static __attribute__((noinline)) bool run_slowly(struct engine_thread *thread, const struct ready *ready,
                                                 int32_t first) {
    const struct plan *plan = ready->plan;
    const struct program_instruction *at;
    bool done = vm_run(thread, plan->slow + first, &at);
    if (!done)
        clause_failed(thread, ready, plan->code + plan->slow_origins[at - plan->slow]);
    return done;
}

/* A quick instruction had a fault. */
static __attribute__((noinline)) void fail(struct engine_thread *thread, const struct ready *ready,
                                           const struct quick_instruction *at) {
    clause_failed(thread, ready, ready->plan->code + ready->plan->quick_origins[at - ready->quick]);
}

static int64_t extend(int64_t value, int32_t bits) {
    int shift = 64 - bits;
    return (int64_t)((uint64_t)value << shift) >> shift;
}

static int64_t truncate_to(int64_t value, int32_t bits) {
    int shift = 64 - bits;
    return (int64_t)((uint64_t)value << shift >> shift);
}

#if defined(__GNUC__)
#    define TARGETS 1
#    define ON(name) target_##name:
#    define NEXT                                                                                             \
        do {                                                                                                 \
            at++;                                                                                            \
            goto * at->target;                                                                               \
        } while (0)
#    pragma GCC diagnostic push
#    pragma GCC diagnostic ignored "-Wpedantic"
#else
#    define TARGETS 0
#    define ON(name) case QUICK_##name:
#    define NEXT                                                                                             \
        do {                                                                                                 \
            at++;                                                                                            \
            goto again;                                                                                      \
        } while (0)
#endif

#define DST INTEGER(at->dst)
#define A INTEGER(at->a)
#define B INTEGER(at->b)
#define NUMBERS(place) ((const struct store_numbers *)AT(place))
#define SET_INTEGER(expression)                                                                              \
    do {                                                                                                     \
        DST = (expression);                                                                                  \
        NEXT;                                                                                                \
    } while (0)
/* A jump's immediate is in bytes, from the next instruction. */
#define JUMP_WHEN(condition)                                                                                 \
    do {                                                                                                     \
        if (condition)                                                                                       \
            at = (const struct quick_instruction *)((const char *)at + at->immediate);                       \
        NEXT;                                                                                                \
    } while (0)

static const void *const *handlers; /* by opcode; set by the first call, which runs nothing */

void quick_run(struct engine_thread *thread, const struct ready *ready, const struct ready *end,
               enum arena_activity activity) {
#if TARGETS
    static const void *const targets[QUICK_COUNT] = {
#    define OPCODE(name, operands) &&target_##name,
        QUICK_OPCODES(OPCODE)
#    undef OPCODE
    };
#else
    static const void *const *const targets = NULL;
#endif
    if (thread == NULL) {
        handlers = targets;
        return;
    }
    const struct arena_header *const header = thread->header;
    const struct quick_instruction *at;
next_clause:
    /* Once a clause has called exit(), the others do not run. */
    if (!LIKELY(__atomic_load_n(&header->activity, __ATOMIC_RELAXED) == activity))
        return;
    thread->ready = ready;
    at = ready->quick;
#if TARGETS
    goto * at->target;
#else
again:
    switch ((enum quick_opcode)(uintptr_t)at->target) {
#endif
    ON(COMMIT)
    if (!LIKELY(record_publish_here(thread)))
        record_commit(thread);
    goto end_of_clause;
    ON(RECORD_ARGUMENT)
    record_argument(thread, at->immediate);
    goto end_of_clause;
    ON(RECORD)
    record_at_once(thread, at);
    ON(FIELD)
    ON(KNOWN_COUNT)
    ON(KNOWN_SUM)
    ON(END)
    goto end_of_clause;
    ON(SLOW)
    if (!run_slowly(thread, ready, at->immediate) || thread->skipped)
        return; /* such a clause runs alone */
    NEXT;
    ON(SET)
    SET_INTEGER(at->immediate);
    ON(SET_LONG)
    SET_INTEGER(thread->engine->integers[at->immediate]);
    ON(TEXT)
    VALUE(at->dst) = value_of_text(thread->engine->constants[at->immediate]);
    NEXT;
    ON(POOL)
    VALUE(at->dst) = ready->pool[at->immediate];
    NEXT;
    ON(MOVE)
    VALUE(at->dst) = VALUE(at->a);
    NEXT;
    ON(ADD)
    SET_INTEGER((int64_t)((uint64_t)A + (uint64_t)B));
    ON(ADD_NUMBER)
    SET_INTEGER((int64_t)((uint64_t)A + (uint64_t)(int64_t)at->immediate));
    ON(ADD_NUMBER_INT)
    SET_INTEGER((int32_t)((uint32_t)A + (uint32_t)at->immediate));
    ON(SUBTRACT)
    SET_INTEGER((int64_t)((uint64_t)A - (uint64_t)B));
    ON(MULTIPLY)
    SET_INTEGER((int64_t)((uint64_t)A * (uint64_t)B));
    ON(AND)
    SET_INTEGER(A & B);
    ON(OR)
    SET_INTEGER(A | B);
    ON(NOT)
    SET_INTEGER(A == 0);
    ON(EXTEND)
    SET_INTEGER(extend(A, at->immediate));
    ON(TRUNCATE)
    SET_INTEGER(truncate_to(A, at->immediate));
    ON(EQUAL)
    SET_INTEGER(A == B);
    ON(NOT_EQUAL)
    SET_INTEGER(A != B);
    ON(LESS)
    SET_INTEGER(A < B);
    ON(LESS_UNSIGNED)
    SET_INTEGER((uint64_t)A < (uint64_t)B);
    ON(LESS_EQUAL)
    SET_INTEGER(A <= B);
    ON(LESS_EQUAL_UNSIGNED)
    SET_INTEGER((uint64_t)A <= (uint64_t)B);
    ON(JUMP)
    JUMP_WHEN(true);
    ON(JUMP_IF)
    JUMP_WHEN(A);
    ON(JUMP_UNLESS)
    JUMP_WHEN(!A);
    ON(UNLESS_EQUAL)
    JUMP_WHEN(A != B);
    ON(UNLESS_NOT_EQUAL)
    JUMP_WHEN(A == B);
    ON(UNLESS_LESS)
    JUMP_WHEN(A >= B);
    ON(UNLESS_LESS_UNSIGNED)
    JUMP_WHEN((uint64_t)A >= (uint64_t)B);
    ON(UNLESS_LESS_EQUAL)
    JUMP_WHEN(A > B);
    ON(UNLESS_LESS_EQUAL_UNSIGNED)
    JUMP_WHEN((uint64_t)A > (uint64_t)B);
    ON(LOAD_CELL)
    SET_INTEGER(__atomic_load_n((int64_t *)(thread->scalars[at->a] + at->immediate), __ATOMIC_RELAXED));
    ON(STORE_CELL)
    __atomic_store_n((int64_t *)(thread->scalars[at->b] + at->immediate), A, __ATOMIC_RELAXED);
    NEXT;
    ON(TIME)
    SET_INTEGER((int64_t)thread_now(thread));
    ON(ARGUMENT)
    SET_INTEGER((int64_t)thread->event->arguments[at->immediate]);
    ON(TIME_SINCE)
    SET_INTEGER((int64_t)(thread_now(thread) - (uint64_t)B));
    ON(LOAD_NUMBER)
    SET_INTEGER(load_number(thread, NUMBERS(at->b), A));
    ON(LOAD_NUMBER_UNLESS) {
        int64_t number = load_number(thread, NUMBERS(at->b), A);
        DST = number;
        JUMP_WHEN(!number);
    }
    ON(STORE_NUMBER)
    store_number(thread, NUMBERS(at->b), A, DST);
    NEXT;
    ON(STORE_TIME)
    store_number(thread, NUMBERS(at->b), A, (int64_t)thread_now(thread));
    NEXT;
    ON(ADD_TO_NUMBER) {
        const struct store_numbers *numbers = NUMBERS(at->b);
        int64_t key = A;
        store_number(thread, numbers, key,
                     (int64_t)((uint64_t)load_number(thread, numbers, key) + (uint64_t)DST));
        NEXT;
    }
    ON(SUBTRACT_NUMBER)
    SET_INTEGER((int64_t)((uint64_t)A - (uint64_t)load_number(thread, NUMBERS(at->immediate), B)));
    ON(KNOWN)
    if (!aggregate_known(thread, at->b, &VALUE(at->dst)))
        goto fault;
    NEXT;
    ON(KNOWN_GROUP) {
        const char *group = AT(ready->known_at) + at->immediate;
        bool known =
            LIKELY(aggregate_group_holds(thread, (const struct known_group *)group, ready->known + at->b));
        const struct quick_instruction *last = at + at->a;
        do {
            at++;
            struct arena_aggregate *entry =
                known ? *(struct arena_aggregate *const *)(group + at->immediate) : NULL;
            if (LIKELY(entry))
                add_to(entry, DST);
            else if (!known_slowly(thread, at->b, DST))
                goto fault;
        } while (at < last);
        NEXT;
    }
    ON(EMIT_STRING)
    if (!VALUE(at->a).text) {
        thread_fail(thread, FAULT_BAD_ADDRESS, 0);
        goto fault;
    }
    record_text(thread, VALUE(at->a));
    NEXT;
    ON(EMIT_INTEGER) {
        int64_t integer = A;
        thread->emitted = integer;
        if (!thread->record.at && !(ready->flags & CLAUSE_NAMES_PROBE))
            record_begin_here(thread, ready->enabling);
        record_integer(thread, integer);
        NEXT;
    }
#if !TARGETS
case QUICK_COUNT:
    break;
}
#endif
fault : fail(thread, ready, at);
end_of_clause : if (++ready < end) goto next_clause;
}

#if TARGETS
#    pragma GCC diagnostic pop
#endif

/* ---- Runners of lists ---- */

static void run_plain(struct engine_thread *thread, const struct ready_list *list) {
    quick_run(thread, list->items, list->items + list->count, list->activity);
}

static void run_nothing(struct engine_thread *thread, const struct ready_list *list) {
    (void)thread, (void)list;
}

static inline bool is_active(const struct engine_thread *thread, const struct ready_list *list) {
    return LIKELY(__atomic_load_n(&thread->header->activity, __ATOMIC_RELAXED) == list->activity);
}

/* `@[...] = count()` alone. */
static void run_count(struct engine_thread *thread, const struct ready_list *list) {
    const struct ready *ready = list->items;
    if (!is_active(thread, list))
        return;
    const struct known_group *group = (const struct known_group *)AT(ready->known_at);
    if (LIKELY(aggregate_group_holds(thread, group, ready->known) && group->entries[0]))
        add_to(group->entries[0], 1);
    else
        run_plain(thread, list);
}

/* `trace(arg2)` or such alone, where the cpu is not wanted and its counter may be read; the time is of nobody
   else's concern. Whatever takes a call, so as to have none here, is left to run_plain. */
static void run_record(struct engine_thread *thread, const struct ready_list *list) {
    const struct ready *ready = list->items;
    if (!is_active(thread, list))
        return;
    uint64_t now = ticks_count(&thread->ticks), written = thread->slot->written + ONE_FIELD;
    const struct cursor *cursor = &thread->principal;
    if (!LIKELY(now && cursor->left >= ONE_FIELD && written <= thread->may_write)) {
        run_plain(thread, list);
        return;
    }
    struct arena_record *head = (struct arena_record *)((char *)(cursor->chunk + 1) + cursor->used);
    int64_t value = (int64_t)thread->event->arguments[ready->quick->immediate];
    head->size = ONE_FIELD;
    head->enabling = ready->enabling;
    head->timestamp = now;
    memcpy(&head->cpu, &thread->origin, sizeof thread->origin);
    head->tid = thread->tid;
    head->probe = list->probe->id;
    memcpy(head + 1, &value, sizeof value);
    record_publish_surely(thread, ONE_FIELD, written);
}

ready_runner *quick_runner(const struct ready_list *list) {
    for (uint32_t i = 0; i < list->count; i++)
        if (!list->items[i].plan || !list->items[i].plan->is_plain)
            return run_apart;
    return list->count == 0 ? run_nothing : list->count == 1 ? list->items->plan->alone : run_plain;
}

/* ---- Making ---- */

static const char operands_of[QUICK_COUNT][4] = {
#define OPCODE(name, operands) operands,
    QUICK_OPCODES(OPCODE)
#undef OPCODE
};

/* By what a plan's instruction runs; what is not here runs slowly. */
static const uint8_t quick_of[OP_ALL] = {
    [OP_END] = QUICK_END,
    [OP_SKIP] = QUICK_END,
#define SAME(name) [OP_##name] = QUICK_##name
    SAME(SET),
    SAME(SET_LONG),
    SAME(TEXT),
    SAME(POOL),
    SAME(MOVE),
    SAME(ADD),
    SAME(ADD_NUMBER),
    SAME(SUBTRACT),
    SAME(MULTIPLY),
    SAME(AND),
    SAME(OR),
    SAME(NOT),
    SAME(EXTEND),
    SAME(TRUNCATE),
    SAME(EQUAL),
    SAME(NOT_EQUAL),
    SAME(LESS),
    SAME(LESS_UNSIGNED),
    SAME(LESS_EQUAL),
    SAME(LESS_EQUAL_UNSIGNED),
    SAME(JUMP),
    SAME(JUMP_IF),
    SAME(JUMP_UNLESS),
    SAME(LOAD_CELL),
    SAME(STORE_CELL),
    SAME(TIME),
    SAME(ARGUMENT),
    SAME(LOAD_NUMBER),
    SAME(STORE_NUMBER),
    SAME(KNOWN),
    SAME(KNOWN_COUNT),
    SAME(KNOWN_SUM),
    SAME(EMIT_INTEGER),
    SAME(EMIT_STRING),
#undef SAME
};

/* A comparison and the jump that asks for nothing else. */
static const uint8_t unless_of[QUICK_COUNT] = {
    [QUICK_EQUAL] = QUICK_UNLESS_EQUAL,
    [QUICK_NOT_EQUAL] = QUICK_UNLESS_NOT_EQUAL,
    [QUICK_LESS] = QUICK_UNLESS_LESS,
    [QUICK_LESS_UNSIGNED] = QUICK_UNLESS_LESS_UNSIGNED,
    [QUICK_LESS_EQUAL] = QUICK_UNLESS_LESS_EQUAL,
    [QUICK_LESS_EQUAL_UNSIGNED] = QUICK_UNLESS_LESS_EQUAL_UNSIGNED,
};

enum {
    CODE_MAX = 1024,                      /* instructions of a plan */
    MADE_MAX = CODE_MAX + PLAN_SITES_MAX, /* what is made of them: at most a group more for each site */
};

struct maker {
    const struct engine *engine;
    const struct program_instruction *code;
    uint32_t count;
    bool arrives[CODE_MAX + 1];     /* a jump, here */
    bool gone[CODE_MAX];            /* what it does is done by another */
    uint32_t reads_at[CODE_MAX];    /* where that is later than the instruction; else 0 */
    uint64_t place[PLAN_REGISTERS]; /* of a register in the thread's state */
    uint64_t writes[CODE_MAX];      /* the scalar variable that it writes, as a place; 0: none */

    struct quick_instruction made[MADE_MAX];
    uint16_t origins[MADE_MAX];
    bool is_gathered;              /* the record is made at the end */
    uint32_t fields;               /* of that record */
    uint32_t starts[CODE_MAX + 1]; /* of each instruction of the plan in what is made */
    uint32_t made_count;
    uint32_t group, group_end; /* the last KNOWN_GROUP, in what is made; behind what is in it, in the plan */
    struct program_instruction slow[2 * CODE_MAX];
    uint16_t slow_origins[2 * CODE_MAX];
    uint32_t slow_count;
};

static bool is_jump(uint8_t op) {
    return op == OP_JUMP || op == OP_JUMP_IF || op == OP_JUMP_UNLESS;
}

static uint32_t target_of(const struct maker *maker, uint32_t i) {
    return i + 1 + (uint32_t)maker->code[i].immediate;
}

static bool is_slow(uint8_t op) {
    return quick_of[op] == QUICK_END && op != OP_END && op != OP_SKIP;
}

/* Where a scalar variable of the thread or the clause lies; 0: it is another's, or this is no access to one.
 */
static uint64_t cell_of(const struct maker *maker, const struct program_instruction *at) {
    uint8_t scope = at->op == OP_LOAD_CELL ? at->a : at->b;
    if ((at->op != OP_LOAD_CELL && at->op != OP_STORE_CELL) || scope == SCOPE_GLOBAL)
        return 0;
    return maker->engine->scalars_at[scope] + (uint64_t)at->immediate;
}

enum { READ_AS_INTEGER = 1, READ_OTHERWISE = 2 };

/* How an instruction reads a register. Of what runs slowly all that could be an operand counts as one. */
static int reads(const struct program_instruction *at, uint8_t reg) {
    if (is_slow(at->op)) {
        uint32_t count = at->b > 1 ? at->b : 1;
        bool found =
            reg == at->dst || reg == at->dst + 1 || reg == at->b || (reg >= at->a && reg < at->a + count);
        return found ? READ_OTHERWISE : 0;
    }
    const char *operands = operands_of[quick_of[at->op]];
    const uint8_t registers[] = {at->dst, at->a, at->b};
    int found = 0;
    for (int i = 0; i < 3; i++) {
        if (operands[i] == 'R' && registers[i] == reg)
            found |= READ_AS_INTEGER;
        if (operands[i] == 'U' && (registers[i] == reg || registers[i] + 1 == reg))
            found |= READ_OTHERWISE;
    }
    return found;
}

/* The last instruction that reads a register as an integer, at least `from`; CODE_MAX: one reads it
 * otherwise. */
static uint32_t last_read(const struct maker *maker, uint32_t from, uint8_t reg) {
    uint32_t last = from;
    for (uint32_t i = 0; i < maker->count; i++) {
        int how = reads(&maker->code[i], reg);
        uint32_t at = maker->reads_at[i] ? maker->reads_at[i] : i;
        if (how & READ_OTHERWISE)
            return CODE_MAX;
        if (how && at > last)
            last = at;
    }
    return last;
}

static bool writes_between(const struct maker *maker, uint64_t cell, uint32_t after, uint32_t before) {
    for (uint32_t i = after + 1; i < before; i++)
        if (maker->writes[i] == cell)
            return true;
    return false;
}

/* Can the code stop here, go elsewhere, or have effects that a write must not overtake? */
static bool is_calm(const struct maker *maker, uint32_t i) {
    uint8_t op = maker->code[i].op;
    return !maker->arrives[i] && !is_slow(op) && !is_jump(op) && op != OP_END && op != OP_SKIP &&
           op != OP_KNOWN && op != OP_KNOWN_COUNT && op != OP_KNOWN_SUM && op != OP_EMIT_STRING;
}

/* The one instruction before `i` that leaves an integer in this register of the plan's own; `i`: none such,
   or a write there would not be the same as one at `i`. */
static uint32_t writer_of(const struct maker *maker, uint32_t i, uint8_t reg, uint64_t cell) {
    for (uint32_t k = i; k-- > 0 && !maker->arrives[k + 1];) {
        const struct program_instruction *at = &maker->code[k];
        bool is_integer = !is_slow(at->op) && operands_of[quick_of[at->op]][0] == 'W';
        if (is_integer && at->dst == reg)
            return at->op == OP_LOAD_CELL || maker->gone[k] || maker->writes[k] ? i : k;
        bool reads_it =
            maker->place[at->dst] == cell || maker->place[at->a] == cell || maker->place[at->b] == cell;
        if (!is_calm(maker, k) || maker->writes[k] == cell || cell_of(maker, at) == cell || reads_it)
            return i;
    }
    return i;
}

/* Do all of the record's fields become known on the one way to its end? Then it is made there, at once. */
static void gather_record(struct maker *maker) {
    uint32_t end = 0, ends = 0, fields = 0;
    for (uint32_t i = 0; i < maker->count; i++) {
        if (is_slow(maker->code[i].op) || maker->code[i].op == OP_EMIT_STRING)
            return;
        if (maker->code[i].op == OP_END) {
            end = i;
            ends++;
        }
        fields += maker->code[i].op == OP_EMIT_INTEGER;
    }
    if (ends != 1)
        return;
    for (uint32_t i = end; fields && i-- > 0;) {
        const struct program_instruction *at = &maker->code[i];
        if (maker->arrives[i + 1] || is_jump(at->op) || at->op == OP_SKIP ||
            (at->op == OP_EMIT_INTEGER && at->a < PROGRAM_REGISTERS))
            return;
        fields -= at->op == OP_EMIT_INTEGER;
    }
    if (fields)
        return;
    maker->is_gathered = true;
    for (uint32_t i = 0; i < maker->count; i++) {
        if (maker->code[i].op == OP_EMIT_INTEGER) {
            maker->fields++;
            maker->reads_at[i] = end;
            maker->gone[i] = true;
        }
    }
}

/* Registers behind the program's are written once. A variable that is stored from one is written in its
 * stead. */
static void write_cells(struct maker *maker) {
    for (uint32_t i = 0; i < maker->count; i++) {
        const struct program_instruction *at = &maker->code[i];
        uint64_t cell = at->op == OP_STORE_CELL ? cell_of(maker, at) : 0;
        if (!cell || at->a < PROGRAM_REGISTERS)
            continue;
        uint32_t last = last_read(maker, i, at->a), writer = writer_of(maker, i, at->a, cell);
        if (last == CODE_MAX || writer == i || writes_between(maker, cell, i, last))
            continue;
        maker->place[at->a] = cell;
        maker->writes[writer] = cell;
        maker->writes[i] = 0;
        maker->gone[i] = true;
    }
}

/* One that is loaded is read where it lies, if it stays the same as long; so is a zero. */
static void read_cells(struct maker *maker) {
    for (uint32_t i = 0; i < maker->count; i++) {
        const struct program_instruction *at = &maker->code[i];
        uint64_t cell = at->op == OP_LOAD_CELL ? cell_of(maker, at) : 0;
        bool is_zero = at->op == OP_SET && at->immediate == 0 && !maker->writes[i];
        if ((!cell && !is_zero) || at->dst < PROGRAM_REGISTERS)
            continue;
        uint32_t last = last_read(maker, i, at->dst);
        if (last == CODE_MAX || (cell && writes_between(maker, cell, i, last)))
            continue;
        maker->place[at->dst] = is_zero ? offsetof(struct engine_thread, zero) : cell;
        maker->gone[i] = true;
    }
}

static void put(struct maker *maker, uint32_t origin, uint8_t op, uint32_t dst, uint32_t a, uint32_t b,
                int32_t immediate) {
    maker->origins[maker->made_count] = (uint16_t)origin;
    maker->made[maker->made_count++] =
        (struct quick_instruction){(const void *)(uintptr_t)op, dst, a, b, immediate};
}

static uint8_t made_op(const struct maker *maker, uint32_t i) {
    return (uint8_t)(uintptr_t)maker->made[i].target;
}

/* What runs slowly, in one with the one before if no jump comes in between. */
static void put_slow(struct maker *maker, uint32_t i) {
    uint32_t count = maker->made_count;
    if (count && made_op(maker, count - 1) == QUICK_SLOW && maker->starts[i - 1] == count - 1 &&
        !maker->arrives[i]) {
        maker->slow_count--;
        maker->starts[i] = count - 1;
    } else {
        put(maker, i, QUICK_SLOW, 0, 0, 0, (int32_t)maker->slow_count);
    }
    const struct program_instruction pair[] = {maker->code[i], {.op = OP_END}};
    for (int k = 0; k < 2; k++) {
        maker->slow[maker->slow_count] = pair[k];
        maker->slow_origins[maker->slow_count++] = (uint16_t)i;
    }
}

/* Takes back what was made last, for number i to be made into one with it. */
static struct quick_instruction take_last(struct maker *maker, uint32_t i) {
    maker->starts[i] = --maker->made_count;
    return maker->made[maker->made_count];
}

/* Does an instruction leave something in this register for that one alone? */
static bool is_passed_on(const struct maker *maker, uint32_t from, uint32_t to, uint8_t reg) {
    if (reg < PROGRAM_REGISTERS || maker->code[from].dst != reg || maker->writes[from])
        return false;
    uint32_t readers = 0;
    for (uint32_t k = 0; k < maker->count; k++)
        readers += reads(&maker->code[k], reg) != 0;
    return readers == 1 && reads(&maker->code[to], reg);
}

/* Has what this instruction reads in a register just been made by the one before, for nobody else? Then takes
 * that back. */
static bool take_back(struct maker *maker, uint32_t i, uint8_t reg, struct quick_instruction *made) {
    if (!is_passed_on(maker, i - 1, i, reg))
        return false;
    *made = take_last(maker, i);
    return true;
}

/* Is what the instruction before is made into, if anything, still the last that was made, and always run
 * before? */
static bool follows_directly(const struct maker *maker, uint32_t i) {
    return i && !maker->arrives[i] && !maker->gone[i - 1] && !is_slow(maker->code[i - 1].op);
}

/* A jump that depends on a comparison just made, of which nobody else asks. */
static bool put_comparing_jump(struct maker *maker, uint32_t i) {
    struct quick_instruction made;
    if (maker->code[i].op != OP_JUMP_UNLESS || !follows_directly(maker, i))
        return false;
    uint8_t op = unless_of[quick_of[maker->code[i - 1].op]];
    if (!op || !take_back(maker, i, maker->code[i].a, &made))
        return false;
    put(maker, i, op, 0, made.a, made.b, (int32_t)target_of(maker, i));
    return true;
}

/* What a number was added to becomes an int, as in `self->depth++`. */
static bool put_int_sum(struct maker *maker, uint32_t i, uint32_t dst) {
    struct quick_instruction made;
    if (maker->code[i].immediate != 32 || !follows_directly(maker, i) ||
        maker->code[i - 1].op != OP_ADD_NUMBER || !take_back(maker, i, maker->code[i].a, &made))
        return false;
    put(maker, i, QUICK_ADD_NUMBER_INT, dst, made.a, 0, made.immediate);
    return true;
}

/* The numbers of a self-> array, as a place. */
static uint32_t numbers_of(const struct maker *maker, const struct program_instruction *at) {
    return (uint32_t)(maker->engine->numbers_at +
                      maker->engine->numbers_of[at->immediate] * sizeof(struct store_numbers));
}

/* A jump that depends on a number just loaded, as in `/self->start[self->depth]/`. */
static bool put_number_jump(struct maker *maker, uint32_t i) {
    const struct program_instruction *at = &maker->code[i];
    if (at->op != OP_JUMP_UNLESS || !follows_directly(maker, i) || at[-1].op != OP_LOAD_NUMBER ||
        at[-1].dst != at->a)
        return false;
    struct quick_instruction made = take_last(maker, i);
    put(maker, i, QUICK_LOAD_NUMBER_UNLESS, made.dst, made.a, made.b, (int32_t)target_of(maker, i));
    return true;
}

/* `timestamp - x` or `x - self->y[z]`, of what was just read. */
static bool put_difference(struct maker *maker, uint32_t i, uint32_t dst, uint32_t a, uint32_t b) {
    const struct program_instruction *at = &maker->code[i];
    struct quick_instruction made;
    if (!follows_directly(maker, i) || at->a == at->b)
        return false;
    if (at[-1].op == OP_TIME && take_back(maker, i, at->a, &made))
        put(maker, i, QUICK_TIME_SINCE, dst, 0, b, 0);
    else if (at[-1].op == OP_LOAD_NUMBER && take_back(maker, i, at->b, &made))
        put(maker, i, QUICK_SUBTRACT_NUMBER, dst, a, made.a, (int32_t)made.b);
    else
        return false;
    return true;
}

/* `self->x[y] = timestamp` or `self->x[y] += z`. */
static bool put_number_change(struct maker *maker, uint32_t i, uint32_t key, uint32_t numbers) {
    const struct program_instruction *at = &maker->code[i], *adds = at - 1, *loads = at - 2;
    struct quick_instruction made;
    if (!follows_directly(maker, i) || at->a == at->dst)
        return false;
    if (adds->op == OP_TIME && take_back(maker, i, at->dst, &made)) {
        put(maker, i, QUICK_STORE_TIME, 0, key, numbers, 0);
        return true;
    }
    if (adds->op != OP_ADD || !follows_directly(maker, i - 1) || loads->op != OP_LOAD_NUMBER ||
        loads->a != at->a || loads->immediate != at->immediate || adds->a == adds->b ||
        adds->a != loads->dst || at->a == loads->dst || !is_passed_on(maker, i - 2, i - 1, adds->a) ||
        !take_back(maker, i, at->dst, &made))
        return false;
    take_last(maker, i); /* the load */
    put(maker, i, QUICK_ADD_TO_NUMBER, made.b, key, numbers, 0);
    return true;
}

/* A count or a sum, in one group with those just before it. */
static void put_known(struct maker *maker, uint32_t i, uint8_t op, uint32_t value) {
    uint32_t site = (uint32_t)maker->code[i].immediate, group = site / GROUP_SITES;
    struct quick_instruction *head = &maker->made[maker->group];
    bool goes_on = maker->group + head->a + 1 == maker->made_count && maker->group_end == i &&
                   head->b == group && !maker->arrives[i];
    if (!goes_on) {
        maker->group = maker->made_count;
        head = &maker->made[maker->group];
        put(maker, i, QUICK_KNOWN_GROUP, 0, 0, group, (int32_t)(group * sizeof(struct known_group)));
    }
    head->a++;
    put(maker, i, op, value, 0, site,
        (int32_t)(offsetof(struct known_group, entries) + site % GROUP_SITES * sizeof(void *)));
    maker->group_end = i + 1;
}

/* Is the record that one argument which has just been loaded? */
static bool is_of_argument(const struct maker *maker, uint32_t end) {
    const struct program_instruction *emits = &maker->code[end - 1], *loads = emits - 1;
    return end >= 2 && emits->op == OP_EMIT_INTEGER && loads->op == OP_ARGUMENT && emits->a == loads->dst &&
           !maker->gone[end - 2] && !maker->writes[end - 2] && !maker->arrives[end - 1] && maker->fields == 1;
}

static void put_record(struct maker *maker, uint32_t end) {
    uint32_t first = maker->made_count;
    if (is_of_argument(maker, end)) {
        take_last(maker, end);
        put(maker, end, QUICK_RECORD_ARGUMENT, 0, 0, 0, maker->code[end - 2].immediate);
        return;
    }
    put(maker, end, QUICK_RECORD, 0, 0, 0, 0);
    for (uint32_t i = 0; i < end; i++)
        if (maker->code[i].op == OP_EMIT_INTEGER)
            put(maker, i, QUICK_FIELD, 0, (uint32_t)maker->place[maker->code[i].a], 0, 0);
    maker->made[first].immediate = (int32_t)(maker->made_count - first - 1);
}

static uint32_t place(const struct maker *maker, char how, uint8_t operand) {
    return how == '-' ? operand : (uint32_t)maker->place[operand];
}

static void put_quick(struct maker *maker, uint32_t i, uint64_t flags) {
    const struct program_instruction *at = &maker->code[i];
    uint8_t op = quick_of[at->op];
    const char *operands = operands_of[op];
    uint32_t dst = place(maker, operands[0], at->dst), a = place(maker, operands[1], at->a),
             b = place(maker, operands[2], at->b);
    int32_t immediate = at->immediate;
    switch (at->op) {
    case OP_END:
        if (maker->is_gathered) {
            put_record(maker, i);
            return;
        }
        op = flags & CLAUSE_RECORDS ? QUICK_COMMIT : QUICK_END;
        break;
    case OP_JUMP:
    case OP_JUMP_IF:
    case OP_JUMP_UNLESS:
        if (put_comparing_jump(maker, i) || put_number_jump(maker, i))
            return;
        immediate = (int32_t)target_of(maker, i);
        break;
    case OP_EXTEND:
        if (put_int_sum(maker, i, dst))
            return;
        break;
    case OP_SUBTRACT:
        if (put_difference(maker, i, dst, a, b))
            return;
        break;
    case OP_LOAD_NUMBER:
        b = numbers_of(maker, at);
        break;
    case OP_STORE_NUMBER:
        b = numbers_of(maker, at);
        if (put_number_change(maker, i, a, b))
            return;
        break;
    case OP_KNOWN:
        b = (uint32_t)at->immediate;
        break;
    case OP_KNOWN_COUNT:
    case OP_KNOWN_SUM:
        put_known(maker, i, op, at->op == OP_KNOWN_SUM ? dst : offsetof(struct engine_thread, one));
        return;
    }
    put(maker, i, op, dst, a, b, immediate);
}

static bool is_jump_made(uint8_t op) {
    return op >= QUICK_JUMP && op <= QUICK_LOAD_NUMBER_UNLESS;
}

/* Jumps get their distances, and all their handlers. */
static void finish(struct maker *maker) {
    quick_run(NULL, NULL, NULL, ARENA_INACTIVE);
    for (uint32_t i = 0; i < maker->made_count; i++) {
        struct quick_instruction *made = &maker->made[i];
        uint8_t op = made_op(maker, i);
        if (is_jump_made(op))
            made->immediate = (int32_t)((maker->starts[made->immediate] - i - 1) * sizeof *made);
        if (handlers)
            made->target = handlers[op];
    }
}

static const void *keep(struct engine *engine, const void *bytes, size_t size) {
    void *kept = engine_memory(engine, size + 1);
    if (kept)
        memcpy(kept, bytes, size);
    return kept;
}

/* Does it append to a record? A clause may that has none in the end. */
static bool records(const struct maker *maker) {
    for (uint32_t i = 0; i < maker->count; i++)
        if (maker->code[i].op == OP_EMIT_INTEGER || maker->code[i].op == OP_EMIT_STRING)
            return true;
    return false;
}

static ready_runner *runner_alone(const struct maker *maker) {
    if (maker->made_count == 1 && made_op(maker, 0) == QUICK_RECORD_ARGUMENT && !maker->engine->wants_cpu &&
        maker->engine->ticks_usable)
        return run_record;
    if (maker->made_count == 3 && made_op(maker, 1) == QUICK_KNOWN_COUNT && made_op(maker, 2) == QUICK_END)
        return run_count;
    return run_plain;
}

static bool make(struct maker *maker, struct plan *plan, uint64_t flags) {
    struct engine *engine = (struct engine *)maker->engine;
    for (uint32_t r = 0; r < PLAN_REGISTERS; r++)
        maker->place[r] = offsetof(struct engine_thread, registers) + r * sizeof(struct value);
    for (uint32_t i = 0; i < maker->count; i++) {
        if (is_jump(maker->code[i].op))
            maker->arrives[target_of(maker, i)] = true;
        if (maker->code[i].op == OP_STORE_CELL)
            maker->writes[i] = cell_of(maker, &maker->code[i]);
    }
    if ((flags & (CLAUSE_RECORDS | CLAUSE_NAMES_PROBE)) == CLAUSE_RECORDS)
        gather_record(maker);
    write_cells(maker);
    read_cells(maker);
    for (uint32_t i = 0; i < maker->count; i++) {
        maker->starts[i] = maker->made_count;
        if (maker->gone[i])
            continue;
        if (is_slow(maker->code[i].op))
            put_slow(maker, i);
        else
            put_quick(maker, i, flags);
    }
    plan->alone = runner_alone(maker);
    finish(maker);
    plan->is_plain =
        !maker->slow_count && (maker->is_gathered || !(flags & CLAUSE_RECORDS || records(maker)));
    plan->quick = keep(engine, maker->made, maker->made_count * sizeof *maker->made);
    plan->quick_origins = keep(engine, maker->origins, maker->made_count * sizeof *maker->origins);
    plan->slow = keep(engine, maker->slow, maker->slow_count * sizeof *maker->slow);
    plan->slow_origins = keep(engine, maker->slow_origins, maker->slow_count * sizeof *maker->slow_origins);
    return plan->quick && plan->quick_origins && plan->slow && plan->slow_origins;
}

bool quick_make(struct engine *engine, struct plan *plan, const struct program_instruction *code,
                uint64_t flags) {
    if (plan->count > CODE_MAX || engine->known_at + engine->numbers_at + engine->scalars_at[SCOPE_THREAD] +
                                          engine->scalars_at[SCOPE_CLAUSE] >
                                      INT32_MAX)
        return false;
    struct maker *maker = memory_map(sizeof *maker);
    if (!maker)
        return false;
    maker->engine = engine;
    maker->code = code;
    maker->count = plan->count;
    bool made = make(maker, plan, flags);
    memory_unmap(maker, sizeof *maker);
    return made;
}
