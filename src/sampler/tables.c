/*
 * tables.c: see tables.h.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "tables.h"

#include "engine/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where an entry of a table is found by what it is: numbers + 1 of entries, 0 for a free place. */
struct index {
    uint32_t *places;
    uint32_t mask;
};

/* A place in a code object, and the frame that it is. */
struct place {
    uint32_t serial;
    int32_t instruction;
    uint32_t frame;
};
enum { PLACES = 1 << 14 };

struct tables {
    struct samples_header *header;
    unsigned char *memory;
    size_t size;
    struct samples_shape shape; /* as it was when it was checked */
    uint64_t strings, frames, nodes, threads, locals, written;
    struct index string_index, frame_index, node_index;
    char *texts; /* what the tables hold, for comparison */
    struct samples_frame *known_frames;
    struct samples_node *known_nodes;
    struct samples_thread *known_threads;
    struct place *places;
};

static bool open_index(struct index *index, uint64_t entries) {
    uint64_t size = 1024;
    while (size < entries * 2 && size < (uint64_t)1 << 31)
        size *= 2;
    index->mask = (uint32_t)(size - 1);
    index->places = memory_map(size * sizeof *index->places);
    return index->places != NULL;
}

static void close_index(struct index *index) {
    memory_unmap(index->places, ((size_t)index->mask + 1) * sizeof *index->places);
}

static uint32_t mix(uint32_t hash, uint32_t value) {
    return (hash ^ value) * 0x9E3779B1u ^ (hash >> 15);
}

static bool check_file(int fd, struct samples_header *header, size_t *size, char *problem, size_t n) {
    struct stat status;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        snprintf(problem, n, "sample: what came with it is no memory file");
        return false;
    }
#if defined F_GET_SEALS
    int wanted = F_SEAL_SHRINK | F_SEAL_GROW, seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & wanted) != wanted) {
        snprintf(problem, n, "sample: the memory file is not sealed against shrinking and growing");
        return false;
    }
#endif
    if (pread(fd, header, sizeof *header, 0) != (ssize_t)sizeof *header ||
        memcmp(header->magic, SAMPLES_MAGIC, sizeof header->magic) != 0) {
        snprintf(problem, n, "sample: the memory file does not begin as it should");
        return false;
    }
    if (header->version != SAMPLES_VERSION) {
        snprintf(problem, n,
                 "sample: the memory is of version %u, this process knows %d: use the catprobe of "
                 "its installation",
                 header->version, SAMPLES_VERSION);
        return false;
    }
    *size = samples_size(&header->shape);
    if (*size == 0 || status.st_size < (off_t)*size) {
        snprintf(problem, n, "sample: the memory file has not the size of its shape");
        return false;
    }
    return true;
}

static bool open_known(struct tables *tables) {
    const struct samples_shape *shape = &tables->shape;
    tables->texts = memory_map(shape->strings_size);
    tables->known_frames = memory_map(shape->frames * sizeof *tables->known_frames);
    tables->known_nodes = memory_map(shape->nodes * sizeof *tables->known_nodes);
    tables->known_threads = memory_map(shape->threads * sizeof *tables->known_threads);
    tables->places = memory_map(PLACES * sizeof *tables->places);
    return tables->texts && tables->known_frames && tables->known_nodes && tables->known_threads &&
           tables->places && open_index(&tables->string_index, shape->frames * 2) &&
           open_index(&tables->frame_index, shape->frames) && open_index(&tables->node_index, shape->nodes);
}

struct tables *tables_open(int fd, char *problem, size_t n) {
    struct samples_header header;
    size_t size;
    if (!check_file(fd, &header, &size, problem, n))
        return NULL;
    struct tables *tables = memory_map(sizeof *tables);
    void *memory = tables ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (memory == MAP_FAILED) {
        snprintf(problem, n, "sample: the memory file cannot be mapped: %s", strerror(errno));
        memory_unmap(tables, sizeof *tables);
        return NULL;
    }
#ifdef MADV_DONTFORK
    madvise(memory, size, MADV_DONTFORK);
#endif
    tables->memory = memory;
    tables->header = memory;
    tables->size = size;
    tables->shape = header.shape;
    tables->strings = 1; /* "" */
    tables->frames = tables->nodes = 1;
    if (!open_known(tables)) {
        snprintf(problem, n, "sample: there is no memory for its tables");
        tables_close(tables);
        return NULL;
    }
    __atomic_store_n(&tables->header->strings, tables->strings, __ATOMIC_RELEASE);
    __atomic_store_n(&tables->header->frames, tables->frames, __ATOMIC_RELEASE);
    __atomic_store_n(&tables->header->nodes, tables->nodes, __ATOMIC_RELEASE);
    return tables;
}

void tables_close(struct tables *tables) {
    const struct samples_shape *shape = &tables->shape;
    close_index(&tables->string_index);
    close_index(&tables->frame_index);
    close_index(&tables->node_index);
    memory_unmap(tables->texts, shape->strings_size);
    memory_unmap(tables->known_frames, shape->frames * sizeof *tables->known_frames);
    memory_unmap(tables->known_nodes, shape->nodes * sizeof *tables->known_nodes);
    memory_unmap(tables->known_threads, shape->threads * sizeof *tables->known_threads);
    memory_unmap(tables->places, PLACES * sizeof *tables->places);
    munmap(tables->memory, tables->size);
    memory_unmap(tables, sizeof *tables);
}

struct samples_header *tables_header(struct tables *tables) {
    return tables->header;
}

uint32_t tables_string(struct tables *tables, const char *text) {
    uint32_t hash = 1;
    size_t length = strlen(text);
    if (!length)
        return 0;
    for (size_t i = 0; i < length; i++)
        hash = mix(hash, (unsigned char)text[i]);
    struct index *index = &tables->string_index;
    uint32_t at = hash & index->mask, probes = 0;
    for (; index->places[at]; at = (at + 1) & index->mask) {
        if (strcmp(tables->texts + index->places[at] - 1, text) == 0)
            return index->places[at] - 1;
        if (++probes == index->mask)
            return TABLES_FULL;
    }
    if (tables->shape.strings_size - tables->strings <= length)
        return TABLES_FULL;
    uint32_t number = (uint32_t)tables->strings;
    memcpy(tables->texts + number, text, length + 1);
    memcpy(tables->memory + samples_strings_at(&tables->shape) + number, text, length + 1);
    tables->strings += length + 1;
    __atomic_store_n(&tables->header->strings, tables->strings, __ATOMIC_RELEASE);
    index->places[at] = number + 1;
    return number;
}

static uint32_t add_frame(struct tables *tables, const struct samples_frame *frame) {
    uint32_t hash = mix(mix(mix(mix(7, frame->function), frame->file), frame->line), frame->first_line);
    struct index *index = &tables->frame_index;
    uint32_t at = hash & index->mask;
    for (; index->places[at]; at = (at + 1) & index->mask)
        if (memcmp(&tables->known_frames[index->places[at] - 1], frame, sizeof *frame) == 0)
            return index->places[at] - 1;
    if (tables->frames == tables->shape.frames)
        return TABLES_FULL;
    uint32_t number = (uint32_t)tables->frames++;
    tables->known_frames[number] = *frame;
    memcpy(tables->memory + samples_frames_at(&tables->shape) + number * sizeof *frame, frame, sizeof *frame);
    __atomic_store_n(&tables->header->frames, tables->frames, __ATOMIC_RELEASE);
    index->places[at] = number + 1;
    return number;
}

uint32_t tables_other_frame(struct tables *tables, const char *text, enum frame_kind kind) {
    uint32_t name = tables_string(tables, text);
    if (name == TABLES_FULL)
        return TABLES_FULL;
    return add_frame(tables, &(struct samples_frame){.function = name, .qualified = name, .kind = kind});
}

uint32_t tables_frame(struct tables *tables, const struct code *code, long instruction) {
    uint32_t at = mix(mix(5, code->serial), (uint32_t)instruction) % PLACES;
    struct place *place = &tables->places[at];
    if (place->serial == code->serial && place->instruction == (int32_t)instruction)
        return place->frame;
    struct samples_frame frame = {
        .function = tables_string(tables, code->function),
        .qualified = tables_string(tables, code->qualified),
        .file = tables_string(tables, code->file),
        .line = codes_line(code, instruction),
        .first_line = code->first_line,
        .kind = FRAME_PYTHON,
    };
    if (frame.function == TABLES_FULL || frame.qualified == TABLES_FULL || frame.file == TABLES_FULL)
        return TABLES_FULL;
    uint32_t number = add_frame(tables, &frame);
    if (number != TABLES_FULL)
        *place = (struct place){code->serial, (int32_t)instruction, number};
    return number;
}

uint32_t tables_node(struct tables *tables, uint32_t caller, uint32_t frame) {
    struct index *index = &tables->node_index;
    uint32_t at = mix(mix(3, caller), frame) & index->mask;
    for (; index->places[at]; at = (at + 1) & index->mask) {
        const struct samples_node *known = &tables->known_nodes[index->places[at] - 1];
        if (known->caller == caller && known->frame == frame)
            return index->places[at] - 1;
    }
    if (tables->nodes == tables->shape.nodes)
        return TABLES_FULL;
    uint32_t number = (uint32_t)tables->nodes++;
    const struct samples_node node = {caller, frame};
    tables->known_nodes[number] = node;
    memcpy(tables->memory + samples_nodes_at(&tables->shape) + number * sizeof node, &node, sizeof node);
    __atomic_store_n(&tables->header->nodes, tables->nodes, __ATOMIC_RELEASE);
    index->places[at] = number + 1;
    return number;
}

static bool is_same_thread(const struct samples_thread *one, struct samples_thread other) {
    other.name = one->name;
    return memcmp(one, &other, sizeof other) == 0;
}

static struct samples_thread *shown_thread(const struct tables *tables, uint64_t number) {
    return (struct samples_thread *)(void *)(tables->memory + samples_threads_at(&tables->shape)) + number;
}

uint32_t tables_thread(struct tables *tables, const struct samples_thread *thread) {
    for (uint64_t i = tables->threads; i-- > 0;) /* one that ends and one that begins are rare */
        if (is_same_thread(&tables->known_threads[i], *thread)) {
            tables->known_threads[i].name = thread->name;
            __atomic_store_n(&shown_thread(tables, i)->name, thread->name, __ATOMIC_RELEASE);
            return (uint32_t)i;
        }
    if (tables->threads == tables->shape.threads)
        return TABLES_FULL;
    uint32_t number = (uint32_t)tables->threads++;
    tables->known_threads[number] = *thread;
    *shown_thread(tables, number) = *thread;
    __atomic_store_n(&tables->header->threads, tables->threads, __ATOMIC_RELEASE);
    return number;
}

char *tables_locals_room(struct tables *tables, size_t *room) {
    *room = tables->shape.locals_size - tables->locals;
    return (char *)tables->memory + samples_locals_at(&tables->shape) + tables->locals;
}

uint32_t tables_take_locals(struct tables *tables, size_t size) {
    uint32_t number = (uint32_t)tables->locals + 1;
    tables->locals += size;
    __atomic_store_n(&tables->header->locals, tables->locals, __ATOMIC_RELEASE);
    return size ? number : 0;
}

bool tables_put(struct tables *tables, const struct sample *sample) {
    uint64_t taken = __atomic_load_n(&tables->header->taken, __ATOMIC_ACQUIRE);
    if (tables->written - taken >= tables->shape.ring) /* also when `taken` is nonsense */
        return false;
    uint64_t at = tables->written & (tables->shape.ring - 1);
    memcpy(tables->memory + samples_ring_at(&tables->shape) + at * sizeof *sample, sample, sizeof *sample);
    __atomic_store_n(&tables->header->written, ++tables->written, __ATOMIC_RELEASE);
    return true;
}
