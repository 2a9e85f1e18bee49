/*
 * stack.c: the Python stack of the thread of an event, as text, and its depth.
 */
#include "events.h"
#include "internal.h"
#include "threads.h"

#include <errno.h>
#include <stdio.h>

/* Text of a bounded length, which is cut where it is full. */
struct text {
    char *start;
    size_t length, size;
};

static void text_add(struct text *text, const char *piece) {
    while (*piece && text->length + 1 < text->size)
        text->start[text->length++] = *piece++;
}

static void add_frame(struct text *text, const char *func, const char *file, int line) {
    char number[16];
    snprintf(number, sizeof number, ":%d)", line);
    if (text->length)
        text_add(text, "\n");
    text_add(text, func ? func : "?");
    text_add(text, " (");
    text_add(text, file ? file : "?");
    text_add(text, number);
}

static void add_running_frame(struct text *text, PyThreadState *tstate, compat_frame *frame) {
    PyCodeObject *code = compat_frame_code(frame);
    Py_ssize_t index = thread_extra_index(compat_tstate_interpreter(tstate));
    int instruction = compat_frame_instruction(frame, code);
    bool moving = memory_moves(compat_code_extra_block(code));
    struct code_record *record = index < 0 || moving ? NULL : code_record(code, index);
    if (!record && !moving)
        record = code_record_make(code, index, frame);
    if (record)
        add_frame(text, record->func, record->file, code_line_or_entry(record, code, instruction));
    else
        add_frame(text, code_utf8(code->co_name), code_utf8(code->co_filename),
                  instruction < 0 ? compat_code_entry_line(code) : PyCode_Addr2Line(code, instruction));
}

static bool is_full(const struct text *text) {
    return text->length + 1 >= text->size;
}

size_t hooks_stack(const struct event *event, char *start, size_t size, uint32_t frames) {
    if (!size)
        return 0;
    int saved_errno = errno;
    bool muted = memory_mute();
    struct text text = {.start = start, .size = size};
    PyThreadState *tstate = compat_current_tstate();
    if (event->frame_absent && frames) {
        const struct code_record *code = event->code;
        add_frame(&text, code ? code->func : NULL, code ? code->file : NULL, (int)event->arguments[2]);
        frames--;
    }
    compat_frame *frame = tstate ? compat_stack_top(tstate) : NULL;
    for (; frame && frames && !is_full(&text); frame = compat_stack_next(frame), frames--)
        add_running_frame(&text, tstate, frame);
    text.start[text.length] = '\0';
    memory_unmute(muted);
    errno = saved_errno;
    return text.length;
}

uint32_t hooks_stackdepth(const struct event *event) {
    uint32_t depth = event->frame_absent ? 1 : 0;
    PyThreadState *tstate = compat_current_tstate();
    for (compat_frame *frame = tstate ? compat_stack_top(tstate) : NULL; frame;
         frame = compat_stack_next(frame))
        depth++;
    return depth;
}
