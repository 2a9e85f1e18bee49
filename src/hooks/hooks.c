/*
 * hooks.c: from the set of wanted probes to the hooks that are installed.
 *
 * hooks_settle compares what is wanted with what is there, and makes them agree; every step may be repeated.
 */
#include "compat.h"

#include "hooks.h"

#include "events.h"
#include "frames.h"
#include "internal.h"
#include "monitoring.h"
#include "sources.h"
#include "threads.h"
#include "tracefuncs.h"

#include <dlfcn.h>
#include <string.h>

struct events events;

#define FUNCTION_PROBES (PROBE_BIT(PROBE_FUNCTION_ENTRY) | PROBE_BIT(PROBE_FUNCTION_RETURN))
#define C_FUNCTION_PROBES (PROBE_BIT(PROBE_C_FUNCTION_ENTRY) | PROBE_BIT(PROBE_C_FUNCTION_RETURN))
#define LINE_PROBES PROBE_BIT(PROBE_LINE)
#define RAISE_PROBES PROBE_BIT(PROBE_EXCEPTION_RAISE)
#define THREAD_PROBES (PROBE_BIT(PROBE_THREAD_START) | PROBE_BIT(PROBE_THREAD_EXIT))
#define GC_PROBES (PROBE_BIT(PROBE_GC_START) | PROBE_BIT(PROBE_GC_DONE))
#define IMPORT_PROBES (PROBE_BIT(PROBE_IMPORT_FIND_LOAD_START) | PROBE_BIT(PROBE_IMPORT_FIND_LOAD_DONE))
#define AUDIT_PROBES PROBE_BIT(PROBE_AUDIT)
#define MEMORY_PROBES (PROBE_BIT(PROBE_MEM_ALLOC) | PROBE_BIT(PROBE_MEM_FREE))

static struct {
    probe_set settled;           /* the wish that the hooks of now were installed for */
    enum hooks_engine functions; /* where starts of functions are seen: for the function and thread probes */
    unsigned monitored;          /* what sys.monitoring gives now: MONITOR_* */
    bool failed_over;            /* frame evaluation ran into a short stack; until nobody wants functions */
    bool selected;               /* functions are switched off one by one; until nobody wants functions */
    bool gc, import, audit, memory; /* those hooks are there */
    bool shut_down;
    const char *problem;
    uint64_t drops[PROBE_COUNT];
} hooks = {.problem = ""};

static probe_set wanted(void) {
    return (events.usdt | events.listened) & ~hooks_unavailable();
}

probe_set hooks_unavailable(void) {
    return (COMPAT_HAVE_AUDIT ? 0 : AUDIT_PROBES) | (COMPAT_FREE_THREADED ? MEMORY_PROBES : 0);
}

void event_drop(enum probe probe) {
    const struct listener *listener = events.listener;
    __atomic_add_fetch(&hooks.drops[probe], 1, __ATOMIC_RELAXED);
    if (listener && listener->drop)
        listener->drop(listener->context, probe);
}

void event_tell(enum probe probe, const struct code_record *code, enum event_frame frame, uintptr_t a,
                uintptr_t b, uintptr_t c, uintptr_t d) {
    struct event event = {.code = code,
                          .frame_absent = frame == EVENT_FRAME_ABSENT,
                          .stackless = frame == EVENT_FRAME_NONE,
                          .arguments = {a, b, c, d}};
    event_pass(probe, &event);
}

void event_fire_to_all(enum probe probe, struct code_record *code, int line, enum event_frame frame) {
    probe_set bit = PROBE_BIT(probe);
    if (events.usdt & bit) {
        if (probe == PROBE_FUNCTION_ENTRY)
            python_function_entry(code->file, code->func, line, code->qualname);
        else if (probe == PROBE_FUNCTION_RETURN)
            python_function_return(code->file, code->func, line, code->qualname);
        else
            python_line(code->file, code->func, line);
    }
    if ((events.listened & bit) && event_wanted_of(code, bit))
        event_tell_of(probe, code, line, frame);
}

probe_set event_decide(struct code_record *code) {
    unsigned verdicts = __atomic_load_n(&events.verdicts, __ATOMIC_ACQUIRE);
    const struct listener *listener = events.listener;
    probe_set wanted = PROBE_ALL;
    if (listener && listener->selective)
        wanted = listener->wants(listener->context, code) | (listener->probes & ~listener->selective);
    __atomic_store_n(&code->wanted, wanted, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&events.verdicts, __ATOMIC_SEQ_CST) != verdicts) /* void already */
        __atomic_store_n(&code->wanted, CODE_UNDECIDED | PROBE_ALL, __ATOMIC_SEQ_CST);
    return wanted;
}

void event_forget(uint32_t id) {
    const struct listener *listener = events.listener;
    if (listener && listener->forget)
        listener->forget(listener->context, id);
}

/* ---- Functions and threads ---- */

/* On CPythons with trace functions, a new thread has to be seen to be given ours. */
static probe_set probes_by_thread(void) {
    return THREAD_PROBES | (COMPAT_HAVE_MONITORING ? 0 : LINE_PROBES | RAISE_PROBES | C_FUNCTION_PROBES);
}

/* Are functions wanted of some code objects only, so that the others can be switched off? A thread is seen
   to start by any function. */
static bool is_selective(probe_set wish) {
    if (!COMPAT_HAVE_MONITORING)
        return false;
    const struct listener *listener = events.listener;
    probe_set wanted = wish & PROBES_OF_CODE;
    return wanted && !(wish & THREAD_PROBES) && !(events.usdt & wanted) && listener &&
           !(wanted & ~listener->selective);
}

/* What has been heard by sys.monitoring stays with it, as the other would not see the return of calls that
   are under way. */
static enum hooks_engine choose_function_engine(probe_set wish) {
    if (!(wish & (FUNCTION_PROBES | probes_by_thread())))
        return ENGINE_NONE;
    if (hooks.selected)
        return ENGINE_MONITORING;
    if (frames_slot_free() && !hooks.failed_over && !compat_evaluator_disturbs(compat_main_interpreter()))
        return ENGINE_FRAME_EVALUATION;
    return COMPAT_HAVE_MONITORING ? ENGINE_MONITORING : ENGINE_PROFILE;
}

/* Probes that sys.monitoring gives, or before it the trace and profile functions of each thread. */
static const struct {
    probe_set probes;
    unsigned monitor, tracefunc; /* MONITOR_*, TRACEFUNC_* */
} event_wishes[] = {
    {LINE_PROBES, MONITOR_LINES, TRACEFUNC_LINES},
    {C_FUNCTION_PROBES, MONITOR_C_FUNCTIONS, TRACEFUNC_C_FUNCTIONS},
    {RAISE_PROBES, MONITOR_RAISES, TRACEFUNC_RAISES},
};
enum { EVENT_WISHES = sizeof event_wishes / sizeof event_wishes[0] };

static unsigned monitoring_wishes(probe_set wish) {
    unsigned wishes = is_selective(wish) && hooks.functions != ENGINE_FRAME_EVALUATION ? MONITOR_SELECTED : 0;
    if (hooks.functions == ENGINE_MONITORING)
        wishes |= MONITOR_FUNCTIONS;
    else if (COMPAT_INIT_ESCAPES_EVALUATOR && (wish & FUNCTION_PROBES))
        wishes |= MONITOR_INITS;
    for (int i = 0; i < EVENT_WISHES; i++)
        if (wish & event_wishes[i].probes)
            wishes |= event_wishes[i].monitor;
    return COMPAT_HAVE_MONITORING ? wishes : 0;
}

static unsigned tracefunc_wishes(probe_set wish) {
    unsigned wishes = hooks.functions == ENGINE_PROFILE ? TRACEFUNC_FUNCTIONS : 0;
    for (int i = 0; i < EVENT_WISHES; i++)
        if (wish & event_wishes[i].probes)
            wishes |= event_wishes[i].tracefunc;
    return COMPAT_HAVE_MONITORING ? 0 : wishes;
}

static void settle_functions(probe_set wish) {
    probe_set added = wish & ~hooks.settled;
    enum hooks_engine before = hooks.functions;
    if (!(wish & FUNCTION_PROBES))
        hooks.failed_over = hooks.selected = false;
    else if (is_selective(wish))
        hooks.selected = true;
    hooks.functions = choose_function_engine(wish);
    unsigned wishes = monitoring_wishes(wish);
    hooks.monitored = monitoring_set(wishes, events.verdicts, before == ENGINE_FRAME_EVALUATION);
    if (hooks.monitored != wishes && hooks.selected) { /* no tool id */
        hooks.selected = false;
        hooks.functions = choose_function_engine(wish);
    }
    if (added & THREAD_PROBES)
        threads_watch(compat_main_interpreter());
    if (hooks.functions == ENGINE_FRAME_EVALUATION)
        frames_arm(FRAMES_EVERYWHERE);
    else if (hooks.selected)
        frames_arm(FRAMES_BUT_MAIN);
    else
        frames_disarm();
    if (added & probes_by_thread())
        frames_notice_threads();
    tracefuncs_set(tracefunc_wishes(wish));
    if (hooks.monitored != wishes)
        hooks.problem = "no tool id of sys.monitoring is free: 3, 4 and 5 are in use";
    else if (!hooks.selected && (hooks.functions == ENGINE_MONITORING || hooks.functions == ENGINE_PROFILE))
        hooks.problem = hooks.failed_over     ? "a deep recursion left no stack for frame evaluation"
                        : !frames_slot_free() ? "frame evaluation is in use by another tool"
                                              : "frame evaluation would show in the program's trace function";
    else
        hooks.problem = "";
}

bool functions_fail_over(void) {
    if (!COMPAT_HAVE_MONITORING)
        return false;
    struct compat_error error = compat_error_put_aside();
    hooks.failed_over = true;
    settle_functions(hooks.settled);
    bool done = (hooks.monitored & MONITOR_FUNCTIONS) != 0;
    if (!done) { /* no tool id: go on as before */
        hooks.failed_over = false;
        settle_functions(hooks.settled);
    }
    compat_error_put_back(error);
    return done;
}

void thread_noticed(PyThreadState *tstate, compat_frame *frame, PyCodeObject *code) {
    if (wanted() & THREAD_PROBES)
        thread_announce(tstate, frame, code);
    if (compat_tstate_interpreter(tstate) == compat_main_interpreter())
        tracefuncs_new_thread(tstate);
}

/* ---- The door ---- */

int hooks_initialise(void) {
    compat_create_gil(); /* and with it the lock of the queue that the agent uses */
    threads_initialise();
    return gc_hook_initialise() < 0 || import_hook_initialise() < 0 ? -1 : 0;
}

void hooks_want(probe_set usdt) {
    events.usdt = usdt;
    if (!(wanted() & (FUNCTION_PROBES | probes_by_thread())))
        frames_silence();
}

void hooks_listen(const struct listener *listener) {
    if (hooks.shut_down)
        return;
    if (listener != events.listener)
        __atomic_store_n(&events.listened, 0, __ATOMIC_SEQ_CST);
    events.listener = listener;
    __atomic_add_fetch(&events.verdicts, 1, __ATOMIC_SEQ_CST);
    code_undecide_all();
    __atomic_store_n(&events.listened, listener ? listener->probes : 0, __ATOMIC_RELEASE);
    hooks_settle();
}

void hooks_listen_less(probe_set probes) {
    __atomic_and_fetch(&events.listened, probes, __ATOMIC_ACQ_REL);
    if (!(wanted() & (FUNCTION_PROBES | probes_by_thread())))
        frames_silence();
}

bool hooks_unsettled(void) {
    return !hooks.shut_down &&
           (hooks.settled || wanted() || memory_hook_lingers()); /* while armed, look again at each call */
}

void hooks_settle(void) {
    if (hooks.shut_down)
        return;
    probe_set wish = wanted();
    struct compat_error error = compat_error_put_aside();
    bool muted = memory_mute();
    hooks.gc = gc_hook_set((wish & GC_PROBES) != 0);
    hooks.import = import_hook_set((wish & IMPORT_PROBES) != 0);
    hooks.audit = audit_hook_set((wish & AUDIT_PROBES) != 0);
    hooks.memory = memory_hook_set((wish & MEMORY_PROBES) != 0);
    settle_functions(wish);
    if (!*hooks.problem && memory_hook_lingers())
        hooks.problem = "allocator hooks stay, doing nothing, as another tool has put its own above them";
    hooks.settled = wish;
    memory_unmute(muted);
    compat_error_put_back(error);
}

void hooks_shut_down(void) {
    events.usdt = 0;
    hooks_listen(NULL);
    hooks.shut_down = true;
}

void hooks_at_next_frame(void (*function)(void)) {
    frames_call_once(function);
}

enum hooks_engine hooks_engine_of(enum probe probe) {
    probe_set bit = PROBE_BIT(probe);
    if (!(hooks.settled & bit))
        return ENGINE_NONE;
    if (bit & (FUNCTION_PROBES | THREAD_PROBES))
        return hooks.functions != ENGINE_MONITORING || (hooks.monitored & MONITOR_FUNCTIONS) ? hooks.functions
                                                                                             : ENGINE_NONE;
    if (bit & GC_PROBES)
        return hooks.gc ? ENGINE_GC_CALLBACK : ENGINE_NONE;
    if (bit & IMPORT_PROBES)
        return hooks.import ? ENGINE_IMPORT_HOOK : ENGINE_NONE;
    if (bit & AUDIT_PROBES)
        return hooks.audit ? ENGINE_AUDIT_HOOK : ENGINE_NONE;
    if (bit & MEMORY_PROBES)
        return hooks.memory ? ENGINE_ALLOCATOR : ENGINE_NONE;
    if (COMPAT_HAVE_MONITORING)
        return hooks.monitored ? ENGINE_MONITORING : ENGINE_NONE;
    return bit & C_FUNCTION_PROBES ? ENGINE_PROFILE : ENGINE_TRACE;
}

const char *hooks_engine_name(enum hooks_engine engine) {
    static const char *const names[] = {
        [ENGINE_NONE] = "-",
        [ENGINE_FRAME_EVALUATION] = "frame-evaluation",
        [ENGINE_MONITORING] = "monitoring",
        [ENGINE_PROFILE] = "profile",
        [ENGINE_TRACE] = "trace",
        [ENGINE_GC_CALLBACK] = "callback",
        [ENGINE_IMPORT_HOOK] = "import-hook",
        [ENGINE_AUDIT_HOOK] = "audit-hook",
        [ENGINE_ALLOCATOR] = "allocator",
    };
    return names[engine];
}

bool hooks_listened(enum probe probe) {
    return (events.listened & PROBE_BIT(probe)) != 0;
}

const char *hooks_module_name(void) {
    Dl_info info;
    if (!dladdr((void *)&hooks, &info) || !info.dli_fname)
        return "_catprobe";
    const char *slash = strrchr(info.dli_fname, '/');
    return slash ? slash + 1 : info.dli_fname;
}

const char *hooks_problem(void) {
    return hooks.problem;
}

uint64_t hooks_drops_of(enum probe probe) {
    return __atomic_load_n(&hooks.drops[probe], __ATOMIC_RELAXED);
}
