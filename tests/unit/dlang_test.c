/*
 * dlang_test.c: the parts of the D compiler that no recorded program shows: options in all their forms, the
 * split of a predicate, sizes of records, several sources.
 */
#include "dlang/dlang.h"
#include "program/program.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned match_one(void *context, const char *provider, const char *module, const char *function,
                          const char *name) {
    (void)context;
    (void)provider;
    (void)module;
    (void)function;
    return strcmp(name, "none") != 0;
}

static struct program_header *compile(const char *text, int64_t quiet) {
    const struct dlang_source source = {"test.d", text, false, 's'};
    struct dlang_settings settings = {.sources = &source, .source_count = 1, .probes = {.match = match_one}};
    struct dlang_result result;
    struct dlang_problem problem;
    for (int i = 0; i < OPTION_COUNT; i++)
        settings.options[i] = OPTION_UNSET;
    settings.options[OPTION_QUIET] = quiet;
    if (!dlang_compile(&settings, &result, &problem)) {
        fprintf(stderr, "%s\n%s\n", text, problem.text);
        abort();
    }
    assert(result.matched[0].probes > 0);
    free(result.matched);
    char refused[256];
    if (!program_check(result.program, result.program->size, refused, sizeof refused)) {
        fprintf(stderr, "%s\n%s\n", text, refused);
        abort();
    }
    return result.program;
}

static const struct program_clause *clause_of(const struct program_header *program, uint32_t index) {
    assert(index < program_count(program, SECTION_CLAUSES));
    return (const struct program_clause *)program_entries(program, SECTION_CLAUSES) + index;
}

static void options_are_read_as_dtrace_reads_them(void) {
    static const struct {
        const char *text;
        enum option option;
        int64_t value;
    } good[] = {
        {"quiet", OPTION_QUIET, 1},
        {"quiet=0", OPTION_QUIET, 1}, /* as DTrace has it */
        {"quiet=off", OPTION_QUIET, 0},
        {"aggsortpos", OPTION_AGGSORTPOS, 1},
        {"quiet=5", OPTION_QUIET, 1},
        {"bufsize=4m", OPTION_BUFSIZE, 4 << 20},
        {"bufsize=64K", OPTION_BUFSIZE, 64 << 10},
        {"strsize=512", OPTION_STRSIZE, 512},
        {"switchrate=10hz", OPTION_SWITCHRATE, 100000000},
        {"switchrate=10", OPTION_SWITCHRATE, 100000000},
        {"switchrate=250ms", OPTION_SWITCHRATE, 250000000},
        {"aggrate=2s", OPTION_AGGRATE, 2000000000},
        {"bufpolicy=ring", OPTION_BUFPOLICY, 2},
        {"oformat=json", OPTION_OFORMAT, 1},
        {"aggsortpos=3", OPTION_AGGSORTPOS, 3},
        {"maxtime=5", OPTION_MAXTIME, 5000000000},
    };
    static const struct {
        const char *text, *problem;
    } bad[] = {
        {"nosuch", "Invalid option name"},
        {"bufsiz=4m", "Invalid option name"},
        {"bufsize", "Invalid value for specified option"},
        {"bufsize=4q", "Invalid value for specified option"},
        {"bufsize=-1", "Invalid value for specified option"},
        {"strsize=abc", "Invalid value for specified option"},
        {"switchrate=fast", "Invalid value for specified option"},
        {"bufpolicy=other", "Invalid value for specified option"},
        {"strsize=0", "Invalid value for specified option"},
        {"errtags=1", "Invalid value for specified option"},
        {"linkmode=other", "Invalid value for specified option"},
        {"define=A", "Option cannot be used from within a D program"},
    };
    int64_t options[OPTION_COUNT];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert(dlang_option(options, good[i].text, false) == NULL);
        assert(options[good[i].option] == good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *problem = dlang_option(options, bad[i].text, true);
        assert(problem && strcmp(problem, bad[i].problem) == 0);
    }
}

static void what_a_code_object_decides_is_split_off(void) {
    static const struct {
        const char *predicate;
        bool decides, rest; /* something is decided; something is left */
    } cases[] = {
        {"copyinstr(arg1) == \"f\"", true, false},
        {"copyinstr(arg1) == \"f\" && self->x", true, true},
        {"self->x && (self->y && probefunc == \"f\")", true, true},
        {"self->x || copyinstr(arg1) == \"f\"", false, true},
        {"self->x", false, true},
        {"1", false, false},
        {"0", true, false},
        {"\"\" == \"\" || self->x", false, false},
        {"(\"a\" == \"\" || copyinstr(arg1) == \"f\") && self->x", true, true},
        {"strstr(copyinstr(arg0), \"a\") != NULL && arg2 > 5", true, true}, /* arg2 is not the code's */
        {"strstr(copyinstr(arg0), \"a\") != NULL && strlen(copyinstr(arg1)) > 5", true, false},
        {"probefunc == \"f\" && arg2 > 5", true, true},
        {"copyinstr(arg2) == \"f.py\" && pid > 5", true, false}, /* unless the probe is exception-raise */
        {"rand() == copyinstr(arg1)[0]", false, true},
        {"timestamp > arg0", false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "self int x; self int y; p:::e /%s/ { @ = count(); }",
                 cases[i].predicate);
        struct program_header *program = compile(text, 1);
        const struct program_clause *clause = clause_of(program, 0);
        const struct program_instruction *code = program_entries(program, SECTION_INSTRUCTIONS);
        assert((clause->decide != PROGRAM_NO_CODE) == cases[i].decides);
        assert((clause->decided == clause->full) == !cases[i].decides);
        /* with nothing left, the clause begins with what it counts: a value and an increment */
        bool begins_with_body =
            code[clause->decided].op == OP_SET && code[clause->decided + 2].op == OP_AGGREGATE;
        assert(begins_with_body == !cases[i].rest);
        free(program);
    }
}

static void records_have_the_sizes_of_their_types(void) {
    struct program_header *program = compile(
        "BEGIN { printf(\"%d %s %x\", (char)1, \"a\", (uint16_t)2); trace(3); trace(ustack(7)); }", 0);
    const struct program_field *fields = program_entries(program, SECTION_FIELDS);
    static const struct program_field expected[] = {
        {FIELD_INTEGER, 1, 0, 1, 0}, {FIELD_STRING, 0, 0, 256, 0}, {FIELD_INTEGER, 0, 0, 2, 0},
        {FIELD_INTEGER, 1, 0, 4, 0}, {FIELD_STACK, 0, 0, 0, 0},
    };
    assert(program_count(program, SECTION_FIELDS) == 5);
    for (int i = 0; i < 5; i++)
        assert(fields[i].kind == expected[i].kind && fields[i].is_signed == expected[i].is_signed &&
               (fields[i].size == expected[i].size || fields[i].kind == FIELD_STACK));
    assert(program->flags & PROGRAM_WANTS_CPU);
    assert(clause_of(program, 0)->flags == (CLAUSE_RECORDS | CLAUSE_NAMES_PROBE));
    free(program);
}

static void a_quiet_program_names_no_probe(void) {
    struct program_header *program =
        compile("BEGIN { trace(1); }\n#pragma D option quiet\nBEGIN { x = 1; }", OPTION_UNSET);
    assert(!(program->flags & PROGRAM_WANTS_CPU));
    assert(clause_of(program, 0)->flags == CLAUSE_RECORDS);
    assert(clause_of(program, 1)->flags == 0);
    free(program);
}

static void the_listing_names_everything(void) {
    struct program_header *program =
        compile("BEGIN /pid > 3/ { @a[probefunc] = sum(5); self->x[1] = \"s\"; exit(2); }", 1);
    char *listing = dlang_listing(program);
    static const char *const words[] = {"aggregation @a[string] = sum", "variable self->x[integer]: string",
                                        "enabling 0: :::BEGIN clause 0", "AGGREGATE", "exit"};
    assert(listing);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        assert(strstr(listing, words[i]));
    free(listing);
    free(program);
}

static void deep_expressions_are_refused_in_one_line(void) {
    char text[4096] = "BEGIN { x = 1; y = ";
    for (int i = 0; i < 80; i++)
        strcat(text, "x + (");
    strcat(text, "1");
    for (int i = 0; i < 80; i++)
        strcat(text, ")");
    strcat(text, "; }");
    const struct dlang_source source = {"deep.d", text, false, 's'};
    struct dlang_settings settings = {.sources = &source, .source_count = 1, .probes = {.match = match_one}};
    struct dlang_result result;
    struct dlang_problem problem;
    for (int i = 0; i < OPTION_COUNT; i++)
        settings.options[i] = OPTION_UNSET;
    assert(!dlang_compile(&settings, &result, &problem));
    assert(strstr(problem.text, "line 1: ") && !strchr(problem.text, '\n'));
}

int main(void) {
    options_are_read_as_dtrace_reads_them();
    what_a_code_object_decides_is_split_off();
    records_have_the_sizes_of_their_types();
    a_quiet_program_names_no_probe();
    the_listing_names_everything();
    deep_expressions_are_refused_in_one_line();
    return 0;
}
