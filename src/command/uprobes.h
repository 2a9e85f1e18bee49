/*
 * The uprobes that somebody has set, in the words of the kernel: of BPF links in /proc/PID/fdinfo, of perf
 * events with a BPF program by bpf(2), of tracefs in its list of events.
 */
#ifndef UPROBES_H
#define UPROBES_H

#include "../agent/control.h"

struct uprobe {
    char path[CONTROL_PATH_MAX]; /* of the traced file, as its holder or the reader of /proc sees it */
    unsigned long long offset;   /* of the instruction in it, in bytes */
    pid_t only;                  /* set in this process alone; 0: in all, or not known */
};

/* Takes the uprobes out of the fdinfo of a BPF link, which it changes. Calls `seen` for each. */
void uprobes_in_link(char *fdinfo, void (*seen)(void *context, const struct uprobe *uprobe), void *context);

enum event_kind {
    EVENT_UPROBE,   /* *uprobe is set */
    EVENT_UNTOLD,   /* no BPF program hears it, and then nobody tells what it is */
    EVENT_UNRELATED /* another event, or we may not know */
};

/* What the perf event is that a process has as descriptor `fd`. Of others' processes root alone is told. */
enum event_kind uprobe_of_event(pid_t pid, int fd, struct uprobe *uprobe);

/* Takes apart a line of tracefs's uprobe_events; the event's name as perf has it, "group:event". False: it is
 * none that fires at the start of a function, or makes no sense. */
bool uprobe_in_tracefs(const char *line, char *name, size_t size, struct uprobe *uprobe);

#endif
