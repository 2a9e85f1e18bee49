/*
 * The catprobe command: its verbs and long options in a table each, its help, its messages.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "command.h"
#include "verbs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#ifndef CATPROBE_VERSION
#    error "compile with -DCATPROBE_VERSION='\"...\"', the version in src/catprobe/_version.py"
#endif

static const char *called_name = "catprobe";
static int output_error; /* of the first write to stdout that failed */
static char python_path[CONTROL_PATH_MAX];
static char package_path[CONTROL_PATH_MAX];

static int show_help(void);
static int show_version(void);
static int show_scripts(void);

static const struct verb {
    const char *name;
    int (*function)(int argc, char **argv); /* returns the exit status */
    const char *example;
    const char *help;
    bool traces; /* has the options that TRACING_HELP tells */
} verbs[] = {
    {"flow", command_verb, "flow 24601 --function 'new_*'", "every call and return as it happens", true},
    {"calls", command_counts, "calls 24601 -d 10 --mine", "how often each function is called", true},
    {"calltime", command_counts, "calltime -- python3 app.py", "how long each function takes", true},
    {"calldist", command_counts, "calldist 24601 --svg times.svg",
     "the same as histograms, here as a picture", true},
    {"timeline", command_timeline, "timeline 24601 -o calls.pftrace",
     "all calls, for Perfetto or Chrome (.json)", true},
    {"slow", command_slow, "slow 24601 --function go --over 1s", "the calls of each call that took too long",
     true},
    {"record", command_record, "record 24601 -o cats.svg -d 10",
     "a flame graph; or .html .json .pb.gz .pftrace", false},
    {"top", command_top, "top 24601", "where it spends its time, live", false},
    {"dump", command_dump, "dump --locals 24601", "what each of its threads does now", false},
    {"run", command_run, "run -m http.server 8000", "run a program or script that can be traced", false},
    {"ps", command_ps, "ps -v", "list who can be traced; -v: with all probes", false},
};

static const struct long_option {
    const char *name;
    int (*function)(void);
    const char *help;
} long_options[] = {
    {"--scripts", show_scripts, "print the folder of its scripts"},
    {"--version", show_version, "print the version"},
    {"--help", show_help, "print this"},
};

enum {
    VERB_COUNT = sizeof verbs / sizeof verbs[0],
    LONG_OPTION_COUNT = sizeof long_options / sizeof long_options[0]
};

void command_set_installation(const char *python, const char *package_folder) {
    snprintf(python_path, sizeof python_path, "%s", python);
    snprintf(package_path, sizeof package_path, "%s", package_folder);
}

const char *command_name(void) {
    return called_name;
}

const char *command_python(void) {
    return python_path[0] == '\0' ? NULL : python_path;
}

const char *command_package(void) {
    return package_path[0] == '\0' ? NULL : package_path;
}

void command_print(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (output_error == 0 && vprintf(format, arguments) < 0) {
        output_error = errno;
    }
    va_end(arguments);
}

/* In one write, so that it stays whole among the output of others. */
static void print_message(const char *format, va_list arguments, const char *hint) {
    char message[4096];
    vsnprintf(message, sizeof message, format, arguments);
    fflush(stdout);
    if (hint == NULL) {
        fprintf(stderr, "%s: %s\n", called_name, message);
    } else {
        fprintf(stderr, "%s: %s (see: %s %s)\n", called_name, message, called_name, hint);
    }
}

int command_error(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_message(format, arguments, NULL);
    va_end(arguments);
    return STATUS_FAILED;
}

int command_usage_error(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print_message(format, arguments, "--help");
    va_end(arguments);
    return STATUS_USAGE;
}

void *command_allocate(size_t count, size_t size) {
    void *memory = calloc(count > 0 ? count : 1, size);
    if (memory == NULL) {
        exit(command_error("out of memory"));
    }
    return memory;
}

int options_next(struct options *options, const char *letters) {
    if (options->rest == NULL) {
        if (options->index >= options->argc) {
            return 0;
        }
        const char *word = options->argv[options->index];
        if (word[0] != '-' || word[1] == '\0') {
            return 0;
        }
        options->index++;
        if (strcmp(word, "--") == 0) {
            return 0;
        }
        if (word[1] == '-') {
            command_usage_error("unknown option %s", word);
            return -1;
        }
        options->rest = word + 1;
    }
    char letter = *options->rest++;
    const char *known = letter == ':' ? NULL : strchr(letters, letter);
    if (known == NULL) {
        command_usage_error("unknown option -%c", letter);
        return -1;
    }
    if (known[1] == ':') {
        options->argument = options->rest;
        if (*options->rest == '\0') {
            if (options->index >= options->argc) {
                command_usage_error("option -%c needs an argument", letter);
                return -1;
            }
            options->argument = options->argv[options->index++];
        }
        options->rest = NULL;
    } else if (*options->rest == '\0') {
        options->rest = NULL;
    }
    return letter;
}

bool parse_pid(const char *text, pid_t *pid) {
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number <= 0 || number > 0x7fffffff) {
        command_error("invalid pid: %s", text);
        return false;
    }
    *pid = (pid_t)number;
    return true;
}

/* What the verbs of tracing have in common, and the options of dtrace. */
static const char TRACING_HELP[] =
    "    these trace a PID, several, -- PROGRAM [ARGUMENT]..., or else every process, until Ctrl-C, with\n"
    "    -d SECONDS, --function GLOB, --file GLOB, --mine (no standard library, no site-packages),\n"
    "    --thread (each on its own), -o FILE, --json, --all (even more than 20 processes)\n";

static void show_example(const char *example, const char *help) {
    command_print("    %s %-40s %s\n", called_name, example, help);
}

static int show_help(void) {
    command_print("%s %s: what a running Python program does, told by a verb or by a program in D\n\n",
                  called_name, CATPROBE_VERSION);
    for (int i = 0; i < VERB_COUNT; i++) {
        show_example(verbs[i].example, verbs[i].help);
        if (verbs[i].traces && (i + 1 == VERB_COUNT || !verbs[i + 1].traces)) {
            command_print("%s", TRACING_HELP);
        }
    }
    show_example("-s d_demo/a_py_flowinfo.d -p 24601", "run a program in D");
    show_example("-n 'PROBE { ... }' -c COMMAND", "and what else dtrace(1) has");
    show_example("-l -v -p 24601", "list probes; -v: with their arguments");
    for (int i = 0; i < LONG_OPTION_COUNT; i++) {
        show_example(long_options[i].name, long_options[i].help);
    }
    command_print(
        "\nA program can be traced when `catprobe run` started it or when it says `import catprobe`;\n"
        "CATPROBE_DISABLE=1 in its environment prevents both. `man catprobe` has the rest.\n");
    return STATUS_OK;
}

static int show_version(void) {
    command_print("%s %s\n", called_name, CATPROBE_VERSION);
    return STATUS_OK;
}

static int show_scripts(void) {
    char path[CONTROL_PATH_MAX + 16];
    struct stat found;
    if (command_package() == NULL) {
        return command_error(
            "a static binary has no scripts with it: pip install catprobe, or see d_demo in its source");
    }
    snprintf(path, sizeof path, "%s/scripts", command_package());
    if (stat(path, &found) != 0) {
        return command_error("%s: %s: reinstall catprobe", path, strerror(errno));
    }
    command_print("%s\n", path);
    return STATUS_OK;
}

/* A link of this name speaks as dtrace does: it has no verbs. */
static bool is_dtrace(void) {
    return strcmp(called_name, "dtrace") == 0;
}

static bool is_help(const char *option) {
    return strcmp(option, "-h") == 0 || strcmp(option, "--help") == 0;
}

static int dispatch(int argc, char **argv) {
    if (is_dtrace()) {
        return command_dtrace(argc, argv);
    }
    if (argc < 2) {
        return command_usage_error("what is to be done? A verb, -s SCRIPT, -n 'PROBE { ... }', -l");
    }
    for (int i = 0; i < VERB_COUNT; i++) {
        if (strcmp(argv[1], verbs[i].name) == 0) {
            if (argc == 3 && is_help(argv[2])) {
                return show_help();
            }
            return verbs[i].function(argc - 1, argv + 1);
        }
    }
    for (int i = 0; i < LONG_OPTION_COUNT; i++) {
        if (strcmp(argv[1], long_options[i].name) == 0) {
            return argc == 2 ? long_options[i].function()
                             : command_usage_error("%s takes no argument: %s", argv[1], argv[2]);
        }
    }
    if (argc == 2 && is_help(argv[1])) {
        return show_help();
    }
    if (argv[1][0] == '-') {
        return command_dtrace(argc, argv);
    }
    return command_usage_error("unknown verb %s", argv[1]);
}

/* What was printed must have arrived; a reader that has closed the pipe has read all that it wants. */
static int finish_output(int status) {
    if (fflush(stdout) != 0 && output_error == 0) {
        output_error = errno;
    }
    if (output_error == 0) {
        return status;
    }
    return output_error == EPIPE ? STATUS_FAILED
                                 : command_error("cannot write the output: %s", strerror(output_error));
}

int catprobe_main(int argc, char **argv) {
    if (argc > 0 && argv[0][0] != '\0') {
        const char *slash = strrchr(argv[0], '/');
        called_name = slash == NULL ? argv[0] : slash + 1;
    }
    control_init();
    return finish_output(dispatch(argc, argv));
}
