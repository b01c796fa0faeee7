/* A WebSocket from both ends: the handshake, frames whole and in pieces, what a client may not do,
 * closing from either side, and what is held back. */
#include "http/websocket.h"

#include "base/arena.h"
#include "base/macros.h"
#include "http/http_fixture.h"

static struct http_fixture f;
static struct websocket *ws;
static struct buf seen; /* what the server's side was told */
static int n_ends, n_drains;
static bool names_any;

static void on_message(struct websocket *w, bool is_text, struct str bytes, void *arg)
{
    (void)w, (void)arg;
    buf_printf(&seen, "%c%zu:%.*s;", is_text ? 't' : 'b', bytes.len,
               (int)MIN(bytes.len, (size_t)64), bytes.p);
}

static void on_drain(struct websocket *w, void *arg)
{
    (void)w, (void)arg;
    n_drains++;
}

static void on_end(struct websocket *w, void *arg)
{
    (void)w, (void)arg;
    ws = NULL;
    n_ends++;
}

static const struct websocket_ops ops = { on_message, on_drain, on_end };

static void on_request(struct http_request *r, void *arg)
{
    static const struct str ours[] = { STR_INIT("v2"), STR_INIT("v1") };
    struct str protocol = websocket_choose(r, ours, ARRAY_LEN(ours), &names_any);

    (void)arg;
    if (!websocket_is_asked_for(r) || websocket_accept(r, protocol, &ops, NULL, &ws) < 0)
        http_respond(r, 400, NULL, 0, STR("no"));
}

#define GET "GET / HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: WebSocket\r\n"
#define KEY "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define V13 "sec-websocket-version: 13\r\n"

static bool has(const void *text)
{
    return f.is_over || str_contains(buf_str(&f.got), str_from_cstr(text));
}

static bool is_seen(const void *text)
{
    return n_ends || str_contains(buf_str(&seen), str_from_cstr(text));
}

static bool is_long(const void *n)
{
    return n_ends || f.got.len >= *(const size_t *)n;
}

static bool is_ended(const void *arg)
{
    (void)arg;
    return n_ends > 0;
}

static void ask(const char *request)
{
    http_fixture_start(&f, on_request, NULL);
    http_fixture_say(&f, request, strlen(request));
    http_fixture_until(&f, has, "\r\n\r\n");
}

static void open_one(void)
{
    ask(GET KEY V13 "\r\n");
    cr_assert(str_has_prefix(buf_str(&f.got), STR("HTTP/1.1 101 ")));
    cr_assert(ws);
    buf_reset(&f.got);
}

static void stop(void)
{
    http_fixture_stop(&f);
    cr_expect_eq(n_ends, 1, "the end is told once");
    buf_done(&seen);
}

/* A client's frame, masked; bits: FIN and opcode. */
static void say(unsigned bits, const char *text, size_t n)
{
    static const unsigned char mask[] = { 1, 2, 3, 4 };
    unsigned char frame[70000];
    size_t at = 0;

    frame[at++] = (unsigned char)bits;
    if (n < 126) {
        frame[at++] = (unsigned char)(0x80 | n);
    } else {
        frame[at++] = 0x80 | 126;
        frame[at++] = (unsigned char)(n >> 8);
        frame[at++] = (unsigned char)n;
    }
    memcpy(frame + at, mask, sizeof(mask));
    at += sizeof(mask);
    for (size_t i = 0; i < n; i++)
        frame[at++] = (unsigned char)text[i] ^ mask[i % 4];
    http_fixture_say(&f, frame, at);
}

Test(websocket, shakes_hands_as_in_the_rfc)
{
    ask(GET KEY V13 "sec-websocket-protocol: v9, v1\r\nsec-websocket-protocol: v2\r\n\r\n");
    cr_expect(has("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    cr_expect(has("sec-websocket-protocol: v1\r\n"), "the client's order counts");
    cr_expect(names_any);
    (void)close(f.fd);
    f.fd = -1;
    while (!n_ends)
        loop_turn(f.loop);
    stop();
}

Test(websocket, refuses_what_is_no_handshake)
{
    static const char *const requests[] = { GET V13 "\r\n", GET KEY "\r\n",
                                            GET KEY "sec-websocket-version: 8\r\n\r\n",
                                            "GET / HTTP/1.1\r\nhost: h\r\n" KEY V13 "\r\n" };

    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        ask(requests[i]);
        cr_expect(str_has_prefix(buf_str(&f.got), STR("HTTP/1.1 400 ")), "%s", requests[i]);
        cr_expect_not(ws);
        http_fixture_stop(&f);
    }
}

Test(websocket, takes_messages_and_their_pieces)
{
    open_one();
    say(0x81, "hello", 5);
    say(0x82, "\x01\x02", 2);
    say(0x02, "abc", 3); /* begins */
    say(0x89, "ping", 4);
    say(0x80, "def", 3); /* ends */
    http_fixture_until(&f, is_seen, "abcdef");
    cr_expect(str_eq(buf_str(&seen), STR("t5:hello;b2:\x01\x02;b6:abcdef;")), "%.*s",
              STR_ARG(buf_str(&seen)));
    http_fixture_until(&f, has, "\x8a\x04ping"); /* the pong */
    (void)shutdown(f.fd, SHUT_RDWR);
    http_fixture_until(&f, is_ended, NULL);
    stop();
}

Test(websocket, takes_what_comes_byte_by_byte)
{
    static const unsigned char frame[] = { 0x81, 0x82, 0, 0, 0, 0, 'h', 'i' };

    open_one();
    for (size_t i = 0; i < sizeof(frame); i++) {
        http_fixture_say(&f, frame + i, 1);
        loop_turn(f.loop);
    }
    http_fixture_until(&f, is_seen, "t2:hi;");
    cr_expect_eq(n_ends, 0);
    websocket_close(ws, 1000, STR(""));
    http_fixture_until(&f, is_ended, NULL);
    stop();
}

Test(websocket, sends_frames_of_every_length)
{
    char text[70000];

    memset(text, 'x', sizeof(text));
    open_one();
    cr_expect(websocket_send(ws, true, STR("hi")));
    http_fixture_until(&f, has, "\x81\x02hi");
    buf_reset(&f.got);
    cr_expect(websocket_send(ws, false, str_n(text, 300)));
    http_fixture_until(&f, has, "\x82\x7e\x01\x2cx");
    cr_expect(websocket_send(ws, false, STR("")));
    http_fixture_until(&f, is_long, &(size_t){ 4 + 300 + 2 });
    buf_reset(&f.got);
    (void)websocket_send(ws, false, str_n(text, sizeof(text)));
    http_fixture_until(&f, is_long, &(size_t){ 10 + sizeof(text) });
    cr_expect(str_has_prefix(buf_str(&f.got), str_n("\x82\x7f\0\0\0\0\0\x01\x11\x70", 10)));
    cr_expect_eq(n_ends, 0);
    websocket_close(ws, 1000, STR(""));
    http_fixture_until(&f, is_ended, NULL);
    stop();
}

Test(websocket, a_client_must_mask)
{
    open_one();
    http_fixture_say(&f, "\x81\x02hi", 4);
    http_fixture_until(&f, is_ended, NULL);
    cr_expect_eq(seen.len, 0);
    stop();
}

Test(websocket, a_message_that_is_too_long_ends_it)
{
    static const unsigned char frame[] = { 0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4, 5 };

    open_one(); /* 1 GiB is announced */
    http_fixture_say(&f, frame, sizeof(frame));
    http_fixture_until(&f, is_ended, NULL);
    cr_expect_eq(seen.len, 0);
    stop();
}

Test(websocket, text_must_be_utf8)
{
    open_one();
    say(0x81, "\xff\xfe", 2);
    http_fixture_until(&f, is_ended, NULL);
    cr_expect_eq(seen.len, 0);
    stop();
}

Test(websocket, a_goodbye_is_answered)
{
    open_one();
    say(0x88, "\x03\xe8", 2); /* 1000 */
    http_fixture_until(&f, has, "\x88\x02\x03\xe8");
    http_fixture_until(&f, is_ended, NULL);
    say(0x81, "late", 4);
    stop();
}

Test(websocket, says_goodbye)
{
    open_one();
    websocket_close(ws, 1011, STR("why"));
    websocket_close(ws, 1000, STR("again"));
    cr_expect(websocket_send(ws, true, STR("late")), "nobody to hold back for");
    http_fixture_until(&f, has, "\x88\x05\x03\xf3why");
    cr_expect_not(str_contains(buf_str(&f.got), STR("late")));
    say(0x88, "\x03\xf3", 2);
    http_fixture_until(&f, is_ended, NULL);
    stop();
}

Test(websocket, who_does_not_read_holds_back)
{
    static char block[65536];
    bool is_full = false;

    memset(block, 'z', sizeof(block));
    open_one();
    for (int i = 0; i < 1000 && !is_full; i++) {
        is_full = !websocket_send(ws, false, str_n(block, sizeof(block)));
        loop_turn(f.loop);
    }
    cr_assert(is_full, "64 MiB are never all taken");
    cr_expect_eq(n_drains, 0);
    while (!n_drains) {
        buf_reset(&f.got);
        http_fixture_read(&f);
        loop_turn(f.loop);
    }
    cr_expect_eq(n_ends, 0);
    (void)shutdown(f.fd, SHUT_RDWR);
    while (!n_ends)
        loop_turn(f.loop);
    stop();
}

static void ask_for_pongs(int n)
{
    static char text[125];

    for (int i = 0; i < n; i++) {
        say(0x89, text, sizeof(text));
        loop_turn(f.loop);
    }
}

Test(websocket, who_asks_for_pongs_and_never_reads_is_cut_off)
{
    static char block[65536];

    open_one();
    while (websocket_send(ws, false, str_n(block, sizeof(block))))
        loop_turn(f.loop);
    ask_for_pongs(1000);
    say(0x81, "borne", 5);
    while (!is_seen("borne"))
        loop_turn(f.loop);
    cr_expect_eq(n_ends, 0);
    ask_for_pongs(1);
    ask_for_pongs(1000); /* passed over */
    say(0x81, "late", 4);
    while (!f.is_over && !is_seen("late")) { /* what was said before is still to be had */
        buf_reset(&f.got);
        http_fixture_read(&f);
        loop_turn(f.loop);
    }
    cr_expect_not(str_contains(buf_str(&seen), STR("late")));
    cr_expect_eq(n_ends, 1);
    stop();
}

Test(websocket, reading_can_stop)
{
    open_one();
    websocket_set_reading(ws, false);
    say(0x81, "held", 4);
    for (int i = 0; i < 20; i++)
        loop_turn(f.loop);
    cr_expect_eq(seen.len, 0);
    websocket_set_reading(ws, true);
    http_fixture_until(&f, is_seen, "held");
    websocket_close(ws, 1000, STR(""));
    http_fixture_until(&f, is_ended, NULL);
    stop();
}
