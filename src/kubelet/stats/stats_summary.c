/* JSON of /stats/summary and /runningpods. Fields are left out where the kernel tells nothing, as
 * upstream does. */
#include "base/buf.h"
#include "codec/json_writer.h"
#include "codec/time_text.h"
#include "kubelet/stats/stats_collector.h"
#include "kubelet/stats/stats_print.h"

typedef unsigned long long ull;

static void put_text(struct buf *b, const char *name, struct str value)
{
    buf_printf(b, "\"%s\":", name);
    json_write_string(b, value);
}

static void put_time(struct buf *b, const char *name, int64_t sec)
{
    buf_printf(b, "\"%s\":\"", name);
    time_text_print(b, sec);
    buf_append_char(b, '"');
}

static int64_t seconds(int64_t ns)
{
    return ns / 1000000000;
}

static void put_cpu(struct buf *b, const struct stats_use *u)
{
    buf_append_lit(b, "\"cpu\":{");
    put_time(b, "time", seconds(u->at_ns));
    if (u->has_rate)
        buf_printf(b, ",\"usageNanoCores\":%llu", (ull)u->rate_nano_cores);
    buf_printf(b, ",\"usageCoreNanoSeconds\":%llu}", (ull)u->usage.cpu_usage_ns);
}

/* limit: of the group's own, or the machine's memory; 0: none. */
static void put_memory(struct buf *b, const struct stats_use *u, uint64_t limit)
{
    const struct runtime_usage *m = &u->usage;

    buf_append_lit(b, ",\"memory\":{");
    put_time(b, "time", seconds(u->at_ns));
    if (limit)
        buf_printf(
            b, ",\"availableBytes\":%llu",
            (ull)(limit > m->memory_working_set_bytes ? limit - m->memory_working_set_bytes : 0));
    buf_printf(b,
               ",\"usageBytes\":%llu,\"workingSetBytes\":%llu,\"rssBytes\":%llu,"
               "\"pageFaults\":%llu,\"majorPageFaults\":%llu}",
               (ull)m->memory_usage_bytes, (ull)m->memory_working_set_bytes,
               (ull)m->memory_rss_bytes, (ull)m->page_faults, (ull)m->major_page_faults);
}

static void put_swap(struct buf *b, int64_t at_ns, uint64_t free_bytes, uint64_t used_bytes)
{
    buf_append_lit(b, ",\"swap\":{");
    put_time(b, "time", seconds(at_ns));
    buf_printf(b, ",\"swapAvailableBytes\":%llu,\"swapUsageBytes\":%llu}", (ull)free_bytes,
               (ull)used_bytes);
}

static void put_interface(struct buf *b, const struct runtime_network_stats *n)
{
    put_text(b, "name", n->name);
    buf_printf(b, ",\"rxBytes\":%llu,\"rxErrors\":%llu,\"txBytes\":%llu,\"txErrors\":%llu",
               (ull)n->rx_bytes, (ull)n->rx_errors, (ull)n->tx_bytes, (ull)n->tx_errors);
}

static void put_network(struct buf *b, int64_t at_ns, const struct runtime_network_stats *all,
                        size_t n)
{
    if (!n)
        return;
    buf_append_lit(b, ",\"network\":{");
    put_time(b, "time", seconds(at_ns));
    buf_append_char(b, ',');
    put_interface(b, &all[0]);
    buf_append_lit(b, ",\"interfaces\":[");
    for (size_t i = 0; i < n; i++) {
        buf_append_str(b, i ? STR(",{") : STR("{"));
        put_interface(b, &all[i]);
        buf_append_char(b, '}');
    }
    buf_append_lit(b, "]}");
}

/* What a tree takes, of the file system that it is on. is_inodes_known: of the tree. */
static void put_fs_fields(struct buf *b, const struct stats_fs *fs, int64_t at_ns, uint64_t used,
                          uint64_t inodes_used)
{
    put_time(b, "time", seconds(at_ns));
    if (fs->is_known)
        buf_printf(b, ",\"availableBytes\":%llu,\"capacityBytes\":%llu", (ull)fs->available_bytes,
                   (ull)fs->capacity_bytes);
    buf_printf(b, ",\"usedBytes\":%llu", (ull)used);
    if (fs->is_known)
        buf_printf(b, ",\"inodesFree\":%llu,\"inodes\":%llu", (ull)fs->inodes_free,
                   (ull)fs->inodes);
    buf_printf(b, ",\"inodesUsed\":%llu", (ull)inodes_used);
}

static void put_tree(struct buf *b, const char *name, const struct stats_fs *fs,
                     const struct stats_tree *t)
{
    if (!t->is_known)
        return;
    buf_printf(b, ",\"%s\":{", name);
    put_fs_fields(b, fs, t->count.at_ns, t->count.bytes, t->count.inodes);
    buf_append_char(b, '}');
}

static void put_container(struct buf *b, const struct stats_picture *p,
                          const struct stats_container *c, bool is_short)
{
    buf_append_char(b, '{');
    put_text(b, "name", c->name);
    buf_append_char(b, ',');
    put_time(b, "startTime", seconds(c->started_at_ns));
    buf_append_char(b, ',');
    put_cpu(b, &c->use);
    put_memory(b, &c->use, c->use.usage.memory_limit_bytes);
    if (!is_short) {
        put_tree(b, "rootfs", &p->image_fs, &c->rootfs);
        put_tree(b, "logs", &p->node_fs, &c->logs);
    }
    put_swap(b, c->use.at_ns, 0, c->use.usage.memory_swap_bytes);
    buf_append_char(b, '}');
}

static void add_tree(struct disk_usage_count *sum, const struct stats_tree *t)
{
    if (!t->is_known)
        return;
    sum->bytes += t->count.bytes;
    sum->inodes += t->count.inodes;
    sum->at_ns = t->count.at_ns;
}

static void put_disk(struct buf *b, const struct stats_picture *p, const struct stats_pod *pod)
{
    struct disk_usage_count sum = { 0 };
    size_t n = 0;

    for (size_t i = 0; i < pod->n_volumes; i++) {
        const struct stats_tree *v = &pod->volumes[i];

        if (!v->is_known)
            continue;
        buf_append_str(b, n++ ? STR(",{") : STR(",\"volume\":[{"));
        put_fs_fields(b, &p->node_fs, v->count.at_ns, v->count.bytes, v->count.inodes);
        buf_append_char(b, ',');
        put_text(b, "name", v->name);
        buf_append_char(b, '}');
        add_tree(&sum, v);
    }
    if (n)
        buf_append_char(b, ']');
    for (size_t i = 0; i < pod->n_containers; i++) {
        add_tree(&sum, &pod->containers[i].rootfs);
        add_tree(&sum, &pod->containers[i].logs);
    }
    if (!sum.at_ns)
        return;
    buf_append_lit(b, ",\"ephemeral-storage\":{");
    put_fs_fields(b, &p->node_fs, sum.at_ns, sum.bytes, sum.inodes);
    buf_append_char(b, '}');
}

static void put_pod(struct buf *b, const struct stats_picture *p, const struct stats_pod *pod,
                    bool is_short)
{
    buf_append_lit(b, "{\"podRef\":{");
    put_text(b, "name", pod->name);
    buf_append_char(b, ',');
    put_text(b, "namespace", pod->namespace);
    buf_append_char(b, ',');
    put_text(b, "uid", pod->uid);
    buf_append_lit(b, "},");
    put_time(b, "startTime", pod->started_s);
    buf_append_lit(b, ",\"containers\":[");
    for (size_t i = 0; i < pod->n_containers; i++) {
        if (i)
            buf_append_char(b, ',');
        put_container(b, p, &pod->containers[i], is_short);
    }
    buf_append_lit(b, "],");
    put_cpu(b, &pod->use);
    put_memory(b, &pod->use, pod->use.usage.memory_limit_bytes);
    if (!is_short) {
        put_network(b, pod->use.at_ns, pod->networks, pod->n_networks);
        put_disk(b, p, pod);
        buf_printf(b, ",\"process_stats\":{\"process_count\":%llu}", (ull)pod->use.usage.pids);
    }
    put_swap(b, pod->use.at_ns, 0, pod->use.usage.memory_swap_bytes);
    buf_append_char(b, '}');
}

static void put_system(struct buf *b, const struct stats_picture *p, const char *name,
                       const struct stats_use *u, int64_t started_s)
{
    buf_printf(b, "{\"name\":\"%s\",", name);
    put_time(b, "startTime", started_s);
    buf_append_char(b, ',');
    put_cpu(b, u);
    put_memory(b, u, u == &p->pods_group ? p->memory_bytes : 0);
    buf_append_char(b, '}');
}

static void put_node(struct buf *b, const struct stats_picture *p, bool is_short)
{
    put_text(b, "nodeName", p->node_name);
    buf_append_lit(b, ",\"systemContainers\":[");
    put_system(b, p, "kubelet", &p->kubelet, p->boot_s);
    buf_append_char(b, ',');
    put_system(b, p, "pods", &p->pods_group, p->boot_s);
    buf_append_lit(b, "],");
    put_time(b, "startTime", p->boot_s);
    buf_append_char(b, ',');
    put_cpu(b, &p->node);
    put_memory(b, &p->node, p->memory_bytes);
    if (!is_short) {
        put_network(b, p->node.at_ns, p->networks, p->n_networks);
        if (p->node_fs.is_known) {
            buf_append_lit(b, ",\"fs\":{");
            put_fs_fields(b, &p->node_fs, p->at_ns, p->node_fs.used_bytes, p->node_fs.inodes_used);
            buf_append_char(b, '}');
        }
        buf_append_lit(b, ",\"runtime\":{\"imageFs\":{");
        put_fs_fields(b, &p->image_fs, p->at_ns, p->images.is_known ? p->images.count.bytes : 0,
                      p->images.is_known ? p->images.count.inodes : 0);
        buf_append_lit(b, "},\"containerFs\":{");
        put_fs_fields(b, &p->node_fs, p->at_ns, p->node_fs.used_bytes, p->node_fs.inodes_used);
        buf_append_lit(b, "}},\"rlimit\":{");
        put_time(b, "time", seconds(p->at_ns));
        buf_printf(b, ",\"maxpid\":%llu,\"curproc\":%llu}", (ull)p->max_pids, (ull)p->pids);
    }
    put_swap(b, p->at_ns, p->swap_free_bytes, p->swap_bytes - p->swap_free_bytes);
}

void stats_print_summary(const struct stats_picture *p, bool only_cpu_and_memory, struct buf *b)
{
    buf_append_lit(b, "{\"node\":{");
    put_node(b, p, only_cpu_and_memory);
    buf_append_lit(b, "},\"pods\":[");
    for (size_t i = 0; i < p->n_pods; i++) {
        if (i)
            buf_append_char(b, ',');
        put_pod(b, p, &p->pods[i], only_cpu_and_memory);
    }
    buf_append_lit(b, "]}");
}

void stats_print_running_pods(const struct stats_picture *p, struct buf *b)
{
    buf_append_lit(b, "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":[");
    for (size_t i = 0; i < p->n_pods; i++) {
        const struct stats_pod *pod = &p->pods[i];

        buf_append_str(b, i ? STR(",{\"metadata\":{") : STR("{\"metadata\":{"));
        put_text(b, "name", pod->name);
        buf_append_char(b, ',');
        put_text(b, "namespace", pod->namespace);
        buf_append_char(b, ',');
        put_text(b, "uid", pod->uid);
        buf_append_lit(b, "},\"spec\":{\"containers\":[");
        for (size_t k = 0; k < pod->n_containers; k++) {
            buf_append_str(b, k ? STR(",{") : STR("{"));
            put_text(b, "name", pod->containers[k].name);
            buf_append_char(b, ',');
            put_text(b, "image", pod->containers[k].image);
            buf_append_lit(b, ",\"resources\":{}}");
        }
        buf_append_lit(b, "]},\"status\":{}}");
    }
    buf_append_lit(b, "]}");
}
