/*
 * dlang_fuzz.c: any text, given as a script or by -n, with macro arguments: it compiles to a program that the
 * verifier accepts, or it is refused in a line; nothing is leaked and nothing undefined happens.
 */
#include "dlang/dlang.h"
#include "program/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static unsigned match(void *context, const char *provider, const char *module, const char *function,
                      const char *name) {
    (void)context, (void)provider, (void)module, (void)function, (void)name;
    return 1;
}

static const char *argument_type(void *context, const char *provider, const char *name, unsigned index) {
    static const char *const types[] = {"string", "int32_t", "void *"};
    (void)context, (void)provider, (void)name;
    return index < sizeof types / sizeof *types ? types[index] : NULL;
}

static void compile(const char *text, char kind) {
    static const char *const arguments[] = {"1", "name", "a string"};
    struct dlang_source source = {kind == 's' ? "script.d" : NULL, text, kind != 's', kind};
    struct dlang_settings settings = {.sources = &source,
                                      .source_count = 1,
                                      .arguments = arguments,
                                      .argument_count = sizeof arguments / sizeof *arguments,
                                      .target = 1,
                                      .probes = {match, argument_type, NULL}};
    for (size_t i = 0; i < OPTION_COUNT; i++)
        settings.options[i] = OPTION_UNSET;
    struct dlang_result result = {0};
    struct dlang_problem problem = {{0}, 0, 0, 0};
    if (dlang_compile(&settings, &result, &problem)) {
        char why[256];
        if (!program_check(result.program, result.program->size, why, sizeof why)) {
            fprintf(stderr, "the verifier refuses what was compiled: %s\n", why);
            abort();
        }
    } else if (problem.text[0] == '\0') {
        fprintf(stderr, "refused without a word\n");
        abort();
    }
    free(result.program);
    free(result.matched);
}

/* The last $1, $2, $3 of this keeps all of the arguments in use, so that more than the message about that
   is tried. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const char tail[] = "\nEND /$$1 == $$2 || $$3 != \"\"/ { }\n";
    char *text = malloc(size + sizeof tail);
    if (!text)
        return 0;
    memcpy(text, bytes, size);
    memcpy(text + size, tail, sizeof tail);
    compile(text, 's');
    compile(text, 'n');
    free(text);
    return 0;
}
