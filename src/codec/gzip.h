/* gzip (RFC 1952) of whole texts, by zlib. */
#pragma once

#include <stddef.h>

#include "base/str.h"

struct arena;
struct buf;

int gzip_compress(struct buf *b, struct str text, int level); /* appends; 0, negative on failure */
/* The text of gzip bytes, at most limit_bytes of it (ERR_TOO_LARGE); ERR_CORRUPT. */
int gzip_expand(struct arena *a, struct str bytes, size_t limit_bytes, struct str *ret);
