/*
 * firing.h: the way of an event from the hooks to the engines of the sessions, on the program's own threads,
 * with no lock and no system call; and how the agent takes an engine away from under them.
 *
 * The agent admits a session and dismisses it; in between a thread with the GIL settles, which has the hooks
 * installed. Private to this room.
 */
#ifndef CATPROBE_FIRING_H
#define CATPROBE_FIRING_H

#include "control.h"
#include "engine/engine.h"
#include "hooks/hooks.h"

/* A session as the threads see it. Written by the agent while it is not admitted. */
struct firing_session {
    uint64_t serial; /* never used twice in a process and its children; 0: none */
    struct engine *engine;
    probe_set wants;     /* by engine_wants */
    probe_set selective; /* by engine_selective, of PROBES_OF_CODE */
    uint32_t pid;        /* of this process, as the consumer knows it */
};
extern struct firing_session firing_sessions[CONTROL_SESSIONS_MAX];

/* The probes as the engine is told of them; the ids are the session's business. Constant. */
struct engine_probe firing_probe(enum probe probe);

/* Of the Python stack, for struct engine_host. */
size_t firing_stack(char *text, size_t n, uint32_t frames);
uint32_t firing_stackdepth(void);

/* The sampler's thread. A clock of the session in this place ticks for the thread `tid`: fires the probe in
   the engine by that index, with the stack that sampler.h has. */
void firing_tick(int place, uint32_t probe, uint32_t tid);

/* Main thread, once. False if there is no memory. */
bool firing_initialise(void);

/* Agent. Let the threads run the session in this place. */
void firing_admit(int place);

/* Any thread. Stop it, at once but for events that are under way; then, once firing_is_over(), its engine is
   in nobody's hands. */
void firing_dismiss(int place);

/* Agent. Has every thread been out of all engines since the last firing_dismiss? If not, ask again a little
   later. */
bool firing_is_over(void);

/* Any thread. Has a session come or gone since firing_settle()? */
bool firing_unsettled(void);

/* GIL. Have the hooks for the sessions that are admitted. */
void firing_settle(void);

/* Agent. Have the hooks for this session been settled? */
bool firing_is_settled(int place);

/* GIL. The calling thread gives its places in the arenas back; it gets others if it fires again. */
void firing_leave(void);

/* In a child that fork() has just made: there are no sessions. Async-signal-safe. */
void firing_after_fork_in_child(void);

#endif
