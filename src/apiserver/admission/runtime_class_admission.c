/* RuntimeClass: a Pod of a class that there is; with the class's overhead, node selector and
 * tolerations. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/node_v1.h"
#include "api/quantity.h"
#include "api/text_map.h"
#include "apiserver/admission/pod_admission.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/stored_read.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/err.h"

/* False: refused. *ret NULL: the Pod names none. */
static bool find_class(const struct admission_call *call, const struct core_v1_pod *pod,
                       const struct node_v1_runtime_class **ret, struct status *ret_status)
{
    struct api_request *r = call->request;
    const struct stored_reader reader = { &r->server->registry, call->snapshot, r->arena };
    struct str name = pod->spec.runtime_class_name;
    struct object o;
    struct err err;
    int rc;

    *ret = NULL;
    if (!name.len)
        return true;
    rc = stored_read_get(&reader, stored_read_row(STR("node.k8s.io"), STR("runtimeclasses")),
                         STR(""), name, &o, &err);
    if (rc == ERR_NOT_FOUND)
        return pod_admission_refuse(call, ret_status,
                                    "pod rejected: RuntimeClass \"%.*s\" not found", STR_ARG(name));
    if (rc < 0) {
        *ret_status = status_of_store(r->arena, rc, &err);
        return false;
    }
    *ret = o.data;
    return true;
}

/* --- overhead --- */

static bool is_same_amount(struct str a, struct str b)
{
    struct quantity x, y;

    return quantity_parse(a, &x) && quantity_parse(b, &y) && quantity_compare(x, y) == 0;
}

static bool are_same_amounts(const void *a, const void *b)
{
    const struct schema_str_entry *items = text_map_items(a);

    if (text_map_len(a) != text_map_len(b))
        return false;
    for (uint32_t i = 0; i < text_map_len(a); i++) {
        const struct schema_str_entry *other = text_map_find(b, items[i].key);

        if (!other || !is_same_amount(items[i].value, other->value))
            return false;
    }
    return true;
}

static bool refuse_overhead(const struct admission_call *call, struct status *ret)
{
    return pod_admission_refuse(
        call, ret, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
}

static bool set_overhead(const struct admission_call *call, struct core_v1_pod *pod,
                         const struct node_v1_overhead *overhead, struct status *ret)
{
    if (!overhead)
        return true;
    if (pod->spec.overhead.len && !are_same_amounts(&overhead->pod_fixed, &pod->spec.overhead))
        return refuse_overhead(call, ret);
    text_map_copy(call->request->arena, &pod->spec.overhead, &overhead->pod_fixed);
    return true;
}

/* --- scheduling --- */

static bool set_node_selector(const struct admission_call *call, struct core_v1_pod *pod,
                              const struct node_v1_scheduling *s, struct status *ret)
{
    for (uint32_t i = 0; i < s->node_selector.len; i++) {
        const struct schema_str_entry *want = &s->node_selector.items[i];
        const struct schema_str_entry *have = text_map_find(&pod->spec.node_selector, want->key);

        if (have && !str_eq(have->value, want->value))
            return pod_admission_refuse(
                call, ret,
                "conflict: runtimeClass.scheduling.nodeSelector[%.*s] = %.*s; "
                "pod.spec.nodeSelector[%.*s] = %.*s",
                STR_ARG(want->key), STR_ARG(want->value), STR_ARG(want->key), STR_ARG(have->value));
        text_map_put(call->request->arena, &pod->spec.node_selector, want->key, want->value);
    }
    return true;
}

static bool is_same_toleration(const struct core_v1_toleration *a,
                               const struct core_v1_toleration *b)
{
    return str_eq(a->key, b->key) && str_eq(a->operator, b->operator) &&
           str_eq(a->value, b->value) && str_eq(a->effect, b->effect) &&
           !a->toleration_seconds == !b->toleration_seconds &&
           (!a->toleration_seconds || *a->toleration_seconds == *b->toleration_seconds);
}

static bool is_for_all_keys(const struct core_v1_toleration *t)
{
    return !t->key.len && str_eq(t->operator, STR("Exists"));
}

/* All that t tolerates, wide does. */
static bool tolerates_more(const struct core_v1_toleration *wide,
                           const struct core_v1_toleration *t)
{
    if (is_same_toleration(wide, t))
        return true;
    if (!str_eq(wide->key, t->key) && !is_for_all_keys(wide))
        return false;
    if (wide->effect.len && !str_eq(wide->effect, t->effect))
        return false;
    if (str_eq(wide->effect, STR("NoExecute")) && wide->toleration_seconds &&
        (!t->toleration_seconds || *t->toleration_seconds > *wide->toleration_seconds))
        return false;
    if (str_eq(wide->operator, STR("Exists")))
        return true;
    return str_eq(t->operator, STR("Equal")) && str_eq(t->value, wide->value);
}

/* Of equal ones the first is kept. */
static bool is_redundant(const struct core_v1_toleration *all, size_t n, size_t i)
{
    for (size_t k = 0; k < n; k++)
        if (k != i && tolerates_more(&all[k], &all[i]) &&
            (k < i || !is_same_toleration(&all[k], &all[i])))
            return true;
    return false;
}

static void merge_tolerations(struct arena *a, struct core_v1_pod *pod,
                              const struct node_v1_scheduling *s)
{
    uint32_t n = pod->spec.tolerations.len, total = n + s->tolerations.len, kept = 0;
    struct core_v1_toleration *all = ARENA_NEW_ARRAY(a, struct core_v1_toleration, total);
    struct core_v1_toleration *merged = ARENA_NEW_ARRAY(a, struct core_v1_toleration, total);

    if (n)
        memcpy(all, pod->spec.tolerations.items, n * sizeof(*all));
    if (s->tolerations.len)
        memcpy(all + n, s->tolerations.items, s->tolerations.len * sizeof(*all));
    for (uint32_t i = 0; i < total; i++)
        if (!is_redundant(all, total, i))
            merged[kept++] = all[i];
    pod->spec.tolerations.items = merged;
    pod->spec.tolerations.len = kept;
}

/* --- the plugin --- */

static bool class_mutate(const struct admission_call *call, struct status *ret)
{
    struct core_v1_pod *pod = pod_admission_of(call, false);
    const struct node_v1_runtime_class *c;

    if (!pod)
        return true;
    if (!find_class(call, pod, &c, ret))
        return false;
    if (!c)
        return true;
    if (!set_overhead(call, pod, c->overhead, ret))
        return false;
    if (!c->scheduling)
        return true;
    if (!set_node_selector(call, pod, c->scheduling, ret))
        return false;
    merge_tolerations(call->request->arena, pod, c->scheduling);
    return true;
}

static bool class_validate(const struct admission_call *call, struct status *ret)
{
    const struct core_v1_pod *pod = pod_admission_of(call, false);
    const struct node_v1_runtime_class *c;

    if (!pod)
        return true;
    if (!find_class(call, pod, &c, ret))
        return false;
    if (c && c->overhead)
        return are_same_amounts(&c->overhead->pod_fixed, &pod->spec.overhead) ||
               refuse_overhead(call, ret);
    return !pod->spec.overhead.len ||
           pod_admission_refuse(call, ret,
                                "pod rejected: Pod Overhead set without corresponding "
                                "RuntimeClass defined Overhead");
}

const struct admission_plugin runtime_class_plugin = {
    .name = "RuntimeClass",
    .mutate = class_mutate,
    .validate = class_validate,
};
