#include "api/pod_amounts.h"

#include "api/core_v1.h"
#include "api/quantity.h"
#include "api/text_map.h"
#include "base/arena.h"

static bool parse(const struct schema_str_entry *e, struct quantity *ret)
{
    return e && quantity_parse(e->value, ret);
}

void pod_amounts_add(struct arena *a, void *to, const void *more)
{
    const struct schema_str_entry *items = text_map_items(more);

    for (uint32_t i = 0; i < text_map_len(more); i++) {
        struct quantity sum, q;

        if (!parse(&items[i], &q))
            continue;
        if (parse(text_map_find(to, items[i].key), &sum))
            q = quantity_add(sum, q);
        text_map_put(a, to, items[i].key, quantity_print(a, q));
    }
}

static void keep_larger(struct arena *a, void *to, const void *other)
{
    const struct schema_str_entry *items = text_map_items(other);

    for (uint32_t i = 0; i < text_map_len(other); i++) {
        struct quantity have, q;

        if (!parse(&items[i], &q))
            continue;
        if (!parse(text_map_find(to, items[i].key), &have) || quantity_compare(q, have) > 0)
            text_map_put(a, to, items[i].key, items[i].value);
    }
}

static const void *amounts_of(const struct core_v1_resource_requirements *r,
                              enum pod_amounts_kind kind)
{
    return kind == POD_AMOUNTS_LIMITS ? (const void *)&r->limits : (const void *)&r->requests;
}

void pod_amounts(struct arena *a, const struct core_v1_pod_spec *s, enum pod_amounts_kind kind,
                 void *ret)
{
    static const struct str own[] = { STR_INIT("cpu"), STR_INIT("memory") };
    struct schema_list sidecars = { 0 }, inits = { 0 };

    for (uint32_t i = 0; i < s->containers.len; i++)
        pod_amounts_add(a, ret, amounts_of(&s->containers.items[i].resources, kind));
    for (uint32_t i = 0; i < s->init_containers.len; i++) {
        const struct core_v1_container *c = &s->init_containers.items[i];
        struct schema_list all = { 0 };

        if (str_eq(c->restart_policy, STR("Always"))) {
            pod_amounts_add(a, ret, amounts_of(&c->resources, kind));
            pod_amounts_add(a, &sidecars, amounts_of(&c->resources, kind));
        } else {
            pod_amounts_add(a, &all, amounts_of(&c->resources, kind));
        }
        pod_amounts_add(a, &all, &sidecars);
        keep_larger(a, &inits, &all);
    }
    keep_larger(a, ret, &inits);
    for (size_t i = 0; s->resources && i < sizeof(own) / sizeof(own[0]); i++) {
        const struct schema_str_entry *e = text_map_find(amounts_of(s->resources, kind), own[i]);

        if (e)
            text_map_put(a, ret, own[i], e->value);
    }
}
