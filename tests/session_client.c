/*
 * session_client: what a consumer needs besides a socket, as a library for the tests' ctypes: compiles D,
 * makes the memory files of a session, and prints what was recorded. One thread.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "consumer/consumer.h"
#include "dlang/dlang.h"
#include "engine/arena.h"
#include "probes.h"
#include "program/program.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct client {
    unsigned pid;
    struct program_header *program; /* owned */
    struct arena *arena;
    int arena_file;
    struct consumer *consumer;
    FILE *out;  /* a stream into text */
    char *text; /* all that was printed */
    size_t length;
    char provider[32];
    char problem[1024]; /* why the client is no good; "" if it is */
};

enum { FIRST_ID = 10 };

static unsigned match(void *context, const char *provider, const char *module, const char *function,
                      const char *name) {
    (void)context, (void)module, (void)function, (void)name;
    return strncmp(provider, "python", 6) == 0 ? 1 : 0;
}

static const char *argument_type(void *context, const char *provider, const char *name, unsigned index) {
    (void)context, (void)provider, (void)name, (void)index;
    return "int64_t";
}

static bool find_probe(void *context, uint32_t id, struct consumer_probe *probe) {
    struct client *client = context;
    if (id < FIRST_ID || id >= FIRST_ID + PROBE_COUNT)
        return false;
    *probe = (struct consumer_probe){.provider = client->provider, .name = probe_table[id - FIRST_ID].name};
    return true;
}

static bool compile(struct client *client, const char *text, const char *options) {
    struct dlang_source source = {.name = "test.d", .text = text, .kind = 's'};
    struct dlang_settings settings = {
        .sources = &source,
        .source_count = 1,
        .target = client->pid,
        .probes = {.match = match, .argument_type = argument_type},
    };
    struct dlang_problem problem = {{0}, 0, 0, 0};
    struct dlang_result result = {0};
    char each[256], *rest = each;
    for (int i = 0; i < OPTION_COUNT; i++)
        settings.options[i] = OPTION_UNSET;
    snprintf(each, sizeof each, "%s", options);
    for (char *option; (option = strsep(&rest, " "));)
        if (*option) {
            const char *wrong = dlang_option(settings.options, option, false);
            snprintf(client->problem, sizeof client->problem, "%s", wrong ? wrong : "");
            if (wrong)
                return false;
        }
    if (!dlang_compile(&settings, &result, &problem)) {
        snprintf(client->problem, sizeof client->problem, "%s", problem.text);
        return false;
    }
    client->program = result.program;
    free(result.matched);
    return true;
}

/* Compiles a script for a process; options as after -x, separated by blanks. Always returns a client, to be
   closed; see its problem. */
struct client *client_open(const char *text, const char *options, unsigned pid) {
    struct client *client = calloc(1, sizeof *client);
    struct arena_shape shape;
    client->pid = pid;
    client->arena_file = -1;
    snprintf(client->provider, sizeof client->provider, "python%u", pid);
    client->out = open_memstream(&client->text, &client->length);
    if (!compile(client, text, options))
        return client;
    arena_shape_of(&shape, client->program);
    client->arena_file = arena_create(&shape, client->problem, sizeof client->problem);
    if (client->arena_file >= 0)
        client->arena = arena_map(client->arena_file, client->problem, sizeof client->problem);
    struct consumer_settings settings = {
        .out = client->out, .err = client->out, .name = "test", .probe = find_probe, .context = client};
    if (client->arena)
        client->consumer =
            consumer_open(client->program, client->arena, &settings, client->problem, sizeof client->problem);
    return client;
}

const char *client_problem(const struct client *client) {
    return client->problem;
}

const void *client_program(const struct client *client) {
    return client->program;
}

size_t client_program_size(const struct client *client) {
    return client->program->size;
}

int client_arena(const struct client *client) {
    return client->arena_file;
}

/* A memory file with these bytes and seals; the caller closes it. */
int client_memory(const void *bytes, size_t size, int seals) {
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || fcntl(fd, F_ADD_SEALS, seals) != 0)
        return -1;
    return fd;
}

void client_advance(struct client *client, int activity) {
    arena_advance(client->arena, (enum arena_activity)activity);
}

/* Bytes of records that were ever written. */
unsigned long long client_written(const struct client *client) {
    unsigned long long sum = 0;
    for (uint32_t i = 0; i < arena_slots_used(client->arena); i++)
        sum += __atomic_load_n(&arena_slot(client->arena, i)->written, __ATOMIC_ACQUIRE);
    return sum;
}

/* All that was printed so far. Borrowed until the next call. */
const char *client_read(struct client *client) {
    consumer_pass(client->consumer, UINT64_MAX);
    fflush(client->out);
    return client->text;
}

/* The process has gone or is traced no more: the rest, with the aggregations. */
const char *client_end(struct client *client) {
    consumer_process_gone(client->consumer, client->pid);
    consumer_pass(client->consumer, UINT64_MAX);
    consumer_end(client->consumer);
    fflush(client->out);
    return client->text;
}

void client_close(struct client *client) {
    if (client->consumer)
        consumer_close(client->consumer);
    if (client->arena)
        arena_unmap(client->arena);
    if (client->arena_file >= 0)
        close(client->arena_file);
    fclose(client->out);
    free(client->text);
    free(client->program);
    free(client);
}
