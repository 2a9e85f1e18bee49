/*
 * describe.h: what C functions and exceptions are called in the probes. All calls need the GIL, run no code
 * of the program, and return strings that live as long as the object described.
 */
#ifndef CATPROBE_DESCRIBE_H
#define CATPROBE_DESCRIBE_H

#include "code.h"

struct c_function {
    const char *name;
    const char *module; /* where it is defined; of a method, its type's name; "" if neither is known */
};

/* False for what sys.setprofile does not call a C function either (types, callable objects, Python
 * functions). */
bool c_function_describe(struct c_function *function, PyObject *callable);

/* Fire exception-raise if this is where `exception` is raised, not a frame that it passes through or an end
   of iteration. frame: the running one; instruction: the byte offset at which it is; traceback: what has been
   noted so far, or NULL. */
void exception_fire(struct code_record *record, PyCodeObject *code, PyFrameObject *frame, int instruction,
                    PyObject *exception, PyObject *traceback);

#endif
