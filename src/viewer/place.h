/*
 * place.h: how people are told where code is: "find (demo.py:28)".
 */
#ifndef VIEWER_PLACE_H
#define VIEWER_PLACE_H

#include <stdint.h>

/* The end of a file's path that tells it from others: behind the standard library's or the site-packages
 * folder, else its base name, with the folder's for __init__.py and __main__.py. Part of `path`. */
const char *place_file(const char *path);

/* "function (file:line)", without the line if it is 0, without all of it if there is no file. The caller
 * frees it. */
char *place_text(const char *function, const char *file, uint32_t line);

#endif
