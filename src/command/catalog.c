/*
 * The probes that a trace can name, with their ids.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "catalog.h"

#include "command.h"
#include "probes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct catalog_probe *add(struct catalog *catalog, const char *provider, const char *module,
                                 const char *function, const char *name) {
    if (catalog->count == catalog->room) {
        size_t room = catalog->room == 0 ? 64 : catalog->room * 2;
        struct catalog_probe *probes = command_allocate(room, sizeof *probes);
        if (catalog->count > 0) {
            memcpy(probes, catalog->probes, catalog->count * sizeof *probes);
        }
        free(catalog->probes);
        catalog->probes = probes;
        catalog->room = room;
    }
    struct catalog_probe *probe = &catalog->probes[catalog->count++];
    const char *parts[] = {provider, module, function, name};
    const char **places[] = {&probe->provider, &probe->module, &probe->function, &probe->name};
    probe->id = catalog->next++;
    for (int i = 0; i < 4; i++) {
        size_t size = strlen(parts[i]) + 1;
        char *copy = command_allocate(size, 1);
        memcpy(copy, parts[i], size);
        *places[i] = copy;
    }
    return probe;
}

void catalog_open(struct catalog *catalog) {
    *catalog = (struct catalog){.next = CATALOG_BEGIN};
    add(catalog, "dtrace", "", "", "BEGIN");
    add(catalog, "dtrace", "", "", "END");
    add(catalog, "dtrace", "", "", "ERROR");
}

void catalog_close(struct catalog *catalog) {
    for (size_t i = 0; i < catalog->count; i++) {
        free((char *)catalog->probes[i].provider);
        free((char *)catalog->probes[i].module);
        free((char *)catalog->probes[i].function);
        free((char *)catalog->probes[i].name);
    }
    free(catalog->probes);
    *catalog = (struct catalog){0};
}

static const struct probe_description *describe(const char *name) {
    for (int i = 0; i < PROBE_COUNT; i++) {
        if (strcmp(probe_table[i].name, name) == 0) {
            return &probe_table[i];
        }
    }
    return NULL; /* of a later version */
}

uint32_t catalog_add_process(struct catalog *catalog, pid_t pid, const struct target_status *status) {
    char provider[CATALOG_PROVIDER_MAX];
    uint32_t first = catalog->next;
    snprintf(provider, sizeof provider, "python%ld", (long)pid);
    for (int i = 0; i < status->probe_count; i++) {
        const struct target_probe *probe = &status->probes[i];
        const struct probe_description *known = describe(probe->name);
        if (strcmp(probe->state, "unavailable") == 0) {
            catalog->next++; /* it keeps its id, so that those behind it keep theirs */
        } else {
            add(catalog, provider, status->module, known == NULL ? "" : known->function, probe->name);
        }
    }
    return first;
}

/* Those that a pattern finds. */
static const char *const usual_clocks[] = {
    "profile-97", "profile-199", "profile-499", "profile-997", "profile-1999", "profile-4001", "profile-4999",
    "tick-1",     "tick-10",     "tick-100",    "tick-500",    "tick-1000",    "tick-5000",
};

enum { USUAL_CLOCKS = sizeof usual_clocks / sizeof usual_clocks[0] };

static void add_clock(struct catalog *catalog, const char *name) {
    for (size_t i = 0; i < catalog->count; i++) {
        if (strcmp(catalog->probes[i].provider, "profile") == 0 &&
            strcmp(catalog->probes[i].name, name) == 0) {
            return;
        }
    }
    add(catalog, "profile", "", "", name);
}

/* Whether the parts of a description that are not the name can mean a clock. */
static bool means_clock(const char *provider, const char *module, const char *function) {
    return program_glob(provider, "profile") && program_glob(module, "") && program_glob(function, "");
}

void catalog_add_clocks(struct catalog *catalog, const char *provider, const char *module,
                        const char *function, const char *name) {
    if (!means_clock(provider, module, function)) {
        return;
    }
    if (program_clock_period(name) > 0) {
        add_clock(catalog, name);
    }
    for (int i = 0; i < USUAL_CLOCKS; i++) {
        if (program_glob(name, usual_clocks[i])) {
            add_clock(catalog, usual_clocks[i]);
        }
    }
}

bool catalog_means_sampling(const char *provider, const char *module, const char *function,
                            const char *name) {
    static const char prefix[] = "profile-";
    if (!means_clock(provider, module, function)) {
        return false;
    }
    bool found = strncmp(name, prefix, sizeof prefix - 1) == 0 && program_clock_period(name) > 0;
    for (int i = 0; i < USUAL_CLOCKS && !found; i++) {
        found =
            strncmp(usual_clocks[i], prefix, sizeof prefix - 1) == 0 && program_glob(name, usual_clocks[i]);
    }
    return found;
}

static int by_id(const void *one, const void *other) {
    const struct catalog_probe *a = one;
    const struct catalog_probe *b = other;
    return (a->id > b->id) - (a->id < b->id);
}

const struct catalog_probe *catalog_find(const struct catalog *catalog, uint32_t id) {
    struct catalog_probe wanted = {.id = id};
    return bsearch(&wanted, catalog->probes, catalog->count, sizeof wanted, by_id);
}

static bool names_code(const struct catalog_probe *probe) {
    return strncmp(probe->provider, "python", 6) == 0;
}

unsigned catalog_match(const struct catalog *catalog, const char *provider, const char *module,
                       const char *function, const char *name) {
    unsigned count = 0;
    for (size_t i = 0; i < catalog->count; i++) {
        const struct catalog_probe *probe = &catalog->probes[i];
        count += strcmp(probe->provider, "profile") != 0 && program_glob(provider, probe->provider) &&
                 program_glob(name, probe->name) &&
                 (names_code(probe) || (program_glob(module, "") && program_glob(function, "")));
    }
    if (!means_clock(provider, module, function)) {
        return count;
    }
    if (program_clock_period(name) > 0) {
        return count + 1; /* it exists once it is asked for */
    }
    for (int i = 0; i < USUAL_CLOCKS; i++) {
        count += program_glob(name, usual_clocks[i]);
    }
    return count;
}

bool catalog_means_processes(const char *provider, const char *name) {
    static const char prefix[] = "python";
    size_t literal = strcspn(provider, "*?[\\");
    size_t compared = literal < sizeof prefix - 1 ? literal : sizeof prefix - 1;
    if (strncmp(provider, prefix, compared) != 0 ||
        (provider[0] != '\0' && provider[literal] == '\0' && literal < sizeof prefix)) {
        return false;
    }
    for (int i = 0; i < PROBE_COUNT; i++) {
        if (program_glob(name, probe_table[i].name)) {
            return true;
        }
    }
    return false;
}

const char *catalog_argument_type(const char *probe, unsigned index) {
    const struct probe_description *known = describe(probe);
    return known == NULL || index >= (unsigned)known->argument_count ? NULL : known->arguments[index].type;
}
