/*
 * The provider `python` without an interpreter: a shared library whose functions fire its probes with
 * whatever arguments they are given. tests/fire_probes.py drives it, so that a script is tested on known
 * events. It makes its USDT notes itself, so as not to depend on the header that the product uses.
 */
#define SEMAPHORE(name)                                                                                      \
    unsigned short python_##name##_semaphore __attribute__((section(".probes"), visibility("hidden")))

/* One nop and the note that describes it: place, semaphore, names, and where the arguments are. */
#define PROBE(name, operands, ...)                                                                           \
    __asm__ volatile("990: nop\n"                                                                            \
                     ".pushsection .note.stapsdt, \"?\", \"note\"\n"                                         \
                     ".balign 4\n"                                                                           \
                     ".4byte 992f - 991f, 994f - 993f, 3\n"                                                  \
                     "991: .asciz \"stapsdt\"\n"                                                             \
                     "992: .balign 4\n"                                                                      \
                     "993: .8byte 990b, _.stapsdt.base, python_" #name "_semaphore\n"                        \
                     ".asciz \"python\"\n"                                                                   \
                     ".asciz \"" #name "\"\n"                                                                \
                     ".asciz \"" operands "\"\n"                                                             \
                     "994: .balign 4\n"                                                                      \
                     ".popsection\n"                                                                         \
                     ".ifndef _.stapsdt.base\n"                                                              \
                     ".pushsection .stapsdt.base, \"aG\", \"progbits\", .stapsdt.base, comdat\n"             \
                     ".weak _.stapsdt.base\n"                                                                \
                     ".hidden _.stapsdt.base\n"                                                              \
                     "_.stapsdt.base: .space 1\n"                                                            \
                     ".size _.stapsdt.base, 1\n"                                                             \
                     ".popsection\n"                                                                         \
                     ".endif\n" ::__VA_ARGS__)

SEMAPHORE(function__entry);
SEMAPHORE(function__return);
SEMAPHORE(gc__start);
SEMAPHORE(gc__done);

__attribute__((noinline)) void function_entry(const char *file, const char *func, int line) {
    PROBE(function__entry, "8@%0 8@%1 -4@%2", "r"(file), "r"(func), "r"(line));
}

__attribute__((noinline)) void function_return(const char *file, const char *func, int line) {
    PROBE(function__return, "8@%0 8@%1 -4@%2", "r"(file), "r"(func), "r"(line));
}

__attribute__((noinline)) void gc_start(int generation) {
    PROBE(gc__start, "-4@%0", "r"(generation));
}

__attribute__((noinline)) void gc_done(long collected) {
    PROBE(gc__done, "-8@%0", "r"(collected));
}

/* How many tracers have attached to the probe that has the fewest of them; the gc probes only if `gc`. */
int traced(int gc) {
    const volatile unsigned short *counts[] = {
        &python_function__entry_semaphore,
        &python_function__return_semaphore,
        &python_gc__start_semaphore,
        &python_gc__done_semaphore,
    };
    int fewest = *counts[0];
    for (int i = 1; i < (gc ? 4 : 2); i++)
        if (*counts[i] < fewest)
            fewest = *counts[i];
    return fewest;
}
