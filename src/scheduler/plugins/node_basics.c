/* NodeUnschedulable, NodeName, NodePorts. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "client/api_object.h"
#include "scheduler/framework.h"

static void filter_unschedulable(const struct sched_cycle *c, const struct sched_node *n,
                                 struct sched_reasons *why)
{
    if (API_OBJECT(n->object, struct core_v1_node)->spec.unschedulable &&
        !sched_tolerates(c->pod, STR("node.kubernetes.io/unschedulable"), STR(""),
                         STR("NoSchedule")))
        sched_reason(why, STR("node(s) were unschedulable"));
}

const struct sched_plugin node_unschedulable_plugin = {
    .name = "NodeUnschedulable",
    .events = SCHED_NODE_TAINTS,
    .filter = filter_unschedulable,
};

static void filter_name(const struct sched_cycle *c, const struct sched_node *n,
                        struct sched_reasons *why)
{
    if (c->pod->spec.node_name.len && !str_eq(c->pod->spec.node_name, n->object->meta->name))
        sched_reason(why, STR("node(s) didn't match the requested node name"));
}

const struct sched_plugin node_name_plugin = { .name = "NodeName", .filter = filter_name };

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

static bool has_port(const struct core_v1_pod *pod, const struct core_v1_container_port *wanted)
{
    for (uint32_t i = 0; i < pod->spec.containers.len; i++) {
        const struct core_v1_container *c = &pod->spec.containers.items[i];

        for (uint32_t k = 0; k < c->ports.len; k++)
            if (clash(&c->ports.items[k], wanted))
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

static void filter_ports(const struct sched_cycle *c, const struct sched_node *n,
                         struct sched_reasons *why)
{
    for (uint32_t i = 0; i < c->pod->spec.containers.len; i++) {
        const struct core_v1_container *k = &c->pod->spec.containers.items[i];

        for (uint32_t p = 0; p < k->ports.len; p++)
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
    .filter = filter_ports,
};
