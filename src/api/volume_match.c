#include "api/volume_match.h"

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/node_match.h"
#include "api/schema.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/err.h"

struct str volume_class(const struct core_v1_persistent_volume *v)
{
    const struct schema_str_entry *e =
        text_map_find(&v->metadata.annotations, STR(VOLUME_OLD_CLASS));

    return e ? e->value : v->spec.storage_class_name;
}

struct str volume_class_of_claim(const struct core_v1_persistent_volume_claim *c)
{
    const struct schema_str_entry *e =
        text_map_find(&c->metadata.annotations, STR(VOLUME_OLD_CLASS));

    return e ? e->value : c->spec.storage_class_name;
}

bool volume_claim_has_class(const struct core_v1_persistent_volume_claim *c)
{
    return text_map_find(&c->metadata.annotations, STR(VOLUME_OLD_CLASS)) ||
           c->spec.storage_class_name.p;
}

bool volume_claim_is_bound(const struct core_v1_persistent_volume_claim *c)
{
    return c->spec.volume_name.len &&
           text_map_find(&c->metadata.annotations, STR(VOLUME_BIND_COMPLETED));
}

bool volume_is_for(const struct core_v1_persistent_volume *v,
                   const struct core_v1_persistent_volume_claim *c)
{
    const struct core_v1_object_reference *ref = v->spec.claim_ref;

    return ref && str_eq(ref->name, c->metadata.name) &&
           str_eq(ref->namespace, c->metadata.namespace) &&
           (!ref->uid.len || str_eq(ref->uid, c->metadata.uid));
}

static struct str volume_mode(struct str mode)
{
    return mode.len ? mode : STR("Filesystem");
}

bool volume_modes_differ(const struct core_v1_persistent_volume *v,
                         const struct core_v1_persistent_volume_claim *c)
{
    return !str_eq(volume_mode(v->spec.volume_mode), volume_mode(c->spec.volume_mode));
}

static struct quantity storage_of(const void *map)
{
    const struct schema_str_entry *e = text_map_find(map, STR("storage"));
    struct quantity q = { 0 };

    if (e)
        (void)quantity_parse(e->value, &q); /* validation refuses what is none */
    return q;
}

static bool has_mode(const struct core_v1_persistent_volume *v, struct str mode)
{
    for (uint32_t i = 0; i < v->spec.access_modes.len; i++)
        if (str_eq(v->spec.access_modes.items[i], mode))
            return true;
    return false;
}

static bool has_all_modes(const struct core_v1_persistent_volume *v,
                          const struct core_v1_persistent_volume_claim *c)
{
    for (uint32_t i = 0; i < c->spec.access_modes.len; i++)
        if (!has_mode(v, c->spec.access_modes.items[i]))
            return false;
    return true;
}

struct str volume_objection(struct arena *a, const struct core_v1_persistent_volume *v,
                            const struct core_v1_persistent_volume_claim *c)
{
    if (v->metadata.deletion_timestamp.set)
        return arena_printf(a, "the volume is marked for deletion \"%.*s\"",
                            STR_ARG(v->metadata.name));
    if (quantity_value(storage_of(&v->spec.capacity)) <
        quantity_value(storage_of(&c->spec.resources.requests)))
        return STR("requested PV is too small");
    if (!str_eq(volume_class(v), volume_class_of_claim(c)))
        return STR("storageClassName does not match");
    if (!str_eq(v->spec.volume_attributes_class_name, c->spec.volume_attributes_class_name))
        return STR("volumeAttributesClassName does not match");
    if (volume_modes_differ(v, c))
        return STR("incompatible volumeMode");
    if (!has_all_modes(v, c))
        return STR("incompatible accessMode");
    return STR_NULL;
}

static bool term_holds(const struct core_v1_node_selector_term *t, const struct core_v1_node *node)
{
    for (uint32_t i = 0; i < t->match_expressions.len; i++) {
        const struct core_v1_node_selector_requirement *r = &t->match_expressions.items[i];
        const struct schema_str_entry *e = text_map_find(&node->metadata.labels, r->key);

        if (!node_match_requirement(r, e ? &e->value : NULL))
            return false;
    }
    for (uint32_t i = 0; i < t->match_fields.len; i++)
        if (!node_match_requirement(&t->match_fields.items[i], &node->metadata.name))
            return false;
    return t->match_expressions.len || t->match_fields.len;
}

bool volume_is_on_node(const struct core_v1_persistent_volume *v, const struct core_v1_node *node)
{
    const struct core_v1_node_selector *s =
        v->spec.node_affinity ? v->spec.node_affinity->required : NULL;

    for (uint32_t i = 0; s && i < s->node_selector_terms.len; i++)
        if (term_holds(&s->node_selector_terms.items[i], node))
            return true;
    return !s;
}

struct str volume_claim_name(struct arena *a, const struct core_v1_pod *pod,
                             const struct core_v1_volume *v)
{
    if (v->volume_source.persistent_volume_claim)
        return v->volume_source.persistent_volume_claim->claim_name;
    if (v->volume_source.ephemeral)
        return arena_printf(a, "%.*s-%.*s", STR_ARG(pod->metadata.name), STR_ARG(v->name));
    return STR_NULL;
}

bool volume_claim_is_of_pod(const struct core_v1_persistent_volume_claim *c,
                            const struct core_v1_pod *pod)
{
    for (uint32_t i = 0; i < c->metadata.owner_references.len; i++) {
        const struct meta_v1_owner_reference *ref = &c->metadata.owner_references.items[i];

        if (ref->controller && *ref->controller)
            return str_eq(ref->uid, pod->metadata.uid);
    }
    return false;
}

/* --- the best one --- */

int volume_search_init(struct arena *a, struct volume_search *s,
                       const struct core_v1_persistent_volume_claim *claim, struct err *err)
{
    *s = (struct volume_search){ .claim = claim,
                                 .wanted = storage_of(&claim->spec.resources.requests),
                                 .has_selector = claim->spec.selector };
    return claim->spec.selector
               ? label_selector_from_meta(a, claim->spec.selector, &s->selector, err)
               : 0;
}

static bool look_up(void *arg, struct str key, struct str *ret_value)
{
    const struct schema_str_entry *e = text_map_find(arg, key);

    if (e)
        *ret_value = e->value;
    return e != NULL;
}

/* Modes named twice count once. */
static size_t count_modes(const struct core_v1_persistent_volume *v)
{
    size_t n = 0;

    for (uint32_t i = 0; i < v->spec.access_modes.len; i++) {
        uint32_t first = 0;

        while (!str_eq(v->spec.access_modes.items[first], v->spec.access_modes.items[i]))
            first++;
        n += first == i;
    }
    return n;
}

/* What is free is more than what is not taken: Available, and of the kind that the claim wants. */
static bool is_free(const struct volume_search *s, const struct core_v1_persistent_volume *v)
{
    return !v->spec.claim_ref && !s->is_delayed && str_eq(v->status.phase, STR("Available")) &&
           str_eq(volume_class(v), volume_class_of_claim(s->claim)) &&
           (!s->has_selector ||
            label_selector_match(&s->selector, look_up, (void *)(uintptr_t)&v->metadata.labels)) &&
           has_all_modes(v, s->claim);
}

static bool is_better(const struct volume_search *s, const struct core_v1_persistent_volume *v,
                      size_t modes, bool is_promised)
{
    int order;

    if (!s->best)
        return true;
    if (modes != s->best_modes)
        return modes < s->best_modes;
    if (is_promised != s->best_is_promised)
        return is_promised;
    order = quantity_compare(storage_of(&v->spec.capacity), s->best_size);
    return order ? order < 0 : str_cmp(v->metadata.name, s->best->metadata.name) < 0;
}

void volume_search_offer(struct volume_search *s, const struct core_v1_persistent_volume *v)
{
    bool is_promised = volume_is_for(v, s->claim);
    struct quantity size = storage_of(&v->spec.capacity);
    size_t modes = s->node ? 0 : count_modes(v);

    if ((v->spec.claim_ref && !is_promised) || quantity_compare(size, s->wanted) < 0 ||
        volume_modes_differ(v, s->claim) || v->metadata.deletion_timestamp.set ||
        !str_eq(v->spec.volume_attributes_class_name, s->claim->spec.volume_attributes_class_name))
        return;
    if (!is_promised && !is_free(s, v))
        return;
    if (!s->node && !has_all_modes(v, s->claim))
        return;
    if (s->node && !volume_is_on_node(v, s->node)) {
        s->is_elsewhere |= is_promised;
        return;
    }
    if (!is_better(s, v, modes, is_promised))
        return;
    s->best = v;
    s->best_modes = modes;
    s->best_is_promised = is_promised;
    s->best_size = size;
}
