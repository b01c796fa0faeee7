#include "kubelet/admission/pod_admit.h"

#include "api/core_v1.h"
#include "api/node_match.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/macros.h"
#include "kubelet/node/node_pressure.h"
#include "kubelet/pod_containers.h"

enum { SYSTEM_CRITICAL_PRIORITY = 2000000000 };

/* --- ports --- */

static bool is_any_address(struct str ip)
{
    return !ip.len || str_eq(ip, STR("0.0.0.0")) || str_eq(ip, STR("::"));
}

static bool clash(const struct core_v1_container_port *a, const struct core_v1_container_port *b)
{
    struct str pa = a->protocol.len ? a->protocol : STR("TCP");
    struct str pb = b->protocol.len ? b->protocol : STR("TCP");

    return a->host_port && a->host_port == b->host_port && str_eq(pa, pb) &&
           (is_any_address(a->host_ip) || is_any_address(b->host_ip) ||
            str_eq(a->host_ip, b->host_ip));
}

static bool has_port_like(struct arena *a, const struct core_v1_pod *pod,
                          const struct core_v1_container_port *port)
{
    const struct pod_container *cs;
    size_t n = pod_containers(a, pod, &cs);

    for (size_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < cs[i].spec->ports.len; k++)
            if (cs[i].kind != POD_CONTAINER_INIT && clash(&cs[i].spec->ports.items[k], port))
                return true;
    return false;
}

static bool ports_are_free(struct arena *a, const struct core_v1_pod *pod,
                           const struct core_v1_pod *const *others, size_t n_others)
{
    const struct pod_container *cs;
    size_t n = pod_containers(a, pod, &cs);

    for (size_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < cs[i].spec->ports.len; k++)
            for (size_t o = 0; cs[i].spec->ports.items[k].host_port && o < n_others; o++)
                if (cs[i].kind != POD_CONTAINER_INIT &&
                    has_port_like(a, others[o], &cs[i].spec->ports.items[k]))
                    return false;
    return true;
}

/* --- resources --- */

struct pod_rejection pod_admit_resources(struct arena *a, const struct pod_admit_node *n,
                                         const struct core_v1_pod *pod,
                                         const struct core_v1_pod *const *others, size_t n_others)
{
    const struct {
        struct str name;
        bool is_milli;
        long long capacity;
    } rows[] = {
        { STR("cpu"), true, n->cpu_milli },
        { STR("memory"), false, n->memory_bytes },
        { STR("ephemeral-storage"), false, n->ephemeral_bytes },
    };
    static const char format[] =
        "Node didn't have enough resource: %.*s, requested: %lld, used: %lld, capacity: %lld";

    if (n_others >= n->pods)
        return (struct pod_rejection){ STR("OutOfpods"),
                                       arena_printf(a, format, STR_ARG(STR("pods")), 1LL,
                                                    (long long)n_others, (long long)n->pods) };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        long long wanted = pod_request(pod, rows[i].name, rows[i].is_milli), used = 0;

        for (size_t o = 0; o < n_others; o++)
            used += pod_request(others[o], rows[i].name, rows[i].is_milli);
        if (wanted > 0 && used + wanted > rows[i].capacity)
            return (struct pod_rejection){ arena_printf(a, "OutOf%.*s", STR_ARG(rows[i].name)),
                                           arena_printf(a, format, STR_ARG(rows[i].name), wanted,
                                                        used, rows[i].capacity) };
    }
    return (struct pod_rejection){ 0 };
}

/* Static Pods and those that the system cannot be without come in whatever there is. */
static bool is_critical(const struct core_v1_pod *pod)
{
    const struct schema_str_entry *source =
        text_map_find(&pod->metadata.annotations, STR("kubernetes.io/config.source"));

    return (source && !str_eq(source->value, STR("api"))) ||
           (pod->spec.priority && *pod->spec.priority >= SYSTEM_CRITICAL_PRIORITY);
}

static bool tolerates_memory_pressure(const struct core_v1_pod *pod)
{
    for (uint32_t i = 0; i < pod->spec.tolerations.len; i++) {
        const struct core_v1_toleration *t = &pod->spec.tolerations.items[i];
        bool exists = str_eq(t->operator, STR("Exists"));

        if ((str_eq(t->key, STR("node.kubernetes.io/memory-pressure")) ||
             (!t->key.len && exists)) &&
            (!t->effect.len || str_eq(t->effect, STR("NoSchedule"))) && (exists || !t->value.len))
            return true;
    }
    return false;
}

/* Short of memory alone, a node still takes what has asked for its own. */
static struct pod_rejection check_pressure(struct arena *a, const struct node_pressure *p,
                                           const struct core_v1_pod *pod)
{
    static const char *const names[] = { [PRESSURE_OF_MEMORY] = "MemoryPressure",
                                         [PRESSURE_OF_DISK] = "DiskPressure",
                                         [PRESSURE_OF_PIDS] = "PIDPressure" };
    struct pod_rejection r = { .reason = STR("Evicted") };
    bool is_memory_alone = true;
    struct buf b;

    buf_init_arena(&b, a, 128);
    for (size_t i = 0; i < PRESSURE_KINDS; i++)
        if (p->holds[i]) {
            buf_printf(&b, "%s%s", b.len ? " " : "", names[i]);
            is_memory_alone &= i == PRESSURE_OF_MEMORY;
        }
    if (!b.len || is_critical(pod) ||
        (is_memory_alone &&
         (pod_qos_of(pod) != POD_QOS_BEST_EFFORT || tolerates_memory_pressure(pod))))
        return (struct pod_rejection){ 0 };
    r.message = arena_printf(a, "The node had condition: [%.*s]. ", STR_ARG(buf_str(&b)));
    return r;
}

struct pod_rejection pod_admit(struct arena *a, const struct pod_admit_node *n,
                               const struct core_v1_pod *pod,
                               const struct core_v1_pod *const *others, size_t n_others)
{
    struct pod_rejection r = { 0 };

    if (n->pressure)
        r = check_pressure(a, n->pressure, pod);
    if (!r.reason.len)
        r = pod_admit_resources(a, n, pod, others, n_others);
    if (r.reason.len)
        return r;
    if (n->node && !node_match_pod(&pod->spec, n->node))
        return (struct pod_rejection){ STR("NodeAffinity"),
                                       STR("Predicate NodeAffinity failed: node(s) didn't match "
                                           "Pod's node affinity/selector") };
    if (!ports_are_free(a, pod, others, n_others))
        return (struct pod_rejection){ STR("NodePorts"),
                                       STR("Predicate NodePorts failed: node(s) didn't have free "
                                           "ports for the requested pod ports") };
    return (struct pod_rejection){ 0 };
}
