/*
 * Unit tests of the control socket's names and lines: tables of what is right and what is not. Silent when
 * all is well.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "agent/control.h"
#include "check.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void test_names(void) {
    static const struct {
        const char *name;
        long pid; /* 0: no name of a socket */
        unsigned long long start;
    } names[] = {
        {"1-0.sock", 1, 0},
        {"24601-123456789.sock", 24601, 123456789},
        {"2147483647-18446744073709551615.sock", 2147483647, 18446744073709551615ULL},
        {"2147483648-1.sock", 0, 0},
        {"1-18446744073709551616.sock", 0, 0},
        {"0-1.sock", 0, 0},
        {"01-1.sock", 0, 0},
        {"-1-1.sock", 0, 0},
        {"+1-1.sock", 0, 0},
        {"1--1.sock", 0, 0},
        {"1-01.sock", 0, 0},
        {"1- 1.sock", 0, 0},
        {"1-1.sock ", 0, 0},
        {"1-1", 0, 0},
        {"1-.sock", 0, 0},
        {"1.sock", 0, 0},
        {"", 0, 0},
        {".1-1.sock", 0, 0},
        {"1-1111111111111111111111111111111111111111111111111111111111111111.sock", 0, 0},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        pid_t pid = 0;
        unsigned long long start = 0;
        bool parsed = control_name_parse(names[i].name, &pid, &start);
        CHECK_OF(parsed == (names[i].pid != 0), names[i].name);
        CHECK_OF(!parsed || (pid == names[i].pid && start == names[i].start), names[i].name);
    }
}

static void test_alive(void) {
    unsigned long long start;
    char name[CONTROL_NAME_MAX];
    CHECK_OF(control_start_time(getpid(), &start), "own start time");
    control_name(name, getpid(), start);
    CHECK_OF(control_name_alive(name), name);
    control_name(name, getpid(), start + 1);
    CHECK_OF(!control_name_alive(name), name);
    control_name(name, 2147483647, start);
    CHECK_OF(!control_name_alive(name), name);
}

static void test_requests(void) {
    static const struct {
        const char *text;
        enum control_progress progress;
        const char *verb, *arguments;
    } requests[] = {
        {"", CONTROL_INCOMPLETE, "", ""},
        {"cat", CONTROL_INCOMPLETE, "", ""},
        {"catprobe/1 stat", CONTROL_INCOMPLETE, "", ""},
        {"catprobe/1 status\n", CONTROL_COMPLETE, "status", ""},
        {"catprobe/1 status\nmore", CONTROL_COMPLETE, "status", ""},
        {"catprobe/1 open a b=c\n", CONTROL_COMPLETE, "open", "a b=c"},
        {"GET / HTTP/1.1\r\n", CONTROL_MALFORMED, "", ""},
        {"x", CONTROL_MALFORMED, "", ""},
        {"\n", CONTROL_MALFORMED, "", ""},
        {"catprobe/1\n", CONTROL_MALFORMED, "", ""},
        {"catprobe/1 \n", CONTROL_MALFORMED, "", ""},
        {"catprobe/1  status\n", CONTROL_MALFORMED, "", ""},
        {"catprobe/ status\n", CONTROL_MALFORMED, "", ""},
        {"catprobe/0 status\n", CONTROL_MALFORMED, "", ""},
        {"catprobe/-1 status\n", CONTROL_MALFORMED, "", ""},
        {"catprobe/4 status\n", CONTROL_MALFORMED, "", ""},
        {"catprobe/99999999999999999999 status\n", CONTROL_MALFORMED, "", ""},
        {"catprobe/1 STATUS\n", CONTROL_MALFORMED, "", ""},
        {"catprobe/1 status\r\n", CONTROL_MALFORMED, "", ""},
        {"catprobe/1 \033[2J", CONTROL_MALFORMED, "", ""},
    };
    char error[CONTROL_ERROR_MAX];
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct control_request request = {.length = strlen(requests[i].text)};
        memcpy(request.text, requests[i].text, request.length);
        error[0] = '\0';
        enum control_progress progress = control_request_parse(&request, error, sizeof error);
        CHECK_OF(progress == requests[i].progress, requests[i].text);
        CHECK_OF((progress == CONTROL_MALFORMED) == (error[0] != '\0'), requests[i].text);
        if (progress == CONTROL_COMPLETE) {
            CHECK_OF(strcmp(request.verb, requests[i].verb) == 0, requests[i].text);
            CHECK_OF(strcmp(request.arguments, requests[i].arguments) == 0, requests[i].text);
        }
    }
    struct control_request full = {.length = sizeof full.text};
    memset(full.text, 'a', sizeof full.text);
    memcpy(full.text, "catprobe/1 ", 11);
    CHECK_OF(control_request_parse(&full, error, sizeof error) == CONTROL_MALFORMED,
             "longer than the buffer");
    struct control_request zero = {.length = 20};
    memcpy(zero.text, "catprobe/1 stat\0us\n", 20);
    CHECK_OF(control_request_parse(&zero, error, sizeof error) == CONTROL_MALFORMED, "a zero byte");
}

/* Sends a text with so many descriptors. */
static void send_with(int fd, const char *text, int count) {
    int descriptors[4] = {0, 0, 0, 0};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof descriptors)];
    } control;
    struct iovec vector = {.iov_base = (char *)text, .iov_len = strlen(text)};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    memset(&control, 0, sizeof control);
    if (count > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
        memcpy(CMSG_DATA(header), descriptors, (size_t)count * sizeof(int));
    }
    CHECK_OF(sendmsg(fd, &message, 0) == (ssize_t)strlen(text), text);
}

/* As many as a request may have are kept, close-on-exec; with more it is refused, and no descriptor is left
 * open. */
static void test_descriptors(void) {
    for (int count = 0; count <= 4; count++) {
        int pair[2], before = dup(0);
        char error[CONTROL_ERROR_MAX] = "";
        struct control_request request = {.length = 0};
        close(before);
        CHECK_OF(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "a pair of sockets");
        send_with(pair[0], "catprobe/2 tr", count);
        enum control_progress progress = control_receive(pair[1], &request, error, sizeof error);
        bool fits = count <= CONTROL_DESCRIPTORS_MAX;
        CHECK_OF(progress == (fits ? CONTROL_INCOMPLETE : CONTROL_MALFORMED), error);
        if (fits) {
            send_with(pair[0], "ace pid=1\n", 0);
            CHECK_OF(control_receive(pair[1], &request, error, sizeof error) == CONTROL_COMPLETE, error);
            CHECK_OF(request.descriptors == count, "the descriptors that were sent");
            for (int i = 0; i < count; i++)
                CHECK_OF((fcntl(request.descriptor[i], F_GETFD) & FD_CLOEXEC) != 0, "close-on-exec");
        }
        control_request_close(&request);
        close(pair[0]);
        close(pair[1]);
        int after = dup(0);
        CHECK_OF(after == before, "no descriptor is left open");
        close(after);
    }
}

static void test_reply(void) {
    static struct control_reply reply;
    control_reply_begin(&reply, 1);
    control_reply_add(&reply, "key", "%s", "a\nb\033c");
    control_reply_end(&reply);
    static const char expected[] = "catprobe/1 ok\nkey a?b?c\n\n";
    CHECK_OF(reply.length == sizeof expected - 1 && memcmp(reply.text, expected, reply.length) == 0, "reply");

    control_reply_error(&reply, "no %s", "such\nverb");
    static const char refusal[] = "catprobe/1 error no such?verb\n";
    CHECK_OF(reply.length == sizeof refusal - 1 && memcmp(reply.text, refusal, reply.length) == 0, "refusal");
}

/* Lines of every length around the end of the buffer: whole lines or none, and the last two say how many are
 * lost. */
static void test_truncation(void) {
    static struct control_reply reply;
    static char value[CONTROL_REPLY_MAX + 10];
    memset(value, 'v', sizeof value);
    for (int length = CONTROL_REPLY_MAX - 80; length < CONTROL_REPLY_MAX + 10; length++) {
        control_reply_begin(&reply, 1);
        control_reply_add(&reply, "long", "%.*s", length, value);
        control_reply_add(&reply, "short", "1");
        control_reply_end(&reply);
        CHECK_OF(reply.length <= CONTROL_REPLY_MAX, "within the buffer");
        CHECK_OF(memcmp(reply.text + reply.length - 2, "\n\n", 2) == 0, "ends with an empty line");
        bool told = memmem(reply.text, reply.length, "\ntruncated 1\n", 13) != NULL;
        bool whole = memmem(reply.text, reply.length, "vv\n", 3) != NULL;
        bool little = memmem(reply.text, reply.length, "\nshort 1\n", 9) != NULL;
        CHECK_OF(told == (reply.truncated == 1), "truncation is told");
        CHECK_OF(reply.truncated == 2u - (unsigned)whole - (unsigned)little, "and counted");
    }
}

int main(void) {
    control_init();
    test_names();
    test_alive();
    test_requests();
    test_descriptors();
    test_reply();
    test_truncation();
    return failures == 0 ? 0 : 1;
}
