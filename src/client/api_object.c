#include "client/api_object.h"

#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/resource.h"
#include "base/err.h"
#include "base/mem.h"

int api_object_decode(const struct resource *row, struct str json, struct api_object **ret,
                      struct err *err)
{
    struct api_object *o = NEW(struct api_object);
    int r;

    refcount_init(&o->refs);
    r = object_json_decode(&o->arena, &schema_builtin, row->type, str_dup(&o->arena, json), &o->o,
                           NULL, err);
    o->meta = r < 0 ? NULL : object_meta(o->o);
    if (r >= 0 && !o->meta)
        r = err_set(err, ERR_INVALID, "%.*s have no metadata", STR_ARG(row->name));
    if (r < 0) {
        api_object_unref(o);
        return r;
    }
    o->key = o->meta->namespace.len
                 ? arena_printf(&o->arena, "%.*s/%.*s", STR_ARG(o->meta->namespace),
                                STR_ARG(o->meta->name))
                 : o->meta->name;
    (void)str_to_u64(o->meta->resource_version, &o->revision); /* 0 when it is none */
    *ret = o;
    return 0;
}

struct api_object *api_object_ref(const struct api_object *o)
{
    struct api_object *shared = (struct api_object *)(uintptr_t)o; /* only its count changes */

    refcount_ref(&shared->refs);
    return shared;
}

void api_object_unref(const struct api_object *o)
{
    struct api_object *shared = (struct api_object *)(uintptr_t)o;

    if (!shared || !refcount_unref(&shared->refs))
        return;
    arena_done(&shared->arena);
    mem_free(shared);
}
