/*
 * verifier_fuzz.c: any bytes as a program, and any instructions within a good one: what the verifier accepts
 * runs at every probe, on an arena of its own, and harms nothing. The first byte of the input says which of
 * the two the rest is.
 */
#include "../unit/assembler.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum {
    MOST = 64 << 20, /* bytes of variables that a run may take */
    OPERANDS = 16,   /* registers from there on hold S S I I I S, for all signatures and keys */
    STRINGS = 8,     /* registers from there on hold strings, those before integers */
};

/* The registers before an instruction of the input runs. */
static void prepare(struct assembler *as) {
    static const char kinds_of[] = "SSIIIS";
    for (uint8_t reg = 0; reg < STRINGS; reg++)
        set(as, reg, 1LL << reg * 5);
    for (uint8_t reg = STRINGS; reg < OPERANDS; reg++)
        set_string(as, reg, reg % 2 ? "/a/text/,of,../some?[length]" : "{\"a\": [1, {\"b\": \"c\"}]}");
    for (uint8_t i = 0; kinds_of[i]; i++) {
        if (kinds_of[i] == 'I')
            set(as, OPERANDS + i, i);
        else
            set_string(as, OPERANDS + i, "b[1].a/,");
    }
}

/* Operands and immediates that are there, so that far more is accepted. */
static void make_plausible(struct program_instruction *instruction) {
    static const struct {
        const char *operands;
        char immediate;
    } opcodes[OP_COUNT] = {
#define OPCODE(name, operands, immediate) {operands, immediate},
        PROGRAM_OPCODES(OPCODE)
#undef OPCODE
    };
    static const char *const signatures[SUBROUTINE_COUNT] = {
#define SUBROUTINE(name, text, result, operands, fewest, type, prototype) operands,
        PROGRAM_SUBROUTINES(SUBROUTINE)
#undef SUBROUTINE
    };
    uint32_t number = (uint32_t)instruction->immediate;
    instruction->op %= OP_COUNT;
    uint8_t *values[] = {&instruction->dst, &instruction->a, &instruction->b};
    const char *operands = opcodes[instruction->op].operands;
    for (int i = 0; i < 3; i++)
        *values[i] = (uint8_t)(*values[i] % STRINGS + (operands[i] == 'S' ? STRINGS : 0));
    switch (opcodes[instruction->op].immediate) {
    case 'C':
        instruction->immediate = (int32_t)(number % 3);
        break;
    case 'T':
        instruction->immediate = (int32_t)(number % 60);
        break;
    case 'V':
        instruction->immediate = (int32_t)(number % 15);
        instruction->a = operands[1] == 'A' ? OPERANDS + 4 : instruction->a;
        instruction->b = 2;
        break;
    case 'G':
        instruction->immediate = (int32_t)(number % AGGREGATING_FUNCTIONS);
        instruction->a = OPERANDS + (number % AGGREGATING_FUNCTIONS % 2 ? 5 : 4);
        instruction->b = 1;
        break;
    case 'B':
        instruction->immediate = (int32_t)(number % BUILTIN_COUNT);
        break;
    case 'F': {
        const char *signature = signatures[number % SUBROUTINE_COUNT];
        instruction->immediate = (int32_t)(number % SUBROUTINE_COUNT);
        instruction->b = (uint8_t)strlen(signature);
        instruction->a =
            (uint8_t)(OPERANDS + (signature[0] == 'I' ? 2 : signature[0] == 'S' && signature[1] != 'S'));
        break;
    }
    case 'P':
        instruction->immediate = (int32_t)(number % ACTION_COUNT);
        break;
    case 'J':
        instruction->immediate = (int32_t)(number % 8);
        break;
    }
}

/* Every kind of variable, aggregation and action, for instructions to name. */
static void make(struct assembler *as, const uint8_t *bytes, size_t size) {
    static const int64_t linear[4] = {-10, 10, 2}, loglinear[4] = {10, 0, 3, 10};
    assembler_begin(as);
    as->options[OPTION_STRSIZE] = 32;
    as->options[OPTION_NSPEC] = 2;
    as->options[OPTION_BUFSIZE] = 8192;
    as->options[OPTION_DYNVARSIZE] = 8192;
    for (int scope = SCOPE_GLOBAL; scope <= SCOPE_CLAUSE; scope++) {
        static const char kinds_of[] = {'i', 's', 'b'};
        for (int kind = 0; kind < 3; kind++) {
            variable(as, (enum variable_scope)scope, kinds_of[kind], "", 16);
            if (scope != SCOPE_CLAUSE)
                variable(as, (enum variable_scope)scope, kinds_of[kind], "is", 16);
        }
    }
    for (int function = 0; function < AGGREGATING_FUNCTIONS; function++)
        aggregation(as, (enum aggregating_function)function, function % 2 ? "s" : "i",
                    function == AGGREGATING_LLQUANTIZE ? loglinear : linear);
    size_t count = size / sizeof(struct program_instruction);
    uint32_t id = clause(as, "", CLAUSE_RECORDS);
    as->clauses[id].decide = 0;
    set(as, 0, 1LL << 60);
    set(as, 0, 1LL << 40);
    set(as, 0, 1LL << 33);
    prepare(as);
    struct program_instruction *first = &as->instructions[as->instruction_count];
    if (count > ASSEMBLER_MOST - 64)
        count = ASSEMBLER_MOST - 64;
    memcpy(first, bytes, count * sizeof *first);
    for (size_t i = 0; i < count; i++)
        make_plausible(&first[i]);
    as->instruction_count += (uint32_t)count;
    for (int kind = 0; kind < ACTION_COUNT; kind++)
        action(as, (enum action)kind, kind % 2 ? FIELD_INTEGER : FIELD_STRING);
    for (int i = 0; i < 9; i++)
        end(as); /* for the farthest jump */
    clause(as, "ERROR", CLAUSE_RECORDS | CLAUSE_NAMES_PROBE);
    end(as);
    assembler_finish(as);
}

static void take(void *context, const struct arena_record *record, uint32_t size) {
    (void)context;
    if (size < sizeof *record)
        abort();
}

static void run(const struct program_header *program) {
    char problem[256];
    struct arena_shape shape;
    if (program_option(program, OPTION_DESTRUCTIVE) > 0)
        return;
    arena_shape_of(&shape, program);
    shape.chunks = 64;
    shape.slots = 4;
    shape.speculations = shape.speculations < 16 ? shape.speculations : 16;
    if (shape.globals_size > MOST || shape.dynamic_size > MOST ||
        program_option(program, OPTION_SCRATCHSIZE) > MOST)
        return;
    int file = arena_create(&shape, problem, sizeof problem);
    struct arena *arena = arena_map(file, problem, sizeof problem);
    if (!arena)
        abort();
    struct engine *engine =
        engine_open(program, program->size, arena, &assembler_host, problem, sizeof problem);
    struct assembler as = {.engine = engine};
    if (engine && (as.thread = engine_thread_enter(engine, 70))) {
        fire(&as, PROBE_BEGIN);
        arena_advance(arena, ARENA_ACTIVE);
        for (uint32_t probe = 0; probe < assembler_host.probe_count; probe++) {
            fire(&as, probe);
            fire(&as, probe);
        }
        arena_advance(arena, ARENA_EXITING);
        fire(&as, PROBE_END);
        arena_clean(arena, take, NULL);
    }
    if (engine)
        engine_close(engine);
    arena_unmap(arena);
    close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    char problem[256];
    static struct assembler as;
    if (size < 1)
        return 0;
    if (bytes[0] % 2) {
        make(&as, bytes + 1, size - 1);
        if (program_check(as.program, as.program->size, problem, sizeof problem))
            run(as.program);
        assembler_close(&as);
        return 0;
    }
    struct program_header *program = malloc(size);
    memcpy(program, bytes + 1, size - 1);
    if (program_check(program, size - 1, problem, sizeof problem))
        run(program);
    free(program);
    return 0;
}
