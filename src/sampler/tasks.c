/*
 * tasks.c: see tasks.h.
 *
 * A task is found in the list of its thread (3.14+), or in the WeakSet that the module _asyncio has, which is
 * found in sys.modules. It is taken for one only if its class is, or derives from, that module's Task, and
 * that is as large as it is known to be. What its coroutine awaits is at the end of its value stack: the next
 * coroutine or generator, or one behind one of the interpreter's own wrappers, until it is something else:
 * the future that the task waits for. Where this is another task, or stands for one (gather, shield, wait,
 * wait_for, TaskGroup), the chain goes on with the coroutine of that one. A chain counts if it is copied
 * twice and was the same.
 */
#include "hooks/compat.h"

#include "tasks.h"

#if COMPAT_HAVE_TASKS

#    include "codes.h"
#    include "engine/memory.h"

#    include <stdio.h>
#    include <stdlib.h>
#    include <string.h>

enum {
    ATTEMPTS = 8,
    BASES = 16,             /* classes between a task's and Task */
    DICT_ENTRIES = 1 << 16, /* of a dict that are looked at */
    AT_ONCE = 64,           /* entries that are copied at once */
    CHAIN_MAX = STACK_FRAMES,
    CHAIN_STEPS = 16 * CHAIN_MAX, /* what is longer is taken for a ring */
    WRAPPERS = 4,                 /* around one coroutine */
    TASKS_DEEP = 64,              /* tasks that await each other, of a chain */
    CHILDREN_MAX = 1000,          /* of those that one task waits for, looked at */
    NESTED = 8,                   /* gather() of gather() */
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

/* Without a code object it stands for the task at `frame`, or, where this is 0, for so many as `instruction`
   says. */
struct link {
    uintptr_t frame, code;
    long instruction;
};

struct chain {
    size_t count, task_count;
    uintptr_t tasks[TASKS_DEEP];  /* that it has gone through */
    struct link links[CHAIN_MAX]; /* the innermost of them: number i is at i % CHAIN_MAX */
};

static struct {
    struct room {
        struct found found[TASKS_MAX];
        struct loop loops[THREADS_MAX];
        struct chain chains[2];
    } * room; /* from tasks_find to tasks_release */
    size_t count;
    uintptr_t class; /* the Task of the one that was taken last */
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

/* An attribute of an instance of a class in Python, the first of this type that it has. 0: it has none. */
static uintptr_t find_attribute(struct copier *copier, uintptr_t object, const char *name,
                                const PyTypeObject *type) {
    enum { ATTRIBUTES = 16 };
    PyObject head;
    PyTypeObject class;
    uintptr_t words[2], dict, values, attribute = 0;
    if (!object || !copier_read(copier, &head, object, sizeof head) ||
        !copier_read(copier, &class, (uintptr_t)Py_TYPE(&head), sizeof class) ||
        !(class.tp_flags & Py_TPFLAGS_HEAPTYPE) ||
        !copier_read(copier, words, object - COMPAT_ATTRIBUTES, sizeof words))
        return 0;
    compat_copied_attributes(object, (size_t) class.tp_basicsize, words, &dict, &values);
    if (!values) {
        attribute = find_in_dict(copier, dict, name);
        return is_of(copier, attribute, type) ? attribute : 0;
    }
    for (size_t i = 0; i < ATTRIBUTES && read_word(copier, values + i * sizeof attribute, &attribute); i++)
        if (is_of(copier, attribute, type))
            return attribute;
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

/* Of those that were found since, only what the last attempt found, which is all. */
static void keep_from(size_t before, size_t from) {
    struct found *found = tasks.room->found;
    memmove(found + before, found + from, (tasks.count - from) * sizeof *found);
    tasks.count -= from - before;
}

static int compare(const void *one, const void *other) {
    const struct found *a = one, *b = other;
    return (a->address > b->address) - (a->address < b->address);
}

/* No attempt has found all: what either has. */
static void keep_each_once(size_t before) {
    struct found *found = tasks.room->found;
    size_t kept = before;
    qsort(found + before, tasks.count - before, sizeof *found, compare);
    for (size_t i = before; i < tasks.count; i++)
        if (kept == before || found[kept - 1].address != found[i].address)
            found[kept++] = found[i];
    tasks.count = kept;
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
        size_t from = tasks.count;
        if (walk_list(place, head, thread)) {
            keep_from(before, from);
            return;
        }
    }
    keep_each_once(before);
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
    uintptr_t set = find_attribute(place->copier, weak_set, "data", &PySet_Type);
    size_t before = tasks.count, loop_count = find_loops(place);
    for (int i = 0; set && i < ATTEMPTS; i++) {
        size_t from = tasks.count;
        if (walk_set(place, set, loop_count)) {
            keep_from(before, from);
            return;
        }
    }
    keep_each_once(before);
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

static void add_link(struct chain *chain, struct link link) {
    chain->links[chain->count++ % CHAIN_MAX] = link;
}

/* A generator and its frame, and where that is. False: it has none. */
static bool read_generator(struct copier *copier, uintptr_t address, PyGenObject *generator,
                           compat_frame *frame, uintptr_t *at) {
#    if COMPAT_GENERATOR_HAS_FRAME
    struct {
        PyGenObject generator;
        unsigned char frame[sizeof(compat_frame)];
    } copy;
    memset(&copy, 0, sizeof copy);
    if (!copier_read(copier, &copy, address, COMPAT_GENERATOR_FRAME + COMPAT_FRAME_HEAD))
        return false;
    memcpy(generator, &copy, sizeof *generator);
    memcpy(frame, (const unsigned char *)&copy + COMPAT_GENERATOR_FRAME, sizeof *frame);
    *at = address + COMPAT_GENERATOR_FRAME;
    return true;
#    else
    if (!copier_read(copier, generator, address, sizeof *generator))
        return false;
    *at = (uintptr_t)generator->gi_frame;
    return is_of(copier, *at, &PyFrame_Type) && copier_read(copier, frame, *at, COMPAT_FRAME_HEAD);
#    endif
}

static bool awaits(struct copier *copier, const PyGenObject *generator, const compat_frame *frame) {
    long at = compat_copied_generator_opcode(frame);
    unsigned char opcode = 0;
    PyCodeObject code;
    if (at >= 0 && (!copier_read(copier, &code, compat_copied_frame_code(frame), sizeof code) ||
                    !copier_read(copier, &opcode,
                                 compat_copied_code_instructions(&code) + offsetof(PyBytesObject, ob_sval) +
                                     (uintptr_t)at,
                                 sizeof opcode)))
        return false;
    return compat_copied_generator_awaits(generator, opcode);
}

/* From a coroutine on. False: it runs, or has changed meanwhile. */
static bool read_coroutine(struct copier *copier, uintptr_t address, struct chain *chain) {
    while ((address = find_generator(copier, address))) {
        PyGenObject generator;
        compat_frame frame;
        uintptr_t at, word;
        if (chain->count >= CHAIN_STEPS || !read_generator(copier, address, &generator, &frame, &at) ||
            !compat_copied_generator_waits(&generator, &frame))
            return false;
        uintptr_t code = compat_copied_frame_code(&frame);
        add_link(chain, (struct link){at, code, compat_copied_frame_instruction(&frame, code)});
        if (!awaits(copier, &generator, &frame))
            return true;
        uintptr_t awaited = compat_copied_frame_awaited(&frame, at);
        if (awaited - at > FRAME_REACH || !read_word(copier, awaited, &word))
            return false;
        address = compat_copied_variable(word);
    }
    return true;
}

/* ---- Which tasks it waits for ---- */

static struct code *find_code(struct copier *copier, uintptr_t address, uint64_t check) {
    struct code *code = address ? codes_find(address) : NULL;
    if (code && code->checked != check && !codes_check(copier, &code, 1, check))
        code = NULL;
    return code || !address ? code : codes_load(copier, address);
}

/* Futures, of which a task waits for all, or for one. */
struct children {
    size_t total, pending;
    uintptr_t one; /* that is pending */
};

static void add_children(struct copier *copier, uintptr_t items, size_t count, size_t stride,
                         struct children *children) {
    PyTypeObject task;
    uintptr_t words[AT_ONCE * 2];
    struct compat_task copy;
    if (!copier_read(copier, &task, tasks.class, sizeof task))
        return;
    count = count < CHILDREN_MAX ? count : CHILDREN_MAX;
    for (size_t at = 0; at < count && children->pending < 2; at += AT_ONCE) {
        size_t some = count - at < AT_ONCE ? count - at : AT_ONCE, size = stride * sizeof *words;
        if (!copier_read(copier, words, items + at * size, some * size))
            return;
        for (size_t i = 0; i < some && children->pending < 2; i++) {
            uintptr_t address = words[i * stride];
            if (!address || address == children->one ||
                !copier_read(copier, &copy, address, COMPAT_FUTURE_SIZE) || copy.state != 0 ||
                !derives(copier, (uintptr_t)Py_TYPE(&copy), (uintptr_t)task.tp_base))
                continue;
            children->pending++;
            children->one = address;
        }
    }
}

/* Those in a list or a set; none: it is neither. */
static struct children find_children(struct copier *copier, uintptr_t address) {
    enum { STRIDE = sizeof(setentry) / sizeof(uintptr_t) };
    struct children children = {0};
    PyListObject list;
    PySetObject set;
    if (is_of(copier, address, &PyList_Type) && copier_read(copier, &list, address, sizeof list) &&
        Py_SIZE(&list) > 0) {
        children.total = (size_t)Py_SIZE(&list);
        add_children(copier, (uintptr_t)list.ob_item, children.total, 1, &children);
    } else if (is_of(copier, address, &PySet_Type) && copier_read(copier, &set, address, sizeof set) &&
               set.used > 0 && set.mask >= 0) {
        children.total = (size_t)set.used;
        add_children(copier, (uintptr_t)set.table, (size_t)set.mask + 1, STRIDE, &children);
    }
    return children;
}

/* The list of those that a gather() stands for. */
static uintptr_t find_gathered(struct copier *copier, uintptr_t future, uintptr_t type) {
    static const char gathering[] = "_GatheringFuture";
    PyTypeObject class;
    char name[sizeof gathering];
    uintptr_t dict;
    if (!copier_read(copier, &class, type, sizeof class) || !(class.tp_flags & Py_TPFLAGS_HEAPTYPE) ||
        !copier_read(copier, name, (uintptr_t) class.tp_name, sizeof name) ||
        memcmp(name, gathering, sizeof name) != 0)
        return 0;
    if (!COMPAT_FUTURE_DICT)
        return find_attribute(copier, future, "_children", &PyList_Type);
    return read_word(copier, future + COMPAT_FUTURE_DICT, &dict) ? find_in_dict(copier, dict, "_children")
                                                                 : 0;
}

/* The future that a shield() stands for: the last of the variables that its callback shares. */
static uintptr_t find_shielded(struct copier *copier, uintptr_t callback) {
    PyFunctionObject function;
    PyVarObject closure;
    uintptr_t cell, future;
    return is_of(copier, callback, &PyFunction_Type) &&
                   copier_read(copier, &function, callback, sizeof function) &&
                   is_text(copier, (uintptr_t)function.func_name, "_outer_done_callback") &&
                   is_of(copier, (uintptr_t)function.func_closure, &PyTuple_Type) &&
                   copier_read(copier, &closure, (uintptr_t)function.func_closure, sizeof closure) &&
                   Py_SIZE(&closure) > 0 &&
                   read_word(copier,
                             (uintptr_t)function.func_closure + offsetof(PyTupleObject, ob_item) +
                                 (size_t)(Py_SIZE(&closure) - 1) * sizeof cell,
                             &cell) &&
                   is_of(copier, cell, &PyCell_Type) &&
                   read_word(copier, cell + offsetof(PyCellObject, ob_ref), &future)
               ? future
               : 0;
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), size = strlen(end);
    return length >= size && memcmp(text + length - size, end, size) == 0;
}

/* What one of asyncio's own functions waits for by a future of its own is its first variable. */
static uintptr_t find_variable(struct copier *copier, const struct link *link, uint64_t check, bool *group) {
    static const struct waits {
        const char *function, *file;
        bool group;
    } all[] = {
        {"_wait", "/asyncio/tasks.py", false},
        {"wait_for", "/asyncio/tasks.py", false}, /* before 3.12 */
        {"__aexit__", "/asyncio/taskgroups.py", true},
        {"_aexit", "/asyncio/taskgroups.py", true}, /* 3.13+ */
    };
    const struct code *code = find_code(copier, link->code, check);
    uintptr_t word;
    for (size_t i = 0; code && i < sizeof all / sizeof all[0]; i++)
        if (strcmp(code->function, all[i].function) == 0 && ends_with(code->file, all[i].file)) {
            *group = all[i].group;
            return read_word(copier, link->frame + COMPAT_FRAME_VARIABLES, &word)
                       ? compat_copied_variable(word)
                       : 0;
        }
    return 0;
}

/* What a task with this waiter waits for: the link to it. Nothing: no task, as far as can be seen. */
static struct link find_awaited(struct copier *copier, uintptr_t future, const struct chain *chain,
                                uint64_t check) {
    const struct link none = {0};
    struct compat_task copy;
    bool group = false;
    for (int i = 0; i < NESTED; i++) {
        if (!future || future % sizeof future || !copier_read(copier, &copy, future, COMPAT_FUTURE_SIZE))
            return none;
        uintptr_t type = (uintptr_t)Py_TYPE(&copy);
        if (derives(copier, type, tasks.class))
            return copy.state == 0 ? (struct link){.frame = future} : none;
        uintptr_t others = find_gathered(copier, future, type);
        if (!others && i == 0 && chain->count)
            others = find_variable(copier, &chain->links[(chain->count - 1) % CHAIN_MAX], check, &group);
        if (others && group)
            others = find_attribute(copier, others, "_tasks", &PySet_Type);
        if (!others) {
            future = find_shielded(copier, (uintptr_t)copy.callback0);
            continue;
        }
        struct children children = find_children(copier, others);
        if (children.pending > 1)
            return (struct link){.instruction = (long)children.total};
        future = children.total ? children.one : others; /* of wait_for(): itself */
    }
    return none;
}

static bool has_task(const struct chain *chain, uintptr_t task) {
    for (size_t i = 0; i < chain->task_count; i++)
        if (chain->tasks[i] == task)
            return true;
    return false;
}

/* From a task's coroutine on, through at most so many tasks. False: it runs, or has changed meanwhile. */
static bool read_chain(struct copier *copier, uintptr_t task, size_t deep, uint64_t check,
                       struct chain *chain) {
    struct compat_task copy;
    chain->count = chain->task_count = 0;
    for (;;) {
        chain->tasks[chain->task_count++] = task;
        size_t before = chain->count;
        if (!read_task(copier, task, tasks.class, &copy) || copy.state != 0)
            return false;
        if (!read_coroutine(copier, (uintptr_t)copy.coroutine, chain)) {
            chain->count = before; /* the task that is awaited runs */
            return before != 0;
        }
        struct link link = find_awaited(copier, (uintptr_t)copy.waiter, chain, check);
        if ((!link.frame && !link.instruction) || chain->count >= CHAIN_STEPS)
            return true;
        if (chain->task_count == deep)
            return true;
        add_link(chain, link);
        if (!link.frame || has_task(chain, link.frame))
            return true;
        task = link.frame;
    }
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

/* One that holds; NULL: it runs, or changes each time. Where the tasks that it awaits do, without them. */
static const struct chain *take_chain(struct copier *copier, uintptr_t task, uint64_t check) {
    struct chain *chains = tasks.room->chains;
    for (size_t deep = TASKS_DEEP; deep; deep = deep > 1 ? 1 : 0) {
        bool good = false;
        for (int i = 0; i < ATTEMPTS; i++) {
            bool before = good;
            good = read_chain(copier, task, deep, check, &chains[i % 2]);
            if (before && good && is_same(&chains[0], &chains[1]))
                return &chains[0];
        }
    }
    return NULL;
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
        if (!code && link->code)
            return false;
        if (!code) {
            stack->frames[stack->count++] = (struct stack_frame){NULL, link->instruction, link->frame};
            continue;
        }
        bool within = link->instruction >= 0 && (code->size < 0 || link->instruction < code->size);
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

enum task_taken tasks_take(struct copier *copier, size_t index, uint64_t check, struct task *task,
                           struct stack *stack) {
    const struct found *found = &tasks.room->found[index];
    struct compat_task copy, after;
    tasks.class = found->class;
    if (!read_task(copier, found->address, found->class, &copy) || copy.state != 0)
        return TASK_GONE;
    const struct chain *chain = take_chain(copier, found->address, check);
    if (!chain || (!chain->count && !copy.waiter) || !fill_stack(copier, chain, check, stack))
        return TASK_CHANGES; /* of a coroutine in C it is only known that it waits for something */
    task->address = found->address;
    task->thread = found->thread;
    task->interpreter = found->interpreter;
    read_name(copier, (uintptr_t)copy.name, task->name);
    return read_task(copier, found->address, found->class, &after) && after.state == 0 &&
                   after.coroutine == copy.coroutine
               ? TASK_TAKEN
               : TASK_CHANGES;
}

/* "Task-7": which one it is tells nothing, and would make equal stacks differ. */
static bool is_given(const char *name) {
    static const char start[] = "Task-";
    return name[0] != '\0' && (strncmp(name, start, strlen(start)) != 0 ||
                               name[strlen(start) + strspn(name + strlen(start), "0123456789")] != '\0');
}

void tasks_note(struct copier *copier, const struct stack_frame *frame, char note[TASK_NOTE_SIZE]) {
    struct compat_task copy;
    char name[TASK_NAME_SIZE] = "";
    if (!frame->address) {
        snprintf(note, TASK_NOTE_SIZE, "<%ld tasks>", frame->instruction);
        return;
    }
    if (read_task(copier, frame->address, tasks.class, &copy))
        read_name(copier, (uintptr_t)copy.name, name);
    if (is_given(name))
        snprintf(note, TASK_NOTE_SIZE, "<task %s>", name);
    else
        snprintf(note, TASK_NOTE_SIZE, "<task>");
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

enum task_taken tasks_take(struct copier *copier, size_t index, uint64_t check, struct task *task,
                           struct stack *stack) {
    (void)copier, (void)index, (void)check, (void)task, (void)stack;
    return TASK_GONE;
}

void tasks_note(struct copier *copier, const struct stack_frame *frame, char note[TASK_NOTE_SIZE]) {
    (void)copier, (void)frame, (void)note;
}

#endif
