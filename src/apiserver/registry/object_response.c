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
#include "codec/yaml.h"

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

int object_response_transform(struct api_request *r, struct arena *a, struct object o,
                              bool with_columns, struct object *ret, struct err *err)
{
    (void)with_columns;
    switch (r->accept.as) {
    case MEDIA_AS_PARTIAL_METADATA:
    case MEDIA_AS_PARTIAL_METADATA_LIST:
        *ret = object_response_partial(a, o);
        return 0;
    case MEDIA_AS_TABLE:
        return err_set(err, ERR_UNSUPPORTED, "no Table of %.*s", STR_ARG(r->resource->name));
    case MEDIA_AS_OBJECT:
    case MEDIA_AS_GROUP_DISCOVERY:
        break;
    }
    *ret = o;
    return 0;
}

int object_response_encode(struct api_request *r, struct arena *a, struct object o, struct buf *b,
                           struct err *err)
{
    struct buf json = { 0 };
    struct str yaml;
    int rc;

    if (r->accept.media == MEDIA_PROTOBUF) {
        object_pb_encode_enveloped(b, o, object_api_version(o), object_kind(o));
        return 0;
    }
    if (r->accept.media != MEDIA_YAML && !r->pretty) {
        object_json_encode(b, o, NULL);
        return 0;
    }
    buf_init_arena(&json, a, 1024);
    object_json_encode(&json, o, NULL);
    if (r->accept.media == MEDIA_YAML) {
        rc = yaml_from_json(a, buf_str(&json), &yaml, err);
        if (rc < 0)
            return rc;
        buf_append_str(b, yaml);
        return 0;
    }
    object_json_indent(b, buf_str(&json));
    return 0;
}

void object_response_send(struct api_request *r, int code, struct object o)
{
    struct buf b = { 0 };
    struct err err;
    int rc;

    buf_init_arena(&b, r->arena, 2048);
    rc = object_response_transform(r, r->arena, o, true, &o, &err);
    if (rc >= 0)
        rc = object_response_encode(r, r->arena, o, &b, &err);
    if (rc < 0) {
        struct status s = status_internal(r->arena, "%s", err.text);

        api_respond_status(r, &s);
        return;
    }
    if (r->accept.media == MEDIA_JSON)
        buf_append_char(&b, '\n');
    api_respond_media(r, code, r->accept.media, buf_str(&b));
}

void object_response_send_stored(struct api_request *r, int code, const struct store_object *so)
{
    struct object o;
    struct err err;
    struct buf b = { 0 };
    int rc;

    if (object_response_is_verbatim(r)) {
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
