/*
 * hooks.h: the door of this room. Which probes are wanted comes in; CPython's hooks are installed and
 * removed, and events go out through the USDT sites and to the listener.
 *
 * Locking: what says "GIL" is called with it held; all else may be called by any thread at any time.
 */
#ifndef CATPROBE_HOOKS_H
#define CATPROBE_HOOKS_H

#include "engine/event.h"
#include "probes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A set of probes: bit 1u << enum probe. */
typedef uint32_t probe_set;
#define PROBE_BIT(probe) ((probe_set)1 << (probe))
#define PROBE_ALL (PROBE_BIT(PROBE_COUNT) - 1)

/* Where the events of a probe come from. */
enum hooks_engine {
    ENGINE_NONE,             /* nothing is installed */
    ENGINE_FRAME_EVALUATION, /* PEP 523 */
    ENGINE_MONITORING,       /* sys.monitoring, PEP 669 */
    ENGINE_PROFILE,          /* PyEval_SetProfile */
    ENGINE_TRACE,            /* PyEval_SetTrace */
    ENGINE_GC_CALLBACK,      /* gc.callbacks */
    ENGINE_IMPORT_HOOK,      /* importlib._bootstrap._find_and_load */
    ENGINE_AUDIT_HOOK,       /* PEP 578 */
    ENGINE_ALLOCATOR,        /* PyMem_SetAllocator */
};

struct code_record;

enum { EVENT_ARGUMENTS = 10 }; /* as many as D has: arg0 to arg9 */

/* One firing of a probe, for the listener. */
struct event {
    struct engine_event fired;      /* of a function for its own sake: with its id, names and `arguments` */
    const struct code_record *code; /* of the function at hand, or NULL; borrowed for the call: code.h */
    uint64_t arguments[EVENT_ARGUMENTS]; /* as in python.d, the rest 0: strings by address, integers
                                            sign-extended */
    bool frame_absent; /* of an entry or a return: the function's frame is not on the Python stack;
                          hooks_stack knows */
    bool stackless;    /* the thread has no GIL: hooks_stack and hooks_stackdepth must not be called */
};

/* Probes that fire in a Python function for its own sake: a listener may want them of some functions only. */
#define PROBES_OF_CODE                                                                                       \
    (PROBE_BIT(PROBE_FUNCTION_ENTRY) | PROBE_BIT(PROBE_FUNCTION_RETURN) | PROBE_BIT(PROBE_LINE))

/* Who hears events inside the process. Its functions run on the thread of the event, with the GIL
   (thread-exit always, mem-alloc and mem-free of the raw domain at times without: `stackless`; then also on
   threads that Python does not know), and must not call into CPython, block, or fail. */
struct listener {
    probe_set probes; /* those that it wants */
    void (*fire)(void *context, enum probe probe, struct event *event);
    void *context;
    /* Those of PROBES_OF_CODE that it wants of some functions only, and the answer which of them it wants of
       this one: asked once for each code object, until the next hooks_listen. Others do not fire, and where
       that is possible cost nothing. */
    probe_set selective;
    probe_set (*wants)(void *context, const struct code_record *code);
    /* The code object with this id is gone, and another may get its id; NULL: no matter. Also called when the
       interpreter has ended; one call at a time. */
    void (*forget)(void *context, uint32_t id);
    /* Events of this probe, which it wants, were left out for lack of stack or memory, one or in a row; NULL:
       no matter. */
    void (*drop)(void *context, enum probe probe);
};

/* GIL; once, from the import of the extension. 0, or -1 with a Python exception. */
int hooks_initialise(void);

/* Say what kernel tracers want. A probe that is no longer wanted is silent at once; hooks for those that are
   newly wanted come with the next hooks_settle. */
void hooks_want(probe_set usdt);

/* GIL. Set the listener, or with NULL remove it, and settle. It stays borrowed until replaced; whatever
   changes in it is to be told by another call. Visible outside the extension, for the recorder of the tests.
   */
__attribute__((visibility("default"))) void hooks_listen(const struct listener *listener);

/* Any thread: of what the listener wants, only these are still of interest. The others are silent at once;
   their hooks go with the next hooks_settle. */
void hooks_listen_less(probe_set probes);

/* GIL, from within a listener's `fire`, with its event. The Python stack of the thread, innermost frame
   first: "function (file:line)", each but the last followed by '\n', '\0' at the end; cut at size - 1.
   Returns its length. hooks_stackdepth counts all its frames. */
size_t hooks_stack(const struct event *event, char *start, size_t size, uint32_t frames);
uint32_t hooks_stackdepth(const struct event *event);

/* Does hooks_settle have anything to do? */
bool hooks_unsettled(void);

/* GIL. Install and remove hooks until they are what is wanted; look again at those that others may have taken
   away. Keeps a live exception. Never fails: what cannot be had is told by hooks_problem. */
void hooks_settle(void);

/* GIL. Remove every hook, as the interpreter is about to end. Later calls do nothing. */
void hooks_shut_down(void);

/* Probes that this version of CPython cannot have. */
probe_set hooks_unavailable(void);

/* The engine that a probe's events come from now. */
enum hooks_engine hooks_engine_of(enum probe probe);
const char *hooks_engine_name(enum hooks_engine engine);

/* Does the listener want this probe? */
bool hooks_listened(enum probe probe);

/* The file name of the shared library that holds the USDT sites: MODULE, to a tracer. A constant string. */
const char *hooks_module_name(void);

/* Why a wanted probe has no hook, or not the usual one; "" if all is well. A constant string. */
const char *hooks_problem(void);

/* How many events (or stretches of events) of a probe could not be seen since the start of the process. */
uint64_t hooks_drops_of(enum probe probe);

/* Call `function` once at the next start of a Python function in any thread, with the GIL. One at a time;
   NULL takes it back. Any thread, without the GIL, also in a child that fork() has just made: no thread state
   is used. */
void hooks_at_next_frame(void (*function)(void));

#endif
