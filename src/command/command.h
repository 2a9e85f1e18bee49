/*
 * The catprobe command: what its verbs share. It knows nothing of CPython, so that it links into the
 * extension and into a static binary alike. One thread, the one that called catprobe_main.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include "../agent/control.h"

/* Exit statuses, as dtrace's. */
enum { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

/* Says where the Python package lies and which interpreter runs it, both copied; before catprobe_main. A
 * static binary has no installation and does not call it. */
void command_set_installation(const char *python, const char *package_folder);

/* Runs the command; argv[0] is the name by which messages begin. Writes to stdout and stderr of the C
 * library. Returns the exit status, or does not return at all: `run` becomes the program. */
int catprobe_main(int argc, char **argv);

/* What command_set_installation said, or NULL. */
const char *command_python(void);
const char *command_package(void);

/* The name by which it was called, with which messages begin. */
const char *command_name(void);

/* printf, to stdout, which remembers the first error: catprobe_main reports it at the end. */
void command_print(const char *format, ...) CONTROL_PRINTF(1, 2);

/* Prints "NAME: message" and a line end on stderr. Returns STATUS_FAILED. */
int command_error(const char *format, ...) CONTROL_PRINTF(1, 2);

/* The same, and where help is. Returns STATUS_USAGE. */
int command_usage_error(const char *format, ...) CONTROL_PRINTF(1, 2);

/* Memory for as long as the command runs, zeroed; ends the command when there is none. The caller may free()
 * it. */
void *command_allocate(size_t count, size_t size);

/* Options as getopt(3) takes them, but without its state and its messages: clusters, "-p1" and "-p 1", "--"
 * ends them. */
struct options {
    int argc;
    char **argv;
    int index;            /* of the next argument; behind the options at the end */
    const char *rest;     /* of a cluster, or NULL */
    const char *argument; /* of the option just returned, if it takes one */
};

/* The next option's letter, 0 at the end, or -1 after a message of usage. `letters` as for getopt(3). */
int options_next(struct options *options, const char *letters);

/* Reads the pid in `text`. False after the message "invalid pid". */
bool parse_pid(const char *text, pid_t *pid);

/* The verbs, one file each: argv[0] is the verb. */
int command_run(int argc, char **argv);
int command_ps(int argc, char **argv);
int command_record(int argc, char **argv);
int command_top(int argc, char **argv);
int command_dump(int argc, char **argv);

/* The command line of dtrace(1): all that begins with an option; argv[0] is the command's name. */
int command_dtrace(int argc, char **argv);

/* Prints dtrace's summary of it on stderr. Returns STATUS_USAGE. */
int dtrace_usage(void);

#endif
