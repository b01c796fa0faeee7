/* Services in the kernel, without an API: what the proxy does from a changed EndpointSlice on, in
 * the network namespace that it is started in (bench/services makes one).
 *
 *   bench-services SERVICES ENDPOINTS SCRIPT     so many Services with so many endpoints each
 *
 * Prints lines of name=value: loading it all by nft(8); the change of one endpoint (worked out and
 * sent to the kernel; of that the kernel's part, which is the floor); connections through the last
 * Service, whose endpoint is here, beside connections to that endpoint. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/resource.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "net/netlink.h"
#include "net/nft_batch.h"
#include "proxy/proxy_ledger.h"

enum { CHANGES = 201, CONNECTIONS = 10000, PER_SLICE = 100, HERE_PORT = 8080 };

struct bench {
    size_t services, endpoints;
    struct nft_batch *batch;
    struct proxy_ledger *ledger;
    struct netlink *netfilter;
};

static int64_t now_us(void)
{
    return clock_system.mono_ns(&clock_system) / 1000;
}

static void fail(const struct err *err)
{
    (void)fprintf(stderr, "bench-services: %s\n", err->text);
    exit(1);
}

static struct api_object *decode(const char *group, const char *resource, struct buf *json)
{
    struct api_object *o;
    struct err err;

    if (api_object_decode(resource_find(str_from_cstr(group), STR("v1"), str_from_cstr(resource)),
                          buf_str(json), &o, &err) < 0)
        fail(&err);
    buf_reset(json);
    return o;
}

static void on_free(struct str owner, void *arg)
{
    (void)owner;
    (void)arg;
}

/* The i-th Service at 10.96.x.y:80. */
static struct api_object *service(size_t i)
{
    CLEANUP(buf_done) struct buf b = { 0 };

    buf_printf(&b,
               "{\"metadata\":{\"name\":\"s%zu\",\"namespace\":\"d\"},\"spec\":{\"clusterIP\":"
               "\"10.%zu.%zu.%zu\",\"ports\":[{\"port\":80,\"protocol\":\"TCP\"}]}}",
               i, 96 + (i >> 16), i >> 8 & 255, i & 255);
    return decode("", "services", &b);
}

/* Endpoints [from, to) of the i-th Service; the one numbered `odd` has another address, or is not
 * there. */
static struct api_object *slice(size_t i, size_t from, size_t to, size_t odd, bool is_missing)
{
    const char *comma = "";

    CLEANUP(buf_done) struct buf b = { 0 };

    buf_printf(&b,
               "{\"metadata\":{\"name\":\"s%zu-%zu\",\"namespace\":\"d\"},\"addressType\":\"IPv4\","
               "\"ports\":[{\"name\":\"\",\"protocol\":\"TCP\",\"port\":%d}],\"endpoints\":[",
               i, from, HERE_PORT);
    for (size_t e = from; e < to; e++) {
        size_t n = e + (e == odd ? 1 << 20 : 0) + (i << 7);

        if (e == odd && is_missing)
            continue;
        buf_printf(&b, "%s{\"addresses\":[\"10.%zu.%zu.%zu\"],\"conditions\":{\"ready\":true}}",
                   comma, 160 + (n >> 16 & 63), n >> 8 & 255, n & 255);
        comma = ",";
    }
    buf_append_lit(&b, "]}");
    return decode("discovery.k8s.io", "endpointslices", &b);
}

static void work_out(struct bench *b, const struct api_object *service,
                     const struct api_object *const *slices, size_t n)
{
    struct service_rules_input in = { .service = service, .slices = slices, .n_slices = n };
    struct proxy_elements e = { 0 };

    service_rules(&in, &e);
    proxy_ledger_replace(b->ledger, service->key, &e);
}

/* All slices of a Service. */
static size_t slices_of(struct bench *b, size_t i, size_t odd, const struct api_object **ret)
{
    size_t n = 0;

    for (size_t from = 0; from < b->endpoints; from += PER_SLICE)
        ret[n++] = slice(i, from, MIN(from + PER_SLICE, b->endpoints), odd, false);
    return n;
}

/* --- all of it --- */

static void run_nft(const char *script)
{
    const char *const argv[] = { "nft", "-f", script, NULL };
    pid_t pid = fork();
    int status = 1;

    if (pid == 0) {
        (void)execvp(argv[0], (char **)(uintptr_t)argv);
        _exit(127);
    }
    if (waitpid(pid, &status, 0) != pid || status != 0)
        exit(1);
}

static void load(struct bench *b, const char *script)
{
    CLEANUP(buf_done) struct buf text = { 0 };
    const struct api_object **slices = mem_zalloc((b->endpoints / PER_SLICE + 1) * sizeof(*slices));
    const struct proxy_element *e;
    int64_t begin = now_us(), worked_out, printed;
    size_t at = 0, n;
    FILE *f;

    for (size_t i = 0; i < b->services; i++) {
        const struct api_object *s = service(i);

        n = slices_of(b, i, SIZE_MAX, slices);
        work_out(b, s, slices, n);
        while (n)
            api_object_unref(slices[--n]);
        api_object_unref(s);
        nft_batch_reset(b->batch);
    }
    mem_free(slices);
    worked_out = now_us();
    proxy_table_print(&text, &(struct proxy_layout){ .table = "bench" });
    while ((e = proxy_ledger_next(b->ledger, &at)))
        proxy_element_print(&text, "bench", e);
    f = fopen(script, "we");
    if (!f || fwrite(text.p, 1, text.len, f) != text.len || fclose(f) != 0)
        exit(1);
    printed = now_us();
    run_nft(script);
    printf(
        "services=%zu endpoints=%zu elements=%zu text_mb=%.1f worked_out_ms=%lld loaded_ms=%lld\n",
        b->services, b->endpoints, proxy_ledger_len(b->ledger), (double)text.len / 1e6,
        (long long)(worked_out - begin) / 1000, (long long)(now_us() - printed) / 1000);
}

/* --- one endpoint --- */

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int64_t median(int64_t *v, size_t n)
{
    qsort(v, n, sizeof(*v), by_size);
    return v[n / 2];
}

/* To another address, or away and back. */
static void change(struct bench *b, bool goes)
{
    static int64_t whole[CHANGES], kernel[CHANGES];
    size_t n_slices = (b->endpoints + PER_SLICE - 1) / PER_SLICE, bytes = 0, elements = 0;
    const struct api_object **slices = mem_zalloc(n_slices * sizeof(*slices));
    size_t i = b->services / 2, odd = b->endpoints / 2, at = odd / PER_SLICE;
    const struct api_object *s = service(i);
    struct err err;

    (void)slices_of(b, i, SIZE_MAX, slices);
    for (size_t k = 0; k < CHANGES; k++) {
        int64_t begin = now_us(), sent;

        api_object_unref(slices[at]);
        slices[at] = slice(i, at * PER_SLICE, MIN((at + 1) * PER_SLICE, b->endpoints),
                           k % 2 ? SIZE_MAX : odd, goes);
        work_out(b, s, slices, n_slices);
        sent = now_us();
        bytes = nft_batch_bytes(b->batch);
        elements = nft_batch_len(b->batch);
        if (nft_batch_commit(b->batch, b->netfilter, &err) < 0)
            fail(&err);
        nft_batch_reset(b->batch);
        whole[k] = now_us() - begin;
        kernel[k] = now_us() - sent;
    }
    for (size_t k = 0; k < n_slices; k++)
        api_object_unref(slices[k]);
    mem_free(slices);
    api_object_unref(s);
    printf("%s_us=%lld kernel_us=%lld elements=%zu bytes=%zu\n", goes ? "remove" : "change",
           (long long)median(whole, CHANGES), (long long)median(kernel, CHANGES), elements, bytes);
}

/* --- connections --- */

static void *serve(void *arg)
{
    int listener = *(int *)arg;

    for (;;) {
        int s = accept(listener, NULL, NULL);

        if (s >= 0)
            close(s);
    }
    return NULL;
}

static double connections_per_s(const char *address, uint16_t port)
{
    const struct linger now = { .l_onoff = 1 };
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
    int64_t begin = now_us();

    (void)inet_pton(AF_INET, address, &to.sin_addr);
    for (int i = 0; i < CONNECTIONS; i++) {
        int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void)setsockopt(s, SOL_SOCKET, SO_LINGER, &now, sizeof(now)); /* no TIME_WAIT */
        if (connect(s, (struct sockaddr *)&to, sizeof(to)) < 0) {
            perror("bench-services: connect");
            exit(1);
        }
        close(s);
    }
    return CONNECTIONS * 1e6 / (double)(now_us() - begin);
}

/* An own endpoint: 203.0.113.1 is an address of lo. */
static void connections(struct bench *b)
{
    CLEANUP(buf_done) struct buf json = { 0 };
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(HERE_PORT) };
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct api_object *s = service(b->services), *slices[1];
    double direct[5], through[5];
    struct err err;
    pthread_t thread;

    (void)inet_pton(AF_INET, "203.0.113.1", &at.sin_addr);
    if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(listener, 4096) < 0 ||
        pthread_create(&thread, NULL, serve, &listener) != 0)
        exit(1);
    buf_append_lit(&json, "{\"metadata\":{\"name\":\"x\",\"namespace\":\"d\"},\"addressType\":"
                          "\"IPv4\",\"ports\":[{\"name\":\"\",\"port\":8080}],"
                          "\"endpoints\":[{\"addresses\":[\"203.0.113.1\"]}]}");
    slices[0] = decode("discovery.k8s.io", "endpointslices", &json);
    work_out(b, s, slices, 1);
    if (nft_batch_commit(b->batch, b->netfilter, &err) < 0)
        fail(&err);
    buf_printf(&json, "10.%zu.%zu.%zu", 96 + (b->services >> 16), b->services >> 8 & 255,
               b->services & 255);
    for (int i = 0; i < 5; i++) { /* in turn, because the machine's pace changes */
        direct[i] = connections_per_s("203.0.113.1", HERE_PORT);
        through[i] = connections_per_s(buf_cstr(&json), 80);
    }
    for (int i = 1; i < 5; i++) {
        direct[0] = MAX(direct[0], direct[i]);
        through[0] = MAX(through[0], through[i]);
    }
    printf("through_per_s=%.0f direct_per_s=%.0f\n", through[0], direct[0]);
    api_object_unref(slices[0]);
    api_object_unref(s);
}

int main(int argc, char **argv)
{
    struct bench b = { .batch = nft_batch_new() };
    struct err err;

    if (argc != 4)
        return 2;
    b.services = strtoul(argv[1], NULL, 10);
    b.endpoints = strtoul(argv[2], NULL, 10);
    b.ledger = proxy_ledger_new(
        &(struct proxy_ledger_options){ .batch = b.batch, .table = "bench", .on_free = on_free });
    if (netlink_new(-1, NETLINK_OF_NETFILTER, &b.netfilter, &err) < 0)
        fail(&err);
    load(&b, argv[3]);
    change(&b, false);
    change(&b, true);
    connections(&b);
    (void)fflush(stdout);
    netlink_free(b.netfilter);
    proxy_ledger_free(b.ledger);
    nft_batch_free(b.batch);
    return 0;
}
