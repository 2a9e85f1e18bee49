/*
 * json.c: see json.h. A cursor goes forward over values; those that the path does not name are skipped.
 */
#include "json.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { DEPTH_MAX = 64 };

struct json {
    const char *at, *end;
};

static void skip_space(struct json *json) {
    while (json->at < json->end && strchr(" \t\r\n", *json->at) && *json->at)
        json->at++;
}

static bool accept(struct json *json, char c) {
    skip_space(json);
    if (json->at >= json->end || *json->at != c)
        return false;
    json->at++;
    return true;
}

/* A string, behind its first quote; the cursor goes behind its last one. */
static bool skip_string(struct json *json, const char **text, size_t *length) {
    *text = json->at;
    for (; json->at < json->end; json->at++) {
        if (*json->at == '\\') {
            json->at++;
        } else if (*json->at == '"') {
            *length = (size_t)(json->at - *text);
            json->at++;
            return true;
        }
    }
    return false;
}

/* A number, true, false or null. */
static bool skip_word(struct json *json) {
    const char *first = json->at;
    while (json->at < json->end && *json->at && !strchr(" \t\r\n,:]}[{\"", *json->at))
        json->at++;
    return json->at > first;
}

static bool skip_value(struct json *json) {
    const char *text;
    size_t length;
    unsigned depth = 0;
    do {
        skip_space(json);
        if (json->at >= json->end)
            return false;
        char c = *json->at;
        if (c == '"') {
            json->at++;
            if (!skip_string(json, &text, &length))
                return false;
        } else if (c == '{' || c == '[') {
            json->at++;
            if (++depth > DEPTH_MAX)
                return false;
        } else if (c == '}' || c == ']') {
            json->at++;
            if (!depth--)
                return false;
        } else if (c == ',' || c == ':') {
            if (!depth)
                return false;
            json->at++;
        } else if (!skip_word(json)) {
            return false;
        }
    } while (depth);
    return true;
}

/* Moves the cursor to the value of a member of the object that begins here. */
static bool enter_member(struct json *json, const char *name, size_t name_length) {
    const char *text;
    size_t length;
    if (!accept(json, '{'))
        return false;
    while (accept(json, '"')) {
        if (!skip_string(json, &text, &length) || !accept(json, ':'))
            return false;
        if (length == name_length && memcmp(text, name, length) == 0)
            return true;
        if (!skip_value(json) || !accept(json, ','))
            return false;
    }
    return false;
}

static bool enter_element(struct json *json, uint64_t index) {
    if (!accept(json, '['))
        return false;
    for (; index; index--) {
        if (!skip_value(json) || !accept(json, ','))
            return false;
    }
    skip_space(json);
    return json->at < json->end && *json->at != ']';
}

/* One step of the path: a name, or an index in brackets; `*path` moves behind it. */
static bool enter(struct json *json, const char **path, const char *end) {
    const char *at = *path;
    if (*at == '[') {
        uint64_t index = 0;
        const char *digits = ++at;
        for (; at < end && *at >= '0' && *at <= '9' && index <= UINT32_MAX; at++)
            index = index * 10 + (uint64_t)(*at - '0');
        if (at == digits || at >= end || *at != ']')
            return false;
        *path = at + 1;
        return enter_element(json, index);
    }
    while (at < end && *at != '.' && *at != '[')
        at++;
    const char *name = *path;
    *path = at;
    return enter_member(json, name, (size_t)(at - name));
}

const char *json_find(const char *text, size_t length, const char *path, size_t path_length, size_t *found) {
    struct json json = {text, text + length};
    const char *end = path + path_length;
    while (path < end) {
        if (!enter(&json, &path, end))
            return NULL;
        if (path < end && *path == '.' && ++path == end)
            return NULL;
    }
    const char *value;
    if (accept(&json, '"'))
        return skip_string(&json, &value, found) ? value : NULL;
    skip_space(&json);
    value = json.at;
    if (!skip_value(&json))
        return NULL;
    *found = (size_t)(json.at - value);
    return value;
}
