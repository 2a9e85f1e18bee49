/*
 * calls.c: see calls.h. While a C function runs, nothing in the frame tells how deep its value stack is, but
 * for 3.14 and later. The compiler has made sure that each instruction always finds it equally deep: so all
 * instructions are followed once, from the start and from the handlers of exceptions, as the interpreter's
 * own compiler does it to reckon co_stacksize. Where two ways do not agree, nothing is known.
 */
#define COMPAT_WANT_BYTECODE
#include "hooks/compat.h"

#include "calls.h"

#include <string.h>

enum {
    UNITS_MAX = 1 << 14,    /* of a code object's instructions; one with more has no calls */
    HANDLERS_MAX = 1 << 16, /* bytes of a table of exception handlers */
    NOT_REACHED = -1,
    DISAGREED = -2,
    OR_ABOVE = 0x8000, /* in an entry of code->calls, which is the place + 1 */
    PLACE_MAX = 0x7ffe,
};

/* The code object that is being followed; one thread, large for its stack. */
static struct {
    unsigned char units[UNITS_MAX][sizeof(_Py_CODEUNIT)]; /* each an opcode and an argument */
    long count;
    int16_t depths[UNITS_MAX]; /* before each */
    uint8_t
        finally[UNITS_MAX]; /* how many `finally` it is in, whose depth depends on how they were entered */
    bool waits[UNITS_MAX];
    uint16_t waiting[UNITS_MAX]; /* units that are to be followed from */
    long waiting_count;
    unsigned char handlers[HANDLERS_MAX];
} all;

/* An instruction with its prefixes. */
struct instruction {
    int opcode, argument;
    long at, next; /* unit of the opcode itself; unit behind it */
};

/* False: it is none that can be followed. */
static bool read_instruction(long at, struct instruction *instruction) {
    unsigned argument = 0;
    for (int prefixes = 0; at < all.count && prefixes < 4; at++, prefixes++) {
        int opcode = compat_opcode_plain(all.units[at][0]);
        argument = argument << 8 | all.units[at][1];
        if (opcode < 0)
            return false;
        if (opcode == EXTENDED_ARG)
            continue;
        *instruction = (struct instruction){opcode, (int)argument, at, at + 1 + compat_opcode_caches(opcode)};
        return true;
    }
    return false;
}

/* A way into a `finally` that is one of several, with another depth each, decides for what comes behind its
 * end. */
static void reach(long unit, int depth, int finally) {
    if (unit < 0 || unit >= all.count)
        return;
    int before = all.depths[unit];
    bool deeper = before == NOT_REACHED || finally > all.finally[unit];
    if (deeper) {
        all.depths[unit] = (int16_t)(depth < 0 ? DISAGREED : depth);
        all.finally[unit] = (uint8_t)finally;
    } else if (finally == all.finally[unit] && before != depth) {
        all.depths[unit] = DISAGREED;
    }
    if ((all.depths[unit] != before || deeper) && !all.waits[unit]) {
        all.waits[unit] = true;
        all.waiting[all.waiting_count++] = (uint16_t)unit;
    }
}

static int depth_behind(int depth, const struct instruction *instruction, bool jumps) {
    int effect = compat_opcode_effect(instruction->opcode, instruction->argument, jumps);
    int after = depth < 0 || effect == COMPAT_EFFECT_UNKNOWN ? DISAGREED : depth + effect;
    return after < 0 || after > INT16_MAX ? DISAGREED : after;
}

static int finally_behind(int finally, int opcode, bool jumps) {
    if (compat_opcode_enters_finally(opcode, jumps) && finally < UINT8_MAX)
        return finally + 1;
    return finally - (finally > 0 && compat_opcode_ends_finally(opcode));
}

static void follow(void) {
    while (all.waiting_count > 0) {
        struct instruction instruction;
        long at = all.waiting[--all.waiting_count];
        int depth = all.depths[at], finally = all.finally[at];
        all.waits[at] = false;
        if (!read_instruction(at, &instruction))
            continue;
        all.depths[instruction.at] = (int16_t)depth; /* behind its prefixes */
        all.finally[instruction.at] = (uint8_t)finally;
        long target = compat_opcode_target(instruction.opcode, instruction.argument, instruction.next);
        if (target >= 0)
            reach(target, depth_behind(depth, &instruction, true),
                  finally_behind(finally, instruction.opcode, true));
        if (!compat_opcode_ends(instruction.opcode))
            reach(instruction.next, depth_behind(depth, &instruction, false),
                  finally_behind(finally, instruction.opcode, false));
    }
}

/* ---- The table of exception handlers: start, length, target, depth * 2 + 1 if the instruction is kept ----
 */

/* Numbers of 6 bits a byte, the most significant first; bit 6: there is more. */
static size_t read_number(size_t at, size_t size, unsigned *number) {
    enum { MORE = 64, BITS = 63 };
    *number = 0;
    while (at < size) {
        unsigned byte = all.handlers[at++];
        *number = *number << 6 | (byte & BITS);
        if (!(byte & MORE))
            break;
    }
    return at;
}

static void reach_handlers(size_t size) {
    for (size_t at = 0; at < size;) {
        enum { START, LENGTH, TARGET, DEPTH, NUMBERS };
        unsigned numbers[NUMBERS];
        for (int i = 0; i < NUMBERS; i++)
            at = read_number(at, size, &numbers[i]);
        unsigned depth = numbers[DEPTH] / 2 + numbers[DEPTH] % 2 + 1;
        if (numbers[TARGET] < (unsigned)all.count && depth < PLACE_MAX)
            reach((long)numbers[TARGET], (int)depth, 0);
    }
}

/* ---- One code object ---- */

/* Copies a bytes object; returns its size, or -1. */
static long copy_bytes(struct copier *copier, uintptr_t address, void *to, size_t most) {
    PyVarObject head;
    if (!copier_read(copier, &head, address, sizeof head) || Py_TYPE(&head) != &PyBytes_Type ||
        Py_SIZE(&head) < 0 || (size_t)Py_SIZE(&head) > most ||
        !copier_read(copier, to, address + offsetof(PyBytesObject, ob_sval), (size_t)Py_SIZE(&head)))
        return -1;
    return (long)Py_SIZE(&head);
}

/* Returns the size of the table of handlers, or -1: the instructions cannot be had. */
static long copy_code(struct copier *copier, const struct code *code) {
    PyCodeObject head;
    if (!copier_read(copier, &head, code->address, sizeof head) || Py_TYPE(&head) != &PyCode_Type)
        return -1;
    uintptr_t instructions = compat_copied_code_instructions(&head);
    uintptr_t handlers = compat_copied_code_handlers(&head);
    long size = instructions ? copy_bytes(copier, instructions, all.units, sizeof all.units) : code->size;
    if (size <= 0 || size > (long)sizeof all.units ||
        (!instructions &&
         !copier_read(copier, all.units, code->address + COMPAT_CODE_INSTRUCTIONS, (size_t)size)))
        return -1;
    all.count = size / (long)sizeof(_Py_CODEUNIT);
    return handlers ? copy_bytes(copier, handlers, all.handlers, sizeof all.handlers) : 0;
}

static uint16_t call_of(const struct instruction *instruction) {
    bool or_above;
    int depth = all.depths[instruction->at];
    int place = depth < 0 || all.finally[instruction->at]
                    ? -1
                    : compat_opcode_callable(instruction->opcode, instruction->argument, depth, &or_above);
    return place < 0 || place > PLACE_MAX ? 0 : (uint16_t)((place + 1) | (or_above ? OR_ABOVE : 0));
}

/* Entry 0 is how many instructions there are, then one for each code unit. NULL: they are not known. */
static const uint16_t *find_calls(struct copier *copier, const struct code *code) {
    struct instruction instruction;
    long handlers = copy_code(copier, code);
    uint16_t *calls = handlers < 0 ? NULL : codes_room(((size_t)all.count + 1) * sizeof *calls);
    if (!calls)
        return NULL;
    memset(calls, 0, ((size_t)all.count + 1) * sizeof *calls);
    memset(all.depths, 0xff, (size_t)all.count * sizeof *all.depths); /* NOT_REACHED */
    memset(all.finally, 0, (size_t)all.count);
    memset(all.waits, 0, (size_t)all.count);
    all.waiting_count = 0;
    reach(0, read_instruction(0, &instruction) ? compat_opcode_first_depth(instruction.opcode) : 0, 0);
    reach_handlers((size_t)handlers);
    follow();
    calls[0] = (uint16_t)all.count;
    for (long at = 0; at < all.count; at = instruction.next) {
        if (!read_instruction(at, &instruction)) {
            instruction.next = at + 1;
            continue;
        }
        calls[1 + instruction.at] = call_of(&instruction);
    }
    return calls;
}

int calls_find(struct copier *copier, struct code *code, long instruction, bool *or_above) {
    if (!code->calls_known)
        code->calls = find_calls(copier, code);
    code->calls_known = true;
    long unit = instruction / (long)sizeof(_Py_CODEUNIT);
    if (!code->calls || instruction < 0 || unit >= code->calls[0])
        return -1;
    uint16_t call = code->calls[1 + unit];
    *or_above = (call & OR_ABOVE) != 0;
    return (call & ~OR_ABOVE) - 1;
}
