/*
 * Unit test of the limits of memory that control groups set: process_test FOLDER, which is made, with the
 * files of both versions of control groups. Silent when all is well.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "command/process.h"

#include <stdio.h>
#include <sys/stat.h>

static int failures;

static void file(const char *mount, const char *name, const char *text) {
    char path[1000];
    snprintf(path, sizeof path, "%s/%s", mount, name);
    FILE *stream = text ? fopen(path, "w") : NULL;
    if (stream) {
        fputs(text, stream);
        fclose(stream);
    } else if (mkdir(path, 0755) != 0) {
        perror(path);
        failures++;
    }
}

static const struct {
    const char *groups;
    unsigned long long limit;
} cases[] = {
    {"0::/pod/small\n", 1000000},
    {"0::/pod/unlimited\n", 5000000}, /* that of the group above */
    {"0::/\n", 0},
    {"0::/of/another/namespace\n", 0},
    {"5:devices:/pod\n4:memory:/job\n0::/\n", 3000000},
    {"4:memory:/\n", 0}, /* as good as none */
    {"4:memory:/elsewhere", 0},
    {"", 0},
    {"nonsense\n::\n0:\n", 0},
};

int main(int count, char **arguments) {
    const char *mount = count > 1 ? arguments[1] : "";
    file(mount, "", NULL);
    file(mount, "pod", NULL);
    file(mount, "pod/small", NULL);
    file(mount, "pod/unlimited", NULL);
    file(mount, "memory", NULL);
    file(mount, "memory/job", NULL);
    file(mount, "pod/memory.max", "5000000\n");
    file(mount, "pod/small/memory.max", "1000000\n");
    file(mount, "pod/unlimited/memory.max", "max\n");
    file(mount, "memory/memory.limit_in_bytes", "9223372036854771712\n");
    file(mount, "memory/job/memory.limit_in_bytes", "3000000\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned long long limit = memory_limit(cases[i].groups, mount);
        if (limit != cases[i].limit) {
            printf("%s: %llu, not %llu\n", cases[i].groups, limit, cases[i].limit);
            failures++;
        }
    }
    return failures != 0;
}
