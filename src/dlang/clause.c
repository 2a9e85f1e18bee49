/*
 * clause.c: the code of a clause, in its three forms (program.h): whole, the part of the predicate that a
 * code object decides, and the clause without that part.
 */
#include "calls.h"
#include "generate.h"

#include <limits.h>
#include <string.h>

/* --- what is the same at each firing for one code object --- */

static bool is_static_builtin(unsigned builtin) {
    static const unsigned builtins[] = {BUILTIN_PROBEPROV, BUILTIN_PROBEMOD, BUILTIN_PROBEFUNC,
                                        BUILTIN_PROBENAME, BUILTIN_ID,       BUILTIN_PID,
                                        BUILTIN_EXECNAME};
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
        if (builtins[i] == builtin)
            return true;
    return builtin <= BUILTIN_ARG9;
}

/* Gives the same for the same arguments. */
static bool is_pure(unsigned subroutine) {
    static const unsigned others[] = {SUBROUTINE_ALLOCA,   SUBROUTINE_BCOPY,       SUBROUTINE_COPYIN,
                                      SUBROUTINE_COPYINTO, SUBROUTINE_COPYOUT,     SUBROUTINE_COPYOUTSTR,
                                      SUBROUTINE_RAND,     SUBROUTINE_SPECULATION, SUBROUTINE_PROGENYOF,
                                      SUBROUTINE_STRTOK};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i] == subroutine)
            return false;
    return true;
}

static bool is_static(const struct node *node) {
    const struct function *function;
    switch (node->kind) {
    case NODE_INTEGER:
    case NODE_STRING:
        return true;
    case NODE_NAME:
        return node->identifier->kind == IDENTIFIER_BUILTIN && is_static_builtin(node->identifier->index);
    case NODE_UNARY:
        return node->op != TOKEN_INCREMENT && node->op != TOKEN_DECREMENT && node->op != '*' &&
               node->op != '&' && is_static(node->left);
    case NODE_BINARY:
        return is_static(node->left) && is_static(node->right);
    case NODE_TERNARY:
        return is_static(node->condition) && is_static(node->left) && is_static(node->right);
    case NODE_CAST:
        return is_static(node->left);
    case NODE_CALL:
        function = &functions[node->identifier->index];
        if (function->kind != FUNCTION_SUBROUTINE || !is_pure(function->index))
            return false;
        for (const struct node *argument = node->list; argument; argument = argument->next)
            if (!is_static(argument))
                return false;
        return true;
    default:
        return false;
    }
}

/* The probe's arguments that a static expression looks at, arg0 being bit 0; BY_NAME besides for probefunc
   and probemod. */
enum { BY_NAME = 1 << 10 };
static unsigned arguments_of(const struct node *node) {
    if (!node)
        return 0;
    unsigned seen = arguments_of(node->left) | arguments_of(node->right) | arguments_of(node->condition);
    if (node->kind == NODE_CALL)
        for (const struct node *argument = node->list; argument; argument = argument->next)
            seen |= arguments_of(argument);
    if (node->kind != NODE_NAME)
        return seen;
    unsigned builtin = node->identifier->index;
    if (builtin == BUILTIN_PROBEFUNC || builtin == BUILTIN_PROBEMOD)
        return seen | BY_NAME;
    return builtin <= BUILTIN_ARG9 ? seen | 1U << (builtin - BUILTIN_ARG0) : seen;
}

static bool is_and(const struct node *node) {
    return node->kind == NODE_BINARY && node->op == TOKEN_LOGICAL_AND;
}

static bool is_true(const struct node *node) {
    return node->kind == NODE_INTEGER && node->value;
}

/* Of a function's event these are the same each time: its names. arg2, its line, is not. */
enum { NAMES = 1 << 0 | 1 << 1 | 1 << 3 | BY_NAME };

/* Is there a conjunct that looks at names and at nothing else? */
static bool looks_at_names(const struct node *node) {
    if (is_and(node))
        return looks_at_names(node->left) || looks_at_names(node->right);
    unsigned seen = is_static(node) ? arguments_of(node) : 0;
    return seen && !(seen & ~(unsigned)NAMES);
}

/* A code object decides the conjuncts that are the same at each firing and look at no other than `arguments`.
 */
static bool decides(unsigned arguments, const struct node *conjunct) {
    return is_static(conjunct) && !(arguments_of(conjunct) & ~arguments);
}

/* Has the predicate a conjunct that the decision has, or one that it has not? */
static bool has_conjunct(unsigned arguments, const struct node *node, bool decided) {
    if (is_and(node))
        return has_conjunct(arguments, node->left, decided) || has_conjunct(arguments, node->right, decided);
    return !is_true(node) && decides(arguments, node) == decided;
}

/* Jumps to `no` unless all conjuncts that the decision has, or has not, are true. */
static void generate_conjuncts(struct generator *generator, unsigned arguments, struct node *node,
                               bool decided, struct label *no) {
    if (is_and(node)) {
        generate_conjuncts(generator, arguments, node->left, decided, no);
        generate_conjuncts(generator, arguments, node->right, decided, no);
    } else if (decides(arguments, node) == decided) {
        generate_branch(generator, node, false, no);
    }
}

static uint32_t here(const struct generator *generator) {
    return assembly_count(generator->assembly, SECTION_INSTRUCTIONS);
}

static uint32_t generate_decision(struct generator *generator, unsigned arguments, struct node *predicate) {
    struct label no = {0};
    uint32_t start = here(generator);
    generate_conjuncts(generator, arguments, predicate, true, &no);
    emit(generator, OP_SET, 0, 0, 0, 1);
    emit(generator, OP_END, 0, 0, 0, 0);
    place_label(generator, &no);
    emit(generator, OP_SET, 0, 0, 0, 0);
    emit(generator, OP_END, 0, 0, 0, 0);
    return start;
}

static void generate_statement(struct generator *generator, struct node *statement) {
    struct node *expression = statement->left;
    if (!expression)
        return;
    generator->next = 0;
    generator->at = expression;
    if (expression->kind == NODE_AGGREGATION)
        compile_fail(generator->compilation, expression, "D_AGG_NULL", "expression has null effect: @%s",
                     expression->text);
    if (!generate_action(generator, expression))
        generate_value(generator, expression);
    generator->next = 0;
}

uint32_t generate_clause(struct compilation *compilation, struct node *clause) {
    struct generator generator = {
        .compilation = compilation,
        .assembly = compilation->assembly,
        .at = clause,
        .clause = {.decide = PROGRAM_NO_CODE,
                   .first_action = assembly_count(compilation->assembly, SECTION_ACTIONS),
                   .line = clause->line},
    };
    struct node *predicate = clause->condition;
    struct label end = {0}, body = {0};
    /* Where a conjunct is about names, those about other arguments are left out: it can be decided alone. */
    unsigned arguments = predicate && looks_at_names(predicate) ? NAMES : UINT_MAX;
    bool some_decided = predicate && has_conjunct(arguments, predicate, true);
    compilation->region = NULL;
    if (some_decided)
        generator.clause.decide = generate_decision(&generator, arguments, predicate);
    generator.clause.full = here(&generator);
    if (predicate)
        generate_branch(&generator, predicate, false, &end);
    generator.clause.decided = generator.clause.full;
    if (some_decided) {
        if (has_conjunct(arguments, predicate, false))
            emit_jump(&generator, OP_JUMP, 0, &body);
        generator.clause.decided = here(&generator);
        generate_conjuncts(&generator, arguments, predicate, false, &end);
        place_label(&generator, &body);
    }
    for (struct node *statement = clause->right; statement; statement = statement->next)
        generate_statement(&generator, statement);
    emit(&generator, OP_END, 0, 0, 0, 0);
    if (predicate) {
        place_label(&generator, &end);
        emit(&generator, OP_SKIP, 0, 0, 0, 0);
    }
    if (generator.records || !clause->right)
        generator.clause.flags |= CLAUSE_RECORDS;
    return assembly_add(generator.assembly, SECTION_CLAUSES, &generator.clause);
}
