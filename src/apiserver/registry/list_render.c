#include "apiserver/registry/list_render.h"

#include <stdio.h>

#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/object_pb.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/table.h"
#include "apiserver/api_request.h"
#include "apiserver/registry/object_response.h"
#include "apiserver/registry/stored_object.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/err.h"
#include "codec/json_writer.h"
#include "store/store.h"

static void free_items(void *arg)
{
    buf_done(arg);
}

struct list_render *list_render_new(struct api_request *r)
{
    struct list_render *l = ARENA_NEW(r->arena, struct list_render);

    l->r = r;
    arena_defer(r->arena, free_items, &l->items);
    return l;
}

bool list_render_streams(const struct api_request *r)
{
    return r->accept.media == MEDIA_JSON && !r->pretty;
}

static bool is_partial(const struct api_request *r)
{
    return r->accept.as == MEDIA_AS_PARTIAL_METADATA ||
           r->accept.as == MEDIA_AS_PARTIAL_METADATA_LIST;
}

static bool is_table(const struct api_request *r)
{
    return r->accept.as == MEDIA_AS_TABLE;
}

static struct str list_kind(const struct api_request *r)
{
    if (is_table(r))
        return STR("Table");
    return is_partial(r) ? STR("PartialObjectMetadataList") : r->resource->list_kind;
}

static struct str list_version(struct api_request *r)
{
    if (r->accept.as == MEDIA_AS_OBJECT)
        return resource_api_version(r->arena, r->resource);
    return arena_printf(r->arena, "meta.k8s.io/%.*s", STR_ARG(r->accept.as_version));
}

void list_render_head(struct api_request *r, const struct list_meta_values *m, struct buf *out)
{
    struct str version = list_version(r), kind = list_kind(r);

    buf_printf(out, "{\"kind\":\"%.*s\",\"apiVersion\":\"%.*s\",\"metadata\":{", STR_ARG(kind),
               STR_ARG(version));
    buf_append_lit(out, "\"resourceVersion\":\"");
    buf_append_u64(out, m->revision);
    buf_append_char(out, '"');
    if (m->continue_token.len) {
        buf_append_lit(out, ",\"continue\":");
        json_write_string(out, m->continue_token);
    }
    if (m->remaining) {
        buf_append_lit(out, ",\"remainingItemCount\":");
        buf_append_u64(out, m->remaining);
    }
    if (!is_table(r)) {
        buf_append_lit(out, "},\"items\":[");
        return;
    }
    buf_append_lit(out, "},");
    table_print_columns(out, r->resource);
    buf_append_lit(out, ",\"rows\":[");
}

void list_render_foot(struct buf *out)
{
    buf_append_lit(out, "]}");
}

/* Stored bytes without their kind and apiVersion: items of lists carry none. False when they do not
 * begin as expected. */
static bool append_cut(struct api_request *r, const struct store_object *so, struct buf *out)
{
    char prefix[256];
    const struct resource *row = r->resource;
    int n = snprintf(prefix, sizeof(prefix), "{\"kind\":\"%.*s\",\"apiVersion\":\"%.*s%s%.*s\",",
                     STR_ARG(row->kind), STR_ARG(row->group), row->group.len ? "/" : "",
                     STR_ARG(row->version));

    if (n <= 0 || (size_t)n >= sizeof(prefix) ||
        !str_has_prefix(so->head, str_n(prefix, (size_t)n)))
        return false;
    buf_append_char(out, '{');
    stored_object_append(out, str_tail(so->head, (size_t)n), so->mod_revision, so->tail);
    return true;
}

static bool append_whole(const struct store_object *so, struct buf *out)
{
    stored_object_append(out, so->head, so->mod_revision, so->tail);
    return true;
}

static void append_object(struct api_request *r, struct arena *a, struct object o, struct buf *out)
{
    struct object_json_options opts = { .without_gvk = !r->resource->custom };

    if (is_table(r)) {
        struct table_options t = object_response_table(r);

        table_print_row(a, out, r->resource, o, &t);
        return;
    }
    if (is_partial(r)) {
        o = object_response_partial(a, o);
        opts.without_gvk = false;
    }
    if (r->accept.media == MEDIA_PROTOBUF) {
        struct buf item = { 0 };
        size_t len;

        buf_init_arena(&item, a, 1024);
        object_pb_encode(&item, o);
        buf_append_char(out, 0x12); /* field 2, length-delimited: items */
        for (len = item.len; len >= 0x80; len >>= 7)
            buf_append_char(out, (char)(len | 0x80));
        buf_append_char(out, (char)len);
        buf_append_str(out, buf_str(&item));
        return;
    }
    object_json_encode(out, o, &opts);
}

int list_render_item(struct api_request *r, const struct store_object *so, bool first,
                     struct buf *out, struct err *err)
{
    CLEANUP(arena_done) struct arena scratch = { 0 };
    struct object o;
    int rc;

    if (!first && r->accept.media != MEDIA_PROTOBUF)
        buf_append_char(out, ',');
    if (r->accept.media != MEDIA_PROTOBUF && r->accept.as == MEDIA_AS_OBJECT &&
        !r->resource->custom && stored_object_is_storage_version(r->resource) &&
        append_cut(r, so, out))
        return 0;
    /* Upstream's items of custom resources name their kind. */
    if (r->resource->custom && r->accept.media != MEDIA_PROTOBUF &&
        r->accept.as == MEDIA_AS_OBJECT && stored_object_is_verbatim(r->resource, so) &&
        append_whole(so, out))
        return 0;
    arena_init(&scratch, 0);
    rc = stored_object_decode(&scratch, r->resource, so, &o, err);
    if (rc < 0)
        return rc;
    append_object(r, &scratch, o, out);
    return 0;
}

int list_render_stored(struct list_render *l, const struct store_object *so, struct err *err)
{
    return list_render_item(l->r, so, l->n++ == 0, &l->items, err);
}

int list_render_object(struct list_render *l, struct object o)
{
    CLEANUP(arena_done) struct arena scratch = { 0 };

    if (l->n++ && l->r->accept.media != MEDIA_PROTOBUF)
        buf_append_char(&l->items, ',');
    append_object(l->r, &scratch, o, &l->items);
    return 0;
}

static void append_varint(struct buf *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_append_char(b, (char)(v | 0x80));
    buf_append_char(b, (char)v);
}

static void append_bytes(struct buf *b, char tag, struct str s)
{
    buf_append_char(b, tag);
    append_varint(b, s.len);
    buf_append_str(b, s);
}

/* The envelope around a list whose items are encoded already. */
static struct str protobuf_body(struct list_render *l, const struct list_meta_values *m)
{
    struct api_request *r = l->r;
    const struct schema_type *t =
        schema_find_type(&schema_builtin, STR("meta.k8s.io"), STR("v1"), STR("ListMeta"));
    struct object meta_object = object_new(r->arena, &schema_builtin, t);
    struct meta_v1_list_meta *meta = meta_object.data;
    struct buf encoded = { 0 }, type_meta = { 0 }, raw = { 0 }, out = { 0 };

    meta->resource_version = arena_printf(r->arena, "%llu", (unsigned long long)m->revision);
    meta->continue_ = m->continue_token;
    if (m->remaining) {
        meta->remaining_item_count = ARENA_NEW(r->arena, int64_t);
        *meta->remaining_item_count = (int64_t)m->remaining;
    }
    buf_init_arena(&encoded, r->arena, 256);
    object_pb_encode(&encoded, meta_object);
    buf_init_arena(&type_meta, r->arena, 128);
    append_bytes(&type_meta, 0x0a, list_version(r));
    append_bytes(&type_meta, 0x12, list_kind(r));
    buf_init_arena(&raw, r->arena, encoded.len + 16);
    append_bytes(&raw, 0x0a, buf_str(&encoded));
    buf_init_arena(&out, r->arena, l->items.len + encoded.len + 256);
    buf_append(&out, "k8s\0", 4);
    append_bytes(&out, 0x0a, buf_str(&type_meta));
    buf_append_char(&out, 0x12);
    append_varint(&out, raw.len + l->items.len);
    buf_append_str(&out, buf_str(&raw));
    buf_append_str(&out, buf_str(&l->items));
    append_bytes(&out, 0x1a, STR(""));
    append_bytes(&out, 0x22, STR(""));
    return buf_str(&out);
}

void list_render_respond_with(struct list_render *l, const struct list_meta_values *m)
{
    struct api_request *r = l->r;
    struct buf b = { 0 };

    if (r->accept.media == MEDIA_PROTOBUF) {
        api_respond_media(r, 200, MEDIA_PROTOBUF, protobuf_body(l, m));
        return;
    }
    buf_init_arena(&b, r->arena, l->items.len + 256);
    list_render_head(r, m, &b);
    buf_append_str(&b, buf_str(&l->items));
    list_render_foot(&b);
    api_respond_printed(r, 200, &b);
}

void list_render_respond(struct list_render *l, uint64_t revision)
{
    struct list_meta_values m = { .revision = revision };

    list_render_respond_with(l, &m);
}
