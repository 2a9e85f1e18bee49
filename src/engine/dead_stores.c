/*
 * dead_stores.c: see dead_stores.h. Variables are bits of a word; those from the 65th on are left alone.
 */
#include "dead_stores.h"

#include "verdict.h"

enum { VARIABLES_MAX = 64 };

static uint64_t bit_of(int32_t variable) {
    return variable < VARIABLES_MAX ? 1ULL << variable : 0;
}

/* The variables that the clause sets when it does nothing else, and that always; 0: it does more. */
static uint64_t only_stores(const struct engine *engine, const struct program_clause *clause) {
    uint64_t stored = 0;
    if (clause->flags || clause->actions)
        return 0;
    for (const struct program_instruction *at = engine->instructions + clause->full;; at++) {
        if (at->op == OP_END)
            return stored;
        if (at->op == OP_SET)
            continue;
        if (at->op != OP_STORE || engine->variables[at->immediate].scope != SCOPE_THREAD ||
            !bit_of(at->immediate))
            return 0;
        stored |= bit_of(at->immediate);
    }
}

/* The variables that the code from an instruction on may read. */
static uint64_t reads(const struct engine *engine, uint32_t first) {
    uint64_t read = 0;
    uint32_t last = first; /* the farthest that a way leads to */
    for (uint32_t i = first; i <= last; i++) {
        const struct program_instruction *at = &engine->instructions[i];
        switch (at->op) {
        case OP_LOAD:
        case OP_LOAD_KEYED:
        case OP_STORE_KEYED:
        case OP_ADDRESS:
        case OP_ADDRESS_KEYED:
            read |= bit_of(at->immediate);
        }
        last = verdict_farthest(at, i, last);
    }
    return read;
}

void dead_stores_find(struct engine *engine) {
    for (uint32_t i = 0; i < program_count(engine->program, SECTION_CLAUSES); i++) {
        const struct program_clause *clause = &engine->clauses[i];
        struct clause_info *info = &engine->clause_infos[i];
        info->only_stores = only_stores(engine, clause);
        info->reads = reads(engine, clause->full) | reads(engine, clause->decided);
    }
    for (uint32_t i = 0; i <= engine->host.probe_count; i++) {
        const struct probe_info *probe = &engine->probes[i];
        uint64_t stored = 0;
        for (uint32_t k = 0; k < probe->candidates; k++) {
            const struct program_enabling *enabling = &engine->enablings[probe->enablings[k]];
            const struct clause_info *info = &engine->clause_infos[enabling->clause];
            engine->read_later |= info->reads & ~stored;
            if (verdict_is_for_all(engine, enabling))
                stored |= info->only_stores;
        }
    }
}
