/*
 * constants.c: the names of numbers that DTrace's own libraries bring: signals, errors, and what the tables
 * of the manual call by name. Those of the system have the system's values.
 */
#include "constants.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#define REGISTER(name, number)                                                                               \
    { "R_" #name, "int", number }
#define SAME(name)                                                                                           \
    { #name, "int", name }

/* clang-format off */
static const struct constant {
    const char *name;
    const char *type;
    int64_t value;
} constants[] = {
    {"NULL", "void *", 0},

    REGISTER(R15, 0), REGISTER(R14, 1), REGISTER(R13, 2), REGISTER(R12, 3), REGISTER(RBP, 4), REGISTER(FP, 4),
    REGISTER(EBP, 4), REGISTER(RBX, 5), REGISTER(EBX, 5), REGISTER(R1, 5), REGISTER(R11, 6), REGISTER(R10, 7),
    REGISTER(R9, 8), REGISTER(R8, 9), REGISTER(RAX, 10), REGISTER(EAX, 10), REGISTER(R0, 10), REGISTER(RCX, 11),
    REGISTER(ECX, 11), REGISTER(RDX, 12), REGISTER(EDX, 12), REGISTER(RSI, 13), REGISTER(ESI, 13),
    REGISTER(RDI, 14), REGISTER(EDI, 14), REGISTER(ERR, 15), REGISTER(RIP, 16), REGISTER(EIP, 16),
    REGISTER(PC, 16), REGISTER(CS, 17), REGISTER(RFL, 18), REGISTER(EFL, 18), REGISTER(PS, 18),
    REGISTER(RSP, 19), REGISTER(ESP, 19), REGISTER(SP, 19), REGISTER(SS, 20), REGISTER(DS, 21), REGISTER(ES, 22),
    REGISTER(FS, 23), REGISTER(GS, 24), REGISTER(TRAPNO, REGISTERS - 1),

    SAME(SIGABRT), SAME(SIGALRM), SAME(SIGBUS), SAME(SIGCHLD), SAME(SIGCONT), SAME(SIGFPE),
    SAME(SIGHUP), SAME(SIGILL), SAME(SIGINT), SAME(SIGIO), SAME(SIGIOT), SAME(SIGKILL), SAME(SIGPIPE),
    SAME(SIGPROF), SAME(SIGQUIT), SAME(SIGSEGV), SAME(SIGSTOP), SAME(SIGSYS), SAME(SIGTERM),
    SAME(SIGTRAP), SAME(SIGTSTP), SAME(SIGTTIN), SAME(SIGTTOU), SAME(SIGURG), SAME(SIGUSR1),
    SAME(SIGUSR2), SAME(SIGVTALRM), SAME(SIGWINCH), SAME(SIGXCPU), SAME(SIGXFSZ),

    SAME(E2BIG), SAME(EACCES), SAME(EADDRINUSE), SAME(EADDRNOTAVAIL), SAME(EAFNOSUPPORT),
    SAME(EAGAIN), SAME(EALREADY), SAME(EBADF), SAME(EBADMSG), SAME(EBUSY), SAME(ECANCELED), SAME(ECHILD),
    SAME(ECONNABORTED), SAME(ECONNREFUSED), SAME(ECONNRESET), SAME(EDEADLK), SAME(EDESTADDRREQ),
    SAME(EDOM), SAME(EDQUOT), SAME(EEXIST), SAME(EFAULT), SAME(EFBIG), SAME(EHOSTDOWN),
    SAME(EHOSTUNREACH), SAME(EIDRM), SAME(EILSEQ), SAME(EINPROGRESS), SAME(EINTR), SAME(EINVAL),
    SAME(EIO), SAME(EISCONN), SAME(EISDIR), SAME(ELOOP), SAME(EMFILE), SAME(EMLINK), SAME(EMSGSIZE),
    SAME(EMULTIHOP), SAME(ENAMETOOLONG), SAME(ENETDOWN), SAME(ENETRESET), SAME(ENETUNREACH), SAME(ENFILE),
    SAME(ENOBUFS), SAME(ENODEV), SAME(ENOENT), SAME(ENOEXEC), SAME(ENOLCK), SAME(ENOLINK), SAME(ENOMEM),
    SAME(ENOMSG), SAME(ENOPROTOOPT), SAME(ENOSPC), SAME(ENOSYS), SAME(ENOTBLK), SAME(ENOTCONN),
    SAME(ENOTDIR), SAME(ENOTEMPTY), SAME(ENOTSOCK), SAME(ENOTSUP), SAME(ENOTTY), SAME(ENXIO),
    SAME(EOPNOTSUPP), SAME(EOVERFLOW), SAME(EPERM), SAME(EPFNOSUPPORT), SAME(EPIPE), SAME(EPROTO),
    SAME(EPROTONOSUPPORT), SAME(EPROTOTYPE), SAME(ERANGE), SAME(EREMOTE), SAME(EROFS), SAME(ESHUTDOWN),
    SAME(ESOCKTNOSUPPORT), SAME(ESPIPE), SAME(ESRCH), SAME(ESTALE), SAME(ETIMEDOUT), SAME(ETOOMANYREFS),
    SAME(ETXTBSY), SAME(EUSERS), SAME(EWOULDBLOCK), SAME(EXDEV),

#ifdef __linux__
    SAME(SIGCLD), SAME(SIGPOLL), SAME(SIGPWR), SAME(SIGSTKFLT), SAME(ENODATA), SAME(ENOSR),
    SAME(ENOSTR), SAME(ETIME), SAME(ECHRNG), SAME(EL2NSYNC), SAME(EL3HLT), SAME(EL3RST), SAME(ELNRNG),
    SAME(EUNATCH), SAME(ENOCSI), SAME(EL2HLT), SAME(EBADE), SAME(EBADR), SAME(EXFULL), SAME(ENOANO),
    SAME(EBADRQC), SAME(EBADSLT), SAME(EDEADLOCK), SAME(EBFONT), SAME(ENONET), SAME(ENOPKG), SAME(EADV),
    SAME(ESRMNT), SAME(ECOMM), SAME(EDOTDOT), SAME(ENOTUNIQ), SAME(EBADFD), SAME(EREMCHG), SAME(ELIBACC),
    SAME(ELIBBAD), SAME(ELIBSCN), SAME(ELIBMAX), SAME(ELIBEXEC), SAME(ERESTART), SAME(ESTRPIPE),
    SAME(EUCLEAN), SAME(ENOTNAM), SAME(ENAVAIL), SAME(EISNAM), SAME(EREMOTEIO), SAME(ENOMEDIUM),
    SAME(EMEDIUMTYPE),
#endif

    SAME(AF_INET), SAME(AF_INET6), SAME(IPPROTO_ICMP), SAME(IPPROTO_ICMPV6), SAME(IPPROTO_IP),
    SAME(IPPROTO_IPV6), SAME(IPPROTO_RAW), SAME(IPPROTO_TCP), SAME(IPPROTO_UDP), SAME(O_ACCMODE),
    SAME(O_APPEND), SAME(O_CLOEXEC), SAME(O_CREAT), SAME(O_DIRECTORY), SAME(O_EXCL), SAME(O_NOCTTY),
    SAME(O_NOFOLLOW), SAME(O_NONBLOCK), SAME(O_RDONLY), SAME(O_RDWR), SAME(O_SYNC), SAME(O_TRUNC),
    SAME(O_WRONLY), SAME(CLD_CONTINUED), SAME(CLD_DUMPED), SAME(CLD_EXITED), SAME(CLD_KILLED),
    SAME(CLD_STOPPED), SAME(CLD_TRAPPED),

#if defined(__x86_64__) || defined(__i386__) /* indices of uregs[] */
    {"R_R15", "int", 0}, {"R_R14", "int", 1}, {"R_R13", "int", 2}, {"R_R12", "int", 3}, {"R_EBP", "int", 4},
    {"R_FP", "int", 4}, {"R_RBP", "int", 4}, {"R_EBX", "int", 5}, {"R_R1", "int", 5}, {"R_RBX", "int", 5},
    {"R_R11", "int", 6}, {"R_R10", "int", 7}, {"R_R9", "int", 8}, {"R_R8", "int", 9}, {"R_EAX", "int", 10},
    {"R_R0", "int", 10}, {"R_RAX", "int", 10}, {"R_ECX", "int", 11}, {"R_RCX", "int", 11},
    {"R_EDX", "int", 12}, {"R_RDX", "int", 12}, {"R_ESI", "int", 13}, {"R_RSI", "int", 13},
    {"R_EDI", "int", 14}, {"R_RDI", "int", 14}, {"R_ERR", "int", 15}, {"R_EIP", "int", 16},
    {"R_PC", "int", 16}, {"R_RIP", "int", 16}, {"R_CS", "int", 17}, {"R_EFL", "int", 18},
    {"R_PS", "int", 18}, {"R_RFL", "int", 18}, {"R_ESP", "int", 19}, {"R_RSP", "int", 19},
    {"R_SP", "int", 19}, {"R_SS", "int", 20}, {"R_DS", "int", 21}, {"R_ES", "int", 22}, {"R_FS", "int", 23},
    {"R_GS", "int", 24}, {"R_TRAPNO", "int", 25},
#endif

    {"ARPHRD_ETHER", "int", 1},
    {"ARPHRD_INFINIBAND", "int", 32},
    {"PR_MODEL_ILP32", "char", 1},
    {"PR_MODEL_LP64", "char", 2},
    {"SSLEEP", "char", 1},
    {"SRUN", "char", 2},
    {"SZOMB", "char", 3},
    {"SSTOP", "char", 4},
    {"SIDL", "char", 5},
    {"SONPROC", "char", 6},
    {"SWAIT", "char", 7},
    {"DTRACEFLT_UNKNOWN", "int", 0},
    {"DTRACEFLT_BADADDR", "int", 1},
    {"DTRACEFLT_BADALIGN", "int", 2},
    {"DTRACEFLT_ILLOP", "int", 3},
    {"DTRACEFLT_DIVZERO", "int", 4},
    {"DTRACEFLT_NOSCRATCH", "int", 5},
    {"DTRACEFLT_KPRIV", "int", 6},
    {"DTRACEFLT_UPRIV", "int", 7},
    {"DTRACEFLT_TUPOFLOW", "int", 8},
    {"DTRACEFLT_BADSTACK", "int", 9},
};
/* clang-format on */

bool constant_named(const char *name, int64_t *value) {
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++)
        if (strcmp(constants[i].name, name) == 0) {
            *value = constants[i].value;
            return true;
        }
    return false;
}

void constants_define(struct identifiers *identifiers, struct types *types, struct memory *memory) {
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
        struct identifier *identifier =
            identifier_add(identifiers, SPACE_GLOBALS, IDENTIFIER_INLINE, constants[i].name);
        identifier->type = type_named(types, constants[i].type);
        identifier->line = i > 0; /* DTrace reads all but NULL from its libraries, and calls none built-in */
        identifier->expression = memory_allocate(memory, sizeof *identifier->expression);
        *identifier->expression = (struct node){
            .kind = NODE_INTEGER, .value = (uint64_t)constants[i].value, .type = type_named(types, "int")};
    }
}
