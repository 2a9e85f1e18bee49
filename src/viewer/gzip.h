/*
 * gzip.h: bytes as a gzip file, for readers that expect one. They are stored, not compressed.
 */
#ifndef VIEWER_GZIP_H
#define VIEWER_GZIP_H

#include "consumer/text.h"

void gzip_stored(struct text *out, const char *bytes, size_t length);

#endif
