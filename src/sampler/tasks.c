/*
 * tasks.c: see tasks.h.
 *
 * A task is found in the list of its thread (3.14+), or in the WeakSet that the module _asyncio has, which is
 * found in sys.modules. It is taken for one only if its class is, or derives from, that module's Task, and
 * that is as large as it is known to be. What its coroutine awaits is at the end of its value stack: the next
 * coroutine or generator, or one behind one of the interpreter's own wrappers, until it is something else. A
 * chain counts if it is copied twice and was the same.
 */
#include "hooks/compat.h"

#include "tasks.h"

#if COMPAT_HAVE_TASKS

#    include "codes.h"
#    include "engine/memory.h"

#    include <stdio.h>
#    include <string.h>

enum {
    ATTEMPTS = 8,
    BASES = 16,             /* classes between a task's and Task */
    DICT_ENTRIES = 1 << 16, /* of a dict that are looked at */
    AT_ONCE = 64,           /* entries that are copied at once */
    CHAIN_MAX = STACK_FRAMES,
    CHAIN_STEPS = 16 * CHAIN_MAX, /* what is longer is taken for a ring */
    WRAPPERS = 4,                 /* around one coroutine */
    FRAME_REACH = 1 << 20,        /* bytes from a frame's start to any word of its value stack */
};

struct found {
    uintptr_t address, class; /* of the task; its interpreter's Task */
    uint32_t thread, interpreter;
};

/* An event loop that runs. */
struct loop {
    uintptr_t loop, within; /* it is one of these */
    uint32_t thread;
};

struct link {
    uintptr_t frame, code;
    long instruction;
};

struct chain {
    size_t count;
    struct link links[CHAIN_MAX]; /* the innermost of them: number i is at i % CHAIN_MAX */
};

static struct {
    struct room {
        struct found found[TASKS_MAX];
        struct loop loops[THREADS_MAX];
        struct chain chains[2];
    } * room; /* from tasks_find to tasks_release */
    size_t count;
} tasks;

/* An interpreter whose tasks are being looked for. */
struct place {
    struct copier *copier;
    struct thread *const *threads;
    size_t first, count; /* of its threads */
    uintptr_t module;    /* dict of its _asyncio */
    uintptr_t class;     /* its Task */
};

/* ---- Objects ---- */

static bool read_word(struct copier *copier, uintptr_t address, uintptr_t *word) {
    return address % sizeof *word == 0 && copier_read(copier, word, address, sizeof *word);
}

static bool is_of(struct copier *copier, uintptr_t address, const PyTypeObject *type) {
    PyObject head;
    return address && copier_read(copier, &head, address, sizeof head) && Py_TYPE(&head) == type;
}

static bool is_text(struct copier *copier, uintptr_t address, const char *text) {
    enum { MOST = 64 };
    PyCompactUnicodeObject head;
    char raw[MOST];
    int kind;
    uintptr_t characters;
    size_t length = strlen(text);
    return length <= MOST && copier_read(copier, &head, address, sizeof head) &&
           compat_copied_str(&head._base, address, &kind, &characters) && kind == 1 &&
           (size_t)head._base.length == length && copier_read(copier, raw, characters, length) &&
           memcmp(raw, text, length) == 0;
}

/* The value of a key that is a str of ASCII; 0: there is none. */
static uintptr_t find_in_dict(struct copier *copier, uintptr_t address, const char *key) {
    enum { WORDS = 3 };
    PyDictObject dict;
    compat_dict_keys keys;
    uintptr_t words[AT_ONCE * WORDS], value;
    if (!is_of(copier, address, &PyDict_Type) || !copier_read(copier, &dict, address, sizeof dict) ||
        !copier_read(copier, &keys, (uintptr_t)dict.ma_keys, offsetof(compat_dict_keys, dk_indices)))
        return 0;
    struct compat_dict table = compat_copied_dict(&dict, &keys);
    size_t count = table.count < DICT_ENTRIES ? table.count : DICT_ENTRIES, size = table.size * sizeof *words;
    for (size_t at = 0; at < count; at += AT_ONCE) {
        size_t some = count - at < AT_ONCE ? count - at : AT_ONCE;
        if (!copier_read(copier, words, table.entries + at * size, some * size))
            return 0;
        for (size_t i = 0; i < some; i++) {
            const uintptr_t *entry = words + i * table.size + table.key;
            if (!entry[0] || !is_text(copier, entry[0], key))
                continue;
            if (!table.values)
                return entry[1];
            return read_word(copier, table.values + (at + i) * sizeof value, &value) ? value : 0;
        }
    }
    return 0;
}

/* Is it this class, or one that derives from it? */
static bool derives(struct copier *copier, uintptr_t class, uintptr_t base) {
    PyTypeObject copy;
    for (int i = 0; i < BASES && class != base; i++) {
        if (!class || !copier_read(copier, &copy, class, sizeof copy))
            return false;
        class = (uintptr_t)copy.tp_base;
    }
    return class == base;
}

static bool read_task(struct copier *copier, uintptr_t address, uintptr_t class, struct compat_task *task) {
    return address && address % sizeof address == 0 && copier_read(copier, task, address, sizeof *task) &&
           derives(copier, (uintptr_t)Py_TYPE(task), class);
}

/* ---- Finding them ---- */

static void add(uintptr_t address, const struct place *place, uint32_t thread) {
    if (tasks.count < TASKS_MAX)
        tasks.room->found[tasks.count++] = (struct found){
            address, place->class, thread, place->threads[place->first]->described.interpreter};
}

#    if COMPAT_HAVE_TASK_LISTS
/* False: the list has changed meanwhile. */
static bool walk_list(const struct place *place, uintptr_t head, uint32_t thread) {
    struct compat_task task;
    uintptr_t node;
    if (!read_word(place->copier, head, &node) || !node)
        return true; /* there is none */
    for (size_t steps = 0; node != head && steps < TASKS_MAX; steps++) {
        uintptr_t address = node - COMPAT_TASK_NODE;
        if (!node || !read_task(place->copier, address, place->class, &task))
            return false;
        add(address, place, thread);
        node = (uintptr_t)task.node.next;
    }
    return true;
}

static void find_in_list(const struct place *place, uintptr_t head, uint32_t thread) {
    size_t before = tasks.count;
    for (int i = 0; i < ATTEMPTS; i++) {
        tasks.count = before;
        if (walk_list(place, head, thread))
            return;
    }
}

static void find_tasks(const struct place *place) {
    for (size_t i = place->first; i < place->first + place->count; i++)
        find_in_list(place, place->threads[i]->tstate + COMPAT_TSTATE_TASKS, (uint32_t)i);
    find_in_list(place, place->threads[place->first]->interp + COMPAT_INTERPRETER_TASKS, TASK_NO_THREAD);
}
#    else
/* In the dict of the thread's state it is itself, or in an object that has it as its first field. */
static bool find_loop(struct copier *copier, uintptr_t tstate, uintptr_t *loop, uintptr_t *within) {
    uintptr_t dict;
    *within = 0;
    if (COMPAT_TSTATE_LOOP >= 0)
        return read_word(copier, tstate + (uintptr_t)COMPAT_TSTATE_LOOP, loop) && *loop;
    if (!read_word(copier, tstate + offsetof(PyThreadState, dict), &dict))
        return false;
    *loop = find_in_dict(copier, dict, "__asyncio_running_event_loop__");
    return *loop && read_word(copier, *loop + sizeof(PyObject), within);
}

static size_t find_loops(const struct place *place) {
    struct loop *loops = tasks.room->loops;
    size_t count = 0;
    for (size_t i = place->first; i < place->first + place->count; i++) {
        loops[count].thread = (uint32_t)i;
        count +=
            find_loop(place->copier, place->threads[i]->tstate, &loops[count].loop, &loops[count].within);
    }
    return count;
}

static uint32_t thread_of(uintptr_t loop, size_t count) {
    const struct loop *loops = tasks.room->loops;
    for (size_t i = 0; i < count; i++)
        if (loops[i].loop == loop || loops[i].within == loop)
            return loops[i].thread;
    return TASK_NO_THREAD;
}

/* The set of weak references within a WeakSet, its first attribute; 0: it is none. */
static uintptr_t find_set(struct copier *copier, uintptr_t weak_set) {
    PyObject head;
    PyTypeObject class;
    uintptr_t words[2], dict, values, set = 0;
    if (!weak_set || !copier_read(copier, &head, weak_set, sizeof head) ||
        !copier_read(copier, &class, (uintptr_t)Py_TYPE(&head), sizeof class) ||
        !(class.tp_flags & Py_TPFLAGS_HEAPTYPE) ||
        !copier_read(copier, words, weak_set - COMPAT_ATTRIBUTES, sizeof words))
        return 0;
    compat_copied_attributes(weak_set, (size_t) class.tp_basicsize, words, &dict, &values);
    if (!values)
        set = find_in_dict(copier, dict, "data");
    else if (!read_word(copier, values, &set))
        set = 0;
    return is_of(copier, set, &PySet_Type) ? set : 0;
}

static void add_referent(const struct place *place, uintptr_t reference, size_t loop_count) {
    PyWeakReference copy;
    struct compat_task task;
    if (copier_read(place->copier, &copy, reference, sizeof copy) && Py_TYPE(&copy) == &_PyWeakref_RefType &&
        read_task(place->copier, (uintptr_t)copy.wr_object, place->class, &task))
        add((uintptr_t)copy.wr_object, place, thread_of((uintptr_t)task.loop, loop_count));
}

/* False: it has become another table meanwhile. */
static bool walk_set(const struct place *place, uintptr_t address, size_t loop_count) {
    enum { PLACES_MAX = 16 * TASKS_MAX };
    PySetObject set, after;
    setentry entries[AT_ONCE];
    if (!copier_read(place->copier, &set, address, sizeof set) || set.mask < 0)
        return false;
    size_t count = (size_t)set.mask < PLACES_MAX ? (size_t)set.mask + 1 : PLACES_MAX;
    for (size_t at = 0; at < count; at += AT_ONCE) {
        size_t some = count - at < AT_ONCE ? count - at : AT_ONCE;
        if (!copier_read(place->copier, entries, (uintptr_t)(set.table + at), some * sizeof *entries))
            return false;
        for (size_t i = 0; i < some; i++)
            if (entries[i].key)
                add_referent(place, (uintptr_t)entries[i].key, loop_count);
    }
    return copier_read(place->copier, &after, address, sizeof after) && after.table == set.table &&
           after.mask == set.mask;
}

static void find_tasks(const struct place *place) {
    uintptr_t weak_set = find_in_dict(place->copier, place->module, COMPAT_TASK_SET);
    uintptr_t set = find_set(place->copier, weak_set);
    size_t before = tasks.count, loop_count = find_loops(place);
    for (int i = 0; set && i < ATTEMPTS; i++) {
        tasks.count = before;
        if (walk_set(place, set, loop_count))
            return;
    }
}
#    endif

/* False: asyncio has not been imported, or is not as it is known to be. */
static bool find_module(struct place *place) {
    struct copier *copier = place->copier;
    uintptr_t interp = place->threads[place->first]->interp, modules;
    PyTypeObject class;
    if (!read_word(copier, interp + COMPAT_INTERPRETER_MODULES, &modules))
        return false;
    uintptr_t module = find_in_dict(copier, modules, "_asyncio");
    if (!is_of(copier, module, &PyModule_Type) ||
        !read_word(copier, module + COMPAT_MODULE_DICT, &place->module))
        return false;
    place->class = find_in_dict(copier, place->module, "Task");
    return is_of(copier, place->class, &PyType_Type) &&
           copier_read(copier, &class, place->class, sizeof class) &&
           class.tp_basicsize == sizeof(struct compat_task);
}

size_t tasks_find(struct copier *copier, struct thread *const *threads, size_t count) {
    struct place place = {.copier = copier, .threads = threads};
    tasks.count = 0;
    tasks.room = memory_map(sizeof *tasks.room);
    if (!tasks.room)
        return 0;
    for (; place.first < count; place.first += place.count) { /* those of an interpreter follow each other */
        place.count = 1;
        while (place.first + place.count < count &&
               threads[place.first + place.count]->interp == threads[place.first]->interp)
            place.count++;
        if (find_module(&place))
            find_tasks(&place);
    }
    return tasks.count;
}

/* ---- What one awaits ---- */

/* Types of the interpreter's that stand before what is awaited, their first field. */
static bool is_wrapper(struct copier *copier, const PyTypeObject *type) {
    static const char *const names[] = {"coroutine_wrapper", "async_generator_asend",
                                        "async_generator_athrow", "anext_awaitable"};
    PyTypeObject copy;
    char name[sizeof "async_generator_athrow"];
    if (!copier_read(copier, &copy, (uintptr_t)type, sizeof copy) || Py_TYPE(&copy) != &PyType_Type ||
        (copy.tp_flags & Py_TPFLAGS_HEAPTYPE))
        return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t size = strlen(names[i]) + 1;
        if (copier_read(copier, name, (uintptr_t)copy.tp_name, size) && memcmp(name, names[i], size) == 0)
            return true;
    }
    return false;
}

/* The generator, coroutine or asynchronous generator that this is, or is a wrapper of; 0: it is none. */
static uintptr_t find_generator(struct copier *copier, uintptr_t address) {
    PyObject head;
    for (int i = 0; i < WRAPPERS; i++) {
        if (!address || address % sizeof address || !copier_read(copier, &head, address, sizeof head))
            return 0;
        const PyTypeObject *type = Py_TYPE(&head);
        if (type == &PyCoro_Type || type == &PyGen_Type || type == &PyAsyncGen_Type)
            return address;
        if (!is_wrapper(copier, type) || !read_word(copier, address + sizeof(PyObject), &address))
            return 0;
    }
    return 0;
}

/* From a coroutine on. False: it runs, or has changed meanwhile. */
static bool read_chain(struct copier *copier, uintptr_t address, struct chain *chain) {
    union {
        PyGenObject generator;
        unsigned char bytes[COMPAT_GENERATOR_FRAME + sizeof(compat_frame)];
    } copy;
    memset(&copy, 0, sizeof copy);
    chain->count = 0;
    while ((address = find_generator(copier, address))) {
        compat_frame frame;
        uintptr_t at = address + COMPAT_GENERATOR_FRAME;
        if (chain->count == CHAIN_STEPS ||
            !copier_read(copier, &copy, address, COMPAT_GENERATOR_FRAME + COMPAT_FRAME_HEAD) ||
            !compat_copied_generator_waits(&copy.generator))
            return false;
        memcpy(&frame, copy.bytes + COMPAT_GENERATOR_FRAME, sizeof frame);
        uintptr_t code = compat_copied_frame_code(&frame);
        chain->links[chain->count++ % CHAIN_MAX] =
            (struct link){at, code, compat_copied_frame_instruction(&frame, code)};
        if (!compat_copied_generator_awaits(&copy.generator))
            return true;
        uintptr_t awaited = compat_copied_frame_awaited(&frame, at), word;
        if (awaited - at > FRAME_REACH || !read_word(copier, awaited, &word))
            return false;
        address = compat_copied_variable(word);
    }
    return true;
}

static bool is_same(const struct chain *one, const struct chain *other) {
    if (one->count != other->count)
        return false;
    for (size_t i = 0; i < one->count && i < CHAIN_MAX; i++)
        if (one->links[i].frame != other->links[i].frame || one->links[i].code != other->links[i].code ||
            one->links[i].instruction != other->links[i].instruction)
            return false;
    return true;
}

/* One that holds; NULL: it runs, or changes each time. */
static const struct chain *take_chain(struct copier *copier, uintptr_t coroutine) {
    struct chain *chains = tasks.room->chains;
    bool good = false;
    for (int i = 0; i < ATTEMPTS; i++) {
        bool before = good;
        good = read_chain(copier, coroutine, &chains[i % 2]);
        if (before && good && is_same(&chains[0], &chains[1]))
            return &chains[0];
    }
    return NULL;
}

static struct code *find_code(struct copier *copier, uintptr_t address, uint64_t check) {
    struct code *code = address ? codes_find(address) : NULL;
    if (code && code->checked != check && !codes_check(copier, &code, 1, check))
        code = NULL;
    return code || !address ? code : codes_load(copier, address);
}

static bool fill_stack(struct copier *copier, const struct chain *chain, uint64_t check,
                       struct stack *stack) {
    stack->count = 0;
    stack->attempts = 1;
    stack->inferred = false;
    stack->cut = chain->count > CHAIN_MAX;
    for (size_t i = chain->count; i-- > 0 && stack->count < CHAIN_MAX;) {
        const struct link *link = &chain->links[i % CHAIN_MAX];
        struct code *code = find_code(copier, link->code, check);
        if (!code)
            return false;
        bool within = link->instruction >= 0 && link->instruction < code->size;
        stack->frames[stack->count++] =
            (struct stack_frame){code, within ? link->instruction : -1, link->frame};
    }
    return true;
}

/* A str, or a number that it will be made from. */
static void read_name(struct copier *copier, uintptr_t address, char name[TASK_NAME_SIZE]) {
    PyLongObject head;
    digit digits[3] = {0};
    bool negative;
    name[0] = '\0';
    if (codes_read_text(copier, address, name, TASK_NAME_SIZE) || !is_of(copier, address, &PyLong_Type) ||
        !copier_read(copier, &head, address, COMPAT_LONG_DIGITS))
        return;
    size_t count = compat_copied_long(&head, &negative);
    unsigned long long number = 0;
    if (count > 2 || !copier_read(copier, digits, address + COMPAT_LONG_DIGITS, count * sizeof *digits))
        return;
    for (size_t i = count; i-- > 0;)
        number = number << PyLong_SHIFT | digits[i];
    snprintf(name, TASK_NAME_SIZE, "Task-%llu", number);
}

bool tasks_take(struct copier *copier, size_t index, uint64_t check, struct task *task, struct stack *stack) {
    const struct found *found = &tasks.room->found[index];
    struct compat_task copy, after;
    if (!read_task(copier, found->address, found->class, &copy) || copy.state != 0)
        return false;
    const struct chain *chain = take_chain(copier, (uintptr_t)copy.coroutine);
    if (!chain || (!chain->count && !copy.waiter) || !fill_stack(copier, chain, check, stack))
        return false; /* of a coroutine in C it is only known that it waits for something */
    task->address = found->address;
    task->thread = found->thread;
    task->interpreter = found->interpreter;
    read_name(copier, (uintptr_t)copy.name, task->name);
    return read_task(copier, found->address, found->class, &after) && after.state == 0 &&
           after.coroutine == copy.coroutine;
}

void tasks_release(void) {
    memory_unmap(tasks.room, sizeof *tasks.room);
    tasks.room = NULL;
}

#else

void tasks_release(void) {}

size_t tasks_find(struct copier *copier, struct thread *const *threads, size_t count) {
    (void)copier, (void)threads, (void)count;
    return 0;
}

bool tasks_take(struct copier *copier, size_t index, uint64_t check, struct task *task, struct stack *stack) {
    (void)copier, (void)index, (void)check, (void)task, (void)stack;
    return false;
}

#endif
