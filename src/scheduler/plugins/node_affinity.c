/* NodeAffinity: nodeSelector, required and preferred terms. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/node_match.h"
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

/* --- compiled: by the numbers that labels' values have in columns --- */

struct wanted {
    const struct sched_topology *topology;
    uint8_t *ok;                 /* by the value's number; [0]: no such label */
    const requirement *of_field; /* else: a field, looked at itself */
};
struct wanted_term {
    struct wanted *items;
    size_t n;
    int32_t weight;
    bool is_void; /* matches nothing */
};
struct node_wants {
    struct wanted_term selector; /* all of these, and one of the terms */
    struct wanted_term *terms;
    size_t n_terms;
    bool has_terms;
};

static void set_listed(struct wanted *w, const struct str *values, uint32_t n, uint8_t ok)
{
    for (uint32_t i = 0; i < n; i++) {
        size_t number = (size_t)(uintptr_t)map_get(&w->topology->values, values[i]);

        if (number)
            w->ok[number] = ok;
    }
}

static struct wanted want(struct sched_cycle *c, requirement *r)
{
    struct wanted w = { .topology = scheduler_cache_topology(c->cache, r->key) };

    w.ok = ARENA_NEW_ARRAY(c->arena, uint8_t, w.topology->n);
    if (str_eq(r->operator, STR("In"))) {
        set_listed(&w, r->values.items, r->values.len, 1);
        return w;
    }
    w.ok[0] = node_match_requirement(r, NULL);
    if (str_eq(r->operator, STR("NotIn")) || str_eq(r->operator, STR("Exists"))) {
        memset(w.ok + 1, 1, w.topology->n - 1);
        if (str_eq(r->operator, STR("NotIn")))
            set_listed(&w, r->values.items, r->values.len, 0);
    } else if (!str_eq(r->operator, STR("DoesNotExist"))) {
        MAP_FOREACH(it, &w.topology->values)
            w.ok[(size_t)(uintptr_t)it->value] = node_match_requirement(r, &it->key);
    }
    return w;
}

static struct wanted_term compile(struct sched_cycle *c,
                                  const struct core_v1_node_selector_term *from, int32_t weight)
{
    struct wanted_term t = { .weight = weight };

    t.items = ARENA_NEW_ARRAY(c->arena, struct wanted,
                              (size_t)from->match_expressions.len + from->match_fields.len);
    for (uint32_t i = 0; i < from->match_expressions.len; i++)
        t.items[t.n++] = want(c, &from->match_expressions.items[i]);
    for (uint32_t i = 0; i < from->match_fields.len; i++)
        t.items[t.n++] = (struct wanted){ .of_field = &from->match_fields.items[i] };
    t.is_void = !t.n;
    return t;
}

static bool is_ok(const struct wanted *w, const struct sched_node *n, size_t row)
{
    if (!w->of_field)
        return w->ok[w->topology->of_row.items[row]];
    return node_match_requirement(w->of_field, str_eq(w->of_field->key, STR("metadata.name"))
                                                   ? &n->object->meta->name
                                                   : NULL);
}

static bool term_matches(const struct wanted_term *t, const struct sched_node *n, size_t row)
{
    for (size_t i = 0; i < t->n; i++)
        if (!is_ok(&t->items[i], n, row))
            return false;
    return !t->is_void;
}

static struct wanted_term compile_selector(struct sched_cycle *c)
{
    struct wanted_term t = { .n = 0 };

    t.items = ARENA_NEW_ARRAY(c->arena, struct wanted, c->pod->spec.node_selector.len);
    for (uint32_t i = 0; i < c->pod->spec.node_selector.len; i++) {
        const struct schema_str_entry *e = &c->pod->spec.node_selector.items[i];
        struct wanted *w = &t.items[t.n++];

        w->topology = scheduler_cache_topology(c->cache, e->key);
        w->ok = ARENA_NEW_ARRAY(c->arena, uint8_t, w->topology->n);
        set_listed(w, &e->value, 1, 1);
    }
    return t;
}

static const struct core_v1_node_affinity *affinity_of(const struct core_v1_pod *pod)
{
    return pod->spec.affinity ? pod->spec.affinity->node_affinity : NULL;
}

static const struct core_v1_node_selector *required_of(const struct core_v1_pod *pod)
{
    const struct core_v1_node_affinity *a = affinity_of(pod);

    return a ? a->required_during_scheduling_ignored_during_execution : NULL;
}

static void compile_wants(struct sched_cycle *c)
{
    const struct core_v1_node_selector *s = required_of(c->pod);
    struct node_wants *w = ARENA_NEW(c->arena, struct node_wants);

    c->node_wants = w;
    w->selector = compile_selector(c);
    w->has_terms = s;
    if (!s)
        return;
    w->terms = ARENA_NEW_ARRAY(c->arena, struct wanted_term, s->node_selector_terms.len);
    for (uint32_t i = 0; i < s->node_selector_terms.len; i++)
        w->terms[w->n_terms++] = compile(c, &s->node_selector_terms.items[i], 0);
}

bool sched_matches_node(const struct sched_cycle *c, const struct sched_node *n, size_t row)
{
    const struct node_wants *w = c->node_wants;

    if (!w)
        return true;
    if (!term_matches(&w->selector, n, row))
        return false;
    for (size_t i = 0; i < w->n_terms; i++)
        if (term_matches(&w->terms[i], n, row))
            return true;
    return !w->has_terms;
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
    if (!c->pod->spec.node_selector.len && !required_of(c->pod))
        return false;
    if (required_of(c->pod))
        narrow(c, required_of(c->pod));
    compile_wants(c);
    return true;
}

static void filter(const struct sched_cycle *c, const struct sched_node *n, size_t row,
                   struct sched_reasons *why)
{
    if (!sched_matches_node(c, n, row))
        sched_reason_final(why, STR("node(s) didn't match Pod's node affinity/selector"));
}

static bool pre_score(struct sched_cycle *c, const size_t *rows, size_t n)
{
    const struct core_v1_node_affinity *a = affinity_of(c->pod);
    struct wanted_term *terms;
    uint32_t len = a ? a->preferred_during_scheduling_ignored_during_execution.len : 0;

    (void)rows;
    (void)n;
    if (!len)
        return false;
    terms = ARENA_NEW_ARRAY(c->arena, struct wanted_term, len);
    for (uint32_t i = 0; i < len; i++) {
        const struct core_v1_preferred_scheduling_term *t =
            &a->preferred_during_scheduling_ignored_during_execution.items[i];

        terms[i] = compile(c, &t->preference, t->weight);
        terms[i].is_void = false; /* one without a condition holds everywhere */
    }
    c->preferred_nodes = terms;
    c->n_preferred_nodes = len;
    return true;
}

static void normalize(const struct sched_cycle *c, const size_t *rows, int64_t *scores, size_t n)
{
    (void)c;
    (void)rows;
    sched_normalize(scores, n, false);
}

static int64_t score(const struct sched_cycle *c, const struct sched_node *n, size_t row)
{
    int64_t sum = 0;

    for (uint32_t i = 0; i < c->n_preferred_nodes; i++)
        if (term_matches(&c->preferred_nodes[i], n, row))
            sum += c->preferred_nodes[i].weight;
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
