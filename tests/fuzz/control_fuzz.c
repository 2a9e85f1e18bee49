/*
 * control_fuzz.c: arbitrary bytes at the control socket: as a request that comes in pieces, as the first line
 * of an answer, as the name of a socket.
 */
#include "agent/control.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The request as the socket gives it: in pieces, of the size that the first byte says. */
static void request(const uint8_t *bytes, size_t size) {
    struct control_request request = {.length = 0};
    size_t piece = size ? 1 + bytes[0] % 64 : 1;
    char error[CONTROL_ERROR_MAX];
    for (size_t at = 0; at < size && request.length < sizeof request.text; at += piece) {
        size_t n = piece;
        if (n > size - at)
            n = size - at;
        if (n > sizeof request.text - request.length)
            n = sizeof request.text - request.length;
        memcpy(request.text + request.length, bytes + at, n);
        request.length += n;
        enum control_progress progress = control_request_parse(&request, error, sizeof error);
        if (progress == CONTROL_COMPLETE) {
            if (request.version < 1 || request.version > CONTROL_VERSION || !*request.verb ||
                strlen(request.verb) + strlen(request.arguments) > sizeof request.text)
                abort();
            return;
        }
        if (progress != CONTROL_INCOMPLETE)
            return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    request(bytes, size);
    char *text = malloc(size + 1);
    memcpy(text, bytes, size);
    text[size] = '\0';
    int version;
    const char *rest;
    if (control_greeting_parse(text, &version, &rest) && (rest < text || rest > text + size))
        abort();
    pid_t pid;
    unsigned long long start;
    if (control_name_parse(text, &pid, &start)) {
        char name[CONTROL_NAME_MAX];
        control_name(name, pid, start);
        if (strcmp(name, text) != 0)
            abort();
    }
    control_clean(text, size);
    free(text);
    return 0;
}
