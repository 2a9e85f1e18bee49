/*
 * vm.c: runs the code of a clause, one handler for each opcode of tables.h. The verifier has seen to it that
 * operands are of the right kind and in range, and that every way ends; so nothing of that is looked at here.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "plan.h"

#include <signal.h>
#include <unistd.h>

/* The quotient and the remainder of the least number and -1 do not trap. */
static int64_t divide(int64_t a, int64_t b) {
    return b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
}

static int64_t remainder_of(int64_t a, int64_t b) {
    return b == -1 ? 0 : a % b;
}

static int64_t extend(int64_t value, int32_t bits) {
    int shift = 64 - bits;
    return (int64_t)((uint64_t)value << shift) >> shift;
}

static int64_t truncate_to(int64_t value, int32_t bits) {
    int shift = 64 - bits;
    return (int64_t)((uint64_t)value << shift >> shift);
}

/* The null string comes before all others and equals itself alone. */
static int64_t compare(struct value a, struct value b) {
    if (!a.text || !b.text)
        return (a.text != NULL) - (b.text != NULL);
    uint32_t common = a.length < b.length ? a.length : b.length;
    int order = a.text == b.text ? 0 : memcmp(a.text, b.text, common);
    if (!order)
        return (a.length > b.length) - (a.length < b.length);
    return order < 0 ? -1 : 1;
}

static bool read_number(struct engine_thread *thread, uint64_t address, int32_t width, struct value *result) {
    uint32_t bytes = (uint32_t)(width < 0 ? -width : width);
    const char *from = thread_bytes(thread, address, bytes);
    if (!from)
        return false;
    uint64_t number = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(&number, from, bytes);
#else
    memcpy((char *)&number + 8 - bytes, from, bytes);
#endif
    int32_t bits = (int32_t)bytes * 8;
    *result = value_of_integer(width < 0 ? extend((int64_t)number, bits) : (int64_t)number);
    return true;
}

static bool write_number(struct engine_thread *thread, uint64_t address, int32_t width, int64_t number) {
    if (!thread_owns(thread, address, (uint64_t)width))
        return thread_fail(thread, FAULT_BAD_ADDRESS, address);
    const char *from = (const char *)&number;
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    from += 8 - width;
#endif
    memcpy((char *)(uintptr_t)address, from, (size_t)width);
    return true;
}

static bool copy_bytes(struct engine_thread *thread, uint64_t to, uint64_t from, int32_t size) {
    if (!size)
        return true;
    if (!thread_owns(thread, to, (uint64_t)size))
        return thread_fail(thread, FAULT_BAD_ADDRESS, to);
    const char *bytes = thread_bytes(thread, from, (uint64_t)size);
    if (bytes)
        memmove((char *)(uintptr_t)to, bytes, (size_t)size);
    return bytes != NULL;
}

/* A text's bytes with '\0' behind them, until the clause ends. */
static bool string_address(struct engine_thread *thread, struct value value, struct value *result) {
    const char *text = value.text;
    if (text) {
        char *copy = thread_string(thread, value.length + 1ULL);
        if (!copy)
            return false;
        memcpy(copy, text, value.length);
        copy[value.length] = '\0';
        text = copy;
    }
    *result = value_of_integer((int64_t)(uintptr_t)text);
    return true;
}

static bool emit_bytes(struct engine_thread *thread, uint64_t address, uint64_t size) {
    if (size > PROGRAM_BYTES_MAX)
        return thread_fail(thread, FAULT_BAD_SIZE, size);
    const char *from = thread_bytes(thread, address, size);
    if (!from)
        return false;
    char *to = record_bytes(thread, (uint32_t)size);
    if (to)
        memcpy(to, from, size);
    return true;
}

/* At most half of each second, as DTrace has it. */
static bool chill(struct engine_thread *thread, int64_t nanoseconds) {
    enum { SECOND = 1000000000, MOST = SECOND / 2 };
    uint64_t now = thread_now(thread);
    if (now - thread->chill_from >= SECOND) {
        thread->chill_from = now;
        thread->chilled = 0;
    }
    if (nanoseconds < 0 || nanoseconds > MOST || thread->chilled + (uint64_t)nanoseconds > MOST)
        return thread_fail(thread, FAULT_ILLEGAL_OPERATION, 0);
    thread->chilled += (uint64_t)nanoseconds;
    struct timespec time = {.tv_sec = 0, .tv_nsec = (long)nanoseconds};
    while (nanosleep(&time, &time) != 0)
        continue;
    return true;
}

static bool act(struct engine_thread *thread, const struct program_action *action) {
    struct engine *engine = thread->engine;
    switch (action->kind) {
    case ACTION_EXIT:
        if (arena_advance(engine->arena, ARENA_EXITING))
            __atomic_store_n(&engine->arena->header->exit_status, (int32_t)thread->emitted, __ATOMIC_RELEASE);
        return true;
    case ACTION_COMMIT:
        return speculation_commit(thread, thread->emitted);
    case ACTION_DISCARD:
        return speculation_discard(thread, thread->emitted);
    }
    if (!engine->destructive)
        return true;
    switch (action->kind) {
    case ACTION_RAISE:
        kill(getpid(), (int)thread->emitted);
        return true;
    case ACTION_STOP:
        kill(getpid(), SIGSTOP);
        return true;
    case ACTION_CHILL:
        return chill(thread, thread->emitted);
    }
    return true;
}

/* A handler is reached by one indirect jump from the end of the one before, where the compiler can do that.
 */
#if defined(__GNUC__)
#    define TARGETS 1
#    define ON(name) target_##name:
#    define NEXT                                                                                             \
        do {                                                                                                 \
            at++;                                                                                            \
            goto *targets[at->op];                                                                           \
        } while (0)
#else
#    define TARGETS 0
#    define ON(name) case OP_##name:
#    define NEXT                                                                                             \
        do {                                                                                                 \
            at++;                                                                                            \
            goto again;                                                                                      \
        } while (0)
#endif

#define DST registers[at->dst]
#define A registers[at->a]
#define B registers[at->b]
#define SET_INTEGER(expression)                                                                              \
    do {                                                                                                     \
        DST.integer = (expression);                                                                          \
        NEXT;                                                                                                \
    } while (0)
#define TRY(call)                                                                                            \
    do {                                                                                                     \
        if (!(call))                                                                                         \
            goto fault;                                                                                      \
        NEXT;                                                                                                \
    } while (0)

#if TARGETS
#    pragma GCC diagnostic push
#    pragma GCC diagnostic ignored "-Wpedantic"
#endif
bool vm_run(struct engine_thread *thread, const struct program_instruction *at,
            const struct program_instruction **instruction) {
    struct value *registers = thread->registers;
    const struct engine *engine = thread->engine;
#if TARGETS
    static const void *const targets[OP_TEXT + 1] = {
#    define OPCODE(name, operands, immediate) &&target_##name,
        PROGRAM_OPCODES(OPCODE) OPCODE(TEXT, "W--", 'T')
#    undef OPCODE
    };
    goto *targets[at->op];
#else
again:
    switch (at->op) {
#endif
    ON(SKIP)
    thread->skipped = true;
    return true;
    ON(END)
    return true;
    ON(SET)
    SET_INTEGER(at->immediate);
    ON(SET_LONG)
    SET_INTEGER(engine->integers[at->immediate]);
    ON(SET_STRING)
    DST = value_of_text(engine->constants[at - engine->instructions]);
    NEXT;
    ON(SET_NULL)
    DST = (struct value){.text = NULL};
    NEXT;
    ON(MOVE)
    DST = A;
    NEXT;
    ON(ADD)
    SET_INTEGER((int64_t)((uint64_t)A.integer + (uint64_t)B.integer));
    ON(ADD_NUMBER)
    SET_INTEGER((int64_t)((uint64_t)A.integer + (uint64_t)(int64_t)at->immediate));
    ON(SUBTRACT)
    SET_INTEGER((int64_t)((uint64_t)A.integer - (uint64_t)B.integer));
    ON(MULTIPLY)
    SET_INTEGER((int64_t)((uint64_t)A.integer * (uint64_t)B.integer));
    ON(DIVIDE)
    if (!B.integer)
        goto divided_by_zero;
    SET_INTEGER(divide(A.integer, B.integer));
    ON(DIVIDE_UNSIGNED)
    if (!B.integer)
        goto divided_by_zero;
    SET_INTEGER((int64_t)((uint64_t)A.integer / (uint64_t)B.integer));
    ON(REMAINDER)
    if (!B.integer)
        goto divided_by_zero;
    SET_INTEGER(remainder_of(A.integer, B.integer));
    ON(REMAINDER_UNSIGNED)
    if (!B.integer)
        goto divided_by_zero;
    SET_INTEGER((int64_t)((uint64_t)A.integer % (uint64_t)B.integer));
    ON(AND)
    SET_INTEGER(A.integer & B.integer);
    ON(OR)
    SET_INTEGER(A.integer | B.integer);
    ON(XOR)
    SET_INTEGER(A.integer ^ B.integer);
    ON(SHIFT_LEFT)
    SET_INTEGER((int64_t)((uint64_t)A.integer << (B.integer & 63)));
    ON(SHIFT_RIGHT)
    SET_INTEGER(A.integer >> (B.integer & 63));
    ON(SHIFT_RIGHT_UNSIGNED)
    SET_INTEGER((int64_t)((uint64_t)A.integer >> (B.integer & 63)));
    ON(NEGATE)
    SET_INTEGER((int64_t)(0 - (uint64_t)A.integer));
    ON(COMPLEMENT)
    SET_INTEGER(~A.integer);
    ON(NOT)
    SET_INTEGER(A.integer == 0);
    ON(EXTEND)
    SET_INTEGER(extend(A.integer, at->immediate));
    ON(TRUNCATE)
    SET_INTEGER(truncate_to(A.integer, at->immediate));
    ON(EQUAL)
    SET_INTEGER(A.integer == B.integer);
    ON(NOT_EQUAL)
    SET_INTEGER(A.integer != B.integer);
    ON(LESS)
    SET_INTEGER(A.integer < B.integer);
    ON(LESS_UNSIGNED)
    SET_INTEGER((uint64_t)A.integer < (uint64_t)B.integer);
    ON(LESS_EQUAL)
    SET_INTEGER(A.integer <= B.integer);
    ON(LESS_EQUAL_UNSIGNED)
    SET_INTEGER((uint64_t)A.integer <= (uint64_t)B.integer);
    ON(COMPARE_STRINGS)
    SET_INTEGER(compare(A, B));
    ON(STRING_ADDRESS)
    TRY(string_address(thread, A, &DST));
    ON(JUMP)
    at += at->immediate;
    NEXT;
    ON(JUMP_IF)
    if (A.integer)
        at += at->immediate;
    NEXT;
    ON(JUMP_UNLESS)
    if (!A.integer)
        at += at->immediate;
    NEXT;
    ON(BUILTIN)
    DST = thread_builtin(thread, (enum builtin)at->immediate);
    NEXT;
    ON(CALL)
    TRY(subroutine_call(thread, (enum subroutine)at->immediate, &A, &DST));
    ON(LOAD)
    DST = variable_load(thread, (uint32_t)at->immediate);
    NEXT;
    ON(STORE)
    variable_store(thread, (uint32_t)at->immediate, A);
    NEXT;
    ON(LOAD_KEYED)
    TRY(variable_load_keyed(thread, (uint32_t)at->immediate, &A, &DST));
    ON(STORE_KEYED)
    TRY(variable_store_keyed(thread, (uint32_t)at->immediate, &A, DST));
    ON(ADDRESS)
    SET_INTEGER((int64_t)(uintptr_t)variable_address(thread, (uint32_t)at->immediate));
    ON(ADDRESS_KEYED)
    TRY(variable_address_keyed(thread, (uint32_t)at->immediate, &A, &DST));
    ON(READ)
    TRY(read_number(thread, (uint64_t)A.integer, at->immediate, &DST));
    ON(WRITE)
    TRY(write_number(thread, (uint64_t)DST.integer, at->immediate, A.integer));
    ON(COPY)
    TRY(copy_bytes(thread, (uint64_t)DST.integer, (uint64_t)A.integer, at->immediate));
    ON(AGGREGATE)
    TRY(aggregate(thread, (uint32_t)at->immediate, &DST, &A));
    ON(EMIT_INTEGER)
    thread->emitted = A.integer;
    record_integer(thread, A.integer);
    NEXT;
    ON(EMIT_STRING)
    if (!A.text) {
        thread_fail(thread, FAULT_BAD_ADDRESS, 0);
        goto fault;
    }
    record_text(thread, A);
    NEXT;
    ON(EMIT_BYTES)
    TRY(emit_bytes(thread, (uint64_t)A.integer, (uint64_t)B.integer));
    ON(ACT)
    TRY(act(thread, &engine->actions[at->immediate]));
    ON(SPECULATE)
    if (!speculation_enter(thread, A.integer)) {
        thread->skipped = true;
        return true;
    }
    NEXT;
    ON(TEXT)
    DST = value_of_text(engine->constants[at->immediate]);
    NEXT;
    ON(FAIL)
    thread_fail(thread, (enum fault)at->immediate, (uint64_t)A.integer);
    goto fault;
#if !TARGETS
}
#endif
divided_by_zero : thread_fail(thread, FAULT_DIVIDE_BY_ZERO, 0);
fault : *instruction = at;
return false;
}
#if TARGETS
#    pragma GCC diagnostic pop
#endif
