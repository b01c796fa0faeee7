/* SPDY's header blocks: names and values with their lengths, through one zlib stream for each
 * direction of a connection that both begin with the specification's dictionary. */
#pragma once

#include <stddef.h>

#include "base/str.h"

struct arena;
struct buf;
struct http_header;
struct spdy_header_block;

struct spdy_header_block *spdy_header_block_new(void);
void spdy_header_block_free(struct spdy_header_block *z); /* accepts NULL */
/* Into the arena; a name with several values gives several headers. Blocks must come in the
 * connection's order, each once. ERR_TOO_LARGE over limit_bytes, ERR_PROTOCOL. */
int spdy_header_block_read(struct spdy_header_block *z, struct arena *a, struct str block,
                           size_t limit_bytes, const struct http_header **ret, size_t *ret_n);
void spdy_header_block_write(struct spdy_header_block *z, struct buf *out,
                             const struct http_header *headers, size_t n);
