/*
 * preprocess.h: -C: the text of a script through the C preprocessor.
 */
#ifndef DLANG_PREPROCESS_H
#define DLANG_PREPROCESS_H

#include "dlang.h"
#include "memory.h"

/* Runs `command` in a shell with the source's text on its standard input. Returns what it writes, in
   `memory`; NULL with a line in `problem` when it cannot be run or fails. Its own messages go to standard
   error. */
char *preprocess(const char *command, const struct dlang_source *source, struct memory *memory, char *problem,
                 size_t n);

#endif
