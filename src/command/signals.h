/*
 * signals.h: the signals that end what a command does: SIGINT, SIGTERM, SIGHUP. The first of each kind is
 * only noted, a second one ends the command, unless it comes at once: timeout(1) signals the process and then
 * its group.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <stdbool.h>

/* From now on they are noted, SIGCHLD wakes, SIGPIPE and SIGXFSZ are ignored. SIGHUP stays as it is under
   nohup. Once. False after a message. */
bool signals_catch(void);

/* The number of the one that has come last; 0: none. */
int signals_came(void);

/* Readable when one has come, or a child has ended, since signals_clear; -1 before signals_catch. */
int signals_descriptor(void);
void signals_clear(void);

/* True some time after one has come. From then on a timer interrupts a write that waits for a reader who does
   not read. */
bool signals_impatient(void);

#endif
