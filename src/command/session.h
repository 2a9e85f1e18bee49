/*
 * session.h: a session with one traced process, over its control socket: hands it the program and the arena,
 * and hears when it is armed and when it ends.
 */
#ifndef SESSION_H
#define SESSION_H

#include "targets.h"

#include <stddef.h>
#include <stdint.h>

enum session_state {
    SESSION_CLOSED,
    SESSION_ASKED, /* the answer is not there yet */
    SESSION_OPEN,  /* accepted; its hooks are not all there yet */
    SESSION_ARMED, /* from here on nothing is missed */
    SESSION_ENDED, /* by the process: `why` says how */
};

struct session {
    enum session_state state;
    int fd;          /* of the connection, or -1 */
    pid_t pid;       /* of the process */
    unsigned probes; /* that the program wants in it */
    char why[16];    /* when SESSION_ENDED: "exit" "maxrate" "maxcpu" "lost" as it said, "refused",
                        or "died": without a word */
    char text[CONTROL_ERROR_MAX];    /* and in words, or "" */
    char problem[CONTROL_ERROR_MAX]; /* the last thing it could not do, "" when told */
    bool unanswered; /* ended before a word was said: worth asking again, as an agent that ends for a fork()
                        of the program leaves its clients, and is back soon */
    bool told;       /* its end has been reported; for the caller */
    size_t length;   /* private: bytes in line */
    bool begun;
    char line[CONTROL_REPLY_MAX];
};

/* Asks for a session. The descriptors are those of a sealed program and of its arena; they stay the caller's.
   `first` is the id of the process's first probe, `clocks` what clocks_of_targets() has. What becomes of it
   is in session->state. */
void session_open(struct session *session, const struct target *target, int program, int arena,
                  uint32_t first, const char *clocks);

/* Takes what the process has said, without waiting. */
void session_receive(struct session *session);

/* Ends it, if it has not ended. */
void session_close(struct session *session);

/* A memory file with these bytes, sealed against any change: a descriptor that the caller closes, or -1 after
   a message. */
int session_seal(const void *bytes, size_t size);

#endif
