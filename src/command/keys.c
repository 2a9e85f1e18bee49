/*
 * SIGUSR1 by a pipe, and the keys of the terminal, which are read one by one and not shown.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "keys.h"

#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { WAKE_SIGNAL, WAKE_TERMINAL };

static int pipe_ends[2] = {-1, -1};
static struct termios terminal_before;
static bool terminal_changed;

static void take_signal(int number) {
    int saved = errno;
    (void)number;
    if (write(pipe_ends[1], "", 1) < 0) {
        /* it is full: the verb will wake anyway */
    }
    errno = saved;
}

static void restore_terminal(void) {
    if (terminal_changed) {
        tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal_before);
        terminal_changed = false;
    }
}

/* False: standard input is no terminal, or not ours to read. */
static bool open_terminal(void) {
    if (tcgetpgrp(STDIN_FILENO) != getpgrp() || tcgetattr(STDIN_FILENO, &terminal_before) != 0) {
        return false;
    }
    struct termios now = terminal_before;
    now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    now.c_cc[VMIN] = 1;
    now.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &now) != 0) {
        return false;
    }
    terminal_changed = true;
    atexit(restore_terminal);
    return true;
}

bool keys_open(int wakes[TRACE_WAKES], bool terminal, const char *what) {
    if (pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        command_error("cannot make a pipe: %s", strerror(errno));
        return false;
    }
    struct sigaction action = {.sa_handler = take_signal, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    wakes[WAKE_SIGNAL] = pipe_ends[0];
    wakes[WAKE_TERMINAL] = terminal && open_terminal() ? STDIN_FILENO : -1;
    command_error("%skill -USR1 %ld %s", wakes[WAKE_TERMINAL] < 0 ? "" : "Enter, w or ", (long)getpid(),
                  what);
    return true;
}

/* What can be read of the terminal, which need not be all. */
static bool take_terminal(int *fd) {
    char keys[64];
    int waiting = fcntl(*fd, F_GETFL);
    fcntl(*fd, F_SETFL, waiting | O_NONBLOCK);
    ssize_t count = read(*fd, keys, sizeof keys);
    int saved = errno;
    fcntl(*fd, F_SETFL, waiting);
    if (count == 0 || (count < 0 && saved != EAGAIN && saved != EINTR)) {
        *fd = -1; /* it has been hung up */
    }
    bool found = false;
    for (ssize_t i = 0; i < count; i++) {
        found = found || memchr("\n\rwW", keys[i], 4) != NULL;
    }
    return found;
}

bool keys_take(int wakes[TRACE_WAKES]) {
    char bytes[64];
    bool found = false;
    while (read(wakes[WAKE_SIGNAL], bytes, sizeof bytes) > 0) {
        found = true;
    }
    return (wakes[WAKE_TERMINAL] >= 0 && take_terminal(&wakes[WAKE_TERMINAL])) || found;
}

void keys_close(int wakes[TRACE_WAKES]) {
    restore_terminal();
    if (pipe_ends[0] >= 0) {
        signal(SIGUSR1, SIG_IGN);
        close(pipe_ends[0]);
        close(pipe_ends[1]);
        pipe_ends[0] = pipe_ends[1] = -1;
    }
    wakes[WAKE_SIGNAL] = wakes[WAKE_TERMINAL] = -1;
}
