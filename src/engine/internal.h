/*
 * internal.h: what the files of this room share: an engine, the state of a thread, a clause's run. engine.c
 * opens engines and decides what runs where; vm.c runs a clause; subroutines.c, variables.c, record.c,
 * aggregate.c are what its instructions do.
 */
#ifndef ENGINE_INTERNAL_H
#define ENGINE_INTERNAL_H

#include "dynamic.h"
#include "engine.h"
#include "layout.h"
#include "memory.h"
#include "store.h"
#include "text.h"
#include "ticks.h"

#include <time.h>

enum {
    CODE_STRINGS = 6,         /* of a code object that are interned */
    CODE_CLASSES = 64,        /* of sizes of their records */
    STACKS_SIZE = 256 << 10,  /* bytes of Python stacks in one clause */
    DEFERRED_SIZE = 64 << 10, /* bytes of records of ERROR clauses during BEGIN */
    COMMITS_MAX = 16,         /* commits in one clause */
    PLAN_REGISTERS = 256,     /* of a thread: the program's, and behind them those of plans */
    PLAN_SITES_MAX = 64,      /* of a clause */
    GROUP_SITES = 6,          /* of which a group knows the aggregations */
    GROUPS_MAX = (PLAN_SITES_MAX + GROUP_SITES - 1) / GROUP_SITES,
    KNOWN_GROUPS = 16384, /* where a clause's groups begin, for as many functions with one clause each */
    NUMBERS_MAX = 16,     /* self-> arrays with numbers */
    ERROR_PROBE_ID = 3,   /* as -l lists it */
};

struct plan;
struct quick_instruction;

/* A clause that runs at a probe. */
struct ready {
    const struct program_instruction *code; /* of the plan, or of the program */
    uint32_t enabling;
    uint32_t clause;
    uint64_t flags;                        /* enum clause_flags */
    const struct plan *plan;               /* NULL: none */
    const struct value *pool;              /* its values for the code object */
    const struct quick_instruction *quick; /* of the plan */
    uint64_t known;                        /* a number for its first group of sites, never used again */
    uint64_t known_at;                     /* where in a thread's state that is: bytes from its start */
};

/* Where a thread's aggregations have the keys of some sites of a clause for a code object; a line of the
   cache. */
struct known_group {
    uint64_t known;  /* the group's number; 0: of none */
    uint32_t raised; /* the arena's: since then no aggregation has got another generation */
    struct arena_aggregate *entries[GROUP_SITES]; /* NULL: not looked for yet */
};

struct ready_list;
/* Runs the clauses of a list for the thread's firing. */
typedef void ready_runner(struct engine_thread *thread, const struct ready_list *list);

/* All that run, in order. */
struct ready_list {
    struct ready_list *next; /* of all lists of a probe */
    ready_runner *run;
    const struct probe_info *probe;
    enum arena_activity activity; /* of the probe */
    uint32_t count;
    struct ready items[];
};

/* Memory of a code object, given back when that is gone. */
struct code_block {
    struct code_block *next; /* of the same code object, or of those that are free */
    size_t size;             /* bytes of it all */
};

/* What the engine knows of a code object. */
struct engine_code {
    struct code_block block;
    const struct text *base, *function;
    uint32_t string_count; /* atomic */
    struct {
        uint64_t address; /* where the event has it */
        const struct text *text;
    } strings[CODE_STRINGS];
    const struct ready_list *lists[]; /* for each probe, atomic; NULL: not decided yet */
};

/* A probe of the process, with what the program wants of it. */
struct probe_info {
    uint32_t id;
    const struct text *provider, *name;
    uint16_t strings, by_code;
    bool has_code;
    bool is_begin;
    enum arena_activity activity;  /* in which it fires */
    uint32_t candidates;           /* enablings that match its provider and name */
    uint32_t *enablings;           /* those */
    const struct ready_list *list; /* what runs for no code object */
    struct ready_list *lists;      /* all lists made; under the engine's lock */
};

/* A clause, with what was found out about it. */
struct clause_info {
    uint16_t decide_arguments; /* arguments that its `decide` reads */
    bool decidable;            /* it has a `decide`, which reads only what may be */
    uint64_t reads;            /* variables, as dead_stores.c numbers them */
    uint64_t only_stores;      /* it sets these and does nothing else */
};

struct engine {
    const struct program_header *program; /* own copy */
    const struct program_instruction *instructions;
    const int64_t *integers;
    const struct program_variable *variables;
    const uint8_t *kinds;
    const struct program_aggregation *aggregations;
    const struct program_action *actions;
    const struct program_clause *clauses;
    const struct program_enabling *enablings;
    struct clause_info *clause_infos;
    const struct text **constants; /* for each OP_SET_STRING, by instruction */
    uint32_t *words;               /* of data of each aggregation */
    uint64_t *offsets;             /* of each scalar variable in its scope */
    struct layout layouts[3];      /* by enum variable_scope */
    struct arena *arena;           /* borrowed */
    struct engine_host host;
    struct probe_info *probes; /* host.probe_count of them, then ERROR */
    struct dynamic dynamic;
    struct store_budget budget; /* for self-> arrays */
    struct memory_reader reader;
    struct engine_thread *threads; /* atomic: all ever made */
    struct engine_thread *decider; /* runs `decide`; under the lock */
    struct engine_code ***codes;   /* [CODE_PAGES] pages of [CODE_PAGE], atomic */
    uint32_t lock;                 /* atomic: for deciding and for memory of the engine's own */
    char *at, *end;                /* room in the newest block of that memory */
    struct engine_block *blocks;
    struct code_block *free_codes[CODE_CLASSES]; /* for new ones, by size */
    struct plan *plans;
    uint64_t known;                               /* sites numbered so far */
    uint64_t scalars_at[3], numbers_at, known_at; /* where threads have them: bytes from their state */
    uint8_t *numbers_of; /* for each variable: its index in a thread's numbers; STORE_NO_NUMBERS: none */
    uint32_t numbers_count;
    uint64_t wants, selective;
    uint64_t read_later; /* variables that some clause reads before they are set at the same firing */
    uint32_t strsize;
    uint64_t bufsize, aggsize, specsize, scratchsize;
    int64_t bufpolicy;
    bool wants_cpu, destructive, ticks_usable;
    const struct text *execname;
    uint64_t serial; /* of no other engine of the process; at least 1 */
};

/* A chain of chunks that this thread appends to. */
struct cursor {
    struct arena_chunk *chunk; /* NULL: none yet */
    uint32_t used;             /* bytes of content that are published */
    uint32_t left;             /* bytes of content that are not */
};

/* A record that is being made. */
struct record {
    char *at;      /* where it begins, NULL: no record yet */
    uint32_t size; /* so far */
    uint32_t room; /* bytes there */
    bool lost;     /* no room was found */
};

/* Of aggregation entries, by keys: an open hash table. */
struct aggregate_slot {
    struct arena_aggregate *entry; /* NULL: free */
    uint32_t hash;
    uint32_t id;
    uint32_t keys_size;
};

struct thread_speculation {
    struct cursor cursor;
    uint32_t word;  /* the speculation's state word when this thread first wrote into it */
    uint64_t bytes; /* so far */
};

struct engine_thread {
    struct engine *engine;
    struct engine_thread *next; /* of engine->threads */
    size_t size;                /* bytes of it all */
    uint32_t taken;             /* atomic: 0: parked, for a new thread */
    uint32_t tid;
    uint32_t slot_index;
    uint64_t serial;         /* the engine's */
    int saved_errno;         /* of the program, at this firing */
    struct arena_slot *slot; /* NULL of the decider */
    uint64_t firings, spent;
    struct ticks ticks;                /* the clock */
    const struct arena_header *header; /* the arena's */
    struct {
        uint32_t cpu, pid; /* 0, and the process: of the head of each record, but where the cpu is wanted */
    } origin;
    uint64_t may_write; /* so much may be written to the slot, all in all, before bufsize is looked at */

    /* The firing */
    const struct engine_event *event;
    const struct probe_info *probe;
    const struct engine_code *code; /* NULL: none */
    uint64_t timestamp;             /* 0: not read yet */
    bool firing;                    /* for who calls back from within */
    bool in_error;                  /* runs an ERROR clause */
    bool deferring;                 /* records go to `deferred` */
    bool skipped;                   /* by the clause: nothing is to be recorded */
    uint32_t speculation;           /* by the clause: 1 + where the record goes; 0: the principal buffer */

    /* The clause */
    const struct ready *ready;
    char *string_at; /* room for strings; from string_first */
    char *stack_at;
    uint64_t scratch_used; /* of alloca and copyin */
    int64_t emitted;       /* the last integer */
    uint32_t commits[COMMITS_MAX];
    uint32_t commit_count;
    enum fault fault;
    uint64_t fault_value;
    struct record record;

    /* Buffers, behind the struct */
    char *string_first, *string_end;
    char *stack_first, *stack_end;
    char *scratch;
    char *scalars[3]; /* by enum variable_scope */
    struct text *strtok_text;
    char *deferred;
    uint32_t strtok_at; /* where the next token begins; UINT32_MAX: nowhere */
    uint32_t deferred_used;
    struct ready *candidates; /* for what could not be decided now */

    struct cursor principal, aggregation;
    uint64_t retry_at; /* no chunk was free: do not ask before */
    uint32_t principal_chunks;
    struct aggregate_slot *index;
    uint32_t index_size, index_count; /* a power of two; used */
    int64_t zero, one;                /* for who reads a number as he reads a variable; never written */
    struct store_numbers *numbers;    /* of the arrays that have them */
    struct store store;
    struct thread_speculation *speculations;
    uint64_t random;
    uint64_t chill_from, chilled; /* the present second, and nanoseconds slept in it */

    struct value registers[PLAN_REGISTERS];
};

/* The time of the firing. */
static inline uint64_t thread_now(struct engine_thread *thread) {
    if (!thread->timestamp)
        thread->timestamp = ticks_now(&thread->ticks);
    return thread->timestamp;
}

/* engine.c */
void thread_drop(struct engine_thread *thread, enum drop cause);
struct value thread_builtin(struct engine_thread *thread, enum builtin builtin);

/* A clause has ended with a fault, at an instruction of its own code: records it and runs the clauses of
 * ERROR. */
void clause_failed(struct engine_thread *thread, const struct ready *ready,
                   const struct program_instruction *at);

/* Runs whatever clauses; the runner of lists that have no other. */
ready_runner run_apart;

/* vm.c: runs a clause from `code` on. False: a fault, in thread->fault and fault_value; *instruction is
 * where. */
bool vm_run(struct engine_thread *thread, const struct program_instruction *code,
            const struct program_instruction **instruction);

/* A fault; for `return thread_fail(...)`. */
static inline bool thread_fail(struct engine_thread *thread, enum fault fault, uint64_t value) {
    thread->fault = fault;
    thread->fault_value = value;
    return false;
}

/* Room for a string of this clause; NULL: a fault was noted. */
static inline char *thread_string(struct engine_thread *thread, uint64_t bytes) {
    char *at = thread->string_at;
    if (bytes > (uint64_t)(thread->string_end - at)) {
        thread_fail(thread, FAULT_NO_SCRATCH, 0);
        return NULL;
    }
    thread->string_at = at + bytes;
    return at;
}

/* subroutines.c. False: a fault. */
bool subroutine_call(struct engine_thread *thread, enum subroutine subroutine, struct value *arguments,
                     struct value *result);
/* Bytes that can be read directly, or through the reader: where they are, or a copy; NULL: a fault was noted.
 */
const char *thread_bytes(struct engine_thread *thread, uint64_t address, uint64_t size);
/* Can the program write there? */
bool thread_owns(const struct engine_thread *thread, uint64_t address, uint64_t size);

/* variables.c. False: a fault. */
struct value variable_load(struct engine_thread *thread, uint32_t variable);
void variable_store(struct engine_thread *thread, uint32_t variable, struct value value);
bool variable_load_keyed(struct engine_thread *thread, uint32_t variable, struct value *keys,
                         struct value *value);
bool variable_store_keyed(struct engine_thread *thread, uint32_t variable, struct value *keys,
                          struct value value);
char *variable_address(struct engine_thread *thread, uint32_t variable);
bool variable_address_keyed(struct engine_thread *thread, uint32_t variable, struct value *keys,
                            struct value *address);
void variables_reset(struct engine_thread *thread); /* for a new thread */
void variables_number(struct engine *engine);       /* which arrays have numbers */

/* record.c */
void record_integer_slowly(struct engine_thread *thread, int64_t integer);
static inline void record_integer(struct engine_thread *thread, int64_t integer) {
    struct record *record = &thread->record;
    if (record->at && record->room - record->size >= sizeof integer) {
        memcpy(record->at + record->size, &integer, sizeof integer);
        record->size += sizeof integer;
    } else {
        record_integer_slowly(thread, integer);
    }
}
void record_text(struct engine_thread *thread, struct value text);
char *record_bytes(struct engine_thread *thread, uint32_t size); /* NULL: it is lost */
void record_commit(struct engine_thread *thread);                /* of a clause that came to its end */
/* Does bufsize allow that `written` bytes are written? If not, the drop is counted, or the buffer told to be
 * full. */
bool record_may_write(struct engine_thread *thread, uint64_t written);
void record_fault(struct engine_thread *thread, uint32_t instruction);
void record_flush_deferred(struct engine_thread *thread);
uint32_t speculation_take(struct engine_thread *thread);
bool speculation_enter(struct engine_thread *thread, int64_t id); /* false: no record: the clause ends */
void speculation_leave(struct engine_thread *thread);             /* at the end of a clause */
bool speculation_commit(struct engine_thread *thread, int64_t id);
bool speculation_discard(struct engine_thread *thread, int64_t id);

/* aggregate.c */
bool aggregate(struct engine_thread *thread, uint32_t aggregation, struct value *values, struct value *keys);
/* The same at a site whose keys are in the pool; the entry is looked for once. */
bool aggregate_known(struct engine_thread *thread, uint32_t site, struct value *values);
/* Does the group have this number, and the entries in it the generation that counts? */
static inline bool aggregate_group_holds(const struct engine_thread *thread, const struct known_group *group,
                                         uint64_t known) {
    return group->known == known &&
           group->raised == __atomic_load_n(&thread->header->raised, __ATOMIC_RELAXED);
}
void aggregate_close(struct engine_thread *thread);
/* A place in a chain of chunks for `bytes`: takes another chunk if need be. NULL: none is free. */
char *cursor_room(struct engine_thread *thread, struct cursor *cursor, uint32_t *first, uint32_t bytes);

#endif
