/* Figures as text: what the kernel says of interfaces, families and their labels, histograms, a
 * picture in each of its forms; and the counting of trees. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "io/loop.h"
#include "kubelet/stats/disk_usage.h"
#include "kubelet/stats/kubelet_metrics.h"
#include "kubelet/stats/machine_stats.h"
#include "kubelet/stats/metrics_text.h"
#include "kubelet/stats/stats_collector.h"
#include "kubelet/stats/stats_print.h"
#include "runtime/cgroup.h"
#include "runtime/network_stats.h"
#include "runtime/runtime_files.h"

static void has(const struct buf *b, const char *line)
{
    cr_expect(str_contains(buf_str(b), str_from_cstr(line)), "'%s' is not in:\n%.*s", line,
              STR_ARG(buf_str(b)));
}

Test(metrics_text, escapes_labels)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    const struct metrics_label l[] = { { "a", STR("x\"y\\z\n") }, { "b", STR("") } };

    metrics_text_sample(&b, "n", l, 2, 1.5, 42);
    metrics_text_sample(&b, "m", NULL, 0, 3, 0);
    cr_assert(str_eq(buf_str(&b), STR("n{a=\"x\\\"y\\\\z\\n\",b=\"\"} 1.5 42\nm 3\n")), "%.*s",
              STR_ARG(buf_str(&b)));
}

Test(kubelet_metrics, counts_and_sorts_into_buckets)
{
    struct kubelet_metrics *m = kubelet_metrics_new();
    CLEANUP(buf_done) struct buf b = { 0 };
    const struct str sync = STR("sync");

    kubelet_metrics_observe(m, KUBELET_METRIC_POD_WORKER, &sync, 20000000);
    kubelet_metrics_observe(m, KUBELET_METRIC_POD_WORKER, &sync, 20000000000);
    kubelet_metrics_count(m, KUBELET_METRIC_STARTED_PODS, NULL);
    kubelet_metrics_print(m, &b);
    has(&b, "# TYPE kubelet_pod_worker_duration_seconds histogram\n");
    has(&b, "kubelet_pod_worker_duration_seconds_bucket{operation_type=\"sync\",le=\"0.01\"} 0\n");
    has(&b, "kubelet_pod_worker_duration_seconds_bucket{operation_type=\"sync\",le=\"0.025\"} 1\n");
    has(&b, "kubelet_pod_worker_duration_seconds_bucket{operation_type=\"sync\",le=\"10\"} 1\n");
    has(&b, "kubelet_pod_worker_duration_seconds_bucket{operation_type=\"sync\",le=\"+Inf\"} 2\n");
    has(&b, "kubelet_pod_worker_duration_seconds_sum{operation_type=\"sync\"} 20.02\n");
    has(&b, "kubelet_pod_worker_duration_seconds_count{operation_type=\"sync\"} 2\n");
    has(&b, "kubelet_started_pods_total 1\n");
    has(&b, "kubelet_started_pods_errors_total 0\n");
    has(&b, "kubelet_pod_start_duration_seconds_bucket{le=\"0.5\"} 0\n");
    kubelet_metrics_free(m);
}

Test(kubelet_metrics, series_are_bounded)
{
    struct kubelet_metrics *m = kubelet_metrics_new();
    CLEANUP(buf_done) struct buf b = { 0 };
    char text[32];

    for (int i = 0; i < 5000; i++) {
        struct str value;

        (void)snprintf(text, sizeof(text), "r%d", i);
        value = str_from_cstr(text);
        kubelet_metrics_count(m, KUBELET_METRIC_ADMISSION_REJECTIONS, &value);
    }
    kubelet_metrics_print(m, &b);
    has(&b, "{reason=\"r0\"} 1");
    cr_assert_not(str_contains(buf_str(&b), STR("{reason=\"r4999\"}")));
    kubelet_metrics_free(m);
}

Test(network_stats, reads_the_kernels_table)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    size_t n;
    const struct runtime_network_stats *all = network_stats_parse(
        &a,
        STR("Inter-|   Receive                          |  Transmit\n"
            " face |bytes    packets errs drop fifo frame compressed multicast|bytes packets errs\n"
            "    lo:    1       1    0    0    0     0          0         0    1  1 0 0 0 0 0 0\n"
            "  eth0:  100       2    3    4    0     0          0         0  200  5 6 7 0 0 0 0\n"
            "broken: 1 2 x\n"),
        &n);

    cr_assert_eq(n, 1);
    cr_expect(str_eq(all[0].name, STR("eth0")));
    cr_expect_eq(all[0].rx_bytes, 100);
    cr_expect_eq(all[0].rx_dropped, 4);
    cr_expect_eq(all[0].tx_bytes, 200);
    cr_expect_eq(all[0].tx_packets, 5);
    cr_expect_eq(all[0].tx_dropped, 7);
    cr_expect_null(network_stats_read(&a, 0x7ffffff0, &n));
    cr_expect_eq(n, 0);
}

Test(machine_stats, knows_this_machine)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct machine_stats m;
    struct runtime_usage u;

    machine_stats_read(&a, &m);
    cr_expect_gt(m.memory_bytes, m.used_bytes);
    cr_expect_gt(m.used_bytes, 0);
    cr_expect_gt(m.max_pids, m.pids);
    cr_expect_gt(m.pids, 0);
    cr_expect_gt(m.boot_s, 1000000000);
    machine_stats_read_self(&a, &u);
    cr_expect_gt(u.memory_usage_bytes, 0);
    cr_expect_geq(u.pids, 1);
}

Test(cgroup, usage_of_what_is_not_there_is_nothing)
{
    struct runtime_usage u;

    cgroup_read_usage(STR("/no/such/group"), &u);
    cr_expect_eq(u.cpu_usage_ns, 0);
    cr_expect_eq(u.memory_usage_bytes, 0);
    cgroup_read_usage(STR(""), &u);
    cr_expect_gt(u.cpu_usage_ns, 0);
}

/* --- a picture --- */

static struct runtime_network_stats eth0 = {
    .name = STR_INIT("eth0"), .rx_bytes = 10, .rx_packets = 1, .tx_bytes = 20, .tx_packets = 2
};
static struct stats_container web = {
    .name = STR_INIT("web"),
    .id = STR_INIT("abc"),
    .image = STR_INIT("busybox:1"),
    .cgroup_path = STR_INIT("/kubepods/podu1/abc"),
    .started_at_ns = 1500000000000000000,
    .use = { .at_ns = 1600000000500000000,
             .has_rate = true,
             .rate_nano_cores = 77,
             .usage = { .cpu_usage_ns = 1500000000,
                        .memory_usage_bytes = 4096,
                        .memory_working_set_bytes = 2048,
                        .memory_limit_bytes = 10000,
                        .page_faults = 9,
                        .pids = 3 } },
    .rootfs = { .is_known = true, .count = { .bytes = 512, .inodes = 2, .at_ns = 1 } },
};
static struct stats_tree cache = { .name = STR_INIT("cache"),
                                   .is_known = true,
                                   .count = { .bytes = 100, .inodes = 1, .at_ns = 1 } };
static struct stats_pod pod = { .name = STR_INIT("p"),
                                .namespace = STR_INIT("ns"),
                                .uid = STR_INIT("u1"),
                                .sandbox_id = STR_INIT("sb"),
                                .cgroup_path = STR_INIT("/kubepods/podu1"),
                                .started_s = 1500000000,
                                .use = { .at_ns = 1600000000000000000,
                                         .usage = { .cpu_usage_ns = 2000000000, .pids = 4 } },
                                .networks = &eth0,
                                .n_networks = 1,
                                .containers = &web,
                                .n_containers = 1,
                                .volumes = &cache,
                                .n_volumes = 1 };
static const struct stats_picture picture = {
    .at_ns = 1600000000000000000,
    .node_name = STR_INIT("n1"),
    .boot_s = 1400000000,
    .memory_bytes = 1 << 20,
    .n_cpus = 2,
    .max_pids = 100,
    .pids = 7,
    .node = { .at_ns = 1600000000000000000, .usage = { .cpu_usage_ns = 3000000000 } },
    .node_fs = { .is_known = true, .capacity_bytes = 1000, .available_bytes = 400 },
    .pods = &pod,
    .n_pods = 1,
};

Test(stats_print, summary_is_json_in_upstreams_shape)
{
    CLEANUP(buf_done) struct buf b = { 0 };

    stats_print_summary(&picture, false, &b);
    has(&b, "\"nodeName\":\"n1\"");
    has(&b, "\"rlimit\":{\"time\":\"2020-09-13T12:26:40Z\",\"maxpid\":100,\"curproc\":7}");
    has(&b, "\"podRef\":{\"name\":\"p\",\"namespace\":\"ns\",\"uid\":\"u1\"}");
    has(&b, "\"usageNanoCores\":77,\"usageCoreNanoSeconds\":1500000000");
    has(&b, "\"availableBytes\":7952,\"usageBytes\":4096,\"workingSetBytes\":2048");
    has(&b, "\"interfaces\":[{\"name\":\"eth0\",\"rxBytes\":10,\"rxErrors\":0,\"txBytes\":20");
    has(&b, "\"usedBytes\":100,\"inodesFree\":0,\"inodes\":0,\"inodesUsed\":1,\"name\":\"cache\"");
    has(&b, "\"ephemeral-storage\":{\"time\":\"1970-01-01T00:00:00Z\",\"availableBytes\":400,"
            "\"capacityBytes\":1000,\"usedBytes\":612");
    has(&b, "\"process_stats\":{\"process_count\":4}");
}

Test(stats_print, summary_of_cpu_and_memory_alone)
{
    CLEANUP(buf_done) struct buf b = { 0 };

    stats_print_summary(&picture, true, &b);
    cr_expect_not(str_contains(buf_str(&b), STR("network")));
    cr_expect_not(str_contains(buf_str(&b), STR("volume")));
    has(&b, "usageCoreNanoSeconds");
}

Test(stats_print, metrics_in_upstreams_names)
{
    CLEANUP(buf_done) struct buf b = { 0 };

    stats_print_resource(&picture, &b);
    has(&b, "node_cpu_usage_seconds_total 3 1600000000000\n");
    has(&b, "pod_cpu_usage_seconds_total{namespace=\"ns\",pod=\"p\"} 2 1600000000000\n");
    has(&b, "container_memory_working_set_bytes{container=\"web\",namespace=\"ns\",pod=\"p\"} "
            "2048 1600000000500\n");
    has(&b, "container_start_time_seconds{container=\"web\",namespace=\"ns\",pod=\"p\"} "
            "1500000000\n");
    has(&b, "resource_scrape_error 0\n");
    buf_reset(&b);
    stats_print_cadvisor(&picture, &b);
    has(&b, "container_cpu_usage_seconds_total{container=\"web\",cpu=\"total\","
            "id=\"/kubepods/podu1/abc\",image=\"busybox:1\",name=\"abc\",namespace=\"ns\","
            "pod=\"p\"} 1.5 1600000000500\n");
    has(&b, "container_memory_failures_total{container=\"web\",failure_type=\"pgfault\","
            "id=\"/kubepods/podu1/abc\",image=\"busybox:1\",name=\"abc\",namespace=\"ns\","
            "pod=\"p\",scope=\"hierarchy\"} 9");
    has(&b, "container_network_transmit_bytes_total{container=\"\",id=\"/kubepods/podu1\","
            "image=\"\",interface=\"eth0\",name=\"sb\",namespace=\"ns\",pod=\"p\"} 20");
    has(&b, "machine_cpu_cores 2\n");
}

Test(stats_print, running_pods)
{
    CLEANUP(buf_done) struct buf b = { 0 };

    stats_print_running_pods(&picture, &b);
    has(&b, "\"items\":[{\"metadata\":{\"name\":\"p\",\"namespace\":\"ns\",\"uid\":\"u1\"},"
            "\"spec\":{\"containers\":[{\"name\":\"web\",\"image\":\"busybox:1\"");
}

/* --- trees --- */

static void make_tree(char *root, size_t size)
{
    char path[256];
    struct err err;

    (void)snprintf(root, size, "/tmp/disk-usage-XXXXXX");
    cr_assert(mkdtemp(root));
    (void)snprintf(path, sizeof(path), "%s/below", root);
    cr_assert_eq(mkdir(path, 0755), 0);
    (void)snprintf(path, sizeof(path), "%s/below/file", root);
    cr_assert_eq(runtime_files_write(path, STR("0123456789"), 0644, &err), 0);
    (void)snprintf(path, sizeof(path), "%s/link", root);
    cr_assert_eq(symlink("/", path), 0);
}

Test(disk_usage, counts_a_tree_and_follows_no_link)
{
    struct loop *loop = loop_new(&clock_system);
    struct disk_usage *d = disk_usage_new(loop);
    struct disk_usage_count count;
    struct err err;
    char root[64];

    make_tree(root, sizeof(root));
    while (!disk_usage_get(d, root, &count))
        loop_turn(loop);
    cr_expect_eq(count.inodes, 4); /* itself, below, file, link */
    cr_expect_geq(count.bytes, 4096);
    cr_expect_leq(count.bytes, 65536);
    disk_usage_free(d);
    loop_free(loop);
    cr_assert_eq(runtime_files_remove(AT_FDCWD, root, &err), 0);
}

Test(disk_usage, ends_while_it_counts)
{
    struct loop *loop = loop_new(&clock_system);
    struct disk_usage *d = disk_usage_new(loop);
    struct disk_usage_count count;

    (void)disk_usage_get(d, "/usr", &count);
    loop_turn(loop);
    disk_usage_free(d);
    loop_free(loop);
}
