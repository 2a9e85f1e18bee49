/*
 * compile.h: from the sources on the command line to a program, and what dtrace says about it.
 */
#ifndef COMPILE_H
#define COMPILE_H

#include "catalog.h"
#include "trace.h"

/* Replaces the probe ids of -i by their descriptions; the texts are allocated for as long as the command
 * runs. False after a message. */
bool compile_resolve_ids(const struct trace_request *request, struct dlang_source *sources,
                         const struct catalog *catalog);

/* Compiles for one $target. False after the message, which shows the place when stderr is a terminal. */
bool compile_program(const struct trace_request *request, const struct dlang_settings *settings,
                     struct dlang_result *result);

/* "script 'x' matched 2 probes", and what else dtrace says before it enables a program; nothing when it is
 * quiet. With -v, the stability of each. False after the message that it may not be enabled. */
bool compile_announce(const struct trace_request *request, const struct dlang_result *result);

/* What may be relied on of the probes that each source names, as -v shows it. */
void compile_explain(const struct trace_request *request, const struct dlang_result *result);

#endif
