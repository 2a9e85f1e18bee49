/*
 * main() of the static binary. In the extension it is Python that calls catprobe_main, and this file is
 * empty.
 */
#ifdef CATPROBE_STATIC
#    include "command.h"

int main(int argc, char **argv) {
    return catprobe_main(argc, argv);
}
#endif
