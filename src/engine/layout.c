/*
 * layout.c: see layout.h. Whoever has the same program finds the same places.
 */
#include "layout.h"

#include "text.h"

static uint64_t scalar_size(const struct program_header *program, const struct program_variable *variable) {
    uint64_t size = 8;
    if (variable->by_address)
        size = variable->size;
    else if (variable->kind == VALUE_STRING)
        size = sizeof(struct text) + (uint64_t)program_option(program, OPTION_STRSIZE) + 1;
    /* Nothing straddles what a C compiler would align. */
    return (size + 15) / 16 * 16;
}

struct layout layout_scalars(const struct program_header *program, enum variable_scope scope,
                             uint64_t *offsets) {
    const struct program_variable *variables = program_entries(program, SECTION_VARIABLES);
    struct layout layout = {0, 0};
    for (int by_address = 0; by_address <= 1; by_address++) {
        if (by_address)
            layout.objects = layout.size;
        for (uint32_t i = 0; i < program_count(program, SECTION_VARIABLES); i++) {
            if (variables[i].scope != scope || variables[i].keys || variables[i].by_address != by_address)
                continue;
            if (offsets)
                offsets[i] = layout.size;
            layout.size += scalar_size(program, &variables[i]);
        }
    }
    return layout;
}

bool layout_has_dynamic(const struct program_header *program) {
    const struct program_variable *variables = program_entries(program, SECTION_VARIABLES);
    for (uint32_t i = 0; i < program_count(program, SECTION_VARIABLES); i++) {
        if (variables[i].scope == SCOPE_GLOBAL && variables[i].keys)
            return true;
    }
    return false;
}
