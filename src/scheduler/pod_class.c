#include "scheduler/pod_class.h"

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/object.h"
#include "api/object_json.h"
#include "api/schema.h"
#include "api/text_map.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "scheduler/scheduler_cache.h"

enum { CLASS_BYTES = 512 }; /* of most; Pods of a StatefulSet have a class each */

/* --- selectors --- */

static bool lookup(void *arg, struct str key, struct str *ret_value)
{
    const struct schema_str_entry *e = text_map_find(arg, key);

    if (e)
        *ret_value = e->value;
    return e;
}

static bool matches(const struct label_selector *s, const void *labels)
{
    return label_selector_match(s, lookup, (void *)(uintptr_t)labels);
}

bool pod_class_selected(const struct label_selector *s, const struct pod_class *k)
{
    return matches(s, k->labels);
}

bool sched_term_means(const struct sched_term *t, const struct pod_class *k,
                      const void *namespace_labels)
{
    bool is_in = false;

    for (uint32_t i = 0; i < t->n_namespaces && !is_in; i++)
        is_in = str_eq(t->namespaces[i], k->namespace);
    if (!is_in && t->has_namespace_selector)
        is_in = label_selector_is_empty(&t->namespace_selector) ||
                (namespace_labels && matches(&t->namespace_selector, namespace_labels));
    return is_in && pod_class_selected(&t->selector, k);
}

static void add_requirement(struct label_requirement *reqs, size_t *n, enum label_op op,
                            const struct str *key, struct schema_str_entry *e)
{
    if (e)
        reqs[(*n)++] =
            (struct label_requirement){ .key = *key, .op = op, .values = &e->value, .n_values = 1 };
}

bool sched_selector_of(struct arena *a, const struct meta_v1_label_selector *s,
                       const struct sched_label_keys *keys, const void *labels,
                       struct label_selector *ret)
{
    struct label_requirement *reqs;
    struct err err;
    size_t n;

    if (label_selector_from_meta(a, s, ret, &err) < 0)
        return false;
    if (ret->nothing || !keys || !(keys->n_match + keys->n_mismatch))
        return true;
    n = ret->len;
    reqs = ARENA_NEW_ARRAY(a, struct label_requirement, n + keys->n_match + keys->n_mismatch);
    if (n)
        memcpy(reqs, ret->items, n * sizeof(*reqs));
    for (uint32_t i = 0; i < keys->n_match; i++)
        add_requirement(reqs, &n, LABEL_OP_IN, &keys->match[i],
                        text_map_find(labels, keys->match[i]));
    for (uint32_t i = 0; i < keys->n_mismatch; i++)
        add_requirement(reqs, &n, LABEL_OP_NOT_IN, &keys->mismatch[i],
                        text_map_find(labels, keys->mismatch[i]));
    return label_selector_from_requirements(a, reqs, n, ret, &err) >= 0;
}

/* --- compiling --- */

static void compile(struct pod_class *k, const struct core_v1_pod_affinity_term *from,
                    int32_t weight, struct sched_terms *to)
{
    struct sched_label_keys keys = { from->match_label_keys.items, from->mismatch_label_keys.items,
                                     from->match_label_keys.len, from->mismatch_label_keys.len };
    struct sched_term *t = &to->items[to->len];

    *t = (struct sched_term){ .topology_key = from->topology_key, .weight = weight };
    if (!sched_selector_of(&k->arena, from->label_selector, &keys, k->labels, &t->selector))
        t->selector = (struct label_selector){ .nothing = true };
    t->namespaces = from->namespaces.items;
    t->n_namespaces = from->namespaces.len;
    if (from->namespace_selector) {
        t->has_namespace_selector = sched_selector_of(&k->arena, from->namespace_selector, NULL,
                                                      NULL, &t->namespace_selector);
    } else if (!t->n_namespaces) {
        t->namespaces = &k->namespace;
        t->n_namespaces = 1;
    }
    to->len++;
}

static void compile_all(struct pod_class *k, const struct core_v1_affinity *a)
{
    const struct core_v1_pod_affinity *with = a->pod_affinity;
    /* Of the same layout: two names for one struct. */
    const struct core_v1_pod_anti_affinity *without = a->pod_anti_affinity;
    uint32_t n_with = with ? with->required_during_scheduling_ignored_during_execution.len : 0,
             n_without =
                 without ? without->required_during_scheduling_ignored_during_execution.len : 0,
             p_with = with ? with->preferred_during_scheduling_ignored_during_execution.len : 0,
             p_without =
                 without ? without->preferred_during_scheduling_ignored_during_execution.len : 0;

    k->affinity.items = ARENA_NEW_ARRAY(&k->arena, struct sched_term, n_with);
    k->anti_affinity.items = ARENA_NEW_ARRAY(&k->arena, struct sched_term, n_without);
    k->preferred.items = ARENA_NEW_ARRAY(&k->arena, struct sched_term, (size_t)p_with + p_without);
    for (uint32_t i = 0; i < n_with; i++)
        compile(k, &with->required_during_scheduling_ignored_during_execution.items[i], 0,
                &k->affinity);
    for (uint32_t i = 0; i < n_without; i++)
        compile(k, &without->required_during_scheduling_ignored_during_execution.items[i], 0,
                &k->anti_affinity);
    for (uint32_t i = 0; i < p_with; i++) {
        const struct core_v1_weighted_pod_affinity_term *t =
            &with->preferred_during_scheduling_ignored_during_execution.items[i];

        compile(k, &t->pod_affinity_term, t->weight, &k->preferred);
    }
    for (uint32_t i = 0; i < p_without; i++) {
        const struct core_v1_weighted_pod_affinity_term *t =
            &without->preferred_during_scheduling_ignored_during_execution.items[i];

        compile(k, &t->pod_affinity_term, -t->weight, &k->preferred);
    }
}

/* --- the table --- */

static const struct core_v1_affinity *affinity_of(const struct api_object *pod)
{
    const struct core_v1_affinity *a = API_OBJECT(pod, struct core_v1_pod)->spec.affinity;

    return a && (a->pod_affinity || a->pod_anti_affinity) ? a : NULL;
}

static struct object typed(const char *type, const void *data)
{
    return (struct object){ .schema = &schema_builtin,
                            .type = schema_find_type(&schema_builtin, STR(""), STR("v1"),
                                                     str_from_cstr(type)),
                            .data = (void *)(uintptr_t)data };
}

static void encode(struct buf *b, const char *type, const void *data)
{
    if (data)
        object_json_encode(b, typed(type, data), NULL);
    buf_append_char(b, 0);
}

static void append_text(struct buf *b, struct str s)
{
    uint32_t len = (uint32_t)s.len;

    buf_append(b, &len, sizeof(len));
    buf_append_str(b, s);
}

static struct str key_of(struct buf *b, const struct api_object *pod)
{
    const void *labels = &pod->meta->labels;
    const struct core_v1_affinity *a = affinity_of(pod);

    append_text(b, pod->meta->namespace);
    for (uint32_t i = 0; i < text_map_len(labels); i++) {
        append_text(b, text_map_items(labels)[i].key);
        append_text(b, text_map_items(labels)[i].value);
    }
    if (a) {
        append_text(b, STR(""));
        encode(b, "PodAffinity", a->pod_affinity);
        encode(b, "PodAntiAffinity", a->pod_anti_affinity);
    }
    return buf_str(b);
}

static struct pod_namespace *namespace_of(struct pod_classes *c, struct str name)
{
    struct pod_namespace *n = map_get(&c->namespaces, name);

    if (!n) {
        n = NEW(struct pod_namespace);
        (void)map_put(&c->namespaces, name, n);
    }
    return n;
}

static const void *copy_labels(struct arena *a, const void *labels)
{
    struct schema_list *copy = ARENA_NEW(a, struct schema_list);
    struct schema_str_entry *items =
        ARENA_NEW_ARRAY(a, struct schema_str_entry, text_map_len(labels));

    for (uint32_t i = 0; i < text_map_len(labels); i++) {
        items[i].key = str_dup(a, text_map_items(labels)[i].key);
        items[i].value = str_dup(a, text_map_items(labels)[i].value);
    }
    copy->items = items;
    copy->len = text_map_len(labels);
    return copy;
}

static struct pod_class *class_new(struct pod_classes *c, const struct api_object *pod,
                                   struct str key)
{
    struct pod_class *k = NEW(struct pod_class);
    const struct core_v1_affinity *a = affinity_of(pod);
    struct pod_namespace *n = namespace_of(c, pod->meta->namespace);

    arena_init_sized(&k->arena, CLASS_BYTES);
    k->key = str_dup(&k->arena, key);
    k->namespace = str_dup(&k->arena, pod->meta->namespace);
    k->labels = copy_labels(&k->arena, &pod->meta->labels);
    if (a)
        compile_all(k, object_copy(&k->arena, typed("Affinity", a)).data);
    (void)map_put(&c->by_key, key, k);
    k->place = n->classes.len;
    VEC_PUSH(&n->classes, k);
    if (k->anti_affinity.len) {
        VEC_PUSH(&c->with_anti, k);
        k->place_anti = c->with_anti.len;
    }
    if (k->affinity.len || k->anti_affinity.len || k->preferred.len) {
        VEC_PUSH(&c->with_terms, k);
        k->place_terms = c->with_terms.len;
    }
    return k;
}

struct pod_class *pod_classes_get(struct pod_classes *c, const struct api_object *pod)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    struct str key = key_of(&b, pod);
    struct pod_class *k = map_get(&c->by_key, key);

    if (!k)
        k = class_new(c, pod, key);
    k->users++;
    return k;
}

static void class_free(struct pod_class *k)
{
    VEC_DONE(&k->members);
    arena_done(&k->arena);
    mem_free(k);
}

static void maybe_free(struct pod_classes *c, struct pod_class *k)
{
    struct pod_namespace *n;

    if (k->users || k->members.len)
        return;
    n = map_get(&c->namespaces, k->namespace);
    n->classes.items[k->place] = VEC_LAST(&n->classes);
    n->classes.items[k->place]->place = k->place;
    if (!--n->classes.len) {
        (void)map_remove(&c->namespaces, k->namespace);
        VEC_DONE(&n->classes);
        mem_free(n);
    }
    if (k->place_anti) {
        c->with_anti.items[k->place_anti - 1] = VEC_LAST(&c->with_anti);
        VEC_LAST(&c->with_anti)->place_anti = k->place_anti;
        c->with_anti.len--;
    }
    if (k->place_terms) {
        c->with_terms.items[k->place_terms - 1] = VEC_LAST(&c->with_terms);
        VEC_LAST(&c->with_terms)->place_terms = k->place_terms;
        c->with_terms.len--;
    }
    (void)map_remove(&c->by_key, k->key);
    class_free(k);
}

void pod_classes_put(struct pod_classes *c, struct pod_class *k)
{
    k->users--;
    maybe_free(c, k);
}

const struct pod_namespace *pod_classes_in(const struct pod_classes *c, struct str namespace)
{
    return map_get(&c->namespaces, namespace);
}

void pod_class_add(struct pod_class *k, struct sched_pod *pod, uint32_t row, bool is_ending)
{
    pod->member = k->members.len;
    VEC_PUSH(&k->members, (struct class_member){ pod, row, is_ending });
}

void pod_class_remove(struct pod_classes *c, struct pod_class *k, struct sched_pod *pod)
{
    k->members.items[pod->member] = VEC_LAST(&k->members);
    k->members.items[pod->member].pod->member = pod->member;
    k->members.len--;
    maybe_free(c, k);
}

void pod_classes_done(struct pod_classes *c)
{
    MAP_FOREACH(it, &c->by_key)
        class_free(it->value);
    MAP_FOREACH(it, &c->namespaces) {
        struct pod_namespace *n = it->value;

        VEC_DONE(&n->classes);
        mem_free(n);
    }
    map_done(&c->by_key);
    map_done(&c->namespaces);
    VEC_DONE(&c->with_anti);
    VEC_DONE(&c->with_terms);
}
