#include "kubelet/pod_containers.h"

#include "api/core_v1.h"
#include "api/quantity.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/macros.h"

/* The common part of an ephemeral container is a container by another name. */
_Static_assert(sizeof(struct core_v1_ephemeral_container_common) ==
                   sizeof(struct core_v1_container),
               "ephemeral containers have the fields of containers");

size_t pod_containers(struct arena *a, const struct core_v1_pod *pod,
                      const struct pod_container **ret)
{
    const struct core_v1_pod_spec *s = &pod->spec;
    struct pod_container *list =
        ARENA_NEW_ARRAY(a, struct pod_container,
                        s->init_containers.len + s->containers.len + s->ephemeral_containers.len);
    size_t n = 0;

    for (uint32_t i = 0; i < s->init_containers.len; i++) {
        const struct core_v1_container *c = &s->init_containers.items[i];

        list[n++] = (struct pod_container){ .kind = str_eq(c->restart_policy, STR("Always"))
                                                        ? POD_CONTAINER_SIDECAR
                                                        : POD_CONTAINER_INIT,
                                            .spec = c };
    }
    for (uint32_t i = 0; i < s->containers.len; i++)
        list[n++] =
            (struct pod_container){ .kind = POD_CONTAINER_MAIN, .spec = &s->containers.items[i] };
    for (uint32_t i = 0; i < s->ephemeral_containers.len; i++) {
        const struct core_v1_ephemeral_container *e = &s->ephemeral_containers.items[i];

        list[n++] = (struct pod_container){
            .kind = POD_CONTAINER_EPHEMERAL,
            .spec = (const struct core_v1_container *)(const void *)&e->ephemeral_container_common,
            .target = e->target_container_name,
        };
    }
    *ret = list;
    return n;
}

long long pod_resource(const void *map, struct str name, bool is_milli)
{
    const struct schema_str_entry *e = text_map_find(map, name);
    struct quantity q;

    if (!e || !quantity_parse(e->value, &q))
        return -1;
    return is_milli ? quantity_milli_value(q) : quantity_value(q);
}

static void note_resources(const struct core_v1_resource_requirements *r, bool *any,
                           bool *guaranteed)
{
    static const struct str names[] = { STR_INIT("cpu"), STR_INIT("memory") };

    for (size_t i = 0; i < 2; i++) {
        long long limit = pod_resource(&r->limits, names[i], i == 0);
        long long request = pod_resource(&r->requests, names[i], i == 0);

        *any |= limit > 0 || request > 0;
        *guaranteed &= limit > 0 && (request < 0 || request == limit);
    }
}

enum pod_qos pod_qos_of(const struct core_v1_pod *pod)
{
    const struct core_v1_pod_spec *s = &pod->spec;
    bool any = false, guaranteed = true;

    if (s->resources) { /* the Pod's own word counts alone */
        note_resources(s->resources, &any, &guaranteed);
    } else {
        for (uint32_t i = 0; i < s->init_containers.len; i++)
            note_resources(&s->init_containers.items[i].resources, &any, &guaranteed);
        for (uint32_t i = 0; i < s->containers.len; i++)
            note_resources(&s->containers.items[i].resources, &any, &guaranteed);
    }
    if (!any)
        return POD_QOS_BEST_EFFORT;
    return guaranteed ? POD_QOS_GUARANTEED : POD_QOS_BURSTABLE;
}

struct str pod_qos_name(enum pod_qos q)
{
    static const struct str names[] = { STR_INIT("Guaranteed"), STR_INIT("Burstable"),
                                        STR_INIT("BestEffort") };

    return names[q];
}

long long pod_request(const struct core_v1_pod *pod, struct str name, bool is_milli)
{
    const struct core_v1_pod_spec *s = &pod->spec;
    long long own = s->resources ? pod_resource(&s->resources->requests, name, is_milli) : -1;
    long long mains = 0, sidecars = 0, start = 0;

    for (uint32_t i = 0; i < s->containers.len; i++)
        mains += MAX(pod_resource(&s->containers.items[i].resources.requests, name, is_milli), 0LL);
    /* An init container runs beside the sidecars before it. */
    for (uint32_t i = 0; i < s->init_containers.len; i++) {
        const struct core_v1_container *c = &s->init_containers.items[i];
        long long q = MAX(pod_resource(&c->resources.requests, name, is_milli), 0LL);

        if (str_eq(c->restart_policy, STR("Always")))
            sidecars += q;
        start = MAX(start, str_eq(c->restart_policy, STR("Always")) ? sidecars : sidecars + q);
    }
    if (own < 0)
        own = MAX(mains + sidecars, start);
    return own + MAX(pod_resource(&s->overhead, name, is_milli), 0LL);
}
