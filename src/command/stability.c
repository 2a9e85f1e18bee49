/*
 * stability.c: DTrace's three words for a name, its meaning and what it depends on, by provider.
 */
#include "stability.h"
#include "command.h"
#include "probes.h"

#include <stdbool.h>
#include <string.h>

static bool is_python(const char *provider) {
    return strncmp(provider, "python", 6) == 0;
}

struct stability {
    const char *names, *semantics, *dependency;
};

/* From the most to the least. */
static const struct stability stabilities[] = {
    {"Stable", "Stable", "Common"},
    {"Evolving", "Evolving", "Common"},
    {"Unstable", "Unstable", "Common"},
    {"Private", "Private", "Unknown"},
};

static size_t stability_of(const char *provider) {
    return strcmp(provider, "dtrace") == 0    ? 0
           : strcmp(provider, "profile") == 0 ? 1
           : is_python(provider)              ? 3
                                              : 2;
}

static void print_stability(const char *what, const struct stability *stability) {
    command_print(
        "\t%s Attributes\n\t\tIdentifier Names: %s\n\t\tData Semantics:   %s\n\t\tDependency Class: %s\n\n",
        what, stability->names, stability->semantics, stability->dependency);
}

void stability_of_enablings(const struct program_header *program, size_t first, size_t count) {
    const struct program_enabling *enablings = program_entries(program, SECTION_ENABLINGS);
    size_t least = 0;
    for (size_t i = first; i < first + count; i++) {
        size_t stability = stability_of(program_string(program, enablings[i].provider));
        least = stability > least ? stability : least;
    }
    print_stability("Minimum Probe Description", &stabilities[least]);
    print_stability("Minimum Statement", &stabilities[0]);
}

static const struct probe_description *find_probe(const char *name) {
    for (int i = 0; i < PROBE_COUNT; i++) {
        if (strcmp(probe_table[i].name, name) == 0) {
            return &probe_table[i];
        }
    }
    return NULL; /* of a later version */
}

void stability_of_probe(const char *provider, const char *name) {
    const struct probe_description *known = is_python(provider) ? find_probe(name) : NULL;
    const struct stability *stability = &stabilities[stability_of(provider)];
    command_print("\n");
    print_stability("Probe Description", stability);
    print_stability("Argument", stability);
    command_print("\tArgument Types\n");
    for (int i = 0; known != NULL && i < known->argument_count; i++) {
        command_print("\t\targs[%d]: %s\n", i, known->arguments[i].type);
    }
    if (is_python(provider) && known == NULL) {
        command_print("\t\tUnknown\n");
    } else if (known == NULL || known->argument_count == 0) {
        command_print("\t\tNone\n");
    }
    command_print("\n");
}

void stability_of_descriptions(const struct program_header *program, size_t first, size_t count) {
    const struct program_enabling *enablings = program_entries(program, SECTION_ENABLINGS);
    for (size_t i = first; i < first + count; i++) {
        const char *provider = program_string(program, enablings[i].provider);
        const char *name = program_string(program, enablings[i].name);
        command_print("%s%s:%s:%s:%s\n", i > first ? "\n" : "", provider,
                      program_string(program, enablings[i].module),
                      program_string(program, enablings[i].function), name);
        stability_of_probe(provider, name);
    }
}
