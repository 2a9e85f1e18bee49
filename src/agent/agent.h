/*
 * agent.h: the thread that waits inside a traceable process, for tracers and for the catprobe command.
 *
 * Hooks are installed and removed by the threads of the program, as soon as one runs Python. A process that
 * waits in C answers, and has its hooks before it goes on. Before CPython 3.12 hooks wait longer where the
 * main thread is in C and the others call no Python function, only loop; and in all where nothing runs but
 * sub-interpreters.
 */
#ifndef CATPROBE_AGENT_H
#define CATPROBE_AGENT_H

#include "control.h"

/* GIL, main thread; once, before the others: remembers the environment and what has to be done at fork().
   Starts nothing. */
void agent_initialise(void);

/* GIL. Start the thread if it is not running. What goes wrong is no failure: the program runs on untraced,
   and agent_describe tells why. */
void agent_start(void);

/* GIL. Around os.fork(). CPython 3.12 and later warn of a fork in a process with threads: there the agent
   stops before it and comes back when Python goes on. agent_after_fork_in_parent has to be the last thing
   that happens before that check. A child, also of a fork() in C, gets an agent of its own once it runs
   Python. */
void agent_before_fork(void);
void agent_after_fork_in_parent(void);
void agent_after_fork_in_child(void);

/* GIL. At the end of the interpreter: for good. */
void agent_shut_down(void);

/* Any thread. Add the keys of the status reply. */
void agent_describe(struct control_reply *reply);

#endif
