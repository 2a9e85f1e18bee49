/*
 * catprobe run: becomes a program in whose environment every Python, now and in its children, imports
 * catprobe. That is done by a sitecustomize in a folder of the package, put in front of PYTHONPATH.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE
#endif
#include "run.h"

#include "command.h"
#include "process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As env(1). */
enum { STATUS_CANNOT_RUN = 126, STATUS_NOT_FOUND = 127 };

static bool prepend_autoload(void) {
    char folder[CONTROL_PATH_MAX + 16];
    snprintf(folder, sizeof folder, "%s/autoload", command_package());
    const char *old = getenv("PYTHONPATH");
    size_t length = strlen(folder);
    if (old == NULL || old[0] == '\0') {
        return setenv("PYTHONPATH", folder, 1) == 0;
    }
    if (strncmp(old, folder, length) == 0 && (old[length] == '\0' || old[length] == ':')) {
        return true; /* a run in a run */
    }
    size_t size = length + strlen(old) + 2;
    char *path = command_allocate(size, 1);
    snprintf(path, size, "%s:%s", folder, old);
    bool done = setenv("PYTHONPATH", path, 1) == 0;
    free(path);
    return done;
}

/*
 * Undoes what the Python that called us has done to this process and exec would hand on. It ignores two
 * signals, and in the C locale sets LC_CTYPE (PEP 538); /proc/self/environ still shows what the environment
 * was at the start.
 */
static void undo_python(void) {
    signal(SIGPIPE, SIG_DFL);
#ifdef SIGXFSZ
    signal(SIGXFSZ, SIG_DFL);
#endif
    FILE *file = fopen("/proc/self/environ", "re");
    if (file == NULL) {
        return;
    }
    static const char variable[] = "LC_CTYPE=";
    char *entry = NULL;
    size_t room = 0;
    bool was_set = false;
    while (!was_set && getdelim(&entry, &room, '\0', file) > 0) {
        if (strncmp(entry, variable, sizeof variable - 1) == 0) {
            was_set = true;
            setenv("LC_CTYPE", entry + sizeof variable - 1, 1);
        }
    }
    if (!was_set) {
        unsetenv("LC_CTYPE");
    }
    free(entry);
    fclose(file);
}

static bool is_script(const char *program) {
    size_t length = strlen(program);
    struct stat found;
    return length > 3 && strcmp(program + length - 3, ".py") == 0 && stat(program, &found) == 0 &&
           S_ISREG(found.st_mode) && !program_found(program);
}

bool run_found(const char *program) {
    return program_found(program) || (is_script(program) && command_package() != NULL);
}

static const char *installed_python(void) {
    return command_python() == NULL ? "python3" : command_python();
}

int run_become(char *const *words) {
    if (command_package() != NULL && !prepend_autoload()) {
        return errno;
    }
    undo_python();
    fflush(NULL);
    if (!is_script(words[0]) || command_package() == NULL) {
        execvp(words[0], words);
        return errno;
    }
    size_t count = 0;
    while (words[count] != NULL) {
        count++;
    }
    char **arguments = command_allocate(count + 2, sizeof *arguments);
    arguments[0] = (char *)installed_python();
    memcpy(arguments + 1, words, count * sizeof *arguments);
    execvp(arguments[0], arguments);
    free(arguments);
    return errno;
}

static int execute(const char *program, char **argv) {
    fflush(NULL);
    execvp(program, argv);
    int reason = errno;
    command_error("%s: %s", program, strerror(reason));
    return reason == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN;
}

/* Runs the installation's Python with these arguments. */
static int execute_python(int argc, char **argv) {
    char **arguments = command_allocate((size_t)argc + 2, sizeof *arguments);
    arguments[0] = (char *)installed_python();
    memcpy(arguments + 1, argv, (size_t)argc * sizeof *arguments);
    int status = execute(arguments[0], arguments);
    free(arguments);
    return status;
}

int command_run(int argc, char **argv) {
    if (command_package() == NULL) {
        return command_error(
            "run needs the Python package: pip install catprobe, and use the catprobe that comes with it");
    }
    argc--;
    argv++;
    bool options_end = argc > 0 && strcmp(argv[0], "--") == 0;
    if (options_end) {
        argc--;
        argv++;
    }
    if (argc == 0) {
        return command_usage_error("run what? A program, a script.py, -m module or -c code");
    }
    bool python = !options_end && (strncmp(argv[0], "-m", 2) == 0 || strncmp(argv[0], "-c", 2) == 0);
    if (!options_end && !python && argv[0][0] == '-') {
        return command_usage_error("run: unknown option %s", argv[0]);
    }
    if (python && argv[0][2] == '\0' && argc < 2) {
        return command_usage_error("run: option %s needs an argument", argv[0]);
    }
    if (!prepend_autoload()) {
        return command_error("cannot set PYTHONPATH: %s", strerror(errno));
    }
    undo_python();
    return python || is_script(argv[0]) ? execute_python(argc, argv) : execute(argv[0], argv);
}
