/*
 * agent.c: a thread that eleven times a second looks which probes kernel tracers want, and in between
 * answers on the control socket and minds the sessions.
 *
 * It is a guest in somebody else's process: all signals blocked, a small stack of its own, a table of
 * descriptors of its own where the system has such, and no lock of anybody's taken, so that a fork() at any
 * moment finds none held. It does not allocate (a thread that calls malloc gets 64 MB of address space), has
 * no thread state and never waits for the GIL: hooks are installed and removed by the program's own threads,
 * which it asks to do so, and a process that hangs with the GIL held still answers.
 */
#include "hooks/compat.h"

#include "agent.h"
#include "descriptor.h"
#include "hooks/hooks.h"
#include "native.h"
#include "sampler/names.h"
#include "sessions.h"
#include "sites.h"
#include "viewers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#if defined __linux__
#    include <linux/futex.h>
#    include <sys/syscall.h>
#endif

enum {
    LOOK_INTERVAL_MS = 90,     /* between looks at the semaphores; waking up costs up to 70 us of CPU time */
    GATHER_MS = 105,           /* from the sight of a tracer's last probe to arming, see tracers_wish */
    CLIENTS_MAX = 8,           /* connections at a time; more wait in the backlog */
    CLIENT_PATIENCE_MS = 2000, /* for a request to arrive in full, */
    CLIENT_CROWD_MS = 200,     /* and when all connections are in use and another waits */
    STACK_SIZE = 512 * 1024,   /* address space; a few pages of it are used */
    FORK_PAUSE_MS = 30,        /* a process that ends, execs or forks again within it needs no socket */
    ABSENT_MS = 400,           /* a process that forks all the time is there again after so long, */
    PRESENT_MS = 150,          /* for so long */
    LISTEN_CHECK_MS = 2000,    /* between looks at the socket's file, or for a folder when there was none */
    WORK_LATE_MS = 1000,       /* a program that runs no Python for so long is worth a line in the status */
    HAND_OVER_MS = 50,         /* for a connection between a thread that forks and the agent */
};

/* Why the agent is told to end. */
enum stop {
    STOP_NOT,
    STOP_FOR_FORK, /* to come back: sessions go on */
    STOP_FOR_GOOD,
};

struct client {
    struct descriptor socket;
    struct control_request request;
    long long since; /* ms, monotonic */
};

static struct {
    bool running; /* the thread exists, in this process */
    bool ended;   /* for good: the interpreter is about to end */
    int stop;     /* enum stop; a futex on Linux */
    int forks;    /* calls of os.fork() under way, in whose course there shall be no thread */
    bool forked;  /* it is started again, in the parent or in the child */
    pthread_t thread;
    pid_t task;              /* the thread, as Linux numbers it */
    pid_t pid;               /* the process that the thread is in */
    const char *module_name; /* asked for once, as the answer takes the loader's lock */
    bool call_pending;       /* the interpreter's queue of pending calls has ours */
    long long asked;         /* ms, monotonic: when the program was asked to work; 0: all is done */
    struct descriptor listener;
    char path[CONTROL_PATH_MAX]; /* of the socket */
    uid_t user;                  /* to whom the socket belongs */
    long long look_again;        /* ms, monotonic: at the semaphores */
    long long gather_until;      /* ms, monotonic, for a tracer's probes; 0: nobody new */
    long long listen_again;      /* ms, monotonic: not before */
    long long present;           /* ms, monotonic: when it had a socket last, */
    long long present_until;     /* and until when it makes one at once after each fork() */
    bool no_descriptors;         /* to accept a connection with; until the next look */
    bool separate;               /* the thread has a table of descriptors of its own */
    struct client clients[CLIENTS_MAX];
    char problem[CONTROL_ERROR_MAX]; /* why nobody can reach us; "" if all is well */
} agent = {.listener = DESCRIPTOR_NONE, .module_name = "_catprobe"};

static long long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* ---- The control socket ---- */

static void listen_close(void) {
    if (descriptor_is_ours(&agent.listener))
        control_unlisten(agent.listener.fd, agent.path);
    else if (agent.listener.fd >= 0)
        control_unlisten(-1, agent.path);
    agent.listener.fd = -1;
}

/* Has nobody removed it, such as those that clean /tmp? */
static bool socket_is_there(void) {
    struct stat status;
    return lstat(agent.path, &status) == 0 || errno != ENOENT;
}

/* Have a socket that belongs to the user that the process now runs as. */
static void listen_check(void) {
    bool due = now_ms() >= agent.listen_again;
    bool good = agent.user == geteuid() && descriptor_is_ours(&agent.listener) && (!due || socket_is_there());
    if (!good && agent.listener.fd >= 0) {
        listen_close();
        due = true;
    }
    if (!due)
        return;
    agent.listen_again = now_ms() + LISTEN_CHECK_MS;
    if (good)
        return;
    agent.user = geteuid();
    agent.listener = descriptor_of(control_listen(agent.path, agent.problem, sizeof agent.problem));
    if (agent.listener.fd >= 0)
        agent.problem[0] = '\0';
}

static const char *state_of(enum probe probe, probe_set native) {
    if (hooks_unavailable() & PROBE_BIT(probe))
        return "unavailable";
    if (native & PROBE_BIT(probe))
        return "native";
    return hooks_engine_of(probe) == ENGINE_NONE ? "idle" : "armed";
}

void agent_describe(struct control_reply *reply) {
    const char *implementation = COMPAT_FREE_THREADED ? "cpython free-threaded" : "cpython";
    unsigned long long start = 0;
    control_start_time(0, &start);
    control_reply_add(reply, "pid", "%ld", (long)getpid());
    control_reply_add(reply, "version", "%.*s", (int)strcspn(Py_GetVersion(), " "), Py_GetVersion());
    control_reply_add(reply, "implementation", "%s", implementation);
    control_reply_add(reply, "uid", "%lu", (unsigned long)geteuid());
    control_reply_add(reply, "start", "%llu", start);
    char executable[1024];
    ssize_t length = readlink("/proc/self/exe", executable, sizeof executable);
    if (length > 0)
        control_reply_add(reply, "executable", "%.*s", (int)length, executable);
    control_reply_add(reply, "module", "%s", agent.module_name);
    control_reply_add(reply, "agent", "%s",
                      agent.problem[0] ? agent.problem
                      : agent.running  ? "ok"
                                       : "not running");
    long long asked = __atomic_load_n(&agent.asked, __ATOMIC_RELAXED);
    long long late = asked ? now_ms() - asked : 0;
    if (late > WORK_LATE_MS)
        control_reply_add(reply, "problem", "hooks wait for Python code to run: none has for %lld s",
                          late / 1000);
    else if (*hooks_problem())
        control_reply_add(reply, "problem", "%s", hooks_problem());
    probe_set native = native_enabled();
    for (unsigned i = 0; i < PROBE_COUNT; i++)
        control_reply_add(reply, "probe", "%s %s %s %u %d %llu", probe_table[i].name,
                          hooks_engine_name(hooks_engine_of(i)), state_of(i, native), probe_tracers(i),
                          hooks_listened(i), (unsigned long long)hooks_drops_of(i));
    sessions_describe(reply);
}

/* ---- Requests ---- */

static void ask_for_work(void);

/* Each builds its reply; true: the connection is not the client's any more. */

static bool answer_status(struct client *client, struct control_reply *reply) {
    control_reply_begin(reply, client->request.version);
    agent_describe(reply);
    control_reply_end(reply);
    return false;
}

static bool answer_trace(struct client *client, struct control_reply *reply) {
    if (!sessions_open(client->socket, &client->request, agent.separate, reply))
        return false;
    ask_for_work();
    return true;
}

static bool answer_sample(struct client *client, struct control_reply *reply) {
    return viewers_open(client->socket, &client->request, agent.separate, reply);
}

static const struct verb {
    const char *name;
    int version; /* of the protocol, which has it first */
    bool (*answer)(struct client *client, struct control_reply *reply);
} verbs[] = {
    {"status", 1, answer_status},
    {"trace", 2, answer_trace},
    {"sample", 3, answer_sample},
};

/* NULL: there is none of that name in that version. */
static const struct verb *find_verb(const struct control_request *request) {
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i].name, request->verb) == 0 && request->version >= verbs[i].version)
            return &verbs[i];
    return NULL;
}

static bool told_to_end(void) {
    return __atomic_load_n(&agent.stop, __ATOMIC_ACQUIRE) != STOP_NOT;
}

static void client_answer(struct client *client, const char *error) {
    static struct control_reply reply; /* one thread; too large for its stack */
    struct descriptor socket = client->socket;
    const struct verb *verb = error ? NULL : find_verb(&client->request);
    if (error)
        control_reply_error(&reply, "%s", error);
    else if (!verb)
        control_reply_error(&reply,
                            "unknown request '%s' in version %d of the protocol: this process knows %s",
                            client->request.verb, client->request.version,
                            client->request.version < 2   ? "'status'"
                            : client->request.version < 3 ? "'status' and 'trace'"
                                                          : "'status', 'trace' and 'sample'");
    else if (verb->answer(client, &reply))
        client->socket = DESCRIPTOR_NONE;
    control_send(socket.fd, &reply);
}

static void client_close(struct client *client) {
    control_request_close(&client->request);
    descriptor_close(&client->socket);
}

static void client_receive(struct client *client) {
    char error[CONTROL_ERROR_MAX];
    enum control_progress progress =
        control_receive(client->socket.fd, &client->request, error, sizeof error);
    if (progress == CONTROL_INCOMPLETE)
        return;
    if (progress != CONTROL_CLOSED)
        client_answer(client, progress == CONTROL_MALFORMED ? error : NULL);
    client_close(client);
}

static void client_accept(void) {
    for (int i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &agent.clients[i];
        if (client->socket.fd >= 0)
            continue;
        char error[CONTROL_ERROR_MAX];
        client->socket = descriptor_of(control_accept(agent.listener.fd, error, sizeof error));
        agent.no_descriptors = client->socket.fd < 0 && errno != EAGAIN && errno != EACCES;
        client->request.length = 0;
        client->request.descriptors = 0;
        client->since = now_ms();
        return;
    }
}

/* The client that has been there for longest; NULL while there is a place for another. */
static struct client *oldest_of_all(void) {
    struct client *oldest = &agent.clients[0];
    for (int i = 0; i < CLIENTS_MAX; i++) {
        if (agent.clients[i].socket.fd < 0)
            return NULL;
        if (agent.clients[i].since < oldest->since)
            oldest = &agent.clients[i];
    }
    return oldest;
}

static void clients_check(void) {
    long long now = now_ms();
    for (int i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = &agent.clients[i];
        if (client->socket.fd >= 0 &&
            (!descriptor_is_ours(&client->socket) || now - client->since > CLIENT_PATIENCE_MS))
            client_close(client);
    }
    struct client *oldest = oldest_of_all();
    if (oldest && now - oldest->since > CLIENT_CROWD_MS)
        client_close(oldest);
}

static int least_patience(void) {
    long long patience = agent.look_again - now_ms();
    int sessions = sessions_patience();
    if (sessions >= 0 && sessions < patience)
        return sessions;
    return patience < 0 ? 0 : (int)patience;
}

enum { POLLED_MAX = 1 + CLIENTS_MAX + CONTROL_SESSIONS_MAX + SAMPLER_VIEWERS_MAX };

/* As poll(), which refuses more entries, empty ones too, than RLIMIT_NOFILE allows descriptors. Where even
   those there are too many, as it was lowered since, the time passes. */
static int poll_those_there(struct pollfd polled[POLLED_MAX], int patience_ms) {
    struct pollfd there[POLLED_MAX];
    nfds_t count = 0;
    for (int i = 0; i < POLLED_MAX; i++)
        if (polled[i].fd >= 0)
            there[count++] = polled[i];
    int ready = poll(there, count, patience_ms);
    if (ready < 0 && errno == EINVAL)
        poll(NULL, 0, patience_ms);
    for (int i = POLLED_MAX - 1; i >= 0; i--) {
        polled[i].revents = 0;
        if (ready > 0 && polled[i].fd >= 0)
            polled[i].revents = there[--count].revents;
    }
    return ready;
}

/* Wait until something happens on a socket, or it is time to look at something else. */
static void wait_and_serve(void) {
    struct pollfd polled[POLLED_MAX];
    clients_check();
    bool accepting = !oldest_of_all() && !agent.no_descriptors;
    polled[0] = (struct pollfd){.fd = accepting ? agent.listener.fd : -1, .events = POLLIN};
    for (int i = 0; i < CLIENTS_MAX; i++)
        polled[1 + i] = (struct pollfd){.fd = agent.clients[i].socket.fd, .events = POLLIN};
    sessions_polled(polled + 1 + CLIENTS_MAX);
    viewers_polled(polled + 1 + CLIENTS_MAX + CONTROL_SESSIONS_MAX);
    int count = poll_those_there(polled, least_patience());
    sessions_serve();
    viewers_serve();
    if (count <= 0 || told_to_end())
        return;
    for (int i = 0; i < CLIENTS_MAX; i++)
        if (polled[1 + i].revents && descriptor_is_ours(&agent.clients[i].socket))
            client_receive(&agent.clients[i]);
    if (polled[0].revents && descriptor_is_ours(&agent.listener))
        client_accept();
}

/* ---- Work for threads that have the GIL ---- */

/* Held while the interpreter's queue of pending calls may be locked, so that no fork() finds it so. */
static pthread_mutex_t asking = PTHREAD_MUTEX_INITIALIZER;

/* GIL. What has to be done is found out here, so it may be called once too often. */
static void work(void) {
    PyThreadState *tstate = compat_current_tstate();
    __atomic_store_n(&agent.asked, 0, __ATOMIC_RELAXED);
    compat_lend_recursion(tstate);
    sessions_settle();
    if (compat_tstate_interpreter(tstate) == compat_main_interpreter())
        names_collect();
    if (agent.running)
        hooks_settle();
    else
        agent_start();
    compat_return_recursion(tstate);
}

static int work_pending(void *unused) {
    (void)unused;
    __atomic_store_n(&agent.call_pending, false, __ATOMIC_RELEASE);
    work();
    return 0;
}

/* Any thread. Have work() called by the next thread of the program that runs Python: by a pending call, and
   where only the main thread makes those, and may be waiting in C, at the start of the next function too. */
static void ask_for_work(void) {
    if (!agent.asked)
        __atomic_store_n(&agent.asked, now_ms(), __ATOMIC_RELAXED);
    pthread_mutex_lock(&asking);
    if (!__atomic_exchange_n(&agent.call_pending, true, __ATOMIC_ACQ_REL) &&
        !compat_add_pending_call(work_pending))
        __atomic_store_n(&agent.call_pending, false,
                         __ATOMIC_RELEASE); /* the queue is full; at the next look */
    pthread_mutex_unlock(&asking);
    if (!COMPAT_PENDING_CALLS_IN_ANY_THREAD)
        hooks_at_next_frame(work);
}

/* ---- The thread ---- */

/* A tracer enables its probes one after the other, and DTrace, behind raised semaphores, takes a while more:
   armed at once, the hooks would show it entries whose returns it does not hear yet. So they are armed
   together, when no other has come for 105 ms: less than 200 ms after the last. What a tracer leaves is
   silent at once. */
static probe_set tracers_wish(void) {
    static probe_set armed, seen;
    probe_set raised = 0;
    for (unsigned i = 0; i < PROBE_COUNT; i++)
        if (probe_tracers(i))
            raised |= PROBE_BIT(i);
    raised &= ~native_enabled();
    armed &= raised;
    if (armed == raised)
        agent.gather_until = 0;
    else if (raised & ~seen)
        agent.gather_until = now_ms() + GATHER_MS;
    else if (now_ms() >= agent.gather_until)
        armed = raised;
    seen = raised;
    return armed;
}

static void look_at_tracers(void) {
    hooks_want(tracers_wish());
    if (hooks_unsettled() || sessions_unsettled() || names_wanted())
        ask_for_work();
}

/* Let a while pass, less if told to end; not if the pauses of one fork() after the other would let nobody
   find us. */
static void pause_after_fork(void) {
    long long now = now_ms();
    if (now - agent.present > ABSENT_MS)
        agent.present_until = now + PRESENT_MS;
    if (now < agent.present_until)
        return;
#if defined __linux__
    struct timespec pause = {.tv_nsec = FORK_PAUSE_MS * 1000 * 1000};
    syscall(SYS_futex, &agent.stop, FUTEX_WAIT_PRIVATE, 0, &pause, NULL, 0);
#endif
}

/* Have a table of descriptors of our own, with the connections of the sessions that a predecessor had.
   Returns how many. */
static int descriptors_take(void) {
    int kept[SESSIONS_CONNECTIONS];
    int count = sessions_kept(kept);
    agent.separate = descriptors_separate(kept, count);
    if (agent.separate && count)
        sessions_separated();
    return count;
}

/* Does the thread that ends us wait at the other end, see stop()? */
static bool is_connection_of_ours(int fd) {
    uid_t uid;
    pid_t pid;
    return control_peer(fd, &uid, &pid) && pid == getpid();
}

/* Hand the sessions over to the thread that forks, which waits for us and has connected, or does so when
   there is a socket. */
static void hand_over_sessions(void) {
    int kept[SESSIONS_CONNECTIONS];
    char error[CONTROL_ERROR_MAX];
    bool done = false;
    long long until = now_ms() + HAND_OVER_MS;
    if (sessions_kept(kept) && !descriptor_is_ours(&agent.listener)) {
        agent.listen_again = 0;
        listen_check();
    }
    while (!done && sessions_kept(kept) && descriptor_is_ours(&agent.listener) && now_ms() < until) {
        struct pollfd polled = {.fd = agent.listener.fd, .events = POLLIN};
        poll(&polled, 1, HAND_OVER_MS);
        int fd = control_accept(agent.listener.fd, error, sizeof error);
        if (fd < 0)
            continue;
        done = is_connection_of_ours(fd);
        if (done)
            sessions_hand_over(fd);
        close(fd);
    }
}

static void end_all(void) {
    static const char why[] = "exit", text[] = "the interpreter ends";
    sessions_end(why, text);
    viewers_end(why, text);
}

static void *agent_main(void *unused) {
    (void)unused;
#if defined __linux__
    agent.task = (pid_t)syscall(SYS_gettid);
#endif
    bool sessions = descriptors_take() > 0;
    sampler_resume(agent.separate);
    if (agent.forked && !sessions)
        pause_after_fork();
    agent.look_again = 0;
    while (!told_to_end()) {
        listen_check();
        if (told_to_end()) /* which may have come before the socket by which it would be heard */
            break;
        if (now_ms() >= agent.look_again) {
            look_at_tracers();
            agent.no_descriptors = false;
            agent.look_again = now_ms() + LOOK_INTERVAL_MS;
            if (agent.gather_until && agent.gather_until < agent.look_again)
                agent.look_again = agent.gather_until;
        }
        wait_and_serve();
    }
    if (descriptor_is_ours(&agent.listener))
        agent.present = now_ms();
    for (int i = 0; i < CLIENTS_MAX; i++) {
        if (descriptor_is_ours(&agent.clients[i].socket)) /* what has arrived is answered */
            client_receive(&agent.clients[i]);
        client_close(&agent.clients[i]);
    }
    sampler_pause();
    if (agent.stop == STOP_FOR_GOOD)
        end_all();
    else if (agent.separate)
        hand_over_sessions();
    listen_close();
    return NULL;
}

/* ---- Starting and stopping ---- */

/* As pthread_create, with every signal blocked in the new thread and a stack as small as can be had. */
static int create_thread(void) {
    pthread_attr_t attributes;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0)
        return ENOMEM;
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&agent.thread, &attributes, agent_main, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
#if defined __GLIBC__
    if (!error)
        pthread_setname_np(agent.thread, "catprobe");
#endif
    return error;
}

void agent_start(void) {
    if (agent.running || agent.ended || agent.forks)
        return;
    agent.stop = STOP_NOT;
    agent.pid = getpid();
    agent.listen_again = 0;
    agent.path[0] = agent.problem[0] = '\0';
    int error = create_thread();
    if (error) {
        snprintf(agent.problem, sizeof agent.problem,
                 "no thread could be made: %s; raise ulimit -u or pids.max", strerror(error));
        return;
    }
    agent.running = true;
}

/* End the thread's wait: a pause, or that for clients, as one of them would. If that fails, it notices at its
   next look. Tried again for so long, as its socket may not be there yet. Returns the connection, or -1. */
static int wake(int patience_ms) {
#if defined __linux__
    syscall(SYS_futex, &agent.stop, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
#endif
    long long until = now_ms() + patience_ms;
    int fd = -1;
    while ((fd = agent.path[0] ? control_connect(agent.path, patience_ms) : -1) < 0 && now_ms() < until)
        nanosleep(&(struct timespec){.tv_nsec = 200 * 1000}, NULL);
    return fd;
}

/* Linux tells of a thread's end a little before it ceases to count it, and os.fork() would count it. */
static void wait_until_uncounted(void) {
#if defined __linux__
    enum { TRIES = 200 }; /* 10 ms: it takes some millionths of a second unless the machine is very busy */
    for (int i = 0; i < TRIES && syscall(SYS_tgkill, getpid(), agent.task, 0) == 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = 50 * 1000}, NULL);
#endif
}

static bool are_handed_over(enum stop reason) {
    return reason == STOP_FOR_FORK && agent.separate && (sessions_exist() || viewers_exists());
}

static void stop(enum stop reason) {
    if (!agent.running)
        return;
    sessions_close_left();
    __atomic_store_n(&agent.stop, reason, __ATOMIC_RELEASE);
    int fd = wake(are_handed_over(reason) ? HAND_OVER_MS : 0);
    pthread_join(agent.thread, NULL);
    if (are_handed_over(reason)) /* one may have come since */
        sessions_take_over(fd);
    if (fd >= 0)
        close(fd);
    wait_until_uncounted();
    agent.running = false;
}

void agent_shut_down(void) {
    agent.ended = true;
    hooks_at_next_frame(NULL);
    sessions_leave();
    stop(STOP_FOR_GOOD);
    end_all(); /* those of an agent that has not come back from a fork */
}

/* ---- Fork ---- */

void agent_before_fork(void) {
    if (!COMPAT_FORK_COUNTS_THREADS)
        return;
    agent.forks++;
    agent.forked = true;
    stop(STOP_FOR_FORK);
}

void agent_after_fork_in_parent(void) {
    if (!COMPAT_FORK_COUNTS_THREADS)
        return;
    agent.forks--;
    if (!agent.ended)
        ask_for_work();
}

void agent_after_fork_in_child(void) {
    agent.forks = 0;
    agent.call_pending = false;
    if (!agent.ended && !agent.running)
        ask_for_work();
}

static void before_any_fork(void) {
    pthread_mutex_lock(&asking);
}

static void parent_of_any_fork(void) {
    pthread_mutex_unlock(&asking);
}

/* Also the child of a fork() made in C, which no handler of Python's sees. The agent's thread is not there.
 * Async-signal-safe. */
static void child_of_any_fork(void) {
    pthread_mutex_unlock(&asking);
    sessions_after_fork_in_child();
    viewers_after_fork_in_child();
    if (!agent.running || agent.pid == getpid())
        return;
    agent.running = false;
    agent.forked = true;
    agent.present = now_ms();
    agent.present_until = 0;
    for (int i = 0; i < CLIENTS_MAX; i++)
        client_close(&agent.clients[i]);
    descriptor_close(&agent.listener); /* the socket's name is the parent's */
    agent.path[0] = '\0';
    if (!agent.ended)
        hooks_at_next_frame(work);
}

void agent_initialise(void) {
    control_init();
    native_initialise();
    agent.module_name = hooks_module_name();
    for (int i = 0; i < CLIENTS_MAX; i++)
        agent.clients[i].socket = DESCRIPTOR_NONE;
    sessions_initialise();
    viewers_initialise();
    pthread_atfork(before_any_fork, parent_of_any_fork, child_of_any_fork);
}
