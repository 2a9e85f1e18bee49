/*
 * catprobe ps: the processes that can be traced, in columns: which hooks are armed in each, and who listens.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "command.h"
#include "process.h"
#include "targets.h"
#include "tracers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { COLUMNS = 6, CELL_MAX = 4096, GROUP_MAX = 48 };

struct row {
    char *cells[COLUMNS];
};

/* What a row is about. */
struct subject {
    const struct target *target;
    struct attached *attached;
    size_t count; /* of those attached */
};

/* Probes that one hook feeds, named by what they have in common: "function" of function-entry and -return. */
static void group_of(const char *probe, char group[GROUP_MAX]) {
    snprintf(group, GROUP_MAX, "%s", probe);
    char *dash = strrchr(group, '-');
    if (dash != NULL) {
        *dash = '\0';
    }
}

/* Adds ", text" to a cell, once. */
static void add(char cell[CELL_MAX], const char *text) {
    size_t length = strlen(cell);
    for (const char *found = cell; (found = strstr(found, text)) != NULL; found++) {
        char after = found[strlen(text)];
        if ((found == cell || found[-1] == ' ') && (after == '\0' || after == ',')) {
            return;
        }
    }
    snprintf(cell + length, CELL_MAX - length, "%s%s", length == 0 ? "" : ", ", text);
}

static void describe_engines(const struct subject *subject, char cell[CELL_MAX]) {
    const struct target *target = subject->target;
    const struct target_status *status = &target->status;
    cell[0] = '\0';
    if (target->outcome != QUERY_ANSWERED) {
        add(cell, target->error);
        return;
    }
    for (int i = 0; i < status->probe_count; i++) {
        if (strcmp(status->probes[i].state, "armed") == 0) {
            char group[GROUP_MAX];
            char text[GROUP_MAX + 32];
            group_of(status->probes[i].name, group);
            snprintf(text, sizeof text, "%s: %s", group, status->probes[i].engine);
            add(cell, text);
        }
    }
    if (cell[0] == '\0') {
        add(cell, "idle");
    }
    if (strcmp(status->agent, "ok") != 0) {
        add(cell, status->agent);
    }
}

static void describe_attached(const struct subject *subject, char cell[CELL_MAX]) {
    size_t length = 0;
    snprintf(cell, CELL_MAX, "-");
    for (size_t i = 0; i < subject->count && length < CELL_MAX; i++) {
        length += (size_t)snprintf(cell + length, CELL_MAX - length, "%s", i == 0 ? "" : "; ");
        if (length < CELL_MAX) {
            attached_describe(&subject->attached[i], subject->target, cell + length, CELL_MAX - length);
            length += strlen(cell + length);
        }
    }
}

static void describe_pid(const struct subject *subject, char cell[CELL_MAX]) {
    snprintf(cell, CELL_MAX, "%ld", (long)subject->target->pid);
}

static void describe_python(const struct subject *subject, char cell[CELL_MAX]) {
    snprintf(cell, CELL_MAX, "%s",
             subject->target->status.version[0] == '\0' ? "-" : subject->target->status.version);
}

static void describe_user(const struct subject *subject, char cell[CELL_MAX]) {
    user_name(subject->target->uid, cell, CELL_MAX);
}

static void describe_command(const struct subject *subject, char cell[CELL_MAX]) {
    process_command(subject->target->pid, cell, CELL_MAX);
}

static const struct column {
    const char *heading;
    void (*describe)(const struct subject *subject, char cell[CELL_MAX]);
} columns[COLUMNS] = {
    {"PID", describe_pid},         {"PYTHON", describe_python},     {"USER", describe_user},
    {"ENGINES", describe_engines}, {"ATTACHED", describe_attached}, {"COMMAND", describe_command},
};

static void fill_row(struct row *row, const struct subject *subject) {
    char cell[CELL_MAX];
    for (int column = 0; column < COLUMNS; column++) {
        columns[column].describe(subject, cell);
        size_t size = strlen(cell) + 1;
        row->cells[column] = command_allocate(size, 1);
        memcpy(row->cells[column], cell, size);
    }
}

/* Bytes that take a place of their own on a terminal: all but those that continue a UTF-8 character. */
static bool starts_character(char byte) {
    return ((unsigned char)byte & 0xc0) != 0x80;
}

static int text_width(const char *text) {
    int width = 0;
    for (; *text != '\0'; text++) {
        width += starts_character(*text);
    }
    return width;
}

/* The columns of the terminal on stdout, 0 if it is none: then nothing is cut. */
static int terminal_width(void) {
    struct winsize size;
    if (!isatty(STDOUT_FILENO)) {
        return 0;
    }
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void print_line(const char *line, int terminal) {
    int width = 0;
    size_t length = 0;
    for (; line[length] != '\0'; length++) {
        width += starts_character(line[length]);
        if (terminal > 0 && width > terminal) {
            break;
        }
    }
    command_print("%.*s\n", (int)length, line);
}

static void print_row(const char *const cells[COLUMNS], const int widths[COLUMNS], int terminal) {
    char line[COLUMNS * (CELL_MAX + 2)];
    size_t length = 0;
    for (int column = 0; column < COLUMNS; column++) {
        int padding = widths[column] - text_width(cells[column]);
        bool right = column == 0;
        bool last = column == COLUMNS - 1;
        length += (size_t)snprintf(line + length, sizeof line - length, "%*s%s%*s", right ? padding : 0, "",
                                   cells[column], right || last ? 0 : padding, "");
        if (!last) {
            length += (size_t)snprintf(line + length, sizeof line - length, "  ");
        }
    }
    print_line(line, terminal);
}

static void print_attached(const struct subject *subject, int terminal) {
    static const char margin[] = "       ";
    char line[CELL_MAX];
    memcpy(line, margin, sizeof margin);
    for (size_t i = 0; i < subject->count; i++) {
        attached_describe(&subject->attached[i], subject->target, line + sizeof margin - 1,
                          sizeof line - (sizeof margin - 1));
        print_line(line, terminal);
    }
}

static void print_probes(const struct target *target, int terminal) {
    const struct target_status *status = &target->status;
    char line[CELL_MAX];
    if (target->outcome != QUERY_ANSWERED) {
        return;
    }
    snprintf(line, sizeof line, "       %s, %s; agent: %s",
             status->executable[0] == '\0' ? "-" : status->executable, status->implementation, status->agent);
    print_line(line, terminal);
    for (int i = 0; i < status->probe_count; i++) {
        const struct target_probe *probe = &status->probes[i];
        snprintf(line, sizeof line, "       %-24s %-16s %-11s tracers %u, listeners %u, drops %llu",
                 probe->name, probe->engine, probe->state, probe->tracers, probe->listeners, probe->drops);
        print_line(line, terminal);
    }
}

static void print_table(const struct targets *targets, bool verbose) {
    struct row *rows = command_allocate(targets->count, sizeof *rows);
    struct subject *subjects = command_allocate(targets->count, sizeof *subjects);
    struct tracers *tracers = tracers_find(targets);
    const char *headings[COLUMNS];
    int widths[COLUMNS];
    for (int column = 0; column < COLUMNS; column++) {
        headings[column] = columns[column].heading;
        widths[column] = text_width(headings[column]);
    }
    for (size_t i = 0; i < targets->count; i++) {
        subjects[i].target = &targets->items[i];
        subjects[i].attached = tracers_of(tracers, subjects[i].target, &subjects[i].count);
        fill_row(&rows[i], &subjects[i]);
        for (int column = 0; column < COLUMNS; column++) {
            int width = text_width(rows[i].cells[column]);
            widths[column] = width > widths[column] ? width : widths[column];
        }
    }
    int terminal = terminal_width();
    print_row(headings, widths, terminal);
    for (size_t i = 0; i < targets->count; i++) {
        print_row((const char *const *)rows[i].cells, widths, terminal);
        if (verbose) {
            print_attached(&subjects[i], terminal);
            print_probes(&targets->items[i], terminal);
        }
        for (int column = 0; column < COLUMNS; column++) {
            free(rows[i].cells[column]);
        }
        free(subjects[i].attached);
    }
    tracers_free(tracers);
    free(subjects);
    free(rows);
}

int command_ps(int argc, char **argv) {
    struct options options = {.argc = argc, .argv = argv, .index = 1};
    bool verbose = false;
    int letter;
    while ((letter = options_next(&options, "v")) > 0) {
        verbose = true;
    }
    if (letter < 0) {
        return STATUS_USAGE;
    }
    if (options.index < argc) {
        return command_usage_error("ps takes no argument: %s", argv[options.index]);
    }
    struct targets targets;
    targets_find(&targets);
    int status = STATUS_OK;
    if (targets.count == 0) {
        status = targets_none();
    } else {
        print_table(&targets, verbose);
    }
    targets_free(&targets);
    return status;
}
