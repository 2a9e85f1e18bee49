/*
 * A target without Python: listens as the agent does, prints the path of its socket (or why it has none), and
 * answers status until stdin is closed. For the tests of the command and of control.c.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "agent/control.h"
#include "probes.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A few of each kind; what is not here is unavailable. */
static const struct {
    const char *engine, *state;
    enum probe probe;
    unsigned tracers;
} shown[] = {
    {"frame-evaluation", "armed", PROBE_FUNCTION_ENTRY, 2},
    {"frame-evaluation", "armed", PROBE_FUNCTION_RETURN, 0},
    {"trace", "idle", PROBE_LINE, 0},
    {"callback", "armed", PROBE_GC_START, 1},
    {"callback", "armed", PROBE_GC_DONE, 0},
    {"-", "native", PROBE_AUDIT, 0},
};

static void answer(const struct control_request *request, struct control_reply *reply) {
    if (strcmp(request->verb, "status") != 0) {
        control_reply_error(reply, "it does not know the verb %s", request->verb);
        return;
    }
    control_reply_begin(reply, request->version);
    control_reply_add(reply, "pid", "%ld", (long)getpid());
    control_reply_add(reply, "version", "3.11.7");
    control_reply_add(reply, "implementation", "cpython");
    control_reply_add(reply, "uid", "%lu", (unsigned long)geteuid());
    control_reply_add(reply, "executable", "/usr/bin/python\n3");
    control_reply_add(reply, "module", "_catprobe.so");
    control_reply_add(reply, "agent", "%s", getenv("TARGET_AGENT") == NULL ? "ok" : getenv("TARGET_AGENT"));
    control_reply_add(reply, "a-key-of-later", "value");
    for (int i = 0; i < PROBE_COUNT; i++) {
        const char *engine = "-";
        const char *state = "unavailable";
        unsigned tracers = 0;
        for (size_t k = 0; k < sizeof shown / sizeof shown[0]; k++) {
            if ((int)shown[k].probe == i) {
                engine = shown[k].engine;
                state = shown[k].state;
                tracers = shown[k].tracers;
            }
        }
        control_reply_add(reply, "probe", "%s %s %s %u %d %d", probe_table[i].name, engine, state, tracers, 0,
                          i);
    }
    control_reply_end(reply);
}

static void serve(int listener) {
    char error[CONTROL_ERROR_MAX];
    struct control_request request = {.length = 0};
    static struct control_reply reply;
    enum control_progress progress;
    int fd = control_accept(listener, error, sizeof error);
    if (fd < 0) {
        if (error[0] != '\0') {
            printf("refused: %s\n", error);
        }
        return;
    }
    do {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        poll(&ready, 1, 5000);
        progress = control_receive(fd, &request, error, sizeof error);
    } while (progress == CONTROL_INCOMPLETE);
    if (progress == CONTROL_COMPLETE) {
        answer(&request, &reply);
    } else {
        control_reply_error(&reply, "%s", error);
    }
    if (progress != CONTROL_CLOSED) {
        control_send(fd, &reply);
    }
    close(fd);
}

int main(void) {
    char path[CONTROL_PATH_MAX];
    char error[CONTROL_ERROR_MAX];
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    control_init();
    int listener = control_listen(path, error, sizeof error);
    if (listener < 0) {
        printf("error: %s\n", error);
        return 1;
    }
    printf("%s\n", path);
    for (;;) {
        struct pollfd polls[2] = {{.fd = listener, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
        poll(polls, 2, -1);
        if (polls[1].revents != 0) {
            break;
        }
        serve(listener);
    }
    control_unlisten(listener, path);
    return 0;
}
