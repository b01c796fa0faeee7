#include "dns/dns_metrics.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/histogram.h"
#include "base/mem.h"
#include "base/process_metrics.h"
#include "base/version.h"
#include "dns/dns_cache.h"
#include "dns/dns_forward.h"
#include "dns/dns_message.h"

/* Types that are told apart; the last row is all others. */
static const struct {
    uint16_t type;
    const char *name;
} types[] = {
    { DNS_A, "A" },     { DNS_AAAA, "AAAA" }, { DNS_CNAME, "CNAME" }, { DNS_NS, "NS" },
    { DNS_PTR, "PTR" }, { DNS_SOA, "SOA" },   { DNS_SRV, "SRV" },     { DNS_TXT, "TXT" },
    { DNS_ANY, "ANY" }, { 65, "HTTPS" },      { 15, "MX" },           { 0, "other" },
};
static const char *const rcodes[] = { "NOERROR",  "FORMERR", "SERVFAIL",
                                      "NXDOMAIN", "NOTIMP",  "REFUSED" };
static const char *const plugins[] = { "kubernetes", "cache", "forward", "" };
static const char *const protocols[] = { "udp", "tcp" };

struct dns_metrics {
    int64_t start_wall_ns;
    uint64_t requests[2][2][ARRAY_LEN(types)]; /* protocol, family, type */
    uint64_t responses[ARRAY_LEN(rcodes)][ARRAY_LEN(plugins)];
    struct histogram duration, request_bytes[2], response_bytes[2];
};

struct dns_metrics *dns_metrics_new(void)
{
    static const double sizes[] = { 0,    100,  200,  300,   400,   511,   1023,
                                    2047, 4095, 8291, 16000, 32000, 48000, 64000 };
    struct dns_metrics *m = NEW(struct dns_metrics);

    m->start_wall_ns = clock_system.wall_ns(&clock_system);
    histogram_init_exponential(&m->duration, 0.00025, 2, 16);
    for (int i = 0; i < 2; i++) {
        m->request_bytes[i].n = m->response_bytes[i].n = ARRAY_LEN(sizes);
        memcpy(m->request_bytes[i].bounds, sizes, sizeof(sizes));
        memcpy(m->response_bytes[i].bounds, sizes, sizeof(sizes));
    }
    return m;
}

void dns_metrics_free(struct dns_metrics *m)
{
    mem_free(m);
}

void dns_metrics_request(struct dns_metrics *m, const struct dns_metrics_request *r)
{
    size_t i = 0;

    while (i < ARRAY_LEN(types) - 1 && types[i].type != r->type)
        i++;
    m->requests[r->is_tcp][r->is_v6][i]++;
    histogram_observe(&m->request_bytes[r->is_tcp], r->bytes);
}

void dns_metrics_response(struct dns_metrics *m, bool is_tcp, const char *plugin, struct str answer,
                          int64_t duration_us)
{
    size_t rcode = answer.len > 3 ? (size_t)(answer.p[3] & 0x0f) : DNS_SERVFAIL, i = 0;

    while (i < ARRAY_LEN(plugins) - 1 && plugins[i] != plugin && strcmp(plugins[i], plugin) != 0)
        i++;
    m->responses[MIN(rcode, ARRAY_LEN(rcodes) - 1)][i]++;
    histogram_observe(&m->duration, (double)duration_us / 1e6);
    histogram_observe(&m->response_bytes[is_tcp], (double)answer.len);
}

/* --- printing --- */

#define SERVER "server=\"dns://:53\",view=\"\",zone=\".\""

static void head(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_requests(const struct dns_metrics *m, struct buf *b)
{
    head(b, "coredns_dns_requests_total", "counter", "Questions by protocol, family and type.");
    for (int p = 0; p < 2; p++)
        for (int f = 0; f < 2; f++)
            for (size_t t = 0; t < ARRAY_LEN(types); t++)
                if (m->requests[p][f][t])
                    buf_printf(b,
                               "coredns_dns_requests_total{" SERVER
                               ",proto=\"%s\",family=\"%d\",type=\"%s\"} %" PRIu64 "\n",
                               protocols[p], f + 1, types[t].name, m->requests[p][f][t]);
    head(b, "coredns_dns_responses_total", "counter", "Answers by code and by who knew.");
    for (size_t r = 0; r < ARRAY_LEN(rcodes); r++)
        for (size_t p = 0; p < ARRAY_LEN(plugins); p++)
            if (m->responses[r][p])
                buf_printf(b,
                           "coredns_dns_responses_total{" SERVER
                           ",plugin=\"%s\",rcode=\"%s\"} %" PRIu64 "\n",
                           plugins[p], rcodes[r], m->responses[r][p]);
}

static void print_histograms(const struct dns_metrics *m, struct buf *b)
{
    static const char *const labels[] = { SERVER ",proto=\"udp\"", SERVER ",proto=\"tcp\"" };

    head(b, "coredns_dns_request_duration_seconds", "histogram", "From a question to its answer.");
    histogram_print(&m->duration, "coredns_dns_request_duration_seconds", SERVER, b);
    head(b, "coredns_dns_request_size_bytes", "histogram", "Size of questions.");
    for (int i = 0; i < 2; i++)
        histogram_print(&m->request_bytes[i], "coredns_dns_request_size_bytes", labels[i], b);
    head(b, "coredns_dns_response_size_bytes", "histogram", "Size of answers.");
    for (int i = 0; i < 2; i++)
        histogram_print(&m->response_bytes[i], "coredns_dns_response_size_bytes", labels[i], b);
}

static void print_cache(const struct dns_cache_stats *c, struct buf *b)
{
    static const char *const kinds[] = { "success", "denial" };

    head(b, "coredns_cache_entries", "gauge", "Answers that are remembered.");
    for (int i = 0; i < 2; i++)
        buf_printf(b, "coredns_cache_entries{" SERVER ",type=\"%s\"} %zu\n", kinds[i],
                   c->entries[i]);
    head(b, "coredns_cache_hits_total", "counter", "Questions answered from memory.");
    for (int i = 0; i < 2; i++)
        buf_printf(b, "coredns_cache_hits_total{" SERVER ",type=\"%s\"} %" PRIu64 "\n", kinds[i],
                   c->hits[i]);
    head(b, "coredns_cache_misses_total", "counter", "Questions that had to be passed on.");
    buf_printf(b, "coredns_cache_misses_total{" SERVER "} %" PRIu64 "\n", c->misses);
    head(b, "coredns_cache_evictions_total", "counter", "Answers that left for want of room.");
    buf_printf(b, "coredns_cache_evictions_total{" SERVER "} %" PRIu64 "\n", c->evictions);
}

void dns_metrics_print(const struct dns_metrics *m, const struct dns_cache_stats *cache,
                       const struct dns_forward_stats *forward, struct buf *b)
{
    head(b, "coredns_build_info", "gauge", "What answers.");
    buf_append_lit(b, "coredns_build_info{version=\"pintle-" VERSION_PINTLE "\"} 1\n");
    print_requests(m, b);
    print_histograms(m, b);
    print_cache(cache, b);
    head(b, "coredns_forward_max_concurrent_rejects_total", "counter",
         "Questions that were not passed on, because too many were under way.");
    buf_printf(b, "coredns_forward_max_concurrent_rejects_total %" PRIu64 "\n", forward->rejected);
    head(b, "pintle_dns_forwarded_total", "counter", "Questions sent to other servers.");
    buf_printf(b,
               "pintle_dns_forwarded_total{proto=\"udp\"} %" PRIu64
               "\npintle_dns_forwarded_total{proto=\"tcp\"} %" PRIu64 "\n",
               forward->sent_udp, forward->sent_tcp);
    head(b, "pintle_dns_forward_timeouts_total", "counter", "Questions that a server left alone.");
    buf_printf(b, "pintle_dns_forward_timeouts_total %" PRIu64 "\n", forward->timeouts);
    process_metrics_print(b, m->start_wall_ns);
}
