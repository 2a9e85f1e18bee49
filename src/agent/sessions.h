/*
 * sessions.h: the sessions of this process: for each consumer a D program that runs here, an arena that its
 * results go to, and a connection whose end is the session's. See control.h for what is said on it.
 *
 * "Agent": the agent's thread, or another while there is none.
 */
#ifndef CATPROBE_SESSIONS_H
#define CATPROBE_SESSIONS_H

#include "control.h"
#include "descriptor.h"
#include "sampler/sampler.h"

#include <poll.h>
#include <stdbool.h>

/* Connections that may be kept across a fork: those of the sessions, and of the viewers (viewers.h). */
enum { SESSIONS_CONNECTIONS = CONTROL_SESSIONS_MAX + SAMPLER_VIEWERS_MAX };

/* Main thread, once. If there is no memory, each request is refused. */
void sessions_initialise(void);

/* Agent. Answers the request `trace` that came on a connection. True: that is a session's now; false: the
   reply is a refusal. Takes the request's descriptors. `own_descriptors`: the agent's are not the program's.
 */
bool sessions_open(struct descriptor connection, struct control_request *request, bool own_descriptors,
                   struct control_reply *reply);

/* Agent. What to poll: CONTROL_SESSIONS_MAX entries, with -1 where there is no session; and within how many
   milliseconds sessions_serve wants to be called again, -1 if nothing is under way. */
void sessions_polled(struct pollfd *polled);
int sessions_patience(void);

/* Agent, whenever it wakes. Ends the sessions whose consumer has gone or that cost too much, tells those that
   are armed, and frees what no thread uses any more. */
void sessions_serve(void);

/* Agent. Ends all, telling the consumers why: a word of control.h's and a text. */
void sessions_end(const char *why, const char *text);

/* Any thread. */
bool sessions_exist(void);

/* Any thread. Is there work for sessions_settle? */
bool sessions_unsettled(void);

/* GIL. The calling thread gives its places in the arenas back, as the interpreter is about to end. */
void sessions_leave(void);

/* GIL. Have the hooks that the sessions want. */
void sessions_settle(void);

/* Any thread. Adds the lines `session` of the status reply. */
void sessions_describe(struct control_reply *reply);

/*
 * When the agent ends for a fork(), and its table of descriptors with it, it hands the connections of the
 * sessions and viewers to the thread that forks, through a connection between the two, and its successor
 * takes them over.
 */

/* Agent, at its end, with a table of its own. Hands over on a connection to the forking thread. */
void sessions_hand_over(int fd);

/* The forking thread, when the agent has ended. Takes what came on its end of that connection. */
void sessions_take_over(int fd);

/* Agent, at its start: the descriptors of the sessions in ascending order, to be kept. Returns how many. */
int sessions_kept(int kept[SESSIONS_CONNECTIONS]);

/* Agent: it has them in a table of its own now. */
void sessions_separated(void);

/* GIL. Closes what the program's table has of them. */
void sessions_close_left(void);

/* In a child that fork() has just made: forget all. Async-signal-safe. */
void sessions_after_fork_in_child(void);

#endif
