/*
 * preprocess.c: the script goes to a temporary file, which is the preprocessor's standard input, so that
 * neither side waits for the other.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "preprocess.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_MAX = 64 << 20 };

/* cpp takes #! for a directive that it does not know. */
static const char *behind_interpreter(const char *text) {
    if (strncmp(text, "#!", 2) != 0)
        return text;
    const char *end = strchr(text, '\n');
    return end ? end : text + strlen(text);
}

static FILE *make_input(const char *text) {
    FILE *input = tmpfile();
    if (!input)
        return NULL;
    if (fputs(behind_interpreter(text), input) >= 0 && fflush(input) == 0 && fseek(input, 0, SEEK_SET) == 0)
        return input;
    fclose(input);
    return NULL;
}

static _Noreturn void run(const char *command, int input, int output) {
    if (dup2(input, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0)
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

/* All that was written, with a '\0' behind it; malloc. NULL: no memory, or far too much. */
static char *read_all(FILE *output) {
    if (fseek(output, 0, SEEK_END) != 0)
        return NULL;
    long size = ftell(output);
    if (size < 0 || size > OUTPUT_MAX || fseek(output, 0, SEEK_SET) != 0)
        return NULL;
    char *text = malloc((size_t)size + 1);
    if (!text)
        return NULL;
    size_t length = fread(text, 1, (size_t)size, output);
    text[length] = '\0';
    return text;
}

/* The exit status; -1 with errno when it could not be run. */
static int run_and_wait(const char *command, FILE *input, FILE *output) {
    pid_t child = fork();
    if (child < 0)
        return -1;
    if (child == 0)
        run(command, fileno(input), fileno(output));
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

char *preprocess(const char *command, const struct dlang_source *source, struct memory *memory, char *problem,
                 size_t n) {
    FILE *input = make_input(source->text), *output = tmpfile();
    char *text = NULL, *copy = NULL;
    int status = -1;
    const char *whole = memory_print(memory, "%s /dev/stdin", command);
    if (!input || !output || (status = run_and_wait(whole, input, output)) < 0)
        snprintf(problem, n, "failed to run preprocessor: %s", strerror(errno));
    else if (status == 127)
        snprintf(problem, n, "Preprocessor not found");
    else if (status != 0)
        snprintf(problem, n, "Preprocessor failed to process input program");
    else if (!(text = read_all(output)))
        snprintf(problem, n, "failed to read what the preprocessor wrote");
    if (input)
        fclose(input);
    if (output)
        fclose(output);
    if (text)
        copy = memory_copy(memory, text, strlen(text));
    free(text);
    return copy;
}
