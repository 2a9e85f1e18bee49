/*
 * viewers.c: see viewers.h.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "viewers.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifndef MSG_NOSIGNAL
#    define MSG_NOSIGNAL 0 /* macOS: control_accept set SO_NOSIGPIPE */
#endif

/* By the sampler's place. */
static struct descriptor connections[SAMPLER_VIEWERS_MAX];
static bool used[SAMPLER_VIEWERS_MAX]; /* there is a viewer, though its connection may have been lost */

void viewers_initialise(void) {
    for (int i = 0; i < SAMPLER_VIEWERS_MAX; i++)
        connections[i] = DESCRIPTOR_NONE;
}

/* ---- The request ---- */

struct arguments {
    uint64_t pid, period, ticks, flags;
};

static const struct argument {
    const char *name;
    size_t value; /* offset in struct arguments */
    uint64_t low, high;
} argument_table[] = {
    {"pid", offsetof(struct arguments, pid), 1, INT32_MAX},
    {"period", offsetof(struct arguments, period), SAMPLER_PERIOD_MIN, UINT64_C(3600000000000)},
    {"ticks", offsetof(struct arguments, ticks), 0, UINT64_C(1) << 48},
    {"flags", offsetof(struct arguments, flags), 0,
     SAMPLES_IDLE | SAMPLES_TASKS | SAMPLES_LOCALS | SAMPLES_NATIVE},
};
enum { ARGUMENTS = sizeof argument_table / sizeof argument_table[0] };

/* One NAME=NUMBER of `length` bytes; sets its bit in *given. False: a line in `problem`. */
static bool take_argument(struct arguments *arguments, unsigned *given, const char *text, size_t length,
                          char *problem, size_t n) {
    size_t name = strcspn(text, "=");
    for (int i = 0; name < length && i < ARGUMENTS; i++) {
        const struct argument *argument = &argument_table[i];
        if (strlen(argument->name) != name || memcmp(argument->name, text, name) != 0)
            continue;
        const char *digits = text + name + 1;
        size_t count = strspn(digits, "0123456789");
        uint64_t value = strtoull(digits, NULL, 10);
        if (count == 0 || count > 19 || digits + count != text + length || value < argument->low ||
            value > argument->high) {
            snprintf(problem, n, "sample: %.*s is no number from %llu to %llu", (int)length, text,
                     (unsigned long long)argument->low, (unsigned long long)argument->high);
            return false;
        }
        memcpy((char *)arguments + argument->value, &value, sizeof value);
        *given |= 1u << i;
        return true;
    }
    snprintf(problem, n, "sample: it does not know the argument %.*s", (int)length, text);
    return false;
}

static bool take_arguments(struct arguments *arguments, const char *text, char *problem, size_t n) {
    unsigned given = 0;
    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        size_t length = strcspn(text, " ");
        if (!take_argument(arguments, &given, text, length, problem, n))
            return false;
        text += length;
    }
    for (int i = 0; i < ARGUMENTS; i++)
        if (!(given & 1u << i)) {
            snprintf(problem, n, "sample: the argument %s= is missing", argument_table[i].name);
            return false;
        }
    return true;
}

bool viewers_open(struct descriptor connection, struct control_request *request, bool own_descriptors,
                  struct control_reply *reply) {
    char problem[CONTROL_ERROR_MAX] = "";
    struct arguments arguments;
    int place = -1;
    if (request->descriptors != 1)
        snprintf(problem, sizeof problem, "sample: %d file descriptors came with it, not one: the memory",
                 request->descriptors);
    else if (take_arguments(&arguments, request->arguments, problem, sizeof problem))
        place = sampler_add(request->descriptor[0],
                            &(struct sampler_request){.pid = (uint32_t)arguments.pid,
                                                      .period = arguments.period,
                                                      .ticks = arguments.ticks,
                                                      .flags = (uint32_t)arguments.flags},
                            own_descriptors, problem, sizeof problem);
    control_request_close(request);
    if (place < 0) {
        control_reply_error(reply, "%s", problem);
        return false;
    }
    connections[place] = connection;
    used[place] = true;
    control_reply_begin(reply, 3);
    control_reply_end(reply);
    return true;
}

/* ---- While it lasts ---- */

static void end(int place) {
    if (descriptor_is_ours(&connections[place]))
        shutdown(connections[place].fd, SHUT_RDWR); /* the program's table may have a copy */
    descriptor_close(&connections[place]);
    sampler_remove(place);
    used[place] = false;
}

/* Takes what the viewer says, which is nothing; false when it has gone. */
static bool viewer_is_there(const struct descriptor *connection) {
    char ignored[256];
    if (!descriptor_is_ours(connection))
        return false;
    ssize_t got;
    int most = 16;
    do
        got = recv(connection->fd, ignored, sizeof ignored, MSG_DONTWAIT);
    while (got > 0 && --most);
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
}

void viewers_polled(struct pollfd *polled) {
    for (int i = 0; i < SAMPLER_VIEWERS_MAX; i++)
        polled[i] = (struct pollfd){.fd = connections[i].fd, .events = POLLIN};
}

void viewers_serve(void) {
    for (int i = 0; i < SAMPLER_VIEWERS_MAX; i++)
        if (used[i] && !viewer_is_there(&connections[i]))
            end(i);
}

void viewers_end(const char *why, const char *text) {
    char line[CONTROL_ERROR_MAX];
    int length = snprintf(line, sizeof line, "gone %s %s\n", why, text);
    for (int i = 0; i < SAMPLER_VIEWERS_MAX; i++) {
        if (!used[i])
            continue;
        if (descriptor_is_ours(&connections[i]))
            (void)!send(connections[i].fd, line, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
        end(i);
    }
}

struct descriptor *viewers_connection(int place) {
    return &connections[place];
}

bool viewers_exists(void) {
    bool any = false;
    for (int i = 0; i < SAMPLER_VIEWERS_MAX; i++)
        any = any || used[i];
    return any;
}

void viewers_after_fork_in_child(void) {
    for (int i = 0; i < SAMPLER_VIEWERS_MAX; i++)
        descriptor_close(&connections[i]);
    memset(used, 0, sizeof used);
    sampler_after_fork_in_child();
}
