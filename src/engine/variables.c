/*
 * variables.c: the variables of D. Those of a thread and of a clause lie in the thread's private memory,
 * global ones in the arena, where other processes change them at any time.
 */
#include "internal.h"

/* A global string. `sequence` is odd while it changes. */
struct shared_text {
    uint32_t sequence; /* atomic */
    uint32_t length;   /* TEXT_NULL: the null string */
    char bytes[];
};
_Static_assert(sizeof(struct shared_text) == sizeof(struct text), "both are laid out as text");

enum { SPINS = 1000 };

static struct value load_shared(struct engine_thread *thread, const struct shared_text *shared) {
    uint32_t strsize = thread->engine->strsize;
    char *copy = thread_string(thread, strsize + 1ULL);
    uint32_t length = 0;
    if (!copy)
        return value_of_bytes("", 0);
    /* When it never rests, or who changed it was killed, what was read last has to do. */
    for (int i = 0; i < SPINS; i++) {
        uint32_t before = __atomic_load_n(&shared->sequence, __ATOMIC_ACQUIRE);
        length = __atomic_load_n(&shared->length, __ATOMIC_RELAXED);
        memcpy(copy, shared->bytes, length < strsize ? length : strsize);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (!(before & 1) && __atomic_load_n(&shared->sequence, __ATOMIC_RELAXED) == before)
            break;
    }
    if (length == TEXT_NULL) {
        thread->string_at = copy;
        return (struct value){.text = NULL};
    }
    if (length > strsize)
        length = strsize;
    thread->string_at = copy + length + 1;
    return value_of_bytes(copy, length);
}

static void store_shared(struct engine_thread *thread, struct shared_text *shared, struct value value) {
    uint32_t sequence = 0;
    uint32_t length = value.length < thread->engine->strsize ? value.length : thread->engine->strsize;
    for (int i = 0; i < SPINS; i++) {
        sequence = __atomic_load_n(&shared->sequence, __ATOMIC_RELAXED);
        if (!(sequence & 1) && __atomic_compare_exchange_n(&shared->sequence, &sequence, sequence + 1, false,
                                                           __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            break;
    }
    __atomic_thread_fence(__ATOMIC_RELEASE);
    __atomic_store_n(&shared->length, value.text ? length : TEXT_NULL, __ATOMIC_RELAXED);
    if (value.text)
        memcpy(shared->bytes, value.text, length);
    __atomic_store_n(&shared->sequence, (sequence | 1) + 1, __ATOMIC_RELEASE);
}

char *variable_address(struct engine_thread *thread, uint32_t variable) {
    const struct engine *engine = thread->engine;
    return thread->scalars[engine->variables[variable].scope] + engine->offsets[variable];
}

struct value variable_load(struct engine_thread *thread, uint32_t variable) {
    const struct program_variable *what = &thread->engine->variables[variable];
    char *at = variable_address(thread, variable);
    if (what->kind == VALUE_INTEGER)
        return value_of_integer(__atomic_load_n((int64_t *)at, __ATOMIC_RELAXED));
    if (what->scope == SCOPE_GLOBAL)
        return load_shared(thread, (struct shared_text *)at);
    return value_of_text((struct text *)at);
}

void variable_store(struct engine_thread *thread, uint32_t variable, struct value value) {
    const struct program_variable *what = &thread->engine->variables[variable];
    char *at = variable_address(thread, variable);
    if (what->kind == VALUE_INTEGER)
        __atomic_store_n((int64_t *)at, value.integer, __ATOMIC_RELAXED);
    else if (what->scope == SCOPE_GLOBAL)
        store_shared(thread, (struct shared_text *)at, value);
    else
        text_set((struct text *)at, value, thread->engine->strsize);
}

static bool prepare(struct engine_thread *thread, struct keys *keys, uint32_t variable,
                    struct value *values) {
    const struct program_variable *what = &thread->engine->variables[variable];
    *keys = (struct keys){.values = values,
                          .kinds = thread->engine->kinds + what->first_key,
                          .count = what->keys,
                          .id = variable};
    return keys_prepare(keys) || thread_fail(thread, FAULT_BAD_ADDRESS, 0);
}

static void note_drop(struct engine_thread *thread, enum dynamic_outcome outcome) {
    if (outcome == DYNAMIC_FULL)
        thread_drop(thread, DROP_DYNAMIC);
    else if (outcome == DYNAMIC_BUSY)
        thread_drop(thread, DROP_DYNAMIC_BUSY);
}

static bool load_dynamic(struct engine_thread *thread, uint32_t variable, const struct keys *keys,
                         struct value *value) {
    const struct engine *engine = thread->engine;
    bool is_string = engine->variables[variable].kind == VALUE_STRING;
    int64_t integer = 0;
    uint32_t length = 0, capacity = is_string ? engine->strsize : sizeof integer;
    char *bytes = is_string ? thread_string(thread, capacity + 1ULL) : (char *)&integer;
    if (!bytes)
        return false;
    enum dynamic_outcome outcome = dynamic_read(&engine->dynamic, keys, bytes, capacity, &length);
    note_drop(thread, outcome);
    if (!is_string)
        *value = value_of_integer(outcome == DYNAMIC_DONE ? integer : 0);
    else if (outcome == DYNAMIC_DONE)
        *value = value_of_bytes(bytes, length);
    else
        *value = (struct value){.text = NULL};
    if (is_string)
        thread->string_at = bytes + (outcome == DYNAMIC_DONE ? length + 1 : 0);
    return true;
}

static void store_dynamic(struct engine_thread *thread, uint32_t variable, const struct keys *keys,
                          struct value value) {
    const struct engine *engine = thread->engine;
    bool is_string = engine->variables[variable].kind == VALUE_STRING;
    bool none = is_string ? !value.text : !value.integer;
    enum dynamic_outcome outcome;
    if (none) {
        outcome = dynamic_remove(&engine->dynamic, keys);
    } else if (is_string) {
        uint32_t length = value.length < engine->strsize ? value.length : engine->strsize;
        outcome = dynamic_write(&engine->dynamic, keys, value.text, length);
    } else {
        outcome = dynamic_write(&engine->dynamic, keys, (const char *)&value.integer, sizeof value.integer);
    }
    note_drop(thread, outcome);
}

static struct store_numbers *numbers_of(const struct engine_thread *thread, uint32_t variable) {
    uint8_t index = thread->engine->numbers_of[variable];
    return index == STORE_NO_NUMBERS ? NULL : &thread->numbers[index];
}

/* Those with an integer value and one integer key, of a thread: as many as there are numbers for. */
void variables_number(struct engine *engine) {
    for (uint32_t i = 0; i < program_count(engine->program, SECTION_VARIABLES); i++) {
        const struct program_variable *what = &engine->variables[i];
        bool fits = what->scope == SCOPE_THREAD && what->keys == 1 && what->kind == VALUE_INTEGER &&
                    !what->by_address && engine->kinds[what->first_key] == VALUE_INTEGER &&
                    engine->numbers_count < NUMBERS_MAX;
        engine->numbers_of[i] = fits ? (uint8_t)engine->numbers_count++ : STORE_NO_NUMBERS;
    }
}

bool variable_load_keyed(struct engine_thread *thread, uint32_t variable, struct value *values,
                         struct value *value) {
    const struct program_variable *what = &thread->engine->variables[variable];
    const struct store_numbers *numbers = numbers_of(thread, variable);
    struct keys keys;
    if (numbers && (uint64_t)values->integer < numbers->count) {
        *value = value_of_integer(numbers->numbers[values->integer]);
        return true;
    }
    if (!prepare(thread, &keys, variable, values))
        return false;
    if (what->scope == SCOPE_GLOBAL)
        return load_dynamic(thread, variable, &keys, value);
    const struct store_element *element = store_find(&thread->store, &keys);
    if (what->kind == VALUE_INTEGER)
        *value = value_of_integer(element ? element->integer : 0);
    else
        *value = element ? value_of_text(element->text) : (struct value){.text = NULL};
    return true;
}

static void store_text(struct engine_thread *thread, const struct keys *keys, struct store_element *element,
                       struct value value) {
    uint32_t strsize = thread->engine->strsize;
    uint32_t length = value.length < strsize ? value.length : strsize;
    uint32_t room = (uint32_t)sizeof(struct text) + length + 1;
    if (element && sizeof *element + keys->size + room > element->room) {
        store_remove(&thread->store, element);
        element = NULL;
    }
    if (!element) {
        element = store_add(&thread->store, keys, room);
        if (!element) {
            thread_drop(thread, DROP_DYNAMIC);
            return;
        }
        element->text = (struct text *)(element->keys + keys->size);
    }
    text_set(element->text, value, strsize);
}

bool variable_store_keyed(struct engine_thread *thread, uint32_t variable, struct value *values,
                          struct value value) {
    const struct program_variable *what = &thread->engine->variables[variable];
    struct store_numbers *numbers = numbers_of(thread, variable);
    bool is_string = what->kind == VALUE_STRING;
    struct keys keys;
    if (numbers && store_number_room(&thread->store, numbers, (uint64_t)values->integer)) {
        numbers->numbers[values->integer] = value.integer;
        return true;
    }
    if (!prepare(thread, &keys, variable, values))
        return false;
    if (what->scope == SCOPE_GLOBAL) {
        store_dynamic(thread, variable, &keys, value);
        return true;
    }
    struct store_element *element = store_find(&thread->store, &keys);
    if (is_string ? !value.text : !value.integer) {
        if (element)
            store_remove(&thread->store, element);
    } else if (is_string) {
        store_text(thread, &keys, element, value);
    } else {
        if (!element)
            element = store_add(&thread->store, &keys, 0);
        if (element)
            element->integer = value.integer;
        else
            thread_drop(thread, DROP_DYNAMIC);
    }
    return true;
}

bool variable_address_keyed(struct engine_thread *thread, uint32_t variable, struct value *values,
                            struct value *address) {
    const struct program_variable *what = &thread->engine->variables[variable];
    struct keys keys;
    char *object = NULL;
    if (!prepare(thread, &keys, variable, values))
        return false;
    if (what->scope == SCOPE_GLOBAL) {
        enum dynamic_outcome outcome = dynamic_address(&thread->engine->dynamic, &keys, what->size, &object);
        note_drop(thread, outcome);
    } else {
        struct store_element *element = store_find(&thread->store, &keys);
        if (!element) {
            element = store_add(&thread->store, &keys, 0);
            if (element && !(element->object = store_object(&thread->store, what->size))) {
                store_remove(&thread->store, element);
                element = NULL;
            }
            if (!element)
                thread_drop(thread, DROP_DYNAMIC);
        }
        object = element ? element->object : NULL;
    }
    *address = value_of_integer((int64_t)(uintptr_t)object);
    /* A drop ends the clause, as an address of nothing would. */
    return object != NULL || thread_fail(thread, FAULT_BAD_ADDRESS, 0);
}

void variables_reset(struct engine_thread *thread) {
    const struct engine *engine = thread->engine;
    store_clear(&thread->store);
    for (uint32_t i = 0; i < engine->numbers_count; i++)
        store_clear_numbers(&thread->numbers[i]);
    for (enum variable_scope scope = SCOPE_THREAD; scope <= SCOPE_CLAUSE; scope++)
        memset(thread->scalars[scope], 0, engine->layouts[scope].size);
    for (uint32_t i = 0; i < program_count(engine->program, SECTION_VARIABLES); i++) {
        const struct program_variable *what = &engine->variables[i];
        if (what->scope == SCOPE_THREAD && !what->keys && what->kind == VALUE_STRING)
            ((struct text *)variable_address(thread, i))->length = TEXT_NULL;
    }
}
