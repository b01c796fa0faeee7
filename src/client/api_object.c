#include "client/api_object.h"

#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/resource.h"
#include "base/err.h"
#include "base/mem.h"

enum { COUNT_BYTES = 64 * 1024 };

/* The whole of o, which lies in another arena, in one chunk of the right size. */
static struct api_object *keep(struct object o)
{
    const struct meta_v1_object_meta *meta = object_meta(o);
    struct api_object *kept = NEW(struct api_object);
    struct arena count;

    arena_init_sized(&count, COUNT_BYTES);
    (void)object_copy(&count, o);
    arena_init_sized(&kept->arena,
                     arena_filled(&count) + meta->namespace.len + meta->name.len + sizeof("/"));
    arena_done(&count);
    refcount_init(&kept->refs);
    kept->o = object_copy(&kept->arena, o);
    kept->meta = meta = object_meta(kept->o);
    kept->key = meta->namespace.len ? str_join(&kept->arena, meta->namespace, STR("/"), meta->name)
                                    : meta->name;
    (void)str_to_u64(meta->resource_version, &kept->revision); /* 0 when it is none */
    return kept;
}

int api_object_decode_trimmed(const struct resource *row, struct str json, api_object_trim_fn *trim,
                              struct api_object **ret, struct err *err)
{
    CLEANUP(arena_done) struct arena scratch = { 0 };
    struct meta_v1_object_meta *meta;
    struct object o;
    int r = object_json_decode(&scratch, &schema_builtin, row->type, json, &o, NULL, err);

    if (r < 0)
        return r;
    meta = object_meta(o);
    if (!meta)
        return err_set(err, ERR_INVALID, "%.*s have no metadata", STR_ARG(row->name));
    meta->managed_fields.items = NULL;
    meta->managed_fields.len = 0;
    if (trim)
        trim(o);
    *ret = keep(o);
    return 0;
}

int api_object_decode(const struct resource *row, struct str json, struct api_object **ret,
                      struct err *err)
{
    return api_object_decode_trimmed(row, json, NULL, ret, err);
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
