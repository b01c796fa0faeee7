/* ResourceQuota: what a new (or grown) object uses is counted on the quotas of its namespace in the
 * transaction that stores it, so that two writers never share what is left. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/quantity.h"
#include "api/quota_usage.h"
#include "api/resource.h"
#include "api/text_map.h"
#include "apiserver/admission/admission.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/stored_read.h"
#include "apiserver/registry/write.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"

struct counting {
    const struct admission_call *call;
    struct quota_object object, old;     /* old.object.data NULL: new */
    struct schema_list usage, old_usage; /* worked out for the first quota there is */
    bool has_usage;
    struct status *ret;
};

static bool refuse(const struct counting *c, struct str why)
{
    const struct api_request *r = c->call->request;

    *c->ret =
        status_forbidden(r->arena, (struct group_resource){ r->resource->group, r->resource->name },
                         c->call->name, "%.*s", STR_ARG(why));
    return false;
}

static struct quantity amount(const void *map, struct str name)
{
    const struct schema_str_entry *e = text_map_find(map, name);
    struct quantity q = { 0 };

    if (e)
        (void)quantity_parse(e->value, &q); /* validated: else it counts as nothing */
    return q;
}

/* What is added of one amount: never less than nothing. */
static struct quantity growth(const struct counting *c, struct str name, bool counted_before)
{
    struct quantity now = amount(&c->usage, name);

    if (!counted_before)
        return now;
    now.nano -= amount(&c->old_usage, name).nano;
    now.nano = now.nano < 0 ? 0 : now.nano;
    return now;
}

static void append(struct arena *a, struct str *text, struct str name, struct quantity q)
{
    *text = arena_printf(a, "%.*s%s%.*s=%.*s", STR_ARG(*text), text->len ? "," : "", STR_ARG(name),
                         STR_ARG(quantity_print(a, q)));
}

/* Adds to *used; false: refused. *ret_grown: anything was added. */
static bool count_amounts(const struct counting *c, const struct core_v1_resource_quota *q,
                          void *used, bool *ret_grown)
{
    struct arena *a = c->call->request->arena;
    bool before = c->old.object.data && quota_scopes_hold(&q->spec, &c->old);
    struct str asked = STR(""), had = STR(""), most = STR("");

    *ret_grown = false;
    for (uint32_t i = 0; i < q->status.hard.len; i++) {
        struct str name = q->status.hard.items[i].key;
        struct quantity more = growth(c, name, before), sum;

        if (more.nano == 0)
            continue;
        *ret_grown = true;
        sum = quantity_add(amount(used, name), more);
        if (quantity_compare(sum, amount(&q->status.hard, name)) > 0) {
            append(a, &asked, name, more);
            append(a, &had, name, amount(&q->status.used, name));
            append(a, &most, name, amount(&q->status.hard, name));
        }
        text_map_put(a, used, name, quantity_print(a, sum));
    }
    if (!asked.len)
        return true;
    return refuse(c, arena_printf(a,
                                  "exceeded quota: %.*s, requested: %.*s, used: %.*s, limited: "
                                  "%.*s",
                                  STR_ARG(q->metadata.name), STR_ARG(asked), STR_ARG(had),
                                  STR_ARG(most)));
}

/* The names of the quota's that the object uses; unset: it has nothing to do with it. */
static struct str names_in_common(const struct counting *c, const struct core_v1_resource_quota *q)
{
    struct arena *a = c->call->request->arena;
    struct str names = STR_NULL;

    for (uint32_t i = 0; i < q->status.hard.len; i++)
        if (quota_counts(c->object.group, c->object.resource, q->status.hard.items[i].key))
            names = arena_printf(a, "%.*s%s%.*s", STR_ARG(names), names.len ? "," : "",
                                 STR_ARG(q->status.hard.items[i].key));
    return names;
}

static bool is_known(const struct core_v1_resource_quota *q, struct str names)
{
    struct str name;

    while (str_next(&names, ',', &name))
        if (!text_map_find(&q->status.used, name))
            return false;
    return true;
}

static void work_out_usage(struct counting *c)
{
    struct arena *a = c->call->request->arena;

    if (c->has_usage)
        return;
    c->has_usage = true;
    quota_usage(a, &c->object, &c->usage);
    if (c->old.object.data)
        quota_usage(a, &c->old, &c->old_usage);
}

static int count_quota(struct object o, void *arg)
{
    struct counting *c = arg;
    struct api_request *r = c->call->request;
    const struct stored_reader reader = { &r->server->registry, c->call->snapshot, r->arena };
    struct core_v1_resource_quota *q = o.data;
    struct str names = names_in_common(c, q), missing;
    struct schema_list used = { 0 };
    struct err err;
    bool grown;

    if (!names.len || !quota_scopes_hold(&q->spec, &c->object))
        return 0;
    missing = quota_missing(r->arena, &c->object, &q->status.hard);
    if (missing.len) {
        (void)refuse(c, arena_printf(r->arena, "failed quota: %.*s: %.*s",
                                     STR_ARG(q->metadata.name), STR_ARG(missing)));
        return 1;
    }
    if (!is_known(q, names)) {
        (void)refuse(c, arena_printf(r->arena, "status unknown for quota: %.*s, resources: %.*s",
                                     STR_ARG(q->metadata.name), STR_ARG(names)));
        return 1;
    }
    text_map_copy(r->arena, &used, &q->status.used);
    work_out_usage(c);
    if (!count_amounts(c, q, &used, &grown))
        return 1;
    if (!grown || !c->call->write)
        return 0;
    memcpy(&q->status.used, &used, sizeof(used));
    return stored_read_put(&reader, stored_read_row(STR(""), STR("resourcequotas")), o,
                           write_add(c->call->write), &err);
}

static bool has_deadline(struct object pod)
{
    const struct core_v1_pod *p = pod.data;

    return p->spec.active_deadline_seconds && *p->spec.active_deadline_seconds >= 0;
}

/* Updates count for what can grow by one; of Pods by their resize alone, or when they come under
 * other scopes. */
static bool is_counted(const struct admission_call *call)
{
    const struct api_request *r = call->request;
    bool core = !r->resource->group.len;

    if (!resource_is_namespaced(r->resource) || !resource_is_stored(r->resource) ||
        str_eq(r->resource->name, STR("events")))
        return false;
    if (call->operation == ADMISSION_CREATE)
        return !r->subresource;
    if (call->operation != ADMISSION_UPDATE || !core)
        return false;
    if (str_eq(r->resource->name, STR("pods")))
        return r->subresource ? str_eq(r->subresource->name, STR("resize"))
                              : has_deadline(call->object) != has_deadline(call->old);
    return !r->subresource && (str_eq(r->resource->name, STR("services")) ||
                               str_eq(r->resource->name, STR("persistentvolumeclaims")));
}

static bool quota_validate(const struct admission_call *call, struct status *ret)
{
    struct api_request *r = call->request;
    const struct stored_reader reader = { &r->server->registry, call->snapshot, r->arena };
    struct counting c = { .call = call, .ret = ret };
    struct err err;
    int rc;

    if (!is_counted(call))
        return true;
    c.object = (struct quota_object){ r->resource->group, r->resource->name, call->object,
                                      clock_wall_s(r->server->clock) };
    c.old = c.object;
    c.old.object = call->old;
    rc = stored_read_each(&reader, stored_read_row(STR(""), STR("resourcequotas")), call->namespace,
                          count_quota, &c, &err);
    if (rc < 0)
        *ret = status_of_store(r->arena, rc, &err);
    return rc == 0;
}

const struct admission_plugin quota_plugin = {
    .name = "ResourceQuota",
    .validate = quota_validate,
};
