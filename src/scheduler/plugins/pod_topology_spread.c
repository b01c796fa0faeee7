/* PodTopologySpread: Pods that a selector means are spread over the domains of a label of nodes;
 * as a condition (DoNotSchedule) or as a wish (ScheduleAnyway). A Pod without constraints of its
 * own has upstream's wishes, with the selector of what it belongs to. */
#include "api/apps_v1.h"
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/err.h"
#include "client/api_object.h"
#include "scheduler/framework.h"

#define HOSTNAME STR("kubernetes.io/hostname")

struct constraint {
    int32_t max_skew, min_domains;
    struct label_selector selector;
    const struct sched_topology *topology;
    bool is_hostname, ignores_affinity, honors_taints, means_itself;
    int64_t *counts;    /* of Pods, by the topology's number */
    uint8_t *has_nodes; /* that count, by the same */
    uint32_t domains;
    double weight;
    /* The least count of all domains but one, kept while Pods are tried there. */
    uint32_t apart;
    int64_t least_apart;
};

struct spread_filter {
    struct constraint *items;
    uint32_t n;
};

struct spread_score {
    struct constraint *items;
    uint32_t n;
    bool needs_all_keys;
};

static uint32_t domain_of(const struct constraint *k, size_t row)
{
    return row < k->topology->of_row.len ? k->topology->of_row.items[row] : 0;
}

static bool has_all_keys(const struct constraint *k, uint32_t n, size_t row)
{
    for (uint32_t i = 0; i < n; i++)
        if (!domain_of(&k[i], row))
            return false;
    return true;
}

/* Do Pods on this node count at all? */
static bool is_included(const struct sched_cycle *c, const struct constraint *k,
                        const struct sched_node *n, size_t row)
{
    return (k->ignores_affinity || sched_matches_node(c, n, row)) &&
           !(k->honors_taints && sched_has_untolerated(c->pod, n));
}

/* --- constraints of a Pod --- */

static bool compile(struct sched_cycle *c, const struct core_v1_topology_spread_constraint *from,
                    struct constraint *to)
{
    struct sched_label_keys keys = { .match = from->match_label_keys.items,
                                     .n_match = from->match_label_keys.len };

    *to = (struct constraint){
        .max_skew = from->max_skew,
        .min_domains = from->min_domains ? *from->min_domains : 1,
        .topology = scheduler_cache_topology(c->cache, from->topology_key),
        .is_hostname = str_eq(from->topology_key, HOSTNAME),
        .ignores_affinity = str_eq(from->node_affinity_policy, STR("Ignore")),
        .honors_taints = str_eq(from->node_taints_policy, STR("Honor")),
    };
    if (!sched_selector_of(c->arena, from->label_selector, &keys, &c->object->meta->labels,
                           &to->selector))
        return false;
    to->means_itself = pod_class_selected(&to->selector, c->class);
    return true;
}

static uint32_t compile_all(struct sched_cycle *c, struct str action, struct constraint **ret)
{
    const struct core_v1_pod_spec *s = &c->pod->spec;
    uint32_t n = 0;

    *ret = ARENA_NEW_ARRAY(c->arena, struct constraint, s->topology_spread_constraints.len);
    for (uint32_t i = 0; i < s->topology_spread_constraints.len; i++)
        if (str_eq(s->topology_spread_constraints.items[i].when_unsatisfiable, action) &&
            compile(c, &s->topology_spread_constraints.items[i], &(*ret)[n]))
            n++;
    return n;
}

/* --- what the Pod belongs to --- */

struct requirements {
    struct label_requirement items[64];
    size_t n;
};

static void require_map(struct requirements *r, const void *map)
{
    for (uint32_t i = 0; i < text_map_len(map) && r->n < ARRAY_LEN(r->items); i++)
        r->items[r->n++] = (struct label_requirement){ .key = text_map_items(map)[i].key,
                                                       .op = LABEL_OP_EQUALS,
                                                       .values = &text_map_items(map)[i].value,
                                                       .n_values = 1 };
}

static void require_selector(struct sched_cycle *c, struct requirements *r,
                             const struct meta_v1_label_selector *s)
{
    struct label_selector selector;

    if (!s || !sched_selector_of(c->arena, s, NULL, NULL, &selector))
        return;
    for (uint32_t i = 0; i < selector.len && r->n < ARRAY_LEN(r->items); i++)
        r->items[r->n++] = selector.items[i];
}

static bool selects(const void *map, const void *labels)
{
    for (uint32_t i = 0; i < text_map_len(map); i++) {
        const struct schema_str_entry *e = text_map_find(labels, text_map_items(map)[i].key);

        if (!e || !str_eq(e->value, text_map_items(map)[i].value))
            return false;
    }
    return text_map_len(map);
}

static void require_services(struct sched_cycle *c, struct requirements *r)
{
    const struct api_object *const *services;
    size_t n =
        c->lister->list(c->lister->arg, SCHED_SERVICES, c->object->meta->namespace, &services);

    for (size_t i = 0; i < n; i++) {
        const struct core_v1_service *s = API_OBJECT(services[i], struct core_v1_service);

        if (selects(&s->spec.selector, &c->object->meta->labels))
            require_map(r, &s->spec.selector);
    }
}

static const struct api_object *owner_of(struct sched_cycle *c, struct str *ret_kind)
{
    static const struct {
        struct str kind;
        enum sched_kind list;
    } kinds[] = { { STR_INIT("ReplicaSet"), SCHED_REPLICA_SETS },
                  { STR_INIT("StatefulSet"), SCHED_STATEFUL_SETS },
                  { STR_INIT("ReplicationController"), SCHED_REPLICATION_CONTROLLERS } };

    for (uint32_t i = 0; i < c->object->meta->owner_references.len; i++) {
        const struct meta_v1_owner_reference *o = &c->object->meta->owner_references.items[i];

        for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
            if (o->controller && *o->controller && str_eq(o->kind, kinds[k].kind)) {
                *ret_kind = o->kind;
                return c->lister->get(c->lister->arg, kinds[k].list, c->object->meta->namespace,
                                      o->name);
            }
    }
    return NULL;
}

static bool default_selector(struct sched_cycle *c, struct label_selector *ret)
{
    struct requirements r = { .n = 0 };
    const struct api_object *owner;
    struct str kind;
    struct err err;

    if (!c->lister)
        return false;
    require_services(c, &r);
    owner = owner_of(c, &kind);
    if (owner && str_eq(kind, STR("ReplicaSet")))
        require_selector(c, &r, API_OBJECT(owner, struct apps_v1_replica_set)->spec.selector);
    else if (owner && str_eq(kind, STR("StatefulSet")))
        require_selector(c, &r, API_OBJECT(owner, struct apps_v1_stateful_set)->spec.selector);
    else if (owner)
        require_map(&r, &API_OBJECT(owner, struct core_v1_replication_controller)->spec.selector);
    if (!r.n)
        return false;
    return label_selector_from_requirements(
               c->arena, arena_dup(c->arena, r.items, r.n * sizeof(*r.items)), r.n, ret, &err) >= 0;
}

static uint32_t compile_defaults(struct sched_cycle *c, struct constraint **ret)
{
    static const struct {
        struct str key;
        int32_t max_skew;
    } defaults[] = { { STR_INIT("kubernetes.io/hostname"), 3 },
                     { STR_INIT("topology.kubernetes.io/zone"), 5 } };
    struct label_selector selector;

    if (!default_selector(c, &selector))
        return 0;
    *ret = ARENA_NEW_ARRAY(c->arena, struct constraint, ARRAY_LEN(defaults));
    for (size_t i = 0; i < ARRAY_LEN(defaults); i++)
        (*ret)[i] = (struct constraint){
            .max_skew = defaults[i].max_skew,
            .min_domains = 1,
            .selector = selector,
            .topology = scheduler_cache_topology(c->cache, defaults[i].key),
            .is_hostname = i == 0,
        };
    return ARRAY_LEN(defaults);
}

/* --- counting --- */

/* Which rows count for a constraint; NULL: all that have a node and its key. */
static const uint8_t *included_rows(struct sched_cycle *c, const struct constraint *all,
                                    uint32_t n_keys, const struct constraint *k)
{
    uint8_t *in;

    if (n_keys <= 1 && !k->honors_taints && (k->ignores_affinity || !c->node_wants))
        return NULL;
    in = ARENA_NEW_ARRAY(c->arena, uint8_t, c->cache->nodes.len);
    for (size_t row = 0; row < c->cache->nodes.len; row++) {
        const struct sched_node *n = scheduler_cache_node(c->cache, row);

        in[row] = n->object && has_all_keys(all, n_keys, row) && is_included(c, k, n, row);
    }
    return in;
}

static void count_pods(struct sched_cycle *c, struct constraint *k, const uint8_t *in)
{
    const struct pod_namespace *ns = pod_classes_in(&c->cache->classes, c->object->meta->namespace);

    for (size_t i = 0; ns && i < ns->classes.len; i++) {
        const struct pod_class *class = ns->classes.items[i];

        if (!class->members.len || !pod_class_selected(&k->selector, class))
            continue;
        for (size_t m = 0; m < class->members.len; m++) {
            const struct class_member *p = &class->members.items[m];

            if (!p->is_ending && (!in || in[p->row]))
                k->counts[domain_of(k, p->row)]++;
        }
    }
}

static void count(struct sched_cycle *c, struct constraint *all, uint32_t n_keys,
                  struct constraint *k)
{
    const uint8_t *in = included_rows(c, all, n_keys, k);

    k->counts = ARENA_NEW_ARRAY(c->arena, int64_t, k->topology->n);
    k->has_nodes = ARENA_NEW_ARRAY(c->arena, uint8_t, k->topology->n);
    for (size_t row = 0; row < c->cache->nodes.len; row++) {
        uint32_t d = domain_of(k, row);

        if (d && (!in || in[row]) && !k->has_nodes[d]) {
            k->has_nodes[d] = 1;
            k->domains++;
        }
    }
    count_pods(c, k, in);
}

/* --- filter --- */

static void set_apart(struct constraint *k, uint32_t d)
{
    k->apart = d;
    k->least_apart = INT32_MAX;
    for (uint32_t i = 1; i < k->topology->n; i++)
        if (k->has_nodes[i] && i != d)
            k->least_apart = MIN(k->least_apart, k->counts[i]);
}

static bool pre_filter(struct sched_cycle *c)
{
    struct spread_filter *f;

    if (!c->pod->spec.topology_spread_constraints.len)
        return false;
    f = c->spread_filter = ARENA_NEW(c->arena, struct spread_filter);
    f->n = compile_all(c, STR("DoNotSchedule"), &f->items);
    for (uint32_t i = 0; i < f->n; i++) {
        count(c, f->items, f->n, &f->items[i]);
        set_apart(&f->items[i], 0); /* of all */
    }
    return f->n;
}

static void try_pod(struct sched_cycle *c, const struct sched_pod *p, bool is_there)
{
    struct spread_filter *f = c->spread_filter;
    const struct sched_node *n = scheduler_cache_node(c->cache, p->node);

    if (!n->object || !str_eq(p->class->namespace, c->object->meta->namespace) ||
        !has_all_keys(f->items, f->n, p->node))
        return;
    for (uint32_t i = 0; i < f->n; i++) {
        struct constraint *k = &f->items[i];
        uint32_t d = domain_of(k, p->node);

        if (!pod_class_selected(&k->selector, p->class) || !is_included(c, k, n, p->node))
            continue;
        if (k->apart != d)
            set_apart(k, d);
        k->counts[d] += is_there ? 1 : -1;
    }
}

static void filter(const struct sched_cycle *c, const struct sched_node *n, size_t row,
                   struct sched_reasons *why)
{
    const struct spread_filter *f = c->spread_filter;

    (void)n;
    for (uint32_t i = 0; i < f->n; i++) {
        const struct constraint *k = &f->items[i];
        uint32_t d = domain_of(k, row);
        int64_t least = k->least_apart;

        if (!d) {
            sched_reason_final(why, STR("node(s) didn't match pod topology spread constraints "
                                        "(missing required label)"));
            return;
        }
        if (k->apart && k->has_nodes[k->apart])
            least = MIN(least, k->counts[k->apart]);
        if (k->domains < (uint32_t)k->min_domains)
            least = 0;
        if (k->counts[d] + k->means_itself - least > k->max_skew) {
            sched_reason(why, STR("node(s) didn't match pod topology spread constraints"));
            return;
        }
    }
}

/* --- score --- */

/* The natural logarithm of x >= 1: one function is no reason to link the library of them. */
static double natural_log(double x)
{
    double sum = 0, halvings = 0, y, power;

    while (x >= 2) {
        x /= 2;
        halvings++;
    }
    y = power = (x - 1) / (x + 1);
    for (int i = 1; i < 40; i += 2, power *= y * y)
        sum += power / i;
    return 2 * sum + halvings * 0.693147180559945309417;
}

/* The larger a topology, the more a Pod in one of its domains says. */
static void set_weight(struct sched_cycle *c, const struct spread_score *s, struct constraint *k,
                       const size_t *rows, size_t n)
{
    uint8_t *seen = ARENA_NEW_ARRAY(c->arena, uint8_t, k->topology->n);
    size_t size = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t d = domain_of(k, rows[i]);

        if (s->needs_all_keys && !has_all_keys(s->items, s->n, rows[i]))
            continue;
        if (k->is_hostname || !seen[d])
            size++;
        seen[d] = 1;
    }
    k->weight = natural_log((double)size + 2);
}

static bool pre_score(struct sched_cycle *c, const size_t *rows, size_t n)
{
    struct spread_score *s = ARENA_NEW(c->arena, struct spread_score);

    c->spread_score = s;
    s->needs_all_keys = c->pod->spec.topology_spread_constraints.len;
    s->n = s->needs_all_keys ? compile_all(c, STR("ScheduleAnyway"), &s->items)
                             : compile_defaults(c, &s->items);
    for (uint32_t i = 0; i < s->n; i++) {
        count(c, s->items, s->needs_all_keys ? s->n : 0, &s->items[i]);
        set_weight(c, s, &s->items[i], rows, n);
    }
    return s->n;
}

static bool is_ignored(const struct spread_score *s, size_t row)
{
    return s->needs_all_keys && !has_all_keys(s->items, s->n, row);
}

static int64_t score(const struct sched_cycle *c, const struct sched_node *n, size_t row)
{
    const struct spread_score *s = c->spread_score;
    double sum = 0;

    (void)n;
    if (is_ignored(s, row))
        return 0;
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t d = domain_of(&s->items[i], row);

        if (d)
            sum += (double)s->items[i].counts[d] * s->items[i].weight + s->items[i].max_skew - 1;
    }
    return (int64_t)(sum + 0.5);
}

static void normalize(const struct sched_cycle *c, const size_t *rows, int64_t *scores, size_t n)
{
    int64_t min = INT64_MAX, max = 0;

    for (size_t i = 0; i < n; i++)
        if (!is_ignored(c->spread_score, rows[i])) {
            min = MIN(min, scores[i]);
            max = MAX(max, scores[i]);
        }
    for (size_t i = 0; i < n; i++) {
        if (is_ignored(c->spread_score, rows[i]))
            scores[i] = 0;
        else
            scores[i] = max ? SCHED_MAX_SCORE * (max + min - scores[i]) / max : SCHED_MAX_SCORE;
    }
}

const struct sched_plugin pod_topology_spread_plugin = {
    .name = "PodTopologySpread",
    .events = SCHED_POD_ADDED | SCHED_POD_DELETED | SCHED_POD_LABELS | SCHED_NODE_LABELS |
              SCHED_NODE_TAINTS | SCHED_NODE_REMOVED,
    .pre_filter = pre_filter,
    .filter = filter,
    .try_pod = try_pod,
    .pre_score = pre_score,
    .score = score,
    .normalize = normalize,
    .weight = 2,
};
