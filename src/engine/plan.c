/*
 * plan.c: see plan.h. One pass over the code, all of whose jumps go forward, tells for each register and
 * variable of the clause whether its value depends on the code object alone. Outside of what a jump may skip,
 * each value gets a register of its own, so that what is loaded twice is loaded once; then what nobody
 * reads is left out.
 */
#include "plan.h"

#include "quick.h"
#include "verdict.h"

enum {
    LENGTH_MAX = 1024, /* instructions of a clause, and what is made of them */
    VARIABLES_MAX = 256,
    HELD_MAX = 8, /* elements of self-> arrays that are in registers */
};

/* How the values of the pool are worked out. */
enum plan_kind {
    KIND_LEFT,  /* not done beforehand */
    KIND_DONE,  /* done */
    KIND_BRANCH /* a jump that is followed */
};

enum state {
    STATE_LEFT,     /* the value is in the register that `now` says */
    STATE_DONE,     /* it is known for the code object */
    STATE_UNCERTAIN /* the one or the other; who reads that gets no plan */
};

/* What is known of a register of the program. */
struct known_register {
    uint8_t state;
    uint8_t now;    /* STATE_LEFT: where the value is */
    uint8_t made;   /* STATE_DONE: a register that has it already; 0: none */
    bool is_number; /* STATE_DONE: of the program, `number` */
    bool is_text;   /* STATE_DONE */
    int32_t number;
    uint16_t point; /* STATE_DONE: before which instruction the register has it */
};

struct number {
    int32_t variable;
    uint8_t key, value; /* registers */
};

/* Registers of the program, a bit for each. */
struct beforehand {
    uint64_t done;  /* known for the code object */
    uint64_t texts; /* and a text */
};

struct maker {
    struct engine *engine;
    const struct probe_info *probe;
    const struct program_instruction *code;
    uint32_t length;
    bool reached[LENGTH_MAX];              /* of the program's instructions */
    uint32_t region_end;                   /* until there a jump may skip; 0: not in such a region */
    uint64_t uncertain;                    /* in a region: registers of the program with STATE_UNCERTAIN */
    uint64_t uncertain_at[LENGTH_MAX + 1]; /* where a jump arrives */
    struct known_register registers[PROGRAM_REGISTERS];
    bool variable_done[VARIABLES_MAX]; /* of the clause: known for the code object */
    uint8_t held[VARIABLES_MAX];       /* the register that has an integer variable; 0: none */
    struct number numbers[HELD_MAX];
    uint32_t number_count;
    uint32_t next_register;
    bool failed;

    uint8_t kinds[LENGTH_MAX];
    struct plan_capture captures[PLAN_POOL_MAX];
    bool is_text[PLAN_POOL_MAX];
    struct plan_site sites[PLAN_SITES_MAX];
    uint32_t capture_count, site_count;
    struct beforehand arriving[LENGTH_MAX + 1]; /* for try_to_follow: where a jump arrives */
    bool arrives[LENGTH_MAX + 1];

    struct program_instruction made[LENGTH_MAX]; /* a jump's immediate: an instruction of the program */
    uint16_t origins[LENGTH_MAX];
    uint32_t count;
    uint16_t places[LENGTH_MAX + 1]; /* of each instruction of the program in what is made */
    uint64_t live[LENGTH_MAX][PLAN_REGISTERS / 64];
    bool dropped[LENGTH_MAX];
};

static const char operands_of[OP_ALL][4] = {
#define OPCODE(name, operands, immediate) operands,
    PROGRAM_OPCODES(OPCODE) PLAN_OPCODES(OPCODE)
#undef OPCODE
};

/* ---- What instructions do ---- */

static bool is_jump(const struct program_instruction *at) {
    return at->op == OP_JUMP || at->op == OP_JUMP_IF || at->op == OP_JUMP_UNLESS;
}

static bool is_end(const struct program_instruction *at) {
    return at->op == OP_END || at->op == OP_SKIP;
}

static uint32_t target_of(const struct maker *maker, uint32_t i) {
    return i + 1 + (uint32_t)maker->code[i].immediate;
}

static bool is_scalar(const struct maker *maker, int32_t variable) {
    const struct program_variable *what = &maker->engine->variables[variable];
    return what->kind == VALUE_INTEGER && !what->keys && variable < VARIABLES_MAX &&
           maker->engine->offsets[variable] <= INT32_MAX;
}

/* Of the clause or the thread: nobody else changes it. */
static bool is_private(const struct maker *maker, int32_t variable) {
    return variable < VARIABLES_MAX && maker->engine->variables[variable].scope != SCOPE_GLOBAL;
}

static bool is_of_clause(const struct maker *maker, int32_t variable) {
    return variable < VARIABLES_MAX && maker->engine->variables[variable].scope == SCOPE_CLAUSE;
}

/* Does the result depend on the operands, and on the code object, alone? */
static bool is_constant_builtin(const struct maker *maker, int32_t builtin) {
    switch (builtin) {
    case BUILTIN_ID:
    case BUILTIN_PID:
    case BUILTIN_EXECNAME:
    case BUILTIN_PROBEPROV:
    case BUILTIN_PROBEMOD:
    case BUILTIN_PROBEFUNC:
    case BUILTIN_PROBENAME:
        return true;
    }
    return builtin <= BUILTIN_ARG9 && (maker->probe->by_code & 1U << (builtin - BUILTIN_ARG0));
}

static bool is_constant_subroutine(int32_t subroutine) {
    switch (subroutine) {
    case SUBROUTINE_BASENAME:
    case SUBROUTINE_CLEANPATH:
    case SUBROUTINE_COPYINSTR: /* of the code object's own strings: see plan_work_out */
    case SUBROUTINE_DIRNAME:
    case SUBROUTINE_INDEX:
    case SUBROUTINE_JSON:
    case SUBROUTINE_LLTOSTR:
    case SUBROUTINE_RINDEX:
    case SUBROUTINE_STRCHR:
    case SUBROUTINE_STRINGOF:
    case SUBROUTINE_STRIP:
    case SUBROUTINE_STRJOIN:
    case SUBROUTINE_STRLEN:
    case SUBROUTINE_STRRCHR:
    case SUBROUTINE_STRSTR:
    case SUBROUTINE_STRTOLL:
    case SUBROUTINE_SUBSTR:
    case SUBROUTINE_TOLOWER:
    case SUBROUTINE_TOUPPER:
        return true;
    }
    return false;
}

static bool is_constant(const struct maker *maker, const struct program_instruction *at) {
    switch (at->op) {
    case OP_BUILTIN:
        return is_constant_builtin(maker, at->immediate);
    case OP_CALL:
        return is_constant_subroutine(at->immediate);
    }
    return at->op <= OP_COMPARE_STRINGS && !is_end(at);
}

/* Is what it leaves in dst a text? */
static bool gives_text(const struct maker *maker, const struct program_instruction *at) {
    enum { I, S, N };
    static const uint8_t builtins[] = {
#define BUILTIN(name, text, kind, type) kind,
        PROGRAM_BUILTINS(BUILTIN)
#undef BUILTIN
    };
    static const uint8_t subroutines[] = {
#define SUBROUTINE(name, text, result, operands, fewest, type, prototype) result,
        PROGRAM_SUBROUTINES(SUBROUTINE)
#undef SUBROUTINE
    };
    switch (at->op) {
    case OP_SET_STRING:
    case OP_SET_NULL:
        return true;
    case OP_MOVE:
        return maker->registers[at->a].is_text;
    case OP_BUILTIN:
        return builtins[at->immediate] == S;
    case OP_CALL:
        return subroutines[at->immediate] == S;
    case OP_LOAD:
        return maker->engine->variables[at->immediate].kind == VALUE_STRING;
    }
    return false;
}

/* Has it no effect but on dst, and never a fault? */
static bool is_pure(const struct program_instruction *at) {
    switch (at->op) {
    case OP_DIVIDE:
    case OP_DIVIDE_UNSIGNED:
    case OP_REMAINDER:
    case OP_REMAINDER_UNSIGNED:
    case OP_END:
    case OP_SKIP:
        return false;
    case OP_BUILTIN:
    case OP_LOAD:
    case OP_POOL:
    case OP_TEXT:
    case OP_LOAD_CELL:
    case OP_TIME:
    case OP_ARGUMENT:
    case OP_LOAD_NUMBER:
        return true;
    }
    return at->op <= OP_COMPARE_STRINGS;
}

/* How many registers from dst on an AGGREGATE reads. */
static uint32_t values_of(const struct engine *engine, uint32_t aggregation) {
    switch (engine->aggregations[aggregation].function) {
    case AGGREGATING_COUNT:
        return 0;
    case AGGREGATING_QUANTIZE:
    case AGGREGATING_LQUANTIZE:
    case AGGREGATING_LLQUANTIZE:
        return 2;
    }
    return 1;
}

static uint32_t site_values(const struct maker *maker, const struct program_instruction *at) {
    uint32_t aggregation =
        at->op == OP_AGGREGATE ? (uint32_t)at->immediate : maker->sites[at->immediate].aggregation;
    return values_of(maker->engine, aggregation);
}

/* Calls `see` for each run of registers that an instruction reads. */
static void each_read(const struct maker *maker, const struct program_instruction *at,
                      void (*see)(void *context, uint8_t first, uint32_t count), void *context) {
    const char *operands = operands_of[at->op];
    if (at->op == OP_AGGREGATE || at->op == OP_KNOWN || at->op == OP_KNOWN_SUM)
        see(context, at->dst, site_values(maker, at));
    else if (operands[0] != 'W' && operands[0] != '-')
        see(context, at->dst, 1);
    if (operands[1] == 'A')
        see(context, at->a, at->b);
    else if (operands[1] != '-')
        see(context, at->a, 1);
    if (operands[2] != '-' && operands[2] != '#' && at->op != OP_MOVE)
        see(context, at->b, 1);
}

struct question {
    const struct maker *maker;
    uint64_t seen; /* registers of the program */
};

static void note_read(void *context, uint8_t first, uint32_t count) {
    struct question *question = context;
    for (uint32_t i = first; i < first + count; i++)
        question->seen |= 1ULL << i;
}

static uint64_t reads_of(const struct maker *maker, const struct program_instruction *at) {
    struct question question = {maker, 0};
    each_read(maker, at, note_read, &question);
    return question.seen;
}

static uint64_t registers_in(const struct maker *maker, enum state state) {
    uint64_t found = 0;
    for (uint32_t r = 0; r < PROGRAM_REGISTERS; r++)
        if (maker->registers[r].state == state)
            found |= 1ULL << r;
    return found;
}

/* ---- Making instructions ---- */

static void emit(struct maker *maker, uint32_t origin, uint8_t op, uint8_t dst, uint8_t a, uint8_t b,
                 int32_t immediate) {
    if (maker->count == LENGTH_MAX) {
        maker->failed = true;
        return;
    }
    maker->origins[maker->count] = (uint16_t)origin;
    maker->made[maker->count++] = (struct program_instruction){op, dst, a, b, immediate};
}

/* The first of `count` registers that nothing else uses. */
static uint8_t take_registers(struct maker *maker, uint32_t count) {
    if (maker->next_register + count > PLAN_REGISTERS) {
        maker->failed = true;
        return 0;
    }
    uint32_t first = maker->next_register;
    maker->next_register += count;
    return (uint8_t)first;
}

static int32_t capture(struct maker *maker, uint16_t point, uint8_t reg) {
    if (maker->capture_count == PLAN_POOL_MAX) {
        maker->failed = true;
        return 0;
    }
    maker->captures[maker->capture_count] = (struct plan_capture){point, reg};
    maker->is_text[maker->capture_count] = maker->registers[reg].is_text;
    return (int32_t)maker->capture_count++;
}

/* Brings what the register `reg` of the program has into the register `to`. */
static void bring(struct maker *maker, uint32_t i, uint8_t reg, uint8_t to) {
    const struct known_register *known = &maker->registers[reg];
    if (known->state == STATE_UNCERTAIN)
        maker->failed = true;
    else if (known->state == STATE_LEFT)
        emit(maker, i, OP_MOVE, to, known->now, 0, 0);
    else if (known->is_number)
        emit(maker, i, OP_SET, to, 0, 0, known->number);
    else
        emit(maker, i, OP_POOL, to, 0, 0, capture(maker, known->point, reg));
}

/* Where the value of a register of the program is. */
static uint8_t operand(struct maker *maker, uint32_t i, uint8_t reg) {
    struct known_register *known = &maker->registers[reg];
    if (known->state == STATE_UNCERTAIN)
        maker->failed = true;
    if (known->state != STATE_DONE)
        return known->now;
    if (!known->made) {
        known->made = take_registers(maker, 1);
        bring(maker, i, reg, known->made);
    }
    return known->made;
}

/* The same for several in a row. */
static uint8_t operands(struct maker *maker, uint32_t i, uint8_t first, uint32_t count) {
    if (count <= 1)
        return count ? operand(maker, i, first) : 0;
    uint8_t to = take_registers(maker, count);
    for (uint32_t k = 0; k < count && !maker->failed; k++)
        bring(maker, i, (uint8_t)(first + k), (uint8_t)(to + k));
    return to;
}

static void set_left(struct maker *maker, uint8_t reg, uint8_t now) {
    maker->registers[reg] = (struct known_register){.state = STATE_LEFT, .now = now};
}

/* A new place for the result. */
static uint8_t result(struct maker *maker, uint8_t reg) {
    uint8_t now = take_registers(maker, 1);
    set_left(maker, reg, now);
    return now;
}

static void set_done(struct maker *maker, uint32_t point, uint8_t reg, bool is_text) {
    maker->registers[reg] =
        (struct known_register){.state = STATE_DONE, .point = (uint16_t)point, .is_text = is_text};
}

/* ---- What a jump may skip ---- */

/* All values go to the registers of the program, as it is not known by which way the end is reached. */
static void enter_region(struct maker *maker, uint32_t i, uint32_t end) {
    for (uint32_t r = 0; r < PROGRAM_REGISTERS; r++) {
        struct known_register *known = &maker->registers[r];
        if (known->state == STATE_UNCERTAIN)
            maker->uncertain |= 1ULL << r;
        else if (known->state == STATE_DONE || known->now != r)
            bring(maker, i, (uint8_t)r, (uint8_t)r);
        set_left(maker, (uint8_t)r, (uint8_t)r);
    }
    for (uint32_t v = 0; v < VARIABLES_MAX; v++)
        if (maker->held[v] < PROGRAM_REGISTERS)
            maker->held[v] = 0;
    maker->number_count = 0;
    maker->region_end = end;
}

static void leave_region(struct maker *maker) {
    maker->region_end = 0;
    for (uint32_t r = 0; r < PROGRAM_REGISTERS; r++)
        if (maker->uncertain & 1ULL << r)
            maker->registers[r].state = STATE_UNCERTAIN;
    maker->uncertain = 0;
}

static void forget_variable(struct maker *maker, int32_t variable) {
    if (variable < VARIABLES_MAX) {
        maker->held[variable] = 0;
        maker->variable_done[variable] = false;
    }
}

/* Inside registers stay what they are. */
static void make_in_region(struct maker *maker, uint32_t i) {
    const struct program_instruction *at = &maker->code[i];
    struct program_instruction made = *at;
    if (reads_of(maker, at) & maker->uncertain)
        maker->failed = true;
    if (operands_of[at->op][0] == 'W')
        maker->uncertain &= ~(1ULL << at->dst);
    switch (at->op) {
    case OP_JUMP:
    case OP_JUMP_IF:
    case OP_JUMP_UNLESS:
        made.immediate = (int32_t)target_of(maker, i);
        maker->uncertain_at[made.immediate] |= maker->uncertain;
        if (!is_end(&maker->code[made.immediate]) && (uint32_t)made.immediate > maker->region_end)
            maker->region_end = (uint32_t)made.immediate;
        break;
    case OP_SET_STRING:
        made.op = OP_TEXT;
        made.immediate = (int32_t)(at - maker->engine->instructions);
        break;
    case OP_LOAD:
        if (is_scalar(maker, at->immediate)) {
            made.op = OP_LOAD_CELL;
            made.a = maker->engine->variables[at->immediate].scope;
            made.immediate = (int32_t)maker->engine->offsets[at->immediate];
        }
        break;
    case OP_STORE:
        forget_variable(maker, at->immediate);
        if (is_scalar(maker, at->immediate)) {
            made.op = OP_STORE_CELL;
            made.b = maker->engine->variables[at->immediate].scope;
            made.immediate = (int32_t)maker->engine->offsets[at->immediate];
        }
        break;
    case OP_STORE_KEYED:
        maker->number_count = 0;
        break;
    case OP_BUILTIN:
        if (at->immediate == BUILTIN_TIMESTAMP)
            made = (struct program_instruction){OP_TIME, at->dst, 0, 0, 0};
        break;
    }
    if (at->op == OP_JUMP || is_end(at) || at->op == OP_FAIL)
        maker->uncertain = 0; /* nobody comes from here */
    emit(maker, i, made.op, made.dst, made.a, made.b, made.immediate);
}

/* ---- Branches that are known for the code object ---- */

/* By another way at the same place: known is what both know, of one kind. */
static struct beforehand merge(struct beforehand a, struct beforehand b) {
    return (struct beforehand){a.done & b.done & ~(a.texts ^ b.texts), a.texts & b.texts};
}

static void arrive(struct maker *maker, uint32_t target, struct beforehand known, uint32_t *end) {
    maker->arriving[target] = maker->arrives[target] ? merge(maker->arriving[target], known) : known;
    maker->arrives[target] = true;
    if (target > *end)
        *end = target;
}

static struct beforehand known_now(const struct maker *maker) {
    struct beforehand known = {registers_in(maker, STATE_DONE), 0};
    for (uint32_t r = 0; r < PROGRAM_REGISTERS; r++)
        if (maker->registers[r].is_text)
            known.texts |= known.done & 1ULL << r;
    return known;
}

/* Can all that the jump at `i`, whose condition is known, may skip be done beforehand? Then up to the end of
 * that. */
static bool try_to_follow(struct maker *maker, uint32_t i, uint32_t *end) {
    struct beforehand known = known_now(maker);
    uint64_t written = 0;
    bool reached = true;
    memset(maker->arrives, 0, sizeof maker->arrives);
    *end = 0;
    arrive(maker, target_of(maker, i), known, end);
    for (uint32_t j = i + 1; j < *end; j++) {
        const struct program_instruction *at = &maker->code[j];
        if (maker->arrives[j])
            known = reached ? merge(known, maker->arriving[j]) : maker->arriving[j];
        reached = reached || maker->arrives[j];
        if (!reached || !maker->reached[j] || (reads_of(maker, at) & ~known.done) || at->op == OP_MOVE ||
            (!is_jump(at) && !is_constant(maker, at)))
            return false;
        if (is_jump(at)) {
            arrive(maker, target_of(maker, j), known, end);
            reached = at->op != OP_JUMP;
            continue;
        }
        uint64_t bit = 1ULL << at->dst;
        written |= bit;
        known.done |= bit;
        known.texts = gives_text(maker, at) ? known.texts | bit : known.texts & ~bit;
    }
    known = reached ? merge(known, maker->arriving[*end]) : maker->arriving[*end];
    for (uint32_t j = i; j < *end; j++)
        maker->kinds[j] = is_jump(&maker->code[j]) ? KIND_BRANCH : KIND_DONE;
    for (uint32_t r = 0; r < PROGRAM_REGISTERS; r++) {
        if (!(written & 1ULL << r))
            continue;
        set_done(maker, *end, (uint8_t)r, (known.texts & 1ULL << r) != 0);
        if (!(known.done & 1ULL << r))
            maker->registers[r].state = STATE_UNCERTAIN;
    }
    return true;
}

/* ---- What remains ---- */

static void make_jump(struct maker *maker, uint32_t i) {
    const struct program_instruction *at = &maker->code[i];
    uint32_t target = target_of(maker, i);
    bool leaves = is_end(&maker->code[target]) && at->op != OP_JUMP;
    if (!leaves) {
        enter_region(maker, i, target);
        make_in_region(maker, i);
        return;
    }
    emit(maker, i, at->op, 0, operand(maker, i, at->a), 0, (int32_t)target);
}

static void make_load(struct maker *maker, uint32_t i) {
    const struct program_instruction *at = &maker->code[i];
    int32_t variable = at->immediate;
    if (!is_scalar(maker, variable)) {
        emit(maker, i, OP_LOAD, result(maker, at->dst), 0, 0, variable);
        return;
    }
    if (is_private(maker, variable) && maker->held[variable]) {
        set_left(maker, at->dst, maker->held[variable]);
        return;
    }
    uint8_t now = result(maker, at->dst);
    emit(maker, i, OP_LOAD_CELL, now, maker->engine->variables[variable].scope, 0,
         (int32_t)maker->engine->offsets[variable]);
    if (is_private(maker, variable))
        maker->held[variable] = now;
}

static void make_store(struct maker *maker, uint32_t i) {
    const struct program_instruction *at = &maker->code[i];
    int32_t variable = at->immediate;
    uint8_t from = operand(maker, i, at->a);
    forget_variable(maker, variable);
    if (!is_scalar(maker, variable)) {
        emit(maker, i, OP_STORE, 0, from, 0, variable);
        return;
    }
    emit(maker, i, OP_STORE_CELL, 0, from, maker->engine->variables[variable].scope,
         (int32_t)maker->engine->offsets[variable]);
    if (is_private(maker, variable) && from >= PROGRAM_REGISTERS)
        maker->held[variable] = from;
}

static bool is_array_of_numbers(const struct maker *maker, int32_t variable) {
    return maker->engine->numbers_of[variable] != STORE_NO_NUMBERS;
}

static void hold_number(struct maker *maker, int32_t variable, uint8_t key, uint8_t value) {
    if (key < PROGRAM_REGISTERS || value < PROGRAM_REGISTERS)
        return;
    maker->numbers[maker->number_count++ % HELD_MAX] = (struct number){variable, key, value};
}

static void make_load_keyed(struct maker *maker, uint32_t i) {
    const struct program_instruction *at = &maker->code[i];
    if (!is_array_of_numbers(maker, at->immediate)) {
        uint8_t keys = operands(maker, i, at->a, at->b);
        emit(maker, i, OP_LOAD_KEYED, result(maker, at->dst), keys, at->b, at->immediate);
        return;
    }
    uint8_t key = operand(maker, i, at->a);
    for (uint32_t k = 0; k < maker->number_count && k < HELD_MAX; k++) {
        if (maker->numbers[k].variable == at->immediate && maker->numbers[k].key == key) {
            set_left(maker, at->dst, maker->numbers[k].value);
            return;
        }
    }
    uint8_t value = result(maker, at->dst);
    emit(maker, i, OP_LOAD_NUMBER, value, key, 0, at->immediate);
    hold_number(maker, at->immediate, key, value);
}

static void make_store_keyed(struct maker *maker, uint32_t i) {
    const struct program_instruction *at = &maker->code[i];
    bool numbers = is_array_of_numbers(maker, at->immediate);
    uint8_t keys = numbers ? operand(maker, i, at->a) : operands(maker, i, at->a, at->b);
    uint8_t value = operand(maker, i, at->dst);
    maker->number_count = 0; /* any other key may be the same */
    emit(maker, i, numbers ? OP_STORE_NUMBER : OP_STORE_KEYED, value, keys, numbers ? 0 : at->b,
         at->immediate);
}

static void make_aggregate(struct maker *maker, uint32_t i) {
    const struct program_instruction *at = &maker->code[i];
    uint32_t aggregation = (uint32_t)at->immediate, count = values_of(maker->engine, aggregation);
    uint8_t values = operands(maker, i, at->dst, count);
    bool done = maker->site_count < PLAN_SITES_MAX;
    for (uint32_t k = 0; k < at->b; k++)
        done = done && maker->registers[at->a + k].state == STATE_DONE;
    if (!done) {
        emit(maker, i, OP_AGGREGATE, values, operands(maker, i, at->a, at->b), at->b, at->immediate);
        return;
    }
    maker->sites[maker->site_count] = (struct plan_site){aggregation, maker->capture_count};
    for (uint32_t k = 0; k < at->b; k++)
        capture(maker, maker->registers[at->a + k].point, (uint8_t)(at->a + k));
    enum aggregating_function function = maker->engine->aggregations[aggregation].function;
    uint8_t op = function == AGGREGATING_COUNT ? OP_KNOWN_COUNT
                 : function == AGGREGATING_SUM ? OP_KNOWN_SUM
                                               : OP_KNOWN;
    emit(maker, i, op, values, 0, 0, (int32_t)maker->site_count++);
}

static void make_builtin(struct maker *maker, uint32_t i) {
    const struct program_instruction *at = &maker->code[i];
    uint8_t op = at->immediate == BUILTIN_TIMESTAMP ? OP_TIME
                 : at->immediate <= BUILTIN_ARG9    ? OP_ARGUMENT
                                                    : OP_BUILTIN;
    emit(maker, i, op, result(maker, at->dst), 0, 0, op == OP_TIME ? 0 : at->immediate);
}

/* Adding and subtracting a number of the program. */
static bool make_sum(struct maker *maker, uint32_t i) {
    const struct program_instruction *at = &maker->code[i];
    const struct known_register *b = &maker->registers[at->b];
    if ((at->op != OP_ADD && at->op != OP_SUBTRACT) || b->state != STATE_DONE || !b->is_number ||
        b->number == INT32_MIN)
        return false;
    int32_t number = at->op == OP_ADD ? b->number : -b->number;
    uint8_t a = operand(maker, i, at->a);
    emit(maker, i, OP_ADD_NUMBER, result(maker, at->dst), a, 0, number);
    return true;
}

static void make_other(struct maker *maker, uint32_t i) {
    const struct program_instruction *at = &maker->code[i];
    struct program_instruction made = *at;
    const char *pattern = operands_of[at->op];
    if (make_sum(maker, i))
        return;
    if (pattern[1] == 'A')
        made.a = operands(maker, i, at->a, at->b);
    else if (pattern[1] != '-')
        made.a = operand(maker, i, at->a);
    if (pattern[2] != '-' && pattern[2] != '#' && at->op != OP_MOVE)
        made.b = operand(maker, i, at->b);
    if (pattern[0] == 'W')
        made.dst = result(maker, at->dst);
    else if (pattern[0] != '-')
        made.dst = operand(maker, i, at->dst);
    emit(maker, i, made.op, made.dst, made.a, made.b, made.immediate);
}

static void (*const makers[OP_COUNT])(struct maker *maker, uint32_t i) = {
    [OP_JUMP] = make_jump,
    [OP_JUMP_IF] = make_jump,
    [OP_JUMP_UNLESS] = make_jump,
    [OP_LOAD] = make_load,
    [OP_STORE] = make_store,
    [OP_LOAD_KEYED] = make_load_keyed,
    [OP_STORE_KEYED] = make_store_keyed,
    [OP_AGGREGATE] = make_aggregate,
    [OP_BUILTIN] = make_builtin,
};

/* Does it beforehand, if that can be. */
static bool make_beforehand(struct maker *maker, uint32_t i) {
    const struct program_instruction *at = &maker->code[i];
    bool known_variable =
        at->op == OP_LOAD && is_of_clause(maker, at->immediate) && maker->variable_done[at->immediate];
    if (!known_variable &&
        (!is_constant(maker, at) || (reads_of(maker, at) & ~registers_in(maker, STATE_DONE))))
        return false;
    bool is_number = at->op == OP_SET;
    maker->kinds[i] = KIND_DONE;
    set_done(maker, i + 1, at->dst, gives_text(maker, at));
    maker->registers[at->dst].is_number = is_number;
    maker->registers[at->dst].number = is_number ? at->immediate : 0;
    return true;
}

static void make_all(struct maker *maker) {
    for (uint32_t i = 0; i < maker->length && !maker->failed;) {
        const struct program_instruction *at = &maker->code[i];
        uint32_t end;
        maker->uncertain |= maker->uncertain_at[i];
        if (maker->region_end && i >= maker->region_end)
            leave_region(maker);
        maker->places[i] = (uint16_t)maker->count;
        if (!maker->reached[i]) {
            i++;
            continue;
        }
        if (maker->region_end) {
            make_in_region(maker, i++);
            continue;
        }
        bool is_branch = at->op == OP_JUMP_IF || at->op == OP_JUMP_UNLESS;
        if (is_branch && maker->registers[at->a].state == STATE_DONE &&
            !is_end(&maker->code[target_of(maker, i)]) && try_to_follow(maker, i, &end)) {
            i = end;
            continue;
        }
        if (!make_beforehand(maker, i)) {
            bool keeps = at->op == OP_STORE && is_of_clause(maker, at->immediate) &&
                         maker->registers[at->a].state == STATE_DONE;
            (makers[at->op] ? makers[at->op] : make_other)(maker, i);
            if (keeps) {
                maker->kinds[i] = KIND_DONE;
                maker->variable_done[at->immediate] = true;
            }
        }
        i++;
    }
}

/* ---- Leaving out what nobody reads ---- */

static void note_live(void *context, uint8_t first, uint32_t count) {
    uint64_t *live = context;
    for (uint32_t r = first; r < first + count; r++)
        live[r / 64] |= 1ULL << r % 64;
}

/* Drops instructions whose results nobody reads; from the end to the start. */
static void drop_unread(struct maker *maker) {
    enum { WORDS = PLAN_REGISTERS / 64 };
    for (uint32_t i = maker->count; i-- > 0;) {
        const struct program_instruction *at = &maker->made[i];
        uint64_t live[WORDS] = {0};
        bool goes_on = !is_end(at) && at->op != OP_JUMP && at->op != OP_FAIL && i + 1 < maker->count;
        for (int w = 0; w < WORDS; w++) {
            if (goes_on)
                live[w] |= maker->live[i + 1][w];
            if (is_jump(at))
                live[w] |= maker->live[maker->places[at->immediate]][w];
        }
        bool writes = operands_of[at->op][0] == 'W';
        maker->dropped[i] =
            maker->dropped[i] || (writes && is_pure(at) && !(live[at->dst / 64] & 1ULL << at->dst % 64));
        if (!maker->dropped[i]) {
            if (writes)
                live[at->dst / 64] &= ~(1ULL << at->dst % 64);
            each_read(maker, at, note_live, live);
        }
        memcpy(maker->live[i], live, sizeof live);
    }
}

/* Is a variable of the clause read outside of this clause's code? */
static bool read_by_others(const struct maker *maker, uint32_t clause, uint32_t variable) {
    const struct engine *engine = maker->engine;
    uint32_t count = program_count(engine->program, SECTION_INSTRUCTIONS);
    uint32_t clauses = program_count(engine->program, SECTION_CLAUSES);
    const struct program_clause *own = &engine->clauses[clause];
    uint32_t first = own->full < own->decided ? own->full : own->decided, last = count;
    if (own->decide < first)
        first = own->decide;
    for (uint32_t c = 0; c < clauses; c++) {
        const uint32_t entries[] = {engine->clauses[c].decide, engine->clauses[c].full,
                                    engine->clauses[c].decided};
        for (int k = 0; k < 3 && c != clause; k++) {
            if (entries[k] == PROGRAM_NO_CODE)
                continue;
            if (entries[k] > first && entries[k] < last)
                last = entries[k];
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct program_instruction *at = &engine->instructions[i];
        if ((i < first || i >= last) && at->op == OP_LOAD && (uint32_t)at->immediate == variable)
            return true;
    }
    return false;
}

static bool still_loads(const struct maker *maker, uint32_t variable) {
    for (uint32_t i = 0; i < maker->count; i++) {
        const struct program_instruction *origin = &maker->code[maker->origins[i]];
        if (!maker->dropped[i] && origin->op == OP_LOAD && (uint32_t)origin->immediate == variable)
            return true;
    }
    return false;
}

/* Drops stores to variables of the clause that nobody loads. */
static void drop_stores(struct maker *maker, uint32_t clause) {
    for (uint32_t i = 0; i < maker->count; i++) {
        const struct program_instruction *origin = &maker->code[maker->origins[i]];
        bool stores = maker->made[i].op == OP_STORE || maker->made[i].op == OP_STORE_CELL;
        if (stores && is_of_clause(maker, origin->immediate) &&
            !still_loads(maker, (uint32_t)origin->immediate) &&
            !read_by_others(maker, clause, (uint32_t)origin->immediate))
            maker->dropped[i] = true;
    }
}

/* Closes the gaps, and makes the jumps relative again. */
static void close_gaps(struct maker *maker) {
    uint16_t *moved = memory_map(sizeof *moved * (maker->count + 1ULL));
    if (!moved) {
        maker->failed = true;
        return;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < maker->count; i++) {
        moved[i] = (uint16_t)count;
        count += !maker->dropped[i];
    }
    for (uint32_t i = 0; i < maker->count; i++) {
        if (maker->dropped[i])
            continue;
        struct program_instruction made = maker->made[i];
        if (is_jump(&made))
            made.immediate = (int32_t)moved[maker->places[made.immediate]] - moved[i] - 1;
        maker->made[moved[i]] = made;
        maker->origins[moved[i]] = maker->origins[i];
    }
    memory_unmap(moved, sizeof *moved * (maker->count + 1ULL));
    maker->count = count;
}

/* ---- Plans ---- */

/* Marks the instructions that some way leads to, for others were never verified. False: there are too many.
 */
static bool reach(struct maker *maker, uint32_t count) {
    maker->reached[0] = true;
    for (uint32_t i = 0; i < LENGTH_MAX && i < count; i++) {
        const struct program_instruction *at = &maker->code[i];
        if (!maker->reached[i])
            continue;
        maker->length = i + 1;
        if (is_jump(at)) {
            if (target_of(maker, i) >= LENGTH_MAX)
                return false;
            maker->reached[target_of(maker, i)] = true;
        }
        if (!is_end(at) && at->op != OP_JUMP && at->op != OP_FAIL) {
            if (i + 1 == LENGTH_MAX)
                return false;
            maker->reached[i + 1] = true;
        }
    }
    return true;
}

static void *keep(struct engine *engine, const void *bytes, size_t size) {
    void *kept = engine_memory(engine, size + 1);
    if (kept)
        memcpy(kept, bytes, size);
    return kept;
}

/* Moves what was made into memory of the engine's own; the captures in the order in which they are met. */
static void keep_plan(struct maker *maker, uint32_t clause, struct plan *plan) {
    struct engine *engine = maker->engine;
    uint16_t *places = engine_memory(engine, maker->capture_count * sizeof *places + 1);
    struct plan_capture *captures = engine_memory(engine, maker->capture_count * sizeof *captures + 1);
    if (!places || !captures)
        return;
    uint32_t count = 0;
    for (uint32_t point = 0; point <= maker->length; point++) {
        for (uint32_t k = 0; k < maker->capture_count; k++) {
            if (maker->captures[k].point != point)
                continue;
            captures[count] = maker->captures[k];
            places[count++] = (uint16_t)k;
        }
    }
    plan->captures = captures;
    plan->places = places;
    plan->pool_size = (uint16_t)maker->capture_count;
    plan->site_count = (uint16_t)maker->site_count;
    plan->length = maker->length;
    plan->kinds = keep(engine, maker->kinds, maker->length);
    plan->is_text = keep(engine, maker->is_text, maker->capture_count * sizeof *maker->is_text);
    plan->sites = keep(engine, maker->sites, maker->site_count * sizeof *maker->sites);
    plan->origins = keep(engine, maker->origins, maker->count * sizeof *maker->origins);
    const void *code = keep(engine, maker->made, maker->count * sizeof *maker->made);
    plan->count = maker->count;
    if (plan->kinds && plan->is_text && plan->sites && plan->origins && code &&
        quick_make(engine, plan, code, engine->clauses[clause].flags))
        plan->code = code;
}

static void make_plan(struct engine *engine, const struct probe_info *probe, uint32_t clause,
                      struct plan *plan) {
    struct maker *maker = memory_map(sizeof *maker);
    if (!maker)
        return;
    maker->engine = engine;
    maker->probe = probe;
    maker->code = engine->instructions + plan->start;
    maker->next_register = PROGRAM_REGISTERS;
    for (uint32_t r = 0; r < PROGRAM_REGISTERS; r++)
        set_left(maker, (uint8_t)r, (uint8_t)r);
    if (reach(maker, program_count(engine->program, SECTION_INSTRUCTIONS) - plan->start)) {
        make_all(maker);
        if (!maker->failed) {
            drop_unread(maker);
            drop_stores(maker, clause);
            drop_unread(maker);
            close_gaps(maker);
        }
        if (!maker->failed)
            keep_plan(maker, clause, plan);
    }
    memory_unmap(maker, sizeof *maker);
}

const struct plan *plan_of(struct engine *engine, const struct probe_info *probe, uint32_t clause,
                           uint32_t start) {
    struct plan *plan = engine->plans;
    while (plan &&
           (plan->start != start || plan->by_code != probe->by_code || plan->strings != probe->strings))
        plan = plan->next;
    if (!plan) {
        plan = engine_memory(engine, sizeof *plan);
        if (!plan)
            return NULL;
        *plan = (struct plan){
            .next = engine->plans, .start = start, .by_code = probe->by_code, .strings = probe->strings};
        engine->plans = plan;
        make_plan(engine, probe, clause, plan);
    }
    return plan->code ? plan : NULL;
}

/* ---- Working out ---- */

/* copyinstr() of an address that is not the code object's own may give another text each time. */
static bool reads_own_string(const struct engine_thread *decider, const struct program_instruction *at) {
    if (at->op != OP_CALL || (at->immediate != SUBROUTINE_COPYINSTR && at->immediate != SUBROUTINE_STRINGOF))
        return true;
    const struct engine_code *code = decider->code;
    for (uint32_t i = 0; i < code->string_count; i++)
        if (code->strings[i].address &&
            code->strings[i].address == (uint64_t)decider->registers[at->a].integer)
            return true;
    return false;
}

static bool do_one(struct engine_thread *decider, const struct program_instruction *at) {
    const struct program_instruction *end;
    struct program_instruction code[] = {*at, {.op = OP_END}};
    if (at->op == OP_SET_STRING) {
        code[0].op = OP_TEXT;
        code[0].immediate = (int32_t)(at - decider->engine->instructions);
    }
    return reads_own_string(decider, at) && vm_run(decider, code, &end);
}

/* A variable's text may change before all is done. */
static bool take(struct engine_thread *decider, const struct plan_capture *capture, bool is_text,
                 struct value *to) {
    const struct layout *layout = &decider->engine->layouts[SCOPE_CLAUSE];
    const char *variables = decider->scalars[SCOPE_CLAUSE];
    *to = decider->registers[capture->reg];
    if (!is_text || to->text < variables || to->text >= variables + layout->size)
        return true;
    char *copy = thread_string(decider, to->length);
    if (copy)
        to->text = memcpy(copy, to->text, to->length);
    return copy != NULL;
}

bool plan_work_out(struct engine *engine, const struct plan *plan, struct value *pool) {
    struct engine_thread *decider = engine->decider;
    const struct program_instruction *code = engine->instructions + plan->start;
    uint32_t next = 0;
    for (uint32_t i = 0; i <= plan->length; i++) {
        for (; next < plan->pool_size && plan->captures[next].point <= i; next++)
            if (!take(decider, &plan->captures[next], plan->is_text[plan->places[next]],
                      &pool[plan->places[next]]))
                return false;
        if (i == plan->length || plan->kinds[i] == KIND_LEFT)
            continue;
        if (plan->kinds[i] == KIND_BRANCH) {
            bool holds = decider->registers[code[i].a].integer != 0;
            if (code[i].op == OP_JUMP || (code[i].op == OP_JUMP_IF) == holds)
                i += (uint32_t)code[i].immediate;
        } else if (!do_one(decider, &code[i])) {
            return false;
        }
    }
    return true;
}
