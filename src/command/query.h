/*
 * Asks targets for their status over the control socket, all at the same time.
 */
#ifndef QUERY_H
#define QUERY_H

#include "../agent/control.h"

enum {
    QUERY_ANSWER_MAX = 65536, /* bytes taken from a target, of a later version too */
    QUERY_PROBES_MAX = 64,    /* probes taken from a target; this version has PROBE_COUNT */
};

struct target_probe {
    char name[48];            /* "function-entry" */
    char engine[24];          /* "frame-evaluation", or "-" for none */
    char state[16];           /* "idle" "armed" "unavailable" "native" */
    unsigned tracers;         /* kernel tracers attached */
    unsigned listeners;       /* in the process itself */
    unsigned long long drops; /* events lost since the start */
};

/* A trace by catprobe itself. */
struct target_session {
    long consumer;    /* the pid of its command; 0: not told */
    char probes[384]; /* their names, separated by commas */
};

/* What a target says of itself: not to be trusted, but every string is one, free of control characters. */
struct target_status {
    unsigned long long pid, uid, start;
    char version[32];                  /* "3.11.7" */
    char implementation[64];           /* "cpython" */
    char executable[CONTROL_PATH_MAX]; /* path of the interpreter */
    char module[128];                  /* file name of the extension that has the USDT sites */
    char agent[256];                   /* "ok", or what is wrong */
    int probe_count;
    struct target_probe probes[QUERY_PROBES_MAX];
    int session_count;
    struct target_session sessions[CONTROL_SESSIONS_MAX];
};

enum query_outcome {
    QUERY_ANSWERED, /* status is set */
    QUERY_ABSENT,   /* nobody listens: the socket is stale */
    QUERY_SILENT,   /* no answer in time */
    QUERY_REFUSED   /* by either side, or an answer that makes no sense; error says it in one line */
};

struct target {
    char path[CONTROL_PATH_MAX];   /* in: of the socket */
    enum query_outcome outcome;    /* out, and all below */
    uid_t uid;                     /* of the process that listens, -1: unknown */
    pid_t pid;                     /* as seen from here, 0: unknown */
    struct target_status status;   /* when QUERY_ANSWERED */
    char error[CONTROL_ERROR_MAX]; /* when not */
    bool unanswered;               /* it closed the connection without a word: its agent may be back soon */
    int fd;                        /* private from here on */
    bool begun;                    /* the first line has been read */
    size_t total, length;          /* bytes received in all, bytes in text */
    char text[CONTROL_REPLY_MAX];  /* the line being received */
};

/* Asks all targets for their status at the same time, and waits until each has answered or the time is over.
 */
void query_status(struct target *targets, size_t count, int timeout_ms);

#endif
