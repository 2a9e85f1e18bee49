/*
 * Lays the screen of top out: which lines and columns there is room for, and what stands in them.
 */
#include "screen.h"

#include "width.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    LABEL_LEAST = 20,  /* columns that the function's name is to have, before columns of figures */
    LABEL_INDENT = 2,  /* between them and it */
    LINE_SIZE = 4096,  /* bytes of a line of words */
    PLAIN_WIDTH = 4096 /* columns of a line that is not for a terminal */
};

static const char BOLD[] = "\033[1m";
static const char REVERSE[] = "\033[7m";
static const char COLOR[] = "\033[32m"; /* of what it is about */
static const char ALARM[] = "\033[31m";
static const char NORMAL[] = "\033[0m";
static const char CLEAR_LINE[] = "\033[K";

/* The columns of figures, in the order in which they stand. */
static const struct column {
    const char *title, *thread_title;
    const char *key, *thread_key; /* of JSON */
    int width;
    bool part; /* shown as percents, else as seconds */
} columns[FIGURES_COLUMNS] = {
    [FIGURES_OWN] = {"%Own", "%Active", "own", "active", 7, true},
    [FIGURES_TOTAL] = {"%Total", "%GIL", "total", "gil", 8, true},
    [FIGURES_OWN_TIME] = {"OwnTime", "Active", "own_time", "active_time", 9, false},
    [FIGURES_TOTAL_TIME] = {"TotalTime", "GILTime", "total_time", "gil_time", 11, false},
    [FIGURES_WAIT] = {"%GILWait", "%GILWait", "gil_wait", "gil_wait", 10, true},
};

/* In this order columns are left out where there is no room; never the one by which it is sorted. */
static const enum figures_column least_wanted[] = {FIGURES_TOTAL_TIME, FIGURES_OWN_TIME, FIGURES_WAIT,
                                                   FIGURES_TOTAL, FIGURES_OWN};

static const struct key {
    const char *key, *action;
} keys[] = {
    {"1", "sort by %Own: the function itself, of the last second"},
    {"2", "sort by %Total: with all that it called"},
    {"3", "sort by OwnTime: the function itself, since the start"},
    {"4", "sort by TotalTime: with all that it called"},
    {"5", "sort by %GILWait: waiting for the GIL"},
    {"l", "lines or functions"},
    {"t", "threads, and back"},
    {"r", "reset: begin anew"},
    {"?", "this, and back"},
    {"q", "quit, as Ctrl-C; Ctrl-Z suspends"},
};

/* A line being written, which never is longer than there are columns. */
struct line {
    struct text *out;
    size_t left;
    bool utf8;
};

static void put(struct line *line, const char *text) {
    line->left -= width_append(line->out, text, line->left, line->utf8);
}

static void __attribute__((format(printf, 2, 3))) put_format(struct line *line, const char *format, ...) {
    char text[LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put(line, text);
}

static void put_style(const struct line *line, const struct screen *screen, const char *style) {
    bool color = style == COLOR || style == ALARM;
    if (screen->columns != PLAIN_WIDTH && (screen->colors || !color)) {
        text_string(line->out, style);
    }
}

/* What it is about. */

static void put_title(struct line *line, const struct screen *screen) {
    if (screen->process_count == 1) {
        const struct sampling_process *process = screen->processes[0];
        put_format(line, "%ld: ", (long)process->pid);
        put_style(line, screen, COLOR);
        put(line, process->command == NULL ? "?" : process->command);
        put_style(line, screen, NORMAL);
        if (process->version != NULL && *process->version != '\0') {
            put_format(line, " (Python %s)", process->version);
        }
        return;
    }
    put_format(line, "%zu processes:", screen->process_count);
    put_style(line, screen, COLOR);
    for (size_t i = 0; i < screen->process_count && line->left > 1; i++) {
        put_format(line, " %ld", (long)screen->processes[i]->pid);
    }
    put_style(line, screen, NORMAL);
}

static void put_samples(struct line *line, const struct screen *screen, const struct figures_totals *totals) {
    put_format(line, "%llu samples at %g Hz in %.1f s", (unsigned long long)totals->samples, screen->rate,
               totals->seconds);
    bool alarming = totals->torn + totals->behind > totals->samples / 100;
    put_style(line, screen, alarming ? ALARM : NORMAL);
    put_format(line, ", torn %llu, behind %llu", (unsigned long long)totals->torn,
               (unsigned long long)totals->behind);
    put_style(line, screen, NORMAL);
}

static void put_totals(struct line *line, const struct screen *screen, const struct figures_totals *totals) {
    put_style(line, screen, BOLD);
    put_format(line, "GIL: %.1f%%, Active: %.1f%%, GILWait: %.1f%%, Threads: %u", 100 * totals->gil,
               100 * totals->active, 100 * totals->waits, totals->threads);
    put_style(line, screen, NORMAL);
}

static void put_nothing(struct line *line, const struct screen *screen, const struct figures_totals *totals) {
    (void)line;
    (void)screen;
    (void)totals;
}

static void put_head(struct line *line, const struct screen *screen, const struct figures_totals *totals) {
    (void)totals;
    put_title(line, screen);
}

/* The lines above the table, and how many rows the terminal must have for each. */
static const struct head {
    void (*put)(struct line *line, const struct screen *screen, const struct figures_totals *totals);
    unsigned least_rows;
} heads[] = {
    {put_head, 6},
    {put_samples, 8},
    {put_totals, 4},
    {put_nothing, 12},
};

/* The table. */

static unsigned fitting_columns(const struct screen *screen) {
    unsigned shown = (1U << FIGURES_COLUMNS) - 1;
    unsigned width = LABEL_INDENT + LABEL_LEAST;
    for (int i = 0; i < FIGURES_COLUMNS; i++) {
        width += (unsigned)columns[i].width;
    }
    for (size_t i = 0; i < sizeof least_wanted / sizeof least_wanted[0] && width > screen->columns; i++) {
        if (least_wanted[i] != screen->sort) {
            shown &= ~(1U << least_wanted[i]);
            width -= (unsigned)columns[least_wanted[i]].width;
        }
    }
    return shown;
}

static void put_table_head(struct line *line, const struct screen *screen, unsigned shown) {
    static const char *const subjects[] = {"Function (file:line)", "Function (file:line)", "Thread"};
    put_style(line, screen, REVERSE);
    for (unsigned i = 0; i < FIGURES_COLUMNS; i++) {
        if ((shown & 1U << i) != 0) {
            const char *title = screen->by == FIGURES_THREADS ? columns[i].thread_title : columns[i].title;
            bool sorted = i == screen->sort;
            put_format(line, "%*s", columns[i].width - (int)strlen(title), "");
            put_style(line, screen, sorted ? BOLD : NORMAL);
            put_style(line, screen, REVERSE);
            put(line, title);
            put_style(line, screen, NORMAL);
            put_style(line, screen, REVERSE);
        }
    }
    put_format(line, "%*s%s", LABEL_INDENT, "", subjects[screen->by]);
    if (screen->columns != PLAIN_WIDTH) {
        put_format(line, "%*s", (int)line->left, "");
    }
    put_style(line, screen, NORMAL);
}

/* In at most 8 characters, whatever it is. */
static void put_seconds(struct line *line, int width, double seconds) {
    int decimals = seconds >= 1000 ? 0 : seconds >= 100 ? 1 : 2;
    put_format(line, "%*.*fs", width - 1, decimals, seconds);
}

static void put_row(struct line *line, const struct figures_row *row, unsigned shown) {
    for (unsigned i = 0; i < FIGURES_COLUMNS; i++) {
        if ((shown & 1U << i) == 0) {
            continue;
        }
        if (columns[i].part) {
            put_format(line, "%*.2f%%", columns[i].width - 1, 100 * row->value[i]);
        } else {
            put_seconds(line, columns[i].width, row->value[i]);
        }
    }
    put_format(line, "%*s", LABEL_INDENT, "");
    put(line, row->label);
}

/* The lines of a screen, from the top. */
struct sheet {
    const struct screen *screen;
    struct text *out;
    unsigned used; /* lines */
};

static struct line begin_line(const struct sheet *sheet) {
    return (struct line){.out = sheet->out, .left = sheet->screen->columns, .utf8 = sheet->screen->utf8};
}

/* A full line has the cursor still on its last column, which must not be cleared. */
static void end_line(struct sheet *sheet, const struct line *line) {
    if (line->left > 0) {
        text_string(sheet->out, CLEAR_LINE);
    }
    if (++sheet->used < sheet->screen->rows) {
        text_string(sheet->out, "\r\n");
    }
}

static bool is_room(const struct sheet *sheet, unsigned below) {
    return sheet->used + below < sheet->screen->rows;
}

static void draw_help(struct sheet *sheet) {
    for (size_t i = 0; i < sizeof keys / sizeof keys[0] && is_room(sheet, 1); i++) {
        struct line line = begin_line(sheet);
        put_format(&line, "  ");
        put_style(&line, sheet->screen, BOLD);
        put(&line, keys[i].key);
        put_style(&line, sheet->screen, NORMAL);
        put_format(&line, "  %s", keys[i].action);
        end_line(sheet, &line);
    }
}

/* Has what was sampled left nothing to show? */
static bool has_hint(const struct screen *screen, const struct figures *figures, size_t rows) {
    return rows == 0 && screen->hint != NULL && figures_totals(figures)->threads > 0;
}

static void put_hint(struct line *line, const struct screen *screen) {
    put_format(line, "%*s", LABEL_INDENT, "");
    put(line, screen->hint);
}

static void draw_table(struct sheet *sheet, struct figures *figures, unsigned below) {
    const struct screen *screen = sheet->screen;
    unsigned shown = fitting_columns(screen);
    if (is_room(sheet, below + 1)) {
        struct line line = begin_line(sheet);
        put_table_head(&line, screen, shown);
        end_line(sheet, &line);
    }
    size_t count;
    struct figures_row *const *rows = figures_sorted(figures, screen->by, screen->sort, &count);
    for (size_t i = 0; i < count && is_room(sheet, below); i++) {
        struct line line = begin_line(sheet);
        put_row(&line, rows[i], shown);
        end_line(sheet, &line);
    }
    if (has_hint(screen, figures, count) && is_room(sheet, below)) {
        struct line line = begin_line(sheet);
        put_hint(&line, screen);
        end_line(sheet, &line);
    }
}

static void draw_foot(struct sheet *sheet) {
    const struct screen *screen = sheet->screen;
    struct line line = begin_line(sheet);
    if (screen->notice != NULL) {
        put_style(&line, screen, REVERSE);
        put(&line, screen->notice);
        put_style(&line, screen, NORMAL);
    } else {
        put(&line,
            screen->help ? "? back to the figures, q or Ctrl-C quits" : "q or Ctrl-C quits, ? has the keys");
    }
    end_line(sheet, &line);
}

void screen_draw(struct text *out, const struct screen *screen, struct figures *figures) {
    struct sheet sheet = {.screen = screen, .out = out};
    unsigned foot = screen->rows >= 5 || (screen->notice != NULL && screen->rows >= 2);
    text_string(out, "\033[H");
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        if (screen->rows >= heads[i].least_rows) {
            struct line line = begin_line(&sheet);
            heads[i].put(&line, screen, figures_totals(figures));
            end_line(&sheet, &line);
        }
    }
    if (screen->help) {
        draw_help(&sheet);
    } else {
        draw_table(&sheet, figures, foot);
    }
    while (is_room(&sheet, foot)) {
        struct line line = begin_line(&sheet);
        end_line(&sheet, &line);
    }
    if (foot) {
        draw_foot(&sheet);
    }
}

/* One line of plain text. */
static void print_line(struct line *line) {
    text_char(line->out, '\n');
    line->left = PLAIN_WIDTH;
}

void screen_print(struct text *out, const struct screen *screen, struct figures *figures) {
    struct screen plain = *screen;
    plain.columns = PLAIN_WIDTH;
    struct line line = {.out = out, .left = PLAIN_WIDTH, .utf8 = screen->utf8};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        heads[i].put(&line, &plain, figures_totals(figures));
        print_line(&line);
    }
    unsigned shown = fitting_columns(&plain);
    size_t count;
    struct figures_row *const *rows = figures_sorted(figures, screen->by, screen->sort, &count);
    put_table_head(&line, &plain, shown);
    print_line(&line);
    for (size_t i = 0; i < count; i++) {
        put_row(&line, rows[i], shown);
        print_line(&line);
    }
    if (has_hint(screen, figures, count)) {
        put_hint(&line, screen);
        print_line(&line);
    }
}

/* JSON. */

static void json_string(struct text *out, const char *string) {
    text_json(out, string, strlen(string));
}

static void json_processes(struct text *out, const struct screen *screen) {
    text_string(out, "\"processes\": [");
    for (size_t i = 0; i < screen->process_count; i++) {
        const struct sampling_process *process = screen->processes[i];
        text_format(out, "%s{\"pid\": %ld, \"command\": ", i == 0 ? "" : ", ", (long)process->pid);
        json_string(out, process->command == NULL ? "" : process->command);
        text_format(out, ", \"ended\": %s}", process->ended ? "true" : "false");
    }
    text_char(out, ']');
}

static void json_row(struct text *out, const struct figures_row *row, bool thread) {
    text_format(out, "{\"%s\": ", thread ? "name" : "function");
    json_string(out, row->function);
    if (thread) {
        text_format(out, ", \"pid\": %ld, \"thread_id\": %lu", (long)row->pid, (unsigned long)row->line);
    } else {
        text_string(out, ", \"file\": ");
        json_string(out, row->file);
        text_format(out, ", \"line\": %lu", (unsigned long)row->line);
    }
    for (int i = 0; i < FIGURES_COLUMNS; i++) {
        text_format(out, ", \"%s%s\": %.*f", thread ? columns[i].thread_key : columns[i].key,
                    columns[i].part ? "_percent" : "", columns[i].part ? 2 : 6,
                    row->value[i] * (columns[i].part ? 100 : 1));
    }
    text_char(out, '}');
}

static void json_rows(struct text *out, const struct screen *screen, struct figures *figures,
                      enum figures_by by) {
    size_t count;
    struct figures_row *const *rows = figures_sorted(figures, by, screen->sort, &count);
    text_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        text_string(out, i == 0 ? "" : ", ");
        json_row(out, rows[i], by == FIGURES_THREADS);
    }
    text_char(out, ']');
}

void screen_json(struct text *out, const struct screen *screen, struct figures *figures) {
    const struct figures_totals *totals = figures_totals(figures);
    text_format(out,
                "{\"rate\": %g, \"seconds\": %.3f, \"samples\": %llu, \"torn\": %llu, \"behind\": %llu, ",
                screen->rate, totals->seconds, (unsigned long long)totals->samples,
                (unsigned long long)totals->torn, (unsigned long long)totals->behind);
    text_format(out, "\"gil_percent\": %.2f, \"active_percent\": %.2f, \"gil_wait_percent\": %.2f, ",
                100 * totals->gil, 100 * totals->active, 100 * totals->waits);
    json_processes(out, screen);
    text_format(out, ", \"%s\": ", screen->by == FIGURES_FUNCTIONS ? "functions" : "lines");
    json_rows(out, screen, figures, screen->by == FIGURES_FUNCTIONS ? FIGURES_FUNCTIONS : FIGURES_LINES);
    text_string(out, ", \"threads\": ");
    json_rows(out, screen, figures, FIGURES_THREADS);
    text_string(out, "}\n");
}
