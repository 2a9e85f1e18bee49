/*
 * check.h: what the unit tests say when something is not as it should be. Silent when all is well; main()
 * returns `failures != 0`.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <string.h>

static int failures;

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);                                           \
            failures++;                                                                                      \
        }                                                                                                    \
    } while (0)

/* Of a row of a table, which `what` names. */
#define CHECK_OF(condition, what)                                                                            \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            printf("%s:%d: %s: %s\n", __FILE__, __LINE__, what, #condition);                                 \
            failures++;                                                                                      \
        }                                                                                                    \
    } while (0)

static inline void same(const char *file, int line, const char *is, const char *should_be) {
    if (strcmp(is, should_be) == 0)
        return;
    printf("%s:%d: is\n%s\nshould be\n%s\n", file, line, is, should_be);
    failures++;
}
#define SAME(is, should_be) same(__FILE__, __LINE__, is, should_be)

#endif
