/*
 * code.c: making and freeing the records of code objects, their shared strings, and their lines.
 *
 * co_extra's free function may run after Py_IsInitialized() is 0, so that all that is freed there is plain C.
 */
#include "code.h"

#include "events.h"
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where one GIL does not guard strings, indices and the making of records, one lock does. No code of the
   program runs while it is held, and nothing that could wait for a GIL. */
#if COMPAT_RUNS_IN_PARALLEL
static pthread_mutex_t code_mutex = PTHREAD_MUTEX_INITIALIZER;
#    define LOCK() pthread_mutex_lock(&code_mutex)
#    define UNLOCK() pthread_mutex_unlock(&code_mutex)
#else
#    define LOCK() ((void)0)
#    define UNLOCK() ((void)0)
#endif

/* ---- Strings, each kept once: ten thousand code objects of a program have a few hundred file names ---- */

struct shared_string {
    struct shared_string *next; /* in its bucket */
    size_t hash;
    size_t references;
    char text[];
};

static struct {
    struct shared_string **buckets;
    size_t size; /* of buckets: a power of two, or 0 */
    size_t count;
} strings;

static size_t string_hash(const char *text) {
    uint64_t hash = UINT64_C(1469598103934665603); /* FNV-1a */
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return (size_t)hash;
}

static void strings_grow(void) {
    size_t size = strings.size ? strings.size * 2 : 256;
    struct shared_string **buckets = calloc(size, sizeof *buckets);
    if (!buckets)
        return; /* longer chains, nothing worse */
    for (size_t i = 0; i < strings.size; i++) {
        for (struct shared_string *string = strings.buckets[i], *next; string; string = next) {
            next = string->next;
            string->next = buckets[string->hash & (size - 1)];
            buckets[string->hash & (size - 1)] = string;
        }
    }
    free(strings.buckets);
    strings.buckets = buckets;
    strings.size = size;
}

/* NULL for NULL, and when memory is short. */
static const char *string_acquire(const char *text) {
    if (!text)
        return NULL;
    if (strings.count >= strings.size)
        strings_grow();
    if (!strings.size)
        return NULL;
    size_t hash = string_hash(text);
    struct shared_string **bucket = &strings.buckets[hash & (strings.size - 1)];
    for (struct shared_string *string = *bucket; string; string = string->next) {
        if (string->hash == hash && strcmp(string->text, text) == 0) {
            string->references++;
            return string->text;
        }
    }
    size_t length = strlen(text) + 1;
    struct shared_string *string = malloc(sizeof *string + length);
    if (!string)
        return NULL;
    *string = (struct shared_string){.next = *bucket, .hash = hash, .references = 1};
    memcpy(string->text, text, length);
    *bucket = string;
    strings.count++;
    return string->text;
}

static void string_release(const char *text) {
    if (!text)
        return;
    struct shared_string *string = (struct shared_string *)(text - offsetof(struct shared_string, text));
    if (--string->references)
        return;
    struct shared_string **link = &strings.buckets[string->hash & (strings.size - 1)];
    while (*link != string)
        link = &(*link)->next;
    *link = string->next;
    strings.count--;
    free(string);
}

/* ---- Lines ---- */

static unsigned line_slot(const struct line_cache *cache, int instruction) {
    unsigned slot = line_cache_first(cache, instruction);
    for (;; slot = (slot + 1) & cache->mask) {
        int there = __atomic_load_n(&cache->slots[slot].instruction, __ATOMIC_ACQUIRE);
        if (!there || there == instruction + 1)
            return slot;
    }
}

static void line_cache_add(struct line_cache *cache, int instruction, int line) {
    unsigned slot = line_slot(cache, instruction);
    cache->slots[slot].line = line;
    __atomic_store_n(&cache->slots[slot].instruction, instruction + 1, __ATOMIC_RELEASE);
    cache->count++;
}

static struct line_cache *line_cache_grow(const struct line_cache *old) {
    unsigned old_capacity = old ? old->mask + 1 : 0, capacity = old ? old_capacity * 4 : 4;
    struct line_cache *cache = calloc(1, sizeof *cache + capacity * sizeof cache->slots[0]);
    if (!cache)
        return NULL;
    cache->mask = capacity - 1;
    for (unsigned i = 0; i < old_capacity; i++)
        if (old->slots[i].instruction)
            line_cache_add(cache, old->slots[i].instruction - 1, old->slots[i].line);
    return cache;
}

static __attribute__((noinline)) int line_work_out(struct code_record *record, PyCodeObject *code,
                                                   int instruction) {
    int line = PyCode_Addr2Line(code, instruction);
    LOCK();
    struct line_cache *cache = record->lines;
    if (!cache || (cache->count + 1) * 4 > (cache->mask + 1) * 3) {
        struct line_cache *larger = line_cache_grow(cache);
        if (larger) {
            record->lines = larger;
#if !COMPAT_FREE_THREADED /* there a reader may still be in the old one; it is a few hundred bytes */
            free(cache);
#endif
            cache = larger;
        } else {
            cache = NULL;
        }
    }
    if (cache && !cache->slots[line_slot(cache, instruction)].instruction)
        line_cache_add(cache, instruction, line);
    UNLOCK();
    return line;
}

int code_line(struct code_record *record, PyCodeObject *code, int instruction) {
    const struct line_cache *cache = record->lines;
    if (cache) {
        unsigned slot = line_slot(cache, instruction);
        if (cache->slots[slot].instruction)
            return cache->slots[slot].line;
    }
    return line_work_out(record, code, instruction);
}

/* ---- Qualified names before 3.11: the function has them, the code object does not ---- */

/* Is `object` a function with this code, or a property or such of one? Then its qualified name, borrowed;
   else NULL. */
static PyObject *qualname_of_function(PyObject *object, PyCodeObject *code) {
    static const struct {
        PyTypeObject *type;
        int functions; /* fields behind the header that may be one, the same in all versions */
    } wrappers[] = {{&PyStaticMethod_Type, 1}, {&PyClassMethod_Type, 1}, {&PyProperty_Type, 3}};
    PyObject **candidates = &object;
    int count = object ? 1 : 0;
    for (size_t i = 0; object && i < sizeof wrappers / sizeof wrappers[0]; i++) {
        if (Py_TYPE(object) == wrappers[i].type) {
            candidates = (PyObject **)(object + 1);
            count = wrappers[i].functions;
        }
    }
    for (int i = 0; i < count; i++)
        if (candidates[i] && PyFunction_Check(candidates[i]) &&
            PyFunction_GET_CODE(candidates[i]) == (PyObject *)code)
            return ((PyFunctionObject *)candidates[i])->func_qualname;
    return NULL;
}

/* Look for a method in a type. No attribute is asked for, so no code of the program runs. */
static PyObject *qualname_in_type(PyTypeObject *type, PyCodeObject *code) {
    PyObject *mro = type->tp_mro;
    for (Py_ssize_t i = 0; mro && PyTuple_Check(mro) && i < PyTuple_GET_SIZE(mro); i++) {
        PyObject *base = PyTuple_GET_ITEM(mro, i);
        PyObject *dict = PyType_Check(base) ? ((PyTypeObject *)base)->tp_dict : NULL;
        PyObject *found = dict && PyDict_CheckExact(dict) ? PyDict_GetItem(dict, code->co_name) : NULL;
        PyObject *qualname = qualname_of_function(found, code);
        if (qualname)
            return qualname;
    }
    return NULL;
}

static PyObject *qualname(PyCodeObject *code, compat_frame *frame) {
    PyObject *name = compat_code_qualname(code);
    if (!name && frame) {
        PyObject *generator = compat_frame_generator(frame);
        if (generator)
            name = ((PyGenObject *)generator)->gi_qualname;
        PyObject *first = compat_frame_first_argument(frame, code);
        if (!name && first && PyType_Check(first))
            name = qualname_in_type((PyTypeObject *)first, code);
        if (!name && first)
            name = qualname_in_type(Py_TYPE(first), code);
        PyObject *globals = compat_frame_globals(frame);
        if (!name && globals && PyDict_CheckExact(globals))
            name = qualname_of_function(PyDict_GetItem(globals, code->co_name), code);
    }
    return name ? name : code->co_name;
}

/* A surrogate is found before it raises: the exception would be an object of the collector's, which then may
   run code of the program, in the midst of an allocation too. */
const char *code_utf8(PyObject *string) {
    int kind = PyUnicode_KIND(string);
    bool wide = kind == PyUnicode_2BYTE_KIND || kind == PyUnicode_4BYTE_KIND;
    for (Py_ssize_t i = 0; wide && i < PyUnicode_GET_LENGTH(string); i++)
        if (Py_UNICODE_IS_SURROGATE(PyUnicode_READ(kind, PyUnicode_DATA(string), i)))
            return NULL;
    const char *text = PyUnicode_AsUTF8(string);
    if (!text)
        PyErr_Clear();
    return text;
}

/* ---- Records, each under its id ---- */

/* An id that is free has in its place the next free one, as an odd number. */
static struct {
    uintptr_t *entries; /* by id; 0 is none's */
    uint32_t size;      /* of entries */
    uint32_t free;      /* the first free id; 0: none */
} records;

static bool records_grow(void) {
    uint32_t size = records.size ? records.size * 2 : 256;
    uintptr_t *entries = realloc(records.entries, size * sizeof *entries);
    if (!entries)
        return false;
    records.entries = entries;
    for (uint32_t id = size - 1; id >= (records.size ? records.size : 1); id--) {
        entries[id] = (uintptr_t)records.free << 1 | 1;
        records.free = id;
    }
    records.size = size;
    return true;
}

static void make_events(struct code_record *record) {
    for (int probe = 0; probe <= PROBE_LINE; probe++) {
        struct event *event = &record->events[probe];
        *event = (struct event){
            .fired = {.probe = (uint32_t)probe,
                      .code_id = record->id,
                      .file = record->file,
                      .function = record->func,
                      .arguments = event->arguments},
            .code = record,
            .arguments = {(uintptr_t)record->file, (uintptr_t)record->func, 0,
                          probe == PROBE_LINE ? 0 : (uintptr_t)record->qualname},
        };
    }
}

/* Gives a record its id, and with it its events. False if memory is short. */
static bool id_take(struct code_record *record) {
    if (!records.free && !records_grow())
        return false;
    record->id = records.free;
    records.free = (uint32_t)(records.entries[record->id] >> 1);
    records.entries[record->id] = (uintptr_t)record;
    make_events(record);
    return true;
}

static void id_give_back(uint32_t id) {
    if (!id)
        return;
    records.entries[id] = (uintptr_t)records.free << 1 | 1;
    records.free = id;
}

/* NULL for an id that is free. */
static struct code_record *record_with(uint32_t id) {
    return records.entries[id] & 1 ? NULL : (struct code_record *)records.entries[id];
}

static void undecide(struct code_record *record) {
    __atomic_store_n(&record->wanted, CODE_UNDECIDED | PROBE_ALL, __ATOMIC_RELAXED);
}

void code_undecide_all(void) {
    LOCK();
    for (uint32_t id = 1; id < records.size; id++)
        if (record_with(id))
            undecide(record_with(id));
    UNLOCK();
}

static struct code_record *next_record(uint32_t id, bool (*is)(const struct code_record *)) {
    struct code_record *found = NULL;
    LOCK();
    while (!found && ++id < records.size)
        if (record_with(id) && is(record_with(id)))
            found = record_with(id);
    UNLOCK();
    return found;
}

static bool is_watched(const struct code_record *record) {
    return record->watched;
}

static bool is_monitored(const struct code_record *record) {
    return record->monitored;
}

struct code_record *code_next_watched(uint32_t id) {
    return next_record(id, is_watched);
}

struct code_record *code_next_monitored(uint32_t id) {
    return next_record(id, is_monitored);
}

static const char *acquire_utf8(PyObject *string) {
    return string_acquire(code_utf8(string));
}

static void record_free(void *memory) {
    struct code_record *record = memory;
    if (!record)
        return;
    LOCK();
    if (record->id)
        event_forget(record->id);
    id_give_back(record->id);
    string_release(record->file);
    string_release(record->func);
    string_release(record->qualname);
    UNLOCK();
    free(record->lines);
    free(record);
}

struct code_record *code_record_make(PyCodeObject *code, Py_ssize_t extra_index, compat_frame *frame) {
    int saved_errno = errno;
    bool muted = memory_mute();
    struct compat_error error = compat_error_put_aside();
    struct code_record *record = extra_index < 0 ? NULL : malloc(sizeof *record);
    if (record) {
        LOCK();
        *record = (struct code_record){
            .file = acquire_utf8(code->co_filename),
            .func = acquire_utf8(code->co_name),
            .qualname = acquire_utf8(qualname(code, frame)),
            .entry_line = compat_code_entry_line(code),
            .code = code,
        };
        undecide(record);
        record->is_init = record->func && strcmp(record->func, "__init__") == 0;
        struct code_record *other = code_record(code, extra_index); /* made by another thread meanwhile? */
        bool failed = !other && (!id_take(record) || compat_set_code_extra(code, extra_index, record) < 0);
        UNLOCK();
        if (other || failed) {
            record_free(record);
            record = other;
        }
    }
    compat_error_put_back(error);
    memory_unmute(muted);
    errno = saved_errno;
    return record;
}

Py_ssize_t code_extra_index(PyInterpreterState *interp) {
    enum { INTERPRETERS_MAX = 256 }; /* further ones are not traced */
    static struct {
        int64_t id; /* never used twice, unlike the address */
        Py_ssize_t index;
    } known[INTERPRETERS_MAX];
    static int count;
    int64_t id = compat_interpreter_id(interp);
    LOCK();
    int i = 0;
    while (i < count && known[i].id != id)
        i++;
    if (i == count && count < INTERPRETERS_MAX) {
        struct compat_error error = compat_error_put_aside();
        known[i].index = compat_request_code_extra_index(record_free);
        compat_error_put_back(error);
        known[i].id = id;
        count++;
    }
    Py_ssize_t index = i < INTERPRETERS_MAX ? known[i].index : -1;
    UNLOCK();
    return index;
}
