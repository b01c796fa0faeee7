#include "api/object_value.h"

#include "api/meta_v1.h"
#include "api/object_json.h"
#include "base/arena.h"
#include "base/buf.h"
#include "codec/value.h"

int object_value(struct arena *a, struct object o, struct value *ret, struct err *err)
{
    struct meta_v1_object_meta *meta = object_meta(o);
    void *items = meta->managed_fields.items;
    uint32_t len = meta->managed_fields.len;
    struct buf b;

    meta->managed_fields.items = NULL;
    meta->managed_fields.len = 0;
    buf_init_arena(&b, a, 2048);
    object_json_encode(&b, o, NULL);
    meta->managed_fields.items = items;
    meta->managed_fields.len = len;
    return value_parse(a, buf_str(&b), ret, NULL, err);
}
