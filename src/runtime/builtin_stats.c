/* What runs uses: control groups of containers and Pods, interfaces of Pods. Files of the kernel,
 * so some of them a turn; what ends meanwhile reads as nothing and is left out. */
#include <fcntl.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "runtime/builtin_internal.h"
#include "runtime/cgroup.h"
#include "runtime/network_stats.h"

enum { GROUPS_PER_TURN = 8 };

struct stats_job {
    struct runtime_stats *containers;
    struct runtime_sandbox_stats *sandboxes;
    pid_t *pids; /* of the sandboxes' first processes */
    size_t n_containers, n_sandboxes;
    size_t at, n_containers_read, n_sandboxes_read;
};

static void list_all(struct runtime_call *c, struct stats_job *j)
{
    struct builtin *b = c->b;
    struct arena *a = &c->arena;
    size_t n = 0;

    LIST_FOREACH(l, &b->containers)
        n++;
    j->containers = ARENA_NEW_ARRAY(a, struct runtime_stats, n);
    LIST_FOREACH(l, &b->containers) {
        const struct builtin_container *ctr = CONTAINER_OF(l, struct builtin_container, link);

        if (ctr->status.state == RUNTIME_CONTAINER_IS_RUNNING)
            j->containers[j->n_containers++] = (struct runtime_stats){
                .container_id = str_dup(a, ctr->status.id),
                .sandbox_id = str_dup(a, ctr->sandbox_id),
                .pod_uid = str_dup(a, ctr->status.pod_uid),
                .name = str_dup(a, ctr->status.name),
                .image = str_dup(a, ctr->status.image),
                .cgroup_path = str_dup(a, ctr->cgroup_path),
                .started_at_ns = ctr->status.started_at_ns,
                .writable_layer_path =
                    str_from_cstr(builtin_path(a, b->root, "containers", ctr->status.id, "/upper")),
            };
    }
    n = 0;
    LIST_FOREACH(l, &b->sandboxes)
        n++;
    j->sandboxes = ARENA_NEW_ARRAY(a, struct runtime_sandbox_stats, n);
    j->pids = ARENA_NEW_ARRAY(a, pid_t, n);
    LIST_FOREACH(l, &b->sandboxes) {
        const struct builtin_sandbox *s = CONTAINER_OF(l, struct builtin_sandbox, link);

        if (!s->status.ready)
            continue;
        j->pids[j->n_sandboxes] = s->pause.pid;
        j->sandboxes[j->n_sandboxes++] = (struct runtime_sandbox_stats){
            .id = str_dup(a, s->status.id),
            .name = str_dup(a, s->status.name),
            .uid = str_dup(a, s->status.uid),
            .pod_namespace = str_dup(a, s->status.pod_namespace),
            .cgroup_path = str_dup(a, s->cgroup_parent),
            .created_at_ns = s->status.created_at_ns,
            .is_host_network = s->host_network,
        };
    }
}

static void read_sandbox(struct runtime_call *c, struct stats_job *j, size_t i, int64_t now_ns)
{
    struct runtime_sandbox_stats s = j->sandboxes[i];

    s.at_ns = now_ns;
    cgroup_read_usage(s.cgroup_path, &s.usage);
    if (!s.is_host_network && j->pids[i] > 0)
        s.networks = network_stats_read(&c->arena, j->pids[i], &s.n_networks);
    if (s.usage.cpu_usage_ns)
        j->sandboxes[j->n_sandboxes_read++] = s;
}

static void read_container(struct stats_job *j, size_t i, int64_t now_ns)
{
    struct runtime_stats s = j->containers[i];

    s.at_ns = now_ns;
    cgroup_read_usage(s.cgroup_path, &s.usage);
    if (s.usage.cpu_usage_ns)
        j->containers[j->n_containers_read++] = s;
}

static void read_some(struct loop_timer *t)
{
    struct runtime_call *c = CONTAINER_OF(t, struct runtime_call, timer);
    struct stats_job *j = c->stats;
    const struct clock *clock = loop_clock(c->b->rt.loop);
    size_t all = j->n_containers + j->n_sandboxes, end = MIN(j->at + GROUPS_PER_TURN, all);

    for (; j->at < end; j->at++)
        if (j->at < j->n_containers)
            read_container(j, j->at, clock->wall_ns(clock));
        else
            read_sandbox(c, j, j->at - j->n_containers, clock->wall_ns(clock));
    if (j->at < all) {
        loop_timer_start(&c->timer, 0);
        return;
    }
    c->result.stats = j->containers;
    c->result.n_stats = j->n_containers_read;
    c->result.sandbox_stats = j->sandboxes;
    c->result.n_sandbox_stats = j->n_sandboxes_read;
    builtin_call_finish(c, 0);
}

struct runtime_call *builtin_stats(struct runtime *rt, runtime_done_fn *done, void *arg)
{
    struct builtin *b = CONTAINER_OF(rt, struct builtin, rt);
    struct runtime_call *c = builtin_call_new(b, "list_container_stats", done, arg);
    struct stats_job *j = ARENA_NEW(&c->arena, struct stats_job);

    list_all(c, j);
    c->stats = j;
    loop_timer_init(&c->timer, rt->loop, read_some);
    loop_timer_start(&c->timer, 0);
    return c;
}
