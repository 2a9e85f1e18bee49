/*
 * USDT sites: places in a program that bpftrace, perf, gdb, SystemTap and DTrace for Linux find by an ELF
 * note and can hook, at the price of one nop while nobody does. ELF with 64-bit pointers, x86-64 and aarch64,
 * gcc and clang.
 *
 * What a tracer reads is described at https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation: a
 * note in the section .note.stapsdt (owner "stapsdt", type 3) that holds three addresses (the nop; the byte
 * _.stapsdt.base; the semaphore) and three strings (provider; name; operands). A tracer compares the address
 * of _.stapsdt.base in the note with the section's real one, and so sees by how much a later tool (prelink)
 * has moved the code.
 *
 * The nop is one byte long (four on aarch64). Linux turns some longer ones into a call, which is faster but
 * writes below the stack pointer, where a leaf function may keep its variables; a plain nop is right on every
 * kernel.
 */
#ifndef USDT_H
#define USDT_H

#define USDT_TEXT(x) #x

/*
 * Attributes for the function that holds a site. An inlined or cloned copy would carry a note of its own;
 * with them the site stays one, and the registers in its note are those of the calling convention or near
 * them.
 */
#if defined __clang__
#    define USDT_FUNCTION __attribute__((noinline, used))
#else
#    define USDT_FUNCTION __attribute__((noinline, noclone, used))
#endif

/*
 * Defines the semaphore of a site, `unsigned short PROVIDER_NAME_semaphore`: how many tracers are attached to
 * it. At file scope, before USDT_SITE, which refers to it by that name.
 *
 * The kernel raises it in every process that maps the file, those started later included, when a tracer
 * attaches, and lowers it when the tracer leaves or dies; gdb and SystemTap do it by hand. It changes at any
 * moment, under any thread, so read it as the volatile that it is, and never write it. It is a hint: a site
 * may be hit before the semaphore is seen up and after it went down; both do no harm.
 *
 * Tracers take its address from the note, so the symbol itself is hidden and may be stripped. Of its section,
 * .probes, tracers want that it is in the file (not .bss), in a writable segment.
 */
#define USDT_SEMAPHORE(provider, name)                                                                       \
    __attribute__((section(".probes"), visibility("hidden"),                                                 \
                   used)) volatile unsigned short provider##_##name##_semaphore = 0

/*
 * How an argument is written in the note: its size in bytes as a string, negative if it is signed ("8",
 * "-4"), and the local variable, which must be of that size and stand among the inputs of the site. Join
 * several by " ". On aarch64 the register is always written as x, never as w: some tracers know only those,
 * and take the size given.
 */
#if defined __x86_64__
#    define USDT_OPERAND(size, variable) size "@%[" USDT_TEXT(variable) "]"
#elif defined __aarch64__
#    define USDT_OPERAND(size, variable) size "@%x[" USDT_TEXT(variable) "]"
#else
#    error "usdt.h knows x86-64 and aarch64 only; compile without it (CATPROBE_NO_USDT=1)"
#endif

/* A local variable, kept in a register: older tracers cannot parse indexed addresses. */
#define USDT_INPUT(variable) [variable] "r"(variable)

/*
 * A site: a nop and its note. `operands` is a string made of USDT_OPERANDs ("" for none), followed by one
 * USDT_INPUT for each. In a USDT_FUNCTION, after USDT_SEMAPHORE of the same provider and name; both are bare
 * words, and `__` in a name is what D writes as a dash.
 *
 *     USDT_SEMAPHORE(shop, order__done);
 *     USDT_FUNCTION void shop_order_done(const char *who, int cents) {
 *         USDT_SITE(shop, order__done, USDT_OPERAND("8", who) " " USDT_OPERAND("-4", cents), USDT_INPUT(who),
 *                   USDT_INPUT(cents));
 *     }
 *
 * It costs the nop; whoever wants to save the making of the arguments too tests the semaphore first. A tracer
 * reads memory that a pointer leads to while the thread stands at the nop: it need only stay valid for the
 * call.
 */
#define USDT_SITE(provider, name, operands, ...)                                                             \
    __asm__ volatile(USDT_NOTE(provider, name, operands) USDT_BASE : : __VA_ARGS__)

/* The note's section is not loaded (no "a" in its flags): tracers read it from the file. */
#define USDT_NOTE(provider, name, operands)                                                                  \
    "990: nop\n"                                                                                             \
    ".pushsection .note.stapsdt,\"\",\"note\"\n"                                                             \
    ".balign 4\n"                                                                                            \
    ".4byte 992f-991f, 994f-993f, 3\n"                                                                       \
    "991: .asciz \"stapsdt\"\n"                                                                              \
    "992: .balign 4\n"                                                                                       \
    "993: .8byte 990b\n"                                                                                     \
    ".8byte _.stapsdt.base\n"                                                                                \
    ".8byte " #provider "_" #name "_semaphore\n"                                                             \
    ".asciz \"" #provider "\"\n"                                                                             \
    ".asciz \"" #name "\"\n"                                                                                 \
    ".asciz \"" operands "\"\n"                                                                              \
    "994: .balign 4\n"                                                                                       \
    ".popsection\n"

/* One byte for the whole file, however many objects with sites are linked into it: hence the COMDAT group. */
#define USDT_BASE                                                                                            \
    ".ifndef _.stapsdt.base\n"                                                                               \
    ".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n"                                  \
    ".weak _.stapsdt.base\n"                                                                                 \
    ".hidden _.stapsdt.base\n"                                                                               \
    "_.stapsdt.base: .space 1\n"                                                                             \
    ".size _.stapsdt.base, 1\n"                                                                              \
    ".popsection\n"                                                                                          \
    ".endif\n"

#endif
