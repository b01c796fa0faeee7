/* Pods: status at create, what their subresources may change, graceful deletion. */
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/text_map.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/strategies.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/macros.h"

enum { QOS_NONE, QOS_SOME, QOS_ALL };

static struct str compute(const void *map, const char *name)
{
    const struct schema_str_entry *e = text_map_find(map, str_from_cstr(name));

    /* Zero, however it is spelled, asks for nothing. */
    if (!e || !e->value.len || str_eq(e->value, STR("0")))
        return STR_NULL;
    return e->value;
}

/* What one container says of cpu and memory: nothing, something, or limits equal to requests. */
static int container_qos(const struct core_v1_container *c)
{
    static const char *const names[] = { "cpu", "memory" };
    bool any = false, all = true;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct str request = compute(&c->resources.requests, names[i]);
        struct str limit = compute(&c->resources.limits, names[i]);

        any |= request.p || limit.p;
        all &= limit.p && (!request.p || str_eq(request, limit));
    }
    return all ? QOS_ALL : any ? QOS_SOME : QOS_NONE;
}

static struct str qos_class(const struct core_v1_pod_spec *spec)
{
    bool any = false, all = true;

    for (uint32_t i = 0; i < spec->containers.len; i++) {
        int q = container_qos(&spec->containers.items[i]);

        any |= q != QOS_NONE;
        all &= q == QOS_ALL;
    }
    for (uint32_t i = 0; i < spec->init_containers.len; i++) {
        int q = container_qos(&spec->init_containers.items[i]);

        any |= q != QOS_NONE;
        all &= q == QOS_ALL;
    }
    return !any ? STR("BestEffort") : all ? STR("Guaranteed") : STR("Burstable");
}

/* Clients see at once that a Pod with gates waits for somebody. */
static void tell_of_gates(struct api_request *r, struct core_v1_pod *pod)
{
    struct core_v1_pod_condition *waits;

    if (!pod->spec.scheduling_gates.len)
        return;
    waits = ARENA_NEW(r->arena, struct core_v1_pod_condition);
    waits->type = STR("PodScheduled");
    waits->status = STR("False");
    waits->reason = STR("SchedulingGated");
    waits->message = STR("Scheduling is blocked due to non-empty scheduling gates");
    waits->last_transition_time =
        (struct ktime){ .sec = clock_wall_s(r->server->clock), .set = true };
    pod->status.conditions.items = waits;
    pod->status.conditions.len = 1;
}

static void prepare_create(struct api_request *r, struct object o)
{
    struct core_v1_pod *pod = o.data;

    pod->status.phase = STR("Pending");
    pod->status.qos_class = qos_class(&pod->spec);
    tell_of_gates(r, pod);
}

static bool is_for(const struct api_request *r, const char *subresource)
{
    return r->subresource && str_eq(r->subresource->name, str_from_cstr(subresource));
}

/* Takes over from `asked` what a resize may say of the containers that there are. */
static void take_sizes(struct arena *a, struct core_v1_container **items, uint32_t n,
                       const struct core_v1_container *asked, uint32_t n_asked)
{
    if (!n)
        return;
    *items = arena_dup(a, *items, n * sizeof(**items));
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < n_asked; k++)
            if (str_eq((*items)[i].name, asked[k].name)) {
                (*items)[i].resources = asked[k].resources;
                (*items)[i].resize_policy.items = asked[k].resize_policy.items;
                (*items)[i].resize_policy.len = asked[k].resize_policy.len;
            }
}

/* ephemeralcontainers and resize change one thing each; all else stays as it is stored. */
static void prepare_update(struct api_request *r, struct object o, struct object old)
{
    struct core_v1_pod *pod = o.data, asked = *pod;
    const struct core_v1_pod *was = old.data;
    bool resize = is_for(r, "resize");

    if (!resize && !is_for(r, "ephemeralcontainers"))
        return;
    *pod = *was;
    pod->metadata.resource_version = asked.metadata.resource_version;
    if (!resize) {
        pod->spec.ephemeral_containers.items = asked.spec.ephemeral_containers.items;
        pod->spec.ephemeral_containers.len = asked.spec.ephemeral_containers.len;
        return;
    }
    take_sizes(r->arena, &pod->spec.containers.items, pod->spec.containers.len,
               asked.spec.containers.items, asked.spec.containers.len);
    take_sizes(r->arena, &pod->spec.init_containers.items, pod->spec.init_containers.len,
               asked.spec.init_containers.items, asked.spec.init_containers.len);
}

static bool has_container(const struct core_v1_pod_spec *spec, struct str name)
{
    for (uint32_t i = 0; i < spec->containers.len; i++)
        if (str_eq(spec->containers.items[i].name, name))
            return true;
    for (uint32_t i = 0; i < spec->init_containers.len; i++)
        if (str_eq(spec->init_containers.items[i].name, name))
            return true;
    return false;
}

static const struct core_v1_ephemeral_container *find_ephemeral(const struct core_v1_pod_spec *spec,
                                                                struct str name, uint32_t end)
{
    for (uint32_t i = 0; i < end; i++)
        if (str_eq(spec->ephemeral_containers.items[i].ephemeral_container_common.name, name))
            return &spec->ephemeral_containers.items[i];
    return NULL;
}

static bool is_same_ephemeral(const struct core_v1_ephemeral_container *a,
                              const struct core_v1_ephemeral_container *b)
{
    struct object x = { .schema = &schema_builtin }, y;
    struct core_v1_ephemeral_container one = *a, other = *b;

    x.type = schema_find_type(&schema_builtin, STR(""), STR("v1"), STR("EphemeralContainer"));
    y = x;
    x.data = &one;
    y.data = &other;
    return object_equal(x, y);
}

/* Ephemeral containers are only ever added. */
static void check_ephemeral(const struct core_v1_pod_spec *spec, const struct core_v1_pod_spec *was,
                            struct field_errors *errs)
{
    struct field_path p_spec = field_path_member(NULL, STR("spec"));
    struct field_path p = field_path_member(&p_spec, STR("ephemeralContainers"));

    for (uint32_t i = 0; i < was->ephemeral_containers.len; i++) {
        const struct core_v1_ephemeral_container *old = &was->ephemeral_containers.items[i];
        struct str name = old->ephemeral_container_common.name;
        const struct core_v1_ephemeral_container *now =
            find_ephemeral(spec, name, spec->ephemeral_containers.len);

        if (!now)
            field_errors_add(errs, &p, FIELD_ERROR_FORBIDDEN,
                             "existing ephemeral containers \"%.*s\" may not be removed\n",
                             STR_ARG(name));
        else if (!is_same_ephemeral(now, old))
            field_errors_add(errs, &p, FIELD_ERROR_FORBIDDEN,
                             "existing ephemeral containers \"%.*s\" may not be changed\n",
                             STR_ARG(name));
    }
    for (uint32_t i = 0; i < spec->ephemeral_containers.len; i++) {
        const struct core_v1_ephemeral_container *c = &spec->ephemeral_containers.items[i];
        struct str name = c->ephemeral_container_common.name;
        struct field_path item = field_path_index(&p, i);
        struct field_path p_name = field_path_member(&item, STR("name"));
        struct field_path p_image = field_path_member(&item, STR("image"));
        struct field_path p_target = field_path_member(&item, STR("targetContainerName"));

        if (!name.len)
            field_errors_add(errs, &p_name, FIELD_ERROR_REQUIRED, "%s", "");
        else if (has_container(spec, name) || find_ephemeral(spec, name, i))
            field_errors_add_text(errs, &p_name, FIELD_ERROR_DUPLICATE, name, "%s", "");
        if (!c->ephemeral_container_common.image.len)
            field_errors_add(errs, &p_image, FIELD_ERROR_REQUIRED, "%s", "");
        if (c->target_container_name.len && !has_container(spec, c->target_container_name))
            field_errors_add_text(errs, &p_target, FIELD_ERROR_NOT_FOUND, c->target_container_name,
                                  "%s", "");
    }
}

static void validate(struct api_request *r, struct object o, struct object old,
                     struct field_errors *errs)
{
    const struct core_v1_pod *pod = o.data, *was = old.data;

    if (was && is_for(r, "ephemeralcontainers"))
        check_ephemeral(&pod->spec, &was->spec, errs);
}

/* Nobody runs a Pod that has no node or has ended: it goes at once. */
static int64_t grace_s(const struct meta_v1_delete_options *opts, struct object o)
{
    const struct core_v1_pod *pod = o.data;
    int64_t grace = 30;

    if (pod->spec.termination_grace_period_seconds)
        grace = *pod->spec.termination_grace_period_seconds;
    if (opts->grace_period_seconds)
        grace = *opts->grace_period_seconds;
    if (!pod->spec.node_name.len || str_eq(pod->status.phase, STR("Succeeded")) ||
        str_eq(pod->status.phase, STR("Failed")))
        return 0;
    return grace < 0 ? 1 : grace;
}

const struct strategy pod_strategy = {
    .group = STR_INIT(""),
    .resource = STR_INIT("pods"),
    .prepare_create = prepare_create,
    .prepare_update = prepare_update,
    .validate = validate,
    .grace_s = grace_s,
};
