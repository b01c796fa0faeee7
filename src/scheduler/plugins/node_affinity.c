/* NodeAffinity: nodeSelector, required and preferred terms. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/text_map.h"
#include "base/arena.h"
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

static bool term_matches(const struct core_v1_node_selector_term *t, const struct api_object *node)
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
        if (term_matches(&s->node_selector_terms.items[i], node))
            return true;
    return false;
}

bool sched_wants_nodes(const struct core_v1_pod *pod)
{
    const struct core_v1_node_affinity *a = affinity_of(pod);

    return pod->spec.node_selector.len ||
           (a && a->required_during_scheduling_ignored_during_execution);
}

bool sched_matches_node(const struct core_v1_pod *pod, const struct api_object *node)
{
    return matches_selector(pod, node) && matches_required(pod, node);
}

/* The names that a term allows: -1: any; else how many, in *ret. What several requirements all
 * name is left. */
static ptrdiff_t names_of(const struct core_v1_node_selector_term *t, struct arena *a,
                          const struct str **ret)
{
    struct str *names = NULL;
    ptrdiff_t n = -1, kept;

    for (uint32_t i = 0; i < t->match_fields.len; i++) {
        requirement *r = &t->match_fields.items[i];

        if (!str_eq(r->key, STR("metadata.name")) || !str_eq(r->operator, STR("In")))
            continue;
        if (n < 0) {
            names = arena_dup(a, r->values.items, r->values.len * sizeof(*names));
            n = r->values.len;
            continue;
        }
        kept = 0;
        for (ptrdiff_t k = 0; k < n; k++)
            if (is_among(r, names[k]))
                names[kept++] = names[k];
        n = kept;
    }
    *ret = names;
    return n;
}

/* When every term names its nodes (as DaemonSets' Pods do), only these are looked at. */
static void narrow(struct sched_cycle *c, const struct core_v1_node_selector *s)
{
    size_t *rows = NULL, n = 0, cap = 0, row;
    bool any_name = false;

    for (uint32_t i = 0; i < s->node_selector_terms.len; i++) {
        const struct str *names;
        ptrdiff_t n_names = names_of(&s->node_selector_terms.items[i], c->arena, &names);

        if (n_names < 0)
            return;
        any_name |= n_names > 0;
        cap += (size_t)n_names;
    }
    if (!any_name) {
        if (s->node_selector_terms.len)
            c->rejection = STR("pod affinity terms conflict");
        return;
    }
    rows = ARENA_NEW_ARRAY(c->arena, size_t, cap);
    for (uint32_t i = 0; i < s->node_selector_terms.len; i++) {
        const struct str *names;
        ptrdiff_t n_names = names_of(&s->node_selector_terms.items[i], c->arena, &names);

        for (ptrdiff_t k = 0; k < n_names; k++) {
            bool is_new = scheduler_cache_find_node(c->cache, names[k], &row);

            for (size_t m = 0; m < n && is_new; m++)
                is_new = rows[m] != row;
            if (is_new)
                rows[n++] = row;
        }
    }
    c->only = rows;
    c->n_only = n;
    c->narrowed_by = &node_affinity_plugin;
}

static bool pre_filter(struct sched_cycle *c)
{
    const struct core_v1_node_affinity *a = affinity_of(c->pod);

    if (a && a->required_during_scheduling_ignored_during_execution)
        narrow(c, a->required_during_scheduling_ignored_during_execution);
    return sched_wants_nodes(c->pod);
}

static void filter(const struct sched_cycle *c, const struct sched_node *n, size_t row,
                   struct sched_reasons *why)
{
    (void)row;
    if (!sched_matches_node(c->pod, n->object))
        sched_reason_final(why, STR("node(s) didn't match Pod's node affinity/selector"));
}

static bool pre_score(struct sched_cycle *c, const size_t *rows, size_t n)
{
    const struct core_v1_node_affinity *a = affinity_of(c->pod);

    (void)rows;
    (void)n;
    return a && a->preferred_during_scheduling_ignored_during_execution.len;
}

static void normalize(const struct sched_cycle *c, const size_t *rows, int64_t *scores, size_t n)
{
    (void)c;
    (void)rows;
    sched_normalize(scores, n, false);
}

static int64_t score(const struct sched_cycle *c, const struct sched_node *n, size_t row)
{
    const struct core_v1_node_affinity *a = affinity_of(c->pod);
    int64_t sum = 0;

    (void)row;
    for (uint32_t i = 0; a && i < a->preferred_during_scheduling_ignored_during_execution.len;
         i++) {
        const struct core_v1_preferred_scheduling_term *t =
            &a->preferred_during_scheduling_ignored_during_execution.items[i];

        /* A preference without a condition holds everywhere. */
        if ((!t->preference.match_expressions.len && !t->preference.match_fields.len) ||
            term_matches(&t->preference, n->object))
            sum += t->weight;
    }
    return sum;
}

const struct sched_plugin node_affinity_plugin = {
    .name = "NodeAffinity",
    .events = SCHED_NODE_LABELS | SCHED_NODE_ADDED,
    .pre_filter = pre_filter,
    .filter = filter,
    .pre_score = pre_score,
    .score = score,
    .normalize = normalize,
    .weight = 2,
};
