/*
 * catprobe -l: lists probes, as dtrace -l does.
 */
#ifndef LIST_H
#define LIST_H

#include "trace.h"

/* Lists the probes that the sources describe, or all; of the processes of -p, of the program of -c, or of
 * every process that can be traced. Returns the exit status. */
int list_probes(const struct trace_request *request);

#endif
