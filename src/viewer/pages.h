/*
 * pages.h: the scripts and styles in pages/, embedded when the command is built.
 */
#ifndef VIEWER_PAGES_H
#define VIEWER_PAGES_H

extern const char page_flamegraph_css[], page_flamegraph_js[]; /* of every flame graph */
extern const char page_page_css[], page_page_js[];             /* of the page around it */

#endif
