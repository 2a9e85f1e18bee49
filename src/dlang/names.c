/*
 * names.c: from a name to what it stands for, and what a name becomes known as by a declaration or by its
 * first assignment. An inline, and a translated member, is replaced by a copy of its definition.
 */
#include "names.h"
#include "constants.h"
#include "psinfo.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- copies of definitions, for inlines and translators --- */

/* What a parameter stands for while a definition is copied. */
struct substitute {
    const struct substitute *next;
    const char *name;
    const struct node *value; /* not yet cooked */
    const struct type *type;  /* to which it is cast */
};

static struct node *copy(struct compilation *compilation, const struct node *node,
                         const struct substitute *substitutes);

static struct node *copy_list(struct compilation *compilation, const struct node *list,
                              const struct substitute *substitutes) {
    struct node *first = NULL, **last = &first;
    for (; list; list = list->next) {
        *last = copy(compilation, list, substitutes);
        last = &(*last)->next;
    }
    return first;
}

static struct node *make_cast(struct compilation *compilation, const struct node *place, struct node *value,
                              const struct type *type) {
    struct node *cast = memory_allocate(compilation->memory, sizeof *cast);
    *cast = (struct node){.kind = NODE_CAST,
                          .line = place->line,
                          .column = place->column,
                          .source = place->source,
                          .left = value,
                          .type = type};
    return cast;
}

static struct node *copy(struct compilation *compilation, const struct node *node,
                         const struct substitute *substitutes) {
    if (!node)
        return NULL;
    if (node->kind == NODE_NAME && node->scope == NODE_GLOBAL)
        for (const struct substitute *substitute = substitutes; substitute; substitute = substitute->next)
            if (strcmp(substitute->name, node->text) == 0) {
                struct node *value = copy(compilation, substitute->value, NULL);
                return type_is_by_address(substitute->type)
                           ? value
                           : make_cast(compilation, node, value, substitute->type);
            }
    struct node *result = memory_allocate(compilation->memory, sizeof *result);
    *result = *node;
    result->next = NULL;
    result->left = copy(compilation, node->left, substitutes);
    result->right = copy(compilation, node->right, substitutes);
    result->condition = copy(compilation, node->condition, substitutes);
    result->list = copy_list(compilation, node->list, substitutes);
    return result;
}

/* `node` becomes `definition`, but stays where it is. */
static void replace(struct node *node, const struct node *definition) {
    struct node *next = node->next;
    unsigned line = node->line, column = node->column, source = node->source;
    *node = *definition;
    node->next = next;
    node->line = line;
    node->column = column;
    node->source = source;
}

static void expand_inline(struct compilation *compilation, struct node *node,
                          const struct identifier *identifier) {
    const struct substitute *substitutes = NULL;
    const struct node *argument = node->list;
    const struct node *parameter = identifier->parameters; /* as many as there are arguments */
    for (; parameter && argument; parameter = parameter->next) {
        struct substitute *substitute = memory_allocate(compilation->memory, sizeof *substitute);
        *substitute = (struct substitute){substitutes, parameter->text, argument, parameter->type};
        substitutes = substitute;
        argument = argument->next;
    }
    struct node *definition = copy(compilation, identifier->expression, substitutes);
    cook(compilation, definition, USE_READ);
    struct node *cast = definition;
    bool is_number = definition->kind == NODE_INTEGER; /* keeps its own type, as in DTrace */
    if (!is_number && !type_same(identifier->type, definition->type) &&
        !type_is_by_address(identifier->type)) {
        cast = make_cast(compilation, node, definition, identifier->type);
        cook(compilation, cast, USE_READ);
    }
    replace(node, cast);
    node->is_lvalue = false;
}

/* --- keys --- */

static const char *keyed_name(struct compilation *compilation, const struct identifier *identifier) {
    return memory_print(compilation->memory, "%s%s", identifier->kind == IDENTIFIER_AGGREGATION ? "@" : "",
                        identifier->name);
}

/* Checks the keys against those that the name was first used with; the first use sets them. */
static void check_keys(struct compilation *compilation, const struct node *node,
                       struct identifier *identifier, struct node *keys) {
    unsigned count = node_count(keys), number = 0;
    const char *name = keyed_name(compilation, identifier);
    if (!identifier->has_keys) {
        if (count > PROGRAM_KEYS_MAX)
            compile_fail(compilation, node, "D_PROTO_LEN", "%s[ ] has %u keys; at most %d are possible", name,
                         count, PROGRAM_KEYS_MAX);
        identifier->keys = memory_allocate(compilation->memory, (count + 1) * sizeof *identifier->keys);
        for (const struct node *key = keys; key; key = key->next) {
            enum type_kind kind = type_resolve(key->type)->kind;
            bool good = type_is_scalar(key->type) || type_is_text(key->type) || kind == TYPE_STACK ||
                        kind == TYPE_SYMBOL ||
                        (identifier->kind == IDENTIFIER_ARRAY && type_is_by_address(key->type));
            number++;
            if (!good || cook_is_dynamic(key))
                compile_fail(
                    compilation, node, "D_KEY_TYPE", "%s expression may not be used as %s index: key #%u",
                    cook_describe(compilation, key),
                    identifier->kind == IDENTIFIER_AGGREGATION ? "aggregation" : "associative array", number);
            identifier->keys[number - 1] = key->type;
        }
        identifier->key_count = count;
        identifier->has_keys = true;
        return;
    }
    cook_count(compilation, node, name, "[ ]", "key", count, identifier->key_count, identifier->key_count);
    for (const struct node *key = keys; key; key = key->next) {
        const struct type *wanted = identifier->keys[number++];
        char text[128];
        if (!cook_accepts(compilation, wanted, key))
            compile_fail(compilation, node, "D_PROTO_ARG",
                         "%s[ ] key #%u is incompatible with prototype:\n\tprototype: %s\n\t      key: %s",
                         name, number, type_print(wanted, text, sizeof text),
                         cook_describe(compilation, key));
    }
}

/* --- variables --- */

static void cook_kernel(struct compilation *compilation, struct node *node);

static const struct type *dynamic(struct compilation *compilation) {
    return type_inner(compilation->types, TYPE_DYNAMIC);
}

void name_learn_type(struct node *node, const struct type *type) {
    node->identifier->type = type;
    node->type = type;
}

static _Noreturn void fail_unassigned(struct compilation *compilation, const struct node *node,
                                      enum identifier_space space) {
    compile_fail(compilation, node, "D_VAR_UNDEF", "%s%s has not yet been declared or assigned",
                 identifier_prefix(space), node->text);
}

/* The type of a variable that is found, or made, for this use. */
static void cook_variable(struct compilation *compilation, struct node *node, enum use use) {
    struct identifier *identifier = node->identifier;
    if (!identifier->type && (use & USE_STEP))
        identifier->type = type_named(compilation->types, "int64_t");
    else if (!identifier->type && (use & USE_READ)) {
        struct node name = *node;
        name.text = identifier->name;
        fail_unassigned(compilation, &name, identifier->space);
    }
    node->type = identifier->type ? identifier->type : dynamic(compilation);
    node->is_lvalue = node->is_writable = true;
}

static _Noreturn void fail_reference(struct compilation *compilation, const struct node *node,
                                     const struct identifier *identifier, const char *as) {
    compile_fail(compilation, node, "D_IDENT_BADREF", "%s '%s' may not be referenced as %s",
                 identifier_kind_name(identifier), identifier->name, as);
}

static void cook_builtin(struct compilation *compilation, struct node *node) {
    if (node->identifier->unimplemented)
        compile_fail(compilation, node, "D_IDENT_UNDEF", "built-in variable '%s' not implemented",
                     node->text);
    node->type = node->identifier->type;
    node->is_lvalue = true;
    node->is_writable = false;
}

void name_cook(struct compilation *compilation, struct node *node, enum use use) {
    enum identifier_space space = identifier_space_of(node->scope);
    struct identifier *identifier = identifier_find(compilation->identifiers, space, node->text);
    int64_t value;
    const struct type *type;
    if (!identifier && space == SPACE_GLOBALS &&
        type_enumerator_value(compilation->types, node->text, &value, &type)) {
        node->kind = NODE_INTEGER;
        node->value = (uint64_t)value;
        node->type = type;
        node->is_constant = true;
        return;
    }
    if (!identifier && !(use & (USE_WRITE | USE_STEP))) {
        if (space != SPACE_GLOBALS)
            fail_unassigned(compilation, node, space);
        compile_fail(compilation, node, "D_IDENT_UNDEF", "failed to resolve %s: Unknown variable name",
                     node->text);
    }
    if (!identifier) {
        identifier = identifier_add(compilation->identifiers, space, IDENTIFIER_SCALAR, node->text);
        identifier->line = node->line;
    }
    node->identifier = identifier;
    switch (identifier->kind) {
    case IDENTIFIER_SCALAR:
        cook_variable(compilation, node, use);
        return;
    case IDENTIFIER_BUILTIN:
        cook_builtin(compilation, node);
        return;
    case IDENTIFIER_INLINE:
        if (identifier->parameters)
            fail_reference(compilation, node, identifier, "scalar");
        expand_inline(compilation, node, identifier);
        return;
    case IDENTIFIER_ARRAY:
        if (space == SPACE_GLOBALS)
            fail_reference(compilation, node, identifier, "scalar");
        node->type = dynamic(compilation);
        node->is_lvalue = node->is_writable = true;
        return;
    case IDENTIFIER_KERNEL:
        cook_kernel(compilation, node);
        return;
    default:
        fail_reference(compilation, node, identifier, "scalar");
    }
}

/* --- arrays --- */

/* args[i]: the probe's argument in its own type. */
static void cook_argument(struct compilation *compilation, struct node *node) {
    const struct dlang_probes *probes = &compilation->settings->probes;
    const struct node *description = compilation->description, *index = node->list;
    cook_count(compilation, node, "args", "[ ]", "arg", node_count(index), 1, 1);
    if (!index || index->kind != NODE_INTEGER)
        compile_fail(compilation, node, "D_PROTO_ARG",
                     "args[ ] argument #1 is incompatible with prototype:\n\tprototype: integer constant\n"
                     "\t argument: %s",
                     index ? cook_describe(compilation, index) : "void");
    if (!description)
        compile_fail(compilation, node, "D_ARGS_NONE",
                     "args[ ] may not be referenced here: there is no probe");
    int64_t number = (int64_t)index->value;
    const char *type = number >= 0 && number < 10 && probes->argument_type
                           ? probes->argument_type(probes->context, description->parts[0],
                                                   description->parts[3], (unsigned)number)
                           : NULL;
    if (!type)
        compile_fail(compilation, node, "D_ARGS_IDX", "index %lld is out of range for %s:%s:%s:%s args[ ]",
                     (long long)number, description->parts[0], description->parts[1], description->parts[2],
                     description->parts[3]);
    char name[8];
    snprintf(name, sizeof name, "arg%d", (int)number);
    struct node *argument = memory_allocate(compilation->memory, sizeof *argument);
    *argument = (struct node){.kind = NODE_NAME,
                              .line = node->line,
                              .column = node->column,
                              .source = node->source,
                              .text = memory_copy(compilation->memory, name, strlen(name))};
    const struct type *wanted = type_named(compilation->types, type);
    struct node *cast = make_cast(compilation, node, argument, wanted);
    cook(compilation, cast, USE_READ);
    replace(node, cast);
}

/* uregs[i]: a traced process keeps no registers for us: 0. */
static void cook_register(struct compilation *compilation, struct node *node) {
    const struct node *index = node->list;
    cook_count(compilation, node, "uregs", "[ ]", "arg", node_count(index), 1, 1);
    if (!index || index->kind != NODE_INTEGER)
        compile_fail(compilation, node, "D_PROTO_ARG",
                     "uregs[ ] argument #1 is incompatible with prototype:\n\tprototype: integer constant\n"
                     "\t argument: %s",
                     index ? cook_describe(compilation, index) : "void");
    if ((int64_t)index->value < 0)
        compile_fail(compilation, node, "D_REGS_IDX", "index %lld is out of range for array uregs",
                     (long long)index->value);
    if (index->value >= REGISTERS)
        compile_fail(compilation, node, "D_UNKNOWN", "uregs[]: index out of bounds (%llu)",
                     (unsigned long long)index->value);
    node->kind = NODE_INTEGER;
    node->value = 0;
    node->list = node->left = NULL;
    node->is_constant = true;
    node->is_lvalue = true; /* but not to be written */
    node->type = type_named(compilation->types, "uint64_t");
}

bool name_cook_array(struct compilation *compilation, struct node *node, enum use use) {
    struct node *name = node->left;
    if (name->kind != NODE_NAME)
        return false;
    enum identifier_space space = identifier_space_of(name->scope);
    struct identifier *identifier = identifier_find(compilation->identifiers, space, name->text);
    if (identifier && identifier->kind != IDENTIFIER_ARRAY && identifier->kind != IDENTIFIER_ARGUMENTS &&
        !(identifier->kind == IDENTIFIER_INLINE && identifier->parameters))
        return false;
    for (struct node *key = node->list; key; key = key->next)
        cook(compilation, key, USE_READ);
    if (!identifier) {
        if (!(use & (USE_WRITE | USE_STEP)))
            fail_unassigned(compilation, name, space);
        identifier = identifier_add(compilation->identifiers, space, IDENTIFIER_ARRAY, name->text);
        identifier->line = node->line;
    }
    node->identifier = name->identifier = identifier;
    if (identifier->kind == IDENTIFIER_ARGUMENTS) {
        if (strcmp(identifier->name, "args") == 0)
            cook_argument(compilation, node);
        else
            cook_register(compilation, node);
        return true;
    }
    if (identifier->kind == IDENTIFIER_INLINE) {
        check_keys(compilation, node, identifier, node->list);
        expand_inline(compilation, node, identifier);
        return true;
    }
    if (identifier->space == SPACE_LOCALS)
        compile_fail(compilation, node, "D_ARR_LOCAL",
                     "local variables may not be used as associative arrays: %s", name->text);
    check_keys(compilation, node, identifier, node->list);
    cook_variable(compilation, node, use);
    return true;
}

/* --- aggregations --- */

static struct identifier *find_aggregation(struct compilation *compilation, const struct node *node) {
    return identifier_find(compilation->identifiers, SPACE_AGGREGATIONS, node->text);
}

void name_cook_aggregation(struct compilation *compilation, struct node *node, enum use use) {
    struct identifier *identifier = find_aggregation(compilation, node);
    if (!identifier && !(use & (USE_WRITE | USE_STEP)))
        compile_fail(compilation, node, "D_IDENT_UNDEF", "failed to resolve @%s: Unknown variable name",
                     node->text);
    if (!identifier)
        compile_fail(compilation, node, "D_VAR_UNDEF", "@%s has not yet been declared or assigned",
                     node->text);
    for (struct node *key = node->list; key; key = key->next)
        cook(compilation, key, USE_READ);
    node->identifier = identifier;
    node->type = type_inner(compilation->types, TYPE_AGGREGATION);
    if (node->list)
        check_keys(compilation, node, identifier, node->list);
    node->is_lvalue = node->is_writable = true;
}

void name_assign_aggregation(struct compilation *compilation, struct node *assignment) {
    struct node *left = assignment->left, *right = assignment->right;
    struct identifier *identifier = find_aggregation(compilation, left);
    bool is_new = !identifier;
    if (is_new) {
        identifier =
            identifier_add(compilation->identifiers, SPACE_AGGREGATIONS, IDENTIFIER_AGGREGATION, left->text);
        identifier->line = left->line;
    }
    for (struct node *key = left->list; key; key = key->next)
        cook(compilation, key, USE_READ);
    left->identifier = identifier;
    left->type = type_inner(compilation->types, TYPE_AGGREGATION);
    check_keys(compilation, left, identifier, left->list);
    cook(compilation, right, USE_READ);
    if (right->kind != NODE_CALL || right->identifier->kind != IDENTIFIER_FUNCTION ||
        functions[right->identifier->index].kind != FUNCTION_AGGREGATING)
        compile_fail(compilation, assignment, "D_AGG_FUNC",
                     "@%s must be assigned the result of an aggregating function", left->text);
    const struct function *function = &functions[right->identifier->index];
    if (identifier->function >= 0 && identifier->function != (int)function->index) {
        const char *previous = "";
        for (unsigned i = 0; i < function_count; i++)
            if (functions[i].kind == FUNCTION_AGGREGATING && (int)functions[i].index == identifier->function)
                previous = functions[i].name;
        compile_fail(compilation, assignment, "D_AGG_REDEF",
                     "aggregation redefined: @%s\n\t current: @%s = %s( )\n\tprevious: @%s = %s( ) : line %u",
                     left->text, left->text, function->name, left->text, previous, identifier->line);
    }
    identifier->function = (int)function->index;
    assignment->type = left->type;
}

/* --- translated members --- */

static const struct node *find_translator(struct compilation *compilation, const struct type *target,
                                          const struct type *source) {
    for (const struct node *translator = compilation->translators; translator; translator = translator->next)
        if (type_same(translator->type, target) && type_same(translator->source_type, source))
            return translator;
    return NULL;
}

/* The translator to the type, or to what the type points to. */
static const struct node *translator_for(struct compilation *compilation, const struct node *xlate,
                                         const struct type *target, const struct node *operand) {
    if (type_resolve(target)->kind == TYPE_POINTER)
        target = type_resolve(target)->base;
    char text[128], from[128];
    const struct node *translator = find_translator(compilation, target, operand->type);
    if (!translator)
        compile_fail(compilation, xlate, "D_XLATE_NONE", "cannot translate from \"%s\" to \"%s\"",
                     type_print(operand->type, from, sizeof from), type_print(target, text, sizeof text));
    return translator;
}

void name_check_translation(struct compilation *compilation, struct node *xlate) {
    cook(compilation, xlate->left, USE_READ);
    translator_for(compilation, xlate, xlate->type, xlate->left);
    xlate->translates_pointer = type_resolve(xlate->type)->kind == TYPE_POINTER;
}

/* What the inline of this name stands for, when that is an xlate. */
static struct node *inlined_translation(struct compilation *compilation, struct node *node) {
    if (node->kind != NODE_NAME || node->scope != NODE_GLOBAL)
        return node;
    const struct identifier *identifier =
        identifier_find(compilation->identifiers, SPACE_GLOBALS, node->text);
    return identifier && identifier->kind == IDENTIFIER_INLINE && !identifier->parameters &&
                   identifier->expression->kind == NODE_XLATE
               ? copy(compilation, identifier->expression, NULL)
               : node;
}

/* (xlate <T> (x)).m and (xlate <T *> (x))->m */
bool name_translate(struct compilation *compilation, struct node *node) {
    struct node *xlate = inlined_translation(compilation, node->left);
    if (xlate->kind != NODE_XLATE)
        return false;
    const struct type *target = xlate->type;
    if (node->kind == NODE_ARROW && type_resolve(target)->kind == TYPE_POINTER)
        target = type_resolve(target)->base;
    struct node *operand = copy(compilation, xlate->left, NULL);
    cook(compilation, operand, USE_READ);
    const struct node *translator = translator_for(compilation, xlate, target, operand);
    const struct substitute substitute = {NULL, translator->text, xlate->left, translator->source_type};
    for (const struct node *translation = translator->list; translation; translation = translation->next)
        if (strcmp(translation->text, node->text) == 0) {
            const struct type_member *member = type_member_named(target, node->text);
            struct node *definition = copy(compilation, translation->left, &substitute);
            cook(compilation, definition, USE_READ);
            if (!type_same(member->type, definition->type) && !type_is_by_address(member->type)) {
                definition = make_cast(compilation, node, definition, member->type);
                cook(compilation, definition, USE_READ);
            }
            replace(node, definition);
            return true;
        }
    compile_fail(compilation, node, "D_XLATE_NOCONV", "translator does not define conversion for member: %s",
                 node->text);
}

/* A number in digits, or a name of D. */
static void become_value(struct compilation *compilation, struct node *node, const char *value) {
    bool is_number = isdigit((unsigned char)*value);
    node->kind = is_number ? NODE_INTEGER : NODE_NAME;
    node->value = is_number ? strtoul(value, NULL, 10) : 0;
    node->left = NULL;
    node->text = value;
    node->type = type_named(compilation->types, "int");
    cook(compilation, node, USE_READ);
}

static void become_cast(struct compilation *compilation, struct node *node, const struct type *type) {
    struct node *value = memory_allocate(compilation->memory, sizeof *value);
    *value = *node;
    value->next = NULL;
    struct node *cast = make_cast(compilation, node, value, type);
    cook(compilation, cast, USE_READ);
    replace(node, cast);
    node->is_lvalue = true; /* but not to be written */
}

bool name_kernel_member(struct compilation *compilation, struct node *node) {
    const struct node *name = node->left;
    if (name->kind != NODE_NAME || name->scope != NODE_GLOBAL)
        return false;
    const struct identifier *identifier =
        identifier_find(compilation->identifiers, SPACE_GLOBALS, name->text);
    if (!identifier || identifier->kind != IDENTIFIER_KERNEL)
        return false;
    const char *value = psinfo_value(name->text, node->text);
    const char *type = psinfo_number_type(name->text, node->text);
    if (value) {
        become_value(compilation, node, value);
        if (type)
            become_cast(compilation, node, type_named(compilation->types, type));
        return true;
    }
    if (psinfo_translation(name->text) && !psinfo_translates(name->text, node->text))
        compile_fail(compilation, node, "D_XLATE_NOCONV",
                     "translator does not define conversion for member: %s", node->text);
    compile_fail(compilation, node, "D_TYPE_MEMBER", "%s->%s is not supported: it is the kernel's alone",
                 name->text, node->text);
}

/* curpsinfo alone is translated data, of which only the members can be used; curthread is nothing here. */
static void cook_kernel(struct compilation *compilation, struct node *node) {
    if (!psinfo_translation(node->text))
        compile_fail(compilation, node, "D_IDENT_UNDEF",
                     "%s has no value of its own here: a traced process is no kernel", node->text);
    node->kind = NODE_XLATE;
    node->source_type = node->identifier->type;
    node->identifier = NULL;
    node->type = dynamic(compilation);
    node->translates_pointer = true;
}

/* --- declarations --- */

static const char *describe_type(struct compilation *compilation, const struct type *type) {
    char text[128];
    return memory_print(compilation->memory, "%s", type_print(type, text, sizeof text));
}

static const char *describe_variable(struct compilation *compilation, const struct identifier *identifier,
                                     const struct type *type) {
    char text[128] = "<type of variable unknown>";
    if (identifier->kind == IDENTIFIER_INLINE)
        return memory_print(compilation->memory, "%s inline", identifier_kind_name(identifier));
    if (type)
        type_print(type, text, sizeof text);
    return memory_print(compilation->memory, "%s %s", identifier_kind_name(identifier), text);
}

static _Noreturn void fail_redeclared(struct compilation *compilation, const struct node *node,
                                      const char *current, const char *previous) {
    compile_fail(compilation, node, "D_DECL_IDRED",
                 "identifier redeclared: %s\n\t current: %s\n\tprevious: %s", node->text, current, previous);
}

/* An array that is declared again must have the same keys. */
static void check_same_keys(struct compilation *compilation, const struct node *node,
                            const struct identifier *known) {
    unsigned number = 0, count = node_count(node->list);
    if (count != known->key_count)
        fail_redeclared(
            compilation, node,
            memory_print(compilation->memory, "associative array, %u key%s", count, count == 1 ? "" : "s"),
            memory_print(compilation->memory, "associative array, %u key%s", known->key_count,
                         known->key_count == 1 ? "" : "s"));
    for (const struct node *key = node->list; key; key = key->next) {
        const struct type *type = known->keys[number++];
        char text[128], before[128];
        if (!type_same(type, key->type))
            fail_redeclared(compilation, node,
                            memory_print(compilation->memory, "associative array, key #%u of type %s", number,
                                         type_print(key->type, text, sizeof text)),
                            memory_print(compilation->memory, "associative array, key #%u of type %s", number,
                                         type_print(type, before, sizeof before)));
    }
}

static void declare_again(struct compilation *compilation, const struct node *node,
                          const struct identifier *now, const struct identifier *known) {
    if (known->line == 0)
        compile_fail(compilation, node, "D_DECL_IDRED", "built-in identifier redeclared: %s", node->text);
    enum identifier_kind kind = known->kind;
    if (kind == IDENTIFIER_INLINE)
        kind = known->parameters ? IDENTIFIER_ARRAY : IDENTIFIER_SCALAR;
    if (kind != now->kind || !known->type || !type_same(known->type, node->type))
        fail_redeclared(compilation, node, describe_variable(compilation, now, node->type),
                        describe_variable(compilation, known, known->type));
    if (node->list)
        check_same_keys(compilation, node, known);
}

static void declare_variable(struct compilation *compilation, struct node *node) {
    enum identifier_space space = identifier_space_of(node->scope);
    struct identifier *known = identifier_find(compilation->identifiers, space, node->text);
    const struct identifier now = {
        .name = node->text, .kind = node->list ? IDENTIFIER_ARRAY : IDENTIFIER_SCALAR, .space = space};
    enum type_kind kind = type_resolve(node->type)->kind;
    if (kind == TYPE_FUNCTION)
        return; /* of the kernel: nothing can call it */
    if (kind == TYPE_VOID)
        compile_fail(compilation, node, "D_DECL_VOIDOBJ", "cannot have void object: %s", node->text);
    if (kind == TYPE_FORWARD)
        compile_fail(compilation, node, "D_DECL_INCOMPLETE", "incomplete struct/union/enum %s: %s",
                     describe_type(compilation, node->type), node->text);
    if (node->list && space == SPACE_LOCALS)
        compile_fail(compilation, node, "D_DECL_LOCASSC",
                     "associative arrays may not be declared as local variables: %s", node->text);
    if (known) {
        declare_again(compilation, node, &now, known);
        return;
    }
    struct identifier *identifier = identifier_add(compilation->identifiers, space, now.kind, node->text);
    identifier->type = node->type;
    identifier->line = node->line;
    identifier->is_declared = true;
    if (node->list)
        check_keys(compilation, node, identifier, node->list);
}

static struct node *make_zero(struct compilation *compilation, const struct node *place) {
    struct node *zero = memory_allocate(compilation->memory, sizeof *zero);
    *zero = (struct node){.kind = NODE_INTEGER,
                          .line = place->line,
                          .source = place->source,
                          .type = type_named(compilation->types, "int")};
    return zero;
}

/* May the definition of an inline, or of a member that a translator makes, have this type? */
static void check_definition(struct compilation *compilation, const struct node *place, const char *what,
                             const char *tag, const struct type *type, const struct node *definition) {
    const struct node target = {.kind = NODE_TYPE, .type = type};
    bool both_scalar = type_is_scalar(type) && type_is_integer(type) && type_is_integer(definition->type);
    if (!both_scalar && !type_same(type, definition->type) && !cook_accepts(compilation, type, definition))
        compile_fail(compilation, place, tag, "%s %s definition uses incompatible types: \"%s\" = \"%s\"",
                     what, place->text, cook_describe(compilation, &target),
                     cook_describe(compilation, definition));
}

/* Cooks a copy, with values of the parameters' types, for the errors that it has in itself. */
static void check_inline(struct compilation *compilation, struct node *node) {
    const struct substitute *substitutes = NULL;
    const struct node *zero = make_zero(compilation, node);
    for (const struct node *parameter = node->list; parameter; parameter = parameter->next) {
        struct substitute *substitute = memory_allocate(compilation->memory, sizeof *substitute);
        if (type_is_by_address(parameter->type))
            return;
        *substitute = (struct substitute){substitutes, parameter->text, zero, parameter->type};
        substitutes = substitute;
    }
    struct node *definition = copy(compilation, node->left, substitutes);
    cook(compilation, definition, USE_READ);
    if (definition->kind != NODE_XLATE || !type_same(node->left->type, node->type))
        check_definition(compilation, node, "inline", "D_OP_INCOMPAT", node->type, definition);
}

static void declare_inline(struct compilation *compilation, struct node *node) {
    const struct identifier *known = identifier_find(compilation->identifiers, SPACE_GLOBALS, node->text);
    if (known)
        compile_fail(compilation, node, "D_DECL_IDRED",
                     "identifier redefined: %s\n\t current: inline definition\n\tprevious: %s", node->text,
                     known->kind == IDENTIFIER_BUILTIN || known->kind == IDENTIFIER_FUNCTION
                         ? memory_print(compilation->memory, "%s ", identifier_kind_name(known))
                         : describe_variable(compilation, known, known->type));
    if (type_resolve(node->type)->kind == TYPE_VOID)
        compile_fail(compilation, node, "D_DECL_VOIDOBJ", "cannot declare void inline: %s", node->text);
    if (type_resolve(node->type)->kind == TYPE_ARRAY)
        compile_fail(compilation, node, "D_DECL_ARRNULL",
                     "inline declaration cannot be of scalar array type: %s", node->text);
    fold(compilation, node->left);
    check_inline(compilation, node);
    struct identifier *identifier =
        identifier_add(compilation->identifiers, SPACE_GLOBALS, IDENTIFIER_INLINE, node->text);
    identifier->type = node->type;
    identifier->line = node->line;
    identifier->expression = node->left;
    identifier->parameters = node->list;
    if (node->list)
        check_keys(compilation, node, identifier, node->list);
}

/* Something of the type: where its bytes are when it is a struct, else zero. */
static struct node *make_sample(struct compilation *compilation, const struct node *place,
                                const struct type *type) {
    struct node *zero = make_zero(compilation, place);
    if (!type_is_by_address(type))
        return zero;
    struct node *sample = memory_allocate(compilation->memory, sizeof *sample);
    *sample =
        (struct node){.kind = NODE_UNARY,
                      .op = '*',
                      .line = place->line,
                      .source = place->source,
                      .left = make_cast(compilation, place, zero, type_pointer_to(compilation->types, type))};
    return sample;
}

static void declare_translator(struct compilation *compilation, struct node *node) {
    char text[128], from[128];
    enum type_kind kind = type_resolve(node->type)->kind;
    if (kind == TYPE_FORWARD)
        compile_fail(compilation, node, "D_XLATE_SOU", "incomplete struct/union/enum %s",
                     type_print(node->type, text, sizeof text));
    if (kind != TYPE_STRUCT && kind != TYPE_UNION)
        compile_fail(compilation, node, "D_XLATE_SOU", "translator output type must be a struct or union");
    if (find_translator(compilation, node->type, node->source_type))
        compile_fail(
            compilation, node, "D_XLATE_REDECL", "translator from %s to %s has already been declared",
            type_print(node->source_type, from, sizeof from), type_print(node->type, text, sizeof text));
    const struct substitute substitute = {NULL, node->text, make_sample(compilation, node, node->source_type),
                                          node->source_type};
    for (struct node *translation = node->list; translation; translation = translation->next) {
        const struct type_member *member = type_member_named(node->type, translation->text);
        if (!member)
            compile_fail(compilation, translation, "D_XLATE_MEMB",
                         "translator member %s is not a member of %s", translation->text,
                         type_print(node->type, text, sizeof text));
        fold(compilation, translation->left);
        struct node *definition = copy(compilation, translation->left, &substitute);
        cook(compilation, definition, USE_READ);
        check_definition(compilation, translation, "translator member", "D_XLATE_INCOMPAT", member->type,
                         definition);
    }
    struct node *translator = memory_allocate(compilation->memory, sizeof *translator);
    *translator = *node;
    translator->next = (struct node *)compilation->translators;
    compilation->translators = translator;
}

static void declare_pragma(struct compilation *compilation, struct node *node) {
    (void)compilation;
    (void)node; /* attributes and binding say how stable a name of the program's own is, which -v does not
                   report */
}

void cook_declaration(struct compilation *compilation, struct node *node) {
    static const struct {
        enum node_kind kind;
        void (*declare)(struct compilation *compilation, struct node *node);
    } kinds[] = {
        {NODE_DECLARATION, declare_variable},  {NODE_INLINE, declare_inline},
        {NODE_TRANSLATOR, declare_translator}, {NODE_PROVIDER, declare_provider},
        {NODE_PRAGMA, declare_pragma},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].kind == node->kind)
            kinds[i].declare(compilation, node);
}
