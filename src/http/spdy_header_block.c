#include "http/spdy_header_block.h"

#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/mem.h"
#include "http/http_message.h"

enum { WINDOW_BITS = 11, MEMORY_LEVEL = 1, HEADERS_MAX = 64 };

struct spdy_header_block {
    z_stream in, out;
};

/* The dictionary of SPDY/3 (2.6.10.1): these words, each with its length before it, and a tail. */
static const char *const words[] = {
    "options",
    "head",
    "post",
    "put",
    "delete",
    "trace",
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "connection",
    "content-base",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-md5",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "location",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "referer",
    "retry-after",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "method",
    "get",
    "status",
    "200 OK",
    "version",
    "HTTP/1.1",
    "url",
    "public",
    "set-cookie",
    "keep-alive",
    "origin",
};
static const char tail[] =
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request"
    "401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
    "503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, "
    "Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,"
    "application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,"
    "sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

static void append_u32(struct buf *b, uint32_t v)
{
    const char bytes[4] = { (char)(v >> 24), (char)(v >> 16), (char)(v >> 8), (char)v };

    buf_append(b, bytes, sizeof(bytes));
}

static void append_counted(struct buf *b, struct str s)
{
    append_u32(b, (uint32_t)s.len);
    buf_append_str(b, s);
}

static void build_dictionary(struct buf *b)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        append_counted(b, str_from_cstr(words[i]));
    buf_append(b, tail, sizeof(tail) - 1);
}

static const unsigned char *bytes_of(struct str s)
{
    return (const unsigned char *)s.p;
}

struct spdy_header_block *spdy_header_block_new(void)
{
    CLEANUP(buf_done) struct buf d = { 0 };
    struct spdy_header_block *z = NEW(struct spdy_header_block);

    build_dictionary(&d);
    if (inflateInit(&z->in) != Z_OK ||
        deflateInit2(&z->out, 1, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) !=
            Z_OK ||
        deflateSetDictionary(&z->out, bytes_of(buf_str(&d)), (uInt)d.len) != Z_OK)
        abort(); /* out of memory */
    return z;
}

void spdy_header_block_free(struct spdy_header_block *z)
{
    if (!z)
        return;
    (void)inflateEnd(&z->in);
    (void)deflateEnd(&z->out); /* nothing is pending */
    mem_free(z);
}

/* --- reading --- */

static int set_dictionary(z_stream *in)
{
    CLEANUP(buf_done) struct buf d = { 0 };

    build_dictionary(&d);
    return inflateSetDictionary(in, bytes_of(buf_str(&d)), (uInt)d.len);
}

static int expand(z_stream *in, struct str block, struct buf *out, size_t limit_bytes)
{
    int r = Z_OK;

    in->next_in = (unsigned char *)(uintptr_t)block.p; /* zlib does not write there */
    in->avail_in = (uInt)block.len;
    do {
        in->next_out = (unsigned char *)buf_reserve(out, 4096);
        in->avail_out = 4096;
        r = inflate(in, Z_SYNC_FLUSH);
        out->len += 4096 - in->avail_out;
        if (r == Z_NEED_DICT)
            r = set_dictionary(in);
        else if (r == Z_BUF_ERROR && in->avail_in == 0)
            return 0;
        if (r != Z_OK)
            return ERR_PROTOCOL;
        if (out->len > limit_bytes)
            return ERR_TOO_LARGE;
    } while (in->avail_in || in->avail_out == 0);
    return 0;
}

static bool take_u32(struct str *rest, uint32_t *ret)
{
    const unsigned char *p = bytes_of(*rest);

    if (rest->len < 4)
        return false;
    *ret = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    *rest = str_tail(*rest, 4);
    return true;
}

static bool take_counted(struct str *rest, struct str *ret)
{
    uint32_t n;

    if (!take_u32(rest, &n) || n > rest->len)
        return false;
    *ret = str_sub(*rest, 0, n);
    *rest = str_tail(*rest, n);
    return true;
}

int spdy_header_block_read(struct spdy_header_block *z, struct arena *a, struct str block,
                           size_t limit_bytes, const struct http_header **ret, size_t *ret_n)
{
    struct http_header *headers = ARENA_NEW_ARRAY(a, struct http_header, HEADERS_MAX);
    struct str rest, name, values, value;
    struct buf out;
    uint32_t pairs;
    size_t n = 0;
    int r;

    buf_init_arena(&out, a, 4096);
    r = expand(&z->in, block, &out, limit_bytes);
    if (r < 0)
        return r;
    rest = buf_str(&out);
    if (!take_u32(&rest, &pairs))
        return ERR_PROTOCOL;
    for (; pairs; pairs--) {
        if (!take_counted(&rest, &name) || !name.len || !take_counted(&rest, &values))
            return ERR_PROTOCOL;
        while (str_next(&values, '\0', &value)) {
            if (n == HEADERS_MAX)
                return ERR_TOO_LARGE;
            headers[n++] = (struct http_header){ name, value };
        }
    }
    *ret = headers;
    *ret_n = n;
    return rest.len ? ERR_PROTOCOL : 0;
}

/* --- writing --- */

void spdy_header_block_write(struct spdy_header_block *z, struct buf *out,
                             const struct http_header *headers, size_t n)
{
    CLEANUP(buf_done) struct buf plain = { 0 };
    size_t room;

    append_u32(&plain, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        append_counted(&plain, headers[i].name);
        append_counted(&plain, headers[i].value);
    }
    z->out.next_in = (unsigned char *)plain.p;
    z->out.avail_in = (uInt)plain.len;
    do {
        room = plain.len + 64;
        z->out.next_out = (unsigned char *)buf_reserve(out, room);
        z->out.avail_out = (uInt)room;
        (void)deflate(&z->out, Z_SYNC_FLUSH); /* cannot fail with room */
        out->len += room - z->out.avail_out;
    } while (z->out.avail_out == 0);
}
