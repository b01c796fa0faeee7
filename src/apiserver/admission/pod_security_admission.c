/* PodSecurity: what a namespace's labels demand of the Pods in it. Enforced on Pods, warned of on
 * whatever makes Pods. Labels that change are checked against the Pods that are there, which are
 * only warned of. */
#include "api/pod_security.h"

#include <stdlib.h>

#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/text_map.h"
#include "apiserver/admission/pod_admission.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/stored_object.h"
#include "apiserver/registry/stored_read.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "store/store.h"

enum { PODS_MAX = 3000, CHECK_MS = 1000 };

/* --- a Pod --- */

/* What the standard finds, in upstream's words; unset: nothing. */
static struct str violation(struct arena *a, struct pod_security_standard s,
                            const struct meta_v1_object_meta *meta,
                            const struct core_v1_pod_spec *spec, const char *how)
{
    struct pod_security_finding found[POD_SECURITY_FINDINGS_MAX];
    size_t n = pod_security_check(a, s, meta, spec, found);

    if (!n)
        return STR_NULL;
    return arena_printf(a, "%s PodSecurity \"%.*s\": %.*s", how, STR_ARG(pod_security_print(a, s)),
                        STR_ARG(pod_security_join(a, found, n, true)));
}

static bool label_of_stored(void *arg, struct str key, struct str *ret_value)
{
    return store_object_label(arg, key, ret_value);
}

/* False: refused. */
static bool policy_of(const struct admission_call *call, struct pod_security_policy *ret,
                      struct status *ret_status)
{
    struct api_request *r = call->request;
    struct store_object so;
    struct err err;
    int rc =
        store_get(call->snapshot, r->server->registry.namespaces_id, call->namespace, &so, &err);

    if (rc >= 0) {
        pod_security_policy_of(label_of_stored, &so, NULL, ret);
        return true;
    }
    *ret_status =
        status_internal(r->arena, "failed to lookup namespace \"%.*s\"", STR_ARG(call->namespace));
    return false;
}

static void warn(const struct admission_call *call, const struct pod_security_policy *p,
                 const struct meta_v1_object_meta *meta, const struct core_v1_pod_spec *spec)
{
    struct str text = violation(call->request->arena, p->warn, meta, spec, "would violate");

    if (text.p)
        api_request_warn(call->request, "%.*s", STR_ARG(text));
}

static bool has_other_images(const struct core_v1_container *new, uint32_t n,
                             const struct core_v1_container *old, uint32_t n_old)
{
    if (n != n_old)
        return true;
    for (uint32_t i = 0; i < n; i++)
        if (!str_eq(new[i].image, old[i].image))
            return true;
    return false;
}

/* What can be changed of a Pod and matters: images, and ephemeral containers. */
static bool is_significant(const struct core_v1_pod_spec *new, const struct core_v1_pod_spec *old)
{
    if (has_other_images(new->containers.items, new->containers.len, old->containers.items,
                         old->containers.len) ||
        has_other_images(new->init_containers.items, new->init_containers.len,
                         old->init_containers.items, old->init_containers.len))
        return true;
    for (uint32_t i = 0; i < new->ephemeral_containers.len; i++) {
        const struct core_v1_ephemeral_container_common *e =
            &new->ephemeral_containers.items[i].ephemeral_container_common;
        bool is_known = false;

        for (uint32_t k = 0; k < old->ephemeral_containers.len; k++) {
            const struct core_v1_ephemeral_container_common *o =
                &old->ephemeral_containers.items[k].ephemeral_container_common;

            is_known |= str_eq(e->name, o->name) && str_eq(e->image, o->image);
        }
        if (!is_known)
            return true;
    }
    return false;
}

static bool check_pod(const struct admission_call *call, struct status *ret)
{
    const struct core_v1_pod *pod = call->object.data, *old = call->old.data;
    struct pod_security_policy p;
    struct str text;

    if (call->operation == ADMISSION_DELETE || !policy_of(call, &p, ret))
        return call->operation == ADMISSION_DELETE;
    if (p.enforce.level == POD_SECURITY_PRIVILEGED && p.warn.level == POD_SECURITY_PRIVILEGED)
        return true;
    if (call->operation == ADMISSION_UPDATE && !is_significant(&pod->spec, &old->spec))
        return true;
    text = violation(call->request->arena, p.enforce, &pod->metadata, &pod->spec, "violates");
    if (text.p)
        return pod_admission_refuse(call, ret, "%.*s", STR_ARG(text));
    warn(call, &p, &pod->metadata, &pod->spec);
    return true;
}

/* --- what makes Pods --- */

static const struct {
    struct str group, resource, path; /* where the template is */
} makers[] = {
    { STR_INIT(""), STR_INIT("podtemplates"), STR_INIT("template") },
    { STR_INIT(""), STR_INIT("replicationcontrollers"), STR_INIT("spec.template") },
    { STR_INIT("apps"), STR_INIT("replicasets"), STR_INIT("spec.template") },
    { STR_INIT("apps"), STR_INIT("deployments"), STR_INIT("spec.template") },
    { STR_INIT("apps"), STR_INIT("statefulsets"), STR_INIT("spec.template") },
    { STR_INIT("apps"), STR_INIT("daemonsets"), STR_INIT("spec.template") },
    { STR_INIT("batch"), STR_INIT("jobs"), STR_INIT("spec.template") },
    { STR_INIT("batch"), STR_INIT("cronjobs"), STR_INIT("spec.jobTemplate.spec.template") },
};

static const struct core_v1_pod_template_spec *template_at(struct object o, struct str path)
{
    const struct schema_field *f;
    void *at = object_field_at(o, path, &f);
    const struct core_v1_pod_template_spec *target;

    if (!at || f->shape != SCHEMA_POINTER)
        return at;
    memcpy(&target, at, sizeof(target));
    return target;
}

static void check_maker(const struct admission_call *call, struct str path)
{
    const struct core_v1_pod_template_spec *t;
    struct pod_security_policy p;
    struct status ignored; /* a namespace that is not there is somebody else's to refuse */

    if (call->operation == ADMISSION_DELETE || !policy_of(call, &p, &ignored) ||
        p.warn.level == POD_SECURITY_PRIVILEGED)
        return;
    t = template_at(call->object, path);
    if (t)
        warn(call, &p, &t->metadata, &t->spec);
}

/* --- the namespace itself --- */

static bool label_of_object(void *arg, struct str key, struct str *ret_value)
{
    const struct meta_v1_object_meta *meta = arg;
    const struct schema_str_entry *e = text_map_find(&meta->labels, key);

    if (e)
        *ret_value = e->value;
    return e;
}

/* Pods with the same findings. */
struct group {
    struct str reason, pod; /* the first by name */
    size_t n;
};

struct survey {
    struct arena *arena;
    const struct clock *clock;
    struct pod_security_standard standard;
    struct VEC(struct group) groups;
    struct map owners;           /* one Pod of each comes first */
    struct VEC(struct str) rest; /* keys of their other Pods */
    size_t n_pods, n_checked;
    int64_t deadline_ms;
};

static void look_at(struct survey *s, struct arena *scratch, const struct core_v1_pod *pod)
{
    struct pod_security_finding found[POD_SECURITY_FINDINGS_MAX];
    size_t n = pod_security_check(scratch, s->standard, &pod->metadata, &pod->spec, found), i = 0;
    struct str reason = pod_security_join(scratch, found, n, false);

    s->n_checked++;
    if (!n)
        return;
    while (i < s->groups.len && !str_eq(s->groups.items[i].reason, reason))
        i++;
    if (i == s->groups.len)
        VEC_PUSH(&s->groups, (struct group){ .reason = str_dup(s->arena, reason) });
    if (!s->groups.items[i].n++ || str_cmp(pod->metadata.name, s->groups.items[i].pod) < 0)
        s->groups.items[i].pod = str_dup(s->arena, pod->metadata.name);
}

static bool is_first_of_owner(struct survey *s, const struct core_v1_pod *pod)
{
    for (uint32_t i = 0; i < pod->metadata.owner_references.len; i++) {
        const struct meta_v1_owner_reference *o = &pod->metadata.owner_references.items[i];

        if (o->controller && *o->controller)
            return !map_put(&s->owners, o->uid, s);
    }
    return true;
}

static bool has_time(const struct survey *s)
{
    return s->n_checked < PODS_MAX && clock_mono_ms(s->clock) <= s->deadline_ms;
}

static void take(struct survey *s, const struct resource *row, const struct store_object *so,
                 bool is_rest)
{
    CLEANUP(arena_done) struct arena scratch = { 0 };
    struct object o;
    struct err ignored; /* one that cannot be read cannot be warned of */

    s->n_pods += !is_rest;
    if (!has_time(s) || stored_object_decode(&scratch, row, so, &o, &ignored) < 0)
        return;
    if (is_rest || is_first_of_owner(s, o.data))
        look_at(s, &scratch, o.data);
    else
        VEC_PUSH(&s->rest, str_dup(s->arena, so->key));
}

static int survey_pods(struct survey *s, const struct admission_call *call, struct err *err)
{
    struct api_request *r = call->request;
    const struct resource *row = stored_read_row(STR(""), STR("pods"));
    struct store_range range = { .resource = registry_store_id(&r->server->registry, row),
                                 .prefix = arena_printf(r->arena, "%.*s/", STR_ARG(call->name)) };
    struct store_cursor *cursor;
    struct store_object so;
    int rc = store_range_begin(call->snapshot, r->arena, &range, &cursor, err);

    while (rc >= 0 && (rc = store_range_next(cursor, &so, err)) > 0)
        take(s, row, &so, false);
    for (size_t i = 0; rc >= 0 && i < s->rest.len && has_time(s); i++) {
        rc = store_get(call->snapshot, range.resource, s->rest.items[i], &so, err);
        if (rc >= 0)
            take(s, row, &so, true);
    }
    return rc;
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void warn_of_groups(struct api_request *r, const struct survey *s)
{
    struct str *texts = ARENA_NEW_ARRAY(r->arena, struct str, s->groups.len + 1);

    for (size_t i = 0; i < s->groups.len; i++) {
        const struct group *g = &s->groups.items[i];
        struct str others = STR("");

        if (g->n > 1)
            others =
                arena_printf(r->arena, " (and %zu other pod%s)", g->n - 1, g->n > 2 ? "s" : "");
        texts[i] = arena_printf(r->arena, "%.*s%.*s: %.*s", STR_ARG(g->pod), STR_ARG(others),
                                STR_ARG(g->reason));
    }
    qsort(texts, s->groups.len, sizeof(*texts), by_text);
    for (size_t i = 0; i < s->groups.len; i++)
        api_request_warn(r, "%.*s", STR_ARG(texts[i]));
}

static void warn_of_pods(const struct admission_call *call, struct pod_security_standard standard)
{
    struct api_request *r = call->request;
    const struct clock *clock = r->server->clock;
    struct survey s = { .arena = r->arena,
                        .clock = clock,
                        .standard = standard,
                        .deadline_ms = clock_mono_ms(clock) + CHECK_MS };
    struct err err;

    if (survey_pods(&s, call, &err) < 0) {
        api_request_warn(r, "failed to list pods while checking new PodSecurity enforce level");
    } else {
        if (s.n_checked < s.n_pods)
            api_request_warn(r,
                             "new PodSecurity enforce level only checked against the first %zu of "
                             "%zu existing pods",
                             s.n_checked, s.n_pods);
        if (s.groups.len)
            api_request_warn(r,
                             "existing pods in namespace \"%.*s\" violate the new PodSecurity "
                             "enforce level \"%.*s\"",
                             STR_ARG(call->name), STR_ARG(pod_security_print(r->arena, standard)));
        warn_of_groups(r, &s);
    }
    VEC_DONE(&s.groups);
    VEC_DONE(&s.rest);
    map_done(&s.owners);
}

static bool refuse_labels(const struct admission_call *call, const struct field_errors *errs,
                          struct status *ret)
{
    *ret = status_invalid(call->request->arena, STR(""), STR("Namespace"), call->name, errs);
    return false;
}

static bool check_namespace(const struct admission_call *call, struct status *ret)
{
    struct arena *a = call->request->arena;
    struct pod_security_policy p, was;
    struct field_errors errs, old_errs;

    if (call->operation == ADMISSION_DELETE)
        return true;
    field_errors_init(&errs, a);
    field_errors_init(&old_errs, a);
    pod_security_policy_of(label_of_object, object_meta(call->object), &errs, &p);
    if (call->operation == ADMISSION_CREATE)
        return !errs.len || refuse_labels(call, &errs, ret);
    pod_security_policy_of(label_of_object, object_meta(call->old), &old_errs, &was);
    if (errs.len && !str_eq(field_errors_print(a, &errs), field_errors_print(a, &old_errs)))
        return refuse_labels(call, &errs, ret);
    if (p.enforce.level == POD_SECURITY_PRIVILEGED ||
        pod_security_is_same(p.enforce, was.enforce) ||
        (p.enforce.minor == was.enforce.minor && p.enforce.level <= was.enforce.level))
        return true;
    warn_of_pods(call, p.enforce);
    return true;
}

/* --- the plugin --- */

static bool security_validate(const struct admission_call *call, struct status *ret)
{
    const struct api_request *r = call->request;
    struct str sub = r->subresource ? r->subresource->name : STR("");
    bool is_core = !r->resource->group.len;

    if (is_core && str_eq(r->resource->name, STR("pods")))
        return (sub.len && !str_eq(sub, STR("ephemeralcontainers")) &&
                !str_eq(sub, STR("resize"))) ||
               check_pod(call, ret);
    if (sub.len)
        return true;
    if (is_core && str_eq(r->resource->name, STR("namespaces")))
        return check_namespace(call, ret);
    for (size_t i = 0; i < ARRAY_LEN(makers); i++)
        if (str_eq(r->resource->name, makers[i].resource) &&
            str_eq(r->resource->group, makers[i].group))
            check_maker(call, makers[i].path);
    return true;
}

const struct admission_plugin pod_security_plugin = {
    .name = "PodSecurity",
    .validate = security_validate,
};
