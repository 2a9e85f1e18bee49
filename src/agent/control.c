/*
 * The control socket: its folder, its name, who may use it, and the lines that go over it. See control.h.
 * First what both sides share, then the side of the agent; asking is in command/query.c.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* accept4, struct ucred, O_PATH */
#endif
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#    include <sys/syscall.h>
#elif defined(__APPLE__) || defined(__FreeBSD__)
#    include <sys/sysctl.h>
#    include <sys/user.h>
#endif

#ifndef MSG_NOSIGNAL
#    define MSG_NOSIGNAL 0 /* macOS: SO_NOSIGPIPE on the socket instead */
#endif

static const char GREETING[] = "catprobe/";

enum { ERROR_VERSION = 1 }; /* in which a refusal is said: every command understands it */

/* What control_init found; read-only afterwards. */
static char environment_folder[CONTROL_PATH_MAX];
static char runtime_folder[CONTROL_PATH_MAX];
static uid_t overflow_uid = 65534;

/* Both sides. */

/* snprintf, but a message cut short is no matter to warn about. */
static void say(char *error, size_t n, const char *format, ...) CONTROL_PRINTF(3, 4);
static void say(char *error, size_t n, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, n, format, arguments);
    va_end(arguments);
}

/* Reads a small file whole. Returns its length, or -1. */
static ssize_t read_file(const char *path, char *text, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    ssize_t length;
    do {
        length = read(fd, text, size - 1);
    } while (length < 0 && errno == EINTR);
    close(fd);
    if (length >= 0) {
        text[length] = '\0';
    }
    return length;
}

static void copy_variable(char value[CONTROL_PATH_MAX], const char *name) {
    const char *text = getenv(name);
    size_t length = text == NULL ? 0 : strlen(text);
    /* The agent has no say in the program's directory, so a relative folder would be another one for each
     * side. */
    if (length == 0 || length >= CONTROL_PATH_MAX || text[0] != '/') {
        value[0] = '\0';
        return;
    }
    memcpy(value, text, length + 1);
    while (length > 1 && value[length - 1] == '/') {
        value[--length] = '\0';
    }
}

void control_init(void) {
    copy_variable(environment_folder, "CATPROBE_DIR");
    copy_variable(runtime_folder, "XDG_RUNTIME_DIR");
    char text[32];
    if (read_file("/proc/sys/kernel/overflowuid", text, sizeof text) > 0) {
        overflow_uid = (uid_t)strtoul(text, NULL, 10);
    }
}

bool control_folder(int which, uid_t uid, char path[CONTROL_PATH_MAX]) {
    static const struct {
        const char *variable; /* the folder above it, or NULL */
        const char *format;   /* of what is behind, with the uid */
    } folders[CONTROL_FOLDERS] = {
        {environment_folder, ""},    {runtime_folder, "/catprobe"},   {NULL, "/run/user/%lu/catprobe"},
        {NULL, "/tmp/catprobe-%lu"}, {NULL, "/dev/shm/catprobe-%lu"},
    };
    if (which < 0 || which >= CONTROL_FOLDERS) {
        return false;
    }
    int length;
    if (folders[which].variable == NULL) {
        length = snprintf(path, CONTROL_PATH_MAX, folders[which].format, (unsigned long)uid);
    } else if (folders[which].variable[0] == '\0') {
        return false;
    } else {
        length = snprintf(path, CONTROL_PATH_MAX, "%s%s", folders[which].variable, folders[which].format);
    }
    /* Room for "/" and a name behind it. */
    return length > 0 && length < CONTROL_PATH_MAX - CONTROL_NAME_MAX - 1;
}

int control_folder_open(const char *path, uid_t owner, char *error, size_t n) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        int reason = errno;
        struct stat there;
        bool known = lstat(path, &there) == 0;
        if (known && S_ISLNK(there.st_mode)) {
            say(error, n, "%s is a symbolic link, not a folder", path);
        } else if (known && there.st_uid != owner) {
            say(error, n, "%s belongs to uid %lu, not to uid %lu", path, (unsigned long)there.st_uid,
                (unsigned long)owner);
        } else {
            say(error, n, "%s: %s", path, strerror(reason));
        }
        errno = reason;
        return -1;
    }
    struct stat found;
    if (fstat(fd, &found) < 0) {
        say(error, n, "%s: %s", path, strerror(errno));
    } else if (found.st_uid != owner) {
        say(error, n, "%s belongs to uid %lu, not to uid %lu", path, (unsigned long)found.st_uid,
            (unsigned long)owner);
    } else if ((found.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        say(error, n, "%s can be written by others: chmod 700 it", path);
    } else {
        return fd;
    }
    close(fd);
    errno = EACCES;
    return -1;
}

bool control_start_time(pid_t pid, unsigned long long *start) {
#if defined(__linux__)
    char path[64];
    char text[1024]; /* field 22 comes within 22 numbers of the command's 16 bytes */
    if (pid == 0) {
        snprintf(path, sizeof path, "/proc/self/stat");
    } else {
        snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    }
    if (read_file(path, text, sizeof text) <= 0) {
        return false;
    }
    /* The command, field 2, is in parentheses and may hold spaces and parentheses itself. */
    char *field = strrchr(text, ')');
    for (int number = 2; field != NULL && number < 22; number++) {
        field = strchr(field + 1, ' ');
    }
    if (field == NULL) {
        return false;
    }
    *start = strtoull(field + 1, NULL, 10);
    return true;
#elif defined(__APPLE__) || defined(__FreeBSD__)
    int name[4] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, (int)(pid == 0 ? getpid() : pid)};
    struct kinfo_proc process;
    size_t size = sizeof process;
    if (sysctl(name, 4, &process, &size, NULL, 0) < 0 || size < sizeof process) {
        return false;
    }
#    if defined(__APPLE__)
    struct timeval time = process.kp_proc.p_starttime;
#    else
    struct timeval time = process.ki_start;
#    endif
    *start = (unsigned long long)time.tv_sec * 1000000 + (unsigned long long)time.tv_usec;
    return true;
#else
    (void)pid;
    (void)start;
    return false;
#endif
}

void control_name(char name[CONTROL_NAME_MAX], pid_t pid, unsigned long long start) {
    snprintf(name, CONTROL_NAME_MAX, "%ld-%llu.sock", (long)pid, start);
}

bool control_name_parse(const char *name, pid_t *pid, unsigned long long *start) {
    if (strlen(name) >= CONTROL_NAME_MAX || name[0] < '1' || name[0] > '9') {
        return false;
    }
    char *end;
    errno = 0;
    long number = strtol(name, &end, 10);
    if (errno != 0 || number > INT32_MAX || *end != '-') {
        return false;
    }
    unsigned long long time = strtoull(end + 1, NULL, 10);
    if (errno != 0) {
        return false;
    }
    /* Whatever else strtoull takes is not what control_name writes. */
    char again[CONTROL_NAME_MAX];
    control_name(again, (pid_t)number, time);
    if (strcmp(name, again) != 0) {
        return false;
    }
    *pid = (pid_t)number;
    *start = time;
    return true;
}

bool control_name_alive(const char *name) {
    pid_t pid;
    unsigned long long wanted;
    if (!control_name_parse(name, &pid, &wanted) || (kill(pid, 0) < 0 && errno == ESRCH)) {
        return false;
    }
    unsigned long long start;
    if (!control_start_time(pid, &start)) {
        return wanted == 0; /* neither side can know it here */
    }
    return start == wanted;
}

bool control_peer(int fd, uid_t *uid, pid_t *pid) {
#if defined(__linux__)
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || size != sizeof peer) {
        return false;
    }
    *uid = peer.uid;
    *pid = peer.pid;
    return true;
#else
    gid_t gid;
    *pid = 0;
    return getpeereid(fd, uid, &gid) == 0;
#endif
}

/*
 * The address of a socket in a folder. A path that does not fit into sun_path goes by the folder's descriptor
 * where the system has a way for that (/proc/self/fd; /proc/thread-self, for the main thread may have ended).
 */
static bool socket_address(struct sockaddr_un *address, const char *path, int folder, const char *name) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    int length = snprintf(address->sun_path, sizeof address->sun_path, "%s/%s", path, name);
    if (length > 0 && (size_t)length < sizeof address->sun_path) {
        return true;
    }
#if defined(__linux__)
    length =
        snprintf(address->sun_path, sizeof address->sun_path, "/proc/thread-self/fd/%d/%s", folder, name);
    return length > 0 && (size_t)length < sizeof address->sun_path;
#else
    (void)folder;
    return false;
#endif
}

/*
 * Daemons close the low descriptors one after the other, and programs expect the next one to be the lowest
 * free: ours are near the upper end of the usual limit. The floor is below 1024 for programs that use
 * select(2).
 */
int control_raise_descriptor(int fd) {
    struct rlimit limit;
    int floor = 960;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 1024) {
        floor = (int)(limit.rlim_cur * 15 / 16);
    }
    int high = fcntl(fd, F_DUPFD_CLOEXEC, floor);
    if (high < 0) {
        return fd;
    }
    close(fd);
    return high;
}

/* Close-on-exec, not blocking, no SIGPIPE: for the systems that have no flags for them. */
static void prepare_socket(int fd) {
#if !defined(__linux__)
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
#    if defined(SO_NOSIGPIPE)
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#    endif
#else
    (void)fd;
#endif
}

static int make_socket(void) {
#if defined(__linux__)
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
#else
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd >= 0) {
        prepare_socket(fd);
    }
    return fd;
#endif
}

#if defined(__linux__)
/* Whether nobody listens on this socket: the kernel refuses at once, whatever pid namespace its process is
 * in. */
static bool nobody_listens(const char *path, int folder, const char *name) {
    struct sockaddr_un address;
    int fd = make_socket();
    if (fd < 0) {
        return false;
    }
    bool refused = socket_address(&address, path, folder, name) &&
                   connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

/* The kernel's own; the C library's readdir() would allocate. */
struct directory_entry {
    uint64_t inode;
    int64_t offset;
    uint16_t size; /* of this entry, padding included */
    uint8_t type;
    char name[];
};
#endif

int control_sweep(int folder, const char *path) {
    int removed = 0;
#if defined(__linux__)
    enum { ENTRIES_MAX = 4096 };
    union {
        struct directory_entry align;
        char bytes[2048];
    } buffer;
    long length;
    int seen = 0;
    /* A descriptor of its own: the offset in `folder` is the caller's. */
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    while (seen < ENTRIES_MAX &&
           (length = syscall(SYS_getdents64, fd, buffer.bytes, sizeof buffer.bytes)) > 0) {
        for (long at = 0; at < length; seen++) {
            struct directory_entry *entry = (struct directory_entry *)(void *)(buffer.bytes + at);
            at += entry->size;
            pid_t pid;
            unsigned long long start;
            if (control_name_parse(entry->name, &pid, &start) && !control_name_alive(entry->name) &&
                nobody_listens(path, folder, entry->name) && unlinkat(folder, entry->name, 0) == 0) {
                removed++;
            }
        }
    }
    close(fd);
#else
    (void)folder;
    (void)path;
#endif
    return removed;
}

bool control_same_user(uid_t one, uid_t other) {
    return one == other && one != overflow_uid;
}

static long long milliseconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int control_connect(const char *path, int timeout_ms) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL || (size_t)(slash - path) >= CONTROL_PATH_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    char folder_path[CONTROL_PATH_MAX];
    memcpy(folder_path, path, (size_t)(slash - path));
    folder_path[slash - path] = '\0';
    int folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        return -1;
    }
    int reason = ENAMETOOLONG;
    int fd = -1;
    struct sockaddr_un address;
    if (socket_address(&address, folder_path, folder, slash + 1)) {
        fd = make_socket();
        reason = fd < 0 ? errno : 0;
    }
    long long end = milliseconds_now() + timeout_ms;
    while (fd >= 0) {
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
            break;
        }
        reason = errno;
        if (reason == EINTR) {
            continue;
        }
        if (reason == EAGAIN && milliseconds_now() < end) {
            poll(NULL, 0, 10); /* its queue is full, and there is no way to be woken when it is not */
            continue;
        }
        close(fd);
        fd = -1;
        reason = reason == EAGAIN ? ETIMEDOUT : reason;
    }
    close(folder);
    errno = reason;
    return fd;
}

bool control_greeting_parse(const char *line, int *version, const char **rest) {
    size_t greeting = sizeof GREETING - 1;
    if (strncmp(line, GREETING, greeting) != 0) {
        return false;
    }
    const char *digits = line + greeting;
    size_t count = strspn(digits, "0123456789");
    if (count == 0 || count > 6 || digits[0] == '0' || digits[count] != ' ') {
        return false;
    }
    *version = (int)strtol(digits, NULL, 10);
    *rest = digits + count + 1;
    return true;
}

void control_clean(char *text, size_t length) {
    for (size_t at = 0; at < length; at++) {
        if ((unsigned char)text[at] < ' ' || text[at] == 0x7f) {
            text[at] = '?';
        }
    }
}

/* The agent. */

/* Whether the folder above belongs to us, for /run/user/UID: a root that kept a user's $XDG_RUNTIME_DIR must
 * not put a folder there that this user then could not use. */
static bool parent_is_ours(const char *path, uid_t uid) {
    char parent[CONTROL_PATH_MAX];
    size_t length = (size_t)(strrchr(path, '/') - path);
    memcpy(parent, path, length);
    parent[length] = '\0';
    struct stat found;
    return stat(parent, &found) == 0 && found.st_uid == uid;
}

static int make_folder(int which, const char *path, uid_t uid, char *error, size_t n) {
    static const bool in_home[CONTROL_FOLDERS] = {[1] = true, [2] = true};
    if (in_home[which] && !parent_is_ours(path, uid)) {
        say(error, n, "%s: the folder above it is not there or not of uid %lu", path, (unsigned long)uid);
        return -1;
    }
    bool made = mkdir(path, S_IRWXU) == 0;
    if (made) {
        chmod(path, S_IRWXU); /* a umask may have taken our own rights */
    } else if (errno != EEXIST) {
        say(error, n, "%s: %s", path, strerror(errno));
        return -1;
    }
    int folder = control_folder_open(path, uid, error, n);
    if (folder < 0 && made) {
        rmdir(path); /* the process became another user meanwhile: in that one's way it would be for ever */
    }
    return folder;
}

/*
 * Binds under another name and renames when everything is ready: nobody ever finds a socket that does not
 * listen yet, and one of the same name, left by what this process was before an exec, is replaced.
 */
static int listen_in_folder(const char *path, int folder, const char *name, char *error, size_t n) {
    char unready[CONTROL_NAME_MAX + 1];
    snprintf(unready, sizeof unready, ".%s", name);
    struct sockaddr_un address;
    if (!socket_address(&address, path, folder, unready)) {
        say(error, n, "%s: too long for the path of a socket", path);
        return -1;
    }
    int fd = make_socket();
    if (fd < 0) {
        say(error, n, "no Unix socket: %s", strerror(errno));
        return -1;
    }
    fd = control_raise_descriptor(fd);
    unlinkat(folder, unready, 0);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        say(error, n, "%s: no socket can be made there: %s", path, strerror(errno));
        close(fd);
        return -1;
    }
    if (fchmodat(folder, unready, S_IRUSR | S_IWUSR, 0) < 0 || listen(fd, 64) < 0 ||
        renameat(folder, unready, folder, name) < 0) {
        say(error, n, "%s: no socket can be made there: %s", path, strerror(errno));
        unlinkat(folder, unready, 0);
        close(fd);
        return -1;
    }
    return fd;
}

int control_listen(char path[CONTROL_PATH_MAX], char *error, size_t n) {
    uid_t uid = geteuid();
    pid_t pid = getpid();
    unsigned long long start = 0;
    control_start_time(0, &start);
    char name[CONTROL_NAME_MAX];
    control_name(name, pid, start);

    char reason[CONTROL_ERROR_MAX] = "none is there";
    for (int which = 0; which < CONTROL_FOLDERS; which++) {
        char folder_path[CONTROL_PATH_MAX];
        if (!control_folder(which, uid, folder_path)) {
            continue;
        }
        int folder = make_folder(which, folder_path, uid, reason, sizeof reason);
        if (folder < 0) {
            continue;
        }
        int fd = listen_in_folder(folder_path, folder, name, reason, sizeof reason);
        if (fd >= 0) {
            control_sweep(folder, folder_path);
            close(folder);
            snprintf(path, CONTROL_PATH_MAX, "%.*s/%s", CONTROL_PATH_MAX - CONTROL_NAME_MAX - 1, folder_path,
                     name);
            return fd;
        }
        close(folder);
    }
    path[0] = '\0';
    say(error, n,
        "no folder for the control socket works: set CATPROBE_DIR to a writable one of mode 0700 (%s)",
        reason);
    return -1;
}

void control_unlisten(int fd, const char *path) {
    if (path[0] != '\0') {
        unlink(path);
    }
    if (fd >= 0) {
        close(fd);
    }
}

static bool peer_allowed(int fd, char *error, size_t n) {
    uid_t peer;
    pid_t pid;
    uid_t mine = geteuid();
    if (!control_peer(fd, &peer, &pid)) {
        say(error, n, "it cannot tell who is asking: %s", strerror(errno));
    } else if (peer == 0 || control_same_user(peer, mine)) {
        return true;
    } else if (peer == overflow_uid) {
        say(error, n,
            "it sees you as uid %lu, as every user that its user namespace does not know: run catprobe as "
            "root there",
            (unsigned long)peer);
    } else {
        say(error, n, "it belongs to uid %lu and you are uid %lu: run catprobe as that user or as root",
            (unsigned long)mine, (unsigned long)peer);
    }
    return false;
}

int control_accept(int listener, char *error, size_t n) {
    error[0] = '\0';
#if defined(__linux__)
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
#else
    int fd = accept(listener, NULL, NULL);
#endif
    if (fd < 0) {
        if (errno == EINTR || errno == ECONNABORTED) {
            errno = EAGAIN;
        }
        return -1;
    }
    prepare_socket(fd);
    fd = control_raise_descriptor(fd);
    if (peer_allowed(fd, error, n)) {
        return fd;
    }
    char text[CONTROL_ERROR_MAX + 32]; /* not a control_reply: the agent's stack is small */
    int length = snprintf(text, sizeof text, "%s%d error %s\n", GREETING, ERROR_VERSION, error);
    if (length > 0 && (size_t)length < sizeof text) {
        (void)!send(fd, text, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    close(fd);
    errno = EACCES;
    return -1;
}

enum control_progress control_request_parse(struct control_request *request, char *error, size_t n) {
    char *text = request->text;
    size_t greeting = sizeof GREETING - 1;
    size_t length = request->length;
    if (memcmp(text, GREETING, length < greeting ? length : greeting) != 0) {
        say(error, n, "this is no request of catprobe");
        return CONTROL_MALFORMED;
    }
    char *end = memchr(text, '\n', length);
    size_t line = end == NULL ? length : (size_t)(end - text);
    for (size_t at = 0; at < line; at++) {
        if ((unsigned char)text[at] < ' ' || text[at] == 0x7f) {
            say(error, n, "a control character in a request");
            return CONTROL_MALFORMED;
        }
    }
    if (end == NULL && length < sizeof request->text) {
        return CONTROL_INCOMPLETE;
    }
    if (end == NULL) {
        say(error, n, "a request longer than %d bytes", CONTROL_REQUEST_MAX);
        return CONTROL_MALFORMED;
    }
    *end = '\0';
    const char *rest;
    if (!control_greeting_parse(text, &request->version, &rest)) {
        say(error, n, "a request without version and verb");
        return CONTROL_MALFORMED;
    }
    if (request->version > CONTROL_VERSION) {
        say(error, n,
            "it speaks version %d of catprobe's protocol, not %d: update catprobe there, and restart it",
            CONTROL_VERSION, request->version);
        return CONTROL_MALFORMED;
    }
    char *verb = text + (rest - text);
    size_t verb_length = strspn(verb, "abcdefghijklmnopqrstuvwxyz-");
    if (verb_length == 0 || (verb[verb_length] != '\0' && verb[verb_length] != ' ')) {
        say(error, n, "a request without a verb");
        return CONTROL_MALFORMED;
    }
    request->verb = verb;
    request->arguments = verb[verb_length] == '\0' ? verb + verb_length : verb + verb_length + 1;
    verb[verb_length] = '\0';
    return CONTROL_COMPLETE;
}

void control_request_close(struct control_request *request) {
    for (int i = 0; i < request->descriptors; i++) {
        close(request->descriptor[i]);
    }
    request->descriptors = 0;
}

/* Keeps the descriptors of a message; false if there were more than fit. */
static bool take_descriptors(struct control_request *request, struct msghdr *message) {
    bool all = (message->msg_flags & MSG_CTRUNC) == 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            if (request->descriptors < CONTROL_DESCRIPTORS_MAX) {
                request->descriptor[request->descriptors++] = fd;
            } else {
                close(fd);
                all = false;
            }
        }
    }
    return all;
}

/* As recv(), with descriptors. Returns -1 with EMSGSIZE when there were more than a request has. */
static ssize_t receive_some(int fd, struct control_request *request) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE((CONTROL_DESCRIPTORS_MAX + 1) * sizeof(int))];
    } control;
    struct iovec vector = {
        .iov_base = request->text + request->length,
        .iov_len = sizeof request->text - request->length,
    };
    struct msghdr message = {
        .msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
#if defined(MSG_CMSG_CLOEXEC)
    ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
#else
    ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT);
#endif
    if (got > 0 && !take_descriptors(request, &message)) {
        errno = EMSGSIZE;
        return -1;
    }
    return got;
}

enum control_progress control_receive(int fd, struct control_request *request, char *error, size_t n) {
    while (request->length < sizeof request->text) {
        ssize_t got = receive_some(fd, request);
        if (got < 0 && errno == EMSGSIZE) {
            say(error, n, "a request with more than %d file descriptors", CONTROL_DESCRIPTORS_MAX);
            return CONTROL_MALFORMED;
        }
        if (got > 0) {
            request->length += (size_t)got;
            continue;
        }
        if (got < 0 && errno == EINTR) {
            continue;
        }
        bool waiting = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
        if (!waiting && memchr(request->text, '\n', request->length) == NULL) {
            return CONTROL_CLOSED;
        }
        break;
    }
    return control_request_parse(request, error, n);
}

enum { REPLY_RESERVE = 32 }; /* bytes kept for the line `truncated` and the empty one */

/* Formats at the end of the reply, below `limit`; what does not fit leaves nothing. Returns the length, or
 * -1. */
static int append(struct control_reply *reply, size_t limit, const char *format, va_list arguments) {
    size_t room = limit - reply->length;
    int length = vsnprintf(reply->text + reply->length, room, format, arguments);
    return length < 0 || (size_t)length >= room ? -1 : length;
}

static int append_text(struct control_reply *reply, size_t limit, const char *format, ...)
    CONTROL_PRINTF(3, 4);
static int append_text(struct control_reply *reply, size_t limit, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = append(reply, limit, format, arguments);
    va_end(arguments);
    return length;
}

void control_reply_begin(struct control_reply *reply, int version) {
    reply->length = 0;
    reply->truncated = 0;
    reply->length = (size_t)append_text(reply, sizeof reply->text, "%s%d ok\n", GREETING, version);
}

void control_reply_add(struct control_reply *reply, const char *key, const char *format, ...) {
    size_t limit = sizeof reply->text - REPLY_RESERVE;
    size_t before = reply->length;
    int length = append_text(reply, limit, "%s ", key);
    if (length >= 0) {
        reply->length += (size_t)length;
        va_list arguments;
        va_start(arguments, format);
        length = append(reply, limit, format, arguments);
        va_end(arguments);
    }
    if (length < 0) {
        reply->length = before;
        reply->truncated++;
        return;
    }
    control_clean(reply->text + reply->length, (size_t)length);
    reply->length += (size_t)length;
    reply->text[reply->length++] = '\n'; /* in the place of the '\0', so it fits */
}

void control_reply_end(struct control_reply *reply) {
    if (reply->truncated > 0) {
        int length = append_text(reply, sizeof reply->text, "truncated %u\n", reply->truncated);
        reply->length += (size_t)(length > 0 ? length : 0);
    }
    reply->text[reply->length++] = '\n';
}

void control_reply_error(struct control_reply *reply, const char *format, ...) {
    reply->truncated = 0;
    reply->length = 0;
    reply->length = (size_t)append_text(reply, sizeof reply->text, "%s%d error ", GREETING, ERROR_VERSION);
    va_list arguments;
    va_start(arguments, format);
    int length = append(reply, sizeof reply->text - REPLY_RESERVE, format, arguments);
    va_end(arguments);
    if (length > 0) {
        control_clean(reply->text + reply->length, (size_t)length);
        reply->length += (size_t)length;
    }
    reply->text[reply->length++] = '\n';
}

bool control_send(int fd, const struct control_reply *reply) {
    size_t sent = 0;
    while (sent < reply->length) {
        ssize_t count = send(fd, reply->text + sent, reply->length - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count > 0) {
            sent += (size_t)count;
        } else if (count == 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}
