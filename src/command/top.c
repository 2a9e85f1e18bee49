/*
 * catprobe top: where running programs spend their time, drawn anew each second; or printed once, at the end,
 * where there is no terminal to draw on.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* ppoll */
#endif
#include "clocks.h"
#include "command.h"
#include "process.h"
#include "sampling.h"
#include "signals.h"
#include "verb_options.h"
#include "viewer/screen.h"
#include "viewer/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOTICE_MAX = 256, RATE_MAX = 10000 };

/* Nanoseconds. */
static const int64_t SECOND = 1000000000;
static const uint64_t FIRST_WINDOW = 250000000; /* shorter, so that there is something to see soon */

struct top {
    struct sampling_request request;
    pid_t *pids;
    double rate;      /* Hz */
    int64_t interval; /* ns between two screens */
    int64_t seconds;  /* ns until the only screen; 0: until it is ended */
    enum figures_filter filter;
    bool json, plain;
    struct screen screen;
    struct figures *figures;
    struct sampling *sampling;
    char notice[NOTICE_MAX];
    char output[64]; /* where the output of the program goes that was started, or "" */
    bool ended, quit;
};

/* The command line. */

static int take_pid(void *context, const char *argument) {
    struct top *top = context;
    return parse_pid(argument, &top->pids[top->request.pid_count++]) ? STATUS_OK : STATUS_USAGE;
}

static int take_program(void *context, char *const *program) {
    ((struct top *)context)->request.program = program;
    return STATUS_OK;
}

static int take_subprocesses(void *context, const char *argument) {
    (void)argument;
    ((struct top *)context)->request.children = true;
    return STATUS_OK;
}

static int take_rate(void *context, const char *argument) {
    struct top *top = context;
    char *end;
    top->rate = strtod(argument, &end);
    if (end == argument || *end != '\0' || !(top->rate >= 1) || top->rate > RATE_MAX) {
        return command_usage_error("--rate takes samples a second, 1 to %d, not %s", RATE_MAX, argument);
    }
    return STATUS_OK;
}

static int take_gil(void *context, const char *argument) {
    (void)argument;
    ((struct top *)context)->filter = FIGURES_GIL;
    return STATUS_OK;
}

static int take_idle(void *context, const char *argument) {
    (void)argument;
    ((struct top *)context)->filter = FIGURES_ALL;
    return STATUS_OK;
}

static int take_function(void *context, const char *argument) {
    (void)argument;
    ((struct top *)context)->screen.by = FIGURES_FUNCTIONS;
    return STATUS_OK;
}

static int take_interval(void *context, const char *argument) {
    return parse_duration("--interval", argument, "s", &((struct top *)context)->interval);
}

static int take_seconds(void *context, const char *argument) {
    struct top *top = context;
    top->plain = true;
    return parse_duration("--seconds", argument, "s", &top->seconds);
}

static int take_json(void *context, const char *argument) {
    struct top *top = context;
    (void)argument;
    top->json = top->plain = true;
    return STATUS_OK;
}

static const struct verb_option top_options[] = {
    {"-p", true, take_pid},
    {"--pid", true, take_pid},
    {"-s", false, take_subprocesses},
    {"--subprocesses", false, take_subprocesses},
    {"-r", true, take_rate},
    {"--rate", true, take_rate},
    {"-g", false, take_gil},
    {"--gil", false, take_gil},
    {"-i", false, take_idle},
    {"--idle", false, take_idle},
    {"-F", false, take_function},
    {"--function", false, take_function},
    {"--interval", true, take_interval},
    {"-d", true, take_seconds},
    {"--seconds", true, take_seconds},
    {"--json", false, take_json},
    {NULL, false, NULL},
};

static const struct verb_words top_words = {
    .tables = (const struct verb_option *const[]){top_options, NULL},
    .take_word = take_pid,
    .take_program = take_program,
};

/* A program that is started must not draw on our screen, nor read our keys: its output goes to a file. */

struct redirection {
    int kept[3]; /* of ours, or -1 */
};

static bool redirect(struct top *top, struct redirection *redirection) {
    *redirection = (struct redirection){.kept = {-1, -1, -1}};
    if (top->plain || top->request.program == NULL) {
        return true;
    }
    snprintf(top->output, sizeof top->output, "/tmp/catprobe-top-XXXXXX");
    int output = mkostemp(top->output, O_CLOEXEC);
    int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool good = output >= 0 && input >= 0;
    for (int i = 0; good && i < 3; i++) {
        redirection->kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 3);
        good = dup2(i == 0 ? input : output, i) >= 0;
    }
    if (output >= 0) {
        close(output);
    }
    if (input >= 0) {
        close(input);
    }
    return good;
}

static void end_redirection(const struct redirection *redirection) {
    for (int i = 0; i < 3; i++) {
        if (redirection->kept[i] >= 0) {
            dup2(redirection->kept[i], i);
            close(redirection->kept[i]);
        }
    }
}

/* What was said meanwhile by this command: that of a program that could not be started. */
static void show_file(const char *path) {
    char bytes[4096];
    FILE *file = fopen(path, "re");
    size_t got;
    while (file != NULL && (got = fread(bytes, 1, sizeof bytes, file)) > 0) {
        fwrite(bytes, 1, got, stderr);
    }
    if (file != NULL) {
        fclose(file);
    }
}

static bool open_sampling(struct top *top) {
    struct redirection redirection;
    bool good = redirect(top, &redirection);
    int reason = errno;
    if (good) {
        top->sampling = sampling_open(&top->request);
    }
    end_redirection(&redirection);
    if (!good) {
        command_error("cannot keep the program's output in %s: %s", top->output, strerror(reason));
    } else if (top->sampling == NULL && top->output[0] != '\0') {
        show_file(top->output);
        unlink(top->output);
    }
    return top->sampling != NULL;
}

/* Where its output is, if there is any. */
static void tell_output(const struct top *top) {
    struct stat found;
    if (top->output[0] == '\0') {
        return;
    }
    if (top->ended && stat(top->output, &found) == 0 && found.st_size == 0) {
        unlink(top->output);
    } else {
        command_error("the output of %s is in %s", top->request.program[0], top->output);
    }
}

/* The figures. */

static void take_sample(void *context, const struct sampling_process *process, const struct sample *sample) {
    figures_take(context, process, sample);
}

static void read_samples(struct top *top) {
    while (sampling_read(top->sampling, take_sample, top->figures) > 0) {
    }
    top->screen.processes = sampling_processes(top->sampling, &top->screen.process_count);
}

/* The screen. */

static const char *choose_notice(struct top *top) {
    if (top->ended) {
        bool one = top->screen.process_count == 1;
        snprintf(top->notice, sizeof top->notice, "%s has ended: q quits",
                 one ? "the process" : "the last process");
    } else if (figures_totals(top->figures)->stale) {
        snprintf(top->notice, sizeof top->notice, "no sample in the last %.3g s: is it stopped?",
                 (double)top->interval / (double)SECOND);
    } else {
        return NULL;
    }
    return top->notice;
}

static void draw(struct top *top) {
    struct text out = {.data = NULL};
    terminal_size(&top->screen.columns, &top->screen.rows);
    top->screen.notice = choose_notice(top);
    screen_draw(&out, &top->screen, top->figures);
    top->quit = top->quit || !terminal_write(out.data, out.length);
    text_free(&out);
}

/* The keys. */

static void sort_by(struct top *top, char key) {
    top->screen.sort = (enum figures_column)(key - '1');
}

static void toggle_lines(struct top *top, char key) {
    (void)key;
    top->screen.by = top->screen.by == FIGURES_LINES ? FIGURES_FUNCTIONS : FIGURES_LINES;
}

static void toggle_threads(struct top *top, char key) {
    (void)key;
    top->screen.by = top->screen.by == FIGURES_THREADS ? FIGURES_LINES : FIGURES_THREADS;
}

static void reset(struct top *top, char key) {
    (void)key;
    figures_reset(top->figures);
}

static void toggle_help(struct top *top, char key) {
    (void)key;
    top->screen.help = !top->screen.help;
}

static void end_help(struct top *top, char key) {
    (void)key;
    top->screen.help = false;
}

static void quit(struct top *top, char key) {
    (void)key;
    top->quit = true;
}

static const struct key {
    const char *keys;
    void (*press)(struct top *top, char key);
} keys[] = {
    {"12345", sort_by},   {"lL", toggle_lines}, {"tT", toggle_threads}, {"rR", reset},
    {"?hH", toggle_help}, {"xX", end_help},     {"qQ", quit},
};

static void press(struct top *top, char key) {
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strchr(keys[i].keys, key) != NULL) {
            keys[i].press(top, key);
        }
    }
}

/* Takes keys and signals. Returns whether the screen is to be drawn again. */
static bool take_events(struct top *top) {
    struct terminal_events events = terminal_take();
    for (const char *key = events.keys; *key != '\0'; key++) {
        press(top, *key);
    }
    if (events.suspend) {
        terminal_suspend();
    }
    top->quit = top->quit || events.end;
    return events.redraw || events.suspend || events.keys[0] != '\0';
}

/* All have ended: only keys can come. */
static void wait_for_keys(uint64_t until) {
    struct pollfd polled = {.fd = terminal_keys(), .events = POLLIN};
    uint64_t now = clocks_now();
    uint64_t left = until > now ? until - now : 0;
    struct timespec timeout = {.tv_sec = (time_t)(left / (uint64_t)SECOND),
                               .tv_nsec = (long)(left % (uint64_t)SECOND)};
    ppoll(&polled, 1, &timeout, NULL);
}

static void show(struct top *top) {
    uint64_t due = clocks_now() + FIRST_WINDOW;
    bool changed = true;
    while (!top->quit) {
        if (changed) {
            draw(top);
        }
        if (top->ended) {
            wait_for_keys(due);
        } else if (!sampling_wait(top->sampling, terminal_keys(), due)) {
            top->ended = true;
            due = 0; /* what has come last is to be seen */
        }
        read_samples(top);
        changed = take_events(top);
        if (clocks_now() >= due) {
            figures_turn(top->figures);
            changed = true;
            due = clocks_now() + (uint64_t)top->interval;
        }
    }
}

/* Without a terminal: one window, from the start to the end. */
static void collect(struct top *top) {
    uint64_t end = top->seconds == 0 ? UINT64_MAX : clocks_now() + (uint64_t)top->seconds;
    while (!top->quit && clocks_now() < end && sampling_wait(top->sampling, -1, end)) {
        read_samples(top);
        take_events(top);
    }
    read_samples(top);
    figures_turn(top->figures);
}

static void print(struct top *top) {
    struct text out = {.data = NULL};
    (top->json ? screen_json : screen_print)(&out, &top->screen, top->figures);
    command_print("%.*s", (int)out.length, out.data);
    text_free(&out);
}

/* Says once what will be printed when, if that may be a surprise. */
static void choose_way(struct top *top) {
    if (!top->plain && !terminal_usable()) {
        top->plain = true;
        if (isatty(STDOUT_FILENO) == 1) {
            command_error(
                "this terminal cannot be drawn on (TERM): the figures are printed at the end, by Ctrl-C");
        }
    }
}

/* Of a table without rows, by what is counted. */
static const char *const hints[] = {
    [FIGURES_ACTIVE] = "no thread has run: -i (--idle) counts those that wait, too",
    [FIGURES_GIL] = "no thread has held the GIL: without -g (--gil) all that run are counted",
    [FIGURES_ALL] = "no thread has a Python frame",
};

static int run(struct top *top) {
    choose_way(top);
    top->request.pids = top->pids;
    top->request.period = (uint64_t)((double)SECOND / top->rate);
    top->request.idle = true; /* those that wait for the GIL are idle, too */
    top->request.native = true;
    if (!signals_catch() || !open_sampling(top)) {
        return STATUS_FAILED;
    }
    top->figures = figures_new(top->filter, top->request.period);
    top->screen.rate = top->rate;
    top->screen.hint = hints[top->filter];
    top->screen.utf8 = terminal_is_utf8();
    top->screen.colors = terminal_has_colors();
    read_samples(top);
    if (top->plain) {
        collect(top);
        print(top);
    } else if (terminal_open()) {
        show(top);
        terminal_close();
    }
    sampling_close(top->sampling);
    figures_free(top->figures);
    tell_output(top);
    return STATUS_OK;
}

int command_top(int argc, char **argv) {
    struct top top = {
        .pids = command_allocate((size_t)argc, sizeof *top.pids),
        .rate = 100,
        .interval = SECOND,
    };
    int status = verb_options_take(&top_words, &top, argc, argv);
    if (status == STATUS_OK && top.request.pid_count == 0 && top.request.program == NULL) {
        status = command_usage_error("top: of which process? catprobe ps lists those that can be looked at");
    }
    if (status == STATUS_OK) {
        status = run(&top);
    }
    free(top.pids);
    return status;
}
