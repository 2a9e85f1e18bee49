/*
 * frames.c: our evaluator of frames, and where it sits.
 *
 * The function stays harmless for ever: somebody may have saved it as "previous". It fires only between
 * frames_arm and frames_silence, only on a thread with stack to spare, and only for frames that it saw start.
 */
#include "frames.h"

#include "events.h"
#include "internal.h"
#include "threads.h"

#include <errno.h>
#include <stdlib.h>

#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* The part of the stack that a hooked call leaves alone, see room_for_hooks. */
enum {
    STACK_USE_BEFORE_3_11 =
        512 * 1024, /* there each call has its C frame untraced too, and a stack that is nearly full */
    STACK_SOFT_MARGIN = 16 * 1024, /* above the address where 3.14+ raises RecursionError */
};

static struct {
    bool active; /* armed and not silenced */
    enum frames_scope scope;
    unsigned session; /* grows with each arming and silencing: a return fires in the session of its entry */
    unsigned generation;        /* grows with whatever threads have to take note of, the slow way */
    void (*pending_call)(void); /* at the next frame of any thread; or NULL */
    PyInterpreterState *main;
} frames;

static PyObject *evaluate(COMPAT_EVALUATOR_PARAMETERS);

/* ---- The limit of C recursion, where the interpreter has one ---- */

/* A hooked call counts, an untraced one may not: it is lent what it counts while it runs. */
static inline int c_recursion_lend(struct thread *thread, PyThreadState *tstate, PyCodeObject *code) {
    if (!COMPAT_C_RECURSION_LIMIT)
        return 0;
    int units = compat_c_recursion_of(code);
    thread->lent += units;
    compat_c_recursion_add(tstate, units);
    return units;
}

static inline void c_recursion_take_back(struct thread *thread, PyThreadState *tstate, int units) {
    if (!COMPAT_C_RECURSION_LIMIT)
        return;
    thread->lent -= units;
    if (UNLIKELY(thread->lent < 0)) {
        units += thread->lent;
        thread->lent = 0;
    }
    compat_c_recursion_add(tstate, -units);
}

/* Half of the stack is in use and the hooks leave: of the limit, which protects the stack, no more than half
   may be left. */
static void c_recursion_call_in(struct thread *thread, PyThreadState *tstate) {
    int excess = compat_c_recursion_add(tstate, 0) - COMPAT_C_RECURSION_LIMIT / 2;
    if (excess > thread->lent)
        excess = thread->lent;
    if (excess <= 0)
        return;
    thread->lent -= excess;
    compat_c_recursion_add(tstate, -excess);
}

/* ---- The slow way: a thread's first call, a full stack, a session that is over ---- */

/* How far down the stack of the calling thread may a hooked call start? Hooked calls need C stack where
   untraced ones may need none, so that a deep recursion would run off it. */
static void room_for_hooks(struct thread *thread, PyThreadState *tstate) {
    uintptr_t base = thread->stack_base, top = thread->stack_top, low = base + (top - base) / 2;
    if (!COMPAT_CALLS_ARE_INLINED && top - low > STACK_USE_BEFORE_3_11)
        low = top - STACK_USE_BEFORE_3_11;
    uintptr_t soft_limit = compat_c_stack_soft_limit(tstate);
    if (soft_limit && low < soft_limit + STACK_SOFT_MARGIN)
        low = soft_limit + STACK_SOFT_MARGIN;
    thread->stack_low = low;
    thread->stack_room = top > low ? top - low : 0;
    if (!top) { /* the platform does not tell */
        thread->stack_low = 0;
        thread->stack_room = UINTPTR_MAX;
    }
}

static bool armed_in(const PyInterpreterState *interp) {
    return frames.active && (frames.scope == FRAMES_EVERYWHERE || interp != frames.main);
}

static void slot_empty(PyInterpreterState *interp) {
    if (compat_get_evaluator(interp) == evaluate)
        compat_set_evaluator(interp, _PyEval_EvalFrameDefault);
}

/* Where calls are inlined only as long as the slot is empty, a deep recursion has to go on without us. */
static __attribute__((noinline)) PyObject *evaluate_unhooked(COMPAT_EVALUATOR_PARAMETERS) {
    PyInterpreterState *interp = compat_tstate_interpreter(COMPAT_EVALUATOR_TSTATE);
    slot_empty(interp);
    unsigned session = frames.session;
    PyObject *result = _PyEval_EvalFrameDefault(COMPAT_EVALUATOR_ARGUMENTS);
    if (frames.active && frames.session == session &&
        compat_get_evaluator(interp) == _PyEval_EvalFrameDefault)
        compat_set_evaluator(interp, evaluate);
    return result;
}

static __attribute__((noinline)) void make_pending_call(void) {
    void (*function)(void) = __atomic_exchange_n(&frames.pending_call, NULL, __ATOMIC_ACQ_REL);
    if (!function)
        return;
    struct compat_error error = compat_error_put_aside();
    function();
    compat_error_put_back(error);
}

static PyObject *evaluate_hooked(COMPAT_EVALUATOR_PARAMETERS);

static __attribute__((noinline)) PyObject *evaluate_slowly(COMPAT_EVALUATOR_PARAMETERS) {
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    PyThreadState *running = COMPAT_EVALUATOR_TSTATE;
    PyInterpreterState *interp = compat_tstate_interpreter(running);
    int saved_errno = errno;
    if (frames.pending_call && interp == compat_main_interpreter())
        make_pending_call();
    if (!armed_in(interp)) {
        slot_empty(interp);
        errno = saved_errno;
        return _PyEval_EvalFrameDefault(COMPAT_EVALUATOR_ARGUMENTS);
    }
    bool known = thread_introduce();
    struct thread *thread = thread_self;
    if (known && thread->interp != interp)
        thread_look_up_extra_index(interp);
    if (known && thread->noted != frames.generation) {
        thread->noted = frames.generation;
        room_for_hooks(thread, running);
        thread_noticed(running, frame, compat_frame_code(frame));
    }
    bool short_of_stack = here - thread->stack_low >= thread->stack_room;
    if (known && !short_of_stack) {
        errno = saved_errno;
        return evaluate_hooked(COMPAT_EVALUATOR_ARGUMENTS);
    }
    bool failed_over = interp == frames.main && functions_fail_over();
    if (!failed_over)
        event_drop(PROBE_FUNCTION_ENTRY);
    errno = saved_errno;
    c_recursion_call_in(thread, running);
    if (failed_over || !COMPAT_CALLS_ARE_INLINED)
        return _PyEval_EvalFrameDefault(COMPAT_EVALUATOR_ARGUMENTS);
    return evaluate_unhooked(COMPAT_EVALUATOR_ARGUMENTS);
}

/* ---- Frames whose memory goes before we look at them: one in a hundred ---- */

struct leaving {
    struct leaving *next;
    const compat_frame *frame; /* NULL: its memory is gone */
    PyCodeObject *code;        /* of the frame; borrowed */
    int instruction;           /* at which the frame was then */
};

#if COMPAT_FRAMES_VANISH
static PyObjectArenaAllocator arenas_before;

static void arena_free(void *context, void *start, size_t size) {
    for (struct leaving *leaving = thread_self->leaving; leaving; leaving = leaving->next) {
        if ((uintptr_t)leaving->frame - (uintptr_t)start < size) {
            leaving->instruction = compat_frame_instruction(leaving->frame, leaving->code);
            leaving->frame = NULL;
        }
    }
    arenas_before.free(context, start, size);
}

/* Be told of memory that goes. Stays for ever, as somebody may have saved it as "previous". */
static void arenas_watch(void) {
    if (arenas_before.free)
        return;
    PyObjectArenaAllocator arenas;
    PyObject_GetArenaAllocator(&arenas);
    arenas_before = arenas;
    arenas.free = arena_free;
    PyObject_SetArenaAllocator(&arenas);
}
#else
static void arenas_watch(void) {}
#endif

/* On the heap, and not to be taken off in order, as greenlets exchange what is on the stack. NULL if memory
   is short. */
static __attribute__((noinline)) struct leaving *leaving_begin(const compat_frame *frame,
                                                               PyCodeObject *code) {
    struct leaving *leaving = malloc(sizeof *leaving);
    if (leaving) {
        *leaving = (struct leaving){.next = thread_self->leaving, .frame = frame, .code = code};
        thread_self->leaving = leaving;
    }
    return leaving;
}

static int leaving_end(struct leaving *leaving) {
    struct leaving **link = &thread_self->leaving;
    while (*link && *link != leaving)
        link = &(*link)->next;
    if (*link)
        *link = leaving->next;
    int instruction =
        leaving->frame ? compat_frame_instruction(leaving->frame, leaving->code) : leaving->instruction;
    free(leaving);
    return instruction;
}

/* ---- The fast way ---- */

static __attribute__((noinline)) void fire_return_at(struct code_record *record, PyCodeObject *code,
                                                     int instruction) {
    event_function_return(record, code_line_or_entry(record, code, instruction), EVENT_FRAME_ABSENT);
}

static __attribute__((noinline)) void fire_return(struct code_record *record, PyCodeObject *code,
                                                  const compat_frame *frame) {
    int line, instruction = compat_frame_instruction(frame, code);
    if (LIKELY(code_line_is_at_hand(record, instruction, &line)))
        event_function_return(record, line, EVENT_FRAME_ABSENT);
    else
        fire_return_at(record, code, instruction);
}

static __attribute__((noinline)) PyObject *evaluate_vanishing(COMPAT_EVALUATOR_PARAMETERS,
                                                              struct code_record *record, PyCodeObject *code,
                                                              unsigned session) {
    struct leaving *leaving = leaving_begin(frame, code);
    PyObject *result = _PyEval_EvalFrameDefault(COMPAT_EVALUATOR_ARGUMENTS);
    int instruction = leaving ? leaving_end(leaving) : -1;
    if (event_wanted(PROBE_FUNCTION_RETURN) && frames.session == session)
        event_function_return(record, code_line_or_entry(record, code, instruction), EVENT_FRAME_ABSENT);
    return result;
}

static __attribute__((noinline)) void fire_resumption(struct code_record *record, PyCodeObject *code,
                                                      compat_frame *frame) {
    int line = code_line_or_entry(record, code, compat_frame_instruction(frame, code));
    event_function_entry(record, line, EVENT_FRAME_ABSENT);
}

static __attribute__((noinline)) void fire_entry(struct code_record *record, PyCodeObject *code,
                                                 compat_frame *frame, int throwflag) {
    if (LIKELY(compat_frame_is_fresh(frame, throwflag)))
        event_function_entry(record, record->entry_line, EVENT_FRAME_ABSENT);
    else
        fire_resumption(record, code, frame);
}

/* `record` is that of the frame's code, or NULL if it has none yet. Out of line, so that a call that nobody
   wants saves no register. */
static __attribute__((noinline)) PyObject *evaluate_and_fire(COMPAT_EVALUATOR_PARAMETERS,
                                                             struct thread *thread, PyCodeObject *code,
                                                             struct code_record *record) {
    PyThreadState *running = COMPAT_EVALUATOR_TSTATE;
    if (compat_frame_makes_generator(frame, code))
        return _PyEval_EvalFrameDefault(COMPAT_EVALUATOR_ARGUMENTS);
    if (UNLIKELY(!record)) {
        record = code_record_make(code, thread->extra_index, frame);
        if (!record) {
            event_drop(PROBE_FUNCTION_ENTRY);
            return _PyEval_EvalFrameDefault(COMPAT_EVALUATOR_ARGUMENTS);
        }
    }
    int lent = c_recursion_lend(thread, running, code);
    PyObject *result;
    if (UNLIKELY(event_function_is_idle(record))) {
        result = _PyEval_EvalFrameDefault(COMPAT_EVALUATOR_ARGUMENTS);
        c_recursion_take_back(thread, running, lent);
        return result;
    }
    unsigned session = frames.session;
    if (event_wanted(PROBE_FUNCTION_ENTRY))
        fire_entry(record, code, frame, throwflag);
    Py_INCREF(code); /* and the record with it */
    if (UNLIKELY(compat_frame_may_vanish(running, frame))) {
        result = evaluate_vanishing(COMPAT_EVALUATOR_ARGUMENTS, record, code, session);
        c_recursion_take_back(thread, running, lent);
    } else {
        result = _PyEval_EvalFrameDefault(COMPAT_EVALUATOR_ARGUMENTS);
        c_recursion_take_back(thread, running, lent);
        if (event_wanted(PROBE_FUNCTION_RETURN) && frames.session == session)
            fire_return(record, code, frame);
    }
    Py_DECREF(code);
    return result;
}

static PyObject *evaluate_hooked(COMPAT_EVALUATOR_PARAMETERS) {
    struct thread *thread = thread_self;
    PyCodeObject *code = compat_frame_code(frame);
    return evaluate_and_fire(COMPAT_EVALUATOR_ARGUMENTS, thread, code,
                             code_record(code, thread->extra_index));
}

static PyObject *evaluate(COMPAT_EVALUATOR_PARAMETERS) {
    struct thread *thread = thread_self;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    PyInterpreterState *interp = compat_tstate_interpreter(COMPAT_EVALUATOR_TSTATE);
    if (UNLIKELY(here - thread->stack_low >= thread->stack_room || thread->interp != interp ||
                 thread->noted != frames.generation))
        return evaluate_slowly(COMPAT_EVALUATOR_ARGUMENTS);
    PyCodeObject *code = compat_frame_code(frame);
    struct code_record *record = code_record(code, thread->extra_index);
    if (!COMPAT_C_RECURSION_LIMIT && record && event_function_is_idle(record))
        return _PyEval_EvalFrameDefault(COMPAT_EVALUATOR_ARGUMENTS);
    return evaluate_and_fire(COMPAT_EVALUATOR_ARGUMENTS, thread, code, record);
}

/* ---- Arming ---- */

bool frames_slot_free(void) {
    compat_evaluator *evaluator = compat_get_evaluator(compat_main_interpreter());
    return evaluator == _PyEval_EvalFrameDefault || evaluator == evaluate;
}

/* Replace `from` by `to` in the slots of all interpreters but the main one, which other threads may be
 * running. */
static void slots_replace_in_others(compat_evaluator *from, compat_evaluator *to) {
    compat_lock_interpreters();
    for (PyInterpreterState *interp = PyInterpreterState_Head(); interp;
         interp = PyInterpreterState_Next(interp))
        if (interp != frames.main && compat_get_evaluator(interp) == from)
            compat_store_evaluator(interp, to);
    compat_unlock_interpreters();
}

void frames_arm(enum frames_scope scope) {
    frames.main = compat_main_interpreter();
    arenas_watch();
    if (!frames.active || frames.scope != scope) {
        frames.session++;
        frames.generation++;
        frames.scope = scope;
        frames.active = true;
    }
    if (scope == FRAMES_BUT_MAIN)
        slot_empty(frames.main);
    else if (compat_get_evaluator(frames.main) == _PyEval_EvalFrameDefault)
        compat_set_evaluator(frames.main, evaluate);
    slots_replace_in_others(_PyEval_EvalFrameDefault, evaluate);
}

void frames_notice_threads(void) {
    frames.generation++;
}

void frames_silence(void) {
    if (__atomic_exchange_n(&frames.active, false, __ATOMIC_ACQ_REL)) {
        __atomic_add_fetch(&frames.session, 1, __ATOMIC_RELEASE);
        __atomic_add_fetch(&frames.generation, 1, __ATOMIC_RELEASE);
    }
}

void frames_disarm(void) {
    frames_silence();
    frames.main = compat_main_interpreter();
    slot_empty(frames.main);
    slots_replace_in_others(evaluate, _PyEval_EvalFrameDefault);
}

void frames_call_once(void (*function)(void)) {
    PyInterpreterState *interp = compat_main_interpreter();
    __atomic_store_n(&frames.pending_call, function, __ATOMIC_RELEASE);
    /* so that threads that know the present arming come by */
    __atomic_add_fetch(&frames.generation, 1, __ATOMIC_RELEASE);
    if (function && compat_get_evaluator(interp) == _PyEval_EvalFrameDefault)
        compat_store_evaluator(interp, evaluate);
}
