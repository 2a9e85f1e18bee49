/*
 * The USDT notes of an ELF file: which instruction is the site of which probe. Shared by the agent, for the
 * interpreter's own probes, and the command, for ours.
 */
#ifndef NOTES_H
#define NOTES_H

#include <stddef.h>

struct usdt_note {
    char name[48];                /* of the probe, "function-entry" */
    unsigned long long offset;    /* of the site, in bytes from the start of the file */
    unsigned long long semaphore; /* its address, before the file is loaded somewhere; 0: it has none */
};

/* Reads the notes of a provider; at most `room` of them. The file is not trusted. Returns how many there are,
 * 0 also where it is no ELF file of this kind of machine, or cannot be read. */
size_t usdt_notes(const char *path, const char *provider, struct usdt_note *notes, size_t room);

#endif
