/*
 * layout.c: writing down the parts of a type, outer parts first.
 */
#include "layout.h"

#include <string.h>

enum { NAME_SIZE = 256 };

struct layout {
    struct memory *memory;
    char *text;
    size_t length, capacity;
};

static void append(struct layout *layout, const char *line) {
    size_t n = strlen(line);
    if (layout->capacity - layout->length <= n) {
        size_t capacity = 2 * (layout->capacity + n) + NAME_SIZE;
        char *text = memory_allocate(layout->memory, capacity);
        if (layout->length)
            memcpy(text, layout->text, layout->length);
        layout->text = text;
        layout->capacity = capacity;
    }
    memcpy(layout->text + layout->length, line, n + 1);
    layout->length += n;
}

static char letter(const struct type *type) {
    switch (type->kind) {
    case TYPE_STRUCT:
    case TYPE_UNION:
        return 's';
    case TYPE_ARRAY:
        return 'a';
    case TYPE_POINTER:
        return 'p';
    case TYPE_FLOAT:
        return 'f';
    default:
        if (!type->is_signed)
            return 'u';
        if (type->is_char && type->size == 1)
            return 'c';
        return 'i';
    }
}

static void append_line(struct layout *layout, unsigned depth, size_t offset, size_t size, char kind,
                        const char *member, const struct type *type) {
    char name[NAME_SIZE];
    append(layout, memory_print(layout->memory, "%u,%zu,%zu,%c,%s,%s\n", depth, offset, size, kind,
                                member ? member : "", type_print(type, name, sizeof name)));
}

static void append_type(struct layout *layout, unsigned depth, size_t offset, const char *member,
                        const struct type *type) {
    const struct type *real = type_resolve(type);
    append_line(layout, depth, offset, real->size, letter(real), member, type);
    if (real->kind == TYPE_ARRAY)
        append_type(layout, depth + 1, 0, NULL, real->base);
    if (real->kind != TYPE_STRUCT && real->kind != TYPE_UNION)
        return;
    for (size_t i = 0; i < real->count; i++) {
        const struct type_member *inner = &real->members[i];
        if (inner->bits)
            append_line(layout, depth + 1, 8 * inner->offset, inner->bits,
                        type_resolve(inner->type)->is_signed ? 'b' : 'B', inner->name, inner->type);
        else
            append_type(layout, depth + 1, inner->offset, inner->name, inner->type);
    }
}

const char *layout_print(struct memory *memory, const struct type *type) {
    char name[NAME_SIZE];
    struct layout layout = {.memory = memory};
    append(&layout, type_print(type, name, sizeof name));
    if (type_is_by_address(type)) {
        append(&layout, "\n");
        append_type(&layout, 0, 0, NULL, type);
    }
    return layout.text;
}
