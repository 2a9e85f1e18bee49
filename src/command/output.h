/*
 * output.h: a file that a verb makes as a whole: it takes the place of an older one only when all of it is
 * there.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the file can be made, as far as that can be known now. False after a message. */
bool output_check(const char *path);

/* Makes the file. What is there under this name and is no regular file, such as a pipe or /dev/stdout, is
 * written into. False after a message: an older file is as it was, and nothing is left half. */
bool output_write(const char *path, const char *bytes, size_t length);

#endif
