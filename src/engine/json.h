/*
 * json.h: D's json(): finds an element in a text of JSON, without memory of its own.
 */
#ifndef ENGINE_JSON_H
#define ENGINE_JSON_H

#include <stddef.h>

/* `path` is like "foo.bar[2].baz". Returns the element as it is written, a string without its quotes (escapes
   are kept as they are), and its length; borrowed from `text`. NULL: there is no such element, or this is not
   JSON. */
const char *json_find(const char *text, size_t length, const char *path, size_t path_length, size_t *found);

#endif
