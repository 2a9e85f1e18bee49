/*
 * pragma.h: control lines: #pragma D, and the line markers of the preprocessor.
 */
#ifndef DLANG_PRAGMA_H
#define DLANG_PRAGMA_H

struct lexer;

/* Obeys the control line whose '#' the lexer stands at, and moves behind its end. Does not return when the
   line is wrong. */
void pragma_line(struct lexer *lexer);

#endif
