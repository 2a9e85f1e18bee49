/*
 * A session with one traced process: the verb `trace` of the control socket, see control.h.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* memfd_create */
#endif
#include "session.h"

#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#    define MSG_NOSIGNAL 0 /* macOS: control_connect set SO_NOSIGPIPE */
#endif

enum {
    CONNECT_MILLISECONDS = 1000,
    PIECES_MAX = 16, /* taken at a time of one that does not stop talking */
};

int session_seal(const void *bytes, size_t size) {
#if defined(__linux__)
    int fd = memfd_create("catprobe-program", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    const char *at = bytes;
    size_t left = size;
    while (fd >= 0 && left > 0) {
        ssize_t written = write(fd, at, left);
        if (written < 0 && errno != EINTR) {
            break;
        }
        at += written > 0 ? written : 0;
        left -= written > 0 ? (size_t)written : 0;
    }
    if (fd >= 0 && left == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
        return fd;
    }
    command_error("cannot make a memory file for the program: %s", strerror(errno));
    if (fd >= 0) {
        close(fd);
    }
    return -1;
#else
    (void)bytes;
    (void)size;
    command_error("this system has no sealed memory files, which a session needs");
    return -1;
#endif
}

static void end(struct session *session, const char *why, const char *text) {
    if (session->fd >= 0) {
        close(session->fd);
        session->fd = -1;
    }
    session->state = SESSION_ENDED;
    snprintf(session->why, sizeof session->why, "%s", why);
    snprintf(session->text, sizeof session->text, "%s", text);
}

void session_close(struct session *session) {
    if (session->fd >= 0) {
        close(session->fd);
        session->fd = -1;
    }
    session->state = session->state == SESSION_ENDED ? SESSION_ENDED : SESSION_CLOSED;
}

static bool send_request(int fd, const char *request, int program, int arena) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control;
    int descriptors[2] = {program, arena};
    struct iovec vector = {.iov_base = (char *)request, .iov_len = strlen(request)};
    struct msghdr message = {
        .msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    memset(&control, 0, sizeof control);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof descriptors);
    memcpy(CMSG_DATA(header), descriptors, sizeof descriptors);
    return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)vector.iov_len;
}

void session_open(struct session *session, const struct target *target, int program, int arena,
                  uint32_t first, const char *clocks) {
    char request[CONTROL_REQUEST_MAX];
    *session = (struct session){.state = SESSION_ASKED, .pid = target->pid};
    session->fd = control_connect(target->path, CONNECT_MILLISECONDS);
    if (session->fd < 0) {
        session->unanswered = errno == ECONNREFUSED || errno == ENOENT;
        end(session, "refused", strerror(errno));
        return;
    }
    bool any = clocks[0] != '\0';
    snprintf(request, sizeof request, "catprobe/%d trace pid=%ld first=%lu%s%s\n", any ? 3 : 2,
             (long)target->pid, (unsigned long)first, any ? " clocks=" : "", clocks);
    if (!send_request(session->fd, request, program, arena)) {
        int reason = errno;
        session_receive(session); /* a refusal may have been faster */
        if (session->state == SESSION_ASKED) {
            session->unanswered = true;
            end(session, "refused", strerror(reason));
        }
    }
}

/* The lines that it can say, behind the greeting. */

static void take_wants(struct session *session, const char *value) {
    (void)value;
    session->probes++;
}

static void take_problem(struct session *session, const char *value) {
    snprintf(session->problem, sizeof session->problem, "%s", value);
}

static void take_armed(struct session *session, const char *value) {
    (void)value;
    session->state = SESSION_ARMED;
}

static void take_gone(struct session *session, const char *value) {
    char why[sizeof session->why];
    size_t length = strcspn(value, " ");
    snprintf(why, sizeof why, "%.*s", (int)length, value);
    end(session, why, value[length] == '\0' ? "" : value + length + 1);
}

static const struct {
    const char *key;
    void (*take)(struct session *session, const char *value);
} keys[] = {
    {"wants", take_wants},
    {"problem", take_problem},
    {"armed", take_armed},
    {"gone", take_gone},
};

static void take_greeting(struct session *session, const char *line) {
    static const char refusal[] = "error ";
    int version;
    const char *rest;
    session->begun = true;
    if (!control_greeting_parse(line, &version, &rest)) {
        end(session, "refused", "it gives an answer that makes no sense: is this catprobe?");
    } else if (strncmp(rest, refusal, sizeof refusal - 1) == 0) {
        end(session, "refused", rest + sizeof refusal - 1);
    } else if (strcmp(rest, "ok") != 0 || version > CONTROL_VERSION) {
        end(session, "refused", "it gives an answer that makes no sense: is this catprobe?");
    }
}

static void take_line(struct session *session, char *line) {
    if (!session->begun) {
        take_greeting(session, line);
        return;
    }
    if (line[0] == '\0') {
        session->state = session->state == SESSION_ASKED ? SESSION_OPEN : session->state;
        return;
    }
    size_t length = strcspn(line, " ");
    const char *value = line[length] == '\0' ? "" : line + length + 1;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strlen(keys[i].key) == length && memcmp(line, keys[i].key, length) == 0) {
            keys[i].take(session, value);
        }
    }
}

static void take_lines(struct session *session) {
    char *line = session->line;
    size_t left = session->length;
    char *stop;
    while (session->fd >= 0 && (stop = memchr(line, '\n', left)) != NULL) {
        size_t length = (size_t)(stop - line);
        *stop = '\0';
        control_clean(line, length);
        take_line(session, line);
        left -= length + 1;
        line = stop + 1;
    }
    memmove(session->line, line, left);
    session->length = left;
}

void session_receive(struct session *session) {
    for (int i = 0; session->fd >= 0 && i < PIECES_MAX; i++) {
        size_t room = sizeof session->line - session->length;
        if (room == 0) {
            end(session, "lost", "it gives an answer that does not end: is this catprobe?");
            return;
        }
        ssize_t got = recv(session->fd, session->line + session->length, room, MSG_DONTWAIT);
        if (got > 0) {
            session->length += (size_t)got;
            take_lines(session);
        } else if (got < 0 && errno == EINTR) {
            continue;
        } else if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return;
        } else {
            session->unanswered = !session->begun;
            end(session, "died", "");
        }
    }
}
