/*
 * calls.c: the table of functions, and the checks of a call that its prototype alone can make.
 */
#include "calls.h"
#include "compile.h"

#include <string.h>

const struct function functions[] = {
#define SUBROUTINE(name, text, result, operands, fewest, type, prototype)                                    \
    {text, FUNCTION_SUBROUTINE, SUBROUTINE_##name, fewest, sizeof operands - 1, type, prototype},
    PROGRAM_SUBROUTINES(SUBROUTINE)
#undef SUBROUTINE
#define AGGREGATING(name, text, fewest, most)                                                                \
    {text, FUNCTION_AGGREGATING, AGGREGATING_##name, fewest, most, "aggregation", ""},
        PROGRAM_AGGREGATING(AGGREGATING)
#undef AGGREGATING
            {"chill", FUNCTION_ACTION, ACTION_CHILL, 1, 1, "void", "int"},
    {"clear", FUNCTION_ACTION, ACTION_CLEAR, 1, 1, "void", "*"},
    {"commit", FUNCTION_ACTION, ACTION_COMMIT, 1, 1, "void", "int"},
    {"denormalize", FUNCTION_ACTION, ACTION_DENORMALIZE, 1, 1, "void", "*"},
    {"discard", FUNCTION_ACTION, ACTION_DISCARD, 1, 1, "void", "int"},
    {"exit", FUNCTION_ACTION, ACTION_EXIT, 1, 1, "void", "int"},
    {"freopen", FUNCTION_ACTION, ACTION_FREOPEN, 1, ANY_NUMBER, "void", "*"},
    {"func", FUNCTION_ACTION, ACTION_SYMBOL, 1, 1, "symaddr", "uintptr_t"},
    {"ftruncate", FUNCTION_ACTION, ACTION_FTRUNCATE, 0, 0, "void", ""},
    {"jstack", FUNCTION_ACTION, ACTION_STACK, 0, 2, "stack", "uint32_t,uint32_t"},
    {"mod", FUNCTION_ACTION, ACTION_SYMBOL, 1, 1, "symaddr", "uintptr_t"},
    {"normalize", FUNCTION_ACTION, ACTION_NORMALIZE, 2, 2, "void", "*,uint64_t"},
    {"panic", FUNCTION_ACTION, ACTION_UNSUPPORTED, 0, 0, "void", ""},
    {"breakpoint", FUNCTION_ACTION, ACTION_UNSUPPORTED, 0, 0, "void", ""},
    {"print", FUNCTION_ACTION, ACTION_PRINT, 1, 1, "void", "void *"},
    {"printa", FUNCTION_ACTION, ACTION_PRINTA, 1, ANY_NUMBER, "void", "*"},
    {"printf", FUNCTION_ACTION, ACTION_PRINTF, 1, ANY_NUMBER, "void", "string"},
    {"return", FUNCTION_ACTION, ACTION_UNSUPPORTED, 1, 1, "void", "int"}, /* of illumos' kernel alone */
    {"raise", FUNCTION_ACTION, ACTION_RAISE, 1, 1, "void", "int"},
    {"setopt", FUNCTION_ACTION, ACTION_SETOPT, 1, 2, "void", "char *,char *"},
    {"speculate", FUNCTION_ACTION, ACTION_SPECULATE, 1, 1, "void", "int"},
    {"stack", FUNCTION_ACTION, ACTION_STACK, 0, 1, "stack", "uint32_t"},
    {"stop", FUNCTION_ACTION, ACTION_STOP, 0, 0, "void", ""},
    {"sym", FUNCTION_ACTION, ACTION_SYMBOL, 1, 1, "symaddr", "uintptr_t"},
    {"system", FUNCTION_ACTION, ACTION_SYSTEM, 1, ANY_NUMBER, "void", "*"},
    {"trace", FUNCTION_ACTION, ACTION_TRACE, 1, 1, "void", "*"},
    {"tracemem", FUNCTION_ACTION, ACTION_TRACEMEM, 2, 3, "void", "*,size_t,size_t"},
    {"trunc", FUNCTION_ACTION, ACTION_TRUNC, 1, 2, "void", "*,int64_t"},
    {"uaddr", FUNCTION_ACTION, ACTION_SYMBOL, 1, 1, "symaddr", "uintptr_t"},
    {"ufunc", FUNCTION_ACTION, ACTION_SYMBOL, 1, 1, "symaddr", "uintptr_t"},
    {"umod", FUNCTION_ACTION, ACTION_SYMBOL, 1, 1, "symaddr", "uintptr_t"},
    {"ustack", FUNCTION_ACTION, ACTION_STACK, 0, 2, "stack", "uint32_t,uint32_t"},
    {"usym", FUNCTION_ACTION, ACTION_SYMBOL, 1, 1, "symaddr", "uintptr_t"},
};
const unsigned function_count = sizeof functions / sizeof *functions;

void cook_count(struct compilation *compilation, const struct node *node, const char *name,
                const char *brackets, const char *things, unsigned given, unsigned fewest, unsigned most) {
    if (given >= fewest && (most == ANY_NUMBER || given <= most))
        return;
    const char *least = fewest == most ? "" : given < fewest ? "at least " : "at most ";
    compile_fail(compilation, node, "D_PROTO_LEN", "%s%s prototype mismatch: %u %s%s passed, %s%u expected",
                 name, brackets, given, things, given == 1 ? "" : "s", least, given < fewest ? fewest : most);
}

/* The next type of a prototype, and the cursor behind it; NULL for any type. */
static const struct type *next_type(struct compilation *compilation, const char **prototype) {
    char name[64];
    size_t length = strcspn(*prototype, ",");
    memcpy(name, *prototype, length);
    name[length] = '\0';
    *prototype += length + ((*prototype)[length] == ',');
    return *name == '\0' || *name == '*' ? NULL : type_named(compilation->types, name);
}

/* What can be said of alloca, bcopy and copyinto before they run. */
static void check_memory(struct compilation *compilation, const struct node *call, unsigned subroutine) {
    const struct node *first = call->list, *second = first ? first->next : NULL, *destination = NULL;
    int64_t room = compile_option(compilation, OPTION_SCRATCHSIZE);
    if (subroutine == SUBROUTINE_ALLOCA && first && first->kind == NODE_INTEGER &&
        first->value > (uint64_t)room)
        compile_fail(compilation, call, "D_ALLOCA_SIZE", "alloca(%llu) size larger than scratchsize %lld",
                     (unsigned long long)first->value, (long long)room);
    if (subroutine == SUBROUTINE_BCOPY)
        destination = second;
    else if (subroutine == SUBROUTINE_COPYINTO && second)
        destination = second->next;
    if (destination && !destination->is_alloca)
        compile_fail(compilation, call, "D_PROTO_ARG",
                     "%s( ) argument #%d is incompatible with prototype:\n\tprototype: alloca pointer\n"
                     "\t argument: non-alloca pointer",
                     call->text, destination == second ? 2 : 3);
}

void cook_call(struct compilation *compilation, struct node *call) {
    const struct function *function = &functions[call->identifier->index];
    for (struct node *argument = call->list; argument; argument = argument->next)
        cook(compilation, argument, USE_READ);
    unsigned count = node_count(call->list);
    bool is_checked_later = function->kind == FUNCTION_AGGREGATING && count > function->most;
    if (!is_checked_later)
        cook_count(compilation, call, function->name, "( )", "arg", count, function->fewest, function->most);
    const char *prototype = function->prototype;
    unsigned number = 0;
    for (const struct node *argument = call->list; argument; argument = argument->next) {
        const struct type *wanted = next_type(compilation, &prototype);
        number++;
        if (!wanted || cook_accepts(compilation, wanted, argument))
            continue;
        char text[128];
        compile_fail(compilation, call, "D_PROTO_ARG",
                     "%s( ) argument #%u is incompatible with prototype:\n\tprototype: %s\n\t argument: %s",
                     function->name, number, type_print(wanted, text, sizeof text),
                     cook_describe(compilation, argument));
    }
    call->type = type_named(compilation->types, function->result);
    if (function->kind != FUNCTION_SUBROUTINE)
        return;
    check_memory(compilation, call, function->index);
    if (function->index == SUBROUTINE_COPYOUT || function->index == SUBROUTINE_COPYOUTSTR)
        compilation->is_destructive = true;
}
