/*
 * dlang_compile.c: the compiler of D alone, as a command for tests: compiles a script or a -n text with macro
 * arguments, verifies what it made, and prints the program or the error as dtrace words it.
 *
 *     dlang_compile [-q] [-Z] [-w] [-x option]... [-t] [-l] -s FILE | -n TEXT ... [arguments]
 */
#include "dlang/dlang.h"
#include "program/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SOURCES_MAX = 16 };

/* The probes of the command itself, and of the python provider when there is a target. */
static unsigned match(void *context, const char *provider, const char *module, const char *function,
                      const char *name) {
    static const char *const names[] = {"BEGIN", "END", "ERROR"};
    const uint32_t *target = context;
    unsigned count = 0, number;
    char unit[8] = "", rest;
    if (*module == '\0' && *function == '\0')
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            count += program_glob(provider, "dtrace") && program_glob(name, names[i]);
    if (sscanf(name, "tick-%u%7[a-z]%c", &number, unit, &rest) >= 1 && number > 0 &&
        (unit[0] == '\0' || strstr(" ns us ms s sec m h d hz nsec usec msec min hour day ", unit)) &&
        program_glob(provider, "profile"))
        count++;
    if (*target && strncmp(provider, "python", 6) == 0)
        count++;
    return count;
}

static const char *argument_type(void *context, const char *provider, const char *name, unsigned index) {
    static const char *const types[] = {"string", "string", "int"};
    (void)context;
    (void)name;
    return strncmp(provider, "python", 6) == 0 && index < 3 ? types[index] : NULL;
}

static char *read_file(const char *name) {
    FILE *file = fopen(name, "r");
    if (!file)
        return NULL;
    char *text = calloc(1, 1 << 20);
    if (text)
        text[fread(text, 1, (1 << 20) - 1, file)] = '\0';
    fclose(file);
    return text;
}

static int report(const struct dlang_settings *settings, const struct dlang_problem *problem) {
    const struct dlang_source *source = &settings->sources[problem->source];
    if (source->name)
        printf("dtrace: failed to compile script %s: %s\n", source->name, problem->text);
    else
        printf("dtrace: invalid probe specifier %s: %s\n", source->text, problem->text);
    return 1;
}

int main(int argc, char **argv) {
    struct dlang_source sources[SOURCES_MAX] = {{0}};
    uint32_t target = 0;
    struct dlang_settings settings = {.sources = sources, .probes = {match, argument_type, NULL, &target}};
    char *texts[SOURCES_MAX] = {NULL};
    const char *wrong;
    char problem_text[256];
    bool list = false;
    for (int i = 0; i < OPTION_COUNT; i++)
        settings.options[i] = OPTION_UNSET;
    int option;
    while ((option = getopt(argc, argv, "+qZwtlx:s:n:p:")) != -1) {
        struct dlang_source *source = &sources[settings.source_count];
        switch (option) {
        case 'q':
            settings.options[OPTION_QUIET] = 1;
            break;
        case 'Z':
            settings.zero_matches = true;
            break;
        case 't':
            settings.options[OPTION_ERRTAGS] = 1;
            break;
        case 'l':
            list = true;
            break;
        case 'p':
            settings.target = target = (uint32_t)atoi(optarg);
            break;
        case 'x':
            wrong = dlang_option(settings.options, optarg, false);
            if (wrong) {
                printf("dtrace: failed to set -x %s: %s\n", optarg, wrong);
                return 1;
            }
            break;
        case 's':
            texts[settings.source_count] = read_file(optarg);
            if (!texts[settings.source_count])
                return 3;
            *source = (struct dlang_source){optarg, texts[settings.source_count], false, 's'};
            settings.source_count++;
            break;
        case 'n':
            *source = (struct dlang_source){NULL, optarg, true, 'n'};
            settings.source_count++;
            break;
        case 'w':
            break;
        default:
            return 2;
        }
    }
    settings.arguments = (const char *const *)&argv[optind];
    settings.argument_count = (size_t)(argc - optind);

    struct dlang_result result;
    struct dlang_problem problem;
    int status = 0;
    if (!dlang_compile(&settings, &result, &problem)) {
        status = report(&settings, &problem);
    } else if (!program_check(result.program, result.program->size, problem_text, sizeof problem_text)) {
        printf("the verifier refuses the program: %s\n", problem_text);
        status = 4;
    }
    if (status == 0 || status == 4) {
        char *listing = list ? dlang_listing(result.program) : NULL;
        if (listing)
            fputs(listing, stdout);
        free(listing);
        for (size_t i = 0; list && i < settings.source_count; i++)
            printf("source %zu matched %u\n", i, result.matched[i].probes);
        free(result.program);
        free(result.matched);
    }
    for (size_t i = 0; i < SOURCES_MAX; i++)
        free(texts[i]);
    return status;
}
