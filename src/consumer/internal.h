/*
 * internal.h: what the files of the consumer share.
 */
#ifndef CONSUMER_INTERNAL_H
#define CONSUMER_INTERNAL_H

#include "aggregations.h"
#include "consumer.h"
#include "engine/arena.h"
#include "program/format.h"
#include "program/program.h"
#include "stream.h"
#include "text.h"
#include "value.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* A probe as settings.probe has described it; the strings are owned. */
struct known_probe {
    uint32_t id;
    char *provider, *module, *function, *name; /* never NULL */
    enum { FLOW_NONE, FLOW_ENTRY, FLOW_RETURN } flow;
    struct known_probe *next; /* in its bucket */
};

enum { PROBE_BUCKETS = 256 };

struct consumer {
    const struct program_header *program; /* borrowed */
    struct arena *arena;                  /* borrowed */
    struct consumer_settings settings;
    int first_output; /* a descriptor for where settings.out wrote first, once freopen() has been called; else
                         -1 */
    bool redirected;  /* by freopen() */
    struct text text; /* what goes out at the next flush */
    int64_t options[OPTION_COUNT]; /* as they are now: setopt() changes them */
    bool json, colored;            /* what is printed to settings.out */
    bool quiet; /* was the option set when the record at hand began? For the columns of trace() */

    struct format *formats; /* owned; for each action of the program; no parts: none */
    struct known_probe *probes[PROBE_BUCKETS];
    struct aggregations aggregations;
    bool snapshot; /* that of `aggregations` was taken for the record at hand */

    uint32_t slots; /* how many of the arena's have ever been taken: the lowest free one is taken first */
    struct stream *streams;      /* owned; one for each slot */
    struct stream **heap;        /* owned; those with a record, the earliest first */
    struct stream loose;         /* of records from speculations */
    struct arena_record *record; /* owned; the copy of the one at hand */
    uint32_t *gone;              /* owned; processes whose slots are to be freed */
    size_t gone_count;

    uint64_t (*drops)[DROP_COUNT];   /* owned; as reported last, for each slot, then for none */
    int64_t status_time, clean_time; /* ns: when drops were last reported, speculations cleaned */

    uint64_t records;
    bool heading;      /* has been printed */
    bool first_object; /* json: none has been printed yet */
    bool discards;     /* what would be printed is left out */
    bool sink_failed;  /* it is not called again */
    bool exited;
    bool short_of_memory; /* has been said */
    int exit_status;
    int error; /* errno of a write that failed; 0: none did */
};

/* A record being worked on. */
struct firing {
    const struct arena_record *record;
    struct cursor cursor; /* its fields still to be read */
    const struct program_clause *clause;
    uint32_t clause_index;
    const struct known_probe *probe;
    struct value function, module; /* of this firing */
    struct stream *stream;
};

/* consumer.c */
void consumer_flush(struct consumer *consumer);
bool consumer_colored(const struct consumer *consumer); /* does what is printed now go to a terminal? */
const struct known_probe *consumer_probe_of(struct consumer *consumer, uint32_t id);
void consumer_snapshot(struct consumer *consumer); /* once for each record */

/* record.c: does what the clause of a record says. */
void record_do(struct consumer *consumer, struct stream *stream);
/* What printf makes of an action's fields, which are taken from the cursor; `values`, when not NULL, is
   called for each. False: the record is damaged. */
bool record_format(struct consumer *consumer, struct text *out, const struct program_action *action,
                   struct firing *firing, void (*each)(struct text *, const struct value *), struct text *to);
/* The values for the '*'s of a conversion: from the next fields, into the part. False: the bytes do not hold
   them. */
bool record_take_stars(const struct consumer *consumer, struct cursor *cursor,
                       const struct program_field **field, const struct program_field *end,
                       struct format_part *part);
struct value_style record_style(const struct consumer *consumer);
void record_set_exit(struct consumer *consumer, int status);
/* Those actions that print nothing themselves: exit, clear, trunc, normalize, system... Takes their fields.
 */
bool record_effect(struct consumer *consumer, const struct program_action *action, struct firing *firing);

/* printa.c */
void printa_do(struct consumer *consumer, struct text *out, const struct program_action *action);
void printa_rest(struct consumer *consumer);
/* The ids of an action's aggregations, at most `n`, checked. */
size_t printa_ids(const struct consumer *consumer, const struct program_action *action, uint32_t *ids,
                  size_t n);

/* json.c */
void json_record(struct consumer *consumer, struct firing *firing);
void json_rest(struct consumer *consumer);
void json_error(struct consumer *consumer, const struct firing *firing, const char *message);
void json_drop(struct consumer *consumer, unsigned kind, uint64_t count, uint64_t total, const char *message);
void json_end(struct consumer *consumer);

/* sink.c */
void sink_record(struct consumer *consumer, struct firing *firing);

/* messages.c */
void message_error(struct consumer *consumer, const struct firing *firing, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void message_fault(struct consumer *consumer, const struct firing *firing, uint32_t fault, uint64_t value,
                   int64_t instruction);
void message_drops(struct consumer *consumer);
void message_slot_drops(struct consumer *consumer, uint32_t slot);
void message_damage(struct consumer *consumer, struct stream *stream);
void message_memory(struct consumer *consumer);

#endif
