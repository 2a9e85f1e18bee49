/*
 * tracefuncs.c: PyEval_SetTrace and PyEval_SetProfile for all threads of the main interpreter.
 *
 * Where a thread has a function already (a debugger, coverage, cProfile), only the C function pointer is
 * replaced, by ours that calls theirs after it: sys.gettrace() and sys.getprofile() go on to answer what they
 * answered.
 */
#include "tracefuncs.h"

#if !COMPAT_HAVE_MONITORING

#    include "describe.h"
#    include "events.h"
#    include "internal.h"
#    include "threads.h"

#    include <stdlib.h>

/* A function of the program's, which ours calls in turn. */
struct chained {
    struct chained *next;
    PyThreadState *tstate;
    bool profile; /* the profile function, or the trace function */
    Py_tracefunc function;
};

static struct {
    unsigned wishes;
    struct chained *chain;
} tracefuncs;

static struct chained *chain_find(PyThreadState *tstate, bool profile) {
    struct chained *link = tracefuncs.chain;
    while (link && (link->tstate != tstate || link->profile != profile))
        link = link->next;
    return link;
}

static int chain_call(bool profile, PyObject *object, PyFrameObject *frame, int what, PyObject *argument) {
    if (!tracefuncs.chain)
        return 0;
    struct chained *link = chain_find(compat_current_tstate(), profile);
    return link && object ? link->function(object, frame, what, argument) : 0;
}

struct place {
    PyCodeObject *code;
    struct code_record *record; /* NULL if it could not be made */
    int instruction;
};

static struct place place_of(PyFrameObject *frame) {
    struct place place;
    place.code = compat_frame_object_code(frame);
    Py_ssize_t index = thread_extra_index(compat_tstate_interpreter(compat_current_tstate()));
    place.record = index < 0 ? NULL : code_record(place.code, index);
    if (!place.record)
        place.record = code_record_make(place.code, index, compat_frame_object_data(frame));
    place.instruction = compat_frame_instruction(compat_frame_object_data(frame), place.code);
    return place;
}

static void profile_c_function(const struct place *place, int what, PyObject *callable) {
    struct c_function function;
    if (!(tracefuncs.wishes & TRACEFUNC_C_FUNCTIONS) || !c_function_describe(&function, callable))
        return;
    int line = code_line_or_entry(place->record, place->code, place->instruction);
    if (what == PyTrace_C_CALL)
        event_c_function_entry(place->record, function.name, line, function.module);
    else
        event_c_function_return(place->record, function.name, line, function.module);
}

static int on_profile(PyObject *object, PyFrameObject *frame, int what, PyObject *argument) {
    struct place place = place_of(frame);
    bool functions = (tracefuncs.wishes & TRACEFUNC_FUNCTIONS) != 0;
    if (!place.record)
        event_drop(what == PyTrace_CALL || what == PyTrace_RETURN ? PROBE_FUNCTION_ENTRY
                                                                  : PROBE_C_FUNCTION_ENTRY);
    else if (what == PyTrace_CALL && functions)
        event_function_entry(place.record, code_line_or_entry(place.record, place.code, place.instruction),
                             EVENT_FRAME_RUNS);
    else if (what == PyTrace_RETURN && functions)
        event_function_return(place.record, code_line_or_entry(place.record, place.code, place.instruction),
                              EVENT_FRAME_RUNS);
    else if (what == PyTrace_C_CALL || what == PyTrace_C_RETURN || what == PyTrace_C_EXCEPTION)
        profile_c_function(&place, what, argument);
    return chain_call(true, object, frame, what, argument);
}

static int on_trace(PyObject *object, PyFrameObject *frame, int what, PyObject *argument) {
    if (what == PyTrace_LINE && (tracefuncs.wishes & TRACEFUNC_LINES)) {
        struct place place = place_of(frame);
        if (place.record)
            event_line(place.record, PyFrame_GetLineNumber(frame));
        else
            event_drop(PROBE_LINE);
    } else if (what == PyTrace_EXCEPTION && (tracefuncs.wishes & TRACEFUNC_RAISES) &&
               PyTuple_Check(argument)) {
        struct place place = place_of(frame);
        if (place.record)
            exception_fire(place.record, place.code, frame, place.instruction, PyTuple_GET_ITEM(argument, 1),
                           PyTuple_GET_ITEM(argument, 2));
        else
            event_drop(PROBE_EXCEPTION_RAISE);
    }
    return chain_call(false, object, frame, what, argument);
}

/* ---- Installing ---- */

static Py_tracefunc *tracefunc_of(PyThreadState *tstate, bool profile) {
    return profile ? &tstate->c_profilefunc : &tstate->c_tracefunc;
}

static void install(PyThreadState *tstate, bool profile) {
    Py_tracefunc ours = profile ? on_profile : on_trace;
    Py_tracefunc *present = tracefunc_of(tstate, profile);
    if (*present == ours)
        return;
    if (!*present) {
        compat_set_tracefunc(tstate, profile, ours, NULL);
        return;
    }
    struct chained *link = chain_find(tstate, profile);
    if (!link) {
        link = calloc(1, sizeof *link);
        if (!link)
            return;
        *link = (struct chained){.next = tracefuncs.chain, .tstate = tstate, .profile = profile};
        tracefuncs.chain = link;
    }
    link->function = *present;
    *present = ours;
}

static void remove_ours(PyThreadState *tstate, bool profile) {
    Py_tracefunc *present = tracefunc_of(tstate, profile);
    if (*present != (profile ? on_profile : on_trace))
        return;
    PyObject *object = profile ? tstate->c_profileobj : tstate->c_traceobj;
    struct chained *link = chain_find(tstate, profile);
    if (link && object) /* theirs is still there behind ours */
        *present = link->function;
    else
        compat_set_tracefunc(tstate, profile, NULL, NULL);
}

static bool thread_is_alive(PyThreadState *tstate) {
    PyThreadState *t = PyInterpreterState_ThreadHead(compat_main_interpreter());
    while (t && t != tstate)
        t = PyThreadState_Next(t);
    return t != NULL;
}

/* Forget links of threads that have ended, or with `all` every one. */
static void chain_prune(bool all) {
    for (struct chained **link = &tracefuncs.chain; *link;) {
        struct chained *candidate = *link;
        if (!all && thread_is_alive(candidate->tstate)) {
            link = &candidate->next;
            continue;
        }
        *link = candidate->next;
        free(candidate);
    }
}

static void adjust(PyThreadState *tstate) {
    unsigned wishes = tracefuncs.wishes;
    ((wishes & (TRACEFUNC_FUNCTIONS | TRACEFUNC_C_FUNCTIONS)) ? install : remove_ours)(tstate, true);
    ((wishes & (TRACEFUNC_LINES | TRACEFUNC_RAISES)) ? install : remove_ours)(tstate, false);
}

void tracefuncs_set(unsigned wishes) {
    if (!wishes && !tracefuncs.wishes)
        return;
    tracefuncs.wishes = wishes;
    struct compat_error error = compat_error_put_aside();
    chain_prune(false);
    for (PyThreadState *t = PyInterpreterState_ThreadHead(compat_main_interpreter()); t;
         t = PyThreadState_Next(t))
        adjust(t);
    if (!wishes)
        chain_prune(true);
    compat_error_put_back(error);
}

void tracefuncs_new_thread(PyThreadState *tstate) {
    if (!tracefuncs.wishes)
        return;
    struct compat_error error = compat_error_put_aside();
    adjust(tstate);
    compat_error_put_back(error);
}

#else

void tracefuncs_set(unsigned wishes) {
    (void)wishes;
}
void tracefuncs_new_thread(PyThreadState *tstate) {
    (void)tstate;
}

#endif
