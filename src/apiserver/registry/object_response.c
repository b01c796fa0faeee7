#include "apiserver/registry/object_response.h"

#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/object_pb.h"
#include "api/resource.h"
#include "api/schema.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/stored_object.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

bool object_response_is_verbatim(const struct api_request *r)
{
    return r->accept.media == MEDIA_JSON && r->accept.as == MEDIA_AS_OBJECT && !r->pretty &&
           stored_object_is_storage_version(r->resource);
}

struct object object_response_partial(struct arena *a, struct object o)
{
    const struct schema_type *t = schema_find_type(&schema_builtin, STR("meta.k8s.io"), STR("v1"),
                                                   STR("PartialObjectMetadata"));
    struct object p = object_new(a, &schema_builtin, t);

    object_set_gvk(p, STR("meta.k8s.io/v1"), STR("PartialObjectMetadata"));
    *object_meta(p) = *object_meta(o);
    return p;
}

struct table_options object_response_table(const struct api_request *r)
{
    return (struct table_options){
        .include = r->table_include,
        .version = r->accept.as_version,
        .now_s = clock_wall_s(r->server->clock),
    };
}

void object_response_print(const struct api_request *r, struct arena *a, struct object o,
                           bool with_columns, struct buf *b)
{
    if (r->accept.as == MEDIA_AS_TABLE) {
        struct table_options t = object_response_table(r);

        table_print_one(a, b, r->resource, o, with_columns, &t);
        return;
    }
    if (r->accept.as != MEDIA_AS_OBJECT)
        o = object_response_partial(a, o);
    if (r->accept.media == MEDIA_PROTOBUF)
        object_pb_encode_enveloped(b, o, object_api_version(o), object_kind(o));
    else
        object_json_encode(b, o, NULL);
}

void object_response_send(struct api_request *r, int code, struct object o)
{
    struct buf b = { 0 };

    buf_init_arena(&b, r->arena, 2048);
    object_response_print(r, r->arena, o, true, &b);
    api_respond_printed(r, code, &b);
}

void object_response_send_stored(struct api_request *r, int code, const struct store_object *so)
{
    struct object o;
    struct err err;
    struct buf b = { 0 };
    int rc;

    if (object_response_is_verbatim(r) && stored_object_is_verbatim(r->resource, so)) {
        buf_init_arena(&b, r->arena, so->head.len + so->tail.len + 24);
        stored_object_append(&b, so->head, so->mod_revision, so->tail);
        buf_append_char(&b, '\n');
        api_respond_media(r, code, MEDIA_JSON, buf_str(&b));
        return;
    }
    rc = stored_object_decode(r->arena, r->resource, so, &o, &err);
    if (rc < 0) {
        struct status s = status_of_store(r->arena, rc, &err);

        api_respond_status(r, &s);
        return;
    }
    object_response_send(r, code, o);
}
