#include "api/node_match.h"

#include "api/core_v1.h"
#include "api/text_map.h"

typedef const struct core_v1_node_selector_requirement requirement;

static bool is_among(requirement *r, struct str value)
{
    for (uint32_t i = 0; i < r->values.len; i++)
        if (str_eq(r->values.items[i], value))
            return true;
    return false;
}

bool node_match_requirement(requirement *r, const struct str *value)
{
    int64_t have, want;

    if (str_eq(r->operator, STR("Exists")) || str_eq(r->operator, STR("DoesNotExist")))
        return (value != NULL) == str_eq(r->operator, STR("Exists"));
    if (str_eq(r->operator, STR("In")))
        return value && is_among(r, *value);
    if (str_eq(r->operator, STR("NotIn")))
        return !value || !is_among(r, *value);
    if (!value || r->values.len != 1 || !str_to_i64(*value, &have) ||
        !str_to_i64(r->values.items[0], &want))
        return false;
    return str_eq(r->operator, STR("Gt")) ? have > want : have < want;
}

static bool term_matches(const struct core_v1_node_selector_term *t,
                         const struct core_v1_node *node)
{
    if (!t->match_expressions.len && !t->match_fields.len)
        return false; /* an empty term matches nothing */
    for (uint32_t i = 0; i < t->match_expressions.len; i++) {
        const struct schema_str_entry *e =
            text_map_find(&node->metadata.labels, t->match_expressions.items[i].key);

        if (!node_match_requirement(&t->match_expressions.items[i], e ? &e->value : NULL))
            return false;
    }
    for (uint32_t i = 0; i < t->match_fields.len; i++)
        if (!str_eq(t->match_fields.items[i].key, STR("metadata.name")) ||
            !node_match_requirement(&t->match_fields.items[i], &node->metadata.name))
            return false;
    return true;
}

bool node_match_pod(const struct core_v1_pod_spec *spec, const struct core_v1_node *node)
{
    const struct core_v1_node_affinity *f = spec->affinity ? spec->affinity->node_affinity : NULL;
    const struct core_v1_node_selector *s =
        f ? f->required_during_scheduling_ignored_during_execution : NULL;

    for (uint32_t i = 0; i < spec->node_selector.len; i++) {
        const struct schema_str_entry *want = &spec->node_selector.items[i];
        const struct schema_str_entry *have = text_map_find(&node->metadata.labels, want->key);

        if (!have || !str_eq(have->value, want->value))
            return false;
    }
    for (uint32_t i = 0; s && i < s->node_selector_terms.len; i++)
        if (term_matches(&s->node_selector_terms.items[i], node))
            return true;
    return !s;
}

bool node_match_tolerates(const struct core_v1_toleration *t, const struct core_v1_taint *taint)
{
    if (t->effect.len && !str_eq(t->effect, taint->effect))
        return false;
    if (t->key.len && !str_eq(t->key, taint->key))
        return false;
    if (str_eq(t->operator, STR("Exists")))
        return true;
    return (!t->operator.len || str_eq(t->operator, STR("Equal"))) &&
           str_eq(t->value, taint->value);
}
