/*
 * escape.c: strings for XML, scripts, collapsed stacks.
 */
#include "escape.h"

static bool is_control(char c) {
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static void put_visible(struct text *out, char c) {
    if (is_control(c)) {
        text_format(out, "\\x%02x", (unsigned)(unsigned char)c);
    } else {
        text_char(out, c);
    }
}

void escape_control(struct text *out, const char *string) {
    for (; *string != '\0'; string++) {
        put_visible(out, *string);
    }
}

void escape_xml(struct text *out, const char *string) {
    static const struct {
        const char *character, *replacement;
    } entities[] = {
        {"&", "&amp;"},
        {"<", "&lt;"},
        {">", "&gt;"},
        {"\"", "&quot;"},
        {"'", "&#39;"},
        {"\xef\xbf\xbe", "\\ufffe"}, /* which XML cannot have */
        {"\xef\xbf\xbf", "\\uffff"},
    };
    while (*string != '\0') {
        size_t taken = 0;
        for (size_t i = 0; i < sizeof entities / sizeof entities[0] && taken == 0; i++) {
            size_t length = strlen(entities[i].character);
            if (strncmp(string, entities[i].character, length) == 0) {
                text_string(out, entities[i].replacement);
                taken = length;
            }
        }
        if (taken == 0) {
            put_visible(out, *string);
        }
        string += taken == 0 ? 1 : taken;
    }
}

void escape_script(struct text *out, const char *string) {
    struct text json = {.data = NULL};
    text_json(&json, string, strlen(string));
    for (size_t i = 0; i < json.length; i++) {
        if (json.data[i] == '<') {
            text_string(out, "\\u003c");
        } else {
            text_char(out, json.data[i]);
        }
    }
    out->failed |= json.failed;
    text_free(&json);
}

void escape_collapsed(struct text *out, const char *string) {
    for (; *string != '\0'; string++) {
        if (*string == ';') {
            text_char(out, ',');
        } else {
            put_visible(out, *string);
        }
    }
}
