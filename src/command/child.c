/*
 * A program started to be traced.
 *
 * Its pid must be known before it runs, for $target; so a fork waits at a pipe, the gate, for a byte. Where
 * the command ends without one, so does the fork. What follows exec is the program's own, up to the point
 * where a Python imports catprobe by sitecustomize: that finds in CATPROBE_HOLD the number of a socket, says
 * its pid there, and goes on when it gets an answer.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* pipe2 */
#endif
#include "child.h"

#include "command.h"
#include "process.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How long a start may take. A program that is no Python yet may still become one: a shell, env, a wrapper.
 */
enum { PYTHON_MILLISECONDS = 10000, OTHER_MILLISECONDS = 500, LOOK_MILLISECONDS = 5 };

static void close_one(int *fd) {
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

/* In the child: waits for the gate, then becomes the program, or tells why not. */
static void become(char *const *words, int gate, int failure, int hold) {
    char byte;
    char number[16];
    ssize_t got;
    while ((got = read(gate, &byte, 1)) < 0 && errno == EINTR) {
    }
    if (got != 1) {
        _exit(126);
    }
    snprintf(number, sizeof number, "%d", hold);
    setenv("CATPROBE_HOLD", number, 1);
    fcntl(hold, F_SETFD, 0);
    int reason = run_become(words);
    if (write(failure, &reason, sizeof reason) < 0) {
        _exit(126);
    }
    _exit(127);
}

bool child_start(struct child *child, char *const *words) {
    int gate[2] = {-1, -1};
    int failure[2] = {-1, -1};
    int hold[2] = {-1, -1};
    *child = (struct child){.gate = -1, .failure = -1, .hold = -1};
    if (!run_found(words[0])) {
        command_error("No such process"); /* dtrace's words for a program that is not there */
        return false;
    }
    fflush(NULL);
    if (pipe2(gate, O_CLOEXEC) == 0 && pipe2(failure, O_CLOEXEC) == 0 &&
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, hold) == 0) {
        hold[1] = control_raise_descriptor(hold[1]);
        child->pid = fork();
    } else {
        child->pid = -1;
    }
    if (child->pid == 0) {
        close(gate[1]);
        close(hold[0]);
        become(words, gate[0], failure[1], hold[1]);
    }
    close_one(&gate[0]);
    close_one(&failure[1]);
    close_one(&hold[1]);
    child->gate = gate[1];
    child->failure = failure[0];
    child->hold = hold[0];
    if (child->pid < 0) {
        command_error("cannot start %s: %s", words[0], strerror(errno));
        child_close(child);
        child->pid = 0;
        return false;
    }
    return true;
}

bool child_begin(struct child *child) {
    int reason = 0;
    if (child->running) {
        return true;
    }
    child->running = true;
    ssize_t got;
    (void)!write(child->gate, "", 1);
    close_one(&child->gate);
    do {
        got = read(child->failure, &reason, sizeof reason); /* ends with exec, which closes the other end */
    } while (got < 0 && errno == EINTR);
    close_one(&child->failure);
    if (got == (ssize_t)sizeof reason) {
        waitpid(child->pid, NULL, 0);
        child->ended = true;
        command_error("the command cannot be run: %s", strerror(reason));
        return false;
    }
    return true;
}

bool child_ended(struct child *child) {
    if (!child->ended && child->pid > 0) {
        int status = 0;
        child->ended = waitpid(child->pid, &status, WNOHANG) == child->pid;
        if (child->ended) {
            child->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
    }
    return child->ended;
}

/* Reads who waits: pids, a line each. */
static bool read_held(struct child *child) {
    char text[256];
    ssize_t got = recv(child->hold, text, sizeof text - 1, MSG_DONTWAIT);
    if (got <= 0) {
        if (got == 0) {
            close_one(&child->hold);
        }
        return false;
    }
    text[got] = '\0';
    for (char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strtol(line, NULL, 10) == (long)child->pid) {
            child->held = true;
        } else if (*line != '\0') {
            child_release(child); /* a Python of another pid is not what $target means */
        }
    }
    return true;
}

static bool looks_like_python(pid_t pid) {
    char name[PROCESS_NAME_MAX];
    process_name(pid, name, sizeof name);
    return strstr(name, "python") != NULL;
}

bool child_wait_held(struct child *child) {
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    while (!child->held && child->hold >= 0 && !child_ended(child)) {
        struct pollfd waiting = {.fd = child->hold, .events = POLLIN};
        if (poll(&waiting, 1, LOOK_MILLISECONDS) > 0) {
            read_held(child);
            continue;
        }
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        long passed = (long)(now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000;
        if (passed > (looks_like_python(child->pid) ? PYTHON_MILLISECONDS : OTHER_MILLISECONDS)) {
            break;
        }
    }
    return child->held;
}

void child_release(struct child *child) {
    child->released = true;
    if (child->hold >= 0 && send(child->hold, "\n", 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        close_one(&child->hold);
    }
}

void child_kill(struct child *child) {
    if (child->pid > 0 && !child_ended(child)) {
        kill(child->pid, SIGKILL);
        while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR) {
        }
        child->ended = true;
    }
}

void child_answer(struct child *child) {
    if (read_held(child) && child->released) {
        child_release(child);
    }
}

void child_close(struct child *child) {
    close_one(&child->gate);
    close_one(&child->failure);
    close_one(&child->hold);
}
