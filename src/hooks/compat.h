/*
 * compat.h: what differs between CPython 3.6 and 3.15, as small functions named after what they mean.
 *
 * Only this header mentions PY_VERSION_HEX. A feature that a version has or lacks is a COMPAT_HAVE_* macro
 * here.
 */
#ifndef CATPROBE_COMPAT_H
#define CATPROBE_COMPAT_H

#ifndef PY_SSIZE_T_CLEAN
#    define PY_SSIZE_T_CLEAN
#endif

/* One file that says so has the tables of opcodes; they define symbols. */
#ifdef COMPAT_WANT_BYTECODE
#    define NEED_OPCODE_METADATA
#endif

/* The interpreter's own headers are not clean under our warnings. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wcast-function-type"
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#pragma GCC diagnostic ignored "-Wredundant-decls"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#include <Python.h>
#include <pthread.h>
#include <pythread.h>

/* Before 3.9 the evaluator has no setter, and 3.8 moved its slot into an internal header (bpo-38500).
   From 3.11 on frames are internal structs (bpo-46090). */
#undef _PyGC_FINALIZED /* defined once more, and otherwise, by the internal headers of 3.9 - 3.12 */
#if PY_VERSION_HEX >= 0x03080000
#    ifndef Py_BUILD_CORE
#        define Py_BUILD_CORE 1
#    endif
#    if PY_VERSION_HEX < 0x03090000
#        include <internal/pycore_pystate.h>
#    elif PY_VERSION_HEX < 0x030B0000
#        include <internal/pycore_interp.h>
#        include <internal/pycore_runtime.h>
#    elif PY_VERSION_HEX >= 0x030E0000
#        include <internal/pycore_ceval.h>
#        include <internal/pycore_dict.h>
#        include <internal/pycore_frame.h>
#        include <internal/pycore_interp.h>
#        include <internal/pycore_interpframe.h>
#        include <internal/pycore_runtime.h>
#        include <internal/pycore_tstate.h>
#    elif PY_VERSION_HEX >= 0x030B0000
#        include <internal/pycore_ceval.h>
#        include <internal/pycore_dict.h>
#        include <internal/pycore_frame.h>
#        include <internal/pycore_interp.h>
#        include <internal/pycore_runtime.h>
#        if PY_VERSION_HEX >= 0x030D0000
#            include <internal/pycore_tstate.h>
#        endif
#    endif
#    if defined COMPAT_NEEDS_OPCODES && PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030D0000
#        define NEED_OPCODE_TABLES /* they are defined by whoever includes it so */
#        include <internal/pycore_opcode.h>
#    elif defined COMPAT_WANT_BYTECODE && PY_VERSION_HEX >= 0x030D0000
#        include <internal/pycore_opcode_metadata.h>
#    elif defined COMPAT_WANT_BYTECODE && PY_VERSION_HEX >= 0x030B0000
#        if PY_VERSION_HEX < 0x030C0000 /* 3.12: see above */
#            define NEED_OPCODE_TABLES
#        endif
#        include <internal/pycore_opcode.h>
#    endif
#    undef Py_BUILD_CORE
#endif
#include <frameobject.h>
#include <opcode.h>
#pragma GCC diagnostic pop

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* sys.monitoring (PEP 669): all threads and all frames at once, switched off code location by code location.
 */
#if PY_VERSION_HEX >= 0x030C0000
#    define COMPAT_HAVE_MONITORING 1
#else
#    define COMPAT_HAVE_MONITORING 0
#endif

/* 3.11 and later run a Python-to-Python call without a C frame, unless an evaluator is installed (bpo-45256).
 */
#if PY_VERSION_HEX >= 0x030B0000
#    define COMPAT_CALLS_ARE_INLINED 1
#else
#    define COMPAT_CALLS_ARE_INLINED 0
#endif

/* 3.13 enters the __init__ of a plain class without looking at the evaluator slot
 * (CALL_ALLOC_AND_ENTER_INIT). */
#if PY_VERSION_HEX >= 0x030D0000 && PY_VERSION_HEX < 0x030E0000
#    define COMPAT_INIT_ESCAPES_EVALUATOR 1
#else
#    define COMPAT_INIT_ESCAPES_EVALUATOR 0
#endif

/* See compat_c_recursion_of; 0: there is no such limit. */
#if PY_VERSION_HEX >= 0x030D0000 && PY_VERSION_HEX < 0x030E0000
#    define COMPAT_C_RECURSION_LIMIT Py_C_RECURSION_LIMIT
#elif PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030D0000
#    define COMPAT_C_RECURSION_LIMIT C_RECURSION_LIMIT
#else
#    define COMPAT_C_RECURSION_LIMIT 0
#endif

/* The evaluator pops its own frame, see compat_frame_may_vanish. */
#if PY_VERSION_HEX >= 0x030C0000
#    define COMPAT_FRAMES_VANISH 1
#else
#    define COMPAT_FRAMES_VANISH 0
#endif

/* sys.monitoring passes over the first line of a function that is the line of its `def` too, a lambda's, when
   RESUME is specialised. It is not while starts and resumptions are asked for. */
#if PY_VERSION_HEX >= 0x030D0000
#    define COMPAT_LINES_NEED_STARTS 1
#else
#    define COMPAT_LINES_NEED_STARTS 0
#endif

/* Some pairs of instructions are joined when a code object is made, and parted for good when it is
   instrumented for the first time. 3.11 is not instrumented; 3.13 has such instructions from the compiler. */
#if PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030D0000
#    define COMPAT_JOINS_INSTRUCTIONS 1
#else
#    define COMPAT_JOINS_INSTRUCTIONS 0
#endif

#if PY_VERSION_HEX >= 0x03080000 /* PEP 578 */
#    define COMPAT_HAVE_AUDIT 1
#else
#    define COMPAT_HAVE_AUDIT 0
#endif

#if PY_VERSION_HEX >= 0x03070000 /* bpo-16500 */
#    define COMPAT_HAVE_REGISTER_AT_FORK 1
#else
#    define COMPAT_HAVE_REGISTER_AT_FORK 0
#endif

/* os.fork() warns when the process has more than one thread afterwards (gh-100228), and pending calls may run
   in any thread (gh-104812). */
#if PY_VERSION_HEX >= 0x030C0000
#    define COMPAT_FORK_COUNTS_THREADS 1
#    define COMPAT_PENDING_CALLS_IN_ANY_THREAD 1
#else
#    define COMPAT_FORK_COUNTS_THREADS 0
#    define COMPAT_PENDING_CALLS_IN_ANY_THREAD 0
#endif

#define COMPAT_RECURSION_LENT 50

#ifdef Py_GIL_DISABLED
#    define COMPAT_FREE_THREADED 1
#else
#    define COMPAT_FREE_THREADED 0
#endif

/* Can two threads run Python at the same time? Interpreters may have a GIL each since 3.12 (PEP 684). */
#if PY_VERSION_HEX >= 0x030C0000
#    define COMPAT_RUNS_IN_PARALLEL 1
#else
#    define COMPAT_RUNS_IN_PARALLEL 0
#endif

/* Probes of the interpreter's own that fire, when it was built --with-dtrace, as a bit set of
   COMPAT_NATIVE_*. 3.11 lost function-entry, but function-return fires as it should, and its `line` crashes
   (gh-98894, gh-104280); 3.15 has the first two again. */
#define COMPAT_NATIVE_ENTRY 1u
#define COMPAT_NATIVE_RETURN 2u
#define COMPAT_NATIVE_FUNCTION (COMPAT_NATIVE_ENTRY | COMPAT_NATIVE_RETURN)
#define COMPAT_NATIVE_LINE 4u
#define COMPAT_NATIVE_GC 8u
#define COMPAT_NATIVE_IMPORT 16u
#define COMPAT_NATIVE_AUDIT 32u
#ifndef WITH_DTRACE
#    define COMPAT_NATIVE_PROBES 0u
#elif PY_VERSION_HEX >= 0x030F0000
#    define COMPAT_NATIVE_PROBES                                                                             \
        (COMPAT_NATIVE_FUNCTION | COMPAT_NATIVE_GC | COMPAT_NATIVE_IMPORT | COMPAT_NATIVE_AUDIT)
#elif PY_VERSION_HEX >= 0x030C0000
#    define COMPAT_NATIVE_PROBES (COMPAT_NATIVE_GC | COMPAT_NATIVE_IMPORT | COMPAT_NATIVE_AUDIT)
#elif PY_VERSION_HEX >= 0x030B0000
#    define COMPAT_NATIVE_PROBES                                                                             \
        (COMPAT_NATIVE_RETURN | COMPAT_NATIVE_GC | COMPAT_NATIVE_IMPORT | COMPAT_NATIVE_AUDIT)
#elif PY_VERSION_HEX >= 0x03080000
#    define COMPAT_NATIVE_PROBES                                                                             \
        (COMPAT_NATIVE_FUNCTION | COMPAT_NATIVE_LINE | COMPAT_NATIVE_GC | COMPAT_NATIVE_IMPORT |             \
         COMPAT_NATIVE_AUDIT)
#elif PY_VERSION_HEX >= 0x03070000
#    define COMPAT_NATIVE_PROBES                                                                             \
        (COMPAT_NATIVE_FUNCTION | COMPAT_NATIVE_LINE | COMPAT_NATIVE_GC | COMPAT_NATIVE_IMPORT)
#else
#    define COMPAT_NATIVE_PROBES (COMPAT_NATIVE_FUNCTION | COMPAT_NATIVE_LINE | COMPAT_NATIVE_GC)
#endif

/* A C function that takes (self, arguments, count): without a tuple where the version can call it so. */
#if PY_VERSION_HEX >= 0x03070000 /* METH_FASTCALL is public and has no keywords since 3.7 (bpo-29464). */
#    define COMPAT_METH_FASTCALL METH_FASTCALL
#    define COMPAT_FASTCALL_WRAPPER(name, implementation)                                                    \
        static PyObject *name(PyObject *self, PyObject *const *arguments, Py_ssize_t count) {                \
            return implementation(self, arguments, count);                                                   \
        }
#else
#    define COMPAT_METH_FASTCALL METH_VARARGS
#    define COMPAT_FASTCALL_WRAPPER(name, implementation)                                                    \
        static PyObject *name(PyObject *self, PyObject *arguments) {                                         \
            return implementation(self, &PyTuple_GET_ITEM(arguments, 0), PyTuple_GET_SIZE(arguments));       \
        }
#endif

/* ---- Frames and their evaluator (PEP 523) ---- */

#if PY_VERSION_HEX >= 0x030B0000
typedef struct _PyInterpreterFrame compat_frame;
#else
typedef PyFrameObject compat_frame;
#endif

#if PY_VERSION_HEX >= 0x03090000
typedef PyObject *compat_evaluator(PyThreadState *, compat_frame *, int);
#    define COMPAT_EVALUATOR_PARAMETERS PyThreadState *tstate, compat_frame *frame, int throwflag
#    define COMPAT_EVALUATOR_TSTATE tstate
#    define COMPAT_EVALUATOR_ARGUMENTS tstate, frame, throwflag
#else /* bpo-38818: the thread state is an argument since 3.9. */
typedef PyObject *compat_evaluator(compat_frame *, int);
#    define COMPAT_EVALUATOR_PARAMETERS compat_frame *frame, int throwflag
#    define COMPAT_EVALUATOR_TSTATE PyThreadState_GET()
#    define COMPAT_EVALUATOR_ARGUMENTS frame, throwflag
#endif

/* The evaluator of an interpreter; never NULL. */
static inline compat_evaluator *compat_get_evaluator(PyInterpreterState *interp) {
#if PY_VERSION_HEX >= 0x03090000
    return _PyInterpreterState_GetEvalFrameFunc(interp);
#else
    return interp->eval_frame;
#endif
}

/* Install an evaluator in the calling thread's own interpreter. With the GIL: the JIT of 3.13+ throws its
 * traces away. */
static inline void compat_set_evaluator(PyInterpreterState *interp, compat_evaluator *evaluator) {
#if PY_VERSION_HEX >= 0x03090000
    _PyInterpreterState_SetEvalFrameFunc(interp, evaluator);
#else
    interp->eval_frame = evaluator;
#endif
}

/* The same for an interpreter that another thread may be running (PEP 684): one store and nothing else. */
static inline void compat_store_evaluator(PyInterpreterState *interp, compat_evaluator *evaluator) {
#if PY_VERSION_HEX >= 0x030B0000 /* NULL stands for the default, and lets calls be inlined. */
    __atomic_store_n(&interp->eval_frame, evaluator == _PyEval_EvalFrameDefault ? NULL : evaluator,
                     __ATOMIC_RELEASE);
#else
    compat_set_evaluator(interp, evaluator);
#endif
}

/* Hold the list of interpreters still while it is walked. Before 3.12 they all share one GIL. */
static inline void compat_lock_interpreters(void) {
#if PY_VERSION_HEX >= 0x030D0000
    PyMutex_Lock(&_PyRuntime.interpreters.mutex);
#elif PY_VERSION_HEX >= 0x030C0000
    PyThread_acquire_lock(_PyRuntime.interpreters.mutex, WAIT_LOCK);
#endif
}

static inline void compat_unlock_interpreters(void) {
#if PY_VERSION_HEX >= 0x030D0000
    PyMutex_Unlock(&_PyRuntime.interpreters.mutex);
#elif PY_VERSION_HEX >= 0x030C0000
    PyThread_release_lock(_PyRuntime.interpreters.mutex);
#endif
}

/* Have a GIL: before 3.7 there is none, and nothing waits for it or locks the queue of pending calls, until a
   program first uses threads (bpo-20891). */
static inline void compat_create_gil(void) {
#if PY_VERSION_HEX < 0x03070000
    PyEval_InitThreads();
#endif
}

/* The thread state that holds the GIL; no check, no fatal error. */
static inline PyThreadState *compat_current_tstate(void) {
#if PY_VERSION_HEX >= 0x030D0000
    return PyThreadState_GetUnchecked();
#else
    return _PyThreadState_UncheckedGet();
#endif
}

/* Does the calling thread, of which Python may not know, hold the GIL? Before 3.12 the state that holds it is
   one for the process, and in a sub-interpreter this says no. */
static inline bool compat_has_gil(void) {
#if PY_VERSION_HEX >= 0x030C0000
    return compat_current_tstate() != NULL;
#else
    PyThreadState *own = PyGILState_GetThisThreadState();
    return own && own == compat_current_tstate();
#endif
}

static inline PyInterpreterState *compat_tstate_interpreter(PyThreadState *tstate) {
    return tstate->interp;
}

static inline PyInterpreterState *compat_main_interpreter(void) {
#if PY_VERSION_HEX >= 0x03080000
    return PyInterpreterState_Main();
#else /* The list has the newest first. */
    PyInterpreterState *interp = PyInterpreterState_Head();
    while (interp && PyInterpreterState_Next(interp))
        interp = PyInterpreterState_Next(interp);
    return interp;
#endif
}

/* Has a thread of the program a trace function of its own that an evaluator of ours would disturb? From 3.12
   on the calls that are not inlined for its sake show: `await` as an exception StopIteration, and on 3.12 a
   line that is not told again after each call in it. */
static inline bool compat_evaluator_disturbs(PyInterpreterState *interp) {
#if COMPAT_HAVE_MONITORING
    return interp->sys_tracing_threads > 0;
#else
    (void)interp;
    return false;
#endif
}

/* A number for an interpreter that no later one gets, unlike its address (3.6 has no better than that). */
static inline int64_t compat_interpreter_id(PyInterpreterState *interp) {
#if PY_VERSION_HEX >= 0x03070000
    return PyInterpreterState_GetID(interp);
#else
    return (int64_t)(intptr_t)interp;
#endif
}

/* The code object that a frame runs; borrowed. */
static inline PyCodeObject *compat_frame_code(compat_frame *frame) {
#if PY_VERSION_HEX >= 0x030D0000
    return _PyFrame_GetCode(frame);
#else
    return frame->f_code;
#endif
}

/* Does this entry of the evaluator only make a generator or a coroutine? From 3.11 on the body's frame does
   that itself, with RETURN_GENERATOR (bpo-46409); no tracer calls that a call. */
static inline bool compat_frame_makes_generator(compat_frame *frame, PyCodeObject *code) {
#if PY_VERSION_HEX >= 0x030B0000
    return (code->co_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR)) != 0 &&
           frame->owner == FRAME_OWNED_BY_THREAD;
#else
    (void)frame, (void)code;
    return false;
#endif
}

/* The byte offset, as PyCode_Addr2Line wants it, of the instruction that a frame is at; negative before the
   first. Also right for a frame that the evaluator has just left, as long as its memory is there and `code`
   alive. */
static inline int compat_frame_instruction(const compat_frame *frame, PyCodeObject *code) {
#if PY_VERSION_HEX >= 0x030D0000
    return (int)((const char *)frame->instr_ptr - (const char *)_PyCode_CODE(code));
#elif PY_VERSION_HEX >= 0x030B0000
    return (int)((const char *)frame->prev_instr - (const char *)_PyCode_CODE(code));
#elif PY_VERSION_HEX >= 0x030A0000 /* bpo-27129: counted in code units in 3.10. */
    (void)code;
    return frame->f_lasti * 2;
#else
    (void)code;
    return frame->f_lasti;
#endif
}

/* Is this the frame's start, not its resumption? */
static inline bool compat_frame_is_fresh(const compat_frame *frame, int throwflag) {
#if PY_VERSION_HEX >= 0x030B0000
    return !throwflag && frame->owner == FRAME_OWNED_BY_THREAD;
#else
    return !throwflag && frame->f_lasti < 0;
#endif
}

/* May the memory of this frame be unmapped when it has returned? From 3.12 on the evaluator pops its own
   frame, and with the first of a chunk of the data stack goes the chunk (gh-96569), to the arena allocator.
   To be asked before the evaluation. */
static inline bool compat_frame_may_vanish(PyThreadState *tstate, const compat_frame *frame) {
#if COMPAT_FRAMES_VANISH
    return tstate->datastack_chunk && (const void *)frame == (const void *)&tstate->datastack_chunk->data[0];
#else
    (void)tstate, (void)frame;
    return false;
#endif
}

/* The first local variable of a fresh frame, borrowed; NULL if it has no arguments or the first is in a cell.
 */
static inline PyObject *compat_frame_first_argument(compat_frame *frame, PyCodeObject *code) {
    if (code->co_argcount < 1)
        return NULL;
#if PY_VERSION_HEX >= 0x030E0000
    return PyStackRef_IsNull(frame->localsplus[0]) ? NULL : PyStackRef_AsPyObjectBorrow(frame->localsplus[0]);
#elif PY_VERSION_HEX >= 0x030B0000
    return frame->localsplus[0];
#else
    return frame->f_localsplus[0];
#endif
}

/* The line of a code object's start, as the call event of sys.setprofile gives it: from 3.11 on that of
   RESUME, which is 0 for a module. */
static inline int compat_code_entry_line(PyCodeObject *code) {
#if PY_VERSION_HEX >= 0x030B0000
    int line = PyCode_Addr2Line(code, code->_co_firsttraceable * (int)sizeof(_Py_CODEUNIT));
    return line < 0 ? code->co_firstlineno : line;
#else
    return code->co_firstlineno;
#endif
}

/* The qualified name of a code object; borrowed; NULL before 3.11, which keeps it with the function
 * (bpo-44530). */
static inline PyObject *compat_code_qualname(PyCodeObject *code) {
#if PY_VERSION_HEX >= 0x030B0000
    return code->co_qualname;
#else
    (void)code;
    return NULL;
#endif
}

/* The record slot of a code object (PEP 523's co_extra, public as PyUnstable since 3.12). */
static inline Py_ssize_t compat_request_code_extra_index(freefunc release) {
#if PY_VERSION_HEX >= 0x030C0000
    return PyUnstable_Eval_RequestCodeExtraIndex(release);
#else
    return _PyEval_RequestCodeExtraIndex(release);
#endif
}

/* NULL when it has none, and for a negative index. */
static inline void *compat_get_code_extra(PyCodeObject *code, Py_ssize_t index) {
#if PY_VERSION_HEX >= 0x030F0000 || defined Py_GIL_DISABLED
    void *extra = NULL;
    PyUnstable_Code_GetExtra((PyObject *)code, index, &extra);
    return extra;
#elif PY_VERSION_HEX < 0x03070000 /* the slots are in another block */
    void *extra = NULL;
    _PyCode_GetExtra((PyObject *)code, index, &extra);
    return extra;
#else                             /* As _PyCode_GetExtra does, without the call. */
    const struct {
        Py_ssize_t size;
        void *extras[];
    } *block = code->co_extra;
    return block && (size_t)index < (size_t)block->size ? block->extras[index] : NULL;
#endif
}

/* The block with the slots of a code object; NULL: none yet. */
static inline const void *compat_code_extra_block(const PyCodeObject *code) {
    return code->co_extra;
}

static inline int compat_set_code_extra(PyCodeObject *code, Py_ssize_t index, void *extra) {
#if PY_VERSION_HEX >= 0x030C0000
    return PyUnstable_Code_SetExtra((PyObject *)code, index, extra);
#else
    return _PyCode_SetExtra((PyObject *)code, index, extra);
#endif
}

/* The generator or coroutine that owns a frame (before 3.11); borrowed or NULL. */
static inline PyObject *compat_frame_generator(compat_frame *frame) {
#if PY_VERSION_HEX >= 0x030B0000
    (void)frame;
    return NULL;
#else
    return frame->f_gen;
#endif
}

static inline PyObject *compat_frame_globals(compat_frame *frame) {
    return frame->f_globals;
}

/* The frame that a thread runs; NULL if none. */
static inline compat_frame *compat_running_frame(PyThreadState *tstate) {
#if PY_VERSION_HEX >= 0x030D0000
    return tstate->current_frame;
#elif PY_VERSION_HEX >= 0x030B0000
    return tstate->cframe->current_frame;
#else
    return tstate->frame;
#endif
}

/* This frame, or the next below it that runs a code object of the program: from 3.12 on there are frames of
   the interpreter's own between, from 3.11 on some that are not complete. */
static inline compat_frame *compat_stack_skip(compat_frame *frame) {
#if PY_VERSION_HEX >= 0x030B0000
    while (frame && _PyFrame_IsIncomplete(frame))
        frame = frame->previous;
#endif
    return frame;
}

/* The Python stack of a thread, its running frame first. The thread is the calling one, or does not run
   meanwhile. */
static inline compat_frame *compat_stack_top(PyThreadState *tstate) {
    return compat_stack_skip(compat_running_frame(tstate));
}

static inline compat_frame *compat_stack_next(compat_frame *frame) {
#if PY_VERSION_HEX >= 0x030B0000
    return compat_stack_skip(frame->previous);
#else
    return frame->f_back;
#endif
}

#if COMPAT_JOINS_INSTRUCTIONS && defined COMPAT_NEEDS_OPCODES
/* The opcode that does what two in a row do, 0: there is none. As _PyCode_Quicken has it. */
static inline uint8_t compat_opcode_of_pair(uint8_t first, uint8_t second) {
    switch (first << 8 | second) {
    case LOAD_CONST << 8 | LOAD_FAST:
        return LOAD_CONST__LOAD_FAST;
    case LOAD_FAST << 8 | LOAD_CONST:
        return LOAD_FAST__LOAD_CONST;
    case LOAD_FAST << 8 | LOAD_FAST:
        return LOAD_FAST__LOAD_FAST;
    case STORE_FAST << 8 | LOAD_FAST:
        return STORE_FAST__LOAD_FAST;
    case STORE_FAST << 8 | STORE_FAST:
        return STORE_FAST__STORE_FAST;
    default:
        return 0;
    }
}

/* GIL. Join the pairs of a code object that may be joined; up to the first instruction that somebody
   monitors, other than the start of a function. */
static inline void compat_code_join_instructions(PyCodeObject *code) {
    _Py_CODEUNIT *units = _PyCode_CODE(code);
    uint8_t before = CACHE;
    for (Py_ssize_t i = 0, count = Py_SIZE(code); i < count;) {
        uint8_t opcode = units[i].op.code;
        if (opcode == INSTRUMENTED_RESUME)
            opcode = RESUME;
        if (opcode >= MIN_INSTRUMENTED_OPCODE)
            return;
        opcode = _PyOpcode_Deopt[opcode];
        uint8_t pair = compat_opcode_of_pair(before, opcode);
        if (pair)
            units[i - 1].op.code = pair;
        before = opcode;
        i += 1 + _PyOpcode_Caches[opcode];
    }
}
#else
static inline void compat_code_join_instructions(PyCodeObject *code) {
    (void)code;
}
#endif

/* Is the instruction at a byte offset `raise X`? */
static inline bool compat_instruction_raises(PyCodeObject *code, int instruction) {
    if (instruction < 0)
        return false;
#if PY_VERSION_HEX >= 0x030C0000 /* Line events put their own opcode in place of each line's first. */
    int opcode = _PyCode_CODE(code)[instruction / 2].op.code;
    if (opcode < MIN_INSTRUMENTED_OPCODE)
        return opcode == RAISE_VARARGS;
    PyObject *original = PyCode_GetCode(code);
    bool raises = original && (unsigned char)PyBytes_AS_STRING(original)[instruction] == RAISE_VARARGS;
    Py_XDECREF(original);
    PyErr_Clear();
    return raises;
#elif PY_VERSION_HEX >= 0x030B0000
    return _Py_OPCODE(_PyCode_CODE(code)[instruction / 2]) == RAISE_VARARGS;
#else
    return (unsigned char)PyBytes_AS_STRING(code->co_code)[instruction] == RAISE_VARARGS;
#endif
}

#if COMPAT_INIT_ESCAPES_EVALUATOR
/* Was the running frame entered by the interpreter loop itself, past the evaluator slot? */
static inline bool compat_running_frame_is_inlined(PyThreadState *tstate) {
    compat_frame *frame = tstate->current_frame;
    return frame && frame->previous && frame->previous->owner != FRAME_OWNED_BY_CSTACK;
}
#endif

/* 3.12 and 3.13 count entries of the evaluator against a limit of C recursion (gh-91079): how many units the
   entry for this code object is counted, which untraced, when called from Python, is not: 2, and for the call
   of send() by `await` or `yield from` 1 more. Which calls come from C cannot be seen. 0: nothing is counted.
 */
static inline int compat_c_recursion_of(PyCodeObject *code) {
#if COMPAT_C_RECURSION_LIMIT
    return __builtin_expect(code->co_flags & (CO_GENERATOR | CO_COROUTINE), 0) ? 3 : 2;
#else
    (void)code;
    return 0;
#endif
}

/* Change what is left of C recursion by some units; returns what is left then. */
static inline int compat_c_recursion_add(PyThreadState *tstate, int units) {
#if COMPAT_C_RECURSION_LIMIT
    return tstate->c_recursion_remaining += units;
#else
    (void)tstate, (void)units;
    return 0;
#endif
}

/* The address below which 3.14+ raises RecursionError in this thread (gh-134170); 0 where there is none. */
static inline uintptr_t compat_c_stack_soft_limit(PyThreadState *tstate) {
#if PY_VERSION_HEX >= 0x030E0000
    return ((_PyThreadStateImpl *)tstate)->c_stack_soft_limit;
#else
    (void)tstate;
    return 0;
#endif
}

/* ---- A live exception, put aside while we call into the API ---- */

struct compat_error {
    PyObject *type, *value, *traceback; /* owned; before 3.12 the exception is three objects (gh-101578) */
};

static inline struct compat_error compat_error_put_aside(void) {
    struct compat_error error = {NULL, NULL, NULL};
#if PY_VERSION_HEX >= 0x030C0000
    error.value = PyErr_GetRaisedException();
#else
    PyErr_Fetch(&error.type, &error.value, &error.traceback);
#endif
    return error;
}

/* Put it back; what was raised since is dropped. */
static inline void compat_error_put_back(struct compat_error error) {
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_Clear();
    if (error.value)
        PyErr_SetRaisedException(error.value);
#else
    PyErr_Restore(error.type, error.value, error.traceback);
#endif
}

/* ---- Trace and profile functions of any thread, before sys.monitoring ---- */

#if !COMPAT_HAVE_MONITORING
/* The code of a frame object; borrowed, as the frame holds it. */
static inline PyCodeObject *compat_frame_object_code(PyFrameObject *frame) {
#    if PY_VERSION_HEX >= 0x030B0000
    return frame->f_frame->f_code;
#    else
    return frame->f_code;
#    endif
}

static inline compat_frame *compat_frame_object_data(PyFrameObject *frame) {
#    if PY_VERSION_HEX >= 0x030B0000
    return frame->f_frame;
#    else
    return frame;
#    endif
}

/* As PyEval_SetTrace and PyEval_SetProfile, for a thread that need not be the caller's. With the GIL. An
   audit hook that objects wins: nothing is installed and nothing raised. */
static inline void compat_set_tracefunc(PyThreadState *tstate, bool profile, Py_tracefunc function,
                                        PyObject *object) {
#    if PY_VERSION_HEX >= 0x03090000 /* bpo-35370 */
    if ((profile ? _PyEval_SetProfile : _PyEval_SetTrace)(tstate, function, object) < 0)
        PyErr_Clear();
#    else
    PyThreadState *own = PyThreadState_Swap(tstate);
    bool raised_before = tstate->curexc_type != NULL;
    (profile ? PyEval_SetProfile : PyEval_SetTrace)(function, object);
    if (!raised_before)
        PyErr_Clear();
    PyThreadState_Swap(own);
#    endif
}
#endif

/* A number for a thread state that grows with each one made; 0 where there is none (3.6). */
static inline uint64_t compat_tstate_id(PyThreadState *tstate) {
#if PY_VERSION_HEX >= 0x03070000 /* bpo-29619 */
    return (uint64_t)tstate->id + 1;
#else
    (void)tstate;
    return 0;
#endif
}

/* ---- Having something done by the program's threads ---- */

/* Have a thread that runs Python in the main interpreter call `function`, between two bytecodes: from 3.12 on
   any, before that the main thread. Any thread, no GIL. False: the queue is full, or closed.

   3.8 closes it before the atexit handlers run, and then its own function for this raises and prints, for
   which a thread without a thread state crashes (bpo-37127). */
static inline bool compat_add_pending_call(int (*function)(void *)) {
#if COMPAT_PENDING_CALLS_IN_ANY_THREAD
    return _PyEval_AddPendingCall(compat_main_interpreter(), function, NULL, 0) == 0;
#elif PY_VERSION_HEX >= 0x03080000 && PY_VERSION_HEX < 0x03090000
    struct _pending_calls *pending = &_PyRuntime.ceval.pending;
    PyThread_acquire_lock(pending->lock, WAIT_LOCK);
    int last = pending->last, next = (last + 1) % NPENDINGCALLS;
    bool open = !pending->finishing && next != pending->first;
    if (open) {
        pending->calls[last].func = function;
        pending->calls[last].arg = NULL;
        pending->last = next;
    }
    PyThread_release_lock(pending->lock);
    if (open) {
        _Py_atomic_store_relaxed(&pending->calls_to_do, 1);
        _Py_atomic_store_relaxed(&_PyRuntime.ceval.eval_breaker, 1);
    }
    return open;
#else
    return Py_AddPendingCall(function, NULL) == 0;
#endif
}

/* Have room for calls of our own in a thread that may be at its recursion limit. Before 3.9 running into it,
   though the exception is dropped, would raise the limit by 50, and end the process behind that. 3.14+ counts
   no calls. */
static inline void compat_lend_recursion(PyThreadState *tstate) {
#if PY_VERSION_HEX < 0x030B0000
    tstate->recursion_depth -= COMPAT_RECURSION_LENT;
#elif PY_VERSION_HEX < 0x030C0000
    tstate->recursion_remaining += COMPAT_RECURSION_LENT;
#elif PY_VERSION_HEX < 0x030E0000
    tstate->c_recursion_remaining += COMPAT_RECURSION_LENT;
#else
    (void)tstate;
#endif
}

static inline void compat_return_recursion(PyThreadState *tstate) {
#if PY_VERSION_HEX < 0x030B0000
    tstate->recursion_depth += COMPAT_RECURSION_LENT;
#elif PY_VERSION_HEX < 0x030C0000
    tstate->recursion_remaining -= COMPAT_RECURSION_LENT;
#elif PY_VERSION_HEX < 0x030E0000
    tstate->c_recursion_remaining -= COMPAT_RECURSION_LENT;
#else
    (void)tstate;
#endif
}

/* GIL. Make a callable that was given to os.register_at_fork(after_in_parent=) the last of them: those of
   other modules may run Python, and give other threads a turn, before os.fork() counts the threads. */
static inline void compat_call_last_after_fork(PyObject *callable) {
#if COMPAT_FORK_COUNTS_THREADS
    PyObject *list = compat_main_interpreter()->after_forkers_parent; /* borrowed */
    Py_ssize_t last = list ? PyList_GET_SIZE(list) - 1 : -1, at = 0;
    while (at < last && PyList_GET_ITEM(list, at) != callable)
        at++;
    if (at < last && (PyList_Append(list, callable) < 0 || PyList_SetSlice(list, at, at + 1, NULL) < 0))
        PyErr_Clear();
#else
    (void)callable;
#endif
}

/* ---- Copies of the interpreter's memory, taken while it runs (src/sampler) ----
 *
 * A copy may be of something that was freed or changed meanwhile: nothing in it is followed without another
 * careful copy. Addresses are uintptr_t where they must not be followed by themselves.
 */

/* Frames lie on a data stack of the thread's, in chunks; before, each is an object of its own. */
#if PY_VERSION_HEX >= 0x030B0000
#    define COMPAT_HAVE_DATA_STACK 1
#else
#    define COMPAT_HAVE_DATA_STACK 0
#endif

/* A struct on the C stack leads from the thread state to the frame. */
#if PY_VERSION_HEX >= 0x030B0000 && PY_VERSION_HEX < 0x030D0000
#    define COMPAT_HAVE_CFRAME 1
typedef _PyCFrame compat_cframe;
#else
#    define COMPAT_HAVE_CFRAME 0
typedef struct {
    char unused;
} compat_cframe;
#endif

/* Bytes of a frame's copy: all but its variables. */
#if COMPAT_HAVE_DATA_STACK
#    define COMPAT_FRAME_HEAD offsetof(struct _PyInterpreterFrame, localsplus)
#else
#    define COMPAT_FRAME_HEAD offsetof(PyFrameObject, f_blockstack)
#endif

/* Where an interpreter's state has the next interpreter, its number (0 is the main one; -1: the version has
   none), and its newest thread. */
#if PY_VERSION_HEX >= 0x030B0000
#    define COMPAT_INTERPRETER_THREADS offsetof(PyInterpreterState, threads.head)
#else
#    define COMPAT_INTERPRETER_THREADS offsetof(PyInterpreterState, tstate_head)
#endif
#define COMPAT_INTERPRETER_NEXT offsetof(PyInterpreterState, next)
#if PY_VERSION_HEX >= 0x03070000
#    define COMPAT_INTERPRETER_ID (long)offsetof(PyInterpreterState, id)
#else
#    define COMPAT_INTERPRETER_ID (-1L)
#endif

static inline uintptr_t compat_newest_interpreter(void) {
    return (uintptr_t)PyInterpreterState_Head();
}

/* The address of the running frame: of a thread state's copy, with that of its C frame. 0: none. */
static inline uintptr_t compat_copied_top(const PyThreadState *tstate, const compat_cframe *cframe) {
#if COMPAT_HAVE_CFRAME
    return tstate->cframe ? (uintptr_t)cframe->current_frame : 0;
#elif PY_VERSION_HEX >= 0x030D0000
    (void)cframe;
    return (uintptr_t)tstate->current_frame;
#else
    (void)cframe;
    return (uintptr_t)tstate->frame;
#endif
}

/* The word of a thread state that leads there: the address of the frame, or of a C frame. */
#if COMPAT_HAVE_CFRAME
#    define COMPAT_TSTATE_TOP offsetof(PyThreadState, cframe)
#elif PY_VERSION_HEX >= 0x030D0000
#    define COMPAT_TSTATE_TOP offsetof(PyThreadState, current_frame)
#else
#    define COMPAT_TSTATE_TOP offsetof(PyThreadState, frame)
#endif

static inline uintptr_t compat_copied_cframe(const PyThreadState *tstate) {
#if COMPAT_HAVE_CFRAME
    return (uintptr_t)tstate->cframe;
#else
    (void)tstate;
    return 0;
#endif
}

#if COMPAT_HAVE_DATA_STACK
typedef _PyStackChunk compat_stack_chunk;

/* The newest chunk, and the end of what is in use of it. */
static inline uintptr_t compat_copied_chunk(const PyThreadState *tstate) {
    return (uintptr_t)tstate->datastack_chunk;
}

static inline uintptr_t compat_copied_stack_end(const PyThreadState *tstate) {
    return (uintptr_t)tstate->datastack_top;
}
#endif

static inline uintptr_t compat_copied_frame_previous(const compat_frame *frame) {
#if COMPAT_HAVE_DATA_STACK
    return (uintptr_t)frame->previous;
#else
    return (uintptr_t)frame->f_back;
#endif
}

/* A frame of the interpreter's own, between a C function and the Python code that it calls. */
static inline bool compat_copied_frame_is_shim(const compat_frame *frame) {
#if PY_VERSION_HEX >= 0x030E0000
    return frame->owner >= FRAME_OWNED_BY_INTERPRETER;
#elif PY_VERSION_HEX >= 0x030C0000
    return frame->owner >= FRAME_OWNED_BY_CSTACK;
#else
    (void)frame;
    return false;
#endif
}

static inline uintptr_t compat_copied_frame_code(const compat_frame *frame) {
#if PY_VERSION_HEX >= 0x030E0000
    return (uintptr_t)frame->f_executable.bits & ~(uintptr_t)3;
#elif PY_VERSION_HEX >= 0x030D0000
    return (uintptr_t)frame->f_executable;
#else
    return (uintptr_t)frame->f_code;
#endif
}

/* On the data stack, not in a generator; and may a running frame look like this at all? */
static inline bool compat_copied_frame_is_on_stack(const compat_frame *frame) {
#if COMPAT_HAVE_DATA_STACK
    return frame->owner == FRAME_OWNED_BY_THREAD;
#else
    (void)frame;
    return false;
#endif
}

static inline bool compat_copied_frame_runs(const compat_frame *frame) {
#if COMPAT_HAVE_DATA_STACK
    bool suspended = frame->owner == FRAME_OWNED_BY_GENERATOR && !frame->previous;
    return frame->owner != FRAME_OWNED_BY_FRAME_OBJECT && !suspended;
#elif PY_VERSION_HEX >= 0x030A0000
    return Py_TYPE(frame) == &PyFrame_Type && frame->f_state == FRAME_EXECUTING;
#else
    return Py_TYPE(frame) == &PyFrame_Type && frame->f_executing;
#endif
}

/* The byte offset of the frame's instruction in the code at this address, as PyCode_Addr2Line wants it;
   out of the code's bounds when the copy is not what it should be. */
static inline long compat_copied_frame_instruction(const compat_frame *frame, uintptr_t code) {
#if PY_VERSION_HEX >= 0x030D0000
    return (long)((uintptr_t)frame->instr_ptr - code - offsetof(PyCodeObject, co_code_adaptive));
#elif PY_VERSION_HEX >= 0x030B0000
    return (long)((uintptr_t)frame->prev_instr - code - offsetof(PyCodeObject, co_code_adaptive));
#else
    (void)code;
    return compat_frame_instruction(frame, NULL);
#endif
}

/* Of a code object's copy. */

/* Bytes of its code; before 3.11 they are an object of their own: -1. */
static inline long compat_copied_code_size(const PyCodeObject *code) {
#if COMPAT_HAVE_DATA_STACK
    return (long)Py_SIZE(code) * (long)sizeof(_Py_CODEUNIT);
#else
    (void)code;
    return -1;
#endif
}

/* Bytes of a frame on the data stack; 0: not known. */
static inline size_t compat_copied_code_frame_size(const PyCodeObject *code) {
#if PY_VERSION_HEX >= 0x030C0000
    return (size_t)code->co_framesize * sizeof(PyObject *);
#elif PY_VERSION_HEX >= 0x030B0000
    return (size_t)(code->co_nlocalsplus + code->co_stacksize + FRAME_SPECIALS_SIZE) * sizeof(PyObject *);
#else
    (void)code;
    return 0;
#endif
}

/* Before this byte of its code a frame is not complete, and not shown by the interpreter either. */
static inline long compat_copied_code_first_traceable(const PyCodeObject *code) {
#if COMPAT_HAVE_DATA_STACK
    return (long)code->_co_firsttraceable * (long)sizeof(_Py_CODEUNIT);
#else
    (void)code;
    return -1;
#endif
}

static inline uintptr_t compat_copied_code_qualname(const PyCodeObject *code) {
#if COMPAT_HAVE_DATA_STACK
    return (uintptr_t)code->co_qualname;
#else
    (void)code;
    return 0;
#endif
}

/* The table of lines, a bytes object, and its format. */
enum compat_line_format {
    COMPAT_LINES_NUMBERS,   /* pairs: bytes of code, lines (lnotab) */
    COMPAT_LINES_RANGES,    /* 3.10, PEP 626: pairs: bytes of code, lines of that piece itself */
    COMPAT_LINES_LOCATIONS, /* 3.11, PEP 657 */
};
#if PY_VERSION_HEX >= 0x030B0000
#    define COMPAT_LINES COMPAT_LINES_LOCATIONS
#elif PY_VERSION_HEX >= 0x030A0000
#    define COMPAT_LINES COMPAT_LINES_RANGES
#else
#    define COMPAT_LINES COMPAT_LINES_NUMBERS
#endif

#if PY_VERSION_HEX >= 0x030A0000
#    define COMPAT_CODE_LINES co_linetable
#else
#    define COMPAT_CODE_LINES co_lnotab
#endif

/* Between these bytes of a code object nothing changes while it lives. From 3.12 on a number (co_version) is
   there too that no code object made later has. */
#define COMPAT_CODE_CONSTANT_FROM offsetof(PyCodeObject, co_argcount)
#define COMPAT_CODE_CONSTANT_TO (offsetof(PyCodeObject, COMPAT_CODE_LINES) + sizeof(PyObject *))

/* Of a thread state's copy. */

/* The kernel's number of the thread; 0: the version does not tell. */
static inline uint32_t compat_copied_native_id(const PyThreadState *tstate) {
#if PY_VERSION_HEX >= 0x030B0000
    return (uint32_t)tstate->native_thread_id;
#else
    (void)tstate;
    return 0;
#endif
}

/* The address of the GIL of an interpreter, 0: not known; `bytes` are those of the interpreter's state from
   COMPAT_GIL_FIELD on. */
#if PY_VERSION_HEX >= 0x030C0000
#    define COMPAT_GIL_FIELD (long)offsetof(PyInterpreterState, ceval.gil)
typedef struct _gil_runtime_state compat_gil;
#else
#    define COMPAT_GIL_FIELD (-1L) /* one for all interpreters */
typedef struct {
    char unused;
} compat_gil;
#endif

/* Does this thread hold its GIL, a copy of which there is where each interpreter may have its own? */
static inline bool compat_copied_has_gil(uintptr_t address, const PyThreadState *tstate,
                                         const compat_gil *gil) {
#if COMPAT_FREE_THREADED
    (void)address, (void)gil;
    return tstate->state == 1; /* _Py_THREAD_ATTACHED */
#elif PY_VERSION_HEX >= 0x030D0000
    (void)tstate;
    return gil->locked > 0 && (uintptr_t)gil->last_holder == address;
#elif PY_VERSION_HEX >= 0x030C0000
    (void)tstate;
    return gil->locked._value > 0 && (uintptr_t)gil->last_holder._value == address;
#else
    (void)tstate, (void)gil;
    return (uintptr_t)compat_current_tstate() == address;
#endif
}

/* Does a thread that waits for a change of the word at `address` wait for the GIL? */
static inline bool compat_waits_for_gil(uintptr_t address, uintptr_t gil) {
#if PY_VERSION_HEX >= 0x030C0000
    return gil && address - gil < sizeof(compat_gil);
#elif PY_VERSION_HEX >= 0x03080000
    (void)gil;
    return address - (uintptr_t)&_PyRuntime < sizeof _PyRuntime;
#else /* A static variable of the interpreter; locks are on the heap. */
    (void)gil;
    uintptr_t near = (uintptr_t)&_PyThreadState_UncheckedGet, distance = (uintptr_t)16 << 20;
    return address - near + distance < 2 * distance;
#endif
}

/* A str: bytes of each character, and where the characters are, of a copy of its head. */
static inline bool compat_copied_str(const PyASCIIObject *copy, uintptr_t address, int *kind,
                                     uintptr_t *characters) {
    if (Py_TYPE(copy) != &PyUnicode_Type || !copy->state.compact || copy->length < 0)
        return false;
    *kind = copy->state.kind;
    *characters = address + (copy->state.ascii ? sizeof(PyASCIIObject) : sizeof(PyCompactUnicodeObject));
    return *kind == 1 || *kind == 2 || *kind == 4;
}

/* ---- Copies of objects, for their values (src/sampler/locals.c) ---- */

/* Where a frame's variables begin: a word each. */
#if COMPAT_HAVE_DATA_STACK
#    define COMPAT_FRAME_VARIABLES offsetof(struct _PyInterpreterFrame, localsplus)
#else
#    define COMPAT_FRAME_VARIABLES offsetof(PyFrameObject, f_localsplus)
#endif

/* The object that a variable's word refers to; from 3.14 on with a tag (gh-118930). */
static inline uintptr_t compat_copied_variable(uintptr_t word) {
#if PY_VERSION_HEX >= 0x030E0000
    return word & ~(uintptr_t)3;
#else
    return word;
#endif
}

/* The tuples of a code object's copy that have the names of the variables, one behind the other; 0: there is
   no more. */
enum { COMPAT_NAMES = 3 };
static inline void compat_copied_code_names(const PyCodeObject *code, uintptr_t names[COMPAT_NAMES]) {
#if COMPAT_HAVE_DATA_STACK
    names[0] = (uintptr_t)code->co_localsplusnames;
    names[1] = names[2] = 0;
#else
    names[0] = (uintptr_t)code->co_varnames;
    names[1] = (uintptr_t)code->co_cellvars;
    names[2] = (uintptr_t)code->co_freevars;
#endif
}

/* An int: the number of its digits, of PyLong_SHIFT bits, the least first, and its sign. */
#if PY_VERSION_HEX >= 0x030C0000
#    define COMPAT_LONG_DIGITS offsetof(PyLongObject, long_value.ob_digit)
#else
#    define COMPAT_LONG_DIGITS offsetof(PyLongObject, ob_digit)
#endif
static inline size_t compat_copied_long(const PyLongObject *copy, bool *negative) {
#if PY_VERSION_HEX >= 0x030C0000
    *negative = (copy->long_value.lv_tag & 3) == 2;
    return copy->long_value.lv_tag >> 3;
#else
    Py_ssize_t size = Py_SIZE(copy);
    *negative = size < 0;
    return (size_t)(size < 0 ? -size : size);
#endif
}

/* The table of a dict. Before 3.11 its header is in a file that is not installed. */
#if PY_VERSION_HEX >= 0x030B0000
typedef struct _dictkeysobject compat_dict_keys;
#    define COMPAT_DICT_VALUES offsetof(struct _dictvalues, values)
#else
typedef struct {
    Py_ssize_t dk_refcnt, dk_size;
    void *dk_lookup;
    Py_ssize_t dk_usable, dk_nentries;
    char dk_indices[];
} compat_dict_keys;
#    define COMPAT_DICT_VALUES 0
#endif

struct compat_dict {
    uintptr_t entries;
    size_t count;     /* of entries; some may be empty */
    size_t size;      /* words of an entry */
    size_t key;       /* word of an entry that is the key; the value is the next */
    uintptr_t values; /* of a dict that shares its keys with others: its values, a word each; else 0 */
};

static inline struct compat_dict compat_copied_dict(const PyDictObject *dict, const compat_dict_keys *keys) {
    uintptr_t indices = (uintptr_t)dict->ma_keys + offsetof(compat_dict_keys, dk_indices);
    struct compat_dict found = {.count = (size_t)keys->dk_nentries, .size = 3, .key = 1};
#if PY_VERSION_HEX >= 0x030B0000
    found.entries = indices + ((uintptr_t)1 << (keys->dk_log2_index_bytes & 63));
    if (keys->dk_kind != DICT_KEYS_GENERAL) { /* without hashes */
        found.size = 2;
        found.key = 0;
    }
#else
    size_t width = keys->dk_size <= 0xff         ? 1
                   : keys->dk_size <= 0xffff     ? 2
                   : keys->dk_size <= 0xffffffff ? 4
                                                 : 8;
    found.entries = indices + (size_t)keys->dk_size * width;
#endif
    found.values = dict->ma_values ? (uintptr_t)dict->ma_values + COMPAT_DICT_VALUES : 0;
    return found;
}

/* ---- Copies of calls: which C function a frame is in (src/sampler/calls.c, natives.c) ---- */

/* Where the value stack of a frame's copy begins; `variables` is compat_copied_code_variables. */
static inline uintptr_t compat_copied_frame_stack(const compat_frame *frame, uintptr_t address,
                                                  size_t variables) {
#if COMPAT_HAVE_DATA_STACK
    (void)frame;
    return address + COMPAT_FRAME_VARIABLES + variables * sizeof(PyObject *);
#else
    (void)address, (void)variables;
    return (uintptr_t)frame->f_valuestack;
#endif
}

/* How many variables are below the value stack, of a code object's copy. */
static inline size_t compat_copied_code_variables(const PyCodeObject *code) {
#if COMPAT_HAVE_DATA_STACK
    return (size_t)code->co_nlocalsplus;
#else
    (void)code;
    return 0;
#endif
}

/* The bytes object of a code object's copy that has its instructions; 0: they are in the code object. */
static inline uintptr_t compat_copied_code_instructions(const PyCodeObject *code) {
#if COMPAT_HAVE_DATA_STACK
    (void)code;
    return 0;
#else
    return (uintptr_t)code->co_code;
#endif
}
#if COMPAT_HAVE_DATA_STACK
#    define COMPAT_CODE_INSTRUCTIONS offsetof(PyCodeObject, co_code_adaptive)
#else
#    define COMPAT_CODE_INSTRUCTIONS 0
#endif

/* The bytes object with the table of exception handlers; 0: instructions set them up (bpo-40222). */
static inline uintptr_t compat_copied_code_handlers(const PyCodeObject *code) {
#if COMPAT_HAVE_DATA_STACK
    return (uintptr_t)code->co_exceptiontable;
#else
    (void)code;
    return 0;
#endif
}

/* C functions of a class that takes its defining class are of a type of their own (bpo-38787). */
#if PY_VERSION_HEX >= 0x03090000
#    define COMPAT_CMETHOD_TYPE (&PyCMethod_Type)
#else
#    define COMPAT_CMETHOD_TYPE (&PyCFunction_Type)
#endif

/* ---- Copies of asyncio's tasks (src/sampler/tasks.c) ---- */

/* Before 3.8 they have no names, and 3.7's headers do not show where an interpreter has its modules. */
#define COMPAT_HAVE_TASKS (PY_VERSION_HEX >= 0x03080000)
#if COMPAT_HAVE_TASKS

/* A task of _asyncio, whose headers are not installed: only good where the type is of the same size. */
struct compat_task {
    PyObject_HEAD PyObject *loop, *callback0, *context0, *callbacks, *exception;
#    if PY_VERSION_HEX >= 0x030A0000 /* bpo-45924; 3.10.0 and 3.10.1 have not got it: theirs are not seen */
    PyObject *exception_tb;
#    endif
    PyObject *result, *source_tb;
#    if PY_VERSION_HEX >= 0x03090000
    PyObject *cancel_msg;
#    endif
#    if PY_VERSION_HEX >= 0x030D0000
    PyObject *cancelled_exc;
#        if PY_VERSION_HEX >= 0x030E0000
    PyObject *awaited_by;
#        endif
    int state; /* 0: it is pending */
#        if PY_VERSION_HEX >= 0x030E0000
    char is_task, awaited_by_is_set;
#        endif
    unsigned flags : 4;
    int cancels;
#    else
    int state, log_tb, blocking;
    PyObject *dict, *weakrefs;
#        if PY_VERSION_HEX >= 0x030B0000
    PyObject *cancelled_exc;
#        elif PY_VERSION_HEX >= 0x03090000
    _PyErr_StackItem cancelled_exc_state;
#        endif
#    endif
    PyObject *waiter, *coroutine, *name, *context;
#    if PY_VERSION_HEX >= 0x030E0000
    struct llist_node node;
#        ifdef Py_GIL_DISABLED
    uintptr_t tid;
#        endif
#    elif PY_VERSION_HEX < 0x030B0000
    int must_cancel, log_destroy_pending;
#    elif PY_VERSION_HEX < 0x030D0000
    int must_cancel, log_destroy_pending, cancels;
#    endif
};

/* Tasks are in a list of the thread that made them, those of threads that have ended in their interpreter's
   (gh-128002). Before, in a WeakSet of the module _asyncio. */
#    if PY_VERSION_HEX >= 0x030E0000
#        define COMPAT_HAVE_TASK_LISTS 1
#        define COMPAT_TSTATE_TASKS offsetof(_PyThreadStateImpl, asyncio_tasks_head.next)
#        define COMPAT_INTERPRETER_TASKS offsetof(PyInterpreterState, asyncio_tasks_head.next)
#        define COMPAT_TASK_NODE offsetof(struct compat_task, node)
#    else
#        define COMPAT_HAVE_TASK_LISTS 0
#        if PY_VERSION_HEX >= 0x030C0000
#            define COMPAT_TASK_SET "_scheduled_tasks"
#        else
#            define COMPAT_TASK_SET "_all_tasks"
#        endif
#    endif

/* Where a thread's state has the event loop that runs in it. Before 3.13 it is in its dict (gh-114271). */
#    if PY_VERSION_HEX >= 0x030D0000
#        define COMPAT_TSTATE_LOOP (long)offsetof(_PyThreadStateImpl, asyncio_running_loop)
#    else
#        define COMPAT_TSTATE_LOOP (-1L)
#    endif

/* Where an interpreter's state has sys.modules, and a module its dict. */
#    if PY_VERSION_HEX >= 0x030C0000
#        define COMPAT_INTERPRETER_MODULES offsetof(PyInterpreterState, imports.modules)
#    else
#        define COMPAT_INTERPRETER_MODULES offsetof(PyInterpreterState, modules)
#    endif
#    define COMPAT_MODULE_DICT sizeof(PyObject)

/* The attributes of an instance of a class in Python: in a dict, or in values, a word each, in the order in
   which they were first set. `words` are the two from COMPAT_ATTRIBUTES before the object on. */
#    if PY_VERSION_HEX >= 0x030D0000
#        define COMPAT_ATTRIBUTES (sizeof(PyObject *) - (uintptr_t)MANAGED_DICT_OFFSET)
#    elif PY_VERSION_HEX < 0x030B0000 /* behind its head */
#        define COMPAT_ATTRIBUTES ((uintptr_t)0 - sizeof(PyObject))
#    else
#        define COMPAT_ATTRIBUTES (4 * sizeof(PyObject *))
#    endif
static inline void compat_copied_attributes(uintptr_t object, size_t basic_size, const uintptr_t words[2],
                                            uintptr_t *dict, uintptr_t *values) {
#    if PY_VERSION_HEX >= 0x030D0000
    *dict = words[1];
    *values = *dict ? 0 : object + basic_size;
#    elif PY_VERSION_HEX >= 0x030C0000
    (void)object, (void)basic_size;
    *values = words[1] & 1 ? words[1] + 1 : 0;
    *dict = *values ? 0 : words[1];
#    elif PY_VERSION_HEX < 0x030B0000
    (void)object, (void)basic_size;
    *values = 0;
    *dict = words[0];
#    else
    (void)object, (void)basic_size;
    *values = words[0];
    *dict = words[1];
#    endif
    *values += *values ? COMPAT_DICT_VALUES : 0;
}

/* Where a future has the dict of its attributes, of a class in Python; 0: where any instance has. */
#    if PY_VERSION_HEX >= 0x030D0000
#        define COMPAT_FUTURE_DICT 0
#    else
#        define COMPAT_FUTURE_DICT offsetof(struct compat_task, dict)
#    endif

/* Bytes of a task that every future has. */
#    define COMPAT_FUTURE_SIZE offsetof(struct compat_task, waiter)

/* Does a generator, coroutine or asynchronous generator wait to run, or go on? */
static inline bool compat_copied_generator_waits(const PyGenObject *copy, const compat_frame *frame) {
#    if PY_VERSION_HEX >= 0x030B0000
    (void)frame;
    return copy->gi_frame_state < FRAME_EXECUTING;
#    elif PY_VERSION_HEX >= 0x030A0000
    (void)copy;
    return frame->f_state < FRAME_EXECUTING;
#    else
    return !copy->gi_running && !frame->f_executing && frame->f_stacktop;
#    endif
}

/* And for another object? `opcode`: that at compat_copied_generator_opcode. */
static inline bool compat_copied_generator_awaits(const PyGenObject *copy, unsigned char opcode) {
#    if PY_VERSION_HEX >= 0x030F0000
    (void)opcode;
    return copy->gi_frame_state == FRAME_SUSPENDED_YIELD_FROM ||
           copy->gi_frame_state == FRAME_SUSPENDED_YIELD_FROM_LOCKED;
#    elif PY_VERSION_HEX >= 0x030D0000
    (void)opcode;
    return copy->gi_frame_state == FRAME_SUSPENDED_YIELD_FROM;
#    elif PY_VERSION_HEX >= 0x030B0000
    (void)opcode;
    return copy->gi_frame_state == FRAME_SUSPENDED;
#    else
    (void)copy;
    return opcode == YIELD_FROM;
#    endif
}

/* Before 3.11: the byte of a frame's code that tells. -1: it does not take one, or the frame has not begun.
 */
static inline long compat_copied_generator_opcode(const compat_frame *frame) {
#    if PY_VERSION_HEX >= 0x030B0000
    (void)frame;
    return -1;
#    else
    long last = compat_frame_instruction(frame, NULL);
    return last < 0 ? -1 : last + (long)sizeof(_Py_CODEUNIT);
#    endif
}

/* The address of the word with that object, of a suspended frame: on top of its value stack; from 3.15 on
   below one that iterators need. */
static inline uintptr_t compat_copied_frame_awaited(const compat_frame *frame, uintptr_t address) {
#    if PY_VERSION_HEX >= 0x030F0000
    (void)address;
    return (uintptr_t)frame->stackpointer - 2 * sizeof(PyObject *);
#    elif PY_VERSION_HEX >= 0x030E0000
    (void)address;
    return (uintptr_t)frame->stackpointer - sizeof(PyObject *);
#    elif PY_VERSION_HEX >= 0x030B0000
    return address + COMPAT_FRAME_VARIABLES + (uintptr_t)((long)frame->stacktop - 1) * sizeof(PyObject *);
#    elif PY_VERSION_HEX >= 0x030A0000
    (void)address;
    return (uintptr_t)frame->f_valuestack + (uintptr_t)((long)frame->f_stackdepth - 1) * sizeof(PyObject *);
#    else
    (void)address;
    return (uintptr_t)frame->f_stacktop - sizeof(PyObject *);
#    endif
}

/* A generator's frame is within it; before 3.11 it is an object of its own. */
#    define COMPAT_GENERATOR_HAS_FRAME (PY_VERSION_HEX >= 0x030B0000)
#    if COMPAT_GENERATOR_HAS_FRAME
#        define COMPAT_GENERATOR_FRAME offsetof(PyGenObject, gi_iframe)
#    endif
#endif

#ifdef COMPAT_WANT_BYTECODE
/* The opcode as it was compiled, of one that was specialised or instrumented since. -1: it cannot be told, as
   where lines are traced. */
static inline int compat_opcode_plain(int opcode) {
#    if COMPAT_HAVE_MONITORING
    switch (opcode) {
#        define COMPAT_INSTRUMENTED(name)                                                                    \
        case INSTRUMENTED_##name:                                                                            \
            return name;
        COMPAT_INSTRUMENTED(RESUME)
        COMPAT_INSTRUMENTED(CALL)
        COMPAT_INSTRUMENTED(CALL_FUNCTION_EX)
        COMPAT_INSTRUMENTED(LOAD_SUPER_ATTR)
        COMPAT_INSTRUMENTED(RETURN_VALUE)
        COMPAT_INSTRUMENTED(YIELD_VALUE)
        COMPAT_INSTRUMENTED(FOR_ITER)
        COMPAT_INSTRUMENTED(END_FOR)
        COMPAT_INSTRUMENTED(END_SEND)
        COMPAT_INSTRUMENTED(JUMP_FORWARD)
        COMPAT_INSTRUMENTED(JUMP_BACKWARD)
        COMPAT_INSTRUMENTED(POP_JUMP_IF_TRUE)
        COMPAT_INSTRUMENTED(POP_JUMP_IF_FALSE)
        COMPAT_INSTRUMENTED(POP_JUMP_IF_NONE)
        COMPAT_INSTRUMENTED(POP_JUMP_IF_NOT_NONE)
#        ifdef INSTRUMENTED_CALL_KW
        COMPAT_INSTRUMENTED(CALL_KW)
#        endif
#        ifdef INSTRUMENTED_RETURN_CONST
        COMPAT_INSTRUMENTED(RETURN_CONST)
#        endif
#        ifdef INSTRUMENTED_NOT_TAKEN
        COMPAT_INSTRUMENTED(NOT_TAKEN)
        COMPAT_INSTRUMENTED(POP_ITER)
        COMPAT_INSTRUMENTED(END_ASYNC_FOR)
#        endif
#        undef COMPAT_INSTRUMENTED
    case INSTRUMENTED_LINE:
    case INSTRUMENTED_INSTRUCTION:
#        ifdef ENTER_EXECUTOR
    case ENTER_EXECUTOR:
#        endif
#        ifdef TRACE_RECORD
    case TRACE_RECORD:
#        endif
        return -1;
    default:
        return _PyOpcode_Deopt[opcode];
    }
#    elif COMPAT_HAVE_DATA_STACK
    return _PyOpcode_Deopt[opcode];
#    else
    return opcode;
#    endif
}

/* Code units behind an instruction that hold what the specialised one knows. */
static inline long compat_opcode_caches(int opcode) {
#    if COMPAT_HAVE_DATA_STACK
    return _PyOpcode_Caches[opcode];
#    else
    (void)opcode;
    return 0;
#    endif
}

/* The code unit that an instruction may jump to; -1: it does not jump. `next` is the unit behind it. */
static inline long compat_opcode_target(int opcode, int argument, long next) {
#    if PY_VERSION_HEX >= 0x030A0000
    long distance = argument;
#    else /* bpo-27129: counted in bytes */
    long distance = argument / (long)sizeof(_Py_CODEUNIT);
#    endif
    switch (opcode) {
    case FOR_ITER:
    case JUMP_FORWARD:
#    if PY_VERSION_HEX >= 0x030B0000
    case SEND:
#    else
    case SETUP_FINALLY:
    case SETUP_WITH:
    case SETUP_ASYNC_WITH:
#    endif
#    if PY_VERSION_HEX < 0x03080000
    case SETUP_LOOP:
    case SETUP_EXCEPT:
#    elif PY_VERSION_HEX < 0x03090000
    case CALL_FINALLY:
#    endif
#    if PY_VERSION_HEX >= 0x030C0000
    case POP_JUMP_IF_FALSE:
    case POP_JUMP_IF_TRUE:
    case POP_JUMP_IF_NONE:
    case POP_JUMP_IF_NOT_NONE:
#    elif PY_VERSION_HEX >= 0x030B0000
    case POP_JUMP_FORWARD_IF_FALSE:
    case POP_JUMP_FORWARD_IF_TRUE:
    case POP_JUMP_FORWARD_IF_NONE:
    case POP_JUMP_FORWARD_IF_NOT_NONE:
    case JUMP_IF_FALSE_OR_POP:
    case JUMP_IF_TRUE_OR_POP:
#    endif
        return next + distance;
#    if PY_VERSION_HEX >= 0x030B0000
    case JUMP_BACKWARD:
    case JUMP_BACKWARD_NO_INTERRUPT:
#        if PY_VERSION_HEX < 0x030C0000
    case POP_JUMP_BACKWARD_IF_FALSE:
    case POP_JUMP_BACKWARD_IF_TRUE:
    case POP_JUMP_BACKWARD_IF_NONE:
    case POP_JUMP_BACKWARD_IF_NOT_NONE:
#        endif
        return next - distance;
#    else
    case POP_JUMP_IF_FALSE:
    case POP_JUMP_IF_TRUE:
    case JUMP_IF_FALSE_OR_POP:
    case JUMP_IF_TRUE_OR_POP:
    case JUMP_ABSOLUTE:
#        if PY_VERSION_HEX < 0x03080000
    case CONTINUE_LOOP:
#        elif PY_VERSION_HEX >= 0x03090000
    case JUMP_IF_NOT_EXC_MATCH:
#        endif
        return distance;
#    endif
    default:
        return -1;
    }
}

/* Is the instruction behind it reached by jumps only? */
static inline bool compat_opcode_ends(int opcode) {
    switch (opcode) {
    case RETURN_VALUE:
    case RAISE_VARARGS:
    case JUMP_FORWARD:
#    ifdef RETURN_CONST
    case RETURN_CONST:
#    endif
#    if PY_VERSION_HEX >= 0x03090000
    case RERAISE:
#    endif
#    if PY_VERSION_HEX >= 0x030B0000
    case JUMP_BACKWARD:
    case JUMP_BACKWARD_NO_INTERRUPT:
#    else
    case JUMP_ABSOLUTE:
#    endif
#    if PY_VERSION_HEX < 0x03080000
    case BREAK_LOOP:
    case CONTINUE_LOOP:
#    endif
        return true;
    default:
        return false;
    }
}

#    define COMPAT_EFFECT_UNKNOWN INT32_MIN

/* What a frame of a generator has on its stack when it first runs: what was sent. */
static inline int compat_opcode_first_depth(int opcode) {
#    ifdef GEN_START
    return opcode == GEN_START;
#    else
    (void)opcode;
    return 0;
#    endif
}

/* By how much the value stack grows when an instruction jumps, or when it does not. */
static inline int compat_opcode_effect(int opcode, int argument, bool jumps) {
#    if PY_VERSION_HEX >= 0x030B0000
    if (opcode == RETURN_GENERATOR) /* what is sent first comes then */
        return 1;
#    endif
#    if PY_VERSION_HEX >= 0x03080000
    int effect = PyCompile_OpcodeStackEffectWithJump(opcode, argument, jumps);
#    else
    int effect;
    switch (opcode) { /* of the two ways the function tells the one with more */
    case FOR_ITER:
        return jumps ? -1 : 1;
    case JUMP_IF_FALSE_OR_POP:
    case JUMP_IF_TRUE_OR_POP:
        return jumps ? 0 : -1;
    case SETUP_EXCEPT:
    case SETUP_FINALLY:
        return jumps ? 6 : 0;
    case SETUP_WITH:
        return jumps ? 6 : 1;
    case SETUP_ASYNC_WITH:
        return jumps ? 5 : 0;
    /* 3.6 tells those without an exception. */
    case END_FINALLY:
        return -6;
    case POP_EXCEPT:
        return -3;
    case WITH_CLEANUP_START:
        return 2;
    case WITH_CLEANUP_FINISH:
        return -3;
    default:
        effect = PyCompile_OpcodeStackEffect(opcode, argument);
    }
#    endif
    return effect > INT16_MAX || effect < INT16_MIN ? COMPAT_EFFECT_UNKNOWN : effect;
}

/* A `finally` was, before 3.9, one piece of code with two depths: what it is entered with, and whether an
   instruction is behind its end (bpo-32949). */
static inline bool compat_opcode_enters_finally(int opcode, bool jumps) {
#    if PY_VERSION_HEX >= 0x03090000
    (void)opcode, (void)jumps;
    return false;
#    elif PY_VERSION_HEX >= 0x03080000
    return (opcode == BEGIN_FINALLY && !jumps) || (opcode == CALL_FINALLY && jumps);
#    else
    return jumps && (opcode == SETUP_FINALLY || opcode == SETUP_WITH || opcode == SETUP_ASYNC_WITH);
#    endif
}

static inline bool compat_opcode_ends_finally(int opcode) {
#    if PY_VERSION_HEX >= 0x03090000
    (void)opcode;
    return false;
#    else
    return opcode == END_FINALLY;
#    endif
}

/* Where on the value stack an instruction has what it calls, when it begins with so many there; -1: it calls
   nothing. *or_above: if that place is NULL, the one above has it. */
static inline int compat_opcode_callable(int opcode, int argument, int depth, bool *or_above) {
    *or_above = false;
    switch (opcode) {
#    if PY_VERSION_HEX >= 0x030D0000
    case CALL:
        return depth - 2 - argument;
    case CALL_KW:
        return depth - 3 - argument;
    case CALL_FUNCTION_EX:
#        if PY_VERSION_HEX >= 0x030E0000
        return depth - 4;
#        else
        return depth - 3 - (argument & 1);
#        endif
#    elif PY_VERSION_HEX >= 0x030B0000
#        if PY_VERSION_HEX < 0x030C0000
    case PRECALL:
        *or_above = true;
        return depth - 2 - argument;
    case CALL: /* PRECALL has counted the arguments as gone */
        *or_above = true;
        return depth - 2;
#        else
    case CALL:
        *or_above = true;
        return depth - 2 - argument;
#        endif
    case CALL_FUNCTION_EX:
        return depth - 2 - (argument & 1);
#    else
    case CALL_FUNCTION:
        return depth - 1 - argument;
    case CALL_FUNCTION_KW:
        return depth - 2 - argument;
    case CALL_FUNCTION_EX:
        return depth - 2 - (argument & 1);
#        if PY_VERSION_HEX >= 0x03070000
    case CALL_METHOD:
        *or_above = true;
        return depth - 2 - argument;
#        endif
#    endif
    default:
        return -1;
    }
}
#endif /* COMPAT_WANT_BYTECODE */

#endif
