/*
 * escape.h: names that a program chose, which may have anything in them, as each format can have them. They
 * are UTF-8.
 */
#ifndef VIEWER_ESCAPE_H
#define VIEWER_ESCAPE_H

#include "consumer/text.h"

/* One line for people: control characters as "\x0a". */
void escape_control(struct text *out, const char *string);

/* For content and quoted attributes of XML and HTML; what may not stand there, and line ends, as "\x0a". */
void escape_xml(struct text *out, const char *string);

/* A string of JavaScript with its quotes, without the '<' that would end a script of HTML. */
void escape_script(struct text *out, const char *string);

/* One line without a semicolon, for collapsed stacks. */
void escape_collapsed(struct text *out, const char *string);

#endif
