/*
 * tables.h: what a D program can name or do, each a line in a table: options, builtin variables, subroutines,
 * aggregating functions, actions, opcodes. dlang resolves names by them, the verifier checks by them, the
 * engine and the consumer index by them, the help and the documentation print them.
 *
 * K in a signature: I integer, S string, and in dlang's words a type for messages.
 */
#ifndef PROGRAM_TABLES_H
#define PROGRAM_TABLES_H

/* OPTION(name in C, name in D, kind, default). Kinds: FLAG (no value, or on, off, a number), SWITCH (of the
   compiler: no value), NUMBER, SIZE (k m g t
   suffixes), RATE (ns, us, ms, s, m, h, d, hz; a plain number is hz; stored as nanoseconds between two),
   POLICY, TEXT. */
#define PROGRAM_OPTIONS(OPTION)                                                                              \
    OPTION(AGGRATE, "aggrate", RATE, 1000000000)                                                             \
    OPTION(AGGSIZE, "aggsize", SIZE, 4 << 20) /* of each thread */                                           \
    OPTION(AGGSORTKEY, "aggsortkey", FLAG, 0)                                                                \
    OPTION(AGGSORTKEYPOS, "aggsortkeypos", NUMBER, 0)                                                        \
    OPTION(AGGSORTPOS, "aggsortpos", NUMBER, 0)                                                              \
    OPTION(AGGSORTREV, "aggsortrev", FLAG, 0)                                                                \
    OPTION(ARGREF, "argref", SWITCH, 0)       /* macro arguments need not be used */                         \
    OPTION(BUFPOLICY, "bufpolicy", POLICY, 0) /* 0 switch, 1 fill, 2 ring */                                 \
    OPTION(BUFRESIZE, "bufresize", TEXT, 0)   /* auto, manual */                                             \
    OPTION(BUFSIZE, "bufsize", SIZE, 4 << 20) /* of each thread */                                           \
    OPTION(CLEANRATE, "cleanrate", RATE, 9900990)                                                            \
    OPTION(CPP, "cpp", SWITCH, 0)                                                                            \
    OPTION(CPU, "cpu", NUMBER, -1)                                                                           \
    OPTION(DEFAULTARGS, "defaultargs", SWITCH, 0)                                                            \
    OPTION(DESTRUCTIVE, "destructive", FLAG, 0)                                                              \
    OPTION(DYNVARSIZE, "dynvarsize", SIZE, 1 << 20)                                                          \
    OPTION(ERRTAGS, "errtags", SWITCH, 0)                                                                    \
    OPTION(FLOWINDENT, "flowindent", FLAG, 0)                                                                \
    OPTION(JSTACKFRAMES, "jstackframes", NUMBER, 50)                                                         \
    OPTION(JSTACKSTRSIZE, "jstackstrsize", SIZE, 512)                                                        \
    OPTION(MAXCPU, "maxcpu", NUMBER, 0)       /* percent of the target's time; 0: no limit */                \
    OPTION(MAXMEM, "maxmem", SIZE, 256 << 20) /* of all threads of all processes together; unset, a          \
                                                 sixteenth of a container's memory at most */                \
    OPTION(MAXRATE, "maxrate", NUMBER, 0)     /* firings a second; 0: no limit */                            \
    OPTION(MAXTIME, "maxtime", RATE, 0)       /* of the trace; a plain number is seconds */                  \
    OPTION(NSPEC, "nspec", NUMBER, 1)                                                                        \
    OPTION(OFORMAT, "oformat", TEXT, 0) /* 0 text, 1 json */                                                 \
    OPTION(PROFILE, "profile", TEXT, 0) /* which threads profile-N fires for: 0 cpu, 1 wall: all */          \
    OPTION(QUIET, "quiet", FLAG, 0)                                                                          \
    OPTION(RAWBYTES, "rawbytes", FLAG, 0)                                                                    \
    OPTION(SCRATCHSIZE, "scratchsize", SIZE, 256) /* what alloca() and copyin() of a clause take */          \
    OPTION(SPECSIZE, "specsize", SIZE, 4 << 20)                                                              \
    OPTION(STACKFRAMES, "stackframes", NUMBER, 20)                                                           \
    OPTION(STACKINDENT, "stackindent", NUMBER, 14)                                                           \
    OPTION(STATUSRATE, "statusrate", RATE, 1000000000)                                                       \
    OPTION(STRSIZE, "strsize", SIZE, 256)                                                                    \
    OPTION(SWITCHRATE, "switchrate", RATE, 1000000000)                                                       \
    OPTION(USTACKFRAMES, "ustackframes", NUMBER, 100)                                                        \
    OPTION(ZDEFS, "zdefs", SWITCH, 0)

enum option {
#define OPTION(name, text, kind, fallback) OPTION_##name,
    PROGRAM_OPTIONS(OPTION)
#undef OPTION
        OPTION_COUNT
};

/* BUILTIN(name in C, name in D, kind K, D type): read by OP_BUILTIN with its number as the immediate. `args`
   and the kernel's structures are dlang's business (they compile to several of these). */
#define PROGRAM_BUILTINS(BUILTIN)                                                                            \
    BUILTIN(ARG0, "arg0", I, "int64_t")                                                                      \
    BUILTIN(ARG1, "arg1", I, "int64_t")                                                                      \
    BUILTIN(ARG2, "arg2", I, "int64_t")                                                                      \
    BUILTIN(ARG3, "arg3", I, "int64_t")                                                                      \
    BUILTIN(ARG4, "arg4", I, "int64_t")                                                                      \
    BUILTIN(ARG5, "arg5", I, "int64_t")                                                                      \
    BUILTIN(ARG6, "arg6", I, "int64_t")                                                                      \
    BUILTIN(ARG7, "arg7", I, "int64_t")                                                                      \
    BUILTIN(ARG8, "arg8", I, "int64_t")                                                                      \
    BUILTIN(ARG9, "arg9", I, "int64_t")                                                                      \
    BUILTIN(CALLER, "caller", I, "uintptr_t")                                                                \
    BUILTIN(CPU, "cpu", I, "processorid_t")                                                                  \
    BUILTIN(CWD, "cwd", S, "string")                                                                         \
    BUILTIN(EPID, "epid", I, "uint64_t")                                                                     \
    BUILTIN(ERRNO, "errno", I, "int")                                                                        \
    BUILTIN(EXECARGS, "execargs", S, "string")                                                               \
    BUILTIN(EXECNAME, "execname", S, "string")                                                               \
    BUILTIN(GID, "gid", I, "gid_t")                                                                          \
    BUILTIN(ID, "id", I, "uint_t")                                                                           \
    BUILTIN(IPL, "ipl", I, "uint_t")                                                                         \
    BUILTIN(PID, "pid", I, "pid_t")                                                                          \
    BUILTIN(PPID, "ppid", I, "pid_t")                                                                        \
    BUILTIN(PROBEFUNC, "probefunc", S, "string")                                                             \
    BUILTIN(PROBEMOD, "probemod", S, "string")                                                               \
    BUILTIN(PROBENAME, "probename", S, "string")                                                             \
    BUILTIN(PROBEPROV, "probeprov", S, "string")                                                             \
    BUILTIN(ROOT, "root", S, "string")                                                                       \
    BUILTIN(STACKDEPTH, "stackdepth", I, "uint32_t")                                                         \
    BUILTIN(TID, "tid", I, "id_t")                                                                           \
    BUILTIN(TIMESTAMP, "timestamp", I, "uint64_t")                                                           \
    BUILTIN(UCALLER, "ucaller", I, "uint64_t")                                                               \
    BUILTIN(UID, "uid", I, "uid_t")                                                                          \
    BUILTIN(USTACKDEPTH, "ustackdepth", I, "uint32_t")                                                       \
    BUILTIN(VTIMESTAMP, "vtimestamp", I, "uint64_t")                                                         \
    BUILTIN(WALLTIMESTAMP, "walltimestamp", I, "int64_t")

enum builtin {
#define BUILTIN(name, text, kind, type) BUILTIN_##name,
    PROGRAM_BUILTINS(BUILTIN)
#undef BUILTIN
        BUILTIN_COUNT
};

/* SUBROUTINE(name in C, name in D, result K or N for none, operands K..., fewest of them, result's D type,
   prototype): called by OP_CALL. `operands` is the most that can be passed; dlang passes all, with the
   default for what the program left out (noted behind). The prototype is of dlang's checks and messages:
   types separated by commas. */
#define PROGRAM_SUBROUTINES(SUBROUTINE)                                                                      \
    SUBROUTINE(ALLOCA, "alloca", I, "I", 1, "void *", "size_t")                                              \
    SUBROUTINE(BASENAME, "basename", S, "S", 1, "string", "char *")                                          \
    SUBROUTINE(BCOPY, "bcopy", N, "III", 3, "void", "void *,void *,size_t")                                  \
    SUBROUTINE(CLEANPATH, "cleanpath", S, "S", 1, "string", "char *")                                        \
    SUBROUTINE(COPYIN, "copyin", I, "II", 2, "void *", "uintptr_t,size_t")                                   \
    SUBROUTINE(COPYINSTR, "copyinstr", S, "II", 1, "string", "uintptr_t,size_t") /* default: strsize */      \
    SUBROUTINE(COPYINTO, "copyinto", N, "III", 3, "void", "uintptr_t,size_t,void *")                         \
    SUBROUTINE(COPYOUT, "copyout", N, "III", 3, "void", "void *,uintptr_t,size_t")                           \
    SUBROUTINE(COPYOUTSTR, "copyoutstr", N, "SII", 3, "void", "char *,uintptr_t,size_t")                     \
    SUBROUTINE(DIRNAME, "dirname", S, "S", 1, "string", "char *")                                            \
    SUBROUTINE(GETMAJOR, "getmajor", I, "I", 1, "uint64_t", "dev_t")                                         \
    SUBROUTINE(GETMINOR, "getminor", I, "I", 1, "uint64_t", "dev_t")                                         \
    SUBROUTINE(HTONL, "htonl", I, "I", 1, "uint32_t", "uint32_t")                                            \
    SUBROUTINE(HTONLL, "htonll", I, "I", 1, "uint64_t", "uint64_t")                                          \
    SUBROUTINE(HTONS, "htons", I, "I", 1, "uint16_t", "uint16_t")                                            \
    SUBROUTINE(INDEX, "index", I, "SSI", 2, "int", "char *,char *,int") /* default: 0 */                     \
    SUBROUTINE(INET_NTOA, "inet_ntoa", S, "I", 1, "string", "unsigned int *")                                \
    SUBROUTINE(INET_NTOA6, "inet_ntoa6", S, "I", 1, "string", "in6_addr_t *")                                \
    SUBROUTINE(INET_NTOP, "inet_ntop", S, "II", 2, "string", "int,void *")                                   \
    SUBROUTINE(JSON, "json", S, "SS", 2, "string", "char *,char *")                                          \
    SUBROUTINE(LINK_NTOP, "link_ntop", S, "II", 2, "string", "int,void *")                                   \
    SUBROUTINE(LLTOSTR, "lltostr", S, "II", 1, "string", "int64_t,int") /* default: 10 */                    \
    SUBROUTINE(NTOHL, "ntohl", I, "I", 1, "uint32_t", "uint32_t")                                            \
    SUBROUTINE(NTOHLL, "ntohll", I, "I", 1, "uint64_t", "uint64_t")                                          \
    SUBROUTINE(NTOHS, "ntohs", I, "I", 1, "uint16_t", "uint16_t")                                            \
    SUBROUTINE(PROGENYOF, "progenyof", I, "I", 1, "int", "pid_t")                                            \
    SUBROUTINE(RAND, "rand", I, "", 0, "int", "")                                                            \
    SUBROUTINE(RINDEX, "rindex", I, "SSI", 2, "int", "char *,char *,int") /* default: the last place */      \
    SUBROUTINE(SPECULATION, "speculation", I, "", 0, "int", "")                                              \
    SUBROUTINE(STRCHR, "strchr", S, "SI", 2, "string", "char *,char")                                        \
    SUBROUTINE(STRINGOF, "stringof", S, "I", 1, "string", "uintptr_t") /* stringof(), casts to string */     \
    SUBROUTINE(STRIP, "strip", S, "S", 1, "string", "char *")                                                \
    SUBROUTINE(STRJOIN, "strjoin", S, "SS", 2, "string", "char *,char *")                                    \
    SUBROUTINE(STRLEN, "strlen", I, "S", 1, "size_t", "char *")                                              \
    SUBROUTINE(STRRCHR, "strrchr", S, "SI", 2, "string", "char *,char")                                      \
    SUBROUTINE(STRSTR, "strstr", S, "SS", 2, "string", "char *,char *")                                      \
    SUBROUTINE(STRTOK, "strtok", S, "SS", 2, "string", "char *,char *")                                      \
    SUBROUTINE(STRTOLL, "strtoll", I, "SI", 1, "int64_t", "char *,int")   /* default: 10 */                  \
    SUBROUTINE(SUBSTR, "substr", S, "SII", 2, "string", "char *,int,int") /* default: strsize */             \
    SUBROUTINE(TOLOWER, "tolower", S, "S", 1, "string", "char *")                                            \
    SUBROUTINE(TOUPPER, "toupper", S, "S", 1, "string", "char *")                                            \
    SUBROUTINE(PYSTACK, "ustack", S, "II", 0, "stack", "uint32_t,uint32_t") /* frames, bytes; also jstack */

enum subroutine {
#define SUBROUTINE(name, text, result, operands, fewest, type, prototype) SUBROUTINE_##name,
    PROGRAM_SUBROUTINES(SUBROUTINE)
#undef SUBROUTINE
        SUBROUTINE_COUNT
};

/* AGGREGATING(name in C, name in D, fewest, most arguments): a value first, but for count; then the
   constants; then, of the quantizing ones, the increment (default 1). */
#define PROGRAM_AGGREGATING(AGGREGATING)                                                                     \
    AGGREGATING(COUNT, "count", 0, 0)                                                                        \
    AGGREGATING(SUM, "sum", 1, 1)                                                                            \
    AGGREGATING(MIN, "min", 1, 1)                                                                            \
    AGGREGATING(MAX, "max", 1, 1)                                                                            \
    AGGREGATING(AVG, "avg", 1, 1)                                                                            \
    AGGREGATING(STDDEV, "stddev", 1, 1)                                                                      \
    AGGREGATING(QUANTIZE, "quantize", 1, 2)                                                                  \
    AGGREGATING(LQUANTIZE, "lquantize", 3, 5)   /* value, base, limit, step (default 1), increment */        \
    AGGREGATING(LLQUANTIZE, "llquantize", 5, 6) /* value, factor, low, high, steps, increment */

enum aggregating_function {
#define AGGREGATING(name, text, fewest, most) AGGREGATING_##name,
    PROGRAM_AGGREGATING(AGGREGATING)
#undef AGGREGATING
        AGGREGATING_FUNCTIONS /* how many */
};

/* ACTION(name in C, name in D, destructive): what leaves a trace in the record and is done by the consumer
   when it reads it, and what the engine does itself to the process (raise, stop, chill). */
#define PROGRAM_ACTIONS(ACTION)                                                                              \
    ACTION(TRACE, "trace", 0)         /* one field */                                                        \
    ACTION(PRINTF, "printf", 0)       /* the fields of its arguments */                                      \
    ACTION(PRINTA, "printa", 0)       /* aggregations */                                                     \
    ACTION(STACK, "ustack", 0)        /* one FIELD_STACK: stack, ustack, jstack */                           \
    ACTION(SYMBOL, "usym", 0)         /* one FIELD_INTEGER, FIELD_IS_ADDRESS: sym, usym and kin */           \
    ACTION(TRACEMEM, "tracemem", 0)   /* one FIELD_BYTES */                                                  \
    ACTION(PRINT, "print", 0)         /* an address, then FIELD_BYTES or FIELD_INTEGER or FIELD_STRING */    \
    ACTION(EXIT, "exit", 0)           /* FIELD_INTEGER: the status */                                        \
    ACTION(CLEAR, "clear", 0)         /* one aggregation */                                                  \
    ACTION(TRUNC, "trunc", 0)         /* one aggregation; FIELD_INTEGER: how many are kept */                \
    ACTION(NORMALIZE, "normalize", 0) /* one aggregation; FIELD_INTEGER: the divisor */                      \
    ACTION(DENORMALIZE, "denormalize", 0)                                                                    \
    ACTION(SETOPT, "setopt", 0)   /* FIELD_STRING: name; FIELD_STRING: value */                              \
    ACTION(COMMIT, "commit", 0)   /* FIELD_INTEGER: the speculation; the engine does the work */             \
    ACTION(DISCARD, "discard", 0) /* FIELD_INTEGER */                                                        \
    ACTION(SYSTEM, "system", 1)   /* the fields of its format */                                             \
    ACTION(FREOPEN, "freopen", 1) /* the fields of its format */                                             \
    ACTION(FTRUNCATE, "ftruncate", 0)                                                                        \
    ACTION(RAISE, "raise", 1) /* FIELD_INTEGER: the signal */                                                \
    ACTION(STOP, "stop", 1)                                                                                  \
    ACTION(CHILL, "chill", 1) /* FIELD_INTEGER: nanoseconds */

enum action {
#define ACTION(name, text, destructive) ACTION_##name,
    PROGRAM_ACTIONS(ACTION)
#undef ACTION
        ACTION_COUNT
};

/* OPCODE(name, what dst, a, b are, what the immediate is). Operands, for the verifier:
       W  a register written        I  an integer register       S  a string register
       A  the first of b registers of the kinds that a signature gives
       -  not used (0)
   Immediates: - none (0), N a number, C index of an integer, T offset of a string, J a forward jump, V a
   variable, G an aggregation, B a builtin, F a subroutine, P an action of the clause. */
#define PROGRAM_OPCODES(OPCODE)                                                                              \
    OPCODE(END, "---", '-')        /* end of the code of a clause: its record is committed */                \
    OPCODE(SKIP, "---", '-')       /* end, as the predicate is false: nothing is recorded */                 \
    OPCODE(SET, "W--", 'N')        /* dst = immediate (integer) */                                           \
    OPCODE(SET_LONG, "W--", 'C')   /* dst = integers[immediate] */                                           \
    OPCODE(SET_STRING, "W--", 'T') /* dst = the string */                                                    \
    OPCODE(SET_NULL, "W--", '-')   /* dst = the null string, D's NULL: neither "" nor any other; its         \
                                      address is 0, and using it as text is a fault: bad address 0 */        \
    OPCODE(MOVE, "W??", '-')       /* dst = a, of any kind; b not used */                                    \
    OPCODE(ADD, "WII", '-')                                                                                  \
    OPCODE(ADD_NUMBER, "WI-", 'N') /* dst = a + immediate */                                                 \
    OPCODE(SUBTRACT, "WII", '-')                                                                             \
    OPCODE(MULTIPLY, "WII", '-')                                                                             \
    OPCODE(DIVIDE, "WII", '-') /* signed; fault: divide by zero */                                           \
    OPCODE(DIVIDE_UNSIGNED, "WII", '-')                                                                      \
    OPCODE(REMAINDER, "WII", '-')                                                                            \
    OPCODE(REMAINDER_UNSIGNED, "WII", '-')                                                                   \
    OPCODE(AND, "WII", '-')                                                                                  \
    OPCODE(OR, "WII", '-')                                                                                   \
    OPCODE(XOR, "WII", '-')                                                                                  \
    OPCODE(SHIFT_LEFT, "WII", '-')  /* by b & 63 */                                                          \
    OPCODE(SHIFT_RIGHT, "WII", '-') /* arithmetic */                                                         \
    OPCODE(SHIFT_RIGHT_UNSIGNED, "WII", '-')                                                                 \
    OPCODE(NEGATE, "WI-", '-')                                                                               \
    OPCODE(COMPLEMENT, "WI-", '-')                                                                           \
    OPCODE(NOT, "WI-", '-')      /* dst = a == 0 */                                                          \
    OPCODE(EXTEND, "WI-", 'N')   /* sign-extend the low `immediate` bits (8, 16, 32, or a bit-field's) */    \
    OPCODE(TRUNCATE, "WI-", 'N') /* zero-extend the low `immediate` bits */                                  \
    OPCODE(EQUAL, "WII", '-')                                                                                \
    OPCODE(NOT_EQUAL, "WII", '-')                                                                            \
    OPCODE(LESS, "WII", '-')                                                                                 \
    OPCODE(LESS_UNSIGNED, "WII", '-')                                                                        \
    OPCODE(LESS_EQUAL, "WII", '-')                                                                           \
    OPCODE(LESS_EQUAL_UNSIGNED, "WII", '-')                                                                  \
    OPCODE(COMPARE_STRINGS, "WSS", '-') /* dst = -1, 0, 1, as strcmp orders them */                          \
    OPCODE(STRING_ADDRESS, "WS-", '-')  /* dst = where the bytes of a are, readable until the clause ends;   \
                                           0 for the null string: `s == NULL`, and strings as void * */      \
    OPCODE(JUMP, "---", 'J')                                                                                 \
    OPCODE(JUMP_IF, "-I-", 'J')     /* a != 0 */                                                             \
    OPCODE(JUMP_UNLESS, "-I-", 'J') /* a == 0 */                                                             \
    OPCODE(BUILTIN, "W--", 'B')                                                                              \
    OPCODE(CALL, "WA#", 'F')          /* dst = subroutine(a, ... b of them) */                               \
    OPCODE(LOAD, "W--", 'V')          /* dst = variable; before it is set 0, "" or, of a thread, null */     \
    OPCODE(STORE, "-?-", 'V')         /* variable = a */                                                     \
    OPCODE(LOAD_KEYED, "WA#", 'V')    /* dst = variable[a, ...]; 0 or null if it has none */                 \
    OPCODE(STORE_KEYED, "?A#", 'V')   /* variable[a, ...] = dst, an operand here; 0 or null gives it back */ \
    OPCODE(ADDRESS, "W--", 'V')       /* dst = where the bytes of a by_address variable are */               \
    OPCODE(ADDRESS_KEYED, "WA#", 'V') /* the same of variable[a, ...], made when it is not there */          \
    OPCODE(READ, "WI-", 'N')      /* dst = memory at a: immediate is the width 1, 2, 4, 8; negative: signed. \
                                     Fault: bad address */                                                   \
    OPCODE(WRITE, "II-", 'N')     /* memory at dst = a, of the width; only the program's own memory:         \
                                     alloca, by_address variables. Fault: bad address */                     \
    OPCODE(COPY, "II-", 'N')      /* `immediate` bytes at dst = those at a; as READ and WRITE */             \
    OPCODE(AGGREGATE, "IA#", 'G') /* aggregation[a, ...] takes the value dst, and of a quantizing function   \
                                     the increment dst + 1; count ignores dst */                             \
    OPCODE(EMIT_INTEGER, "-I-", 'P') /* append to the record; immediate: the action that it belongs to */    \
    OPCODE(EMIT_STRING, "-S-", 'P')                                                                          \
    OPCODE(EMIT_BYTES, "-II", 'P') /* b bytes of memory at a. Fault: bad address */                          \
    OPCODE(ACT, "---", 'P')        /* the action takes place now: exit ends the tracing; raise, stop, chill, \
                                      commit, discard; its fields have been emitted */                       \
    OPCODE(SPECULATE, "-I-",                                                                                 \
           '-')              /* the record of this clause goes to speculation a; none: ends the clause */    \
    OPCODE(FAIL, "-I-", 'N') /* a fault that dlang foresaw, with the value a; immediate: enum fault */

enum opcode {
#define OPCODE(name, operands, immediate) OP_##name,
    PROGRAM_OPCODES(OPCODE)
#undef OPCODE
        OP_COUNT
};

/* FAULT(name, DTrace's words): why a clause was abandoned. The numbers up to BAD_STACK are DTrace's
 * DTRACEFLT_*. */
#define PROGRAM_FAULTS(FAULT)                                                                                \
    FAULT(UNKNOWN, "unknown fault")                                                                          \
    FAULT(BAD_ADDRESS, "invalid address") /* with the address */                                             \
    FAULT(BAD_ALIGN, "invalid alignment")                                                                    \
    FAULT(ILLEGAL_OPERATION, "illegal operation")                                                            \
    FAULT(DIVIDE_BY_ZERO, "divide-by-zero")                                                                  \
    FAULT(NO_SCRATCH, "out of scratch space")                                                                \
    FAULT(PRIVILEGE, "invalid kernel access")                                                                \
    FAULT(USER_PRIVILEGE, "invalid user access")                                                             \
    FAULT(TUPLE_OVERFLOW, "tuple stack overflow")                                                            \
    FAULT(BAD_STACK, "bad stack")                                                                            \
    FAULT(BAD_SIZE, "invalid size")         /* with the size */                                              \
    FAULT(BAD_INDEX, "index out of bounds") /* with the index */

enum fault {
#define FAULT(name, words) FAULT_##name,
    PROGRAM_FAULTS(FAULT)
#undef FAULT
        FAULT_COUNT
};

/* DROP(name, DTrace's words, as in "dtrace: 12 drops on CPU 0"; %s: where the plural's 's' goes): what the
   engine could not keep, by cause. */
#define PROGRAM_DROPS(DROP)                                                                                  \
    DROP(PRINCIPAL, "drop%s")                                                                                \
    DROP(AGGREGATION, "aggregation drop%s")                                                                  \
    DROP(DYNAMIC, "dynamic variable drop%s")                                                                 \
    DROP(DYNAMIC_BUSY, "dynamic variable drop%s with non-empty dirty list")                                  \
    DROP(SPECULATION, "speculative drop%s")                                                                  \
    DROP(SPECULATION_BUSY, "failed speculation%s (available buffer(s) still busy)")                          \
    DROP(SPECULATION_NONE, "failed speculation%s (no speculative buffer available)")                         \
    DROP(STACK_STRING, "jstack()/ustack() string table overflow%s")                                          \
    DROP(ERROR, "error%s in ERROR probe enabling")                                                           \
    DROP(CALL, "drop%s of calls for lack of stack or memory (a deep recursion)")

enum drop {
#define DROP(name, words) DROP_##name,
    PROGRAM_DROPS(DROP)
#undef DROP
        DROP_COUNT
};

#endif
