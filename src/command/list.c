/*
 * catprobe -l: lists the probes of dtrace and of the interpreter of each process, in the layout and with the
 * rules of dtrace -l. A process's probes have the file and the function of their sites here, as in a kernel
 * tracer's listing.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "list.h"

#include "catalog.h"
#include "command.h"
#include "compile.h"
#include "processes.h"
#include "stability.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROVIDER, MODULE, FUNCTION, NAME, PARTS, PART_MAX = 256 };

struct description {
    char parts[PARTS][PART_MAX]; /* "" matches everything */
    uint32_t id;                 /* of -i: this one alone; 0: the parts decide */
};

/* Puts the pid in the place of $target. False: there is none, or no room. */
static bool expand_target(const char *text, pid_t target, char *expanded, size_t size) {
    static const char variable[] = "$target";
    const char *found = strstr(text, variable);
    int length;
    if (found == NULL) {
        length = snprintf(expanded, size, "%s", text);
    } else if (target == 0) {
        command_error("invalid probe specifier %s: $target needs -p", text);
        return false;
    } else {
        length = snprintf(expanded, size, "%.*s%ld%s", (int)(found - text), text, (long)target,
                          found + sizeof variable - 1);
    }
    if (length < 0 || (size_t)length >= size) {
        command_error("invalid probe specifier %s: too long", text);
        return false;
    }
    return true;
}

/* Parts are counted from the right: the last is the one that the option names. */
static bool parse_description(char option, const char *given, pid_t target, struct description *to) {
    static const char options[] = "Pmfn";
    char text[PART_MAX];
    memset(to, 0, sizeof *to);
    if (!expand_target(given, target, text, sizeof text)) {
        return false;
    }
    text[strcspn(text, "{/; \t\n")] = '\0'; /* what follows the description is for a trace */
    int part = (int)(strchr(options, option) - options);
    for (char *colon; (colon = strrchr(text, ':')) != NULL; part--) {
        if (part == 0) {
            command_error("invalid probe specifier %s: invalid probe description \"%s\": Overspecified probe "
                          "description",
                          given, text);
            return false;
        }
        snprintf(to->parts[part], PART_MAX, "%s", colon + 1);
        *colon = '\0';
    }
    snprintf(to->parts[part], PART_MAX, "%s", text);
    return true;
}

static bool matches(const struct description *description, uint32_t id, const char *const parts[PARTS]) {
    if (description->id != 0) {
        return description->id == id;
    }
    for (int part = 0; part < PARTS; part++) {
        const char *pattern = description->parts[part];
        if (pattern[0] != '\0' && fnmatch(pattern, parts[part], 0) != 0) {
            return false;
        }
    }
    return true;
}

/* A listing: what was found, and how it is to be shown. */
struct listing {
    const struct trace_request *request;
    struct catalog catalog;
    struct processes processes;
    struct description *descriptions;
    size_t count, room;
};

static struct description *add_description(struct listing *listing) {
    if (listing->count == listing->room) {
        size_t room = listing->room == 0 ? 16 : listing->room * 2;
        struct description *larger = command_allocate(room, sizeof *larger);
        if (listing->count > 0) {
            memcpy(larger, listing->descriptions, listing->count * sizeof *larger);
        }
        free(listing->descriptions);
        listing->descriptions = larger;
        listing->room = room;
    }
    return &listing->descriptions[listing->count++];
}

/* The process that a probe of the catalog belongs to, NULL for those of dtrace itself. */
static const struct process *process_of(const struct listing *listing, uint32_t id) {
    const struct process *owner = NULL;
    for (size_t i = 0; i < listing->processes.count; i++) {
        const struct process *process = listing->processes.items[i];
        if (id >= process->first && id < process->first + (uint32_t)process->target.status.probe_count) {
            owner = process;
        }
    }
    return owner;
}

static bool is_native(const struct process *process, const char *name) {
    const struct target_status *status = &process->target.status;
    for (int i = 0; i < status->probe_count; i++) {
        if (strcmp(status->probes[i].name, name) == 0) {
            return strcmp(status->probes[i].state, "native") == 0;
        }
    }
    return false;
}

/* Prints a probe if it matches; NULL matches all. */
static bool print_probe(const struct listing *listing, const struct catalog_probe *probe,
                        const struct description *description) {
    const struct process *process = process_of(listing, probe->id);
    const char *parts[PARTS] = {probe->provider, probe->module, probe->function, probe->name};
    if (process != NULL && is_native(process, probe->name)) {
        /* The interpreter's own fires: dtrace has it under the interpreter, and no function for a static
         * one. */
        const char *executable = process->target.status.executable;
        const char *slash = strrchr(executable, '/');
        parts[MODULE] = slash == NULL ? executable : slash + 1;
        parts[FUNCTION] = "";
    }
    if (description != NULL && !matches(description, probe->id, parts)) {
        return false;
    }
    command_print("%5u %10s %17s %33s %s\n", (unsigned)probe->id, parts[PROVIDER], parts[MODULE],
                  parts[FUNCTION], parts[NAME]);
    if (listing->request->verbose) {
        stability_of_probe(parts[PROVIDER], parts[NAME]);
    }
    return true;
}

/* DTrace goes through its own backwards when it has something to match. */
static void print_matches(const struct listing *listing, const struct description *description) {
    const struct catalog *catalog = &listing->catalog;
    bool any = false;
    for (size_t i = CATALOG_ERROR; i > 0; i--) {
        any = print_probe(listing, &catalog->probes[i - 1], description) || any;
    }
    for (size_t i = CATALOG_ERROR; i < catalog->count; i++) {
        any = print_probe(listing, &catalog->probes[i], description) || any;
    }
    if (!any) {
        command_error("failed to match %s:%s:%s:%s: No probe matches description",
                      description->parts[PROVIDER], description->parts[MODULE], description->parts[FUNCTION],
                      description->parts[NAME]);
    }
}

static void print_listing(const struct listing *listing) {
    command_print("%5s %10s %17s %33s %s\n", "ID", "PROVIDER", "MODULE", "FUNCTION", "NAME");
    /* Of processes that were named, theirs alone. */
    size_t first = listing->processes.follows ? 0 : CATALOG_ERROR;
    for (size_t i = first; listing->count == 0 && i < listing->catalog.count; i++) {
        print_probe(listing, &listing->catalog.probes[i], NULL);
    }
    for (size_t i = 0; i < listing->count; i++) {
        print_matches(listing, &listing->descriptions[i]);
    }
}

/* A script is asked for its descriptions by compiling it. */

static unsigned match_any(void *context, const char *provider, const char *module, const char *function,
                          const char *name) {
    const struct listing *listing = context;
    return catalog_match(&listing->catalog, provider, module, function, name);
}

static const char *argument_type(void *context, const char *provider, const char *name, unsigned index) {
    (void)context;
    (void)provider;
    return catalog_argument_type(name, index);
}

static bool describe_script(struct listing *listing, const struct dlang_source *source, pid_t target) {
    struct trace_request request = *listing->request;
    struct dlang_settings settings = request.compiler;
    struct dlang_result result;
    settings.sources = source;
    settings.source_count = 1;
    settings.target = (uint32_t)target;
    settings.zero_matches = true;
    settings.probes =
        (struct dlang_probes){.match = match_any, .argument_type = argument_type, .context = listing};
    request.given = &source->name;
    if (!compile_program(&request, &settings, &result)) {
        return false;
    }
    const struct program_enabling *enablings = program_entries(result.program, SECTION_ENABLINGS);
    for (uint32_t i = 0; i < program_count(result.program, SECTION_ENABLINGS); i++) {
        struct description *description = add_description(listing);
        const uint32_t parts[PARTS] = {enablings[i].provider, enablings[i].module, enablings[i].function,
                                       enablings[i].name};
        for (int part = 0; part < PARTS; part++) {
            snprintf(description->parts[part], PART_MAX, "%s", program_string(result.program, parts[part]));
        }
    }
    free(result.program);
    free(result.matched);
    return true;
}

static bool describe_id(struct listing *listing, const char *text) {
    size_t digits = strspn(text, "0123456789");
    uint32_t id = digits == 0 || digits > 9 ? 0 : (uint32_t)strtoul(text, NULL, 10);
    if (catalog_find(&listing->catalog, id) == NULL) {
        command_error("invalid probe specifier %s: invalid probe identifier %.*s: Unknown probe identifier",
                      text, (int)digits, text);
        return false;
    }
    add_description(listing)->id = id;
    return true;
}

static bool describe(struct listing *listing) {
    const struct trace_request *request = listing->request;
    pid_t target = processes_target(&listing->processes);
    for (size_t i = 0; i < request->compiler.source_count; i++) {
        const struct dlang_source *source = &request->compiler.sources[i];
        bool good;
        if (source->kind == 's') {
            good = describe_script(listing, source, target);
        } else if (source->kind == 'i') {
            good = describe_id(listing, source->text);
        } else {
            good = parse_description(source->kind, source->text, target, add_description(listing));
        }
        if (!good) {
            return false;
        }
    }
    for (size_t i = 0; i < listing->count; i++) {
        const struct description *wanted = &listing->descriptions[i];
        catalog_add_clocks(&listing->catalog, wanted->parts[PROVIDER], wanted->parts[MODULE],
                           wanted->parts[FUNCTION], wanted->parts[NAME]);
    }
    return true;
}

/* Those that do not answer are told. */
static int tell_silent(void) {
    struct targets found;
    int status = STATUS_OK;
    targets_find(&found);
    for (size_t i = 0; i < found.count; i++) {
        if (found.items[i].outcome != QUERY_ANSWERED) {
            status = command_error("process %ld: %s", (long)found.items[i].pid, found.items[i].error);
        }
    }
    targets_free(&found);
    return status;
}

int list_probes(const struct trace_request *request) {
    struct listing listing = {.request = request};
    int status = STATUS_FAILED;
    catalog_open(&listing.catalog);
    if (processes_open(&listing.processes, request, &listing.catalog)) {
        processes_look(&listing.processes);
        if (!listing.processes.failed && describe(&listing)) {
            bool all = listing.count == 0 && listing.processes.follows;
            status = all ? tell_silent() : STATUS_OK;
            if (all && listing.processes.count == 0) {
                status = status == STATUS_OK ? targets_none() : status;
            } else {
                print_listing(&listing);
            }
        }
    }
    free(listing.descriptions);
    processes_close(&listing.processes);
    catalog_close(&listing.catalog);
    return status;
}
