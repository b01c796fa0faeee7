#include "kubelet/stats/stats_collector.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "io/loop.h"
#include "kubelet/server/kubelet_server.h"
#include "kubelet/stats/machine_stats.h"
#include "runtime/cgroup.h"
#include "runtime/network_stats.h"
#include "runtime/runtime.h"

enum { FRESH_MS = 1000 };

struct sample { /* of CPU time, of the picture before */
    int64_t at_ns;
    uint64_t cpu_ns;
    uint64_t picture; /* whose */
};

struct stats_collector {
    struct stats_collector_options o;
    struct disk_usage *disk;
    struct list waiters;
    struct loop_task task;
    struct runtime_call *call;
    struct arena arena; /* of the picture */
    struct stats_picture picture;
    int64_t taken_at_ms;
    uint64_t n_pictures;
    struct map samples; /* of struct sample */
};

/* --- parts of a picture --- */

static void put_rate(struct stats_collector *s, struct str key, struct stats_use *u)
{
    struct sample *old = map_get(&s->samples, key);
    uint64_t cpu_ns = u->usage.cpu_usage_ns;

    if (!old) {
        old = NEW(struct sample);
        (void)map_put(&s->samples, key, old);
    } else if (u->at_ns > old->at_ns && cpu_ns >= old->cpu_ns) {
        u->has_rate = true;
        u->rate_nano_cores =
            (uint64_t)((double)(cpu_ns - old->cpu_ns) * 1e9 / (double)(u->at_ns - old->at_ns));
    }
    *old = (struct sample){ u->at_ns, cpu_ns, s->n_pictures };
}

static void drop_old_samples(struct stats_collector *s)
{
    MAP_FOREACH(it, &s->samples) {
        struct sample *old = it->value;

        if (old->picture == s->n_pictures)
            continue;
        (void)map_remove(&s->samples, it->key);
        mem_free(old);
    }
}

static void read_tree(struct stats_collector *s, const char *path, struct str name,
                      struct stats_tree *ret)
{
    *ret = (struct stats_tree){ .name = name };
    if (path)
        ret->is_known = disk_usage_get(s->disk, path, &ret->count);
}

static void read_fs(const char *path, struct stats_fs *ret)
{
    struct statvfs fs;

    if (statvfs(path, &fs) < 0)
        return;
    ret->is_known = true;
    ret->capacity_bytes = (uint64_t)fs.f_blocks * fs.f_frsize;
    ret->available_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    ret->used_bytes = ret->capacity_bytes - (uint64_t)fs.f_bfree * fs.f_frsize;
    ret->inodes = fs.f_files;
    ret->inodes_free = fs.f_ffree;
    ret->inodes_used = fs.f_files - fs.f_ffree;
}

static void read_group(struct stats_collector *s, struct str path, struct str key,
                       struct stats_use *ret)
{
    const struct clock *clock = loop_clock(s->o.loop);

    ret->at_ns = clock->wall_ns(clock);
    cgroup_read_usage(path, &ret->usage);
    put_rate(s, key, ret);
}

/* Without those that lead to Pods, which count for themselves. */
static const struct runtime_network_stats *own_interfaces(struct arena *a, size_t *ret_n)
{
    size_t n, kept = 0;
    const struct runtime_network_stats *all = network_stats_read(a, 0, &n);
    struct runtime_network_stats *own = ARENA_NEW_ARRAY(a, struct runtime_network_stats, n);

    for (size_t i = 0; i < n; i++)
        if (!str_has_prefix(all[i].name, STR("veth")) && !str_has_prefix(all[i].name, STR("ptl")))
            own[kept++] = all[i];
    *ret_n = kept;
    return own;
}

static void read_node(struct stats_collector *s, struct stats_picture *p)
{
    struct arena *a = &s->arena;
    struct machine_stats m;

    machine_stats_read(a, &m);
    p->n_cpus = (uint64_t)get_nprocs();
    p->memory_bytes = m.memory_bytes;
    p->swap_bytes = m.swap_bytes;
    p->swap_free_bytes = m.swap_free_bytes;
    p->max_pids = m.max_pids;
    p->pids = m.pids;
    p->boot_s = m.boot_s;
    read_group(s, STR(""), STR("node"), &p->node);
    if (!p->node.usage.memory_usage_bytes) { /* v2's root has no such file */
        p->node.usage.memory_working_set_bytes =
            m.used_bytes > m.inactive_file_bytes ? m.used_bytes - m.inactive_file_bytes : 0;
        p->node.usage.memory_usage_bytes = m.used_bytes;
    }
    read_group(s, arena_printf(a, "%s/kubepods", s->o.cgroup_root), STR("pods"), &p->pods_group);
    p->kubelet.at_ns = p->node.at_ns;
    machine_stats_read_self(a, &p->kubelet.usage);
    put_rate(s, STR("kubelet"), &p->kubelet);
    p->networks = own_interfaces(a, &p->n_networks);
    read_fs(s->o.root_directory, &p->node_fs);
    read_fs(s->o.image_directory, &p->image_fs);
    read_tree(s, s->o.image_directory, STR("images"), &p->images);
}

static void take_container(struct stats_collector *s, const struct runtime_stats *c,
                           const struct kubelet_view_pod *details, struct stats_container *ret)
{
    struct arena *a = &s->arena;
    const char *logs = NULL;

    *ret = (struct stats_container){ .name = str_dup(a, c->name),
                                     .id = str_dup(a, c->container_id),
                                     .image = str_dup(a, c->image),
                                     .cgroup_path = str_dup(a, c->cgroup_path),
                                     .started_at_ns = c->started_at_ns,
                                     .use = { .at_ns = c->at_ns, .usage = c->usage } };
    put_rate(s, ret->id, &ret->use);
    read_tree(s, str_cstr(a, c->writable_layer_path), STR("rootfs"), &ret->rootfs);
    if (details->log_directory)
        logs = arena_printf(a, "%s/%.*s", details->log_directory, STR_ARG(ret->name)).p;
    read_tree(s, logs, STR("logs"), &ret->logs);
}

static int by_name(const void *a, const void *b)
{
    const struct stats_container *x = a, *y = b;

    return str_cmp(x->name, y->name);
}

static void take_pod(struct stats_collector *s, const struct runtime_result *res,
                     const struct runtime_sandbox_stats *from, struct stats_pod *ret)
{
    struct arena *a = &s->arena;
    struct runtime_network_stats *networks =
        ARENA_NEW_ARRAY(a, struct runtime_network_stats, from->n_networks);
    struct kubelet_view_pod details = { 0 };

    *ret = (struct stats_pod){ .name = str_dup(a, from->name),
                               .namespace = str_dup(a, from->pod_namespace),
                               .uid = str_dup(a, from->uid),
                               .sandbox_id = str_dup(a, from->id),
                               .cgroup_path = str_dup(a, from->cgroup_path),
                               .started_s = from->created_at_ns / 1000000000,
                               .use = { .at_ns = from->at_ns, .usage = from->usage },
                               .is_host_network = from->is_host_network,
                               .networks = networks,
                               .n_networks = from->n_networks };
    put_rate(s, ret->uid, &ret->use);
    for (size_t i = 0; i < from->n_networks; i++) {
        networks[i] = from->networks[i];
        networks[i].name = str_dup(a, networks[i].name);
    }
    if (s->o.view->pod_details(s->o.view->arg, a, from->uid, &details) && details.started_s)
        ret->started_s = details.started_s;
    ret->volumes = ARENA_NEW_ARRAY(a, struct stats_tree, details.n_volumes);
    ret->n_volumes = details.n_volumes;
    for (size_t i = 0; i < details.n_volumes; i++)
        read_tree(s, details.volumes[i].path, details.volumes[i].name, &ret->volumes[i]);
    for (size_t i = 0; i < res->n_stats; i++)
        ret->n_containers += str_eq(res->stats[i].sandbox_id, from->id);
    ret->containers = ARENA_NEW_ARRAY(a, struct stats_container, ret->n_containers);
    ret->n_containers = 0;
    for (size_t i = 0; i < res->n_stats; i++)
        if (str_eq(res->stats[i].sandbox_id, from->id))
            take_container(s, &res->stats[i], &details, &ret->containers[ret->n_containers++]);
    if (ret->n_containers)
        qsort(ret->containers, ret->n_containers, sizeof(*ret->containers), by_name);
}

/* --- taking it --- */

static void answer(struct stats_collector *s)
{
    struct list *n;

    while ((n = list_first(&s->waiters))) {
        struct stats_waiter *w = CONTAINER_OF(n, struct stats_waiter, link);

        list_remove(n);
        w->fn(w, &s->picture);
    }
}

static void on_stats(const struct runtime_result *res, void *arg)
{
    struct stats_collector *s = arg;
    const struct clock *clock = loop_clock(s->o.loop);
    struct stats_picture *p = &s->picture;

    s->call = NULL;
    arena_reset(&s->arena);
    s->n_pictures++;
    s->taken_at_ms = loop_now_ms(s->o.loop);
    *p = (struct stats_picture){ .at_ns = clock->wall_ns(clock), .node_name = s->o.node_name };
    read_node(s, p);
    p->pods = ARENA_NEW_ARRAY(&s->arena, struct stats_pod, res->n_sandbox_stats);
    for (size_t i = 0; i < res->n_sandbox_stats; i++)
        take_pod(s, res, &res->sandbox_stats[i], &p->pods[p->n_pods++]);
    drop_old_samples(s);
    answer(s);
}

static void on_asked(struct loop_task *t)
{
    struct stats_collector *s = CONTAINER_OF(t, struct stats_collector, task);

    if (s->call || list_is_empty(&s->waiters))
        return;
    if (s->n_pictures && loop_now_ms(s->o.loop) - s->taken_at_ms < FRESH_MS)
        answer(s);
    else
        s->call = s->o.runtime->ops->stats(s->o.runtime, on_stats, s);
}

void stats_collector_ask(struct stats_collector *s, struct stats_waiter *w)
{
    list_append(&s->waiters, &w->link);
    loop_task_post(s->o.loop, &s->task);
}

void stats_collector_forget(struct stats_waiter *w)
{
    list_remove(&w->link);
}

struct stats_collector *stats_collector_new(const struct stats_collector_options *o)
{
    struct stats_collector *s = NEW(struct stats_collector);

    s->o = *o;
    s->disk = disk_usage_new(o->loop);
    list_init(&s->waiters);
    loop_task_init(&s->task, on_asked);
    return s;
}

void stats_collector_free(struct stats_collector *s)
{
    if (!s)
        return;
    loop_task_cancel(&s->task);
    if (s->call)
        s->o.runtime->ops->cancel(s->call);
    disk_usage_free(s->disk);
    MAP_FOREACH(it, &s->samples)
        mem_free(it->value);
    map_done(&s->samples);
    arena_done(&s->arena);
    mem_free(s);
}
