/*
 * Unit tests of the verifier and of the engine: programs made instruction by instruction, and what they
 * record. Silent when all is well; with the argument `speed` it says how fast the engine is.
 */
#include "assembler.h"
#include "check.h"
#include "engine/memory.h"

#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>

/* Ends the test of a program: what its clauses have recorded. */
static void finish(int line, struct assembler *as, const char *should_be) {
    static char text[1 << 16];
    text[0] = '\0';
    assembler_read(as, text, sizeof text);
    same(__FILE__, line, text, should_be);
    assembler_close(as);
}
#define FINISH(as, should_be) finish(__LINE__, as, should_be)

static struct assembler as; /* of the test that runs */

/* ---- The verifier ---- */

static void test_refused(void) {
    static const struct {
        const char *problem;                        /* NULL: accepted */
        struct program_instruction instructions[4]; /* OP_END is 0 */
    } programs[] = {
        {NULL, {{OP_END, 0, 0, 0, 0}}},
        {NULL, {{OP_SET, 0, 0, 0, 1}}},
        {NULL, {{OP_JUMP, 0, 0, 0, 0}}},
        {NULL, {{OP_CALL, 0, 0, 0, SUBROUTINE_RAND}}},
        {NULL, {{OP_SET, 0, 0, 0, 1}, {OP_JUMP_IF, 0, 0, 0, 0}, {OP_NEGATE, 1, 0, 0, 0}}},
        {"instruction 0, SET, has operands that it cannot take", {{OP_SET, 64, 0, 0, 1}}},
        {"instruction 0, NEGATE, has operands that it cannot take", {{OP_NEGATE, 0, 1, 0, 0}}},
        {"instruction 1, NEGATE, has operands that it cannot take",
         {{OP_SET_NULL, 0, 0, 0, 0}, {OP_NEGATE, 0, 0, 0, 0}}},
        {"instruction 0, JUMP, has the immediate -1", {{OP_JUMP, 0, 0, 0, -1}}},
        {"instruction 0, JUMP, has the immediate 3", {{OP_JUMP, 0, 0, 0, 3}}},
        {"instruction 0, BUILTIN, has the immediate 1000", {{OP_BUILTIN, 0, 0, 0, 1000}}},
        {"instruction 0, LOAD, has the immediate 0", {{OP_LOAD, 0, 0, 0, 0}}},
        {"instruction 0, SET_STRING, has the immediate -1", {{OP_SET_STRING, 0, 0, 0, -1}}},
        {"instruction 0, CALL, has operands that it cannot take", {{OP_CALL, 0, 64, 0, SUBROUTINE_RAND}}},
        {"instruction 0, CALL, has operands that it cannot take", {{OP_CALL, 0, 63, 2, SUBROUTINE_STRJOIN}}},
        {"instruction 1, READ, has the immediate 3", {{OP_SET, 0, 0, 0, 1}, {OP_READ, 0, 0, 0, 3}}},
        {"instruction 1, EXTEND, has the immediate 0", {{OP_SET, 0, 0, 0, 1}, {OP_EXTEND, 0, 0, 0, 0}}},
        {"instruction 1, EMIT_INTEGER, has the immediate 0",
         {{OP_SET, 0, 0, 0, 1}, {OP_EMIT_INTEGER, 0, 0, 0, 0}}},
        /* One of two ways leaves nothing in register 1. */
        {"instruction 3, NEGATE, has operands that it cannot take",
         {{OP_SET, 0, 0, 0, 1}, {OP_JUMP_IF, 0, 0, 0, 1}, {OP_SET, 1, 0, 0, 1}, {OP_NEGATE, 2, 1, 0, 0}}},
        {"its code has no end",
         {{OP_SET, 0, 0, 0, 1}, {OP_SET, 0, 0, 0, 1}, {OP_SET, 0, 0, 0, 1}, {OP_SET, 0, 0, 0, 1}}},
    };
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        char problem[256] = "", expected[256] = "";
        assembler_begin(&as);
        clause(&as, "BEGIN", 0);
        memcpy(as.instructions, programs[i].instructions, sizeof programs[i].instructions);
        as.instruction_count = 4;
        assembler_finish(&as);
        bool accepted = program_check(as.program, as.program->size, problem, sizeof problem);
        if (programs[i].problem)
            snprintf(expected, sizeof expected, "the program is malformed: %s", programs[i].problem);
        SAME(problem, expected);
        CHECK(accepted == !programs[i].problem);
        assembler_close(&as);
    }
}

static void test_refused_bytes(void) {
    char problem[256];
    assembler_begin(&as);
    clause(&as, "BEGIN", 0);
    end(&as);
    assembler_finish(&as);
    uint32_t size = as.program->size;
    for (uint32_t cut = 0; cut < size; cut++)
        CHECK(!program_check(as.program, cut, problem, sizeof problem));
    as.program->version++;
    CHECK(!program_check(as.program, size, problem, sizeof problem));
    CHECK(strstr(problem, "use the same catprobe on both"));
    assembler_close(&as);
}

static void test_globs(void) {
    static const struct {
        const char *pattern, *name;
        bool matches;
    } globs[] = {
        {"", "anything", true},
        {"", "", true},
        {"*", "", true},
        {"abc", "abc", true},
        {"abc", "abcd", false},
        {"abc", "ab", false},
        {"a?c", "abc", true},
        {"a?c", "ac", false},
        {"*-entry", "function-entry", true},
        {"*a*b*c", "xxaxxbxxc", true},
        {"*a*b*c", "xxaxxb", false},
        {"[a-c]x", "bx", true},
        {"[!a-c]x", "bx", false},
        {"[!a-c]x", "dx", true},
        {"[]a]", "]", true},
        {"[a", "[a", true},
        {"\\*", "*", true},
        {"\\*", "a", false},
        {"[a-]", "-", true},
        {"python*", "python7", true},
        {"a*", "b", false},
        {"[\\]]", "]", true},
    };
    for (size_t i = 0; i < sizeof globs / sizeof globs[0]; i++)
        if (program_glob(globs[i].pattern, globs[i].name) != globs[i].matches)
            printf("glob %s %s\n", globs[i].pattern, globs[i].name), failures++;
}

static void test_llquantize(void) {
    static const int64_t parameters[4] = {10, 0, 3, 10}, fine[4] = {10, 0, 6, 20}, bad[4] = {1, 0, 3, 10};
    CHECK(program_llquantize_buckets(parameters) == 37);
    CHECK(program_llquantize_buckets(bad) == 0);
    CHECK(program_llquantize_bucket(parameters, 0) == 0);
    CHECK(program_llquantize_bucket(parameters, 9) == 9);
    CHECK(program_llquantize_bucket(parameters, 55) == 14);
    CHECK(program_llquantize_bucket(parameters, -55) == -14);
    CHECK(program_llquantize_bucket(parameters, 100000) == 37);
    CHECK(program_llquantize_bucket(parameters, INT64_MIN) == -37);
    CHECK(program_llquantize_bound(parameters, 14) == 50);
    CHECK(program_llquantize_bound(parameters, 37) == 10000);
    CHECK(program_llquantize_bound(fine, (uint32_t)program_llquantize_bucket(fine, 1234)) == 1000);
    CHECK(program_llquantize_bound(fine, (uint32_t)program_llquantize_bucket(fine, 1700)) == 1500);
}

/* ---- Clauses ---- */

static void test_arithmetic(void) {
    static const struct {
        enum opcode opcode;
        int64_t a, b, result;
    } rows[] = {
        {OP_ADD, 2, 3, 5},
        {OP_ADD, INT64_MAX, 1, INT64_MIN},
        {OP_SUBTRACT, 2, 3, -1},
        {OP_MULTIPLY, -4, 5, -20},
        {OP_DIVIDE, -7, 2, -3},
        {OP_DIVIDE, INT64_MIN, -1, INT64_MIN},
        {OP_DIVIDE_UNSIGNED, -1, 2, INT64_MAX},
        {OP_REMAINDER, -7, 2, -1},
        {OP_REMAINDER, INT64_MIN, -1, 0},
        {OP_REMAINDER_UNSIGNED, -1, 10, 5},
        {OP_AND, 12, 10, 8},
        {OP_OR, 12, 10, 14},
        {OP_XOR, 12, 10, 6},
        {OP_SHIFT_LEFT, 1, 65, 2},
        {OP_SHIFT_RIGHT, -8, 1, -4},
        {OP_SHIFT_RIGHT_UNSIGNED, -1, 63, 1},
        {OP_EQUAL, 3, 3, 1},
        {OP_NOT_EQUAL, 3, 3, 0},
        {OP_LESS, -1, 1, 1},
        {OP_LESS_UNSIGNED, -1, 1, 0},
        {OP_LESS_EQUAL, 1, 1, 1},
        {OP_LESS_EQUAL_UNSIGNED, -1, 1, 0},
    };
    enum { COUNT = sizeof rows / sizeof rows[0] };
    char expected[4096] = "0:", *at = expected + 2;
    assembler_begin(&as);
    clause(&as, "BEGIN", CLAUSE_RECORDS);
    for (int i = 0; i < COUNT; i++) {
        set(&as, 1, rows[i].a);
        set(&as, 2, rows[i].b);
        op(&as, rows[i].opcode, 3, 1, 2, 0);
        emit_integer(&as, 3);
        at += sprintf(at, " %lld", (long long)rows[i].result);
    }
    set(&as, 1, 0x1ff);
    op(&as, OP_EXTEND, 2, 1, 0, 8);
    emit_integer(&as, 2);
    op(&as, OP_TRUNCATE, 2, 1, 0, 8);
    emit_integer(&as, 2);
    op(&as, OP_NEGATE, 2, 1, 0, 0);
    emit_integer(&as, 2);
    op(&as, OP_COMPLEMENT, 2, 1, 0, 0);
    emit_integer(&as, 2);
    op(&as, OP_NOT, 2, 1, 0, 0);
    emit_integer(&as, 2);
    strcpy(at, " -1 255 -511 -512 0\n");
    end(&as);
    assembler_run(&as);
    fire(&as, PROBE_BEGIN);
    FINISH(&as, expected);
}

/* Calls a subroutine with strings and integers, as its signature wants them, and emits what it gives. */
struct call {
    enum subroutine subroutine;
    const char *strings[2];
    int64_t integers[2];
    const char *result; /* as printed; NULL: a null string */
};

static void assemble_call(const struct call *call) {
    static const char *const operands[] = {
#define SUBROUTINE(name, text, result, operands, fewest, type, prototype) operands,
        PROGRAM_SUBROUTINES(SUBROUTINE)
#undef SUBROUTINE
    };
    static const char results[] = {
#define SUBROUTINE(name, text, result, operands, fewest, type, prototype) #result[0],
        PROGRAM_SUBROUTINES(SUBROUTINE)
#undef SUBROUTINE
    };
    const char *letters = operands[call->subroutine];
    uint8_t count = (uint8_t)strlen(letters);
    int string = 0, integer = 0;
    for (uint8_t i = 0; i < count; i++) {
        if (letters[i] == 'I') {
            set(&as, i, call->integers[integer++]);
        } else if (call->strings[string]) {
            set_string(&as, i, call->strings[string++]);
        } else {
            op(&as, OP_SET_NULL, i, 0, 0, 0);
            string++;
        }
    }
    op(&as, OP_CALL, 10, 0, count, (int32_t)call->subroutine);
    if (results[call->subroutine] == 'I') {
        emit_integer(&as, 10);
    } else if (call->result) {
        emit_string(&as, 10);
    } else {
        op(&as, OP_STRING_ADDRESS, 11, 10, 0, 0);
        emit_integer(&as, 11);
    }
}

static void test_subroutines(void) {
    static const struct call calls[] = {
        {SUBROUTINE_STRLEN, {"abc"}, {0}, "3"},
        {SUBROUTINE_STRLEN, {""}, {0}, "0"},
        {SUBROUTINE_STRJOIN, {"foo", "bar"}, {0}, "'foobar'"},
        {SUBROUTINE_STRJOIN, {"", ""}, {0}, "''"},
        {SUBROUTINE_BASENAME, {"/a/b/c.py"}, {0}, "'c.py'"},
        {SUBROUTINE_BASENAME, {"/a/b/"}, {0}, "'b'"},
        {SUBROUTINE_BASENAME, {"/"}, {0}, "'/'"},
        {SUBROUTINE_BASENAME, {""}, {0}, "'.'"},
        {SUBROUTINE_BASENAME, {"//a//b//"}, {0}, "'b'"},
        {SUBROUTINE_DIRNAME, {"/a/b/c.py"}, {0}, "'/a/b'"},
        {SUBROUTINE_DIRNAME, {"c.py"}, {0}, "'.'"},
        {SUBROUTINE_DIRNAME, {"/a/b/"}, {0}, "'/a'"},
        {SUBROUTINE_DIRNAME, {"/"}, {0}, "'/'"},
        {SUBROUTINE_DIRNAME, {""}, {0}, "'.'"},
        {SUBROUTINE_DIRNAME, {"//a//b//"}, {0}, "'//a'"},
        {SUBROUTINE_DIRNAME, {"//a"}, {0}, "'/'"},
        {SUBROUTINE_CLEANPATH, {"/a/b/../c/./d"}, {0}, "'/a/c/d'"},
        {SUBROUTINE_CLEANPATH, {"/../x//y"}, {0}, "'/x/y'"},
        {SUBROUTINE_CLEANPATH, {"/a/b/../../.."}, {0}, "'/'"},
        {SUBROUTINE_CLEANPATH, {"../a"}, {0}, "'../a'"},
        {SUBROUTINE_CLEANPATH, {"a/../../b"}, {0}, "'../b'"},
        {SUBROUTINE_CLEANPATH, {"../.."}, {0}, "'../..'"},
        {SUBROUTINE_CLEANPATH, {"a/.."}, {0}, "'.'"},
        {SUBROUTINE_CLEANPATH, {""}, {0}, "''"},
        {SUBROUTINE_CLEANPATH, {"a//b///c/"}, {0}, "'a/b/c'"},
        {SUBROUTINE_CLEANPATH, {"/..."}, {0}, "'/...'"},
        {SUBROUTINE_CLEANPATH, {"a/./"}, {0}, "'a'"},
        {SUBROUTINE_INDEX, {"hello world", "o"}, {0}, "4"},
        {SUBROUTINE_INDEX, {"hello world", "o"}, {5}, "7"},
        {SUBROUTINE_INDEX, {"hello world", "o"}, {100}, "-1"},
        {SUBROUTINE_INDEX, {"hello world", "o"}, {-5}, "4"},
        {SUBROUTINE_INDEX, {"abcabc", ""}, {3}, "3"},
        {SUBROUTINE_INDEX, {"abcabc", ""}, {7}, "-1"},
        {SUBROUTINE_INDEX, {"", ""}, {0}, "0"},
        {SUBROUTINE_INDEX, {"hello", "hellooo"}, {0}, "-1"},
        {SUBROUTINE_RINDEX, {"hello world", "o"}, {INT32_MAX}, "7"},
        {SUBROUTINE_RINDEX, {"hello world", "o"}, {5}, "4"},
        {SUBROUTINE_RINDEX, {"hello world", ""}, {INT32_MAX}, "11"},
        {SUBROUTINE_RINDEX, {"hello world", "o"}, {-1}, "-1"},
        {SUBROUTINE_RINDEX, {"hello world", "d"}, {100}, "10"},
        {SUBROUTINE_RINDEX, {"abcabc", "abc"}, {0}, "0"},
        {SUBROUTINE_STRCHR, {"hello world"}, {'o'}, "'o world'"},
        {SUBROUTINE_STRCHR, {"hello"}, {'z'}, NULL},
        {SUBROUTINE_STRCHR, {"abc"}, {0}, NULL},
        {SUBROUTINE_STRCHR, {"abc"}, {256 + 'b'}, "'bc'"},
        {SUBROUTINE_STRRCHR, {"hello world"}, {'o'}, "'orld'"},
        {SUBROUTINE_STRRCHR, {"hello"}, {'z'}, NULL},
        {SUBROUTINE_STRSTR, {"hello world", "lo"}, {0}, "'lo world'"},
        {SUBROUTINE_STRSTR, {"hello", ""}, {0}, "'hello'"},
        {SUBROUTINE_STRSTR, {"hello", "zz"}, {0}, NULL},
        {SUBROUTINE_SUBSTR, {"hello world"}, {6, 256}, "'world'"},
        {SUBROUTINE_SUBSTR, {"hello world"}, {3, 4}, "'lo w'"},
        {SUBROUTINE_SUBSTR, {"hello world"}, {-5, 3}, "'wor'"},
        {SUBROUTINE_SUBSTR, {"hello world"}, {2, -2}, "'llo wor'"},
        {SUBROUTINE_SUBSTR, {"hello world"}, {100, 256}, "''"},
        {SUBROUTINE_SUBSTR, {"hello world"}, {-100, 256}, "'hello world'"},
        {SUBROUTINE_SUBSTR, {"hello world"}, {-100, 95}, "'hello '"},
        {SUBROUTINE_SUBSTR, {"hello"}, {-10, 7}, "'he'"},
        {SUBROUTINE_SUBSTR, {"hello"}, {-3, -1}, "'ll'"},
        {SUBROUTINE_SUBSTR, {"hello"}, {0, -6}, "''"},
        {SUBROUTINE_SUBSTR, {"hello"}, {5, 0}, "''"},
        {SUBROUTINE_STRTOK, {",,,a,,b,", ","}, {0}, "'a'"},
        {SUBROUTINE_STRTOK, {NULL, ","}, {0}, "'b'"},
        {SUBROUTINE_STRTOK, {NULL, ","}, {0}, NULL},
        {SUBROUTINE_STRTOK, {NULL, ","}, {0}, NULL},
        {SUBROUTINE_STRTOK, {"abc", ""}, {0}, "'abc'"},
        {SUBROUTINE_LLTOSTR, {0}, {-42, 10}, "'-42'"},
        {SUBROUTINE_LLTOSTR, {0}, {INT64_MIN, 10}, "'-9223372036854775808'"},
        {SUBROUTINE_LLTOSTR, {0}, {0, 10}, "'0'"},
        {SUBROUTINE_LLTOSTR, {0}, {255, 16}, "'0xff'"},
        {SUBROUTINE_LLTOSTR, {0}, {0, 16}, "'0x0'"},
        {SUBROUTINE_LLTOSTR, {0}, {8, 8}, "'010'"},
        {SUBROUTINE_LLTOSTR,
         {0},
         {-1, 2},
         "'1111111111111111111111111111111111111111111111111111111111111111'"},
        {SUBROUTINE_STRTOLL, {"  -45abc"}, {10}, "-45"},
        {SUBROUTINE_STRTOLL, {"0xFf"}, {16}, "255"},
        {SUBROUTINE_STRTOLL, {"0x"}, {16}, "0"},
        {SUBROUTINE_STRTOLL, {"zz"}, {36}, "1295"},
        {SUBROUTINE_TOLOWER, {"ABC-\303\211z"}, {0}, "'abc-\303\211z'"},
        {SUBROUTINE_TOUPPER, {"abc1"}, {0}, "'ABC1'"},
        {SUBROUTINE_STRIP, {" \t a b \n"}, {0}, "'a b'"},
        {SUBROUTINE_HTONS, {0}, {0x1234}, "13330"},
        {SUBROUTINE_NTOHL, {0}, {0x12345678}, "2018915346"},
        {SUBROUTINE_GETMAJOR, {0}, {0x800001}, "8"},
        {SUBROUTINE_GETMINOR, {0}, {0x800001}, "1"},
        {SUBROUTINE_PROGENYOF, {0}, {7}, "1"},
        {SUBROUTINE_PROGENYOF, {0}, {1999999999}, "0"},
        {SUBROUTINE_JSON, {"{}", "a"}, {0}, NULL},
        {SUBROUTINE_JSON, {"{\"a\": 1, \"b\": [true, {\"c\": \"x\\\"y\"}]}", "b[1].c"}, {0}, "'x\\\"y'"},
        {SUBROUTINE_JSON, {"{\"a\": 1, \"b\": [true, {\"c\": 2}]}", "b"}, {0}, "'[true, {\"c\": 2}]'"},
        {SUBROUTINE_JSON, {"[1, 2.5e3 ,null]", "[1]"}, {0}, "'2.5e3'"},
        {SUBROUTINE_JSON, {"[1, 2]", "[2]"}, {0}, NULL},
        {SUBROUTINE_JSON, {"{\"a\": {\"a\": -1}}", "a.a"}, {0}, "'-1'"},
        {SUBROUTINE_JSON, {"{\"a\"", "a"}, {0}, NULL},
    };
    enum { COUNT = sizeof calls / sizeof calls[0] };
    for (int first = 0; first < COUNT; first += 32) {
        char expected[8192] = "0:", *at = expected + 2;
        assembler_begin(&as);
        clause(&as, "BEGIN", CLAUSE_RECORDS);
        /* strtok() goes on from one call to the next. */
        for (int i = first; i < first + 32 && i < COUNT; i++) {
            assemble_call(&calls[i]);
            at += sprintf(at, " %s", calls[i].result ? calls[i].result : "0");
        }
        strcpy(at, "\n");
        end(&as);
        assembler_run(&as);
        fire(&as, PROBE_BEGIN);
        FINISH(&as, expected);
    }
}

static void test_inet(void) {
    assembler_begin(&as);
    int32_t object = variable(&as, SCOPE_CLAUSE, 'b', "", 16);
    clause(&as, "BEGIN", CLAUSE_RECORDS);
    op(&as, OP_ADDRESS, 1, 0, 0, object);
    set(&as, 2, 0x0100007f);
    op(&as, OP_WRITE, 1, 2, 0, 4);
    op(&as, OP_CALL, 3, 1, 1, SUBROUTINE_INET_NTOA);
    emit_string(&as, 3);
    set(&as, 0, 2);
    op(&as, OP_CALL, 3, 0, 2, SUBROUTINE_INET_NTOP);
    emit_string(&as, 3);
    set(&as, 2, 0x80fe);
    op(&as, OP_WRITE, 1, 2, 0, 8);
    op(&as, OP_ADD_NUMBER, 4, 1, 0, 15);
    set(&as, 2, 1);
    op(&as, OP_WRITE, 4, 2, 0, 1);
    op(&as, OP_CALL, 3, 1, 1, SUBROUTINE_INET_NTOA6);
    emit_string(&as, 3);
    end(&as);
    assembler_run(&as);
    fire(&as, PROBE_BEGIN);
    FINISH(&as, "0: '127.0.0.1' '127.0.0.1' 'fe80::1'\n");
}

static void test_strings_are_cut(void) {
    assembler_begin(&as);
    as.options[OPTION_STRSIZE] = 8;
    int32_t global = variable(&as, SCOPE_GLOBAL, 's', "", 8);
    clause(&as, "BEGIN", CLAUSE_RECORDS);
    set_string(&as, 0, "0123456789");
    set_string(&as, 1, "abc");
    emit_string(&as, 0);
    op(&as, OP_CALL, 2, 0, 2, SUBROUTINE_STRJOIN);
    op(&as, OP_STORE, 0, 2, 0, global);
    op(&as, OP_LOAD, 2, 0, 0, global);
    emit_string(&as, 2);
    op(&as, OP_CALL, 3, 2, 1, SUBROUTINE_STRLEN);
    emit_integer(&as, 3);
    end(&as);
    assembler_run(&as);
    fire(&as, PROBE_BEGIN);
    FINISH(&as, "0: '0123456' '0123456' 8\n");
}

/* Emits 1 for a null string, else the string itself. */
static void emit_null_or(uint8_t reg) {
    op(&as, OP_STRING_ADDRESS, 40, reg, 0, 0);
    op(&as, OP_NOT, 40, 40, 0, 0);
    emit_integer(&as, 40);
}

static void test_scalars(void) {
    assembler_begin(&as);
    int32_t number[3], string[3];
    for (int scope = SCOPE_GLOBAL; scope <= SCOPE_CLAUSE; scope++) {
        number[scope] = variable(&as, (enum variable_scope)scope, 'i', "", 8);
        string[scope] = variable(&as, (enum variable_scope)scope, 's', "", 256);
    }
    clause(&as, "function-entry", CLAUSE_RECORDS);
    for (int scope = SCOPE_GLOBAL; scope <= SCOPE_CLAUSE; scope++) {
        op(&as, OP_LOAD, 1, 0, 0, number[scope]);
        emit_integer(&as, 1);
        op(&as, OP_LOAD, 2, 0, 0, string[scope]);
        emit_null_or(2);
        op(&as, OP_ADD_NUMBER, 1, 1, 0, 1 + scope);
        op(&as, OP_STORE, 0, 1, 0, number[scope]);
        set_string(&as, 3, "a text");
        op(&as, OP_STORE, 0, 3, 0, string[scope]);
    }
    end(&as);
    clause(&as, "function-return", CLAUSE_RECORDS);
    for (int scope = SCOPE_GLOBAL; scope <= SCOPE_CLAUSE; scope++) {
        op(&as, OP_LOAD, 2, 0, 0, string[scope]);
        emit_string(&as, 2);
        op(&as, OP_SET_NULL, 2, 0, 0, 0);
        op(&as, OP_STORE, 0, 2, 0, string[scope]);
        op(&as, OP_LOAD, 2, 0, 0, string[scope]);
        emit_null_or(2);
    }
    end(&as);
    assembler_run(&as);
    arena_advance(as.arena, ARENA_ACTIVE);
    fire(&as, PROBE_ENTRY);
    fire(&as, PROBE_ENTRY);
    fire(&as, PROBE_RETURN);
    /* What was of the thread is gone with it. */
    engine_thread_leave(as.thread);
    as.thread = engine_thread_enter(as.engine, 71);
    fire(&as, PROBE_ENTRY);
    FINISH(&as, "0: 0 0 0 1 0 0\n0: 1 0 2 0 3 0\n1: 'a text' 1 'a text' 1 'a text' 1\n0: 2 1 0 1 0 0\n");
}

/* The same program for arrays of the session and of the thread. */
static void test_arrays(enum variable_scope scope) {
    assembler_begin(&as);
    int32_t numbers = variable(&as, scope, 'i', "si", 8), strings = variable(&as, scope, 's', "i", 256);
    int32_t objects = variable(&as, scope, 'b', "i", 24);
    clause(&as, "BEGIN", CLAUSE_RECORDS);
    set_string(&as, 0, "key");
    for (int i = 0; i < 5; i++) {
        set(&as, 1, i);
        set(&as, 2, 10 * i);
        op(&as, OP_STORE_KEYED, 2, 0, 2, numbers);
        set_string(&as, 2, i % 2 ? "odd" : "even, and a longer text");
        op(&as, OP_STORE_KEYED, 2, 1, 1, strings);
        op(&as, OP_ADDRESS_KEYED, 3, 1, 1, objects);
        op(&as, OP_WRITE, 3, 1, 0, 8);
    }
    for (int i = 0; i < 6; i++) {
        set(&as, 1, i);
        op(&as, OP_LOAD_KEYED, 2, 0, 2, numbers);
        emit_integer(&as, 2);
        op(&as, OP_LOAD_KEYED, 2, 1, 1, strings);
        emit_null_or(2);
        op(&as, OP_ADDRESS_KEYED, 3, 1, 1, objects);
        op(&as, OP_READ, 3, 3, 0, 8);
        emit_integer(&as, 3);
    }
    end(&as);
    clause(&as, "BEGIN", CLAUSE_RECORDS);
    set_string(&as, 0, "key");
    set(&as, 1, 1);
    set(&as, 2, 0);
    op(&as, OP_STORE_KEYED, 2, 0, 2, numbers);
    op(&as, OP_LOAD_KEYED, 2, 0, 2, numbers);
    emit_integer(&as, 2);
    set_string(&as, 2, "a text that is longer than what was there before it, by far");
    op(&as, OP_STORE_KEYED, 2, 1, 1, strings);
    op(&as, OP_LOAD_KEYED, 2, 1, 1, strings);
    emit_string(&as, 2);
    op(&as, OP_SET_NULL, 2, 0, 0, 0);
    op(&as, OP_STORE_KEYED, 2, 1, 1, strings);
    op(&as, OP_LOAD_KEYED, 2, 1, 1, strings);
    emit_null_or(2);
    end(&as);
    assembler_run(&as);
    fire(&as, PROBE_BEGIN);
    FINISH(&as, "0: 0 0 0 10 0 1 20 0 2 30 0 3 40 0 4 0 1 0\n"
                "1: 0 'a text that is longer than what was there before it, by far' 1\n");
}

static void test_full_arrays(enum variable_scope scope) {
    char text[4096];
    assembler_begin(&as);
    as.options[OPTION_DYNVARSIZE] = 4096;
    int32_t numbers = variable(&as, scope, 'i', "i", 8), counter = variable(&as, SCOPE_GLOBAL, 'i', "", 8);
    clause(&as, "function-entry", 0);
    op(&as, OP_LOAD, 1, 0, 0, counter);
    op(&as, OP_ADD_NUMBER, 1, 1, 0, 1);
    op(&as, OP_STORE, 0, 1, 0, counter);
    op(&as, OP_STORE_KEYED, 1, 1, 1, numbers);
    end(&as);
    /* Given back, there is room again. */
    clause(&as, "function-return", CLAUSE_RECORDS);
    set(&as, 1, 1);
    set(&as, 2, 0);
    op(&as, OP_STORE_KEYED, 2, 1, 1, numbers);
    set(&as, 2, 5);
    op(&as, OP_STORE_KEYED, 2, 1, 1, numbers);
    op(&as, OP_LOAD_KEYED, 2, 1, 1, numbers);
    emit_integer(&as, 2);
    end(&as);
    assembler_run(&as);
    arena_advance(as.arena, ARENA_ACTIVE);
    for (int i = 0; i < 1000; i++)
        fire(&as, PROBE_ENTRY);
    fire(&as, PROBE_RETURN);
    assembler_read(&as, text, sizeof text);
    CHECK(strncmp(text, "1: 5\n", 5) == 0 && strstr(text, " dynamic variable drop"));
    assembler_close(&as);
}

static void test_null_is_no_text(void) {
    assembler_begin(&as);
    int32_t count = aggregation(&as, AGGREGATING_COUNT, "s", NULL);
    clause(&as, "BEGIN", CLAUSE_RECORDS);
    op(&as, OP_SET_NULL, 0, 0, 0, 0);
    set_string(&as, 1, "");
    op(&as, OP_COMPARE_STRINGS, 2, 0, 1, 0);
    emit_integer(&as, 2);
    op(&as, OP_COMPARE_STRINGS, 2, 0, 0, 0);
    emit_integer(&as, 2);
    end(&as);
    clause(&as, "BEGIN", CLAUSE_RECORDS);
    op(&as, OP_SET_NULL, 0, 0, 0, 0);
    emit_string(&as, 0);
    end(&as);
    clause(&as, "BEGIN", 0);
    op(&as, OP_SET_NULL, 0, 0, 0, 0);
    op(&as, OP_AGGREGATE, 0, 0, 1, count);
    end(&as);
    clause(&as, "BEGIN", 0);
    op(&as, OP_SET_NULL, 0, 0, 0, 0);
    op(&as, OP_CALL, 1, 0, 1, SUBROUTINE_STRLEN);
    end(&as);
    assembler_run(&as);
    fire(&as, PROBE_BEGIN);
    FINISH(&as, "0: -1 0\nfault: 1 0 invalid address 0x0\nfault: 2 0 invalid address 0x0\n"
                "fault: 3 0 invalid address 0x0\n");
}

static void test_memory(void) {
    assembler_begin(&as);
    clause(&as, "BEGIN", CLAUSE_RECORDS);
    set(&as, 0, 10);
    op(&as, OP_CALL, 1, 0, 1, SUBROUTINE_ALLOCA);
    set(&as, 2, -2);
    op(&as, OP_WRITE, 1, 2, 0, 4);
    op(&as, OP_READ, 3, 1, 0, 4);
    emit_integer(&as, 3);
    op(&as, OP_READ, 3, 1, 0, -2);
    emit_integer(&as, 3);
    set_string(&as, 4, "text");
    op(&as, OP_STRING_ADDRESS, 4, 4, 0, 0);
    op(&as, OP_COPY, 1, 4, 0, 5);
    op(&as, OP_CALL, 5, 1, 1, SUBROUTINE_STRINGOF);
    emit_string(&as, 5);
    end(&as);
    /* Beyond what alloca() gave; where nothing is; where the program has nothing to write. */
    clause(&as, "BEGIN", CLAUSE_RECORDS);
    set(&as, 0, 10);
    op(&as, OP_CALL, 1, 0, 1, SUBROUTINE_ALLOCA);
    op(&as, OP_READ, 3, 1, 0, 8);
    op(&as, OP_ADD_NUMBER, 1, 1, 0, 16);
    op(&as, OP_READ, 3, 1, 0, 1);
    end(&as);
    clause(&as, "BEGIN", CLAUSE_RECORDS);
    set(&as, 0, 8);
    op(&as, OP_READ, 3, 0, 0, 4);
    end(&as);
    clause(&as, "BEGIN", CLAUSE_RECORDS);
    set_string(&as, 4, "text");
    op(&as, OP_STRING_ADDRESS, 4, 4, 0, 0);
    set(&as, 2, 1);
    op(&as, OP_WRITE, 2, 2, 0, 1);
    end(&as);
    clause(&as, "BEGIN", CLAUSE_RECORDS);
    set(&as, 0, 300);
    op(&as, OP_CALL, 1, 0, 1, SUBROUTINE_ALLOCA);
    end(&as);
    clause(&as, "BEGIN", CLAUSE_RECORDS);
    set(&as, 0, 0);
    op(&as, OP_DIVIDE, 1, 0, 0, 0);
    end(&as);
    clause(&as, "BEGIN", CLAUSE_RECORDS);
    set(&as, 0, 16);
    set(&as, 1, 256);
    op(&as, OP_CALL, 1, 0, 2, SUBROUTINE_COPYINSTR);
    end(&as);
    assembler_run(&as);
    fire(&as, PROBE_BEGIN);
    char text[4096];
    assembler_read(&as, text, sizeof text);
    char *address = strstr(text, "fault: 1 0 invalid address 0x");
    CHECK(address != NULL);
    if (address) {
        char *behind = strchr(address, '\n');
        memmove(address, behind + 1, strlen(behind));
    }
    SAME(text, "0: 4294967294 -2 'text'\nfault: 2 0 invalid address 0x8\nfault: 3 0 invalid address 0x1\n"
               "fault: 4 0 out of scratch space 0x0\nfault: 5 0 divide-by-zero 0x0\n"
               "fault: 6 0 invalid address 0x10\n");
    assembler_close(&as);
}

/* A text at the very end of what can be read. */
static void test_text_at_the_edge(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = aligned_alloc(page, 2 * page);
    memset(memory, 'x', 2 * page);
    strcpy(memory + page - 4, "end");
    assembler_begin(&as);
    clause(&as, "BEGIN", CLAUSE_RECORDS);
    set(&as, 0, (int64_t)(uintptr_t)(memory + page - 4));
    set(&as, 1, 256);
    op(&as, OP_CALL, 2, 0, 2, SUBROUTINE_COPYINSTR);
    emit_string(&as, 2);
    end(&as);
    assembler_run(&as);
    fire(&as, PROBE_BEGIN);
    FINISH(&as, "0: 'end'\n");
    free(memory);
}

static void test_error_probe(void) {
    assembler_begin(&as);
    clause(&as, "ERROR", CLAUSE_RECORDS);
    for (int i = 1; i <= 5; i++) {
        if (i == 3)
            continue;
        op(&as, OP_BUILTIN, 1, 0, 0, BUILTIN_ARG0 + i);
        emit_integer(&as, 1);
    }
    op(&as, OP_BUILTIN, 1, 0, 0, BUILTIN_PROBENAME);
    emit_string(&as, 1);
    end(&as);
    for (int i = 0; i < 2; i++) {
        const char *probe = i ? "END" : "BEGIN";
        clause(&as, probe, CLAUSE_RECORDS);
        set(&as, 0, 16);
        emit_integer(&as, 0);
        op(&as, OP_READ, 1, 0, 0, 4);
        emit_integer(&as, 1);
        end(&as);
        clause(&as, probe, CLAUSE_RECORDS);
        set(&as, 0, i);
        if (!i)
            act(&as, ACTION_EXIT, 0);
        end(&as);
    }
    clause(&as, "BEGIN", CLAUSE_RECORDS); /* after exit() */
    end(&as);
    assembler_run(&as);
    fire(&as, PROBE_END); /* not yet */
    fire(&as, PROBE_BEGIN);
    fire(&as, PROBE_ENTRY);
    CHECK(arena_activity(as.arena) == ARENA_EXITING);
    fire(&as, PROBE_END);
    FINISH(&as, "fault: 1 1 invalid address 0x10\n2: 0\n0: 1 1 1 16 'ERROR'\n"
                "fault: 3 1 invalid address 0x10\n0: 2 3 1 16 'ERROR'\n4:\n");
}

static void test_error_in_error(void) {
    assembler_begin(&as);
    clause(&as, "ERROR", CLAUSE_RECORDS);
    op(&as, OP_SET, 0, 0, 0, 0);
    op(&as, OP_FAIL, 0, 0, 0, FAULT_ILLEGAL_OPERATION);
    clause(&as, "ERROR", CLAUSE_RECORDS);
    end(&as);
    clause(&as, "END", CLAUSE_RECORDS);
    op(&as, OP_SET, 0, 0, 0, 0);
    op(&as, OP_FAIL, 0, 0, 0, FAULT_ILLEGAL_OPERATION);
    assembler_run(&as);
    arena_advance(as.arena, ARENA_EXITING);
    fire(&as, PROBE_END);
    FINISH(&as, "fault: 2 0 illegal operation 0x0\n1:\n");
}

/* ---- Code objects ---- */

static void test_decided(void) {
    assembler_begin(&as);
    /* copyinstr(arg1) == "wanted" is decided, the rest of the clause is not. */
    uint32_t id = clause(&as, "function-entry", CLAUSE_RECORDS);
    as.clauses[id].decide = as.instruction_count;
    op(&as, OP_BUILTIN, 0, 0, 0, BUILTIN_ARG1);
    set(&as, 1, 256);
    op(&as, OP_CALL, 0, 0, 2, SUBROUTINE_COPYINSTR);
    set_string(&as, 1, "wanted");
    op(&as, OP_COMPARE_STRINGS, 0, 0, 1, 0);
    op(&as, OP_NOT, 0, 0, 0, 0);
    end(&as);
    as.clauses[id].full = as.instruction_count;
    set_string(&as, 1, "full");
    emit_string(&as, 1);
    end(&as);
    as.clauses[id].decided = as.instruction_count;
    set_string(&as, 1, "decided");
    op(&as, OP_EMIT_STRING, 0, 1, 0, 0);
    end(&as);
    clause(&as, "demo.py:f*:function-return", CLAUSE_RECORDS);
    op(&as, OP_BUILTIN, 1, 0, 0, BUILTIN_PROBEMOD);
    emit_string(&as, 1);
    op(&as, OP_BUILTIN, 1, 0, 0, BUILTIN_ARG0);
    set(&as, 2, 256);
    op(&as, OP_CALL, 3, 1, 2, SUBROUTINE_COPYINSTR);
    emit_string(&as, 3);
    op(&as, OP_CALL, 3, 3, 1, SUBROUTINE_BASENAME);
    emit_string(&as, 3);
    op(&as, OP_BUILTIN, 1, 0, 0, BUILTIN_PROBEFUNC);
    emit_string(&as, 1);
    end(&as);
    assembler_run(&as);
    arena_advance(as.arena, ARENA_ACTIVE);
    CHECK(engine_wants(as.engine) == (1 << PROBE_ENTRY | 1 << PROBE_RETURN));
    CHECK(engine_selective(as.engine) == (1 << PROBE_ENTRY | 1 << PROBE_RETURN));
    fire_code(&as, PROBE_ENTRY, 5, "/x/demo.py", "wanted");
    fire_code(&as, PROBE_ENTRY, 6, "/x/demo.py", "other");
    fire_code(&as, PROBE_ENTRY, 5, "/x/demo.py", "wanted");
    fire_code(&as, PROBE_RETURN, 7, "/x/demo.py", "func");
    fire_code(&as, PROBE_RETURN, 8, "/x/demo.py", "gunc");
    fire_code(&as, PROBE_RETURN, 9, "/x/other.py", "func");
    fire_code(&as, PROBE_ENTRY, 0, "/x/demo.py", "other"); /* of no known code object: no verdict */
    uint64_t arguments[10] = {(uintptr_t) "x", (uintptr_t) "other"};
    struct engine_event event = {PROBE_ENTRY, 6, "x", "other", arguments, {0}};
    CHECK(!engine_wants_code(as.engine, &event));
    engine_forget_code(as.engine, 6);
    arguments[1] = (uintptr_t) "wanted";
    event.function = "wanted";
    CHECK(engine_wants_code(as.engine, &event));
    CHECK(engine_firings(as.engine) == 7);
    FINISH(&as, "0: 'decided'\n0: 'decided'\n1: 'demo.py' '/x/demo.py' 'demo.py' 'func'\n0: 'full'\n");
}

/* Where, seen from the clause that sets self->step at each entry. */
enum read_where { READ_BEHIND, READ_BEFORE, READ_ELSEWHERE };

/* self->step is set by a clause at each entry, and read by one for the function "wanted". */
static void store_and_read(enum read_where where, enum variable_scope scope) {
    assembler_begin(&as);
    int32_t step = variable(&as, scope, 'i', "", 8);
    for (int turn = 0; turn < 2; turn++) {
        if (turn == (where == READ_BEFORE)) {
            clause(&as, "function-entry", 0);
            set(&as, 0, 1);
            op(&as, OP_STORE, 0, 0, 0, step);
            end(&as);
        } else {
            clause(&as, where == READ_ELSEWHERE ? "*:wanted:function-*" : "*:wanted:function-entry",
                   CLAUSE_RECORDS);
            op(&as, OP_LOAD, 0, 0, 0, step);
            emit_integer(&as, 0);
            end(&as);
        }
    }
    assembler_run(&as);
    arena_advance(as.arena, ARENA_ACTIVE);
}

static bool wants(const char *function) {
    uint64_t arguments[10] = {(uintptr_t) "x", (uintptr_t)function};
    struct engine_event event = {PROBE_ENTRY, *function == 'w' ? 5 : 6, "x", function, arguments, {0}};
    return engine_wants_code(as.engine, &event);
}

static void test_dead_stores(void) {
    store_and_read(READ_BEHIND, SCOPE_THREAD);
    CHECK(engine_selective(as.engine) == 1 << PROBE_ENTRY);
    CHECK(wants("wanted") && !wants("other"));
    fire_code(&as, PROBE_ENTRY, 6, "x", "other");
    fire_code(&as, PROBE_ENTRY, 5, "x", "wanted");
    FINISH(&as, "1: 1\n");

    static const enum read_where others[] = {READ_BEFORE, READ_ELSEWHERE};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        store_and_read(others[i], SCOPE_THREAD);
        CHECK(!(engine_selective(as.engine) & 1 << PROBE_ENTRY));
        CHECK(wants("wanted") && wants("other"));
        fire_code(&as, PROBE_ENTRY, 6, "x", "other");
        fire_code(&as, others[i] == READ_BEFORE ? PROBE_ENTRY : PROBE_RETURN, 5, "x", "wanted");
        FINISH(&as, others[i] == READ_BEFORE ? "0: 1\n" : "1: 1\n");
    }

    store_and_read(READ_BEHIND, SCOPE_GLOBAL); /* another thread may read it */
    CHECK(!(engine_selective(as.engine) & 1 << PROBE_ENTRY));
    CHECK(wants("other"));
    FINISH(&as, "");
}

static void test_skip(void) {
    assembler_begin(&as);
    clause(&as, "function-entry", CLAUSE_RECORDS);
    op(&as, OP_BUILTIN, 0, 0, 0, BUILTIN_ARG2);
    op(&as, OP_JUMP_IF, 0, 0, 0, 1);
    op(&as, OP_SKIP, 0, 0, 0, 0);
    set(&as, 1, 11);
    op(&as, OP_EQUAL, 0, 0, 1, 0);
    op(&as, OP_JUMP_UNLESS, 0, 0, 0, 1);
    op(&as, OP_SKIP, 0, 0, 0, 0);
    end(&as);
    assembler_run(&as);
    arena_advance(as.arena, ARENA_ACTIVE);
    fire(&as, PROBE_ENTRY);
    FINISH(&as, "");
}

/* ---- Buffers ---- */

static void test_bufsize(void) {
    char text[1 << 16];
    assembler_begin(&as);
    as.options[OPTION_BUFSIZE] = 4096;
    clause(&as, "function-entry", CLAUSE_RECORDS);
    set(&as, 0, 1);
    emit_integer(&as, 0);
    end(&as);
    assembler_run(&as);
    arena_advance(as.arena, ARENA_ACTIVE);
    enum { SIZE = sizeof(struct arena_record) + 8, FIT = 4096 / SIZE };
    for (int i = 0; i < FIT + 3; i++)
        fire(&as, PROBE_ENTRY);
    assembler_read(&as, text, sizeof text);
    CHECK(strstr(text, "3 drop"));
    /* The consumer has read all: there is room again. */
    struct arena_slot *slot = arena_slot(as.arena, 0);
    CHECK(slot->written == FIT * SIZE);
    __atomic_store_n(&slot->consumed, slot->written, __ATOMIC_RELEASE);
    fire(&as, PROBE_ENTRY);
    CHECK(slot->written == (FIT + 1) * SIZE);
    assembler_close(&as);
}

static void test_policies(int64_t policy) {
    char text[1 << 16];
    assembler_begin(&as);
    as.options[OPTION_BUFSIZE] = 16384;
    as.options[OPTION_BUFPOLICY] = policy;
    int32_t counter = variable(&as, SCOPE_GLOBAL, 'i', "", 8);
    clause(&as, "function-entry", CLAUSE_RECORDS);
    op(&as, OP_LOAD, 1, 0, 0, counter);
    op(&as, OP_ADD_NUMBER, 1, 1, 0, 1);
    op(&as, OP_STORE, 0, 1, 0, counter);
    emit_integer(&as, 1);
    end(&as);
    assembler_run(&as);
    arena_advance(as.arena, ARENA_ACTIVE);
    for (int i = 0; i < 2000; i++)
        fire(&as, PROBE_ENTRY);
    assembler_read(&as, text, sizeof text);
    bool ring = policy == 2;
    CHECK(!strstr(text, "drop"));
    CHECK((strncmp(text, "0: 1\n", 5) == 0) == !ring);
    CHECK((strstr(text, "0: 2000\n") != NULL) == ring);
    CHECK(as.arena->header->filled == !ring);
    CHECK(strlen(text) > 200 * 8);
    assembler_close(&as);
}

/* `trace(arg2)` alone at a probe has a way of its own. */
static void fire_with(int64_t arg2) {
    const uint64_t arguments[10] = {(uintptr_t) "/tmp/dir/demo.py", (uintptr_t) "func", (uint64_t)arg2};
    engine_fire(as.thread, &(struct engine_event){.probe = PROBE_ENTRY,
                                                  .code_id = 1,
                                                  .file = "/tmp/dir/demo.py",
                                                  .function = "func",
                                                  .arguments = arguments});
}

static void trace_alone(int64_t policy, bool wants_cpu, uint64_t bufsize) {
    assembler_begin(&as);
    as.options[OPTION_BUFPOLICY] = policy;
    as.options[OPTION_BUFSIZE] = (int64_t)bufsize;
    as.without_cpu = !wants_cpu;
    clause(&as, "function-entry", CLAUSE_RECORDS);
    op(&as, OP_BUILTIN, 1, 0, 0, BUILTIN_ARG2);
    emit_integer(&as, 1);
    end(&as);
    assembler_run(&as);
    fire_with(-1); /* not active yet */
    arena_advance(as.arena, ARENA_ACTIVE);
}

/* Its records are those of every other way. */
static void test_trace_alone(bool wants_cpu) {
    enum { TIMES = 1000, SIZE = sizeof(struct arena_record) + 8 };
    trace_alone(0, wants_cpu, 1 << 20);
    for (int i = 0; i < TIMES; i++)
        fire_with(i);
    arena_advance(as.arena, ARENA_EXITING);
    fire_with(TIMES);
    const struct arena_slot *slot = arena_slot(as.arena, 0);
    CHECK(slot->written == (uint64_t)TIMES * SIZE);
    uint64_t latest = 0;
    int64_t next = 0;
    uint32_t index = slot->first_record_chunk;
    for (const struct arena_chunk *chunk; (chunk = arena_chunk(as.arena, index)); index = chunk->next) {
        for (uint32_t at = 0; at < chunk->used; at += SIZE, next++) {
            struct arena_record head;
            int64_t value;
            memcpy(&head, (const char *)(chunk + 1) + at, sizeof head);
            memcpy(&value, (const char *)(chunk + 1) + at + sizeof head, sizeof value);
            CHECK(value == next && head.size == SIZE && head.enabling == 0);
            CHECK(head.pid == assembler_host.pid && head.tid == slot->tid);
            CHECK(head.probe == assembler_probes[PROBE_ENTRY].id && (wants_cpu || head.cpu == 0));
            CHECK(head.timestamp >= latest && head.timestamp > 0);
            latest = head.timestamp;
        }
    }
    CHECK(next == TIMES);
    assembler_close(&as);
}

static void test_trace_alone_policies(void) {
    enum { SIZE = sizeof(struct arena_record) + 8, FIT = 4096 / SIZE };
    char text[1 << 16];
    trace_alone(0, false, 4096);
    for (int i = 0; i < FIT + 3; i++)
        fire_with(i);
    struct arena_slot *slot = arena_slot(as.arena, 0);
    CHECK(slot->written == FIT * SIZE && slot->drops[DROP_PRINCIPAL] == 3);
    __atomic_store_n(&slot->consumed, slot->written, __ATOMIC_RELEASE);
    fire_with(0);
    CHECK(slot->written == (FIT + 1) * SIZE && slot->drops[DROP_PRINCIPAL] == 3);
    assembler_close(&as);
    for (int64_t policy = 1; policy <= 2; policy++) {
        bool ring = policy == 2;
        trace_alone(policy, false, 16384);
        for (int i = 1; i <= 2000; i++)
            fire_with(i);
        assembler_read(&as, text, sizeof text);
        CHECK(!strstr(text, "drop"));
        CHECK((strncmp(text, "0: 1\n", 5) == 0) == !ring);
        CHECK((strstr(text, "0: 2000\n") != NULL) == ring);
        CHECK(as.arena->header->filled == !ring);
        assembler_close(&as);
    }
}

/* So has `@ = count()`. */
static void test_count_alone(void) {
    assembler_begin(&as);
    int32_t count = aggregation(&as, AGGREGATING_COUNT, "s", NULL);
    clause(&as, "function-entry", 0);
    set_string(&as, 1, "key");
    op(&as, OP_AGGREGATE, 0, 1, 1, count);
    end(&as);
    assembler_run(&as);
    fire_with(0);
    const struct arena_slot *slot = arena_slot(as.arena, 0);
    CHECK(slot->aggregation_bytes == 0);
    arena_advance(as.arena, ARENA_ACTIVE);
    for (int i = 0; i < 200; i++)
        fire_with(i);
    const struct arena_chunk *chunk = arena_chunk(as.arena, slot->first_aggregation_chunk);
    const struct arena_aggregate *entry = (const struct arena_aggregate *)(const void *)(chunk + 1);
    CHECK(entry->data[0] == 200);
    arena_raise_generation(as.arena, (uint32_t)count); /* clear(), or trunc() */
    fire_with(0);
    CHECK(entry->data[0] == 1);
    arena_advance(as.arena, ARENA_EXITING);
    fire_with(0);
    CHECK(entry->data[0] == 1);
    assembler_close(&as);
}

static void test_maxmem(void) {
    char text[1 << 20];
    assembler_begin(&as);
    as.options[OPTION_MAXMEM] = 1 << 20;
    as.options[OPTION_BUFSIZE] = 64 << 20;
    clause(&as, "function-entry", CLAUSE_RECORDS);
    set_string(&as, 0, "some text");
    emit_string(&as, 0);
    end(&as);
    assembler_run(&as);
    arena_advance(as.arena, ARENA_ACTIVE);
    for (int i = 0; i < 40000; i++)
        fire(&as, PROBE_ENTRY);
    assembler_read(&as, text, sizeof text);
    CHECK(strstr(text, " drop"));
    assembler_close(&as);
}

static void test_speculations(void) {
    assembler_begin(&as);
    as.options[OPTION_NSPEC] = 2;
    as.options[OPTION_SPECSIZE] = 128;
    int32_t id = variable(&as, SCOPE_THREAD, 'i', "", 8);
    clause(&as, "BEGIN", CLAUSE_RECORDS);
    for (int i = 0; i < 3; i++) {
        op(&as, OP_CALL, 1, 0, 0, SUBROUTINE_SPECULATION);
        emit_integer(&as, 1);
    }
    set(&as, 1, 1);
    op(&as, OP_STORE, 0, 1, 0, id);
    end(&as);
    /* Twice into the first, which has not room for three; once into one that is not there. */
    for (int i = 0; i < 4; i++) {
        clause(&as, "BEGIN", CLAUSE_RECORDS | CLAUSE_SPECULATIVE);
        set(&as, 1, i < 3 ? 1 : 77);
        op(&as, OP_SPECULATE, 0, 1, 0, 0);
        set(&as, 2, i);
        emit_integer(&as, 2);
        set(&as, 2, 0);
        emit_integer(&as, 2);
        end(&as);
    }
    clause(&as, "BEGIN", CLAUSE_RECORDS);
    end(&as);
    clause(&as, "BEGIN", 0);
    set(&as, 1, 1);
    act(&as, ACTION_COMMIT, 1);
    end(&as);
    clause(&as, "BEGIN", 0);
    set(&as, 1, 2);
    act(&as, ACTION_DISCARD, 1);
    end(&as);
    clause(&as, "BEGIN", 0);
    set(&as, 1, 77);
    act(&as, ACTION_COMMIT, 1);
    end(&as);
    clause(&as, "BEGIN", CLAUSE_RECORDS);
    op(&as, OP_CALL, 1, 0, 0, SUBROUTINE_SPECULATION);
    emit_integer(&as, 1);
    end(&as);
    assembler_run(&as);
    fire(&as, PROBE_BEGIN);
    arena_clean(as.arena, NULL, NULL);
    CHECK((as.arena->speculations[0] & 3) == SPECULATION_INACTIVE);
    CHECK((as.arena->speculations[1] & 3) == SPECULATION_INACTIVE);
    FINISH(&as, "0: 1 2 0\n5:\n1: 0 0\n2: 1 0\nfault: 8 0 illegal operation 0x0\n9: 0\n"
                "1 speculative drop\n1 failed speculation (available buffer(s) still busy)\n"
                "1 failed speculation (no speculative buffer available)\n");
}

struct taken {
    FILE *out;
};

static void take(void *context, const struct arena_record *record, uint32_t size) {
    struct taken *taken = context;
    CHECK(size == record->size);
    assembler_print(&as, record, taken->out);
}

/* What another thread has put into a speculation comes by way of arena_clean. */
static void test_speculation_of_two(void) {
    assembler_begin(&as);
    clause(&as, "BEGIN", CLAUSE_RECORDS);
    op(&as, OP_CALL, 1, 0, 0, SUBROUTINE_SPECULATION);
    emit_integer(&as, 1);
    end(&as);
    clause(&as, "function-entry", CLAUSE_RECORDS | CLAUSE_SPECULATIVE);
    set(&as, 1, 1);
    op(&as, OP_SPECULATE, 0, 1, 0, 0);
    op(&as, OP_BUILTIN, 1, 0, 0, BUILTIN_TID);
    emit_integer(&as, 1);
    end(&as);
    clause(&as, "function-return", 0);
    set(&as, 1, 1);
    act(&as, ACTION_COMMIT, 1);
    end(&as);
    assembler_run(&as);
    fire(&as, PROBE_BEGIN);
    arena_advance(as.arena, ARENA_ACTIVE);
    struct engine_thread *first = as.thread;
    as.thread = engine_thread_enter(as.engine, 99);
    fire(&as, PROBE_ENTRY);
    as.thread = first;
    fire(&as, PROBE_ENTRY);
    fire(&as, PROBE_RETURN);
    char text[1024] = "";
    struct taken taken = {fmemopen(text, sizeof text, "w")};
    arena_clean(as.arena, take, &taken);
    fclose(taken.out);
    SAME(text, "1: 99\n");
    CHECK((as.arena->speculations[0] & 3) == SPECULATION_INACTIVE);
    FINISH(&as, "0: 1\n1: 70\n");
}

/* ---- Aggregations ---- */

static void print_aggregates(FILE *out) {
    for (uint32_t i = 0; i < arena_slots_used(as.arena); i++) {
        const struct arena_slot *slot = arena_slot(as.arena, i);
        const struct arena_chunk *chunk = arena_chunk(as.arena, slot->first_aggregation_chunk);
        for (; chunk; chunk = arena_chunk(as.arena, chunk->next)) {
            for (uint32_t at = 0; at < chunk->used;) {
                const struct arena_aggregate *entry =
                    (const struct arena_aggregate *)(const void *)((const char *)(chunk + 1) + at);
                fprintf(out, "%u:", entry->aggregation);
                for (uint32_t k = 0; k < entry->words; k++)
                    if (entry->data[k])
                        fprintf(out, " %u=%lld", k, (long long)entry->data[k]);
                fprintf(out, "\n");
                at += entry->size;
            }
        }
    }
}

static void test_aggregations(void) {
    static const int64_t linear[4] = {-10, 10, 2}, loglinear[4] = {10, 0, 3, 10};
    static const int64_t values[] = {1, -7, 100, 0, 7};
    assembler_begin(&as);
    for (int function = 0; function < AGGREGATING_FUNCTIONS; function++)
        aggregation(&as, (enum aggregating_function)function, "is",
                    function == AGGREGATING_LLQUANTIZE ? loglinear : linear);
    clause(&as, "BEGIN", 0);
    set(&as, 3, 2); /* the increment */
    set(&as, 10, 5);
    set_string(&as, 11, "key");
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        set(&as, 2, values[i]);
        for (int function = 0; function < AGGREGATING_FUNCTIONS; function++)
            op(&as, OP_AGGREGATE, 2, 10, 2, function);
    }
    end(&as);
    assembler_run(&as);
    fire(&as, PROBE_BEGIN);
    char text[4096] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    print_aggregates(out);
    fclose(out);
    SAME(text, "0: 0=5\n1: 0=101\n2: 0=-7\n3: 0=100\n4: 0=5 1=101\n5: 0=5 1=101 2=10099\n"
               "6: 60=2 63=2 64=2 66=2 70=2\n7: 2=2 6=4 9=2 11=2\n8: 0=2 1=2 7=2 19=2 44=2\n");
    /* Cleared, all but the count start anew. */
    for (int i = 1; i < AGGREGATING_FUNCTIONS; i++)
        as.arena->generations[i]++;
    fire(&as, PROBE_BEGIN);
    memset(text, 0, sizeof text);
    out = fmemopen(text, sizeof text, "w");
    print_aggregates(out);
    fclose(out);
    SAME(text, "0: 0=10\n1: 0=101\n2: 0=-7\n3: 0=100\n4: 0=5 1=101\n5: 0=5 1=101 2=10099\n"
               "6: 60=2 63=2 64=2 66=2 70=2\n7: 2=2 6=4 9=2 11=2\n8: 0=2 1=2 7=2 19=2 44=2\n");
    FINISH(&as, "");
}

static void test_aggsize(void) {
    assembler_begin(&as);
    as.options[OPTION_AGGSIZE] = 4096;
    int32_t counter = variable(&as, SCOPE_GLOBAL, 'i', "", 8);
    int32_t count = aggregation(&as, AGGREGATING_COUNT, "i", NULL);
    clause(&as, "function-entry", 0);
    op(&as, OP_LOAD, 1, 0, 0, counter);
    op(&as, OP_ADD_NUMBER, 1, 1, 0, 1);
    op(&as, OP_STORE, 0, 1, 0, counter);
    op(&as, OP_AGGREGATE, 0, 1, 1, count);
    end(&as);
    assembler_run(&as);
    arena_advance(as.arena, ARENA_ACTIVE);
    enum { FIT = 4096 / (sizeof(struct arena_aggregate) + 16) };
    for (int i = 0; i < FIT + 5; i++)
        fire(&as, PROBE_ENTRY);
    FINISH(&as, "5 aggregation drop\n");
}

/* ---- Threads and processes ---- */

enum { THREADS = 4, ROUNDS = 50, FIRINGS = 200 };

static void *fire_in_rounds(void *argument) {
    struct assembler mine = as;
    (void)argument;
    for (int round = 0; round < ROUNDS; round++) {
        mine.thread = engine_thread_enter(as.engine, 100);
        for (uint32_t i = 0; i < FIRINGS; i++)
            fire_code(&mine, PROBE_ENTRY, 1 + i % 100, "/x/demo.py", "func");
        engine_thread_leave(mine.thread);
    }
    return NULL;
}

static int64_t sum_of_counts(void) {
    int64_t sum = 0;
    for (uint32_t i = 0; i < arena_slots_used(as.arena); i++) {
        const struct arena_slot *slot = arena_slot(as.arena, i);
        const struct arena_chunk *chunk = arena_chunk(as.arena, slot->first_aggregation_chunk);
        for (; chunk; chunk = arena_chunk(as.arena, chunk->next)) {
            for (uint32_t at = 0; at < chunk->used;) {
                const struct arena_aggregate *entry =
                    (const struct arena_aggregate *)(const void *)((const char *)(chunk + 1) + at);
                sum += entry->data[0];
                at += entry->size;
            }
        }
    }
    return sum;
}

/* counts[probefunc, n] where n = (arrays[n % 16]++), from many threads, which come and go. */
static void test_threads(void) {
    pthread_t threads[THREADS];
    assembler_begin(&as);
    int32_t array = variable(&as, SCOPE_GLOBAL, 'i', "i", 8),
            string = variable(&as, SCOPE_GLOBAL, 's', "", 256);
    int32_t mine = variable(&as, SCOPE_THREAD, 'i', "i", 8);
    int32_t count = aggregation(&as, AGGREGATING_COUNT, "s", NULL);
    uint32_t id = clause(&as, "*:f*:function-entry", 0);
    CHECK(id == 0);
    set(&as, 1, 3);
    op(&as, OP_LOAD_KEYED, 2, 1, 1, array);
    op(&as, OP_ADD_NUMBER, 2, 2, 0, 1);
    op(&as, OP_STORE_KEYED, 2, 1, 1, array);
    op(&as, OP_STORE_KEYED, 2, 1, 1, mine);
    op(&as, OP_LOAD, 3, 0, 0, string);
    set_string(&as, 3, "a text of many");
    op(&as, OP_STORE, 0, 3, 0, string);
    op(&as, OP_BUILTIN, 3, 0, 0, BUILTIN_PROBEFUNC);
    op(&as, OP_AGGREGATE, 0, 3, 1, count);
    end(&as);
    assembler_run(&as);
    arena_advance(as.arena, ARENA_ACTIVE);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, fire_in_rounds, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);

    CHECK(sum_of_counts() == THREADS * ROUNDS * FIRINGS);
    /* Slots are handed on. */
    CHECK(arena_slots_used(as.arena) <= THREADS + 1);
    CHECK(engine_firings(as.engine) == THREADS * ROUNDS * FIRINGS);
    assembler_close(&as);
}

/* A child maps the same arena, as a traced process does; what it sets is seen here. */
static void test_processes(void) {
    assembler_begin(&as);
    int32_t number = variable(&as, SCOPE_GLOBAL, 'i', "", 8),
            string = variable(&as, SCOPE_GLOBAL, 's', "s", 256);
    clause(&as, "function-entry", 0);
    set(&as, 1, 42);
    op(&as, OP_STORE, 0, 1, 0, number);
    set_string(&as, 1, "key");
    set_string(&as, 2, "from the child");
    op(&as, OP_STORE_KEYED, 2, 1, 1, string);
    end(&as);
    clause(&as, "function-return", CLAUSE_RECORDS);
    op(&as, OP_LOAD, 1, 0, 0, number);
    emit_integer(&as, 1);
    set_string(&as, 1, "key");
    op(&as, OP_LOAD_KEYED, 1, 1, 1, string);
    emit_string(&as, 1);
    end(&as);
    assembler_run(&as);
    arena_advance(as.arena, ARENA_ACTIVE);
    pid_t child = fork();
    if (child == 0) {
        char problem[256];
        struct arena *arena = arena_map(as.file, problem, sizeof problem);
        struct engine *engine =
            engine_open(as.program, as.program->size, arena, &assembler_host, problem, 256);
        as.thread = engine_thread_enter(engine, 80);
        fire(&as, PROBE_ENTRY);
        _exit(0);
    }
    int status = 1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    fire(&as, PROBE_RETURN);
    FINISH(&as, "1: 42 'from the child'\n");
}

/* What one engine has found for an event is nothing to another, nor to one that comes after it. */
static void test_event_of_two_engines(void) {
    const uint64_t arguments[10] = {(uintptr_t) "/x/demo.py", (uintptr_t) "func", 11};
    struct engine_event event = {PROBE_ENTRY, 1, "/x/demo.py", "func", arguments, {0}};
    char problem[256];
    assembler_begin(&as);
    clause(&as, "demo.py:func:function-entry", CLAUSE_RECORDS);
    op(&as, OP_BUILTIN, 1, 0, 0, BUILTIN_ARG2);
    emit_integer(&as, 1);
    op(&as, OP_BUILTIN, 1, 0, 0, BUILTIN_PROBEFUNC);
    emit_string(&as, 1);
    end(&as);
    assembler_run(&as);
    arena_advance(as.arena, ARENA_ACTIVE);
    for (int turn = 0; turn < 2; turn++) {
        struct engine *other =
            engine_open(as.program, as.program->size, as.arena, &assembler_host, problem, sizeof problem);
        struct engine_thread *thread = engine_thread_enter(other, 71);
        for (int i = 0; i < 3; i++) {
            engine_fire(thread, &event);
            engine_fire(as.thread, &event);
        }
        CHECK(engine_firings(other) == 3);
        engine_fire(thread, &event);
        engine_close(other);
        engine_fire(as.thread, &event);
    }
    CHECK(engine_firings(as.engine) == 8);
#define FOUR "0: 11 'func'\n0: 11 'func'\n0: 11 'func'\n0: 11 'func'\n"
    FINISH(&as, FOUR FOUR FOUR FOUR);
#undef FOUR
}

static void test_slots(void) {
    assembler_begin(&as);
    as.options[OPTION_MAXMEM] = 1 << 20;
    clause(&as, "BEGIN", 0);
    end(&as);
    assembler_run(&as);
    uint32_t slots = (uint32_t)as.arena->shape.slots, index = 0;
    for (uint32_t i = 1; i < slots; i++)
        index = arena_take_slot(as.arena, 9);
    CHECK(index == slots - 1 && arena_take_slot(as.arena, 9) == UINT32_MAX);
    CHECK(engine_thread_enter(as.engine, 71) == NULL);
    uint32_t chunk = arena_take_chunk(as.arena, index);
    arena_free_slot(as.arena, index);
    CHECK(arena_take_chunk(as.arena, 0) == chunk);
    CHECK(engine_thread_enter(as.engine, 71) != NULL);
    FINISH(&as, "");
}

static void test_arena_refused(void) {
    char problem[256] = "";
    FILE *file = tmpfile();
    CHECK(!arena_map(fileno(file), problem, sizeof problem));
    SAME(problem, "the memory of the session is not a sealed memory file");
    fclose(file);
}

/* errno is the program's. */
static void test_errno(void) {
    assembler_begin(&as);
    clause(&as, "BEGIN", CLAUSE_RECORDS);
    op(&as, OP_BUILTIN, 1, 0, 0, BUILTIN_ERRNO);
    emit_integer(&as, 1);
    set(&as, 1, 8);
    op(&as, OP_READ, 1, 1, 0, 8);
    end(&as);
    assembler_run(&as);
    errno = ENOTTY;
    fire(&as, PROBE_BEGIN);
    CHECK(errno == ENOTTY);
    FINISH(&as, "fault: 0 0 invalid address 0x8\n");
}

/* ---- Speed ---- */

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void measure(const char *what, uint32_t probes) {
    enum { TIMES = 2000, RUNS = 500 }; /* the best of many short runs, on a busy machine */
    double best = 1e9;
    assembler_run(&as);
    arena_advance(as.arena, ARENA_ACTIVE);
    const uint64_t entry[10] = {(uintptr_t) "/tmp/dir/demo.py", (uintptr_t) "func", 11, (uintptr_t) "func"};
    struct engine_event events[] = {
        {PROBE_ENTRY, 1, "/tmp/dir/demo.py", "func", entry, {0}},
        {PROBE_RETURN, 1, "/tmp/dir/demo.py", "func", entry, {0}},
    };
    for (int run = 0; run < RUNS; run++) {
        double start = seconds();
        for (int i = 0; i < TIMES; i++)
            for (uint32_t k = 0; k < probes; k++)
                engine_fire(as.thread, &events[k]);
        double each = (seconds() - start) / TIMES / probes * 1e9;
        best = each < best ? each : best;
        /* What is recorded here is read by nobody. */
        struct arena_slot *slot = arena_slot(as.arena, 0);
        slot->consumed = slot->written;
    }
    printf("%6.1f ns a firing: %s\n", best, what);
    assembler_close(&as);
}

static void copyinstr(uint8_t dst, int argument) {
    op(&as, OP_BUILTIN, dst, 0, 0, BUILTIN_ARG0 + argument);
    set(&as, dst + 1, 256);
    op(&as, OP_CALL, dst, dst, 2, SUBROUTINE_COPYINSTR);
}

/* What the compiler makes of d_demo/b_py_calltime.d. */
static void calltime(void) {
    int32_t depth = variable(&as, SCOPE_THREAD, 'i', "", 8), start = variable(&as, SCOPE_THREAD, 'i', "i", 8);
    int32_t callees = variable(&as, SCOPE_THREAD, 'i', "i", 8);
    int32_t inclusive = variable(&as, SCOPE_CLAUSE, 'i', "", 8),
            exclusive = variable(&as, SCOPE_CLAUSE, 'i', "", 8);
    int32_t file = variable(&as, SCOPE_CLAUSE, 's', "", 256),
            name = variable(&as, SCOPE_CLAUSE, 's', "", 256);
    int32_t counts = aggregation(&as, AGGREGATING_COUNT, "sss", NULL);
    int32_t exclusives = aggregation(&as, AGGREGATING_SUM, "sss", NULL);
    int32_t inclusives = aggregation(&as, AGGREGATING_SUM, "sss", NULL);
    clause(&as, "function-entry", 0);
    op(&as, OP_LOAD, 1, 0, 0, depth);
    op(&as, OP_ADD_NUMBER, 1, 1, 0, 1);
    op(&as, OP_STORE, 0, 1, 0, depth);
    op(&as, OP_BUILTIN, 2, 0, 0, BUILTIN_TIMESTAMP);
    op(&as, OP_STORE_KEYED, 2, 1, 1, start);
    set(&as, 2, 0);
    op(&as, OP_STORE_KEYED, 2, 1, 1, callees);
    end(&as);
    clause(&as, "function-return", 0);
    op(&as, OP_LOAD, 1, 0, 0, depth);
    op(&as, OP_LOAD_KEYED, 2, 1, 1, start);
    op(&as, OP_JUMP_IF, 0, 2, 0, 1);
    op(&as, OP_SKIP, 0, 0, 0, 0);
    op(&as, OP_BUILTIN, 2, 0, 0, BUILTIN_TIMESTAMP);
    op(&as, OP_LOAD_KEYED, 3, 1, 1, start);
    op(&as, OP_SUBTRACT, 2, 2, 3, 0);
    op(&as, OP_STORE, 0, 2, 0, inclusive);
    op(&as, OP_LOAD_KEYED, 3, 1, 1, callees);
    op(&as, OP_SUBTRACT, 4, 2, 3, 0);
    op(&as, OP_STORE, 0, 4, 0, exclusive);
    op(&as, OP_ADD_NUMBER, 5, 1, 0, -1);
    op(&as, OP_LOAD_KEYED, 6, 5, 1, callees);
    op(&as, OP_ADD, 6, 6, 2, 0);
    op(&as, OP_STORE_KEYED, 6, 5, 1, callees);
    copyinstr(10, 0);
    op(&as, OP_CALL, 10, 10, 1, SUBROUTINE_BASENAME);
    op(&as, OP_STORE, 0, 10, 0, file);
    copyinstr(10, 1);
    op(&as, OP_STORE, 0, 10, 0, name);
    const int32_t aggregations[] = {counts, exclusives, inclusives};
    const int32_t values[] = {exclusive, exclusive, inclusive};
    for (int i = 0; i < 3; i++) {
        op(&as, OP_LOAD, 20, 0, 0, file);
        set_string(&as, 21, "func");
        op(&as, OP_LOAD, 22, 0, 0, name);
        op(&as, OP_LOAD, 30, 0, 0, values[i]);
        op(&as, OP_AGGREGATE, 30, 20, 3, aggregations[i]);
        if (i < 2) {
            set_string(&as, 20, "-");
            set_string(&as, 21, "total");
            set_string(&as, 22, "-");
            op(&as, OP_AGGREGATE, 30, 20, 3, aggregations[i]);
        }
    }
    end(&as);
    clause(&as, "function-return", 0);
    op(&as, OP_LOAD, 1, 0, 0, depth);
    set(&as, 2, 0);
    op(&as, OP_LESS, 3, 2, 1, 0);
    op(&as, OP_JUMP_IF, 0, 3, 0, 1);
    op(&as, OP_SKIP, 0, 0, 0, 0);
    op(&as, OP_STORE_KEYED, 2, 1, 1, start);
    op(&as, OP_STORE_KEYED, 2, 1, 1, callees);
    op(&as, OP_ADD_NUMBER, 1, 1, 0, -1);
    op(&as, OP_STORE, 0, 1, 0, depth);
    end(&as);
}

static void measure_all(void) {
    assembler_begin(&as);
    clause(&as, "nothing.py:*:function-entry", 0);
    end(&as);
    measure("of no clause, by the verdict", 1);

    assembler_begin(&as);
    clause(&as, "function-entry", 0);
    end(&as);
    measure("an empty clause that records nothing", 1);

    assembler_begin(&as);
    int32_t count = aggregation(&as, AGGREGATING_COUNT, "s", NULL);
    clause(&as, "function-entry", 0);
    op(&as, OP_BUILTIN, 1, 0, 0, BUILTIN_PROBEFUNC);
    op(&as, OP_AGGREGATE, 0, 1, 1, count);
    end(&as);
    measure("@[probefunc] = count()", 1);

    assembler_begin(&as);
    count = aggregation(&as, AGGREGATING_COUNT, "ss", NULL);
    clause(&as, "function-entry", 0);
    copyinstr(1, 0);
    op(&as, OP_CALL, 1, 1, 1, SUBROUTINE_BASENAME);
    copyinstr(2, 1);
    op(&as, OP_AGGREGATE, 0, 1, 2, count);
    end(&as);
    measure("@[basename(copyinstr(arg0)), copyinstr(arg1)] = count()", 1);

    assembler_begin(&as);
    as.options[OPTION_BUFSIZE] = 64 << 20;
    clause(&as, "function-entry", CLAUSE_RECORDS);
    op(&as, OP_BUILTIN, 1, 0, 0, BUILTIN_TIMESTAMP);
    emit_integer(&as, 1);
    copyinstr(1, 1);
    emit_string(&as, 1);
    end(&as);
    measure("trace(timestamp); trace(copyinstr(arg1))", 1);

    assembler_begin(&as);
    as.options[OPTION_DYNVARSIZE] = 16 << 20;
    calltime();
    measure("b_py_calltime, half entries and half returns", 2);
}

/* ---- Plans ---- */

static uint32_t random_state;
static uint32_t landed; /* from there on no jump of the random clause skips anything */

static uint32_t random_below(uint32_t n) {
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % n;
}

enum { INTEGERS = 5, TEXTS = 3 }; /* registers: at first those of integers, then those of texts */

static uint8_t integer_register(void) {
    return (uint8_t)random_below(INTEGERS);
}

static uint8_t text_register(void) {
    return (uint8_t)(INTEGERS + random_below(TEXTS));
}

struct things { /* of a random program */
    int32_t this_integer, this_text, self_integer, self_text, global_integer, self_array, count, sum,
        quantized;
};

static void random_instruction(const struct things *things, uint32_t left) {
    static const uint8_t binary[] = {OP_ADD,  OP_SUBTRACT,  OP_MULTIPLY,      OP_DIVIDE, OP_AND,
                                     OP_LESS, OP_EQUAL,     OP_LESS_UNSIGNED, OP_OR,     OP_REMAINDER,
                                     OP_XOR,  OP_NOT_EQUAL, OP_LESS_EQUAL,    OP_ADD,    OP_SUBTRACT};
    static const int32_t builtins[] = {BUILTIN_ARG0, BUILTIN_ARG1, BUILTIN_ARG2, BUILTIN_ARG3,
                                       BUILTIN_ARG1, BUILTIN_ARG0, BUILTIN_ID,   BUILTIN_PID};
    static const int32_t texts[] = {BUILTIN_PROBEFUNC, BUILTIN_PROBEMOD, BUILTIN_PROBENAME};
    static const char *const constants[] = {"", "func", "other", "/a/b/c", "?"};
    const int32_t integers[] = {things->this_integer, things->self_integer, things->global_integer};
    const int32_t strings[] = {things->this_text, things->self_text};
    uint8_t i = integer_register(), k = integer_register(), t = text_register();
    uint32_t jump = random_below(7);
    switch (random_below(24)) {
    case 0:
        set(&as, i, random_below(4));
        break;
    case 1:
    case 2:
        op(&as, OP_BUILTIN, i, 0, 0, builtins[random_below(8)]);
        break;
    case 3:
        set_string(&as, t, constants[random_below(5)]);
        break;
    case 4:
    case 5:
        op(&as, (enum opcode)binary[random_below(sizeof binary)], i, k, integer_register(), 0);
        break;
    case 6:
        op(&as, OP_ADD_NUMBER, i, k, 0, (int32_t)random_below(5) - 2);
        break;
    case 7:
        op(&as, OP_EXTEND, i, k, 0, 8);
        break;
    case 8:
        op(&as, OP_MOVE, i, k, 0, 0);
        break;
    case 9:
        op(&as, OP_MOVE, t, text_register(), 0, 0);
        break;
    case 10:
        op(&as, OP_LOAD, i, 0, 0, integers[random_below(3)]);
        break;
    case 11:
        op(&as, OP_STORE, 0, i, 0, integers[random_below(3)]);
        break;
    case 12:
        /* Copied, for what the variable holds may change. */
        op(&as, OP_LOAD, t, 0, 0, strings[random_below(2)]);
        op(&as, OP_CALL, t, t, 1, SUBROUTINE_TOUPPER);
        break;
    case 13:
        op(&as, OP_STORE, 0, t, 0, strings[random_below(2)]);
        break;
    case 14:
        op(&as, OP_LOAD_KEYED, i, k, 1, things->self_array);
        break;
    case 15:
        op(&as, OP_STORE_KEYED, i, k, 1, things->self_array);
        break;
    case 16:
        op(&as, OP_BUILTIN, i % 3, 0, 0, BUILTIN_ARG0 + (int32_t)random_below(2));
        set(&as, i % 3 + 1, 64);
        op(&as, OP_CALL, t, i % 3, 2, SUBROUTINE_COPYINSTR);
        break;
    case 17:
        op(&as, OP_CALL, t, text_register(), 1, SUBROUTINE_BASENAME);
        break;
    case 18:
        op(&as, OP_CALL, t, INTEGERS, 2, SUBROUTINE_STRJOIN);
        break;
    case 19:
        op(&as, OP_BUILTIN, t, 0, 0, texts[random_below(3)]);
        break;
    case 20:
        if (as.instruction_count < landed)
            break; /* a record has all its fields */
        emit_integer(&as, i);
        emit_string(&as, t);
        break;
    case 21:
        op(&as, OP_AGGREGATE, i % 4, INTEGERS - 1, 2,
           (const int32_t[]){things->count, things->sum, things->quantized}[random_below(3)]);
        break;
    default:
        jump = jump < left ? jump : left;
        landed = as.instruction_count + 1 + jump > landed ? as.instruction_count + 1 + jump : landed;
        op(&as, jump % 3 ? OP_JUMP_IF : random_below(4) ? OP_JUMP_UNLESS : OP_JUMP, 0, i, 0, (int32_t)jump);
    }
}

enum { MOST = 8 }; /* instructions of one case below */

/* Of what runs quickly: integers of the clause, the thread and all, aggregations with keys that are known,
   fields of a record; now and then a jump. */
static void random_quick_instruction(const struct things *things, uint32_t left) {
    static const uint8_t binary[] = {OP_ADD,
                                     OP_SUBTRACT,
                                     OP_MULTIPLY,
                                     OP_AND,
                                     OP_LESS,
                                     OP_EQUAL,
                                     OP_OR,
                                     OP_NOT_EQUAL,
                                     OP_LESS_EQUAL,
                                     OP_LESS_UNSIGNED,
                                     OP_LESS_EQUAL_UNSIGNED};
    const int32_t integers[] = {things->this_integer, things->self_integer, things->self_integer,
                                things->global_integer};
    int32_t variable = integers[random_below(4)];
    uint8_t i = integer_register(), j = integer_register(), k = integer_register();
    uint32_t jump = random_below(5);
    switch (random_below(15)) {
    case 0:
        set(&as, i, random_below(3));
        break;
    case 1:
        op(&as, OP_BUILTIN, i, 0, 0, BUILTIN_ARG2);
        break;
    case 2:
        op(&as, (enum opcode)binary[random_below(sizeof binary)], i, k, integer_register(), 0);
        break;
    case 3:
        op(&as, OP_ADD_NUMBER, i, k, 0, (int32_t)random_below(5) - 2);
        break;
    case 4:
        op(&as, OP_LOAD, i, 0, 0, variable);
        break;
    case 5:
        op(&as, OP_STORE, 0, i, 0, variable);
        break;
    case 6: /* variable++, with the old or the new value at hand */
        op(&as, OP_LOAD, i, 0, 0, variable);
        op(&as, OP_ADD_NUMBER, k, i, 0, random_below(4) ? 1 : INT32_MAX);
        if (random_below(2)) /* of an int */
            op(&as, OP_EXTEND, k, k, 0, 32);
        op(&as, OP_STORE, 0, k, 0, variable);
        break;
    case 7:
        op(&as, OP_LOAD_KEYED, i, k, 1, things->self_array);
        break;
    case 8:
        op(&as, OP_STORE_KEYED, i, k, 1, things->self_array);
        break;
    case 9:
        set(&as, INTEGERS - 1, random_below(2));
        for (uint32_t n = random_below(8); n > 0 && left > 8; n--)
            op(&as, OP_AGGREGATE, (uint8_t)random_below(4), INTEGERS - 1, 2,
               random_below(2) ? things->count : things->sum);
        break;
    case 12: /* self->array[k] += x */
        op(&as, OP_LOAD_KEYED, i, k, 1, things->self_array);
        op(&as, OP_ADD, j, i, integer_register(), 0);
        op(&as, OP_STORE_KEYED, j, k, 1, things->self_array);
        break;
    case 13: /* a predicate, `/self->array[k]/`: to the end */
        if (random_below(3))
            break;
        op(&as, OP_LOAD_KEYED, i, k, 1, things->self_array);
        op(&as, OP_JUMP_UNLESS, 0, i, 0, (int32_t)(left + MOST - 2));
        landed = UINT32_MAX;
        break;
    case 14: /* differences of times, which are 0 within one firing */
        if (as.instruction_count < landed || i == k)
            break;
        op(&as, OP_BUILTIN, i, 0, 0, BUILTIN_TIMESTAMP);
        op(&as, OP_STORE_KEYED, i, k, 1, things->self_array);
        if (random_below(2))
            op(&as, OP_BUILTIN, i, 0, 0, BUILTIN_TIMESTAMP);
        op(&as, OP_LOAD_KEYED, j == k ? i : j, k, 1, things->self_array);
        if (j != k)
            op(&as, OP_BUILTIN, i, 0, 0, BUILTIN_TIMESTAMP);
        op(&as, OP_SUBTRACT, i, i, j == k ? i : j, 0);
        set(&as, j == k ? i : j, 0);
        op(&as, OP_STORE_KEYED, j == k ? i : j, k, 1, things->self_array);
        break;
    case 10:
        if (as.instruction_count >= landed)
            emit_integer(&as, i);
        break;
    default:
        if (random_below(3))
            break;
        jump = jump < left ? jump : left;
        landed = as.instruction_count + 1 + jump > landed ? as.instruction_count + 1 + jump : landed;
        op(&as, jump % 3 ? OP_JUMP_IF : OP_JUMP_UNLESS, 0, i, 0, (int32_t)jump);
    }
}

/* No jump goes into the middle of what one case above makes, or this would be no program: all are of one
   instruction but for those that the verifier looks at as a whole. */
static void random_clause(const struct things *things, bool is_quick) {
    enum { LENGTH = 60 };
    clause(&as, "function-entry", CLAUSE_RECORDS);
    uint32_t begin = as.instruction_count;
    landed = 0;
    for (uint8_t r = 0; r < INTEGERS; r++)
        set(&as, r, r);
    for (uint8_t r = INTEGERS; r < INTEGERS + TEXTS; r++)
        set_string(&as, r, "text");
    while (as.instruction_count + MOST < begin + LENGTH)
        (is_quick ? random_quick_instruction
                  : random_instruction)(things, begin + LENGTH - as.instruction_count - MOST);
    while (as.instruction_count < begin + LENGTH)
        op(&as, OP_SET, 0, 0, 0, 0);
    op(&as, random_below(4) ? OP_END : OP_SKIP, 0, 0, 0, 0);
    end(&as);
}

/* The values of all aggregations, each with its keys' hash. */
static void print_aggregations(FILE *out) {
    const struct arena_slot *slot = arena_slot(as.arena, 0);
    const struct arena_chunk *chunk = arena_chunk(as.arena, slot->first_aggregation_chunk);
    for (uint32_t at = 0; chunk && at < chunk->used;) {
        const struct arena_aggregate *entry =
            (const struct arena_aggregate *)(const void *)((const char *)(chunk + 1) + at);
        fprintf(out, "@%u %u:", entry->aggregation, entry->hash);
        for (uint32_t i = 0; i < entry->words; i++)
            if (entry->data[i])
                fprintf(out, " %u=%lld", i, (long long)entry->data[i]);
        fprintf(out, "\n");
        at += entry->size;
    }
}

/* The records, and the aggregations. */
static void print_all(char *text, size_t n) {
    memset(text, 0, n);
    assembler_read(&as, text, n - 1);
    size_t length = strlen(text);
    FILE *out = fmemopen(text + length, n - length, "w");
    print_aggregations(out);
    fclose(out);
}

/* What a random program records, for code objects or, without, with all clauses run as they are written. */
static void run_random(uint32_t seed, bool is_quick, bool with_code, char *text, size_t n) {
    static const char file[] = "/tmp/dir/demo.py", *const functions[] = {"func", "other", NULL};
    assembler_begin(&as);
    as.options[OPTION_STRSIZE] = 32;
    random_state = seed;
    const struct things things = {
        .this_integer = variable(&as, SCOPE_CLAUSE, 'i', "", 8),
        .this_text = variable(&as, SCOPE_CLAUSE, 's', "", 32),
        .self_integer = variable(&as, SCOPE_THREAD, 'i', "", 8),
        .self_text = variable(&as, SCOPE_THREAD, 's', "", 32),
        .global_integer = variable(&as, SCOPE_GLOBAL, 'i', "", 8),
        .self_array = variable(&as, SCOPE_THREAD, 'i', "i", 8),
        .count = aggregation(&as, AGGREGATING_COUNT, "is", NULL),
        .sum = aggregation(&as, AGGREGATING_SUM, "is", NULL),
        .quantized = aggregation(&as, AGGREGATING_QUANTIZE, "is", NULL),
    };
    random_clause(&things, is_quick);
    random_clause(&things, is_quick);
    assembler_run(&as);
    arena_advance(as.arena, ARENA_ACTIVE);
    struct engine_event events[3] = {{0}}; /* each fired several times, as the hooks do */
    for (uint64_t i = 0; i < 12; i++) {
        const char *function = functions[i % 3];
        const uint64_t arguments[10] = {(uintptr_t)file, (uintptr_t)function, i / 3, 12};
        struct engine_event *event = &events[i % 3];
        event->probe = PROBE_ENTRY;
        event->code_id = with_code ? 1 + (uint32_t)i % 3 : 0;
        event->file = file;
        event->function = function;
        event->arguments = arguments;
        engine_fire(as.thread, event);
        if (i == 8)
            arena_raise_generation(as.arena, (uint32_t)things.sum);
    }
    print_all(text, n);
    assembler_close(&as);
}

/* The longest clause that is prepared: as many counts as can have keys that are known, each on its own. */
static void run_long(bool with_code, char *text, size_t n) {
    enum { COUNTS = 64, LENGTH = 1020 };
    assembler_begin(&as);
    int32_t total = variable(&as, SCOPE_GLOBAL, 'i', "", 8);
    int32_t count = aggregation(&as, AGGREGATING_COUNT, "i", NULL);
    clause(&as, "function-entry", CLAUSE_RECORDS);
    uint32_t begin = as.instruction_count;
    set(&as, 1, 7);
    for (int32_t i = 0; i < COUNTS; i++) {
        op(&as, OP_AGGREGATE, 0, 1, 1, count);
        op(&as, OP_LOAD, 2, 0, 0, total);
        op(&as, OP_ADD_NUMBER, 2, 2, 0, i);
        op(&as, OP_STORE, 0, 2, 0, total);
    }
    while (as.instruction_count < begin + LENGTH)
        op(&as, OP_STORE, 0, 2, 0, total);
    op(&as, OP_LOAD, 2, 0, 0, total);
    emit_integer(&as, 2);
    end(&as);
    assembler_run(&as);
    arena_advance(as.arena, ARENA_ACTIVE);
    for (int i = 0; i < 3; i++)
        fire_code(&as, PROBE_ENTRY, with_code ? 1 : 0, "/x/demo.py", "func");
    print_all(text, n);
    assembler_close(&as);
}

static void test_long(void) {
    static char plain[1 << 16], planned[1 << 16];
    run_long(false, plain, sizeof plain);
    run_long(true, planned, sizeof planned);
    SAME(planned, plain);
}

/* What is worked out beforehand for a code object, and what is left out, changes nothing. */
static void test_plans(void) {
    static char plain[1 << 16], planned[1 << 16];
    for (uint32_t seed = 1; seed <= 6000 && failures < 3; seed++) {
        run_random(seed, seed % 2 == 0, false, plain, sizeof plain);
        run_random(seed, seed % 2 == 0, true, planned, sizeof planned);
        if (strcmp(plain, planned) != 0)
            printf("seed %u: ", seed);
        SAME(planned, plain);
    }
}

/* As in a container that forbids process_vm_readv. */
static void test_memory_without_process_vm_readv(void) {
    struct memory_reader reader;
    char from[2000], to[sizeof from] = "";
    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (char)i;
    memory_reader_open(&reader);
    reader.refused = true;
    int before = dup(0);
    CHECK(memory_read(&reader, to, (uintptr_t)from, sizeof from) && memcmp(from, to, sizeof from) == 0);
    CHECK(!memory_read(&reader, to, 8, 4));
    int after = dup(0);
    CHECK(after == before + 1); /* no descriptor stays in the program's table */
    close(before);
    close(after);
}

int main(int count, char **arguments) {
    if (count > 1 && strcmp(arguments[1], "speed") == 0) {
        measure_all();
        return 0;
    }
    test_refused();
    test_refused_bytes();
    test_globs();
    test_llquantize();
    test_arithmetic();
    test_subroutines();
    test_inet();
    test_strings_are_cut();
    test_scalars();
    test_arrays(SCOPE_GLOBAL);
    test_arrays(SCOPE_THREAD);
    test_full_arrays(SCOPE_GLOBAL);
    test_full_arrays(SCOPE_THREAD);
    test_null_is_no_text();
    test_memory();
    test_memory_without_process_vm_readv();
    test_text_at_the_edge();
    test_error_probe();
    test_error_in_error();
    test_decided();
    test_dead_stores();
    test_skip();
    test_bufsize();
    test_policies(1);
    test_policies(2);
    test_trace_alone(false);
    test_trace_alone(true);
    test_trace_alone_policies();
    test_count_alone();
    test_maxmem();
    test_speculations();
    test_speculation_of_two();
    test_aggregations();
    test_aggsize();
    test_threads();
    test_processes();
    test_event_of_two_engines();
    test_slots();
    test_arena_refused();
    test_errno();
    test_plans();
    test_long();
    return failures != 0;
}
