/*
 * The command line of dtrace(1): its options in a table, what it refuses in dtrace's own words, and from
 * there to a listing, to a trace, or to its version.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "command.h"
#include "list.h"
#include "trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char LANGUAGE_VERSION[] = "2.0.7"; /* of the D that is spoken here, as DTrace counts */

static const char USAGE[] = "Usage: %s [-32|-64] [-CeFGhHlqSvVwZ] [-b bufsz] [-c cmd] [-D name[=def]]\n"
                            "\t[-I path] [-L path] [-o output] [-p pid] [-s script] [-U name]\n"
                            "\t[-x opt[=val]] [-X a|c|s|t]\n\n"
                            "\t[-P provider [[ predicate ] action ]]\n"
                            "\t[-m [ provider: ] module [[ predicate ] action ]]\n"
                            "\t[-f [[ provider: ] module: ] func [[ predicate ] action ]]\n"
                            "\t[-n [[[ provider: ] module: ] func: ] name [[ predicate ] action ]]\n"
                            "\t[-i probe-id [[ predicate ] action ]] [ args ... ]\n\n"
                            "\tpredicate -> '/' D-expression '/'\n"
                            "\t   action -> '{' D-statements '}'\n\n"
                            "\t-32 generate 32-bit D programs and ELF files\n"
                            "\t-64 generate 64-bit D programs and ELF files\n\n";

enum mode { MODE_TRACE, MODE_LIST, MODE_VERSION, MODE_HEADER, MODE_OBJECT };

struct command_line {
    struct trace_request request;
    enum mode mode;
    bool two_modes;
    int64_t options[OPTION_COUNT];
    struct dlang_source *sources;
    const char **given;
    char **texts; /* of scripts, read; NULL where the text is the argument itself */
    const char **operands;
    pid_t *pids;
    const char **commands;
    bool preprocess;
    char *preprocessor;            /* its arguments, then the command with them */
    const char *preprocessor_path; /* -x cpppath; NULL: cpp */
};

/* Each takes an option with its argument (NULL if it has none): false after a message. */

static bool set_option(struct command_line *line, char letter, const char *name, const char *setting) {
    const char *problem = dlang_option(line->options, setting, false);
    if (problem == NULL) {
        return true;
    }
    command_error("failed to set -%c %.*s: %s", letter, (int)strcspn(name, "="), name, problem);
    return false;
}

static bool take_buffer_size(struct command_line *line, char letter, const char *argument) {
    char setting[128];
    snprintf(setting, sizeof setting, "bufsize=%s", argument);
    return set_option(line, letter, argument, setting);
}

static bool take_flag(struct command_line *line, char letter, const char *argument) {
    (void)argument;
    switch (letter) {
    case 'A': /* tracing from boot on: dtrace for Linux takes it for nothing too */
        break;
    case 'F':
        line->options[OPTION_FLOWINDENT] = 1;
        break;
    case 'q':
        line->options[OPTION_QUIET] = 1;
        break;
    case 'w':
        line->options[OPTION_DESTRUCTIVE] = 1;
        break;
    case 'Z':
        line->options[OPTION_ZDEFS] = 1;
        line->request.compiler.zero_matches = true;
        break;
    case 'C':
        line->preprocess = true;
        break;
    case 'e':
        line->request.compile_only = true;
        break;
    case 'S':
        line->request.show_code = true;
        break;
    default:
        line->request.verbose = true;
    }
    return true;
}

static bool take_mode(struct command_line *line, char letter, const char *argument) {
    static const char letters[] = "lVhG";
    static const enum mode modes[] = {MODE_LIST, MODE_VERSION, MODE_HEADER, MODE_OBJECT};
    (void)argument;
    line->two_modes = line->two_modes || line->mode != MODE_TRACE;
    line->mode = modes[strchr(letters, letter) - letters];
    return true;
}

static bool take_pid(struct command_line *line, char letter, const char *argument) {
    (void)letter;
    return parse_pid(argument, &line->pids[line->request.pid_count++]);
}

static bool take_command(struct command_line *line, char letter, const char *argument) {
    (void)letter;
    line->commands[line->request.command_count++] = argument;
    return true;
}

static bool take_output(struct command_line *line, char letter, const char *argument) {
    (void)letter;
    line->request.output = argument;
    return true;
}

static bool take_source(struct command_line *line, char letter, const char *argument) {
    size_t at = line->request.compiler.source_count++;
    line->given[at] = argument;
    line->sources[at] = (struct dlang_source){.text = argument, .whole_description = true, .kind = letter};
    if (letter == 's') {
        line->sources[at].name = argument;
        line->sources[at].whole_description = false;
    }
    return true;
}

/* Room for so many bytes more behind the preprocessor's arguments; NULL after a message. */
static char *lengthen(struct command_line *line, size_t more) {
    size_t length = strlen(line->preprocessor);
    char *longer = realloc(line->preprocessor, length + more);
    if (longer == NULL) {
        command_error("out of memory");
        return NULL;
    }
    line->preprocessor = longer;
    return longer + length;
}

static bool add_words(struct command_line *line, const char *words) {
    char *to = lengthen(line, strlen(words) + 2);
    if (to != NULL) {
        sprintf(to, " %s", words);
    }
    return to != NULL;
}

/* Adds an argument for the preprocessor, quoted for the shell. */
static bool take_preprocessor_argument(struct command_line *line, char letter, const char *argument) {
    char *to = lengthen(line, (argument == NULL ? 0 : 4 * strlen(argument)) + 8);
    if (to == NULL) {
        return false;
    }
    to += sprintf(to, argument == NULL ? " -%c" : " -%c'", letter);
    for (; argument != NULL && *argument != '\0'; argument++) {
        to += sprintf(to, *argument == '\'' ? "'\\''" : "%c", *argument);
    }
    strcpy(to, argument == NULL ? "" : "'");
    return true;
}

/* Options of -x that are other letters' too; the preprocessor's arguments come as they are. */
static const struct {
    const char *name;
    char letter;
} options_with_letters[] = {{"define", 'D'}, {"incdir", 'I'}, {"undef", 'U'}, {"cpphdrs", 'H'}};

static bool take_x(struct command_line *line, char letter, const char *argument) {
    const char *value = strchr(argument, '=');
    size_t length = value == NULL ? strlen(argument) : (size_t)(value++ - argument);
    if (!set_option(line, letter, argument, argument)) {
        return false;
    }
    for (size_t i = 0; i < sizeof options_with_letters / sizeof options_with_letters[0]; i++) {
        if (strlen(options_with_letters[i].name) == length &&
            strncmp(options_with_letters[i].name, argument, length) == 0) {
            return take_preprocessor_argument(line, options_with_letters[i].letter, value);
        }
    }
    if (length == 7 && strncmp(argument, "cppargs", length) == 0) {
        return add_words(line, value);
    }
    if (length == 7 && strncmp(argument, "cpppath", length) == 0) {
        line->preprocessor_path = value;
    }
    return true;
}

static bool take_standard(struct command_line *line, char letter, const char *argument) {
    (void)line;
    if (strlen(argument) != 1 || strchr("acst", argument[0]) == NULL) {
        command_error("failed to set -%c %s: Invalid value for specified option", letter, argument);
        return false;
    }
    return true; /* how the preprocessor reads ISO C: ours needs not be told */
}

static bool take_library(struct command_line *line, char letter, const char *argument) {
    (void)line;
    (void)letter;
    (void)argument;
    return true; /* D libraries are for the kernel's types; what D itself has is built in */
}

static const struct option_row {
    char letter;
    bool (*take)(struct command_line *line, char letter, const char *argument);
    const char *argument; /* its name in messages, NULL: takes none */
    const char *help;     /* dtrace's words; NULL: the usage has none for it */
} option_rows[] = {
    {'A', take_flag, NULL, NULL},
    {'b', take_buffer_size, "bufsz", "set trace buffer size"},
    {'c', take_command, "cmd", "run specified command and exit upon its completion"},
    {'C', take_flag, NULL, "run cpp(1) preprocessor on script files"},
    {'D', take_preprocessor_argument, "name", "define symbol when invoking preprocessor"},
    {'e', take_flag, NULL, "exit after compiling request but prior to enabling probes"},
    {'f', take_source, "func", "enable or list probes matching the specified function name"},
    {'F', take_flag, NULL, "coalesce trace output by function"},
    {'G', take_mode, NULL, "generate an ELF file containing embedded dtrace program"},
    {'h', take_mode, NULL, "generate a header file with definitions for static probes"},
    {'H', take_preprocessor_argument, NULL, "print included files when invoking preprocessor"},
    {'i', take_source, "probe-id", "enable or list probes matching the specified probe id"},
    {'I', take_preprocessor_argument, "path", "add include directory to preprocessor search path"},
    {'l', take_mode, NULL, "list probes matching specified criteria"},
    {'L', take_library, "path", "add library directory to library search path"},
    {'m', take_source, "module", "enable or list probes matching the specified module name"},
    {'n', take_source, "name", "enable or list probes matching the specified probe name"},
    {'o', take_output, "output", "set output file"},
    {'p', take_pid, "pid", "grab specified process-ID and cache its symbol tables"},
    {'P', take_source, "provider", "enable or list probes matching the specified provider name"},
    {'q', take_flag, NULL, "set quiet mode (only output explicitly traced data)"},
    {'s', take_source, "script", "enable or list probes according to the specified D script"},
    {'S', take_flag, NULL, "print D compiler intermediate code"},
    {'U', take_preprocessor_argument, "name", "undefine symbol when invoking preprocessor"},
    {'v', take_flag, NULL, "set verbose mode (report stability attributes, arguments)"},
    {'V', take_mode, NULL, "report DTrace API version"},
    {'w', take_flag, NULL, "permit destructive actions"},
    {'x', take_x, "opt", "enable or modify compiler and tracing options"},
    {'X', take_standard, "a|c|s|t", "specify ISO C conformance settings for preprocessor"},
    {'Z', take_flag, NULL, "permit probe descriptions that match zero probes"},
};

enum { OPTION_ROWS = sizeof option_rows / sizeof option_rows[0] };

int dtrace_usage(void) {
    fflush(stdout);
    fprintf(stderr, USAGE, command_name());
    for (int i = 0; i < OPTION_ROWS; i++) {
        if (option_rows[i].help != NULL) {
            fprintf(stderr, "\t-%c  %s\n", option_rows[i].letter, option_rows[i].help);
        }
    }
    return STATUS_USAGE;
}

static const struct option_row *find_option(char letter) {
    for (int i = 0; i < OPTION_ROWS; i++) {
        if (option_rows[i].letter == letter) {
            return &option_rows[i];
        }
    }
    return NULL;
}

/* bpftrace's -e has the program behind it; dtrace's takes none. */
static bool is_bpftrace_habit(const char *next) {
    return next != NULL && next[0] != '-' && strpbrk(next, "{/:") != NULL;
}

/* Takes a word of options, "-qs"; *at is that of the next word. */
static int take_word(struct command_line *line, int argc, char **argv, int *at) {
    const char *word = argv[(*at)++];
    for (const char *letter = word + 1; *letter != '\0'; letter++) {
        const struct option_row *option = find_option(*letter);
        const char *argument = NULL;
        if (option == NULL) {
            command_error("invalid option -- '%c'", *letter);
            return dtrace_usage();
        }
        if (option->argument != NULL) {
            argument = letter[1] != '\0' ? letter + 1 : *at < argc ? argv[(*at)++] : NULL;
            if (argument == NULL) {
                command_error("option requires an argument -- '%c'", *letter);
                return dtrace_usage();
            }
        } else if (*letter == 'e' && letter[1] == '\0' && *at < argc && is_bpftrace_habit(argv[*at])) {
            return command_usage_error(
                "-e 'program' is bpftrace's: here a program comes after -n, a file after -s");
        }
        if (!option->take(line, *letter, argument)) {
            return STATUS_FAILED;
        }
        if (option->argument != NULL) {
            break;
        }
    }
    return STATUS_OK;
}

static int take_words(struct command_line *line, int argc, char **argv) {
    bool options_end = false;
    for (int at = 1; at < argc;) {
        const char *word = argv[at];
        int status = STATUS_OK;
        if (options_end || word[0] != '-' || word[1] == '\0') {
            line->operands[line->request.compiler.argument_count++] = argv[at++];
        } else if (strcmp(word, "--") == 0) {
            options_end = true;
            at++;
        } else if (strcmp(word, "--all") == 0) {
            line->request.all = true;
            at++;
        } else if (word[1] == '-') {
            return command_usage_error("unknown option %s", word);
        } else if (strcmp(word, "-32") == 0 || strcmp(word, "-64") == 0) {
            at++; /* D here has the data model of the machine, for which either is a synonym */
        } else {
            status = take_word(line, argc, argv, &at);
        }
        if (status != STATUS_OK) {
            return status;
        }
    }
    if (line->two_modes) {
        command_error("only one of the [-GhlV] options can be specified at a time");
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

/* A whole file, '\0' at the end. NULL after the message. */
static char *read_script(const char *path) {
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t length = 0;
    bool good = file != NULL;
    for (size_t got = 1; good && got > 0;) {
        char *longer = realloc(text, length + 65537);
        good = longer != NULL;
        if (good) {
            text = longer;
            got = fread(text + length, 1, 65536, file);
            good = !ferror(file);
            length += got;
            text[length] = '\0';
        }
    }
    if (!good) {
        command_error("failed to %s %s: %s", file == NULL ? "open" : "read", path, strerror(errno));
        free(text);
        text = NULL;
    }
    if (file != NULL) {
        fclose(file);
    }
    return text;
}

static int read_scripts(struct command_line *line) {
    for (size_t i = 0; i < line->request.compiler.source_count; i++) {
        if (line->sources[i].kind == 's') {
            line->texts[i] = read_script(line->given[i]);
            if (line->texts[i] == NULL) {
                return STATUS_FAILED;
            }
            line->sources[i].text = line->texts[i];
        }
    }
    return STATUS_OK;
}

static int show_version(void) {
    command_print("%s: D %s\n", command_name(), LANGUAGE_VERSION);
    return STATUS_OK;
}

/* Of -h and -G, which catprobe has no use for. */
static int refuse_output(const struct command_line *line, const char *option, const char *what) {
    if (line->request.compiler.source_count == 0) {
        command_error("%s requires one or more scripts or enabling options", option);
        return STATUS_USAGE;
    }
    return command_error("%s makes %s for kernel tracers: use the system's own dtrace for it", option, what);
}

static int execute(struct command_line *line) {
    struct trace_request *request = &line->request;
    switch (line->mode) {
    case MODE_VERSION:
        return show_version();
    case MODE_OBJECT:
        return refuse_output(line, "-G", "objects");
    case MODE_HEADER:
        return refuse_output(line, "-h", "headers");
    default:
        break;
    }
    int status = read_scripts(line);
    if (status == STATUS_OK && line->mode == MODE_LIST) {
        return list_probes(request);
    }
    if (status == STATUS_OK && request->compiler.source_count == 0) {
        return command_error("no probes specified");
    }
    return status == STATUS_OK ? trace_run(request) : status;
}

/* The preprocessor's command, with its arguments behind it. */
static bool finish_preprocessor(struct command_line *line) {
    const char *path = line->preprocessor_path == NULL ? "cpp" : line->preprocessor_path;
    /* As DTrace 2.0.7 for Linux calls it. */
    static const char fixed[] = " -std=c99 -U__GNUC__ -D__SUNW_D=1 -D__SUNW_D_VERSION=0x02000007"
                                " -D__SUNW_D_64 -fno-diagnostics-show-caret";
    if (!line->preprocess && line->options[OPTION_CPP] <= 0) {
        return true;
    }
    size_t size = strlen(path) + sizeof fixed + strlen(line->preprocessor);
    char *whole = command_allocate(size, 1);
    snprintf(whole, size, "%s%s%s", path, fixed, line->preprocessor);
    free(line->preprocessor);
    line->request.compiler.preprocessor = line->preprocessor = whole;
    return true;
}

int command_dtrace(int argc, char **argv) {
    if (argc == 1) {
        return dtrace_usage();
    }
    size_t most = (size_t)argc;
    struct command_line line = {
        .sources = command_allocate(most, sizeof *line.sources),
        .given = command_allocate(most, sizeof *line.given),
        .texts = command_allocate(most, sizeof *line.texts),
        .operands = command_allocate(most, sizeof *line.operands),
        .pids = command_allocate(most, sizeof *line.pids),
        .commands = command_allocate(most, sizeof *line.commands),
        .preprocessor = strdup(""),
    };
    for (int i = 0; i < OPTION_COUNT; i++) {
        line.options[i] = OPTION_UNSET;
    }
    struct trace_request *request = &line.request;
    request->compiler.sources = line.sources;
    request->compiler.arguments = line.operands;
    request->given = line.given;
    request->pids = line.pids;
    request->commands = line.commands;
    request->append = true;
    int status = line.preprocessor == NULL ? command_error("out of memory") : take_words(&line, argc, argv);
    if (status == STATUS_OK) {
        memcpy(request->compiler.options, line.options, sizeof line.options);
        status = finish_preprocessor(&line) ? execute(&line) : STATUS_FAILED;
    }
    for (size_t i = 0; i < request->compiler.source_count; i++) {
        free(line.texts[i]);
    }
    free(line.texts);
    free(line.sources);
    free(line.given);
    free(line.operands);
    free(line.pids);
    free(line.commands);
    free(line.preprocessor);
    return status;
}
