/* Every kind of the API, lists and options with it, with every field filled: JSON, YAML and
 * protobuf decode to equal objects and encode to each other. Covers the kinds that have no sample
 * (object_samples_test.c). */
#include <criterion/criterion.h>

#include "api/object.h"
#include "api/object_json.h"
#include "api/object_pb.h"
#include "api/schema.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/yaml.h"

enum { DEPTH = 24 };

struct filler {
    struct arena *a;
    struct buf b;
    bool is_for_pb; /* only what protobuf carries */
    unsigned n;     /* so that values differ */
    const struct schema_type *path[DEPTH];
};

static void fill_struct(struct filler *f, const struct schema_type *t, int depth);

static void fill_value(struct filler *f, const struct schema_field *r, int depth)
{
    const struct schema *s = &schema_builtin;

    switch ((enum schema_kind)r->kind) {
    case SCHEMA_KIND_BOOL:
        buf_append_lit(&f->b, "true");
        return;
    case SCHEMA_KIND_INT32:
    case SCHEMA_KIND_INT64:
    case SCHEMA_KIND_UINT32:
    case SCHEMA_KIND_UINT64:
        buf_printf(&f->b, "%u", ++f->n);
        return;
    case SCHEMA_KIND_DOUBLE:
        buf_printf(&f->b, "%u.5", ++f->n);
        return;
    case SCHEMA_KIND_STRING:
        buf_printf(&f->b, "\"s%u\"", ++f->n);
        return;
    case SCHEMA_KIND_BYTES:
        buf_append_lit(&f->b, "\"AAEC/w==\"");
        return;
    case SCHEMA_KIND_QUANTITY:
        buf_printf(&f->b, "\"%um\"", ++f->n * 1000 + 1);
        return;
    case SCHEMA_KIND_TIME:
        buf_append_lit(&f->b, "\"2026-01-02T03:04:05Z\"");
        return;
    case SCHEMA_KIND_MICRO_TIME:
        buf_append_lit(&f->b, "\"2026-01-02T03:04:05.000006Z\"");
        return;
    case SCHEMA_KIND_DURATION:
        buf_append_lit(&f->b, "\"1m30s\"");
        return;
    case SCHEMA_KIND_INT_OR_STRING:
        f->n++;
        buf_printf(&f->b, f->n % 2 ? "%u" : "\"p%u\"", f->n);
        return;
    case SCHEMA_KIND_RAW:
        buf_append_lit(&f->b, "{\"apiVersion\":\"a/v1\",\"c\":[1],\"kind\":\"B\"}");
        return;
    case SCHEMA_KIND_FIELDS_V1:
        buf_append_lit(&f->b, "{\"f:a\":{}}");
        return;
    case SCHEMA_KIND_ANY_JSON:
        buf_append_lit(&f->b, "{\"x\":[1,null]}");
        return;
    case SCHEMA_KIND_STRING_LIST:
    case SCHEMA_KIND_SCHEMA_OR_STRINGS:
        buf_printf(&f->b, "[\"l%u\",\"m\"]", ++f->n);
        return;
    case SCHEMA_KIND_SCHEMA_OR_BOOL:
        buf_append_lit(&f->b, "true");
        return;
    case SCHEMA_KIND_SCHEMA_OR_ARRAY:
        buf_append_lit(&f->b, "{\"type\":\"string\"}");
        return;
    case SCHEMA_KIND_STRUCT:
        fill_struct(f, &s->types[r->type], depth);
        return;
    case SCHEMA_KIND_MAX:
        break;
    }
    cr_assert_fail("a kind without a value");
}

static void fill_field(struct filler *f, const struct schema_field *r, int depth)
{
    if (r->shape == SCHEMA_LIST)
        buf_append_char(&f->b, '[');
    if (r->shape == SCHEMA_MAP)
        buf_append_lit(&f->b, "{\"k1\":");
    fill_value(f, r, depth);
    if (r->shape == SCHEMA_LIST || r->shape == SCHEMA_MAP) {
        buf_append_str(&f->b, r->shape == SCHEMA_MAP ? STR(",\"k2\":") : STR(","));
        fill_value(f, r, depth);
        buf_append_char(&f->b, r->shape == SCHEMA_MAP ? '}' : ']');
    }
}

static bool is_skipped(const struct filler *f, const struct schema_field *r, int depth)
{
    if (r->flags & SCHEMA_JSON_HIDDEN)
        return true;
    if (f->is_for_pb && !r->proto_number)
        return true;
    for (int i = 0; i < depth && r->kind == SCHEMA_KIND_STRUCT; i++)
        if (f->path[i] == &schema_builtin.types[r->type])
            return true; /* types that hold themselves do so once */
    return false;
}

/* The members of t, those of inline structs among them. */
static void fill_members(struct filler *f, const struct schema_type *t, int depth, bool *first)
{
    const struct schema *s = &schema_builtin;

    cr_assert_lt(depth, DEPTH);
    f->path[depth] = t;
    for (uint16_t i = 0; i < t->n_fields; i++) {
        const struct schema_field *r = &s->fields[t->first_field + i];

        if (r->shape == SCHEMA_INLINE) {
            if (str_eq(schema_str(s, s->types[r->type].name), STR("TypeMeta")))
                continue; /* written by the caller */
            fill_members(f, &s->types[r->type], depth, first);
            f->path[depth] = t;
            continue;
        }
        if (is_skipped(f, r, depth + 1))
            continue;
        buf_printf(&f->b, "%s\"%.*s\":", *first ? "" : ",", STR_ARG(schema_field_name(s, r)));
        *first = false;
        fill_field(f, r, depth + 1);
    }
}

static void fill_struct(struct filler *f, const struct schema_type *t, int depth)
{
    bool first = true;

    buf_append_char(&f->b, '{');
    fill_members(f, t, depth, &first);
    buf_append_char(&f->b, '}');
}

static struct str api_version(struct arena *a, const struct schema_type *t)
{
    struct str group = schema_str(&schema_builtin, t->group);
    struct str version = schema_str(&schema_builtin, t->version);

    return group.len ? arena_printf(a, "%.*s/%.*s", STR_ARG(group), STR_ARG(version)) : version;
}

static struct str filled(struct arena *a, const struct schema_type *t, bool is_for_pb)
{
    struct filler f = { .a = a, .b = { .arena = a }, .is_for_pb = is_for_pb };
    struct str version = api_version(a, t), kind = schema_str(&schema_builtin, t->name);
    bool first = false;

    buf_printf(&f.b, "{\"kind\":\"%.*s\",\"apiVersion\":\"%.*s\"", STR_ARG(kind), STR_ARG(version));
    fill_members(&f, t, 0, &first);
    buf_append_char(&f.b, '}');
    return buf_str(&f.b);
}

static struct object decode(struct arena *a, const struct schema_type *t, struct str json)
{
    struct object_json_strict strict = { 0 };
    struct object o;
    struct err err = { 0 };

    cr_assert_eq(object_json_decode(a, &schema_builtin, t, json, &o, &strict, &err), 0,
                 "%s: %s\n%.*s", schema_cstr(&schema_builtin, t->name), err.text, STR_ARG(json));
    cr_assert_eq(strict.len, 0, "%s: %.*s", schema_cstr(&schema_builtin, t->name),
                 STR_ARG(strict.items[0]));
    return o;
}

static void check(const struct schema_type *t)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const char *name = schema_cstr(&schema_builtin, t->name);
    struct str json = filled(&a, t, false), yaml, again;
    struct object from_json = decode(&a, t, json), from_pb;
    struct object for_pb = decode(&a, t, filled(&a, t, true));
    struct object_pb_envelope envelope;
    struct buf out = { .arena = &a }, pb = { .arena = &a }, pb_again = { .arena = &a };
    struct err err = { 0 };

    object_json_encode(&out, from_json, NULL);
    cr_expect(object_equal(decode(&a, t, buf_str(&out)), from_json), "%s: JSON", name);
    cr_assert_eq(yaml_from_json(&a, buf_str(&out), &yaml, &err), 0, "%s: %s", name, err.text);
    cr_assert_eq(yaml_to_json(&a, yaml, true, 1 << 24, &again, &err), 0, "%s: %s", name, err.text);
    cr_expect(object_equal(decode(&a, t, again), from_json), "%s: YAML", name);

    object_pb_encode_enveloped(&pb, for_pb, object_api_version(for_pb), object_kind(for_pb));
    cr_assert_eq(object_pb_open(buf_str(&pb), &envelope, &err), 0, "%s: %s", name, err.text);
    cr_assert_eq(object_pb_decode(&a, &schema_builtin, t, envelope.raw, &from_pb, &err), 0,
                 "%s: %s", name, err.text);
    object_set_gvk(from_pb, envelope.api_version, envelope.kind);
    buf_reset(&out);
    object_json_encode(&out, from_pb, NULL);
    cr_expect(object_equal(from_pb, for_pb), "%s: protobuf gave %.*s", name,
              (int)MIN(out.len, (size_t)4000), out.p);
    object_pb_encode_enveloped(&pb_again, from_pb, envelope.api_version, envelope.kind);
    cr_expect(str_eq(buf_str(&pb), buf_str(&pb_again)), "%s: protobuf bytes", name);
}

Test(object_filled, every_kind_survives_json_yaml_and_protobuf)
{
    size_t checked = 0, lists = 0;

    for (uint16_t i = 0; i < schema_builtin.n_types; i++) {
        const struct schema_type *t = &schema_builtin.types[i];

        if (!(t->flags & SCHEMA_TYPE_TOP))
            continue;
        check(t);
        checked++;
        lists += (t->flags & SCHEMA_TYPE_LIST) != 0;
    }
    cr_assert_geq(checked, 190, "only %zu kinds", checked);
    cr_assert_geq(lists, 80, "only %zu lists", lists);
}

/* A list by hand, laid out after the messages' definitions: envelope{typeMeta, raw, "", ""},
 * raw = ListMeta{selfLink, resourceVersion, continue, remainingItemCount}, then each ConfigMap
 * {ObjectMeta, data entry, binaryData entry}. */
Test(object_filled, a_list_by_hand_is_equal_by_byte)
{
    static const char json[] =
        "{\"kind\":\"ConfigMapList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"10\","
        "\"continue\":\"abc\",\"remainingItemCount\":3},\"items\":[{\"metadata\":{\"name\":\"a\","
        "\"namespace\":\"default\",\"uid\":\"u-1\",\"resourceVersion\":\"9\",\"labels\":{\"x\":\"y\"}},"
        "\"data\":{\"k\":\"v\"},\"binaryData\":{\"bin\":\"AAE=\"}}]}";
    static const char pb[] =
        "k8s\000\012\023\012\002v1\022\015ConfigMapList\022J\012\015\012\000\022\00210\032"
        "\003abc\040\003\0229\012\044\012\001a\022\000\032\007default\042\000\052\003u-12\001"
        "98\000B\000Z\006\012\001x\022\001y\022\006\012\001k\022\001v\032\011\012\003bin\022"
        "\002\000\001\032\000\042\000";
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct schema_type *t =
        schema_find_type(&schema_builtin, STR(""), STR("v1"), STR("ConfigMapList"));
    struct object from_json = decode(&a, t, str_from_cstr(json)), from_pb;
    struct object_pb_envelope envelope;
    struct buf out = { .arena = &a }, back = { .arena = &a };
    struct err err = { 0 };

    object_pb_encode_enveloped(&out, from_json, STR("v1"), STR("ConfigMapList"));
    cr_assert(str_eq(buf_str(&out), str_n(pb, sizeof(pb) - 1)));
    cr_assert_eq(object_pb_open(str_n(pb, sizeof(pb) - 1), &envelope, &err), 0);
    cr_assert_eq(object_pb_decode(&a, &schema_builtin, t, envelope.raw, &from_pb, &err), 0);
    object_set_gvk(from_pb, envelope.api_version, envelope.kind);
    object_json_encode(&back, from_pb, NULL);
    cr_assert(object_equal(from_pb, from_json), "%.*s", STR_ARG(buf_str(&back)));
}
