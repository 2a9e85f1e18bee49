/*
 * monitoring.c: a tool of sys.monitoring, while there is something to monitor.
 *
 * A callback that returns DISABLE is not called again for that code location.
 */
#define COMPAT_NEEDS_OPCODES
#include "monitoring.h"

#if COMPAT_HAVE_MONITORING

#    include "describe.h"
#    include "events.h"
#    include "internal.h"
#    include "threads.h"

#    include <stdlib.h>

/* 0 - 2 and 5 are set aside for debuggers, coverage, profilers and optimisers (PEP 669): 5 is the one hardly
 * used. */
static const int tool_ids[] = {4, 3, 5};

static struct {
    PyObject *namespace; /* sys.monitoring; NULL while we have no tool id */
    PyObject *disable;   /* sys.monitoring.DISABLE */
    int tool;
    unsigned wishes;
    unsigned verdicts; /* for which code objects are watched */
} monitoring;

/* ---- What callbacks share ---- */

/* The record of a code object, made if need be. */
static struct code_record *record_of(PyThreadState *tstate, PyCodeObject *code) {
    Py_ssize_t index = thread_extra_index(compat_tstate_interpreter(tstate));
    struct code_record *record = index < 0 ? NULL : code_record(code, index);
    if (!record)
        record = code_record_make(code, index, NULL);
    if (COMPAT_JOINS_INSTRUCTIONS && record)
        record->monitored = true;
    return record;
}

struct place { /* where an event happened */
    PyThreadState *tstate;
    PyCodeObject *code;
    struct code_record *record;
    int instruction; /* byte offset */
};

/* All callbacks but that of LINE get (code, instruction offset, ...). False for an event to be passed over.
 */
static bool place_take(struct place *place, PyObject *const *arguments, size_t count, enum probe probe) {
    if (PyVectorcall_NARGS(count) < 2 || !PyCode_Check(arguments[0]))
        return false;
    place->tstate = compat_current_tstate();
    place->code = (PyCodeObject *)arguments[0];
    place->instruction = (int)PyLong_AsLong(arguments[1]);
    place->record = record_of(place->tstate, place->code);
    if (!place->record)
        event_drop(probe);
    return place->record != NULL;
}

static int place_line(const struct place *place) {
    return code_line_or_entry(place->record, place->code, place->instruction);
}

/* ---- Functions that were running before their start could be heard: their return is not told ---- */

struct frame_set {
    uintptr_t *frames; /* addresses; 0: free, 1: was one */
    size_t size;       /* of frames: a power of two, or 0 */
};

static struct frame_set strangers;

/* The place of a frame, or the free one where it would be. */
static uintptr_t *frame_place(const struct frame_set *set, const compat_frame *frame) {
    size_t at = ((uintptr_t)frame >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20;
    while (set->frames[at & (set->size - 1)] && set->frames[at & (set->size - 1)] != (uintptr_t)frame)
        at++;
    return &set->frames[at & (set->size - 1)];
}

/* The frame that the thread runs starts or ends, so it is a stranger no more. Was it one? */
static bool stranger_leaves(PyThreadState *tstate) {
    if (!strangers.size)
        return false;
    uintptr_t *place = frame_place(&strangers, compat_running_frame(tstate));
    bool was = *place != 0;
    if (was)
        *place = 1;
    return was;
}

/* Has the start of this frame, which runs now, been told? */
static bool start_was_told(compat_frame *frame) {
    if (!(monitoring.wishes & MONITOR_FUNCTIONS) || (strangers.size && *frame_place(&strangers, frame)))
        return false;
    if (!(monitoring.wishes & MONITOR_SELECTED))
        return true;
    Py_ssize_t index = code_extra_index(compat_main_interpreter());
    const struct code_record *record = index < 0 ? NULL : code_record(compat_frame_code(frame), index);
    return record && record->watched;
}

static void strangers_forget(void) {
    free(strangers.frames);
    strangers = (struct frame_set){NULL, 0};
}

/* Note the frames that run now. If memory is short, some returns without an entry are told. */
static void strangers_note(void) {
    size_t count = 0, size = 64;
    PyThreadState *first = PyInterpreterState_ThreadHead(compat_main_interpreter());
    for (PyThreadState *t = first; t; t = PyThreadState_Next(t))
        for (compat_frame *f = compat_stack_top(t); f; f = compat_stack_next(f))
            count++;
    while (size < count * 2)
        size *= 2;
    struct frame_set noted = {calloc(size, sizeof *noted.frames), size};
    for (PyThreadState *t = first; t && noted.frames; t = PyThreadState_Next(t))
        for (compat_frame *f = compat_stack_top(t); f; f = compat_stack_next(f))
            if (!start_was_told(f))
                *frame_place(&noted, f) = (uintptr_t)f;
    strangers_forget();
    if (noted.frames)
        strangers = noted;
}

/* ---- Which functions are switched on ---- */

static bool call(const char *function, PyObject *arguments);
static int event_value(const char *name);
static int local_events(void);

static void watch(struct code_record *record, int events_of_it) {
    PyThreadState *tstate = compat_current_tstate();
    compat_lend_recursion(tstate);
    if (call("set_local_events", Py_BuildValue("(iOi)", monitoring.tool, record->code, events_of_it)))
        record->watched = events_of_it != 0;
    compat_return_recursion(tstate);
}

static void unwatch_all(void) {
    uint32_t id = 0;
    for (struct code_record *record; (record = code_next_watched(id)); id = record->id) {
        watch(record, 0);
        record->watched = false;
    }
}

/* ---- The speed of what is not wanted (COMPAT_JOINS_INSTRUCTIONS) ---- */

/* What runs is instrumented at once, and has perhaps no event before our end. */
static void join_instructions_of_running(void) {
    PyThreadState *own = compat_current_tstate();
    PyThreadState *first = PyInterpreterState_ThreadHead(compat_main_interpreter());
    for (PyThreadState *t = first; t; t = PyThreadState_Next(t)) {
        for (compat_frame *f = compat_stack_top(t); f; f = compat_stack_next(f)) {
            record_of(own, compat_frame_code(f));
            compat_code_join_instructions(compat_frame_code(f));
        }
    }
}

/* With our events gone: CPython takes the instrumentation out of a code object when that runs next, and then
   nobody would be there to join what it parts. So have it do that now. */
static void join_all_instructions(void) {
    PyThreadState *tstate = compat_current_tstate();
    int start = event_value("PY_START");
    uint32_t id = 0;
    compat_lend_recursion(tstate);
    for (struct code_record *record; (record = code_next_monitored(id)); id = record->id) {
        record->monitored = false;
        if (call("set_local_events", Py_BuildValue("(iOi)", monitoring.tool, record->code, start)) &&
            call("set_local_events", Py_BuildValue("(iOi)", monitoring.tool, record->code, 0)))
            compat_code_join_instructions(record->code);
    }
    compat_return_recursion(tstate);
}

/* The answer of a callback for a function that is not wanted: no more of it. What is instrumented of it now
   is its start alone. */
static PyObject *pass_over(const struct place *place) {
    compat_code_join_instructions(place->code);
    return Py_NewRef(monitoring.disable);
}

/* ---- The functions that are wanted ---- */

/* Is the function wanted at all? Then it has its events from now on, the return of the running call included.
 */
static bool is_selected(struct code_record *record) {
    if (!(monitoring.wishes & MONITOR_SELECTED))
        return true;
    if (!event_wanted_of(record, events.listened & PROBES_OF_CODE))
        return false;
    if (!record->watched)
        watch(record, local_events());
    return true;
}

/* Is this event of a Python function ours to report? Frame evaluation has all but some of the __init__. */
static bool function_is_ours(const struct place *place) {
    if (monitoring.wishes & MONITOR_FUNCTIONS)
        return true;
#    if COMPAT_INIT_ESCAPES_EVALUATOR
    return (monitoring.wishes & MONITOR_INITS) && place->record->is_init &&
           compat_running_frame_is_inlined(place->tstate);
#    else
    (void)place;
    return false;
#    endif
}

/* Shall the place be looked at again? Of those that frame evaluation sees, never for their own sake. */
static PyObject *verdict(const struct place *place) {
    bool again = (monitoring.wishes & (MONITOR_FUNCTIONS | MONITOR_SELECTED)) ||
                 ((monitoring.wishes & MONITOR_INITS) && place->record->is_init) ||
                 (COMPAT_LINES_NEED_STARTS && (monitoring.wishes & MONITOR_LINES));
    return Py_NewRef(again ? Py_None : monitoring.disable);
}

/* ---- Callbacks ---- */

static PyObject *on_start(PyObject *self, PyObject *const *arguments, size_t count, PyObject *keywords) {
    (void)self, (void)keywords;
    struct place place;
    if (!place_take(&place, arguments, count, PROBE_FUNCTION_ENTRY))
        Py_RETURN_NONE;
    stranger_leaves(place.tstate);
    if (!is_selected(place.record))
        return pass_over(&place);
    if (function_is_ours(&place)) {
        if (thread_introduce() && !thread_self->announced)
            thread_noticed(place.tstate, compat_running_frame(place.tstate), place.code);
        event_function_entry(place.record, place.record->entry_line, EVENT_FRAME_RUNS);
    }
    return verdict(&place);
}

static PyObject *on_resume(PyObject *self, PyObject *const *arguments, size_t count, PyObject *keywords) {
    (void)self, (void)keywords;
    struct place place;
    if (!place_take(&place, arguments, count, PROBE_FUNCTION_ENTRY))
        Py_RETURN_NONE;
    stranger_leaves(place.tstate);
    if (!is_selected(place.record))
        return pass_over(&place);
    if (function_is_ours(&place))
        event_function_entry(place.record, place_line(&place), EVENT_FRAME_RUNS);
    return verdict(&place);
}

/* A generator is entered with an exception; no local event before 3.15, so never DISABLE. */
static PyObject *on_throw(PyObject *self, PyObject *const *arguments, size_t count, PyObject *keywords) {
    (void)self, (void)keywords;
    struct place place;
    if (!place_take(&place, arguments, count, PROBE_FUNCTION_ENTRY))
        Py_RETURN_NONE;
    stranger_leaves(place.tstate);
    if (is_selected(place.record) && function_is_ours(&place))
        event_function_entry(place.record, place_line(&place), EVENT_FRAME_RUNS);
    Py_RETURN_NONE;
}

static PyObject *on_return(PyObject *self, PyObject *const *arguments, size_t count, PyObject *keywords) {
    (void)self, (void)keywords;
    struct place place;
    if (!place_take(&place, arguments, count, PROBE_FUNCTION_RETURN))
        Py_RETURN_NONE;
    if (!stranger_leaves(place.tstate) && function_is_ours(&place))
        event_function_return(place.record, place_line(&place), EVENT_FRAME_RUNS);
    return verdict(&place);
}

/* The instruction told is that of the last RERAISE, which may have no line; the frame knows the first. */
static PyObject *on_unwind(PyObject *self, PyObject *const *arguments, size_t count, PyObject *keywords) {
    (void)self, (void)keywords;
    struct place place;
    if (!place_take(&place, arguments, count, PROBE_FUNCTION_RETURN))
        Py_RETURN_NONE;
    place.instruction = compat_frame_instruction(compat_running_frame(place.tstate), place.code);
    if (!stranger_leaves(place.tstate) && function_is_ours(&place))
        event_function_return(place.record, place_line(&place), EVENT_FRAME_RUNS);
    Py_RETURN_NONE;
}

static PyObject *on_line(PyObject *self, PyObject *const *arguments, size_t count, PyObject *keywords) {
    (void)self, (void)keywords;
    if (PyVectorcall_NARGS(count) < 2 || !PyCode_Check(arguments[0]))
        Py_RETURN_NONE;
    struct code_record *record = record_of(compat_current_tstate(), (PyCodeObject *)arguments[0]);
    if (record)
        event_line(record, (int)PyLong_AsLong(arguments[1]));
    else
        event_drop(PROBE_LINE);
    Py_RETURN_NONE;
}

/* What sys.settrace calls a line, and sys.monitoring does not: the next turn of a loop that is all in one
 * line. */
static PyObject *on_jump(PyObject *self, PyObject *const *arguments, size_t count, PyObject *keywords) {
    (void)self, (void)keywords;
    struct place place;
    if (PyVectorcall_NARGS(count) < 3 || !place_take(&place, arguments, count, PROBE_LINE))
        Py_RETURN_NONE;
    int destination = (int)PyLong_AsLong(arguments[2]);
    int line = code_line(place.record, place.code, destination);
    if (destination >= place.instruction || line < 0 || line != place_line(&place))
        return Py_NewRef(monitoring.disable);
    event_line(place.record, line);
    Py_RETURN_NONE;
}

static PyObject *on_c_call(PyObject *self, PyObject *const *arguments, size_t count, PyObject *keywords) {
    (void)self, (void)keywords;
    struct place place;
    struct c_function function;
    if (PyVectorcall_NARGS(count) > 2 && c_function_describe(&function, arguments[2]) &&
        place_take(&place, arguments, count, PROBE_C_FUNCTION_ENTRY))
        event_c_function_entry(place.record, function.name, place_line(&place), function.module);
    Py_RETURN_NONE;
}

static PyObject *on_c_return(PyObject *self, PyObject *const *arguments, size_t count, PyObject *keywords) {
    (void)self, (void)keywords;
    struct place place;
    struct c_function function;
    if (PyVectorcall_NARGS(count) > 2 && c_function_describe(&function, arguments[2]) &&
        place_take(&place, arguments, count, PROBE_C_FUNCTION_RETURN))
        event_c_function_return(place.record, function.name, place_line(&place), function.module);
    Py_RETURN_NONE;
}

static PyObject *on_raise(PyObject *self, PyObject *const *arguments, size_t count, PyObject *keywords) {
    (void)self, (void)keywords;
    struct place place;
    if (PyVectorcall_NARGS(count) < 3 || !place_take(&place, arguments, count, PROBE_EXCEPTION_RAISE))
        Py_RETURN_NONE;
    PyObject *traceback = PyException_GetTraceback(arguments[2]);
    exception_fire(place.record, place.code, PyEval_GetFrame(), place.instruction, arguments[2], traceback);
    Py_XDECREF(traceback);
    Py_RETURN_NONE;
}

/* ---- The tool ---- */

/* A callback is no builtin function, as a call of one is counted against the limit of C recursion: there it
   would raise RecursionError in the program. */
struct callback {
    PyObject head;
    vectorcallfunc function;
};

static PyTypeObject callback_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "catprobe.callback",
    .tp_basicsize = sizeof(struct callback),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_vectorcall_offset = offsetof(struct callback, function),
    .tp_call = PyVectorcall_Call,
};

enum reach {
    EVERYWHERE, /* an event of all code objects */
    SELECTED,   /* with MONITOR_SELECTED one of those alone that are watched */
};

static struct monitor_event {
    const char *name; /* in sys.monitoring.events */
    unsigned wishes;  /* that need it */
    enum reach reach;
    struct callback callback;
    int value; /* in sys.monitoring.events */
} monitor_events[] = {
#    define LINES_BY_STARTS (COMPAT_LINES_NEED_STARTS ? MONITOR_LINES : 0)
#    define ALL_TO_BE_KNOWN                                                                                  \
        (COMPAT_JOINS_INSTRUCTIONS ? MONITOR_C_FUNCTIONS | MONITOR_RAISES | MONITOR_LINES : 0)
#    define STARTS (MONITOR_FUNCTIONS | MONITOR_SELECTED | LINES_BY_STARTS | ALL_TO_BE_KNOWN)
#    define CALLBACK(function)                                                                               \
        { PyObject_HEAD_INIT(&callback_type) function }
    {"PY_START", STARTS | MONITOR_INITS, EVERYWHERE, CALLBACK(on_start), 0},
    {"PY_RESUME", STARTS, EVERYWHERE, CALLBACK(on_resume), 0},
    {"PY_THROW", MONITOR_FUNCTIONS, EVERYWHERE, CALLBACK(on_throw), 0},
    {"PY_RETURN", MONITOR_FUNCTIONS | MONITOR_INITS, SELECTED, CALLBACK(on_return), 0},
    {"PY_YIELD", MONITOR_FUNCTIONS, SELECTED, CALLBACK(on_return), 0},
    {"PY_UNWIND", MONITOR_FUNCTIONS | MONITOR_INITS, EVERYWHERE, CALLBACK(on_unwind), 0},
    {"LINE", MONITOR_LINES, SELECTED, CALLBACK(on_line), 0},
    {"JUMP", MONITOR_LINES, SELECTED, CALLBACK(on_jump), 0},
    {"CALL", MONITOR_C_FUNCTIONS, EVERYWHERE, CALLBACK(on_c_call), 0},
    {"C_RETURN", MONITOR_C_FUNCTIONS, EVERYWHERE, CALLBACK(on_c_return), 0},
    {"C_RAISE", MONITOR_C_FUNCTIONS, EVERYWHERE, CALLBACK(on_c_return), 0},
    {"RAISE", MONITOR_RAISES, EVERYWHERE, CALLBACK(on_raise), 0},
};
enum { MONITOR_EVENTS = sizeof monitor_events / sizeof monitor_events[0] };

/* Call a function of sys.monitoring; what it raises is dropped. */
static bool call(const char *function, PyObject *arguments) {
    PyObject *callable = arguments ? PyObject_GetAttrString(monitoring.namespace, function) : NULL;
    PyObject *result = callable ? PyObject_CallObject(callable, arguments) : NULL;
    bool done = result != NULL;
    Py_XDECREF(callable);
    Py_XDECREF(result);
    Py_XDECREF(arguments);
    PyErr_Clear();
    return done;
}

static int event_value(const char *name) {
    PyObject *events_object = PyObject_GetAttrString(monitoring.namespace, "events");
    PyObject *value = events_object ? PyObject_GetAttrString(events_object, name) : NULL;
    int number = value ? (int)PyLong_AsLong(value) : 0;
    Py_XDECREF(events_object);
    Py_XDECREF(value);
    PyErr_Clear();
    return number;
}

static bool register_callbacks(bool ours) {
    if (PyType_Ready(&callback_type) < 0)
        return false;
    for (int i = 0; i < MONITOR_EVENTS; i++) {
        PyObject *callback = ours ? &monitor_events[i].callback.head : Py_None;
        monitor_events[i].value = event_value(monitor_events[i].name);
        if (!call("register_callback",
                  Py_BuildValue("(iiO)", monitoring.tool, monitor_events[i].value, callback)))
            return false;
    }
    return true;
}

/* The events that these wishes need everywhere, or of a watched code object. */
static int events_for(unsigned wishes, enum reach reach) {
    int set = 0;
    for (int i = 0; i < MONITOR_EVENTS; i++) {
        enum reach its = wishes & MONITOR_SELECTED ? monitor_events[i].reach : EVERYWHERE;
        if ((monitor_events[i].wishes & wishes) && its == reach)
            set |= monitor_events[i].value;
    }
    return set;
}

static int local_events(void) {
    return events_for(monitoring.wishes, SELECTED);
}

static void tool_give_back(void) {
    unwatch_all();
    strangers_forget();
    call("set_events", Py_BuildValue("(ii)", monitoring.tool, 0));
    if (COMPAT_JOINS_INSTRUCTIONS)
        join_all_instructions();
    register_callbacks(false);
    call("free_tool_id", Py_BuildValue("(i)", monitoring.tool));
    Py_CLEAR(monitoring.namespace);
    Py_CLEAR(monitoring.disable);
    monitoring.wishes = 0;
}

static bool tool_take(void) {
    if (monitoring.namespace)
        return true;
    PyObject *namespace = PySys_GetObject("monitoring"); /* borrowed */
    if (!namespace)
        return false;
    monitoring.namespace = Py_NewRef(namespace);
    monitoring.disable = PyObject_GetAttrString(namespace, "DISABLE");
    for (size_t i = 0; monitoring.disable && i < sizeof tool_ids / sizeof tool_ids[0]; i++) {
        monitoring.tool = tool_ids[i];
        if (!call("use_tool_id", Py_BuildValue("(is)", monitoring.tool, "catprobe")))
            continue; /* in use: theirs */
        if (register_callbacks(true))
            return true;
        tool_give_back();
        return false;
    }
    Py_CLEAR(monitoring.namespace);
    Py_CLEAR(monitoring.disable);
    PyErr_Clear();
    return false;
}

static void set_strangers(unsigned wishes, bool continued) {
    if (!(wishes & MONITOR_FUNCTIONS))
        strangers_forget();
    else if ((wishes & MONITOR_SELECTED) && continued && !(monitoring.wishes & MONITOR_FUNCTIONS))
        strangers_forget();
    else if ((wishes | monitoring.wishes) & MONITOR_SELECTED)
        strangers_note();
}

unsigned monitoring_set(unsigned wishes, unsigned verdicts, bool continued) {
    if (wishes == monitoring.wishes && (verdicts == monitoring.verdicts || !(wishes & MONITOR_SELECTED)))
        return wishes;
    struct compat_error error = compat_error_put_aside();
    if (!wishes) {
        tool_give_back();
    } else if (!tool_take()) {
        wishes = 0;
    } else {
        set_strangers(wishes, continued);
        unwatch_all();
        monitoring.verdicts = verdicts;
        monitoring.wishes = wishes;             /* before, as events may come while this runs */
        call("restart_events", PyTuple_New(0)); /* what an earlier session disabled is live again */
        if (!call("set_events", Py_BuildValue("(ii)", monitoring.tool, events_for(wishes, EVERYWHERE)))) {
            tool_give_back();
            wishes = 0;
        } else if (COMPAT_JOINS_INSTRUCTIONS) {
            join_instructions_of_running();
        }
    }
    compat_error_put_back(error);
    return wishes;
}

#else

unsigned monitoring_set(unsigned wishes, unsigned verdicts, bool continued) {
    (void)wishes, (void)verdicts, (void)continued;
    return 0;
}

#endif
