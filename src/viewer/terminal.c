/*
 * Takes a terminal over and gives it back. Handlers only note what came; whoever waits is woken by the signal
 * itself.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "terminal.h"

#include "command/command.h"
#include "command/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { KEY_INTERRUPT = 3, KEY_SUSPEND = 26, KEY_QUIT = 28, COLUMNS_DEFAULT = 80, ROWS_DEFAULT = 24 };

/* A screen of its own, no cursor, no lines that break by themselves; and back. */
static const char ENTER[] = "\033[?1049h\033[?25l\033[?7l\033[H\033[2J";
static const char LEAVE[] = "\033[0m\033[?7h\033[?25h\033[?1049l";

static struct termios saved;
static bool taken;        /* the terminal is ours at the moment */
static int screen = -1;   /* where to draw: standard output as it was when it was opened */
static int keyboard = -1; /* or -1 */
static volatile sig_atomic_t ending, suspending, redrawing;

bool terminal_usable(void) {
    const char *kind = getenv("TERM");
    return isatty(STDOUT_FILENO) == 1 && kind != NULL && kind[0] != '\0' && strcmp(kind, "dumb") != 0;
}

bool terminal_is_utf8(void) {
    static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        const char *value = getenv(variables[i]);
        if (value != NULL && value[0] != '\0') {
            return strcasestr(value, "utf-8") != NULL || strcasestr(value, "utf8") != NULL;
        }
    }
    return false;
}

bool terminal_has_colors(void) {
    const char *value = getenv("NO_COLOR");
    return value == NULL || value[0] == '\0';
}

static void note_end(int number) {
    (void)number;
    ending = 1;
}

static void note_suspend(int number) {
    (void)number;
    suspending = 1;
}

static void note_redraw(int number) {
    (void)number;
    redrawing = 1;
}

static void catch_signal(int number, void (*handler)(int number)) {
    struct sigaction action = {.sa_handler = handler};
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, number);
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
    sigprocmask(SIG_UNBLOCK, &one, NULL);
}

static bool is_ending(void) {
    return ending != 0 || signals_came() != 0;
}

bool terminal_write(const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t written = write(screen, bytes, length);
        if (written > 0) {
            bytes += written;
            length -= (size_t)written;
        } else if (written < 0 && errno == EAGAIN) {
            struct pollfd polled = {.fd = screen, .events = POLLOUT};
            poll(&polled, 1, -1);
        } else if (written == 0 || errno != EINTR || is_ending()) {
            return false;
        }
    }
    return true;
}

static void enter(void) {
    struct termios raw = saved;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
    raw.c_iflag &= ~(tcflag_t)(IXON | ICRNL | INLCR);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    taken = true;
    if (keyboard >= 0) {
        tcsetattr(keyboard, TCSADRAIN, &raw);
    }
    terminal_write(ENTER, sizeof ENTER - 1);
    redrawing = 1;
}

static void leave(void) {
    if (!taken) {
        return;
    }
    taken = false;
    if (write(screen, LEAVE, sizeof LEAVE - 1) < 0) {
        /* it is gone, and has nothing to be restored */
    }
    if (keyboard >= 0) {
        tcsetattr(keyboard, TCSAFLUSH, &saved);
    }
}

/* Standard input, or where that is none the terminal that controls us: a descriptor, or -1. */
static int open_keyboard(void) {
    return isatty(STDIN_FILENO) == 1 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                     : open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY);
}

bool terminal_open(void) {
    screen = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    keyboard = open_keyboard();
    if (screen < 0 || (keyboard >= 0 && tcgetattr(keyboard, &saved) < 0)) {
        command_error("cannot use the terminal: %s", strerror(errno));
        terminal_close();
        return false;
    }
    atexit(leave); /* as when there is no memory */
    catch_signal(SIGQUIT, note_end);
    catch_signal(SIGTSTP, note_suspend);
    catch_signal(SIGCONT, note_redraw);
    catch_signal(SIGWINCH, note_redraw);
    enter();
    return true;
}

static void close_one(int *fd) {
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

void terminal_close(void) {
    leave();
    close_one(&screen);
    close_one(&keyboard);
}

void terminal_suspend(void) {
    suspending = 0;
    leave();
    raise(SIGSTOP);
    enter();
}

int terminal_keys(void) {
    return keyboard;
}

void terminal_size(unsigned *columns, unsigned *rows) {
    struct winsize size = {0};
    ioctl(screen, TIOCGWINSZ, &size);
    *columns = size.ws_col > 0 ? size.ws_col : COLUMNS_DEFAULT;
    *rows = size.ws_row > 0 ? size.ws_row : ROWS_DEFAULT;
}

/* Keys that mean what they otherwise do by a signal. */
static void take_key(struct terminal_events *events, char key, size_t *count) {
    switch (key) {
    case KEY_INTERRUPT:
    case KEY_QUIT:
        events->end = true;
        break;
    case KEY_SUSPEND:
        events->suspend = true;
        break;
    default:
        if (*count + 1 < sizeof events->keys) {
            events->keys[(*count)++] = key;
        }
    }
}

static void take_keys(struct terminal_events *events) {
    struct pollfd polled = {.fd = keyboard, .events = POLLIN};
    char bytes[sizeof events->keys];
    size_t count = 0;
    if (keyboard < 0 || poll(&polled, 1, 0) <= 0) {
        return;
    }
    ssize_t got = read(keyboard, bytes, sizeof bytes);
    if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) {
        events->end = true; /* it has been closed */
    }
    if (got > 0 && bytes[0] == '\033') {
        return; /* an arrow or the like, which means nothing here */
    }
    for (ssize_t i = 0; i < got; i++) {
        take_key(events, bytes[i], &count);
    }
}

struct terminal_events terminal_take(void) {
    struct terminal_events events = {.end = false};
    take_keys(&events);
    signals_clear();
    events.end = events.end || is_ending();
    events.suspend = events.suspend || suspending != 0;
    events.redraw = redrawing != 0;
    redrawing = 0;
    return events;
}
