#include "proxy/proxy_metrics.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/histogram.h"
#include "base/mem.h"
#include "base/process_metrics.h"

struct proxy_metrics {
    int64_t start_wall_ns;
    struct histogram sync, full_sync, partial_sync, programming;
    uint64_t services, endpoints, syncs, failures, elements;
    double last_sync_s, last_queued_s;
    uint64_t checks[PROXY_CHECK_MAX][2]; /* 200, 503 */
};

struct proxy_metrics *proxy_metrics_new(void)
{
    struct proxy_metrics *m = NEW(struct proxy_metrics);

    m->start_wall_ns = clock_system.wall_ns(&clock_system);
    histogram_init_exponential(&m->sync, 0.001, 2, 15);
    histogram_init_exponential(&m->full_sync, 0.001, 2, 15);
    histogram_init_exponential(&m->partial_sync, 0.001, 2, 15);
    histogram_init_exponential(&m->programming, 0.001, 2, 20);
    return m;
}

void proxy_metrics_free(struct proxy_metrics *m)
{
    mem_free(m);
}

static double now_s(void)
{
    return (double)clock_system.wall_ns(&clock_system) / 1e9;
}

void proxy_metrics_service_changed(struct proxy_metrics *m)
{
    m->services++;
    m->last_queued_s = now_s();
}

void proxy_metrics_endpoints_changed(struct proxy_metrics *m)
{
    m->endpoints++;
    m->last_queued_s = now_s();
}

void proxy_metrics_synced(struct proxy_metrics *m, bool is_full, bool has_failed, size_t elements,
                          int64_t duration_us)
{
    double s = (double)duration_us / 1e6;

    if (has_failed) {
        m->failures++;
        return;
    }
    m->syncs++;
    m->elements += elements;
    m->last_sync_s = now_s();
    histogram_observe(&m->sync, s);
    histogram_observe(is_full ? &m->full_sync : &m->partial_sync, s);
}

void proxy_metrics_programmed(struct proxy_metrics *m, int64_t trigger_ms)
{
    double s = now_s() - (double)trigger_ms / 1e3;

    if (s >= 0)
        histogram_observe(&m->programming, s);
}

void proxy_metrics_checked(struct proxy_metrics *m, enum proxy_check check, int status)
{
    m->checks[check][status != 200]++;
}

/* --- printing --- */

static void head(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_histogram(const struct histogram *h, const char *name, const char *help,
                            const char *labels, struct buf *b)
{
    head(b, name, "histogram", help);
    histogram_print(h, name, labels, b);
}

static void print_u64(struct buf *b, const char *name, const char *help, uint64_t v)
{
    head(b, name, "counter", help);
    buf_printf(b, "%s %" PRIu64 "\n", name, v);
}

static void print_time(struct buf *b, const char *name, const char *help, double v)
{
    head(b, name, "gauge", help);
    buf_printf(b, "%s %.17g\n", name, v);
}

static void print_checks(const struct proxy_metrics *m, struct buf *b)
{
    static const char *const names[] = { "kubeproxy_proxy_healthz_total",
                                         "kubeproxy_proxy_livez_total" };

    for (size_t i = 0; i < PROXY_CHECK_MAX; i++) {
        head(b, names[i], "counter", "How often the check was asked for, by its answer.");
        buf_printf(b, "%s{code=\"200\"} %" PRIu64 "\n%s{code=\"503\"} %" PRIu64 "\n", names[i],
                   m->checks[i][0], names[i], m->checks[i][1]);
    }
}

void proxy_metrics_print(const struct proxy_metrics *m, size_t elements, struct buf *b)
{
    print_histogram(&m->sync, "kubeproxy_sync_proxy_rules_duration_seconds",
                    "Time of a change of the kernel's rules.", "ip_family=\"\"", b);
    print_histogram(&m->full_sync, "kubeproxy_sync_full_proxy_rules_duration_seconds",
                    "Time of loading all rules.", "ip_family=\"\"", b);
    print_histogram(&m->partial_sync, "kubeproxy_sync_partial_proxy_rules_duration_seconds",
                    "Time of changing some rules.", "ip_family=\"\"", b);
    print_histogram(&m->programming, "kubeproxy_network_programming_duration_seconds",
                    "From the change of an endpoint to the kernel.", "ip_family=\"\"", b);
    print_u64(b, "kubeproxy_sync_proxy_rules_service_changes_total", "Changes of Services.",
              m->services);
    print_u64(b, "kubeproxy_sync_proxy_rules_endpoint_changes_total", "Changes of EndpointSlices.",
              m->endpoints);
    print_u64(b, "kubeproxy_sync_proxy_rules_nftables_sync_failures_total",
              "Transactions that the kernel refused.", m->failures);
    print_time(b, "kubeproxy_sync_proxy_rules_last_timestamp_seconds",
               "When the kernel's rules were last changed.", m->last_sync_s);
    print_time(b, "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds",
               "When a change was last heard of.", m->last_queued_s);
    print_u64(b, "pintle_proxy_elements_written_total", "Elements of sets and maps written.",
              m->elements);
    head(b, "pintle_proxy_elements", "gauge", "Elements of sets and maps in the kernel.");
    buf_printf(b, "pintle_proxy_elements %zu\n", elements);
    print_checks(m, b);
    process_metrics_print(b, m->start_wall_ns);
}
