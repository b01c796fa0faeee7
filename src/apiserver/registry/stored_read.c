#include "apiserver/registry/stored_read.h"

#include "api/meta_v1.h"
#include "api/resource.h"
#include "apiserver/registry/registry.h"
#include "apiserver/registry/stored_object.h"
#include "base/arena.h"
#include "base/err.h"
#include "store/store.h"

const struct resource *stored_read_row(struct str group, struct str resource)
{
    return resource_find(group, STR("v1"), resource);
}

int stored_read_get(const struct stored_reader *s, const struct resource *row, struct str namespace,
                    struct str name, struct object *ret, struct err *err)
{
    struct store_object so;
    int rc = store_get(s->snapshot, registry_store_id(s->registry, row),
                       registry_key(s->arena, row, namespace, name), &so, err);

    return rc < 0 ? rc : stored_object_decode(s->arena, row, &so, ret, err);
}

int stored_read_each(const struct stored_reader *s, const struct resource *row,
                     struct str namespace, stored_read_fn *fn, void *arg, struct err *err)
{
    struct store_range range = {
        .resource = registry_store_id(s->registry, row),
        .prefix = namespace.len ? str_join(s->arena, namespace, STR("/"), STR_NULL) : STR(""),
    };
    struct store_cursor *cursor;
    struct store_object so;
    struct object o;
    int rc = store_range_begin(s->snapshot, s->arena, &range, &cursor, err);

    while (rc >= 0 && (rc = store_range_next(cursor, &so, err)) > 0) {
        rc = stored_object_decode(s->arena, row, &so, &o, err);
        if (rc >= 0 && arena_is_over(s->arena))
            rc = err_set(err, ERR_TOO_LARGE, "too many objects");
        if (rc >= 0)
            rc = fn(o, arg);
        if (rc)
            break;
    }
    return rc;
}

int stored_read_put(const struct stored_reader *s, const struct resource *row, struct object o,
                    struct store_mutation *ret, struct err *err)
{
    const struct meta_v1_object_meta *meta = object_meta(o);

    *ret = (struct store_mutation){
        .op = STORE_PUT,
        .resource = registry_store_id(s->registry, row),
        .key = registry_key(s->arena, row, meta->namespace, meta->name),
        .expected = STORE_EXPECT_ABSENT,
    };
    if (meta->resource_version.len && !str_to_u64(meta->resource_version, &ret->expected))
        return err_set(err, ERR_INVALID, "resourceVersion");
    return stored_object_encode(s->arena, row, o, ret, err);
}
