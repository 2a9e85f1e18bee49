/*
 * dlang.c: the compilation of a command line's sources, one after the other, to one program.
 */
#include "dlang.h"
#include "calls.h"
#include "compile.h"
#include "constants.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void compile_fail(struct compilation *compilation, const struct node *node, const char *tag,
                  const char *format, ...) {
    struct dlang_problem *problem = compilation->problem;
    const struct dlang_source *source = &compilation->settings->sources[compilation->source];
    char place[512] = "", shown_tag[64] = "";
    if (compilation->pragmas[OPTION_ERRTAGS] > 0)
        snprintf(shown_tag, sizeof shown_tag, "[%s] ", tag);
    if (!source->whole_description && node && node->line && node->file)
        snprintf(place, sizeof place, "\"%.200s\", line %u: ", node->file, node->line);
    else if (!source->whole_description && node && node->line)
        snprintf(place, sizeof place, "line %u: ", node->line);
    else if (compilation->region)
        snprintf(place, sizeof place, "in %s: ", compilation->region);
    int written = snprintf(problem->text, sizeof problem->text, "%s%s", shown_tag, place);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem->text + written, sizeof problem->text - (size_t)written, format, arguments);
    va_end(arguments);
    compilation->tag = tag;
    problem->source = compilation->source;
    problem->line = node ? node->line : 0;
    problem->column = node ? node->column : 0;
    longjmp(*compilation->failed, 1);
}

int64_t compile_option(const struct compilation *compilation, enum option option) {
    static const int64_t defaults[] = {
#define OPTION(name, text, kind, fallback) fallback,
        PROGRAM_OPTIONS(OPTION)
#undef OPTION
    };
    int64_t value = compilation->options[option];
    return value == OPTION_UNSET ? defaults[option] : value;
}

/* --- probe descriptions --- */

/* A number in place of a description is the probe with this id. */
static void describe_by_id(struct compilation *compilation, struct node *description) {
    const struct dlang_probes *probes = &compilation->settings->probes;
    if (!probes->describe ||
        !probes->describe(probes->context, (uint32_t)description->value, description->parts))
        compile_fail(compilation, description, "D_PDESC_INVAL",
                     "invalid probe identifier %s: Unknown probe identifier", description->text);
}

/* pid123:::entry: DTrace takes hold of the process before it looks for its functions. */
static void check_process(struct compilation *compilation, const struct node *description) {
    const char *provider = description->parts[0];
    size_t digits = strncmp(provider, "pid", 3) == 0 ? strspn(provider + 3, "0123456789") : 0;
    if (digits == 0 || digits > 10 || provider[3 + digits] != '\0')
        return;
    long pid = strtol(provider + 3, NULL, 10);
    if (pid == 0)
        compile_fail(compilation, description, "D_PROC_BADPID", "%s does not contain a valid pid", provider);
    if (pid > INT_MAX || (kill((pid_t)pid, 0) != 0 && errno == ESRCH))
        compile_fail(compilation, description, "D_PROC_GRAB", "failed to grab process %ld", pid);
}

/* How many probes the description matches; none is an error unless -Z. */
static unsigned match(struct compilation *compilation, struct node *description) {
    const struct dlang_probes *probes = &compilation->settings->probes;
    const char *const *parts = description->parts;
    if (description->is_number && *parts[3] == '\0')
        describe_by_id(compilation, description);
    check_process(compilation, description);
    unsigned matched = probes->match(probes->context, parts[0], parts[1], parts[2], parts[3]);
    bool may_be_none = compilation->settings->zero_matches || compilation->options[OPTION_ZDEFS] > 0;
    if (matched == 0 && !may_be_none)
        compile_fail(compilation, description, "D_PDESC_ZERO",
                     "probe description %s:%s:%s:%s does not match any probes", parts[0], parts[1], parts[2],
                     parts[3]);
    return matched;
}

static void enable(struct compilation *compilation, const struct node *description, uint32_t clause) {
    struct assembly *assembly = compilation->assembly;
    const struct program_enabling enabling = {
        .provider = assembly_string(assembly, description->parts[0]),
        .module = assembly_string(assembly, description->parts[1]),
        .function = assembly_string(assembly, description->parts[2]),
        .name = assembly_string(assembly, description->parts[3]),
        .clause = clause,
    };
    assembly_add(assembly, SECTION_ENABLINGS, &enabling);
}

/* --- clauses --- */

static void cook_predicate(struct compilation *compilation, struct node *clause) {
    if (!clause->condition)
        return;
    compilation->region = "predicate";
    cook(compilation, clause->condition, USE_READ);
    if (!type_is_scalar(clause->condition->type))
        compile_fail(compilation, clause->condition, "D_PRED_SCALAR",
                     "predicate result must be of scalar type");
}

static void cook_statements(struct compilation *compilation, struct node *clause) {
    compilation->region = "action list";
    for (struct node *statement = clause->right; statement; statement = statement->next)
        if (statement->left)
            cook(compilation, statement->left, USE_READ);
}

/* Cooks the statements first, so that the predicate may ask for a variable that they assign. If they fail
   for a name that is not known, the predicate gets its chance to make it known. */
static void cook_clause(struct compilation *compilation, struct node *clause) {
    jmp_buf retry, *outer = compilation->failed;
    if (clause->condition) {
        compilation->failed = &retry;
        if (setjmp(retry)) {
            compilation->failed = outer;
            if (strcmp(compilation->tag, "D_IDENT_UNDEF") != 0 &&
                strcmp(compilation->tag, "D_VAR_UNDEF") != 0)
                longjmp(*outer, 1);
            cook_predicate(compilation, clause);
            cook_statements(compilation, clause);
            return;
        }
    }
    cook_statements(compilation, clause);
    compilation->failed = outer;
    cook_predicate(compilation, clause);
}

/* Returns how many probes it matches. */
static unsigned compile_clause(struct compilation *compilation, struct node *clause) {
    unsigned matched = 0;
    uint32_t index = 0;
    for (struct node *description = clause->list; description; description = description->next) {
        compilation->region = NULL;
        matched += match(compilation, description);
        if (description == clause->list) {
            compilation->description = description;
            cook_clause(compilation, clause);
            index = generate_clause(compilation, clause);
            compilation->description = NULL;
        }
        enable(compilation, description, index);
    }
    compilation->region = NULL;
    return matched;
}

static void fold_clause(struct compilation *compilation, struct node *clause) {
    fold(compilation, clause->condition);
    for (struct node *statement = clause->right; statement; statement = statement->next)
        fold(compilation, statement->left);
}

static unsigned compile_source(struct compilation *compilation, struct node *list) {
    unsigned matched = 0;
    for (struct node *node = list; node; node = node->next) {
        if (node->kind == NODE_CLAUSE)
            fold_clause(compilation, node);
        else
            cook_declaration(compilation, node);
    }
    for (struct node *node = list; node; node = node->next)
        if (node->kind == NODE_CLAUSE)
            matched += compile_clause(compilation, node);
    return matched;
}

/* --- the whole --- */

/* The command line wins over pragmas. */
static void merge_options(struct compilation *compilation) {
    const int64_t *given = compilation->settings->options;
    for (int i = 0; i < OPTION_COUNT; i++)
        compilation->options[i] = given[i] != OPTION_UNSET ? given[i] : compilation->pragmas[i];
    int64_t size = compilation->options[OPTION_STRSIZE];
    if (size > PROGRAM_STRSIZE_MAX)
        compilation->options[OPTION_STRSIZE] = size = PROGRAM_STRSIZE_MAX;
    if (size != OPTION_UNSET)
        types_set_string_size(compilation->types, (size_t)size);
}

/* The default output names the probe of each record, unless the program is quiet. */
static uint32_t finish_flags(struct compilation *compilation) {
    uint32_t flags = compilation->is_destructive ? PROGRAM_DESTRUCTIVE : 0;
    bool names_probe = compilation->options[OPTION_QUIET] <= 0 || compilation->options[OPTION_FLOWINDENT] > 0;
    if (!names_probe)
        return flags;
    struct assembly *assembly = compilation->assembly;
    for (uint32_t i = 0; i < assembly_count(assembly, SECTION_CLAUSES); i++) {
        struct program_clause *clause = assembly_entry(assembly, SECTION_CLAUSES, i);
        if (clause->flags & CLAUSE_RECORDS)
            clause->flags |= CLAUSE_NAMES_PROBE;
    }
    return flags | PROGRAM_WANTS_CPU;
}

static bool fail_in_parser(struct compilation *compilation) {
    if (compilation->pragmas[OPTION_ERRTAGS] > 0)
        tag_problem(compilation->problem);
    return false;
}

static bool compile_all(struct compilation *compilation, struct dlang_result *result) {
    const struct dlang_settings *settings = compilation->settings;
    struct macros macros = {
        memory_allocate(compilation->memory, (settings->argument_count + 1) * sizeof *macros.used)};
    const struct parser_output output = {compilation->types, compilation->memory, &macros,
                                         compilation->pragmas};
    for (int i = 0; i < OPTION_COUNT; i++)
        compilation->pragmas[i] = OPTION_UNSET;
    compilation->pragmas[OPTION_ERRTAGS] = settings->options[OPTION_ERRTAGS];
    merge_options(compilation);
    for (size_t i = 0; i < settings->source_count; i++) {
        struct node *list = NULL;
        unsigned last_line = 0;
        compilation->source = i;
        if (!parse(settings, i, &output, &list, &last_line, compilation->problem))
            return fail_in_parser(compilation);
        merge_options(compilation);
        if (i + 1 == settings->source_count && compilation->options[OPTION_ARGREF] <= 0 &&
            !macros_all_used(settings, &macros, last_line, compilation->problem))
            return fail_in_parser(compilation);
        uint32_t enablings = assembly_count(compilation->assembly, SECTION_ENABLINGS);
        result->matched[i].probes = compile_source(compilation, list);
        result->matched[i].enablings = assembly_count(compilation->assembly, SECTION_ENABLINGS) - enablings;
    }
    return true;
}

static bool fail_without_memory(struct dlang_problem *problem) {
    snprintf(problem->text, sizeof problem->text, "not enough memory to compile");
    return false;
}

bool dlang_compile(const struct dlang_settings *settings, struct dlang_result *result,
                   struct dlang_problem *problem) {
    jmp_buf exhausted, failed;
    struct memory memory;
    struct compilation *volatile compilation = NULL;
    volatile bool good = false;
    *result = (struct dlang_result){NULL, calloc(settings->source_count + 1, sizeof *result->matched)};
    *problem = (struct dlang_problem){.line = 0};
    if (!result->matched)
        return fail_without_memory(problem);
    memory_init(&memory, &exhausted);
    if (setjmp(exhausted)) {
        fail_without_memory(problem);
    } else if (!setjmp(failed)) {
        compilation = memory_allocate(&memory, sizeof *compilation);
        *compilation = (struct compilation){
            .settings = settings, .problem = problem, .failed = &failed, .memory = &memory};
        compilation->types = types_new(&memory, 256);
        compilation->identifiers = identifiers_new(&memory, compilation->types);
        compilation->assembly = assembly_new(&memory);
        constants_define(compilation->identifiers, compilation->types, &memory);
        if (compile_all(compilation, result)) {
            result->program =
                assembly_finish(compilation->assembly, compilation->options, finish_flags(compilation));
            good = result->program != NULL;
            if (!good)
                snprintf(problem->text, sizeof problem->text, "the program is larger than %d MB",
                         PROGRAM_SIZE_MAX >> 20);
        }
    }
    if (compilation)
        format_free(&compilation->format);
    memory_free(&memory);
    if (!good) {
        free(result->matched);
        result->matched = NULL;
    }
    return good;
}
