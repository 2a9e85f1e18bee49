/*
 * catalog.h: the probes that a trace can name, with their ids: the three of dtrace, the clocks profile-N and
 * tick-N once a program names them, and those of each traced process. Names are matched here when a program
 * is compiled, and ids are given their names when its output is printed.
 */
#ifndef CATALOG_H
#define CATALOG_H

#include "consumer/consumer.h"
#include "targets.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ids that are always the same. */
enum { CATALOG_BEGIN = 1, CATALOG_END, CATALOG_ERROR, CATALOG_FIRST };

enum { CATALOG_PROVIDER_MAX = 32 };

struct catalog_probe {
    uint32_t id;
    const char *provider, *module, *function,
        *name; /* function: of a process's probe its site, as -l has it */
};

struct catalog {
    struct catalog_probe *probes; /* in the order of their ids */
    size_t count, room;
    uint32_t next; /* id */
};

/* Starts with the probes of dtrace. */
void catalog_open(struct catalog *catalog);
void catalog_close(struct catalog *catalog);

/* The id of a process's first probe; the others follow in the order of probes.h. */
uint32_t catalog_add_process(struct catalog *catalog, pid_t pid, const struct target_status *status);

/* Adds the clocks that a description means, one for each name: of a pattern, those that DTrace always has. */
void catalog_add_clocks(struct catalog *catalog, const char *provider, const char *module,
                        const char *function, const char *name);

/* NULL: there is none of that id. */
const struct catalog_probe *catalog_find(const struct catalog *catalog, uint32_t id);

/* How many match. The parts of a process's probe that name code, module and function, match whatever is asked
 * for: which code there will be is not known. */
unsigned catalog_match(const struct catalog *catalog, const char *provider, const char *module,
                       const char *function, const char *name);

/* Whether a provider's pattern can mean that of a Python process at all. */
bool catalog_means_processes(const char *provider, const char *name);

/* Whether a description means a clock profile-N, which fires in the traced processes too. */
bool catalog_means_sampling(const char *provider, const char *module, const char *function, const char *name);

/* The type of an argument of the provider python, "char *" or "int"; NULL: there is none. */
const char *catalog_argument_type(const char *probe, unsigned index);

#endif
