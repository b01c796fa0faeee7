#include "http/spdy.h"

#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/buf.h"
#include "http/http_message.h"
#include "http/spdy_header_block.h"

static struct buf sent, seen;
static bool is_full;

static bool write_sent(void *to, struct str bytes)
{
    (void)to;
    buf_append_str(&sent, bytes);
    return !is_full;
}

static void *on_stream(struct spdy *s, uint32_t id, const struct http_header *h, size_t n,
                       void *arg)
{
    (void)s, (void)arg;
    buf_printf(&seen, "open %u", id);
    for (size_t i = 0; i < n; i++)
        buf_printf(&seen, " %.*s=%.*s", STR_ARG(h[i].name), STR_ARG(h[i].value));
    buf_append_lit(&seen, ";");
    return n ? &seen : NULL;
}

static void on_data(struct spdy *s, void *stream, struct str bytes, void *arg)
{
    (void)s, (void)stream, (void)arg;
    buf_append_str(&seen, bytes);
}

static void on_finish(struct spdy *s, void *stream, void *arg)
{
    (void)s, (void)stream, (void)arg;
    buf_append_lit(&seen, ";finish;");
}

static void on_reset(struct spdy *s, void *stream, void *arg)
{
    (void)s, (void)stream, (void)arg;
    buf_append_lit(&seen, ";reset;");
}

static void on_drain(struct spdy *s, void *arg)
{
    (void)s, (void)arg;
}

static void on_end(struct spdy *s, void *arg)
{
    (void)s, (void)arg;
    buf_append_lit(&seen, "end");
}

static const struct spdy_ops ops = { on_stream, on_data, on_finish, on_reset, on_drain, on_end };

static void append_u32(struct buf *b, uint32_t v)
{
    const char p[4] = { (char)(v >> 24), (char)(v >> 16), (char)(v >> 8), (char)v };

    buf_append(b, p, 4);
}

static void append_open(struct buf *b, struct spdy_header_block *z, uint32_t id, size_t n)
{
    static const struct http_header h[] = { { STR_INIT("streamtype"), STR_INIT("stdin") } };
    CLEANUP(buf_done) struct buf block = { 0 };

    spdy_header_block_write(z, &block, h, n);
    append_u32(b, 0x80030001U);
    append_u32(b, (uint32_t)block.len + 10);
    append_u32(b, id);
    append_u32(b, 0);
    buf_append(b, "\0\0", 2);
    buf_append_str(b, buf_str(&block));
}

static void append_data(struct buf *b, uint32_t id, uint32_t flags, struct str bytes)
{
    append_u32(b, id);
    append_u32(b, flags << 24 | (uint32_t)bytes.len);
    buf_append_str(b, bytes);
}

/* The bytes as one piece, or one by one, mean the same. */
static void check(struct str bytes, size_t step, const char *wanted, bool is_closing)
{
    struct spdy *s = spdy_new(&ops, NULL, write_sent, NULL);

    buf_reset(&sent);
    buf_reset(&seen);
    for (size_t i = 0; i < bytes.len; i += step)
        spdy_feed(s, str_sub(bytes, i, i + step));
    cr_expect_eq(spdy_is_closing(s), is_closing);
    spdy_end(s);
    cr_expect_str_eq(buf_cstr(&seen), wanted);
    buf_done(&sent);
    buf_done(&seen);
}

Test(spdy, streams)
{
    struct spdy_header_block *z = spdy_header_block_new();
    struct buf b = { 0 };

    append_open(&b, z, 1, 1);
    append_data(&b, 1, 0, STR("abc"));
    append_open(&b, z, 3, 0); /* refused */
    append_data(&b, 3, 0, STR("lost"));
    append_data(&b, 1, 1, STR("d"));
    append_data(&b, 1, 0, STR("behind the end"));
    for (size_t step = 1; step < 100; step *= 7)
        check(buf_str(&b), step, "open 1 streamtype=stdin;abcopen 3;d;finish;end", false);
    buf_done(&b);
    spdy_header_block_free(z);
}

Test(spdy, refuses_what_is_wrong)
{
    struct spdy_header_block *z = spdy_header_block_new();
    struct buf b = { 0 };

    append_open(&b, z, 2, 1); /* ours to open */
    check(buf_str(&b), 1000, "end", true);
    buf_reset(&b);
    append_data(&b, 5, 0, STR("of no stream"));
    check(buf_str(&b), 1000, "end", true);
    check(STR("\x80\x03\x00\x06\x00\xff\xff\xff"), 1000, "end", true);         /* too long */
    check(STR("\x80\x02\x00\x06\x00\x00\x00\x04\0\0\0\1"), 1000, "end", true); /* SPDY/2 */
    buf_done(&b);
    spdy_header_block_free(z);
}

Test(spdy, answers_pings)
{
    struct spdy *s = spdy_new(&ops, NULL, write_sent, NULL);
    struct str ping = STR("\x80\x03\x00\x06\x00\x00\x00\x04\0\0\0\1");

    spdy_feed(s, ping);
    cr_expect(str_eq(buf_str(&sent), ping));
    is_full = true; /* nobody reads the answers: there is an end to them */
    for (int i = 0; i < 5000; i++)
        spdy_feed(s, ping);
    cr_expect(spdy_is_closing(s));
    cr_expect_lt(sent.len, 1100 * ping.len);
    spdy_end(s);
    buf_done(&sent);
    buf_done(&seen);
}

Test(spdy, header_blocks_have_a_limit)
{
    struct spdy_header_block *out = spdy_header_block_new(), *in = spdy_header_block_new();
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(buf_done) struct buf block = { 0 };
    char many[100000];
    struct http_header h = { STR("x"), str_n(many, sizeof(many)) };
    const struct http_header *got;
    size_t n;

    memset(many, 'a', sizeof(many));
    spdy_header_block_write(out, &block, &h, 1);
    cr_expect_lt(block.len, 2000);
    cr_expect_lt(spdy_header_block_read(in, &a, buf_str(&block), 16384, &got, &n), 0);
    spdy_header_block_free(in);
    spdy_header_block_free(out);
}
