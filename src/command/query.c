/*
 * Asks targets for their status: sends the request, and takes an answer apart without trusting a byte of it.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "query.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#    define MSG_NOSIGNAL 0 /* macOS: control_connect set SO_NOSIGPIPE */
#endif

static long long milliseconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void copy_value(char *to, size_t size, const char *from) {
    size_t length = strlen(from);
    length = length < size ? length : size - 1;
    memcpy(to, from, length);
    to[length] = '\0';
}

/* Where a key's value goes in struct target_status; size 0: a number. */
static const struct status_key {
    const char *key;
    size_t offset;
    size_t size;
} status_keys[] = {
#define TEXT(member)                                                                                         \
    { #member, offsetof(struct target_status, member), sizeof(((struct target_status *)0)->member) }
#define NUMBER(member)                                                                                       \
    { #member, offsetof(struct target_status, member), 0 }
    NUMBER(pid),          NUMBER(uid),      NUMBER(start), TEXT(version),
    TEXT(implementation), TEXT(executable), TEXT(module),  TEXT(agent),
#undef TEXT
#undef NUMBER
};

static bool take_probe(struct target_status *status, const char *value) {
    if (status->probe_count == QUERY_PROBES_MAX) {
        return true; /* of a later version, with more probes than this command has room for */
    }
    struct target_probe *probe = &status->probes[status->probe_count];
    char numbers[3][24];
    if (sscanf(value, "%47s %23s %15s %20s %20s %20s", probe->name, probe->engine, probe->state, numbers[0],
               numbers[1], numbers[2]) != 6) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        if (numbers[i][strspn(numbers[i], "0123456789")] != '\0') {
            return false;
        }
    }
    probe->tracers = (unsigned)strtoull(numbers[0], NULL, 10);
    probe->listeners = (unsigned)strtoull(numbers[1], NULL, 10);
    probe->drops = strtoull(numbers[2], NULL, 10);
    status->probe_count++;
    return true;
}

/* "3 armed function-entry,line pid=24601 peer=24700": what later versions add behind is of no interest. */
static bool take_session(struct target_status *status, const char *value) {
    if (status->session_count == CONTROL_SESSIONS_MAX) {
        return true;
    }
    struct target_session *session = &status->sessions[status->session_count];
    const char *peer = strstr(value, " peer=");
    if (sscanf(value, "%*s %*s %383s", session->probes) != 1) {
        return false;
    }
    session->consumer = peer == NULL ? 0 : strtol(peer + strlen(" peer="), NULL, 10);
    status->session_count++;
    return true;
}

static bool take_line(struct target_status *status, char *line) {
    char *value = strchr(line, ' ');
    if (value == NULL) {
        return false;
    }
    *value++ = '\0';
    if (strcmp(line, "probe") == 0) {
        return take_probe(status, value);
    }
    if (strcmp(line, "session") == 0) {
        return take_session(status, value);
    }
    for (size_t i = 0; i < sizeof status_keys / sizeof status_keys[0]; i++) {
        if (strcmp(line, status_keys[i].key) == 0) {
            char *member = (char *)status + status_keys[i].offset;
            if (status_keys[i].size > 0) {
                copy_value(member, status_keys[i].size, value);
            } else {
                unsigned long long number = strtoull(value, NULL, 10);
                memcpy(member, &number, sizeof number);
            }
        }
    }
    return true;
}

/* Ends a query: closes the connection and sets the outcome, with the line to print unless it is
 * QUERY_ANSWERED. */
static void finish(struct target *target, enum query_outcome outcome, const char *format, ...)
    CONTROL_PRINTF(3, 4);
static void finish(struct target *target, enum query_outcome outcome, const char *format, ...) {
    if (target->fd >= 0) {
        close(target->fd);
        target->fd = -1;
    }
    target->outcome = outcome;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(target->error, sizeof target->error, format, arguments);
    va_end(arguments);
}

static void take_first_line(struct target *target, const char *line) {
    static const char refusal[] = "error ";
    int version;
    const char *rest;
    if (!control_greeting_parse(line, &version, &rest)) {
        finish(target, QUERY_REFUSED, "it gives an answer that makes no sense: is this catprobe?");
    } else if (strncmp(rest, refusal, sizeof refusal - 1) == 0) {
        finish(target, QUERY_REFUSED, "%s", rest + sizeof refusal - 1);
    } else if (version > CONTROL_VERSION) {
        finish(target, QUERY_REFUSED,
               "it speaks version %d of the protocol, this command %d: use the catprobe of its installation",
               version, CONTROL_VERSION);
    } else if (strcmp(rest, "ok") != 0) {
        finish(target, QUERY_REFUSED, "it gives an answer that makes no sense: is this catprobe?");
    }
    target->begun = true;
}

/* Takes the complete lines out of text, until the query is finished or there are no more. */
static void take_lines(struct target *target) {
    char *line = target->text;
    size_t left = target->length;
    char *end;
    while (target->fd >= 0 && (end = memchr(line, '\n', left)) != NULL) {
        size_t length = (size_t)(end - line);
        *end = '\0';
        control_clean(line, length);
        if (!target->begun) {
            take_first_line(target, line);
        } else if (length == 0) {
            finish(target, QUERY_ANSWERED, "%s", "");
        } else if (!take_line(&target->status, line)) {
            finish(target, QUERY_REFUSED, "it gives an answer that makes no sense: is this catprobe?");
        }
        left -= length + 1;
        line = end + 1;
    }
    memmove(target->text, line, left);
    target->length = left;
}

static void receive_answer(struct target *target) {
    while (target->fd >= 0) {
        size_t room = sizeof target->text - target->length;
        if (room == 0 || target->total > QUERY_ANSWER_MAX) {
            finish(target, QUERY_REFUSED, "it gives an answer that does not end: is this catprobe?");
            return;
        }
        ssize_t got = recv(target->fd, target->text + target->length, room, MSG_DONTWAIT);
        if (got > 0) {
            target->length += (size_t)got;
            target->total += (size_t)got;
            take_lines(target);
        } else if (got < 0 && errno == EINTR) {
            continue;
        } else if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return;
        } else {
            target->unanswered = target->total == 0;
            finish(target, QUERY_REFUSED, "it ended in the middle of its answer");
        }
    }
}

static void ask(struct target *target, int timeout_ms) {
    static const char request[] = "catprobe/1 status\n";
    uid_t mine = geteuid();
    target->begun = target->unanswered = false;
    target->total = target->length = 0;
    target->error[0] = '\0';
    target->pid = 0;
    target->uid = (uid_t)-1;
    memset(&target->status, 0, sizeof target->status);
    target->fd = control_connect(target->path, timeout_ms);
    if (target->fd < 0) {
        bool absent = errno == ECONNREFUSED || errno == ENOENT;
        bool silent = errno == ETIMEDOUT;
        finish(target,
               absent   ? QUERY_ABSENT
               : silent ? QUERY_SILENT
                        : QUERY_REFUSED,
               silent ? "not answering: is it stopped?" : "%s", strerror(errno));
        return;
    }
    if (!control_peer(target->fd, &target->uid, &target->pid)) {
        finish(target, QUERY_REFUSED, "%s", strerror(errno));
    } else if (mine != 0 && !control_same_user(mine, target->uid)) {
        finish(target, QUERY_REFUSED,
               "it belongs to uid %lu and you are uid %lu: run catprobe as that user or as root",
               (unsigned long)target->uid, (unsigned long)mine);
    } else if (send(target->fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)sizeof request - 1) {
        /* A refusal may have been faster than the request. */
        receive_answer(target);
    }
}

void query_status(struct target *targets, size_t count, int timeout_ms) {
    enum { AT_ONCE = 128 }; /* fits below the usual limit of descriptors */
    for (size_t first = 0; first < count; first += AT_ONCE) {
        size_t batch = count - first < AT_ONCE ? count - first : AT_ONCE;
        long long end = milliseconds_now() + timeout_ms;
        for (size_t i = 0; i < batch; i++) {
            ask(&targets[first + i], 0);
        }
        for (;;) {
            struct pollfd polls[AT_ONCE];
            struct target *waiting[AT_ONCE];
            nfds_t open = 0;
            for (size_t i = 0; i < batch; i++) {
                if (targets[first + i].fd >= 0) {
                    waiting[open] = &targets[first + i];
                    polls[open++] = (struct pollfd){.fd = targets[first + i].fd, .events = POLLIN};
                }
            }
            long long left = end - milliseconds_now();
            if (open == 0 || left <= 0 || (poll(polls, open, (int)left) < 0 && errno != EINTR)) {
                break;
            }
            for (nfds_t i = 0; i < open; i++) {
                if (polls[i].revents != 0) {
                    receive_answer(waiting[i]);
                }
            }
        }
        for (size_t i = 0; i < batch; i++) {
            if (targets[first + i].fd >= 0) {
                finish(&targets[first + i], QUERY_SILENT, "not answering: is it stopped?");
            }
        }
    }
}
