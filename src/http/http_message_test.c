/* Tunnels: what one turn hands out, with frames kept apart or not. */
#include <criterion/criterion.h>

#include "base/buf.h"
#include "base/macros.h"
#include "http/http_message_internal.h"

static int n_drains, n_wakes;

static void on_read(struct http_tunnel *t, struct str bytes, void *arg)
{
    (void)t, (void)bytes, (void)arg;
}

static void on_drain(struct http_tunnel *t, void *arg)
{
    (void)t, (void)arg;
    n_drains++;
}

static void on_end(struct http_tunnel *t, int result, void *arg)
{
    (void)t, (void)result, (void)arg;
}

static void wake(void *owner)
{
    (void)owner;
    n_wakes++;
}

static const struct http_tunnel_ops ops = { on_read, on_drain, on_end };

/* What is handed out piece by piece, with '|' behind each; "!" when it is over. */
static struct str pieces(struct http_tunnel *t, struct buf *said)
{
    bool is_over = false, more = true;

    buf_reset(said);
    for (int i = 0; more && i < 100; i++) {
        size_t before = said->len;

        more = http_tunnel_produce(t, said, &is_over);
        if (said->len != before)
            buf_append_char(said, '|');
    }
    cr_expect_not(more, "it comes to an end");
    if (is_over)
        buf_append_char(said, '!');
    return buf_str(said);
}

#define EXPECT_PIECES(t, said, text)                                                               \
    cr_expect(str_eq(pieces(t, said), STR(text)), "%.*s", STR_ARG(buf_str(said)))

Test(http_tunnel, hands_out_what_there_is)
{
    struct http_tunnel *t = http_tunnel_new(&ops, NULL, wake, &n_wakes);
    CLEANUP(buf_done) struct buf said = { 0 };

    (void)http_tunnel_write(t, STR("\x81\x01"
                                   "a\x81\x01"
                                   "b"));
    EXPECT_PIECES(t, &said,
                  "\x81\x01"
                  "a\x81\x01"
                  "b|");
    http_tunnel_end(t, 0);
}

Test(http_tunnel, keeps_frames_apart)
{
    struct http_tunnel *t = http_tunnel_new(&ops, NULL, wake, &n_wakes);
    CLEANUP(buf_done) struct buf said = { 0 };

    (void)http_tunnel_write(t, STR("head"));
    http_tunnel_keep_frames(t);
    (void)http_tunnel_write(t, STR("\x81\x02"
                                   "ab\x82\x7e\x00\x03"
                                   "cde\x82\x7f\0\0\0\0\0\0\0\x01"
                                   "f\x8a\x00\x81\x81mask"
                                   "g\x81\x03h"));
    EXPECT_PIECES(t, &said,
                  "head|\x81\x02"
                  "ab|\x82\x7e\x00\x03"
                  "cde|\x82\x7f\0\0\0\0\0\0\0\x01"
                  "f|\x8a\x00|\x81\x81mask"
                  "g|\x81\x03h|");
    (void)http_tunnel_write(t, STR("ij\x82"));
    EXPECT_PIECES(t, &said, "ij|");
    (void)http_tunnel_write(t, STR("\x7e"));
    EXPECT_PIECES(t, &said, "");
    (void)http_tunnel_write(t, STR("\x00\x01k"));
    EXPECT_PIECES(t, &said, "\x82\x7e\x00\x01k|");
    (void)http_tunnel_write(t, STR("\x82"));
    http_tunnel_close(t);
    EXPECT_PIECES(t, &said, "\x82|!");
    http_tunnel_end(t, 0);
}

/* The writer waits until it is told: the head of a frame that it has not written to the end must
 * not make both wait. */
Test(http_tunnel, part_of_a_head_holds_nobody_back)
{
    static char frame[HTTP_TUNNEL_MARK_BYTES + 10] = "\x82\x7f\0\0\0\0\0\x02\0\0";
    struct http_tunnel *t = http_tunnel_new(&ops, NULL, wake, &n_wakes);
    CLEANUP(buf_done) struct buf said = { 0 };

    http_tunnel_keep_frames(t);
    cr_expect_not(http_tunnel_write(t, str_n(frame, sizeof(frame))));
    (void)http_tunnel_write(t, STR("\x82"));
    (void)pieces(t, &said);
    cr_expect_eq(n_drains, 1);
    http_tunnel_end(t, 0);
}
