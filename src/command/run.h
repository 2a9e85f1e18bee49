/*
 * run.h: becoming a program whose Pythons can be traced, for `catprobe run` and for programs started to be
 * traced.
 */
#ifndef RUN_H
#define RUN_H

#include <stdbool.h>

/* Whether run_become would find this program. */
bool run_found(const char *program);

/* Prepares the environment and becomes the program of these words (NULL at the end); a script.py that cannot
   be executed is run by the Python of this installation, if there is one. Returns only on failure, with the
   errno. */
int run_become(char *const *words);

#endif
