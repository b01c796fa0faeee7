#include "apiserver/registry/registry.h"

#include "api/resource.h"
#include "api/structural/custom_resource.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "store/store.h"

enum { MAX_INDEXED = 8 };

static int register_row(struct registry *g, const struct resource *row, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const char *indexed[MAX_INDEXED + 1] = { 0 };
    struct str rest = row->indexed, field;
    struct store_resource_options o = {
        .prefix = row->storage_prefix,
        .class = row->flags & RESOURCE_SOFT ? STORE_SOFT : STORE_HARD,
        .indexed = indexed,
    };
    size_t n = 0;

    while (n < MAX_INDEXED && str_next(&rest, ' ', &field))
        if (field.len)
            indexed[n++] = str_cstr(&a, field);
    return store_resource(g->store, &o, &g->ids[resource_storage_index(row)], err);
}

int registry_init(struct registry *g, struct store *s, uint32_t event_ttl_s, struct err *err)
{
    const struct resource *namespaces = resource_find(STR(""), STR("v1"), STR("namespaces"));
    const struct store_resource_options node_ports = {
        .prefix = STR("/registry/ranges/servicenodeports/"),
        .class = STORE_HARD,
    };
    bool *done = mem_zalloc(resource_storage_count() * sizeof(*done));
    int r = 0;

    *g = (struct registry){ .store = s, .event_ttl_s = event_ttl_s };
    g->ids = mem_zalloc(resource_storage_count() * sizeof(*g->ids));
    for (size_t i = 0; i < resource_table_len && r >= 0; i++) {
        const struct resource *row = &resource_table[i];
        int at = resource_storage_index(row);

        if (at < 0 || done[at])
            continue;
        done[at] = true;
        r = register_row(g, row, err);
    }
    mem_free(done);
    if (r >= 0)
        r = store_resource(s, &node_ports, &g->node_ports_id, err);
    if (r >= 0)
        g->namespaces_id = registry_store_id(g, namespaces);
    return r;
}

void registry_done(struct registry *g)
{
    mem_free(g->ids);
    g->ids = NULL;
}

uint16_t registry_store_id(const struct registry *g, const struct resource *row)
{
    return row->custom ? row->custom->definition->store_id : g->ids[resource_storage_index(row)];
}

struct str registry_key(struct arena *a, const struct resource *row, struct str namespace,
                        struct str name)
{
    if (!resource_is_namespaced(row))
        return name;
    return str_join(a, namespace, STR("/"), name);
}
