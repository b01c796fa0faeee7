/* NodeAffinity: nodeSelector, required and preferred terms. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/text_map.h"
#include "client/api_object.h"
#include "scheduler/framework.h"

typedef const struct core_v1_node_selector_requirement requirement;

static bool is_among(requirement *r, struct str value)
{
    for (uint32_t i = 0; i < r->values.len; i++)
        if (str_eq(r->values.items[i], value))
            return true;
    return false;
}

/* value NULL: there is none of that key. */
static bool holds(requirement *r, const struct str *value)
{
    int64_t have, want;

    if (str_eq(r->operator, STR("In")))
        return value && is_among(r, *value);
    if (str_eq(r->operator, STR("NotIn")))
        return !value || !is_among(r, *value);
    if (str_eq(r->operator, STR("Exists")))
        return value;
    if (str_eq(r->operator, STR("DoesNotExist")))
        return !value;
    if (!value || r->values.len != 1 || !str_to_i64(*value, &have) ||
        !str_to_i64(r->values.items[0], &want))
        return false;
    return str_eq(r->operator, STR("Gt")) ? have > want : have < want;
}

bool sched_term_matches(const struct core_v1_node_selector_term *t, const struct api_object *node)
{
    if (!t->match_expressions.len && !t->match_fields.len)
        return false; /* an empty term matches nothing */
    for (uint32_t i = 0; i < t->match_expressions.len; i++) {
        const struct schema_str_entry *e =
            text_map_find(&node->meta->labels, t->match_expressions.items[i].key);

        if (!holds(&t->match_expressions.items[i], e ? &e->value : NULL))
            return false;
    }
    for (uint32_t i = 0; i < t->match_fields.len; i++) {
        bool is_name = str_eq(t->match_fields.items[i].key, STR("metadata.name"));

        if (!holds(&t->match_fields.items[i], is_name ? &node->meta->name : NULL))
            return false;
    }
    return true;
}

static bool matches_selector(const struct core_v1_pod *pod, const struct api_object *node)
{
    for (uint32_t i = 0; i < pod->spec.node_selector.len; i++) {
        const struct schema_str_entry *want = &pod->spec.node_selector.items[i];
        const struct schema_str_entry *have = text_map_find(&node->meta->labels, want->key);

        if (!have || !str_eq(have->value, want->value))
            return false;
    }
    return true;
}

static const struct core_v1_node_affinity *affinity_of(const struct core_v1_pod *pod)
{
    return pod->spec.affinity ? pod->spec.affinity->node_affinity : NULL;
}

static bool matches_required(const struct core_v1_pod *pod, const struct api_object *node)
{
    const struct core_v1_node_affinity *a = affinity_of(pod);
    const struct core_v1_node_selector *s =
        a ? a->required_during_scheduling_ignored_during_execution : NULL;

    if (!s)
        return true;
    for (uint32_t i = 0; i < s->node_selector_terms.len; i++)
        if (sched_term_matches(&s->node_selector_terms.items[i], node))
            return true;
    return false;
}

static void filter(const struct sched_cycle *c, const struct sched_node *n,
                   struct sched_reasons *why)
{
    if (!matches_selector(c->pod, n->object) || !matches_required(c->pod, n->object))
        sched_reason(why, STR("node(s) didn't match Pod's node affinity/selector"));
}

static int64_t score(const struct sched_cycle *c, const struct sched_node *n)
{
    const struct core_v1_node_affinity *a = affinity_of(c->pod);
    int64_t sum = 0;

    for (uint32_t i = 0; a && i < a->preferred_during_scheduling_ignored_during_execution.len;
         i++) {
        const struct core_v1_preferred_scheduling_term *t =
            &a->preferred_during_scheduling_ignored_during_execution.items[i];

        if (sched_term_matches(&t->preference, n->object))
            sum += t->weight;
    }
    return sum;
}

const struct sched_plugin node_affinity_plugin = {
    .name = "NodeAffinity",
    .events = SCHED_NODE_LABELS,
    .filter = filter,
    .score = score,
    .weight = 2,
    .normalizes = true,
};
