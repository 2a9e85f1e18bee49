/*
 * terminal.h: the terminal as a screen: keys as they are pressed, a screen of its own that goes as it came,
 * on every way out. By termios and the sequences that every terminal of today knows. One at a time; main
 * thread.
 */
#ifndef VIEWER_TERMINAL_H
#define VIEWER_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* What has come since the last look. */
struct terminal_events {
    bool end;      /* by a signal or a key that stands for one, or because the terminal is gone */
    bool suspend;  /* it shall be stopped: terminal_suspend */
    bool redraw;   /* another size, or back from a stop: all is to be drawn again */
    char keys[16]; /* those that were pressed; a string */
};

/* Whether standard output is a terminal on which a screen can be drawn. */
bool terminal_usable(void);

/* Whether it shows UTF-8, as the locale's variables say. */
bool terminal_is_utf8(void);

/* Whether colors are wanted: NO_COLOR. */
bool terminal_has_colors(void);

/* Takes the terminal over; after signals_catch. False after a message. */
bool terminal_open(void);

/* Gives it back as it was. Nothing if it has not been taken over. */
void terminal_close(void);

/* Gives it back, stops this process until it is continued, and takes it over again. */
void terminal_suspend(void);

/* Where keys come from, for poll; -1: none can come. */
int terminal_keys(void);

void terminal_size(unsigned *columns, unsigned *rows);

/* Writes it all, at once. False: the terminal is gone, or a signal has come while it did not take any more.
 */
bool terminal_write(const char *bytes, size_t length);

/* Takes what has come, without waiting. */
struct terminal_events terminal_take(void);

#endif
