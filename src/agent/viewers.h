/*
 * viewers.h: the viewers of this process's stacks: each has a place of the sampler's (sampler.h) and a
 * connection whose end is the viewer's. See control.h for what is said on it. "Agent": as in sessions.h.
 */
#ifndef CATPROBE_VIEWERS_H
#define CATPROBE_VIEWERS_H

#include "control.h"
#include "descriptor.h"

#include "sampler/sampler.h"

#include <poll.h>
#include <stdbool.h>

/* Once. */
void viewers_initialise(void);

/* Agent. Answers the request `sample` that came on a connection. True: that is the viewer's now; false: the
   reply is a refusal. Takes the request's descriptors. `own_descriptors`: the agent's are not the program's.
 */
bool viewers_open(struct descriptor connection, struct control_request *request, bool own_descriptors,
                  struct control_reply *reply);

/* Agent. What to poll: SAMPLER_VIEWERS_MAX entries; then, whenever it wakes, ends what viewers have left. */
void viewers_polled(struct pollfd *polled);
void viewers_serve(void);

/* Agent. Ends all, telling the viewers why: a word of control.h's and a text. */
void viewers_end(const char *why, const char *text);

/* The connection in place 0 to SAMPLER_VIEWERS_MAX - 1, to be handed over when the agent ends for a fork. */
struct descriptor *viewers_connection(int place);

/* Any thread. Is anybody there? */
bool viewers_exists(void);

/* In a child that fork() has just made: forget all. Async-signal-safe. */
void viewers_after_fork_in_child(void);

#endif
