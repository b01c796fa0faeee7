#include "kubelet/resize/pod_resize.h"

#include "api/core_v1.h"
#include "api/object_json.h"
#include "api/schema.h"
#include "base/buf.h"
#include "base/err.h"
#include "kubelet/pod_containers.h"

static const struct schema_type *type(void)
{
    return schema_find_type(&schema_builtin, STR(""), STR("v1"), STR("ResourceRequirements"));
}

struct str pod_resize_text(struct arena *a, const struct core_v1_resource_requirements *r)
{
    struct core_v1_resource_requirements copy = *r;
    struct object o = { .schema = &schema_builtin, .type = type(), .data = &copy };
    struct buf b;

    buf_init_arena(&b, a, 128);
    object_json_encode(&b, o, NULL);
    return buf_str(&b);
}

struct core_v1_resource_requirements *pod_resize_parse(struct arena *a, struct str text)
{
    struct object o;
    struct err err;

    if (!text.len || object_json_decode(a, &schema_builtin, type(), text, &o, NULL, &err) < 0)
        return NULL;
    return o.data;
}

static bool differs(const struct core_v1_resource_requirements *x,
                    const struct core_v1_resource_requirements *y, struct str name, bool is_milli)
{
    return pod_resource(&x->requests, name, is_milli) !=
               pod_resource(&y->requests, name, is_milli) ||
           pod_resource(&x->limits, name, is_milli) != pod_resource(&y->limits, name, is_milli);
}

static bool wants_restart(const struct core_v1_container *c, struct str name)
{
    for (uint32_t i = 0; i < c->resize_policy.len; i++)
        if (str_eq(c->resize_policy.items[i].resource_name, name))
            return str_eq(c->resize_policy.items[i].restart_policy, STR("RestartContainer"));
    return false;
}

enum pod_resize_way pod_resize_way(const struct core_v1_container *c,
                                   const struct core_v1_resource_requirements *has)
{
    bool cpu = differs(&c->resources, has, STR("cpu"), true),
         memory = differs(&c->resources, has, STR("memory"), false);

    if (!cpu && !memory)
        return POD_RESIZE_NOTHING;
    return (cpu && wants_restart(c, STR("cpu"))) || (memory && wants_restart(c, STR("memory")))
               ? POD_RESIZE_BY_RESTART
               : POD_RESIZE_IN_PLACE;
}
