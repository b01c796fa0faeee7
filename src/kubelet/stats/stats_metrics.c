/* /metrics/resource and /metrics/cadvisor: each family is a row, or comes from a handful of
 * numbers. */
#include "base/buf.h"
#include "base/macros.h"
#include "base/version.h"
#include "kubelet/stats/metrics_text.h"
#include "kubelet/stats/stats_collector.h"
#include "kubelet/stats/stats_print.h"

/* --- /metrics/resource --- */

enum scope { OF_CONTAINER, OF_POD, OF_NODE };

struct row {
    const char *name, *help;
    bool is_counter;
    size_t offset; /* in runtime_usage */
    double unit;
    bool is_untimed;
};
#define USAGE(field) offsetof(struct runtime_usage, field)

static double value_of(const struct runtime_usage *u, const struct row *r)
{
    return (double)*(const uint64_t *)(const void *)((const char *)u + r->offset) * r->unit;
}

static const struct row resource_rows[] = {
    { "cpu_usage_seconds_total", "CPU time used, in seconds of one core", true, USAGE(cpu_usage_ns),
      1e-9, false },
    { "memory_working_set_bytes", "Memory in use that cannot be given back at once", false,
      USAGE(memory_working_set_bytes), 1, false },
    { "swap_usage_bytes", "Swap in use", false, USAGE(memory_swap_bytes), 1, false },
};

static void put_resource(struct buf *b, const struct stats_use *u, const struct row *r,
                         const char *name, const struct metrics_label *labels, size_t n)
{
    metrics_text_sample(b, name, labels, n, value_of(&u->usage, r), u->at_ns / 1000000);
}

static void put_pod_resource(struct buf *b, const struct stats_picture *p, const struct row *r,
                             const char *name, enum scope scope)
{
    for (size_t i = 0; i < p->n_pods; i++) {
        const struct stats_pod *pod = &p->pods[i];
        struct metrics_label labels[] = { { "container", STR_NULL },
                                          { "namespace", pod->namespace },
                                          { "pod", pod->name } };

        if (scope == OF_POD)
            put_resource(b, &pod->use, r, name, labels + 1, 2);
        for (size_t k = 0; scope == OF_CONTAINER && k < pod->n_containers; k++) {
            labels[0].value = pod->containers[k].name;
            put_resource(b, &pod->containers[k].use, r, name, labels, 3);
        }
    }
}

static void put_start_times(struct buf *b, const struct stats_picture *p)
{
    metrics_text_family(b, "container_start_time_seconds", "gauge",
                        "When a container began, in seconds since 1970");
    for (size_t i = 0; i < p->n_pods; i++)
        for (size_t k = 0; k < p->pods[i].n_containers; k++) {
            const struct stats_pod *pod = &p->pods[i];
            const struct metrics_label labels[] = { { "container", pod->containers[k].name },
                                                    { "namespace", pod->namespace },
                                                    { "pod", pod->name } };

            metrics_text_sample(b, "container_start_time_seconds", labels, 3,
                                (double)pod->containers[k].started_at_ns / 1e9, 0);
        }
}

void stats_print_resource(const struct stats_picture *p, struct buf *b)
{
    static const char *const scopes[] = { "container", "pod", "node" };
    struct stats_use node = p->node;

    node.usage.memory_swap_bytes = p->swap_bytes - p->swap_free_bytes;
    for (size_t s = OF_CONTAINER; s <= OF_NODE; s++)
        for (size_t i = 0; i < ARRAY_LEN(resource_rows); i++) {
            const struct row *r = &resource_rows[i];
            char name[64];

            (void)snprintf(name, sizeof(name), "%s_%s", scopes[s], r->name);
            metrics_text_family(b, name, r->is_counter ? "counter" : "gauge", r->help);
            if (s == OF_NODE)
                put_resource(b, &node, r, name, NULL, 0);
            else
                put_pod_resource(b, p, r, name, (enum scope)s);
        }
    put_start_times(b, p);
    metrics_text_gauge(b, "resource_scrape_error", "1 when something could not be read", 0);
}

/* --- /metrics/cadvisor --- */

/* clang-format off */
static const struct row group_rows[] = {
    { "container_cpu_cfs_periods_total", "Periods of the CPU limit that have passed", true, USAGE(cpu_periods), 1, false },
    { "container_cpu_cfs_throttled_periods_total", "Periods in which the limit was reached", true, USAGE(cpu_throttled_periods), 1, false },
    { "container_cpu_cfs_throttled_seconds_total", "Time that was waited for the CPU limit", true, USAGE(cpu_throttled_ns), 1e-9, false },
    { "container_cpu_system_seconds_total", "CPU time in the kernel", true, USAGE(cpu_system_ns), 1e-9, false },
    { "container_cpu_user_seconds_total", "CPU time outside the kernel", true, USAGE(cpu_user_ns), 1e-9, false },
    { "container_memory_cache", "Memory of the page cache", false, USAGE(memory_cache_bytes), 1, false },
    { "container_memory_failcnt", "How often the memory limit was reached", true, USAGE(memory_failures), 1, false },
    { "container_memory_mapped_file", "Memory of mapped files", false, USAGE(memory_mapped_bytes), 1, false },
    { "container_memory_max_usage_bytes", "The most memory that was in use", false, USAGE(memory_max_usage_bytes), 1, false },
    { "container_memory_rss", "Anonymous memory", false, USAGE(memory_rss_bytes), 1, false },
    { "container_memory_swap", "Swap in use", false, USAGE(memory_swap_bytes), 1, false },
    { "container_memory_usage_bytes", "Memory in use, the page cache too", false, USAGE(memory_usage_bytes), 1, false },
    { "container_memory_working_set_bytes", "Memory in use that cannot be given back at once", false, USAGE(memory_working_set_bytes), 1, false },
    { "container_oom_events_total", "Processes that were killed for want of memory", true, USAGE(oom_kills), 1, false },
    { "container_processes", "Processes and threads there are", false, USAGE(pids), 1, false },
    { "container_spec_cpu_period", "Period of the CPU limit, in microseconds", false, USAGE(cpu_period_us), 1, true },
    { "container_spec_cpu_shares", "Share of the CPU", false, USAGE(cpu_shares), 1, true },
    { "container_spec_memory_limit_bytes", "Limit of memory; 0: none", false, USAGE(memory_limit_bytes), 1, true },
};
/* clang-format on */

/* A group with cAdvisor's labels; a Pod's own has no container, the node's nothing but its id. */
struct group {
    const struct stats_use *use;
    struct str container, id, image, name, namespace, pod;
    int64_t started_s;
};

typedef void group_fn(struct buf *b, const struct group *g, const void *arg);

static void each_group(struct buf *b, const struct stats_picture *p, group_fn *fn, const void *arg)
{
    fn(b, &(struct group){ .use = &p->node, .id = STR("/"), .started_s = p->boot_s }, arg);
    fn(b, &(struct group){ .use = &p->pods_group, .id = STR("/kubepods"), .started_s = p->boot_s },
       arg);
    for (size_t i = 0; i < p->n_pods; i++) {
        const struct stats_pod *pod = &p->pods[i];

        fn(b,
           &(struct group){ .use = &pod->use,
                            .id = pod->cgroup_path,
                            .namespace = pod->namespace,
                            .pod = pod->name,
                            .started_s = pod->started_s },
           arg);
        for (size_t k = 0; k < pod->n_containers; k++) {
            const struct stats_container *c = &pod->containers[k];

            fn(b,
               &(struct group){ .use = &c->use,
                                .container = c->name,
                                .id = c->cgroup_path,
                                .image = c->image,
                                .name = c->id,
                                .namespace = pod->namespace,
                                .pod = pod->name,
                                .started_s = c->started_at_ns / 1000000000 },
               arg);
        }
    }
}

/* Labels that one family alone has; unset: not. */
struct extra {
    struct str cpu, failure_type, scope;
};

static void put_group(struct buf *b, const struct group *g, const char *name,
                      const struct extra *more, double value, bool is_timed)
{
    const struct metrics_label all[] = {
        { "container", g->container },
        { "cpu", more ? more->cpu : STR_NULL },
        { "failure_type", more ? more->failure_type : STR_NULL },
        { "id", g->id },
        { "image", g->image },
        { "name", g->name },
        { "namespace", g->namespace },
        { "pod", g->pod },
        { "scope", more ? more->scope : STR_NULL },
    };
    struct metrics_label labels[ARRAY_LEN(all)];
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i].value.p || (i != 1 && i != 2 && i != 8))
            labels[n++] = all[i];
    metrics_text_sample(b, name, labels, n, value, is_timed ? g->use->at_ns / 1000000 : 0);
}

static void put_row(struct buf *b, const struct group *g, const void *arg)
{
    const struct row *r = arg;

    put_group(b, g, r->name, NULL, value_of(&g->use->usage, r), !r->is_untimed);
}

static void put_cpu(struct buf *b, const struct group *g, const void *arg)
{
    (void)arg;
    put_group(b, g, "container_cpu_usage_seconds_total", &(struct extra){ .cpu = STR("total") },
              (double)g->use->usage.cpu_usage_ns / 1e9, true);
}

static void put_failures(struct buf *b, const struct group *g, const void *arg)
{
    const char *name = arg;
    struct extra minor = { .failure_type = STR("pgfault"), .scope = STR("hierarchy") },
                 major = { .failure_type = STR("pgmajfault"), .scope = STR("hierarchy") };

    put_group(b, g, name, &minor, (double)g->use->usage.page_faults, true);
    put_group(b, g, name, &major, (double)g->use->usage.major_page_faults, true);
}

static void put_quota(struct buf *b, const struct group *g, const void *arg)
{
    (void)arg;
    if (g->use->usage.cpu_quota_us)
        put_group(b, g, "container_spec_cpu_quota", NULL, (double)g->use->usage.cpu_quota_us,
                  false);
}

static void put_last_seen(struct buf *b, const struct group *g, const void *arg)
{
    int64_t at_s = g->use->at_ns / 1000000000;

    (void)arg;
    put_group(b, g, "container_last_seen", NULL, (double)at_s, true);
}

static void put_start(struct buf *b, const struct group *g, const void *arg)
{
    (void)arg;
    put_group(b, g, "container_start_time_seconds", NULL, (double)g->started_s, false);
}

static void put_interface(struct buf *b, const char *name, const struct stats_pod *pod,
                          const struct runtime_network_stats *n, double value, int64_t at_ns)
{
    const struct metrics_label labels[] = {
        { "container", STR_NULL },
        { "id", pod ? pod->cgroup_path : STR("/") },
        { "image", STR_NULL },
        { "interface", n->name },
        { "name", pod ? pod->sandbox_id : STR_NULL },
        { "namespace", pod ? pod->namespace : STR_NULL },
        { "pod", pod ? pod->name : STR_NULL },
    };

    metrics_text_sample(b, name, labels, ARRAY_LEN(labels), value, at_ns / 1000000);
}

#define NETWORK(field) offsetof(struct runtime_network_stats, field)
static const struct row network_rows[] = {
    { "container_network_receive_bytes_total", "Bytes received", true, NETWORK(rx_bytes), 1,
      false },
    { "container_network_receive_errors_total", "Errors of receiving", true, NETWORK(rx_errors), 1,
      false },
    { "container_network_receive_packets_dropped_total", "Packets dropped when received", true,
      NETWORK(rx_dropped), 1, false },
    { "container_network_receive_packets_total", "Packets received", true, NETWORK(rx_packets), 1,
      false },
    { "container_network_transmit_bytes_total", "Bytes sent", true, NETWORK(tx_bytes), 1, false },
    { "container_network_transmit_errors_total", "Errors of sending", true, NETWORK(tx_errors), 1,
      false },
    { "container_network_transmit_packets_dropped_total", "Packets dropped when sent", true,
      NETWORK(tx_dropped), 1, false },
    { "container_network_transmit_packets_total", "Packets sent", true, NETWORK(tx_packets), 1,
      false },
};

static double network_value(const struct runtime_network_stats *n, const struct row *r)
{
    return (double)*(const uint64_t *)(const void *)((const char *)n + r->offset);
}

static void put_networks(struct buf *b, const struct stats_picture *p)
{
    for (size_t k = 0; k < ARRAY_LEN(network_rows); k++) {
        const struct row *r = &network_rows[k];

        metrics_text_family(b, r->name, "counter", r->help);
        for (size_t i = 0; i < p->n_networks; i++)
            put_interface(b, r->name, NULL, &p->networks[i], network_value(&p->networks[i], r),
                          p->at_ns);
        for (size_t i = 0; i < p->n_pods; i++)
            for (size_t j = 0; j < p->pods[i].n_networks; j++)
                put_interface(b, r->name, &p->pods[i], &p->pods[i].networks[j],
                              network_value(&p->pods[i].networks[j], r), p->pods[i].use.at_ns);
    }
}

static void put_family(struct buf *b, const struct stats_picture *p, const char *name,
                       const char *type, const char *help, group_fn *fn)
{
    metrics_text_family(b, name, type, help);
    each_group(b, p, fn, name);
}

static void put_fs(struct buf *b, const struct stats_picture *p)
{
    static const char *const name = "container_fs_usage_bytes";

    metrics_text_family(b, name, "gauge", "What a container's own files take on disk");
    for (size_t i = 0; i < p->n_pods; i++)
        for (size_t k = 0; k < p->pods[i].n_containers; k++) {
            const struct stats_pod *pod = &p->pods[i];
            const struct stats_container *c = &pod->containers[k];
            const struct metrics_label labels[] = {
                { "container", c->name }, { "device", STR("") }, { "id", c->cgroup_path },
                { "image", c->image },    { "name", c->id },     { "namespace", pod->namespace },
                { "pod", pod->name },
            };

            if (c->rootfs.is_known)
                metrics_text_sample(b, name, labels, ARRAY_LEN(labels),
                                    (double)c->rootfs.count.bytes, c->use.at_ns / 1000000);
        }
}

void stats_print_cadvisor(const struct stats_picture *p, struct buf *b)
{
    put_family(b, p, "container_cpu_usage_seconds_total", "counter", "CPU time used", put_cpu);
    put_family(b, p, "container_memory_failures_total", "counter", "Page faults", put_failures);
    put_family(b, p, "container_spec_cpu_quota", "gauge", "CPU limit, in microseconds a period",
               put_quota);
    put_family(b, p, "container_last_seen", "gauge", "When it was last looked at", put_last_seen);
    put_family(b, p, "container_start_time_seconds", "gauge",
               "When it began, in seconds since 1970", put_start);
    for (size_t i = 0; i < ARRAY_LEN(group_rows); i++) {
        const struct row *r = &group_rows[i];

        metrics_text_family(b, r->name, r->is_counter ? "counter" : "gauge", r->help);
        each_group(b, p, put_row, r);
    }
    put_networks(b, p);
    put_fs(b, p);
    metrics_text_gauge(b, "container_scrape_error", "1 when something could not be read", 0);
    metrics_text_gauge(b, "machine_cpu_cores", "CPUs of the machine", (double)p->n_cpus);
    metrics_text_gauge(b, "machine_memory_bytes", "Memory of the machine", (double)p->memory_bytes);
    metrics_text_gauge(b, "machine_swap_bytes", "Swap of the machine", (double)p->swap_bytes);
}
