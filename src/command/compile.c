/*
 * From the sources on the command line to a program, and what dtrace says about it.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "compile.h"

#include "command.h"
#include "stability.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool compile_resolve_ids(const struct trace_request *request, struct dlang_source *sources,
                         const struct catalog *catalog) {
    for (size_t i = 0; i < request->compiler.source_count; i++) {
        const char *text = request->given[i];
        size_t digits = strspn(text, "0123456789");
        if (sources[i].kind != 'i') {
            continue;
        }
        sources[i].kind = 'n';
        if (digits == 0) {
            continue; /* dtrace takes it for a name */
        }
        const struct catalog_probe *probe =
            digits > 9 ? NULL : catalog_find(catalog, (uint32_t)strtoul(text, NULL, 10));
        if (probe == NULL) {
            command_error(
                "invalid probe specifier %s: invalid probe identifier %.*s: Unknown probe identifier", text,
                (int)digits, text);
            return false;
        }
        /* The site of a process's probe is no part of its description in D, where these name the code. */
        size_t size = strlen(probe->provider) + strlen(probe->name) + strlen(text) + 8;
        char *description = command_allocate(size, 1);
        snprintf(description, size, "%s:::%s%s", probe->provider, probe->name, text + digits);
        sources[i].text = description;
    }
    return true;
}

/* The line of the source, and a caret below the column; tabs stay tabs, so that both lines agree. */
static void show_place(const struct dlang_source *source, unsigned line, unsigned column) {
    const char *text = source->text;
    for (unsigned i = 1; i < line; i++) {
        const char *end = strchr(text, '\n');
        if (end == NULL) {
            return;
        }
        text = end + 1;
    }
    int length = (int)strcspn(text, "\n");
    if (length == 0 || column == 0 || (int)column > length + 1) {
        return;
    }
    fprintf(stderr, "%.*s\n", length, text);
    for (unsigned i = 1; i < column; i++) {
        fputc(text[i - 1] == '\t' ? '\t' : ' ', stderr);
    }
    fputs("^\n", stderr);
}

/* What is to be said behind a problem with probes that the kernel has, and no process. */
static const char *kernel_hint(const char *problem) {
    static const char *const providers[] = {"syscall", "io",    "sched", "proc", "fbt",     "rawfbt",
                                            "sdt",     "rawtp", "ip",    "cpc",  "lockstat"};
    static const char start[] = "probe description ";
    const char *description = strstr(problem, start);
    for (size_t i = 0; description != NULL && i < sizeof providers / sizeof providers[0]; i++) {
        size_t length = strlen(providers[i]);
        if (strncmp(description + strlen(start), providers[i], length) == 0 &&
            description[strlen(start) + length] == ':') {
            return "; those are the kernel's, for root: the same command with sudo dtrace for catprobe";
        }
    }
    return "";
}

bool compile_program(const struct trace_request *request, const struct dlang_settings *settings,
                     struct dlang_result *result) {
    struct dlang_problem problem = {.text = ""};
    *result = (struct dlang_result){.program = NULL};
    if (dlang_compile(settings, result, &problem)) {
        return true;
    }
    size_t at = problem.source < settings->source_count ? problem.source : 0;
    const struct dlang_source *source = &settings->sources[at];
    if (source->kind == 's') {
        command_error("failed to compile script %s: %s%s", request->given[at], problem.text,
                      kernel_hint(problem.text));
    } else {
        command_error("invalid probe specifier %s: %s%s", request->given[at], problem.text,
                      kernel_hint(problem.text));
    }
    if (isatty(STDERR_FILENO) && problem.line > 0) {
        show_place(source, problem.line, problem.column);
    }
    return false;
}

/* A description is named without its predicate and actions. */
static int name_length(const struct dlang_source *source, const char *given) {
    return (int)(source->kind == 's' ? strlen(given) : strcspn(given, "{/;"));
}

void compile_explain(const struct trace_request *request, const struct dlang_result *result) {
    size_t first = 0;
    for (size_t i = 0; i < request->compiler.source_count; i++) {
        const struct dlang_source *source = &request->compiler.sources[i];
        size_t count = result->matched[i].enablings;
        command_print("\nStability attributes for %s %.*s:\n\n",
                      source->kind == 's' ? "script" : "description", name_length(source, request->given[i]),
                      request->given[i]);
        stability_of_enablings(result->program, first, count);
        if (request->compile_only) {
            stability_of_descriptions(result->program, first, count);
        }
        first += count;
    }
    fflush(stdout);
}

/* Bytes that DTrace lays a value out in, each at a multiple of its own size; a text has strsize. */
static uint64_t lay_out(uint64_t at, const struct program_field *field) {
    enum { FRAMES = 129 }; /* of a stack, whatever the program asks for */
    uint64_t size = field->kind == FIELD_STACK ? FRAMES * sizeof(void *) : field->size;
    uint64_t align = field->kind == FIELD_INTEGER ? size : field->kind == FIELD_STACK ? sizeof(void *) : 1;
    return (at + align - 1) / align * align + size;
}

static uint64_t lay_out_fields(const struct program_header *program, uint64_t at, uint32_t first,
                               uint32_t count) {
    const struct program_field *fields = program_entries(program, SECTION_FIELDS);
    for (uint32_t i = first; i < first + count; i++) {
        at = lay_out(at, &fields[i]);
    }
    return at;
}

/* DTrace refuses a buffer that cannot hold one record of each clause. */
static bool records_fit(const struct program_header *program) {
    enum { HEAD = 24, LEAST = 64 }; /* LEAST: a record of its own at each error */
    const struct program_clause *clauses = program_entries(program, SECTION_CLAUSES);
    const struct program_action *actions = program_entries(program, SECTION_ACTIONS);
    uint64_t most = LEAST;
    for (uint32_t i = 0; i < program_count(program, SECTION_CLAUSES); i++) {
        uint64_t size = HEAD;
        for (uint32_t j = 0; j < clauses[i].actions; j++) {
            const struct program_action *action = &actions[clauses[i].first_action + j];
            size = lay_out_fields(program, size, action->first_field, action->fields);
        }
        most = size > most ? size : most;
    }
    return (uint64_t)program_option(program, OPTION_BUFSIZE) >= most;
}

/* And so of an entry of each aggregation. */
static bool aggregations_fit(const struct program_header *program) {
    enum { HEAD = 4, COUNTS = 16 };
    const struct program_aggregation *aggregations = program_entries(program, SECTION_AGGREGATIONS);
    uint64_t most = 0;
    for (uint32_t i = 0; i < program_count(program, SECTION_AGGREGATIONS); i++) {
        uint64_t size = lay_out_fields(program, HEAD, aggregations[i].first_field, aggregations[i].keys) +
                        COUNTS + program_aggregation_words(&aggregations[i]) * sizeof(int64_t);
        most = size > most ? size : most;
    }
    return (uint64_t)program_option(program, OPTION_AGGSIZE) >= most;
}

bool compile_announce(const struct trace_request *request, const struct dlang_result *result) {
    bool quiet = program_option(result->program, OPTION_QUIET) != 0;
    bool may_destroy = program_option(result->program, OPTION_DESTRUCTIVE) != 0;
    for (size_t i = 0; i < request->compiler.source_count && !quiet; i++) {
        const struct dlang_source *source = &request->compiler.sources[i];
        unsigned matched = result->matched[i].probes;
        command_error("%s '%.*s' matched %u probe%s", source->kind == 's' ? "script" : "description",
                      name_length(source, request->given[i]), request->given[i], matched,
                      matched == 1 ? "" : "s");
    }
    if (request->verbose) {
        compile_explain(request, result);
    }
    if ((result->program->flags & PROGRAM_DESTRUCTIVE) != 0 && !may_destroy) {
        command_error("could not enable tracing: Destructive actions not allowed");
        return false;
    }
    if (!records_fit(result->program) || !aggregations_fit(result->program)) {
        command_error("could not enable tracing: Enabling exceeds size of buffer");
        return false;
    }
    if (may_destroy && !quiet) {
        command_error("allowing destructive actions");
    }
    return true;
}
