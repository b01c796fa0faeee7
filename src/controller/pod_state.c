#include "controller/pod_state.h"

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "client/api_object.h"
#include "controller/controller.h"

bool pod_is_finished(const struct core_v1_pod *pod)
{
    return str_eq(pod->status.phase, STR("Succeeded")) || str_eq(pod->status.phase, STR("Failed"));
}

bool pod_is_active(const struct api_object *pod)
{
    return !pod->meta->deletion_timestamp.set && !pod_is_finished(pod->o.data);
}

const struct core_v1_pod_condition *pod_condition(const struct core_v1_pod *pod, struct str type)
{
    for (uint32_t i = 0; i < pod->status.conditions.len; i++)
        if (str_eq(pod->status.conditions.items[i].type, type))
            return &pod->status.conditions.items[i];
    return NULL;
}

bool pod_is_ready(const struct core_v1_pod *pod)
{
    const struct core_v1_pod_condition *c = pod_condition(pod, STR("Ready"));

    return c && str_eq(c->status, STR("True"));
}

bool pod_is_available(const struct core_v1_pod *pod, int32_t min_ready_s, int64_t now_s,
                      int64_t *ret_wait_s)
{
    const struct core_v1_pod_condition *c = pod_condition(pod, STR("Ready"));
    int64_t due;

    if (ret_wait_s)
        *ret_wait_s = 0;
    if (!c || !str_eq(c->status, STR("True")))
        return false;
    if (min_ready_s <= 0)
        return true;
    due = c->last_transition_time.sec + min_ready_s;
    if (due <= now_s)
        return true;
    if (ret_wait_s)
        *ret_wait_s = due - now_s;
    return false;
}

/* --- which goes first --- */

static int phase_rank(struct str phase)
{
    if (str_eq(phase, STR("Running")))
        return 2;
    return str_eq(phase, STR("Unknown")) ? 1 : 0;
}

static int64_t deletion_cost(const struct api_object *pod)
{
    const struct schema_str_entry *e =
        text_map_find(&pod->meta->annotations, STR("controller.kubernetes.io/pod-deletion-cost"));
    int64_t cost = 0;

    if (e)
        (void)str_to_i64(e->value, &cost); /* nonsense counts as 0 */
    return cost;
}

static int32_t restarts(const struct core_v1_pod *pod)
{
    int32_t most = 0;

    for (uint32_t i = 0; i < pod->status.container_statuses.len; i++)
        most = MAX(most, pod->status.container_statuses.items[i].restart_count);
    return most;
}

static int64_t ready_since(const struct core_v1_pod *pod)
{
    const struct core_v1_pod_condition *c = pod_condition(pod, STR("Ready"));

    return c && str_eq(c->status, STR("True")) ? c->last_transition_time.sec : INT64_MAX;
}

static int order(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

int pod_compare_for_deletion(const struct api_object *a, size_t a_on_node,
                             const struct api_object *b, size_t b_on_node)
{
    const struct core_v1_pod *x = a->o.data, *y = b->o.data;
    const int64_t keys[][2] = {
        { x->spec.node_name.len > 0, y->spec.node_name.len > 0 },
        { phase_rank(x->status.phase), phase_rank(y->status.phase) },
        { pod_is_ready(x), pod_is_ready(y) },
        { deletion_cost(a), deletion_cost(b) },
        { -(int64_t)a_on_node, -(int64_t)b_on_node },
        { -ready_since(x), -ready_since(y) },
        { -restarts(x), -restarts(y) },
        { -a->meta->creation_timestamp.sec, -b->meta->creation_timestamp.sec },
    };

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (keys[i][0] != keys[i][1])
            return order(keys[i][0], keys[i][1]);
    return str_cmp(a->key, b->key);
}

/* --- numbers of Pods --- */

int32_t pod_share(const struct int_or_string *v, int32_t n, bool up)
{
    int64_t percent;

    if (v->type == INT_OR_STRING_INT)
        return v->i;
    if (v->type != INT_OR_STRING_STRING || !str_has_suffix(v->s, STR("%")) ||
        !str_to_i64(str_sub(v->s, 0, v->s.len - 1), &percent))
        return 0;
    return (int32_t)((percent * n + (up ? 99 : 0)) / 100);
}

/* --- templates --- */

struct meta_v1_owner_reference owner_reference_to(struct arena *a, const struct api_object *owner)
{
    bool *yes = ARENA_NEW(a, bool);

    *yes = true;
    return (struct meta_v1_owner_reference){ .api_version = object_api_version(owner->o),
                                             .kind = object_kind(owner->o),
                                             .name = owner->meta->name,
                                             .uid = owner->meta->uid,
                                             .controller = yes,
                                             .block_owner_deletion = yes };
}

struct object pod_from_template(struct arena *a, const struct core_v1_pod_template_spec *t,
                                struct str namespace, struct str prefix,
                                const struct api_object *owner)
{
    const struct resource *row = resource_find(STR(""), STR("v1"), STR("pods"));
    struct object o = object_new(a, &schema_builtin, row->type);
    struct core_v1_pod *pod = o.data;
    struct meta_v1_object_meta *m = &pod->metadata;

    m->labels.items = t->metadata.labels.items;
    m->labels.len = t->metadata.labels.len;
    m->annotations.items = t->metadata.annotations.items;
    m->annotations.len = t->metadata.annotations.len;
    m->finalizers.items = t->metadata.finalizers.items;
    m->finalizers.len = t->metadata.finalizers.len;
    m->namespace = namespace;
    m->generate_name = prefix;
    m->owner_references.items = ARENA_NEW(a, struct meta_v1_owner_reference);
    m->owner_references.items[0] = owner_reference_to(a, owner);
    m->owner_references.len = 1;
    pod->spec = t->spec;
    return o;
}

void pod_tell_created(struct reconcile *r, const struct api_object *owner)
{
    reconcile_tell(r, owner,
                   &(struct reconcile_tale){ .reason = "SuccessfulCreate",
                                             .text = STR("Created pod: "),
                                             .ends_in_name = true,
                                             .failed_reason = "FailedCreate",
                                             .failed_text = STR("Error creating: ") });
}

void pod_delete_told(struct reconcile *r, const struct api_object *owner,
                     const struct api_object *pod)
{
    reconcile_delete(r, resource_find(STR(""), STR("v1"), STR("pods")), pod->meta->namespace,
                     pod->meta->name, pod->meta->uid, STR_NULL);
    reconcile_tell(
        r, owner,
        &(struct reconcile_tale){
            .reason = "SuccessfulDelete",
            .text = arena_printf(r->arena, "Deleted pod: %.*s", STR_ARG(pod->meta->name)),
            .failed_reason = "FailedDelete",
            .failed_text = STR("Error deleting: "),
        });
}
