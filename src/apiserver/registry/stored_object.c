#include "apiserver/registry/stored_object.h"

#include <stdlib.h>

#include "api/defaults.h"
#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/structural/custom_resource.h"
#include "apiserver/registry/conversion.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

bool stored_object_is_storage_version(const struct resource *row)
{
    if (row->custom)
        return row->custom == row->custom->definition->storage;
    return row->type == row->storage_type;
}

bool stored_object_is_verbatim(const struct resource *row, const struct store_object *so)
{
    return stored_object_is_storage_version(row) &&
           (!row->custom || so->schema_stamp == row->custom->stamp);
}

/* --- fields by path --- */

void *object_field_at(struct object o, struct str path, const struct schema_field **ret_field)
{
    const struct schema_type *t = o.type;
    char *at = o.data;
    struct str part;

    while (str_next(&path, '.', &part)) {
        uint32_t base = 0;
        const struct schema_field *f = schema_find_member(o.schema, t, part, &base);

        if (!f)
            return NULL;
        at += base + f->offset;
        *ret_field = f;
        if (!path.p)
            return at;
        if (f->kind != SCHEMA_KIND_STRUCT || f->shape == SCHEMA_LIST || f->shape == SCHEMA_MAP)
            return NULL;
        if (f->shape == SCHEMA_POINTER) {
            void *target;

            memcpy(&target, at, sizeof(target));
            if (!target)
                return NULL;
            at = target;
        }
        t = &o.schema->types[f->type];
    }
    return NULL;
}

size_t object_field_size(const struct schema *s, const struct schema_field *f)
{
    bool own_unset = f->kind != SCHEMA_KIND_STRUCT && f->kind > SCHEMA_KIND_DOUBLE &&
                     f->kind != SCHEMA_KIND_DURATION;

    switch ((enum schema_shape)f->shape) {
    case SCHEMA_LIST:
    case SCHEMA_MAP:
        return sizeof(struct schema_list);
    case SCHEMA_POINTER:
        if (!own_unset)
            return sizeof(void *);
        break;
    case SCHEMA_ONE:
    case SCHEMA_INLINE:
        break;
    }
    return schema_kind_size(s, f->kind, f->type);
}

static struct str scalar_text(struct arena *a, uint8_t kind, const void *at)
{
    switch (kind) {
    case SCHEMA_KIND_BOOL:
        return *(const bool *)at ? STR("true") : STR("false");
    case SCHEMA_KIND_INT32:
        return arena_printf(a, "%d", *(const int32_t *)at);
    case SCHEMA_KIND_INT64:
        return arena_printf(a, "%lld", (long long)*(const int64_t *)at);
    case SCHEMA_KIND_STRING:
        return *(const struct str *)at;
    default:
        return STR("");
    }
}

struct str object_field_text(struct arena *a, struct object o, struct str path)
{
    const struct schema_field *f = NULL;
    const char *at = object_field_at(o, path, &f);

    if (!at || f->shape == SCHEMA_LIST || f->shape == SCHEMA_MAP || f->kind == SCHEMA_KIND_STRUCT)
        return STR("");
    if (f->shape == SCHEMA_POINTER && f->kind <= SCHEMA_KIND_DOUBLE) {
        const void *target;

        memcpy(&target, at, sizeof(target));
        return target ? scalar_text(a, f->kind, target) : STR("");
    }
    return scalar_text(a, f->kind, at);
}

/* --- to the store --- */

static int compare_pairs(const void *a, const void *b)
{
    return str_cmp(((const struct store_pair *)a)->key, ((const struct store_pair *)b)->key);
}

static void encode_labels(struct arena *a, const struct meta_v1_object_meta *meta,
                          struct store_mutation *m)
{
    struct store_pair *pairs = ARENA_NEW_ARRAY(a, struct store_pair, meta->labels.len + 1);

    for (uint32_t i = 0; i < meta->labels.len; i++)
        pairs[i] = (struct store_pair){ meta->labels.items[i].key, meta->labels.items[i].value };
    m->labels = pairs;
    m->n_labels = meta->labels.len;
    qsort(pairs, m->n_labels, sizeof(*pairs), compare_pairs);
}

/* Fields whose path is not where the value lies: an Event's source is its component, or else who
 * reported it. */
static struct str field_value(struct arena *a, struct object o, struct str path)
{
    if (str_eq(path, STR("source"))) {
        struct str v = object_field_text(a, o, STR("source.component"));

        return v.len ? v : object_field_text(a, o, STR("reportingComponent"));
    }
    return object_field_text(a, o, path);
}

/* The selectable fields of the version that is stored: rows of others may name them differently. */
static struct str stored_selectable(const struct resource *row)
{
    for (size_t i = 0; i < resource_table_len; i++) {
        const struct resource *other = &resource_table[i];

        if (resource_is_stored(other) && stored_object_is_storage_version(other) &&
            resource_storage_index(other) == resource_storage_index(row))
            return other->selectable;
    }
    return row->selectable;
}

static void encode_fields(struct arena *a, const struct resource *row, struct object o,
                          struct store_mutation *m)
{
    struct store_pair *pairs;
    struct str rest =
                   stored_object_is_storage_version(row) ? row->selectable : stored_selectable(row),
               path;
    size_t max = 1, n = 0;

    for (size_t i = 0; i < rest.len; i++)
        max += rest.p[i] == ' ';
    pairs = ARENA_NEW_ARRAY(a, struct store_pair, max);
    while (str_next(&rest, ' ', &path)) {
        struct str v = path.len ? field_value(a, o, path) : STR("");

        if (v.len && n < max)
            pairs[n++] = (struct store_pair){ path, v };
    }
    qsort(pairs, n, sizeof(*pairs), compare_pairs);
    m->fields = pairs;
    m->n_fields = n;
}

/* --- custom resources --- */

enum { CUSTOM_FIELDS_MAX = CUSTOM_SELECTABLE_MAX * 4 };

static void encode_custom_fields(struct arena *a, const struct custom_definition *d,
                                 struct object o, struct store_mutation *m)
{
    struct custom_field fields[CUSTOM_FIELDS_MAX];
    size_t n = custom_object_fields(a, d, o, fields, CUSTOM_FIELDS_MAX);
    struct store_pair *pairs = ARENA_NEW_ARRAY(a, struct store_pair, n + 1);

    for (size_t i = 0; i < n; i++)
        pairs[i] = (struct store_pair){ fields[i].name, fields[i].text };
    qsort(pairs, n, sizeof(*pairs), compare_pairs);
    m->fields = pairs;
    m->n_fields = n;
}

/* The object as the stored version has it; *ret_stamp 0: it is settled when it is read. */
static int to_storage(struct arena *a, const struct custom_resource *c, struct object o,
                      struct object *ret, uint32_t *ret_stamp, struct err *err)
{
    const struct custom_resource *to = c->definition->storage;

    *ret = o;
    *ret_stamp = to->stamp;
    if (c == to)
        return 0;
    *ret_stamp = 0;
    ret->data = arena_dup(a, o.data, o.type->size);
    object_set_gvk(*ret, resource_api_version(a, &to->row), to->row.kind);
    return custom_object_prune(a, to, *ret, err);
}

static int settle(struct arena *a, const struct resource *row, const struct store_object *so,
                  struct object o, struct err *err)
{
    if (stored_object_is_verbatim(row, so))
        return 0;
    object_set_gvk(o, resource_api_version(a, row), row->kind);
    return custom_object_settle(a, row->custom, o, NULL, NULL, NULL, err);
}

struct str stored_object_field(struct arena *a, const struct resource *row,
                               const struct store_object *so, struct str name)
{
    struct custom_field fields[CUSTOM_FIELDS_MAX];
    struct object o;
    struct str v;
    struct err err;
    size_t n;

    if (!row->custom || so->schema_stamp == row->custom->definition->storage->stamp)
        return store_object_field(so, name, &v) ? v : STR("");
    if (stored_object_decode(a, row, so, &o, &err) < 0)
        return STR("");
    n = custom_object_fields(a, row->custom->definition, o, fields, CUSTOM_FIELDS_MAX);
    for (size_t i = 0; i < n; i++)
        if (str_eq(fields[i].name, name))
            return fields[i].text;
    return STR("");
}

int stored_object_encode(struct arena *a, const struct resource *row, struct object o,
                         struct store_mutation *m, struct err *err)
{
    struct object stored = o;
    uint32_t stamp = STORED_OBJECT_STAMP;
    struct meta_v1_object_meta *meta;
    struct str revision, all;
    struct buf b = { 0 };
    size_t at = 0;
    struct object_json_options opts = { .ret_resource_version_at = &at };
    int r;

    if (row->custom) {
        r = to_storage(a, row->custom, o, &stored, &stamp, err);
        if (r < 0)
            return r;
    } else if (!stored_object_is_storage_version(row)) {
        r = conversion_convert(a, o, row->storage_type, &stored, err);
        if (r < 0)
            return r;
        object_default(a, stored);
    }
    meta = object_meta(stored);
    revision = meta->resource_version;
    meta->resource_version = STR_NULL;
    buf_init_arena(&b, a, 1024);
    object_json_encode(&b, stored, &opts);
    meta->resource_version = revision;
    all = buf_str(&b);
    m->head = str_sub(all, 0, at);
    m->tail = str_tail(all, at);
    m->schema_stamp = stamp;
    encode_labels(a, meta, m);
    if (row->custom)
        encode_custom_fields(a, row->custom->definition, stored, m);
    else
        encode_fields(a, row, stored, m);
    return 0;
}

/* --- from the store --- */

void stored_object_append(struct buf *b, struct str head, uint64_t revision, struct str tail)
{
    buf_reserve(b, head.len + tail.len + 20);
    buf_append_str(b, head);
    buf_append_u64(b, revision);
    buf_append_str(b, tail);
}

struct str stored_object_json(struct arena *a, struct str head, uint64_t revision, struct str tail)
{
    struct buf b = { 0 };

    buf_init_arena(&b, a, head.len + tail.len + 24);
    stored_object_append(&b, head, revision, tail);
    return buf_str(&b);
}

int stored_object_decode(struct arena *a, const struct resource *row, const struct store_object *so,
                         struct object *ret, struct err *err)
{
    struct str json = stored_object_json(a, so->head, so->mod_revision, so->tail);
    struct object o;
    int r;

    r = object_json_decode(a, &schema_builtin, row->storage_type, json, &o, NULL, err);
    if (r < 0) {
        err_wrap(err, "stored object '%.*s'", STR_ARG(so->key));
        return err->code = r == ERR_TOO_LARGE ? r : ERR_CORRUPT;
    }
    if (row->custom) {
        *ret = o;
        return settle(a, row, so, o, err);
    }
    if (so->schema_stamp != STORED_OBJECT_STAMP)
        object_default(a, o);
    if (!stored_object_is_storage_version(row)) {
        r = conversion_convert(a, o, row->type, &o, err);
        if (r < 0)
            return r;
        object_default(a, o);
    }
    *ret = o;
    return 0;
}

struct str stored_object_namespace(const struct store_object *so)
{
    ptrdiff_t at = str_rfind(so->key, '/');

    return at < 0 ? STR("") : str_sub(so->key, 0, (size_t)at);
}

struct str stored_object_name(const struct store_object *so)
{
    return str_tail(so->key, (size_t)(str_rfind(so->key, '/') + 1));
}
