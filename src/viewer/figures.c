/*
 * Counts samples by stack while they come, and at the end of a window walks each stack that occurred once.
 */
#include "figures.h"

#include "command/command.h"
#include "place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 4096, FIRST_ROOM = 256 };

static const double SECOND = 1e9; /* in nanoseconds */

/* Of a node, in this window. */
struct node_count {
    uint32_t counted, waits;
};

/* Of a thread, in this window. */
struct thread_count {
    uint32_t seen, active, counted, gil, waits;
    struct figures_row *row;
};

/* What the header of a process counts since its start. */
struct served {
    uint64_t ticks, missed, torn, lost;
};

/* A process. */
struct source {
    const struct sampling_process *process;
    uint64_t firsts;      /* ticks of this window that had a sample */
    struct served before; /* this window */
    struct served begun;  /* before the start */
    struct node_count *nodes;
    uint32_t *touched; /* the nodes that have counts */
    size_t touched_count, touched_room, node_room;
    struct thread_count *threads;
    size_t thread_room;
    struct figures_row **rows[FIGURES_THREADS]; /* for each frame, once it is known */
    size_t frame_room[FIGURES_THREADS];
};

/* All rows of one kind. */
struct table {
    struct figures_row *buckets[BUCKETS];
    struct figures_row **rows;
    size_t count, room;
};

struct figures {
    enum figures_filter filter;
    uint64_t period, stamp;
    uint64_t counted; /* samples of this window */
    struct source **sources;
    size_t source_count, source_room;
    struct table tables[FIGURES_BY];
    struct figures_totals totals;
};

struct figures *figures_new(enum figures_filter filter, uint64_t period) {
    struct figures *figures = command_allocate(1, sizeof *figures);
    figures->filter = filter;
    figures->period = period;
    return figures;
}

static void free_row(struct figures_row *row) {
    free(row->function);
    free(row->file);
    free(row->label);
    free(row);
}

static void free_source(struct source *source) {
    free(source->nodes);
    free(source->touched);
    free(source->threads);
    for (int by = 0; by < FIGURES_THREADS; by++) {
        free(source->rows[by]);
    }
    free(source);
}

void figures_free(struct figures *figures) {
    for (int by = 0; by < FIGURES_BY; by++) {
        struct table *table = &figures->tables[by];
        for (size_t i = 0; i < table->count; i++) {
            free_row(table->rows[i]);
        }
        free(table->rows);
    }
    for (size_t i = 0; i < figures->source_count; i++) {
        free_source(figures->sources[i]);
    }
    free(figures->sources);
    free(figures);
}

/* Makes room for entry `index` of an array; what is new is zero. */
static void *grown(void *array, size_t *room, size_t index, size_t size) {
    if (index < *room) {
        return array;
    }
    size_t larger = *room < FIRST_ROOM ? FIRST_ROOM : *room;
    while (larger <= index) {
        larger *= 2;
    }
    char *new = command_allocate(larger, size);
    if (array != NULL) {
        memcpy(new, array, *room * size);
    }
    free(array);
    *room = larger;
    return new;
}

static struct served read_served(const struct samples_header *header) {
    return (struct served){
        .ticks = __atomic_load_n(&header->ticks, __ATOMIC_ACQUIRE),
        .missed = __atomic_load_n(&header->ticks_missed, __ATOMIC_ACQUIRE),
        .torn = __atomic_load_n(&header->torn, __ATOMIC_ACQUIRE),
        .lost = __atomic_load_n(&header->lost, __ATOMIC_ACQUIRE),
    };
}

static struct source *source_of(struct figures *figures, const struct sampling_process *process) {
    for (size_t i = 0; i < figures->source_count; i++) {
        if (figures->sources[i]->process == process) {
            return figures->sources[i];
        }
    }
    struct source *source = command_allocate(1, sizeof *source);
    source->process = process;
    figures->sources =
        grown(figures->sources, &figures->source_room, figures->source_count, sizeof(struct source *));
    return figures->sources[figures->source_count++] = source;
}

static void count_node(struct source *source, uint32_t node, bool counted, bool waits) {
    source->nodes = grown(source->nodes, &source->node_room, node, sizeof *source->nodes);
    struct node_count *count = &source->nodes[node];
    if (count->counted == 0 && count->waits == 0) {
        source->touched =
            grown(source->touched, &source->touched_room, source->touched_count, sizeof *source->touched);
        source->touched[source->touched_count++] = node;
    }
    count->counted += counted;
    count->waits += waits;
}

void figures_take(struct figures *figures, const struct sampling_process *process,
                  const struct sample *sample) {
    static const uint32_t wanted[] = {
        [FIGURES_ACTIVE] = SAMPLE_ON_CPU, [FIGURES_GIL] = SAMPLE_HAS_GIL, [FIGURES_ALL] = ~(uint32_t)0};
    struct source *source = source_of(figures, process);
    source->firsts += (sample->state & SAMPLE_FIRST) != 0;
    if (sampling_thread(process, sample->thread).kind != SAMPLES_THREAD) {
        return;
    }
    bool waits = (sample->state & SAMPLE_WAITS_GIL) != 0;
    bool counted = figures->filter == FIGURES_ALL || (sample->state & wanted[figures->filter]) != 0;
    source->threads = grown(source->threads, &source->thread_room, sample->thread, sizeof *source->threads);
    struct thread_count *thread = &source->threads[sample->thread];
    thread->seen++;
    thread->active += (sample->state & SAMPLE_ON_CPU) != 0;
    thread->gil += (sample->state & SAMPLE_HAS_GIL) != 0;
    thread->counted += counted;
    thread->waits += waits;
    figures->counted += counted;
    if ((counted || waits) && sample->node != SAMPLES_NO_NODE) {
        count_node(source, sample->node, counted, waits);
    }
}

static uint64_t hash_text(uint64_t hash, const char *text) {
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
    }
    return hash * 0x100000001b3;
}

static struct figures_row *find_row(struct table *table, const char *function, const char *file,
                                    uint32_t line, pid_t pid) {
    uint64_t hash = hash_text(hash_text(0xcbf29ce484222325 ^ line ^ ((uint64_t)pid << 32), function), file);
    struct figures_row **bucket = &table->buckets[hash % BUCKETS];
    for (struct figures_row *row = *bucket; row != NULL; row = row->next) {
        if (row->hash == hash && row->line == line && row->pid == pid &&
            strcmp(row->function, function) == 0 && strcmp(row->file, file) == 0) {
            return row;
        }
    }
    struct figures_row *row = command_allocate(1, sizeof *row);
    row->function = strdup(function);
    row->file = strdup(file);
    if (row->function == NULL || row->file == NULL) {
        exit(command_error("out of memory"));
    }
    row->line = line;
    row->pid = pid;
    row->hash = hash;
    row->next = *bucket;
    *bucket = row;
    table->rows = grown(table->rows, &table->room, table->count, sizeof(struct figures_row *));
    return table->rows[table->count++] = row;
}

/* The row of a frame; NULL if it is none but a note. */
static struct figures_row *frame_row(struct figures *figures, struct source *source, enum figures_by by,
                                     uint32_t index) {
    source->rows[by] = grown(source->rows[by], &source->frame_room[by], index, sizeof(struct figures_row *));
    struct figures_row **row = &source->rows[by][index];
    if (*row != NULL) {
        return *row;
    }
    struct samples_frame frame = sampling_frame(source->process, index);
    if (frame.kind == FRAME_NOTE) {
        return NULL;
    }
    const char *name = sampling_string(source->process, frame.qualified);
    name = *name == '\0' ? sampling_string(source->process, frame.function) : name;
    const char *file = sampling_string(source->process, frame.file);
    *row = find_row(&figures->tables[by], name, file, by == FIGURES_LINES ? frame.line : frame.first_line, 0);
    if ((*row)->label == NULL) {
        (*row)->label = place_text(name, file, (*row)->line);
    }
    return *row;
}

static struct figures_row *thread_row(struct figures *figures, const struct source *source, uint32_t index) {
    struct samples_thread thread = sampling_thread(source->process, index);
    const char *name = sampling_string(source->process, thread.name);
    uint32_t id = thread.tid == 0 ? (uint32_t)thread.ident : thread.tid;
    struct figures_row *row = find_row(&figures->tables[FIGURES_THREADS], name, "", id, source->process->pid);
    if (row->label == NULL) {
        size_t size = strlen(name) + 64;
        row->label = command_allocate(size, 1);
        snprintf(row->label, size, "%s (%lu of process %ld)", *name == '\0' ? "?" : name, (unsigned long)id,
                 (long)source->process->pid);
    }
    return row;
}

/* What a sample of a process is worth. */
struct worth {
    double part;    /* of the window */
    double seconds; /* */
};

static void add(struct figures_row *row, enum figures_column part, enum figures_column time, uint32_t samples,
                struct worth worth) {
    row->value[part] += samples * worth.part;
    row->value[time] += samples * worth.seconds;
}

static void add_waits(struct figures_row *row, uint32_t samples, struct worth worth) {
    row->value[FIGURES_WAIT] += samples * worth.part;
    row->wait_time += samples * worth.seconds;
}

/* A function that is on the stack several times is counted once. */
static void add_stack(struct figures *figures, struct source *source, enum figures_by by, uint32_t node,
                      struct worth worth) {
    struct node_count count = source->nodes[node];
    uint64_t stamp = ++figures->stamp;
    bool innermost = true;
    for (uint32_t at = node; at != SAMPLES_NO_NODE;) {
        struct samples_node entry = sampling_node(source->process, at);
        struct figures_row *row = frame_row(figures, source, by, entry.frame);
        if (row != NULL && row->stamp != stamp) {
            row->stamp = stamp;
            add(row, FIGURES_TOTAL, FIGURES_TOTAL_TIME, count.counted, worth);
        }
        if (row != NULL && innermost) {
            innermost = false;
            add(row, FIGURES_OWN, FIGURES_OWN_TIME, count.counted, worth);
            add_waits(row, count.waits, worth);
        }
        at = entry.caller < at ? entry.caller : SAMPLES_NO_NODE; /* whatever the process has written there */
    }
}

static void add_thread(struct figures *figures, struct source *source, uint32_t index, struct worth worth) {
    struct thread_count *count = &source->threads[index];
    struct figures_totals *totals = &figures->totals;
    if (count->row == NULL) {
        count->row = thread_row(figures, source, index);
    }
    add(count->row, FIGURES_OWN, FIGURES_OWN_TIME, count->counted, worth);
    add(count->row, FIGURES_TOTAL, FIGURES_TOTAL_TIME, count->gil, worth);
    add_waits(count->row, count->waits, worth);
    totals->threads++;
    totals->gil += count->gil * worth.part;
    totals->active += count->active * worth.part;
    totals->waits += count->waits * worth.part;
    *count = (struct thread_count){.row = count->row};
}

static void turn_source(struct figures *figures, struct source *source, struct served now) {
    uint64_t ticks = now.ticks - source->before.ticks;
    uint64_t missed = now.missed - source->before.missed;
    ticks = ticks < source->firsts ? source->firsts : ticks;
    struct worth worth = {
        .part = 1.0 / (double)ticks,
        .seconds = (double)figures->period / SECOND * (double)(ticks + missed) / (double)ticks,
    };
    for (size_t i = 0; i < source->touched_count; i++) {
        for (enum figures_by by = FIGURES_LINES; by < FIGURES_THREADS; by++) {
            add_stack(figures, source, by, source->touched[i], worth);
        }
        source->nodes[source->touched[i]] = (struct node_count){0, 0};
    }
    source->touched_count = 0;
    for (size_t i = 0; i < source->thread_room; i++) {
        if (source->threads[i].seen > 0) {
            add_thread(figures, source, (uint32_t)i, worth);
        }
    }
    source->firsts = 0;
    source->before = now;
}

/* The window is over: its parts make room for those of the next. */
static void clear_window(struct figures *figures) {
    static const enum figures_column parts[] = {FIGURES_OWN, FIGURES_TOTAL, FIGURES_WAIT};
    for (int by = 0; by < FIGURES_BY; by++) {
        for (size_t i = 0; i < figures->tables[by].count; i++) {
            for (size_t part = 0; part < sizeof parts / sizeof parts[0]; part++) {
                figures->tables[by].rows[i]->value[parts[part]] = 0;
            }
        }
    }
    struct figures_totals *totals = &figures->totals;
    totals->gil = totals->active = totals->waits = 0;
    totals->threads = 0;
}

static void count_problems(struct figures_totals *totals, const struct source *source, struct served now) {
    totals->torn += now.torn - source->begun.torn;
    totals->behind += now.missed - source->begun.missed + now.lost - source->begun.lost;
}

void figures_turn(struct figures *figures) {
    struct served *now = command_allocate(figures->source_count, sizeof *now);
    uint64_t most = 0; /* ticks of a source */
    figures->totals.torn = figures->totals.behind = 0;
    for (size_t i = 0; i < figures->source_count; i++) {
        const struct source *source = figures->sources[i];
        now[i] = read_served(source->process->samples);
        uint64_t ticks = now[i].ticks + now[i].missed - source->before.ticks - source->before.missed;
        ticks = ticks < source->firsts ? source->firsts : ticks;
        most = ticks > most ? ticks : most;
        count_problems(&figures->totals, source, now[i]);
    }
    figures->totals.stale = most == 0;
    if (most > 0) {
        clear_window(figures);
        figures->totals.samples += figures->counted;
        figures->counted = 0;
        figures->totals.seconds += (double)most * (double)figures->period / SECOND;
    }
    for (size_t i = 0; i < figures->source_count; i++) {
        if (now[i].ticks > figures->sources[i]->before.ticks || figures->sources[i]->firsts > 0) {
            turn_source(figures, figures->sources[i], now[i]);
        }
    }
    free(now);
}

void figures_reset(struct figures *figures) {
    figures_turn(figures);
    clear_window(figures);
    for (int by = 0; by < FIGURES_BY; by++) {
        for (size_t i = 0; i < figures->tables[by].count; i++) {
            struct figures_row *row = figures->tables[by].rows[i];
            row->value[FIGURES_OWN_TIME] = row->value[FIGURES_TOTAL_TIME] = row->wait_time = 0;
        }
    }
    for (size_t i = 0; i < figures->source_count; i++) {
        figures->sources[i]->begun = figures->sources[i]->before;
    }
    figures->totals = (struct figures_totals){.stale = false};
}

const struct figures_totals *figures_totals(const struct figures *figures) {
    return &figures->totals;
}

/* For qsort, which has no argument for it. */
static enum figures_column sort_column;

static int compare_values(double one, double other) {
    return one > other ? -1 : one < other;
}

static int compare_rows(const void *left, const void *right) {
    static const enum figures_column ties[] = {FIGURES_OWN, FIGURES_OWN_TIME, FIGURES_TOTAL_TIME};
    const struct figures_row *one = *(struct figures_row *const *)left;
    const struct figures_row *other = *(struct figures_row *const *)right;
    int order = compare_values(one->value[sort_column], other->value[sort_column]);
    if (sort_column == FIGURES_WAIT && order == 0) {
        order = compare_values(one->wait_time, other->wait_time);
    }
    for (size_t i = 0; order == 0 && i < sizeof ties / sizeof ties[0]; i++) {
        order = compare_values(one->value[ties[i]], other->value[ties[i]]);
    }
    return order != 0 ? order : strcmp(one->label, other->label);
}

/* Whether there is anything to say of it: after a reset there may be not. */
static bool is_shown(const struct figures_row *row) {
    return row->value[FIGURES_OWN_TIME] > 0 || row->value[FIGURES_TOTAL_TIME] > 0 || row->wait_time > 0 ||
           row->pid != 0;
}

struct figures_row *const *figures_sorted(struct figures *figures, enum figures_by by,
                                          enum figures_column column, size_t *count) {
    struct table *table = &figures->tables[by];
    sort_column = column;
    *count = 0;
    for (size_t i = 0; i < table->count; i++) { /* those that are shown to the front */
        struct figures_row *row = table->rows[i];
        if (is_shown(row)) {
            table->rows[i] = table->rows[*count];
            table->rows[(*count)++] = row;
        }
    }
    if (*count > 0) {
        qsort(table->rows, *count, sizeof(struct figures_row *), compare_rows);
    }
    return table->rows;
}
