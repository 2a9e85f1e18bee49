/*
 * names.h: what a name in an expression stands for: variables, keys, aggregations, inlines, args[],
 * translated members. Part of cook.c's work.
 */
#ifndef DLANG_NAMES_H
#define DLANG_NAMES_H

#include "calls.h"
#include "compile.h"

void name_cook(struct compilation *compilation, struct node *node, enum use use);
void name_cook_aggregation(struct compilation *compilation, struct node *node, enum use use);

/* x[keys] of an associative array, an inline with parameters, or args[]. False: x is none of them. */
bool name_cook_array(struct compilation *compilation, struct node *node, enum use use);

/* @x[keys] = function(...): the whole assignment. */
void name_assign_aggregation(struct compilation *compilation, struct node *assignment);

/* The first assignment to a variable gives it its type. */
void name_learn_type(struct node *node, const struct type *type);

/* xlate <type> (x)->member, curpsinfo->pr_pid: `node` becomes what it stands for. False: it is neither. */
/* Is there a translator for it? */
void name_check_translation(struct compilation *compilation, struct node *xlate);
bool name_translate(struct compilation *compilation, struct node *node);
bool name_kernel_member(struct compilation *compilation, struct node *node);

#endif
