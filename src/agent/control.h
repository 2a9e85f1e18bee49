/*
 * The control socket: how the catprobe command and a traced process find each other, tell who the other is,
 * and what they say. Shared by the agent (inside the traced process) and the command. No Python, no malloc
 * anywhere in it.
 *
 * A process listens on a Unix socket PID-STARTTIME.sock in the first of these folders that works:
 *
 *     $CATPROBE_DIR   $XDG_RUNTIME_DIR/catprobe   /run/user/UID/catprobe
 *     /tmp/catprobe-UID   /dev/shm/catprobe-UID
 *
 * The folder has mode 0700 and belongs to the user. STARTTIME is that of the process in the kernel's own
 * units (Linux: clock ticks since boot, /proc/PID/stat), so that a socket left behind is not mistaken for a
 * later process.
 *
 * A request is one line, answered by lines up to an empty one, or by one line that refuses it:
 *
 *     catprobe/1 status            ->    catprobe/1 ok
 *                                        pid 24601
 *                                        probe function-entry frame-evaluation armed 1 0 0
 *                                        session 3 function-entry,function-return pid=24601
 *                                        (empty line)
 *     anything that is not a request ->  catprobe/1 error TEXT
 *
 * The number is the version of the protocol. A request carries the lowest version in which its verb means
 * what the command wants; a target answers its own version and all before, in the version of the request, and
 * refuses a later one naming its own. An error is always of version 1. A command ignores keys that it does
 * not know, and refuses a reply of a later version.
 *
 * Version 2 has sessions. With the bytes of this request come two file descriptors (SCM_RIGHTS): a program
 * (program.h), sealed against writing, shrinking and growing, and an arena (arena.h), sealed against
 * shrinking and growing. The sender closes its copy of the first when the answer is there.
 *
 *     catprobe/2 trace pid=24601 first=12
 *                                  ->    catprobe/2 ok
 *                                        session 3
 *                                        enablings 2
 *                                        wants function-entry
 *                                        wants function-return
 *                                        problem TEXT
 *                                        (empty line)
 *                                        armed
 *                                        problem TEXT
 *                                        gone maxrate TEXT
 *
 *     pid=N      this process, as the consumer knows it: pid, the provider's name python<pid>, records, slots
 *     first=N    the id of this process's first probe in -l; the others follow in the order of probes.h
 *
 * Arguments that a target does not know are refused by name. `session` numbers the sessions of a process;
 * `enablings` is how many of the program's can match a probe of this process, `wants` names each such probe,
 * and `problem` tells why one cannot be had, or not fully. The connection then is the session's life, and
 * after the empty line the target says what happens, as it happens, a line each:
 *
 *     armed          from now on nothing is missed; once. All hooks that the program wants are there, or, as
 *                    the process only waits in C, will be before it calls the next Python function
 *     problem TEXT   as above, when it arises later
 *     gone WHY TEXT  the last line: the target has ended the session, and closes. WHY is `exit` (the
 *                    interpreter ends), `maxrate` or `maxcpu` (the program cost more than it may)
 *
 * A connection that ends before its answer: the agent has left for a fork(); ask again. One of a session that
 * ends without `gone`: the process has died, or called exec or _exit. The consumer ends a session by closing
 * the connection (or dying); bytes that it sends are ignored. A process has at most CONTROL_SESSIONS_MAX
 * sessions at a time; a child of fork() has none.
 *
 * Version 3 has samples, and clocks of sessions:
 *
 *     catprobe/3 trace pid=24601 first=12 clocks=30:profile-997,31:profile-100hz
 *
 *     clocks=ID:NAME,...  the clocks profile-N of the program, with their ids; at each tick each fires for
 *                         every thread that is on a processor (or, by the option `profile`, for all)
 *
 * With the bytes of this request comes one descriptor: a memory for samples
 * (samples.h), sealed against shrinking and growing.
 *
 *     catprobe/3 sample pid=24601 period=10000000 ticks=0 flags=1
 *                                  ->    catprobe/3 ok
 *                                        (empty line)
 *                                        gone WHY TEXT
 *
 *     pid=N      as above
 *     period=N   ns between ticks, ticks=N how many, 0 for no end, flags=N a sum of enum samples_flag
 *
 * What is sampled goes into the memory. The connection is the viewer's life, as that of a session.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#if defined(__GNUC__)
#    define CONTROL_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#    define CONTROL_PRINTF(text, first)
#endif

enum {
    CONTROL_VERSION = 3,         /* of the protocol, the highest spoken */
    CONTROL_SESSIONS_MAX = 8,    /* of one process, at a time */
    CONTROL_DESCRIPTORS_MAX = 2, /* that come with a request */
    CONTROL_FOLDERS = 5,         /* places where a folder may lie */
    CONTROL_PATH_MAX = 1024,   /* bytes of a path with its '\0'; a longer folder is one that does not work */
    CONTROL_NAME_MAX = 64,     /* bytes of a socket's name with its '\0' */
    CONTROL_ERROR_MAX = 512,   /* bytes of a message with its '\0': enough for all of ours */
    CONTROL_REQUEST_MAX = 512, /* bytes of a request with its line end */
    CONTROL_REPLY_MAX = 8192,  /* bytes of a reply of this version, and of a line in any */
};

/* For both sides. */

/* Reads $CATPROBE_DIR and $XDG_RUNTIME_DIR and the kernel's overflow uid, once: getenv() races with a program
 * that sets variables, so call it from the main thread before anything else here. Calling it again reads them
 * again. */
void control_init(void);

/* The folder number `which`, 0 to CONTROL_FOLDERS - 1 in the order of search, of the user `uid`; it need not
 * exist. False: there is none of that number, for its variable is not set or its path is too long. */
bool control_folder(int which, uid_t uid, char path[CONTROL_PATH_MAX]);

/* Opens a folder that exists, if it is a directory (no symbolic link) that belongs to `owner` and that nobody
 * else can write. Returns a descriptor (close-on-exec; the caller closes it), or -1 and the reason in
 * `error`, errno set. */
int control_folder_open(const char *path, uid_t owner, char *error, size_t n);

/* When a process started, in the kernel's own units. Pid 0: this one, also where /proc counts pids otherwise
 * than getpid() (/proc of another pid namespace). False: there is no such process, or no way to know. */
bool control_start_time(pid_t pid, unsigned long long *start);

/* PID-STARTTIME.sock, to and from; parsing is strict: no sign, no leading zero, nothing behind. */
void control_name(char name[CONTROL_NAME_MAX], pid_t pid, unsigned long long start);
bool control_name_parse(const char *name, pid_t *pid, unsigned long long *start);

/* Whether the process that a socket's name speaks of is running now: same pid, same start time. */
bool control_name_alive(const char *name);

/* Removes the sockets in an open folder of this user on which nobody listens any more and whose process is
 * not to be seen from here. The connection decides, for a folder may be shared with other pid namespaces.
 * Linux only, elsewhere nothing. At most some thousands are looked at. Returns how many it removed. */
int control_sweep(int folder, const char *path);

/* Who is at the other end, by the kernel's word: of a client its state at connect(), of a listener that at
 * listen(). *pid is 0 where the kernel does not tell (another pid namespace, BSD). False: not even the user
 * is known. */
bool control_peer(int fd, uid_t *uid, pid_t *pid);

/* Whether two users are the same. The overflow uid, which every unmapped user looks like in a user namespace,
 * is never the same as anybody. */
bool control_same_user(uid_t one, uid_t other);

/* Connects to a target's socket. Returns a descriptor (close-on-exec, not blocking; the caller closes it), or
 * -1 with errno: ECONNREFUSED or ENOENT when nobody listens, ETIMEDOUT when too many wait there already. */
int control_connect(const char *path, int timeout_ms);

/* Reads "catprobe/N ", sets *version to N and *rest to what is behind. False: the line is none of this
 * protocol's. */
bool control_greeting_parse(const char *line, int *version, const char **rest);

/* Replaces every control character by '?': a value is one line, whatever is in a program's path. */
void control_clean(char *text, size_t length);

/*
 * The side of the agent: any thread, after control_init(), with 8 KB of stack. No signal, directory, umask or
 * environment variable is touched.
 */

/* Makes the folder and in it the socket of this process, mode 0600, and listens. Returns the descriptor
 * (high-numbered, close-on-exec, not blocking; the caller closes it) and the socket's path in `path`, for
 * control_unlisten. On failure -1, with a line in `error` that says what to do. */
int control_listen(char path[CONTROL_PATH_MAX], char *error, size_t n);

/* Closes the listening socket and removes it from its folder. Not for a forked child: there it is the
 * parent's, and the child only closes its descriptor. */
void control_unlisten(int fd, const char *path);

/* Moves a descriptor out of the way of the program's own, to a high number, close-on-exec: returns the new
 * one and closes `fd`, or returns `fd` when there is none. */
int control_raise_descriptor(int fd);

/* Accepts one connection if its peer may talk to this process: same effective user, or root. Returns a
 * descriptor as control_listen's, or -1: errno EAGAIN when none waits, EACCES when the peer was refused, told
 * so, and `error` says it too. */
int control_accept(int listener, char *error, size_t n);

/* A request being received. Set `length` and `descriptors` to 0 before the first use. */
struct control_request {
    size_t length;                           /* bytes in text so far */
    char text[CONTROL_REQUEST_MAX];          /* cut into strings when complete */
    int version;                             /* the number in the first word, at most CONTROL_VERSION */
    const char *verb;                        /* in text: "status" */
    const char *arguments;                   /* in text: the rest of the line, "" if none */
    int descriptors;                         /* that came with it */
    int descriptor[CONTROL_DESCRIPTORS_MAX]; /* close-on-exec; control_request_close closes them */
};

enum control_progress {
    CONTROL_INCOMPLETE, /* more must come */
    CONTROL_COMPLETE,   /* version, verb and arguments are set */
    CONTROL_MALFORMED,  /* `error` says why: reply with it and close */
    CONTROL_CLOSED      /* the peer has gone: close */
};

/* Looks at text[0, length). Bytes behind the first line are ignored. */
enum control_progress control_request_parse(struct control_request *request, char *error, size_t n);

/* Receives what is there, without waiting, and parses. */
enum control_progress control_receive(int fd, struct control_request *request, char *error, size_t n);

/* Closes the descriptors of a request that nobody has taken out of it. */
void control_request_close(struct control_request *request);

/* A reply being built. What does not fit is left out by whole lines, and their number is told in a line
 * `truncated`. */
struct control_reply {
    size_t length;                /* bytes in text */
    unsigned truncated;           /* lines left out */
    char text[CONTROL_REPLY_MAX]; /* not a string */
};

void control_reply_begin(struct control_reply *reply, int version);

/* Adds a line `key value`. Control characters in the value become '?'. */
void control_reply_add(struct control_reply *reply, const char *key, const char *format, ...)
    CONTROL_PRINTF(3, 4);

void control_reply_end(struct control_reply *reply);

/* The whole of a refusal: no _begin before it, no _end behind. */
void control_reply_error(struct control_reply *reply, const char *format, ...) CONTROL_PRINTF(2, 3);

/* Sends a reply without waiting and without SIGPIPE; it fits into the buffer of a fresh connection. The
 * caller closes `fd`. False: the peer is gone, or does not read. */
bool control_send(int fd, const struct control_reply *reply);

#endif
