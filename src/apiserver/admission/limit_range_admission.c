/* LimitRanger: containers get a namespace's defaults; containers, Pods and claims keep within its
 * least and most. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/pod_amounts.h"
#include "api/quantity.h"
#include "api/resource.h"
#include "api/text_map.h"
#include "apiserver/admission/pod_admission.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/stored_read.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"

#define ANNOTATION "kubernetes.io/limit-ranger"

typedef const struct core_v1_limit_range_item limit;

struct limits {
    const struct admission_call *call;
    struct VEC(limit *) items; /* of all ranges of the namespace */
};

static int collect(struct object o, void *arg)
{
    struct limits *l = arg;
    const struct core_v1_limit_range *range = o.data;

    for (uint32_t i = 0; i < range->spec.limits.len; i++)
        VEC_PUSH(&l->items, &range->spec.limits.items[i]);
    return 0;
}

/* False: *ret is the answer. */
static bool read_limits(struct limits *l, struct status *ret)
{
    struct api_request *r = l->call->request;
    const struct stored_reader reader = { &r->server->registry, l->call->snapshot, r->arena };
    struct err err;
    int rc = stored_read_each(&reader, stored_read_row(STR(""), STR("limitranges")),
                              l->call->namespace, collect, l, &err);

    if (rc >= 0)
        return true;
    *ret = status_of_store(r->arena, rc, &err);
    return false;
}

/* --- defaults --- */

/* "cpu, memory request for container main" */
static void note(struct arena *a, struct str *notes, struct str names, const char *what,
                 const char *kind, struct str container)
{
    if (names.len)
        *notes =
            arena_printf(a, "%.*s%s%.*s %s for %s %.*s", STR_ARG(*notes), notes->len ? "; " : "",
                         STR_ARG(names), what, kind, STR_ARG(container));
}

/* Fills in what map lacks; the names that it got, by commas. */
static struct str fill(struct arena *a, void *map, const void *defaults)
{
    const struct schema_str_entry *items = text_map_items(defaults);
    struct str names = STR("");

    for (uint32_t i = 0; i < text_map_len(defaults); i++) {
        if (text_map_find(map, items[i].key))
            continue;
        text_map_put(a, map, items[i].key, items[i].value);
        names = arena_printf(a, "%.*s%s%.*s", STR_ARG(names), names.len ? ", " : "",
                             STR_ARG(items[i].key));
    }
    return names;
}

static void fill_container(struct arena *a, struct core_v1_container *c, limit *l, const char *kind,
                           struct str *notes)
{
    struct str limits = fill(a, &c->resources.limits, &l->default_);
    struct str requests = fill(a, &c->resources.requests, &l->default_request);

    note(a, notes, requests, "request", kind, c->name);
    note(a, notes, limits, "limit", kind, c->name);
}

static bool limit_mutate(const struct admission_call *call, struct status *ret)
{
    struct core_v1_pod *pod = pod_admission_of(call, false);
    struct arena *a = call->request->arena;
    struct limits l = { .call = call };
    struct str notes = STR("");
    bool ok = !pod || read_limits(&l, ret);

    for (size_t k = 0; ok && k < l.items.len; k++) {
        if (!str_eq(l.items.items[k]->type, STR("Container")))
            continue;
        for (uint32_t i = 0; i < pod->spec.containers.len; i++)
            fill_container(a, &pod->spec.containers.items[i], l.items.items[k], "container",
                           &notes);
        for (uint32_t i = 0; i < pod->spec.init_containers.len; i++)
            fill_container(a, &pod->spec.init_containers.items[i], l.items.items[k],
                           "init container", &notes);
    }
    if (notes.len)
        text_map_put(a, &pod->metadata.annotations, STR(ANNOTATION),
                     arena_printf(a, "LimitRanger plugin set: %.*s", STR_ARG(notes)));
    VEC_DONE(&l.items);
    return ok;
}

/* --- bounds --- */

struct check {
    struct arena *a;
    struct str type; /* "Container" */
    const void *requests, *limits;
    struct str faults;
    size_t n_faults;
};

static void fault(struct check *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void fault(struct check *c, const char *fmt, ...)
{
    va_list ap;
    struct str text;

    va_start(ap, fmt);
    text = arena_vprintf(c->a, fmt, ap);
    va_end(ap);
    c->faults = arena_printf(c->a, "%.*s%s%.*s", STR_ARG(c->faults), c->n_faults++ ? ", " : "",
                             STR_ARG(text));
}

struct amount {
    bool is_set;
    struct quantity q;
    struct str text;
};

static struct amount amount_of(const void *map, struct str name)
{
    const struct schema_str_entry *e = text_map_find(map, name);
    struct amount r = { 0 };

    if (e && quantity_parse(e->value, &r.q)) {
        r.is_set = true;
        r.text = e->value;
    }
    return r;
}

#define BOUND_ARGS(c, e) STR_ARG((e)->key), STR_ARG((c)->type), STR_ARG((e)->value)

static void check_min(struct check *c, const struct schema_str_entry *e)
{
    struct amount request = amount_of(c->requests, e->key), most = amount_of(c->limits, e->key);
    struct quantity least;

    if (!quantity_parse(e->value, &least))
        return;
    if (!request.is_set)
        fault(c, "minimum %.*s usage per %.*s is %.*s.  No request is specified", BOUND_ARGS(c, e));
    else if (quantity_compare(request.q, least) < 0)
        fault(c, "minimum %.*s usage per %.*s is %.*s, but request is %.*s", BOUND_ARGS(c, e),
              STR_ARG(request.text));
    else if (most.is_set && quantity_compare(most.q, least) < 0)
        fault(c, "minimum %.*s usage per %.*s is %.*s, but limit is %.*s", BOUND_ARGS(c, e),
              STR_ARG(most.text));
}

static void check_max(struct check *c, const struct schema_str_entry *e)
{
    struct amount request = amount_of(c->requests, e->key), limited = amount_of(c->limits, e->key);
    struct quantity most;

    if (!quantity_parse(e->value, &most))
        return;
    if (!limited.is_set)
        fault(c, "maximum %.*s usage per %.*s is %.*s.  No limit is specified", BOUND_ARGS(c, e));
    else if (quantity_compare(limited.q, most) > 0)
        fault(c, "maximum %.*s usage per %.*s is %.*s, but limit is %.*s", BOUND_ARGS(c, e),
              STR_ARG(limited.text));
    else if (request.is_set && quantity_compare(request.q, most) > 0)
        fault(c, "maximum %.*s usage per %.*s is %.*s, but request is %.*s", BOUND_ARGS(c, e),
              STR_ARG(request.text));
}

static void check_ratio(struct check *c, const struct schema_str_entry *e)
{
    struct amount request = amount_of(c->requests, e->key), limited = amount_of(c->limits, e->key);
    struct quantity most;
    double ratio;

    if (!quantity_parse(e->value, &most))
        return;
    if (!request.is_set || request.q.nano == 0) {
        fault(c,
              "%.*s max limit to request ratio per %.*s is %.*s, but no request is specified or "
              "request is 0",
              BOUND_ARGS(c, e));
        return;
    }
    if (!limited.is_set || limited.q.nano == 0) {
        fault(c,
              "%.*s max limit to request ratio per %.*s is %.*s, but no limit is specified or "
              "limit is 0",
              BOUND_ARGS(c, e));
        return;
    }
    ratio = (double)limited.q.nano / (double)request.q.nano;
    if (ratio > (double)most.nano / 1e9)
        fault(c,
              "%.*s max limit to request ratio per %.*s is %.*s, but provided ratio is "
              "%f",
              BOUND_ARGS(c, e), ratio);
}

static void check_each(struct check *c, const void *bounds,
                       void (*check)(struct check *c, const struct schema_str_entry *e))
{
    for (uint32_t i = 0; i < text_map_len(bounds); i++)
        check(c, &text_map_items(bounds)[i]);
}

static void check_item(struct check *c, limit *l)
{
    check_each(c, &l->min, check_min);
    check_each(c, &l->max, check_max);
    check_each(c, &l->max_limit_request_ratio, check_ratio);
}

static void check_container(struct check *c, const struct core_v1_container *container, limit *l)
{
    c->requests = &container->resources.requests;
    c->limits = &container->resources.limits;
    check_item(c, l);
}

static void check_pod(struct check *c, const struct core_v1_pod *pod, limit *l)
{
    struct schema_list requests = { 0 }, limits = { 0 };

    if (str_eq(l->type, STR("Container"))) {
        for (uint32_t i = 0; i < pod->spec.containers.len; i++)
            check_container(c, &pod->spec.containers.items[i], l);
        for (uint32_t i = 0; i < pod->spec.init_containers.len; i++)
            check_container(c, &pod->spec.init_containers.items[i], l);
        return;
    }
    pod_amounts(c->a, &pod->spec, POD_AMOUNTS_REQUESTS, &requests);
    pod_amounts(c->a, &pod->spec, POD_AMOUNTS_LIMITS, &limits);
    c->requests = &requests;
    c->limits = &limits;
    check_item(c, l);
    c->requests = c->limits = NULL;
}

/* Of a claim the request alone counts: it is held against the most, too. */
static void check_claim(struct check *c, const struct core_v1_persistent_volume_claim *claim,
                        limit *l)
{
    static const struct schema_list none = { 0 };

    c->requests = &claim->spec.resources.requests;
    c->limits = &none;
    check_each(c, &l->min, check_min);
    for (uint32_t i = 0; i < l->max.len; i++) {
        const struct schema_str_entry *e = &l->max.items[i];
        struct amount request = amount_of(c->requests, e->key);
        struct quantity most;

        if (!quantity_parse(e->value, &most))
            continue;
        if (!request.is_set)
            fault(c, "maximum %.*s usage per %.*s is %.*s.  No request is specified",
                  BOUND_ARGS(c, e));
        else if (quantity_compare(request.q, most) > 0)
            fault(c, "maximum %.*s usage per %.*s is %.*s, but request is %.*s", BOUND_ARGS(c, e),
                  STR_ARG(request.text));
    }
}

/* A Pod that is made or resized; NULL: something else. */
static const struct core_v1_pod *pod_of(const struct admission_call *call)
{
    const struct api_request *r = call->request;

    if (r->subresource && call->operation == ADMISSION_UPDATE && !r->resource->group.len &&
        str_eq(r->resource->name, STR("pods")) && str_eq(r->subresource->name, STR("resize")))
        return call->object.data;
    return pod_admission_of(call, false);
}

static const struct core_v1_persistent_volume_claim *claim_of(const struct admission_call *call)
{
    const struct api_request *r = call->request;

    return !r->subresource && call->operation != ADMISSION_DELETE && !r->resource->group.len &&
                   str_eq(r->resource->name, STR("persistentvolumeclaims"))
               ? call->object.data
               : NULL;
}

static bool limit_validate(const struct admission_call *call, struct status *ret)
{
    const struct core_v1_pod *pod = pod_of(call);
    const struct core_v1_persistent_volume_claim *claim = claim_of(call);
    struct limits l = { .call = call };
    struct check c = { .a = call->request->arena, .faults = STR("") };
    struct group_resource gr = { call->request->resource->group, call->request->resource->name };
    bool ok = true;

    if ((!pod && !claim) || (call->old.data && object_meta(call->old)->deletion_timestamp.set))
        return true;
    ok = read_limits(&l, ret);
    for (size_t i = 0; ok && i < l.items.len; i++) {
        limit *item = l.items.items[i];

        c.type = item->type;
        if (pod && !str_eq(item->type, STR("PersistentVolumeClaim")))
            check_pod(&c, pod, item);
        else if (claim && str_eq(item->type, STR("PersistentVolumeClaim")))
            check_claim(&c, claim, item);
    }
    VEC_DONE(&l.items);
    if (!c.n_faults)
        return ok;
    *ret = status_forbidden(c.a, gr, call->name, c.n_faults > 1 ? "[%.*s]" : "%.*s",
                            STR_ARG(c.faults));
    return false;
}

const struct admission_plugin limit_range_plugin = {
    .name = "LimitRanger",
    .mutate = limit_mutate,
    .validate = limit_validate,
};
