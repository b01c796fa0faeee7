/* NodeUnschedulable, NodeName, NodePorts. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "client/api_object.h"
#include "scheduler/framework.h"

static void filter_unschedulable(const struct sched_cycle *c, const struct sched_node *n,
                                 size_t row, struct sched_reasons *why)
{
    static const struct core_v1_taint taint = { .key = STR_INIT("node.kubernetes.io/unschedulable"),
                                                .effect = STR_INIT("NoSchedule") };

    (void)row;
    if (n->is_unschedulable && !sched_tolerates(c->pod, &taint))
        sched_reason_final(why, STR("node(s) were unschedulable"));
}

const struct sched_plugin node_unschedulable_plugin = {
    .name = "NodeUnschedulable",
    .events = SCHED_NODE_TAINTS,
    .filter = filter_unschedulable,
};

static bool has_name(struct sched_cycle *c)
{
    return c->pod->spec.node_name.len;
}

static void filter_name(const struct sched_cycle *c, const struct sched_node *n, size_t row,
                        struct sched_reasons *why)
{
    (void)row;
    if (!str_eq(c->pod->spec.node_name, n->object->meta->name))
        sched_reason_final(why, STR("node(s) didn't match the requested node name"));
}

const struct sched_plugin node_name_plugin = { .name = "NodeName",
                                               .pre_filter = has_name,
                                               .filter = filter_name };

/* --- ports of the node --- */

static bool is_any(struct str ip)
{
    return !ip.len || str_eq(ip, STR("0.0.0.0"));
}

static bool clash(const struct core_v1_container_port *a, const struct core_v1_container_port *b)
{
    struct str pa = a->protocol.len ? a->protocol : STR("TCP"),
               pb = b->protocol.len ? b->protocol : STR("TCP");

    return a->host_port > 0 && a->host_port == b->host_port && str_eq(pa, pb) &&
           (is_any(a->host_ip) || is_any(b->host_ip) || str_eq(a->host_ip, b->host_ip));
}

/* The container i of those whose ports count: all, and the init containers that stay (sidecars).
 */
static const struct core_v1_container *holder(const struct core_v1_pod *pod, uint32_t i)
{
    const struct core_v1_container *c;

    if (i < pod->spec.containers.len)
        return &pod->spec.containers.items[i];
    i -= pod->spec.containers.len;
    c = i < pod->spec.init_containers.len ? &pod->spec.init_containers.items[i] : NULL;
    return c && str_eq(c->restart_policy, STR("Always")) ? c : NULL;
}

static uint32_t n_holders(const struct core_v1_pod *pod)
{
    return pod->spec.containers.len + pod->spec.init_containers.len;
}

static bool has_port(const struct core_v1_pod *pod, const struct core_v1_container_port *wanted)
{
    for (uint32_t i = 0; i < n_holders(pod); i++) {
        const struct core_v1_container *c = holder(pod, i);

        for (uint32_t k = 0; c && k < c->ports.len; k++)
            if (clash(&c->ports.items[k], wanted))
                return true;
    }
    return false;
}

static bool wants_ports(struct sched_cycle *c)
{
    for (uint32_t i = 0; i < n_holders(c->pod); i++) {
        const struct core_v1_container *k = holder(c->pod, i);

        for (uint32_t p = 0; k && p < k->ports.len; p++)
            if (k->ports.items[p].host_port > 0)
                return true;
    }
    return false;
}

static bool is_taken(const struct sched_node *n, const struct core_v1_container_port *wanted)
{
    for (size_t i = 0; i < n->pods.len; i++)
        if (has_port(API_OBJECT(n->pods.items[i]->object, struct core_v1_pod), wanted))
            return true;
    return false;
}

static void filter_ports(const struct sched_cycle *c, const struct sched_node *n, size_t row,
                         struct sched_reasons *why)
{
    (void)row;
    for (uint32_t i = 0; i < n_holders(c->pod); i++) {
        const struct core_v1_container *k = holder(c->pod, i);

        for (uint32_t p = 0; k && p < k->ports.len; p++)
            if (k->ports.items[p].host_port > 0 && is_taken(n, &k->ports.items[p])) {
                sched_reason(why, STR("node(s) didn't have free ports for the requested pod "
                                      "ports"));
                return;
            }
    }
}

const struct sched_plugin node_ports_plugin = {
    .name = "NodePorts",
    .events = SCHED_POD_DELETED,
    .pre_filter = wants_ports,
    .filter = filter_ports,
};
