/*
 * What the system tells about any process and user.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { PROCESS_NAME_MAX = 64 }; /* bytes, with the '\0' */

/* Whether there is such a process, a zombie included. */
bool process_exists(pid_t pid);

/* The same, but not of one that has ended or is about to. */
bool process_lives(pid_t pid);

/* The user it runs as. False: not known. */
bool process_user(pid_t pid, uid_t *uid);

/* Its command line in one line without control characters, "[name]" if it has none, "-" if nothing is known.
 */
void process_command(pid_t pid, char *text, size_t size);

/* What its main thread is called; "-" if that is not known. */
void process_name(pid_t pid, char *text, size_t size);

/* All of a small file of /proc/PID, up to 1 MB, with a '\0' behind it that is not counted in `length`. NULL
 * if it cannot be read; free() it. */
char *process_read(pid_t pid, const char *file, size_t *length);

/* A number of /proc/PID/status, such as "TracerPid"; 0 if it is not there. */
long process_status(pid_t pid, const char *key);

/* Bytes that the control groups of the process allow it, the least of its group's and of those above, as
 * Linux's version 1 and 2 have them; 0: no limit, or not known. memory_limit reads the text of
 * /proc/PID/cgroup, with the groups mounted in `mount`. */
unsigned long long process_memory_limit(pid_t pid);
unsigned long long memory_limit(const char *groups, const char *mount);

/* The path of a file in /proc that is what the process has mapped under this file name, though it may have
 * been removed or lie in a container. For root alone. False: nothing of that name is mapped. */
bool process_mapping(pid_t pid, const char *name, char *path, size_t size);

/* Whether the extension is loaded in it; false also if we may not know. */
bool process_has_extension(pid_t pid);

/* Whether exec would find the program: by its path, or in PATH if it is a mere name. */
bool program_found(const char *program);

/* The user's name, or the number as text. */
void user_name(uid_t uid, char *name, size_t size);

#endif
