/*
 * verdict.c: see verdict.h. One thread at a time decides; others do not wait for it, but run what could
 * match.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "verdict.h"

#include "dead_stores.h"
#include "quick.h"

#include <sched.h>

struct engine_block {
    struct engine_block *next;
    size_t size;
};

enum {
    GRAIN = 16,
    BLOCK = 64 << 10,
    CODE_GRAIN = 64, /* records of code objects are multiples of it */
    NAME_MAX_BYTES = 4096,
};

void *engine_memory(struct engine *engine, uint64_t size) {
    uint64_t bytes = (size + GRAIN - 1) / GRAIN * GRAIN;
    if (!engine->at || bytes > (uint64_t)(engine->end - engine->at)) {
        uint64_t head = (sizeof(struct engine_block) + GRAIN - 1) / GRAIN * GRAIN;
        uint64_t all = bytes + head > BLOCK ? (bytes + head + 4095) / 4096 * 4096 : BLOCK;
        struct engine_block *block = memory_map(all);
        if (!block)
            return NULL;
        block->next = engine->blocks;
        block->size = all;
        engine->blocks = block;
        engine->at = (char *)block + head;
        engine->end = (char *)block + all;
    }
    void *memory = engine->at;
    engine->at += bytes;
    return memory;
}

static void fill_text(struct text *text, const char *bytes, size_t length, uint32_t most) {
    text->length = length < most ? (uint32_t)length : most;
    memcpy(text->bytes, bytes, text->length);
    text->bytes[text->length] = '\0';
    text->hash = hash_bytes(text->bytes, text->length);
}

const struct text *engine_text(struct engine *engine, const char *bytes, size_t length, uint32_t most) {
    struct text *text = engine_memory(engine, sizeof *text + (length < most ? length : most) + 1);
    if (text)
        fill_text(text, bytes, length, most);
    return text;
}

unsigned engine_cpu(void) {
#ifdef __linux__
    int cpu = sched_getcpu();
    return cpu < 0 ? 0 : (unsigned)cpu;
#else
    return 0;
#endif
}

/* ---- Names ---- */

static struct value base_of(const char *file) {
    if (!file)
        return value_of_bytes("", 0);
    const char *slash = strrchr(file, '/');
    const char *base = slash ? slash + 1 : file;
    return value_of_bytes(base, strnlen(base, NAME_MAX_BYTES));
}

struct value verdict_function(const struct engine_code *code, const struct engine_event *event) {
    if (code)
        return value_of_text(code->function);
    return event->function ? value_of_bytes(event->function, strnlen(event->function, NAME_MAX_BYTES))
                           : value_of_bytes("", 0);
}

struct value verdict_module(const struct engine_code *code, const struct engine_event *event) {
    return code ? value_of_text(code->base) : base_of(event->file);
}

static bool matches_all(const char *pattern) {
    return pattern[strspn(pattern, "*")] == '\0';
}

static bool matches_names(const struct engine *engine, const struct program_enabling *enabling,
                          const struct engine_event *event) {
    const char *module = program_string(engine->program, enabling->module);
    const char *function = program_string(engine->program, enabling->function);
    return (matches_all(module) || program_glob(module, base_of(event->file).text)) &&
           (matches_all(function) || program_glob(function, event->function ? event->function : ""));
}

bool verdict_is_for_all(const struct engine *engine, const struct program_enabling *enabling) {
    return matches_all(program_string(engine->program, enabling->module)) &&
           matches_all(program_string(engine->program, enabling->function));
}

uint32_t verdict_candidates(const struct engine *engine, const struct probe_info *probe,
                            const struct engine_event *event, struct ready *ready) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < probe->candidates; i++) {
        uint32_t index = probe->enablings[i];
        const struct program_enabling *enabling = &engine->enablings[index];
        if (matches_names(engine, enabling, event))
            ready[count++] =
                (struct ready){.code = engine->instructions + engine->clauses[enabling->clause].full,
                               .enabling = index,
                               .clause = enabling->clause,
                               .flags = engine->clauses[enabling->clause].flags};
    }
    return count;
}

/* ---- Lists of clauses ---- */

static void fill_list(struct ready_list *list, const struct probe_info *probe, const struct ready *ready,
                      uint32_t count) {
    list->probe = probe;
    list->activity = probe->activity;
    list->count = count;
    if (count)
        memcpy(list->items, ready, count * sizeof *ready);
    list->run = quick_runner(list);
}

/* The list of a probe with these clauses, which many code objects share. NULL: no memory. */
static const struct ready_list *share_list(struct engine *engine, struct probe_info *probe,
                                           const struct ready *ready, uint32_t count) {
    size_t bytes = count * sizeof *ready;
    for (struct ready_list *list = probe->lists; list; list = list->next) {
        if (list->count == count && memcmp(list->items, ready, bytes) == 0)
            return list;
    }
    struct ready_list *list = engine_memory(engine, sizeof *list + bytes);
    if (!list)
        return NULL;
    fill_list(list, probe, ready, count);
    list->next = probe->lists;
    probe->lists = list;
    return list;
}

/* ---- Memory of code objects ---- */

/* Zeroed, perhaps of a code object that is gone; `size` is with the block's head. */
static struct code_block *code_memory(struct engine *engine, uint64_t size) {
    uint64_t class = (size + CODE_GRAIN - 1) / CODE_GRAIN;
    struct code_block *block = class < CODE_CLASSES ? engine->free_codes[class] : NULL;
    if (block) {
        engine->free_codes[class] = block->next;
        memset(block, 0, size);
    } else {
        block = engine_memory(engine, class * CODE_GRAIN);
    }
    if (block)
        block->size = size;
    return block;
}

/* More of it, given back with the first. Behind the block's head; NULL: none left. */
static void *more_code_memory(struct engine *engine, struct engine_code *code, uint64_t size) {
    struct code_block *block = code_memory(engine, sizeof *block + size);
    if (!block)
        return NULL;
    block->next = code->block.next;
    code->block.next = block;
    return block + 1;
}

static void free_code_memory(struct engine *engine, struct code_block *block) {
    while (block) {
        struct code_block *next = block->next;
        uint64_t class = (block->size + CODE_GRAIN - 1) / CODE_GRAIN;
        if (class < CODE_CLASSES) {
            block->next = engine->free_codes[class];
            engine->free_codes[class] = block;
        }
        block = next;
    }
}

/* ---- What clauses do with a code object ---- */

static void prepare_decider(struct engine *engine, const struct probe_info *probe,
                            const struct engine_code *code, const struct engine_event *event,
                            const struct ready *ready) {
    struct engine_thread *decider = engine->decider;
    decider->event = event;
    decider->probe = probe;
    decider->code = code;
    decider->ready = ready;
    decider->string_at = decider->string_first;
    decider->scratch_used = 0;
    decider->skipped = false;
}

static bool is_own_text(const struct engine_code *code, const char *text) {
    return text >= (const char *)code && text < (const char *)code + code->block.size;
}

/* The values of a plan's pool with their texts, as long as the code object is there; NULL: no memory. */
static struct value *keep_pool(struct engine *engine, struct engine_code *code, const struct plan *plan,
                               const struct value *values, const bool *is_text) {
    uint64_t size = plan->pool_size * sizeof *values;
    for (uint32_t i = 0; i < plan->pool_size; i++)
        if (is_text[i] && values[i].text && !is_own_text(code, values[i].text))
            size += values[i].length + 1ULL;
    struct value *pool = more_code_memory(engine, code, size);
    if (!pool)
        return NULL;
    char *at = (char *)(pool + plan->pool_size);
    for (uint32_t i = 0; i < plan->pool_size; i++) {
        pool[i] = values[i];
        if (!is_text[i] || !values[i].text)
            continue;
        if (!is_own_text(code, values[i].text)) {
            pool[i].text = memcpy(at, values[i].text, values[i].length);
            at += values[i].length + 1ULL;
        }
        value_hash(&pool[i]);
    }
    return pool;
}

/* Has the clause run by its plan, if that can be. */
static void plan_clause(struct engine *engine, const struct probe_info *probe, struct engine_code *code,
                        const struct engine_event *event, struct ready *ready) {
    struct value values[PLAN_POOL_MAX];
    uint32_t start = (uint32_t)(ready->code - engine->instructions);
    const struct plan *plan = plan_of(engine, probe, ready->clause, start);
    if (!plan)
        return;
    prepare_decider(engine, probe, code, event, ready);
    const struct value *pool = NULL;
    if (plan_work_out(engine, plan, values))
        pool = keep_pool(engine, code, plan, values, plan->is_text);
    if (!pool)
        return;
    ready->code = plan->code;
    ready->plan = plan;
    ready->quick = plan->quick;
    ready->pool = pool;
    ready->known = engine->known + 1;
    ready->known_at = engine->known_at + ready->known % KNOWN_GROUPS * sizeof(struct known_group);
    engine->known += (plan->site_count + GROUP_SITES - 1U) / GROUP_SITES;
}

/* Runs a clause's `decide`: does the clause go into the list, and from where does it run? */
static bool decide_clause(struct engine *engine, const struct probe_info *probe,
                          const struct engine_code *code, const struct engine_event *event, uint32_t enabling,
                          struct ready *ready) {
    uint32_t index = engine->enablings[enabling].clause;
    const struct program_clause *clause = &engine->clauses[index];
    const struct clause_info *info = &engine->clause_infos[index];
    *ready = (struct ready){.code = engine->instructions + clause->full,
                            .enabling = enabling,
                            .clause = index,
                            .flags = clause->flags};
    if (!info->decidable || (info->decide_arguments & ~probe->by_code))
        return true;
    struct engine_thread *decider = engine->decider;
    const struct program_instruction *at;
    prepare_decider(engine, probe, code, event, ready);
    decider->registers[0] = value_of_integer(0);
    if (!vm_run(decider, engine->instructions + clause->decide, &at))
        return true;
    ready->code = engine->instructions + clause->decided;
    return !decider->skipped && decider->registers[0].integer != 0;
}

static const struct ready_list *decide(struct engine *engine, struct probe_info *probe,
                                       struct engine_code *code, const struct engine_event *event) {
    struct ready *ready = engine->decider->candidates;
    bool planned = false, is_dead = true;
    uint32_t count = 0;
    for (uint32_t i = 0; i < probe->candidates; i++) {
        if (!matches_names(engine, &engine->enablings[probe->enablings[i]], event) ||
            !decide_clause(engine, probe, code, event, probe->enablings[i], &ready[count]))
            continue;
        is_dead = is_dead && is_dead_store(engine, ready[count].clause);
        plan_clause(engine, probe, code, event, &ready[count]);
        planned = planned || ready[count].plan;
        count++;
    }
    if (is_dead)
        count = 0;
    if (!planned || is_dead)
        return share_list(engine, probe, ready, count);
    struct ready_list *list = more_code_memory(engine, code, sizeof *list + count * sizeof *ready);
    if (list)
        fill_list(list, probe, ready, count);
    return list;
}

/* ---- Code objects ---- */

static bool try_lock(struct engine *engine) {
    return __atomic_exchange_n(&engine->lock, 1, __ATOMIC_ACQUIRE) == 0;
}

static void unlock(struct engine *engine) {
    __atomic_store_n(&engine->lock, 0, __ATOMIC_RELEASE);
}

/* Which texts are of the code object: its file and its function, then the arguments that are the same each
   time. `addresses` has room for CODE_STRINGS. */
static uint32_t code_texts(const struct probe_info *probe, const struct engine_event *event,
                           uint64_t *addresses) {
    uint32_t count = 0;
    addresses[count++] = (uint64_t)(uintptr_t)event->file;
    addresses[count++] = (uint64_t)(uintptr_t)event->function;
    for (uint32_t bits = probe->strings & probe->by_code, i = 0; bits; bits >>= 1, i++) {
        bool is_new = (bits & 1) && event->arguments[i] != 0;
        for (uint32_t k = 0; k < count && is_new; k++)
            is_new = addresses[k] != event->arguments[i];
        if (is_new && count < CODE_STRINGS)
            addresses[count++] = event->arguments[i];
    }
    return count;
}

static size_t text_size(size_t length) {
    return (sizeof(struct text) + length + 1 + 7) / 8 * 8;
}

static struct text *put_text(char **at, const char *bytes, size_t length) {
    struct text *text = (struct text *)*at;
    fill_text(text, bytes, length, UINT32_MAX);
    *at += text_size(length);
    return text;
}

static struct engine_code *make_code(struct engine *engine, const struct engine_event *event) {
    const struct probe_info *probe = &engine->probes[event->probe];
    uint64_t addresses[CODE_STRINGS];
    size_t lengths[CODE_STRINGS];
    uint32_t count = code_texts(probe, event, addresses);
    struct value base = base_of(event->file);
    size_t head = sizeof(struct engine_code) + engine->host.probe_count * sizeof(struct ready_list *);
    size_t size = head + text_size(base.length);
    for (uint32_t i = 0; i < count; i++) {
        lengths[i] = addresses[i] ? strnlen((const char *)(uintptr_t)addresses[i], engine->strsize) : 0;
        size += text_size(lengths[i]);
    }
    struct engine_code *code = (struct engine_code *)code_memory(engine, size);
    if (!code)
        return NULL;
    char *at = (char *)code + head;
    code->base = put_text(&at, base.text, base.length);
    for (uint32_t i = 0; i < count; i++) {
        code->strings[i].address = addresses[i];
        code->strings[i].text =
            put_text(&at, addresses[i] ? (const char *)(uintptr_t)addresses[i] : "", lengths[i]);
    }
    code->function = code->strings[1].text;
    code->string_count = count;
    return code;
}

/* The record of the event's code object; NULL: no memory. Under the lock. */
static struct engine_code *find_or_make(struct engine *engine, const struct engine_event *event) {
    uint32_t id = event->code_id;
    struct engine_code *code = verdict_code(engine, id);
    if (code || id >= CODE_PAGE * CODE_PAGES)
        return code;
    struct engine_code ***page = &engine->codes[id / CODE_PAGE];
    if (!*page) {
        struct engine_code **made = engine_memory(engine, CODE_PAGE * sizeof *made);
        if (!made)
            return NULL;
        __atomic_store_n(page, made, __ATOMIC_RELEASE);
    }
    code = make_code(engine, event);
    if (code)
        __atomic_store_n(&(*page)[id % CODE_PAGE], code, __ATOMIC_RELEASE);
    return code;
}

const struct ready_list *verdict_decide(struct engine *engine, const struct engine_event *event,
                                        const struct engine_code **code) {
    if (!try_lock(engine))
        return NULL;
    struct engine_code *made = find_or_make(engine, event);
    const struct ready_list *list = NULL;
    *code = made;
    if (made) {
        list = __atomic_load_n(&made->lists[event->probe], __ATOMIC_RELAXED);
        if (!list)
            list = decide(engine, &engine->probes[event->probe], made, event);
        if (list)
            __atomic_store_n(&made->lists[event->probe], list, __ATOMIC_RELEASE);
    }
    unlock(engine);
    return list;
}

bool engine_wants_code(struct engine *engine, const struct engine_event *event) {
    const struct probe_info *probe = &engine->probes[event->probe];
    const struct engine_code *code = NULL;
    if (!event->code_id || !probe->has_code)
        return probe->candidates > 0;
    code = verdict_code(engine, event->code_id);
    const struct ready_list *list =
        code ? __atomic_load_n(&code->lists[event->probe], __ATOMIC_ACQUIRE) : NULL;
    if (!list)
        list = verdict_decide(engine, event, &code);
    return !list || list->count > 0;
}

void engine_forget_code(struct engine *engine, uint32_t id) {
    struct engine_code *code = verdict_code(engine, id);
    if (!code)
        return;
    __atomic_store_n(&engine->codes[id / CODE_PAGE][id % CODE_PAGE], NULL, __ATOMIC_RELEASE);
    /* When another thread is just deciding, its memory stays unused. */
    if (try_lock(engine)) {
        free_code_memory(engine, &code->block);
        unlock(engine);
    }
}

/* ---- Opening ---- */

/* What the code from an instruction on does that `decide` must not do, or which arguments it reads. */
static bool scan_decide(const struct engine *engine, uint32_t first, uint16_t *arguments) {
    uint32_t count = program_count(engine->program, SECTION_INSTRUCTIONS);
    uint32_t last = first; /* the farthest that a way leads to */
    for (uint32_t i = first; i < count && i <= last; i++) {
        const struct program_instruction *instruction = &engine->instructions[i];
        switch (instruction->op) {
        case OP_BUILTIN:
            switch (instruction->immediate) {
            case BUILTIN_ID:
            case BUILTIN_PID:
            case BUILTIN_EXECNAME:
            case BUILTIN_PROBEPROV:
            case BUILTIN_PROBEMOD:
            case BUILTIN_PROBEFUNC:
            case BUILTIN_PROBENAME:
                break;
            default:
                if (instruction->immediate > BUILTIN_ARG9)
                    return false;
                *arguments |= (uint16_t)(1U << (instruction->immediate - BUILTIN_ARG0));
            }
            break;
        case OP_CALL:
            switch (instruction->immediate) {
            case SUBROUTINE_RAND:
            case SUBROUTINE_SPECULATION:
            case SUBROUTINE_PYSTACK:
            case SUBROUTINE_STRTOK:
                return false;
            }
            break;
        case OP_LOAD:
        case OP_STORE:
        case OP_LOAD_KEYED:
        case OP_STORE_KEYED:
        case OP_ADDRESS:
        case OP_ADDRESS_KEYED:
        case OP_AGGREGATE:
        case OP_EMIT_INTEGER:
        case OP_EMIT_STRING:
        case OP_EMIT_BYTES:
        case OP_ACT:
        case OP_SPECULATE:
            return false;
        }
        last = verdict_farthest(instruction, i, last);
    }
    return true;
}

static bool open_clauses(struct engine *engine) {
    uint32_t count = program_count(engine->program, SECTION_CLAUSES);
    engine->clause_infos = engine_memory(engine, (count + 1ULL) * sizeof *engine->clause_infos);
    if (!engine->clause_infos)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct clause_info *info = &engine->clause_infos[i];
        uint32_t decide = engine->clauses[i].decide;
        info->decidable = decide != PROGRAM_NO_CODE && scan_decide(engine, decide, &info->decide_arguments);
    }
    return true;
}

/* Can some code object be denied by this enabling at the probe, or be passed over where it alone is left? */
static bool looks_at_code(const struct engine *engine, const struct probe_info *probe, uint32_t index) {
    const struct program_enabling *enabling = &engine->enablings[index];
    const struct clause_info *info = &engine->clause_infos[enabling->clause];
    return is_dead_store(engine, enabling->clause) || !verdict_is_for_all(engine, enabling) ||
           (info->decidable && !(info->decide_arguments & ~probe->by_code));
}

/* Whether and which of a probe's clauses run is the same for all events that have no code object. */
static bool same_for_all(const struct engine *engine, const struct probe_info *probe) {
    for (uint32_t i = 0; i < probe->candidates; i++) {
        if (!verdict_is_for_all(engine, &engine->enablings[probe->enablings[i]]))
            return false;
    }
    return true;
}

static bool open_probe(struct engine *engine, struct probe_info *info, const struct engine_probe *probe) {
    const char *provider = probe->provider ? probe->provider : engine->host.provider;
    uint32_t count = program_count(engine->program, SECTION_ENABLINGS);
    bool is_dtrace = strcmp(provider, "dtrace") == 0;
    info->id = probe->id;
    info->provider = engine_text(engine, provider, strlen(provider), UINT32_MAX);
    info->name = engine_text(engine, probe->name, strlen(probe->name), UINT32_MAX);
    info->enablings = engine_memory(engine, (count + 1ULL) * sizeof *info->enablings);
    if (!info->provider || !info->name || !info->enablings)
        return false;
    info->strings = probe->strings;
    info->by_code = probe->by_code;
    info->has_code = probe->has_code;
    info->is_begin = is_dtrace && strcmp(probe->name, "BEGIN") == 0;
    info->activity = ARENA_ACTIVE;
    if (info->is_begin)
        info->activity = ARENA_INACTIVE;
    else if (is_dtrace && strcmp(probe->name, "END") == 0)
        info->activity = ARENA_EXITING;
    for (uint32_t i = 0; i < count; i++) {
        const struct program_enabling *enabling = &engine->enablings[i];
        if (!program_glob(program_string(engine->program, enabling->provider), provider) ||
            !program_glob(program_string(engine->program, enabling->name), probe->name))
            continue;
        info->enablings[info->candidates++] = i;
    }
    if (!same_for_all(engine, info))
        return true;
    static const uint64_t arguments[10];
    const struct engine_event nothing = {.arguments = arguments};
    uint32_t ready = verdict_candidates(engine, info, &nothing, engine->decider->candidates);
    info->list = share_list(engine, info, engine->decider->candidates, ready);
    return info->list != NULL;
}

/* The ERROR probe, which every engine fires itself. Its description names neither module nor function, so
   that those with such names leave nothing to run. */
static bool open_error(struct engine *engine, struct probe_info *info) {
    static const struct engine_probe error = {.id = ERROR_PROBE_ID, .provider = "dtrace", .name = "ERROR"};
    static const struct engine_event nothing;
    if (!open_probe(engine, info, &error))
        return false;
    if (!info->list) {
        uint32_t ready = verdict_candidates(engine, info, &nothing, engine->decider->candidates);
        info->list = share_list(engine, info, engine->decider->candidates, ready);
    }
    return info->list != NULL;
}

/* Do all candidates look at the code object? */
static bool is_selective(const struct engine *engine, const struct probe_info *info) {
    bool all = info->has_code;
    for (uint32_t i = 0; i < info->candidates; i++)
        all = all && looks_at_code(engine, info, info->enablings[i]);
    return all;
}

bool verdict_open(struct engine *engine) {
    uint32_t count = engine->host.probe_count;
    engine->probes = engine_memory(engine, (count + 1ULL) * sizeof *engine->probes);
    engine->codes = engine_memory(engine, CODE_PAGES * sizeof *engine->codes);
    engine->decider = thread_make(engine, UINT32_MAX);
    if (!engine->probes || !engine->codes || !engine->decider || !open_clauses(engine))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct probe_info *info = &engine->probes[i];
        if (!open_probe(engine, info, &engine->host.probes[i]))
            return false;
    }
    if (!open_error(engine, &engine->probes[count]))
        return false;
    dead_stores_find(engine);
    for (uint32_t i = 0; i < count && i < 64; i++) {
        const struct probe_info *info = &engine->probes[i];
        if (!info->candidates)
            continue;
        engine->wants |= 1ULL << i;
        engine->selective |= (uint64_t)is_selective(engine, info) << i;
    }
    return true;
}

void verdict_close(struct engine *engine) {
    struct engine_block *block = engine->blocks;
    while (block) {
        struct engine_block *next = block->next;
        memory_unmap(block, block->size);
        block = next;
    }
    engine->blocks = NULL;
}
