#include "api/resource.h"

#include "base/arena.h"

static bool in_group(const struct resource *r, struct str group, struct str version)
{
    return (r->flags & RESOURCE_SERVED) && str_eq(r->group, group) && str_eq(r->version, version);
}

const struct resource *resource_find(struct str group, struct str version, struct str name)
{
    for (size_t i = 0; i < resource_table_len; i++) {
        const struct resource *r = &resource_table[i];

        if (str_eq(r->name, name) && in_group(r, group, version))
            return r;
    }
    return NULL;
}

const struct resource *resource_find_kind(struct str group, struct str version, struct str kind)
{
    for (size_t i = 0; i < resource_table_len; i++) {
        const struct resource *r = &resource_table[i];

        if (str_eq(r->kind, kind) && in_group(r, group, version))
            return r;
    }
    return NULL;
}

const struct resource_group_version *resource_find_group_version(struct str group,
                                                                 struct str version)
{
    for (size_t i = 0; i < resource_group_versions_len; i++) {
        const struct resource_group_version *gv = &resource_group_versions[i];

        if (gv->served && str_eq(gv->group, group) && str_eq(gv->version, version))
            return gv;
    }
    return NULL;
}

bool resource_has_group(struct str group)
{
    for (size_t i = 0; i < resource_group_versions_len; i++) {
        if (resource_group_versions[i].served && str_eq(resource_group_versions[i].group, group))
            return true;
    }
    return false;
}

const struct resource_subresource *resource_subresource(const struct resource *r, struct str name)
{
    for (size_t i = 0; i < r->n_subresources; i++) {
        if (str_eq(r->subresources[i].name, name))
            return &r->subresources[i];
    }
    return NULL;
}

/* The first row of a prefix stands for all that share it. */
static const struct resource *first_of_prefix(const struct resource *r)
{
    for (size_t i = 0; i < resource_table_len; i++) {
        if (str_eq(resource_table[i].storage_prefix, r->storage_prefix))
            return &resource_table[i];
    }
    return r;
}

int resource_storage_index(const struct resource *r)
{
    return resource_is_stored(r) ? (int)(first_of_prefix(r) - resource_table) : -1;
}

size_t resource_storage_count(void)
{
    return resource_table_len;
}

struct str resource_api_version(struct arena *a, const struct resource *r)
{
    if (!r->group.len)
        return r->version;
    return arena_printf(a, "%.*s/%.*s", STR_ARG(r->group), STR_ARG(r->version));
}

const char *resource_verb_name(enum resource_verb_index v)
{
    static const char *const names[RESOURCE_VERB_INDEX_MAX] = {
#define X(name, text) [RESOURCE_VERB_INDEX_##name] = text,
        RESOURCE_VERBS(X)
#undef X
    };

    return names[v];
}
