#include "codec/gzip.h"

#include <stdint.h>
#include <zlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { GZIP_WINDOW = 15 + 16 /* with gzip's header */, GZIP_MEMORY = 8 };

static unsigned char *input_of(struct str s)
{
    return (unsigned char *)(uintptr_t)s.p; /* zlib does not write there */
}

int gzip_compress(struct buf *b, struct str text, int level)
{
    z_stream z = { 0 };
    int r;

    if (text.len > UINT32_MAX)
        return ERR_TOO_LARGE;
    if (deflateInit2(&z, level, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        return ERR_INVALID;
    z.next_in = input_of(text);
    z.avail_in = (uInt)text.len;
    z.avail_out = (uInt)deflateBound(&z, text.len);
    z.next_out = (unsigned char *)buf_reserve(b, z.avail_out);
    r = deflate(&z, Z_FINISH);
    b->len += z.total_out;
    (void)deflateEnd(&z); /* nothing is pending */
    return r == Z_STREAM_END ? 0 : ERR_INVALID;
}

int gzip_expand(struct arena *a, struct str bytes, size_t limit_bytes, struct str *ret)
{
    struct buf out;
    z_stream z = { 0 };
    int r = Z_OK;

    if (bytes.len > UINT32_MAX || inflateInit2(&z, GZIP_WINDOW) != Z_OK)
        return ERR_CORRUPT;
    buf_init_arena(&out, a, bytes.len * 4);
    z.next_in = input_of(bytes);
    z.avail_in = (uInt)bytes.len;
    while (r == Z_OK && out.len <= limit_bytes) {
        z.next_out = (unsigned char *)buf_reserve(&out, 16384);
        z.avail_out = 16384;
        r = inflate(&z, Z_NO_FLUSH);
        out.len += 16384 - z.avail_out;
    }
    (void)inflateEnd(&z); /* nothing is pending */
    if (out.len > limit_bytes)
        return ERR_TOO_LARGE;
    if (r != Z_STREAM_END)
        return ERR_CORRUPT;
    *ret = buf_str(&out);
    return 0;
}
