#include "io/tcp.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/macros.h"

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);

    cr_assert_eq(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static void ignore(struct tcp_stream *s, int events)
{
    (void)s, (void)events;
}

Test(tcp, probes_a_silent_peer)
{
    static const struct {
        uint32_t after_ms, probe_ms;
        int idle_s, interval_s, user_ms;
    } rows[] = {
        { 30000, 15000, 30, 5, 45000 },
        { 100, 50, 1, 1, 150 },
        { UINT32_MAX, 1000, 32767, 1, -1 },
    };
    struct loop *l = loop_new(&clock_system);

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct tcp_stream s;

        cr_assert_eq(tcp_stream_open(&s, l, fd, ignore), 0);
        tcp_stream_detect_death(&s, rows[i].after_ms, rows[i].probe_ms);
        cr_assert_eq(option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
        cr_assert_eq(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), rows[i].idle_s);
        cr_assert_eq(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), rows[i].interval_s);
        if (rows[i].user_ms >= 0)
            cr_assert_eq(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), rows[i].user_ms);
        tcp_stream_close(&s);
    }
    loop_free(l);
}

Test(tcp, takes_numeric_addresses_alone)
{
    struct loop *l = loop_new(&clock_system);
    struct tcp_stream s = { 0 };
    struct err err;

    cr_assert_eq(tcp_stream_connect(&s, l, "localhost", 1, ignore, &err), ERR_INVALID);
    cr_assert(strstr(err.text, "localhost"));
    tcp_stream_close(&s);
    loop_free(l);
}
