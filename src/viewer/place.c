/*
 * Where code is, in few words.
 */
#include "place.h"

#include "command/command.h"

#include <stdio.h>
#include <string.h>

/* Behind the folder that the path has last, of those named so: "lib/python3.11/", "site-packages/". */
static const char *behind_library(const char *path) {
    static const char *const packages[] = {"/site-packages/", "/dist-packages/"};
    const char *found = NULL;
    for (size_t i = 0; i < sizeof packages / sizeof packages[0]; i++) {
        const char *at = strstr(path, packages[i]);
        if (at != NULL) {
            found = at + strlen(packages[i]);
        }
    }
    const char *library = strstr(path, "/lib/python");
    if (found == NULL && library != NULL) {
        const char *slash = strchr(library + strlen("/lib/python"), '/');
        found = slash == NULL ? NULL : slash + 1;
    }
    return found;
}

const char *place_file(const char *path) {
    const char *library = behind_library(path);
    if (library != NULL && *library != '\0') {
        return library;
    }
    const char *base = strrchr(path, '/');
    if (base == NULL || base == path) {
        return base == NULL ? path : base + 1;
    }
    if (strcmp(base, "/__init__.py") != 0 && strcmp(base, "/__main__.py") != 0) {
        return base + 1;
    }
    do {
        base--;
    } while (base > path && *base != '/');
    return *base == '/' ? base + 1 : base;
}

char *place_text(const char *function, const char *file, uint32_t line) {
    size_t size = strlen(function) + strlen(file) + 32;
    char *text = command_allocate(size, 1);
    const char *name = place_file(file);
    if (*file == '\0') {
        snprintf(text, size, "%s", function);
    } else if (line == 0) {
        snprintf(text, size, "%s (%s)", function, name);
    } else {
        snprintf(text, size, "%s (%s:%lu)", function, name, (unsigned long)line);
    }
    return text;
}
