/* Questions over UDP, so many at a time; or a server that only echoes, which is the floor.
 *
 *   dns_load --port P [--address A] -n QUESTIONS -m AT_A_TIME NAME...
 *   dns_load --echo P
 *
 * Prints one line: questions per second, latency percentiles in microseconds, how many failed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "dns/dns_message.h"

enum { MAX_AT_A_TIME = 1024, LOST_MS = 2000 };

struct load {
    const char *address;
    uint16_t port;
    size_t questions, at_a_time, sent, answered, failed;
    char **names;
    size_t n_names;
    int64_t since_ns[65536]; /* by identity; 0: none under way */
    uint32_t *latency_us;
    int fd;
};

static void send_one(struct load *l)
{
    struct dns_query q = { .type = DNS_A, .klass = 1 };
    CLEANUP(buf_done) struct buf b = { 0 };
    uint16_t id = (uint16_t)l->sent;

    (void)snprintf(q.name, sizeof(q.name), "%s", l->names[l->sent % l->n_names]);
    dns_question_print(&b, &q);
    b.p[0] = (char)(id >> 8);
    b.p[1] = (char)id;
    l->since_ns[id] = clock_system.mono_ns(&clock_system);
    l->sent++;
    if (send(l->fd, b.p, b.len, 0) < 0)
        l->failed++;
}

static void take_one(struct load *l, const unsigned char *m, bool is_echo)
{
    uint16_t id = (uint16_t)(m[0] << 8 | m[1]);

    if (!l->since_ns[id])
        return;
    l->latency_us[l->answered++] =
        (uint32_t)((clock_system.mono_ns(&clock_system) - l->since_ns[id]) / 1000);
    l->since_ns[id] = 0;
    /* That a name is not there is an answer too. */
    if (!is_echo && ((m[3] & 0x0f) == DNS_NOERROR ? !m[7] : (m[3] & 0x0f) != DNS_NXDOMAIN))
        l->failed++;
    if (l->sent < l->questions)
        send_one(l);
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static int run_load(struct load *l, bool is_echo)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(l->port) };
    unsigned char m[65536];
    int64_t begin;
    double s;

    l->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (inet_pton(AF_INET, l->address, &to.sin_addr) != 1 ||
        connect(l->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        return 1;
    l->latency_us = mem_zalloc(l->questions * sizeof(uint32_t));
    begin = clock_system.mono_ns(&clock_system);
    while (l->sent < MIN(l->at_a_time, l->questions))
        send_one(l);
    while (l->answered < l->questions) {
        struct pollfd p = { .fd = l->fd, .events = POLLIN };
        ssize_t n = recv(l->fd, m, sizeof(m), MSG_DONTWAIT);

        if (n >= 12)
            take_one(l, m, is_echo);
        else if (n < 0 && errno == EAGAIN && poll(&p, 1, LOST_MS) == 0)
            break; /* what is still out is lost */
    }
    s = (double)(clock_system.mono_ns(&clock_system) - begin) / 1e9;
    l->failed += l->questions - l->answered;
    qsort(l->latency_us, l->answered, sizeof(uint32_t), by_size);
    if (!l->answered)
        return 1;
    printf("requests_per_s=%.0f p50_us=%u p99_us=%u max_us=%u failed=%zu\n",
           (double)l->answered / s, l->latency_us[l->answered / 2],
           l->latency_us[l->answered * 99 / 100], l->latency_us[l->answered - 1], l->failed);
    return l->failed ? 1 : 0;
}

static int run_echo(uint16_t port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_storage from;
    char m[4096];

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
        return 1;
    for (;;) {
        socklen_t len = sizeof(from);
        ssize_t n = recvfrom(fd, m, sizeof(m), 0, (struct sockaddr *)&from, &len);

        if (n > 0)
            (void)!sendto(fd, m, (size_t)n, 0, (struct sockaddr *)&from, len);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = { { "port", required_argument, NULL, 'p' },
                                             { "address", required_argument, NULL, 'a' },
                                             { "echo", required_argument, NULL, 'e' },
                                             { "of-echo", no_argument, NULL, 'o' },
                                             { 0 } };
    static struct load l = { .address = "127.0.0.1", .questions = 100000, .at_a_time = 64 };
    bool is_echo = false;
    int c;

    while ((c = getopt_long(argc, argv, "n:m:", options, NULL)) != -1) {
        unsigned long v = optarg ? strtoul(optarg, NULL, 10) : 0;

        if (c == 'e')
            return run_echo((uint16_t)v);
        if (c == 'p')
            l.port = (uint16_t)v;
        else if (c == 'a')
            l.address = optarg;
        else if (c == 'n')
            l.questions = v;
        else if (c == 'm')
            l.at_a_time = MIN(v, (unsigned long)MAX_AT_A_TIME);
        else if (c == 'o')
            is_echo = true;
        else
            return 2;
    }
    l.names = argv + optind;
    l.n_names = (size_t)(argc - optind);
    if (!l.n_names || !l.questions)
        return 2;
    return run_load(&l, is_echo);
}
