/*
 * stacks_fuzz.c: fuzz target of the sampler's stacks: a made-up process whose memory changes while it is
 * copied, piece by piece, as the input says. Whatever the copies say, nothing outside of them is read, and it
 * ends. The addresses of the made-up memory are not mapped, so that one which is followed crashes.
 */
#include "sampler/stacks.c"

#include "sampler/natives.h"

#include <assert.h>
#include <stdlib.h>

PyTypeObject PyCode_Type, PyFrame_Type, PyUnicode_Type, PyBytes_Type, PyType_Type, PyModule_Type, PyLong_Type,
    PyBool_Type, PyCFunction_Type, PyCMethod_Type, PyMethodDescr_Type, PyClassMethodDescr_Type,
    PyWrapperDescr_Type;

/* Of 3.12; the headers of others have them. */
const uint8_t _PyOpcode_Caches[256] __attribute__((weak)) = {[1] = 1}; /* NOLINT */
const uint8_t _PyOpcode_Deopt[256] __attribute__((weak)) = {[1] = 1};  /* NOLINT */

/* Any effect that could be. */
int PyCompile_OpcodeStackEffect(int opcode, int argument) {
    return (opcode * 7 + argument) % 5 - 2;
}

int PyCompile_OpcodeStackEffectWithJump(int opcode, int argument, int jump) {
    return (opcode * 7 + argument + jump) % 5 - 2;
}

enum {
    FRAMES = 12,
    CODES = 4,
    UNITS = 32, /* of a code object's instructions */
    MEMORY = 64 * 1024,
    COPIES = COPY_SPARE + 128 * 1024,
    SAMPLES = 12, /* of one input */

    /* Where things are in the made-up memory. */
    TSTATE = 64,
    INTERP = 8 * 1024,
    TEXT = 9 * 1024,
    LINES = 10 * 1024,
    CALLABLE = 11 * 1024,
    CFRAMES = 12 * 1024,
    CODE = 16 * 1024,
    CODE_SIZE = 1024,
    CHUNK = 32 * 1024,
    FRAME_SIZE = 256, /* on the data stack, or from one object to the next */
};
static const uintptr_t BASE = 0x10000;

static unsigned char memory[MEMORY];
static const uint8_t *input;
static size_t left;

/* Where a frame has what, found by asking compat.h about one with a mark. */
static size_t code_field, previous_field, instruction_field, owner_field;
static unsigned char owner; /* a byte there that says: it runs */

static unsigned next_byte(void) {
    return left ? (left--, *input++) : 0;
}

static uint64_t next_bytes(int count) {
    uint64_t value = 0;
    while (count-- > 0)
        value = value << 8 | next_byte();
    return value;
}

static void put_word(size_t at, uintptr_t word) {
    memcpy(memory + at % (MEMORY - sizeof word), &word, sizeof word);
}

/* ---- The made-up process ---- */

static size_t frame_at(size_t number) {
    return CHUNK + 64 + number % FRAMES * FRAME_SIZE;
}

static size_t code_at(size_t number) {
    return CODE + number % CODES * CODE_SIZE;
}

/* Any address that is likely to mean something. */
static uintptr_t next_address(void) {
    unsigned number = next_byte(), of = next_byte() % 12;
    const uintptr_t addresses[] = {
        0,
        BASE + frame_at(number),
        BASE + frame_at(number) + 8 * (number / FRAMES),
        BASE + code_at(number),
        BASE + CHUNK + (number / 4) * 8,
        BASE + CFRAMES + number % 4 * 64,
        BASE + TSTATE,
        BASE + CALLABLE,
        BASE + MEMORY - number,
        UINTPTR_MAX - number,
        (uintptr_t)next_bytes(of == 10 ? 8 : 0),
        BASE + next_bytes(of == 11 ? 2 : 0),
    };
    return addresses[of];
}

static void change(unsigned how) {
    static const unsigned char bytes[] = {0, 1, 2, 3, 4, 5, 0xff};
    size_t frame = frame_at(next_byte());
    switch (how % 8) {
    case 0:
        put_word((size_t)next_bytes(2), (uintptr_t)next_bytes(8));
        break;
    case 1:
        put_word(frame + previous_field, next_address());
        break;
    case 2:
        put_word(frame + code_field, next_address());
        break;
    case 3:
        put_word(frame + instruction_field, next_address());
        break;
    case 4:
        memory[frame + owner_field] = bytes[next_byte() % sizeof bytes];
        break;
    case 5:
        put_word(TSTATE + COMPAT_TSTATE_TOP, next_address());
        break;
    case 6:
        put_word(CFRAMES + next_byte() % 4 * 64 + next_byte() % 2 * sizeof(uintptr_t), next_address());
        break;
    default:
#if COMPAT_HAVE_DATA_STACK
        put_word(TSTATE + (next_byte() % 2 ? offsetof(PyThreadState, datastack_chunk)
                                           : offsetof(PyThreadState, datastack_top)),
                 next_address());
        if (next_byte() % 4 == 0)
            put_word(CHUNK + next_byte() % 4 * sizeof(uintptr_t), next_address());
#endif
        break;
    }
}

size_t copier_gather(struct copier *copier, size_t at, const struct iovec *pieces, int count) {
    size_t done = 0;
    assert(count <= COPY_PIECES);
    for (int i = 0; i < count; i++) {
        unsigned how = next_byte();
        uintptr_t from = (uintptr_t)pieces[i].iov_base;
        size_t size = pieces[i].iov_len;
        assert(at + done + size <= copier->size);
        if (how & 1)
            change(how >> 1);
        if (how == 0xfe || from < BASE || from - BASE > MEMORY || size > MEMORY - (from - BASE))
            break;
        memcpy(copier->memory + at + done, memory + (from - BASE), size);
        done += size;
    }
    return done;
}

bool copier_read(struct copier *copier, void *to, uintptr_t address, size_t size) {
    enum { PIECE = 4096 };
    for (size_t done = 0; done < size;) {
        size_t piece = size - done < PIECE ? size - done : PIECE;
        struct iovec from = {(void *)(address + done), piece};
        if (copier_gather(copier, copier->size - PIECE, &from, 1) != piece)
            return false;
        memcpy((char *)to + done, copier->memory + copier->size - PIECE, piece);
        done += piece;
    }
    return true;
}

/* ---- As it is at the start ---- */

typedef union {
    compat_frame frame;
    uintptr_t words[FRAME_COPY / sizeof(uintptr_t) + 1];
    unsigned char bytes[FRAME_COPY];
} any_frame;

static size_t find_word(uintptr_t (*get)(const compat_frame *)) {
    for (size_t i = 0; i < FRAME_COPY / sizeof(uintptr_t); i++) {
        any_frame frame = {0};
        frame.words[i] = BASE;
        if (get(&frame.frame) == BASE)
            return i * sizeof(uintptr_t);
    }
    abort();
}

static uintptr_t instruction_of(const compat_frame *frame) {
    return compat_copied_frame_instruction(frame, 0) ==
                   compat_copied_frame_instruction(&(any_frame){0}.frame, 0)
               ? 0
               : BASE;
}

static bool is_good(const any_frame *frame) {
    return compat_copied_frame_runs(&frame->frame) && !compat_copied_frame_is_shim(&frame->frame) &&
           compat_copied_frame_is_on_stack(&frame->frame) == COMPAT_HAVE_DATA_STACK;
}

static void find_fields(void) {
    any_frame frame = {0};
    code_field = find_word(compat_copied_frame_code);
    previous_field = find_word(compat_copied_frame_previous);
    instruction_field = find_word(instruction_of);
    if (!COMPAT_HAVE_DATA_STACK)
        frame.frame = (compat_frame){0};
    frame.words[code_field / sizeof(uintptr_t)] = BASE;
    frame.words[previous_field / sizeof(uintptr_t)] = BASE;
    for (owner_field = 0; owner_field < FRAME_COPY; owner_field++)
        for (owner = 0; owner < 8; owner++) {
            any_frame one = frame;
#if !COMPAT_HAVE_DATA_STACK
            ((PyObject *)&one)->ob_type = &PyFrame_Type;
#endif
            one.bytes[owner_field] = owner;
            any_frame other = one;
            other.bytes[owner_field] = owner ^ 4;
            if (is_good(&one) && !is_good(&other))
                return;
        }
    abort();
}

static void make_text(void) {
    int kind;
    uintptr_t characters;
    PyASCIIObject *text = (void *)(memory + TEXT);
    ((PyObject *)text)->ob_type = &PyUnicode_Type;
    text->length = 3;
    for (unsigned state = 0; state < 1 << 16; state++) {
        memcpy(&text->state, &state, sizeof text->state < sizeof state ? sizeof text->state : sizeof state);
        if (compat_copied_str(text, BASE + TEXT, &kind, &characters) && kind == 1)
            return;
    }
    abort();
}

/* Whichever of its numbers that is. */
static void set_frame_size(PyCodeObject *code) {
    enum { WORDS = FRAME_SIZE / sizeof(PyObject *) };
    for (size_t i = offsetof(PyCodeObject, co_stacksize) / sizeof(int) - 8;
         COMPAT_HAVE_DATA_STACK && i < offsetof(PyCodeObject, co_name) / sizeof(int); i++) {
        int *number = (int *)(void *)code + i, before = *number;
        for (*number = 1; *number <= WORDS; ++*number)
            if (compat_copied_code_frame_size(code) == FRAME_SIZE)
                return;
        *number = before;
    }
    assert(!COMPAT_HAVE_DATA_STACK);
}

static void make_code(size_t number) {
    PyCodeObject *code = (void *)(memory + code_at(number));
    PyVarObject *lines = (void *)(memory + LINES);
    ((PyObject *)code)->ob_type = &PyCode_Type;
    ((PyVarObject *)code)->ob_size = COMPAT_HAVE_DATA_STACK ? UNITS : 0;
    code->co_name = code->co_filename = (void *)(BASE + TEXT);
    code->COMPAT_CODE_LINES = (void *)(BASE + LINES);
    code->co_firstlineno = 1 + (int)number;
    lines->ob_base.ob_type = &PyBytes_Type;
    lines->ob_size = 8;
    set_frame_size(code);
}

static void make_process(void) {
    memset(memory, 0, sizeof memory);
    PyThreadState *state = (void *)(memory + TSTATE);
    state->interp = (void *)(BASE + INTERP);
    make_text();
    for (size_t i = 0; i < CODES; i++)
        make_code(i);
    for (size_t i = 0; i < FRAMES; i++) { /* the last one is the innermost */
        size_t at = frame_at(i), code = code_at(i);
        memory[at + owner_field] = owner;
#if COMPAT_HAVE_DATA_STACK
        put_word(at + instruction_field, BASE + code + offsetof(PyCodeObject, co_code_adaptive) + 8);
#else
        ((PyObject *)(memory + at))->ob_type = &PyFrame_Type;
#endif
        put_word(at + code_field, BASE + code);
        put_word(at + previous_field, i ? BASE + frame_at(i - 1) : 0);
    }
    uintptr_t top = BASE + frame_at(FRAMES - 1);
#if COMPAT_HAVE_CFRAME
    compat_cframe *cframe = (void *)(memory + CFRAMES);
    cframe->current_frame = (void *)top;
    top = BASE + CFRAMES;
#endif
    put_word(TSTATE + COMPAT_TSTATE_TOP, top);
#if COMPAT_HAVE_DATA_STACK
    compat_stack_chunk *chunk = (void *)(memory + CHUNK);
    chunk->size = 16 * 1024;
    state->datastack_chunk = (void *)(BASE + CHUNK);
    state->datastack_top = (void *)(BASE + frame_at(FRAMES - 1) + FRAME_SIZE);
#endif
}

static void check_stack(struct copier *copier, const struct stack *stack) {
    const void *head;
    assert(stack->count >= 0 && stack->count <= STACK_FRAMES);
    for (int i = 0; i < stack->count; i++) {
        assert(stack->frames[i].code && stack->frames[i].code->serial);
        (void)codes_line(stack->frames[i].code, stack->frames[i].instruction);
    }
    uintptr_t callable = stacks_callable(copier, stack, &head);
    (void)natives_name(copier, callable, head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct copier copier = {.size = COPIES, .file = -1};
    static struct stack stack;
    static struct stack_trail trail;
    if (!copier.memory) {
        copier.memory = malloc(COPIES);
        find_fields();
    }
    make_process();
    memset(&trail, 0, sizeof trail);
    left = 0;
    assert(codes_open());
    /* Undisturbed it is what it is. */
    bool taken = stacks_take(&copier, BASE + TSTATE, BASE + INTERP, &trail, 1, &stack);
    assert(taken && stack.count == FRAMES && stack.frames[0].code->address == BASE + code_at(FRAMES - 1));
    input = data;
    left = size;
    for (uint64_t check = 2; check < 2 + SAMPLES && left; check++)
        if (stacks_take(&copier, BASE + TSTATE, BASE + INTERP, &trail, check, &stack))
            check_stack(&copier, &stack);
    codes_close();
    return 0;
}
