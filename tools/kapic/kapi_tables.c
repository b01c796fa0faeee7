/* The tables of api/schema.h: one pool of texts, and rows that refer to it by offset. Offsets and
 * sizes of C structs are left to the C compiler. */
#include <inttypes.h>
#include <stdlib.h>

#include "api/schema.h"
#include "base/buf.h"
#include "base/map.h"
#include "kapi.h"

/* Texts, each once; offset 0 is the empty one. */
struct pool {
    struct buf bytes;
    struct map offsets; /* text -> offset + 1 */
};

static uint32_t intern(struct pool *p, struct str s)
{
    uintptr_t known;

    if (!s.len)
        return 0;
    known = (uintptr_t)map_get(&p->offsets, s);
    if (known)
        return (uint32_t)known - 1;
    known = p->bytes.len;
    buf_append_str(&p->bytes, s);
    buf_append_char(&p->bytes, '\0');
    (void)map_put(&p->offsets, s, (void *)(known + 1)); /* was not there */
    return (uint32_t)known;
}

static void emit_pool(const struct pool *p, struct buf *b)
{
    bool open = false;

    buf_append_lit(b, "static const char pool[] =");
    for (size_t i = 0; i < p->bytes.len; i++) {
        unsigned char c = (unsigned char)p->bytes.p[i];

        if (!open)
            buf_append_lit(b, "\n    \"");
        open = true;
        if (c == 0)
            buf_append_lit(b, "\\000");
        else if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else
            buf_append_char(b, (char)c);
        if (c == 0 && i + 1 < p->bytes.len) {
            buf_append_char(b, '"');
            open = false;
        }
    }
    buf_append_lit(b, "\";\n\n");
}

static struct str format_of(const struct kapi_field *f)
{
    switch (f->kind) {
    case SCHEMA_KIND_INT32:
        return STR("int32");
    case SCHEMA_KIND_INT64:
        return STR("int64");
    case SCHEMA_KIND_DOUBLE:
        return STR("double");
    case SCHEMA_KIND_BYTES:
        return STR("byte");
    default:
        return STR("");
    }
}

static void emit_field(const struct kapi_type *t, const struct kapi_field *f, struct pool *p,
                       struct buf *b)
{
    struct str name = f->shape == SCHEMA_INLINE ? STR("") : f->name;

    buf_printf(b,
               "    { %" PRIu32 ", %" PRIu32 ", %" PRIu32 ", %" PRIu32 ", %" PRIu32 ", %" PRIu32
               ", offsetof(struct %s, %s), %d, %d, %d, %d, %zu, %d, %d, 0 }, /* %.*s */\n",
               intern(p, name), intern(p, f->doc), intern(p, f->default_json),
               intern(p, f->patch_key), intern(p, f->list_keys), intern(p, format_of(f)), t->c_name,
               f->c_name, f->type ? f->type->index : 0, f->values ? f->values->index : 0, f->number,
               f->flags, name.len, f->kind, f->shape, STR_ARG(f->name));
}

static void emit_fields(const struct kapi *k, struct pool *p, struct buf *b)
{
    buf_append_lit(b, "static const struct schema_field fields[] = {\n");
    VEC_FOREACH(struct kapi_type **, t, &k->types) {
        buf_printf(b, "    /* %s */\n", (*t)->c_name);
        VEC_FOREACH(const struct kapi_field *, f, &(*t)->fields) {
            emit_field(*t, f, p, b);
        }
    }
    buf_append_lit(b, "};\n\n");
}

static int by_number(const void *a, const void *b)
{
    const struct kapi_field *x = *(const struct kapi_field *const *)a,
                            *y = *(const struct kapi_field *const *)b;
    int nx = x->number ? x->number : 65536, ny = y->number ? y->number : 65536;

    return nx != ny ? nx - ny : x->row - y->row;
}

/* Rows of each type in ascending protobuf number, those without one last. */
static void emit_proto_order(const struct kapi *k, struct buf *b)
{
    buf_append_lit(b, "static const uint16_t proto_order[] = {\n");
    VEC_FOREACH(struct kapi_type **, t, &k->types) {
        struct VEC(const struct kapi_field *) order = { 0 };

        VEC_FOREACH(const struct kapi_field *, f, &(*t)->fields) {
            VEC_PUSH(&order, f);
        }
        if (order.len)
            qsort(order.items, order.len, sizeof(*order.items), by_number);
        buf_append_lit(b, "    ");
        VEC_FOREACH(const struct kapi_field **, f, &order) {
            buf_printf(b, "%d,", (*f)->row);
        }
        buf_append_char(b, '\n');
        VEC_DONE(&order);
    }
    buf_append_lit(b, "};\n\n");
}

static size_t slot_count(const struct kapi_type *t)
{
    size_t n = 1;

    while (n < t->members.len * 2)
        n *= 2;
    return n;
}

/* The members of one type, chained where their names share a slot; the first of each slot goes into
 * `slots`. */
static void emit_members_of(const struct kapi_type *t, struct buf *b, struct buf *slots)
{
    size_t n = slot_count(t);
    uint16_t *first = mem_zalloc(n * sizeof(*first)), *next = NULL;

    next = mem_alloc((t->members.len + 1) * sizeof(*next));
    for (size_t i = t->members.len; i-- > 0;) {
        struct str name = t->members.items[i].field->name;
        size_t slot = schema_name_hash(name.p, name.len) & (n - 1);

        next[i] = first[slot] ? (uint16_t)(first[slot] - 1) : 0xffff;
        first[slot] = (uint16_t)(i + 1);
    }
    for (size_t i = 0; i < t->members.len; i++)
        buf_printf(b, "    { %d, %d, %s },\n", t->members.items[i].field->row, next[i],
                   t->members.items[i].base);
    for (size_t i = 0; i < n; i++)
        buf_printf(slots, "%d,%s", first[i], i + 1 == n ? "\n" : "");
    mem_free(first);
    mem_free(next);
}

static void emit_members(const struct kapi *k, struct buf *b)
{
    CLEANUP(buf_done) struct buf slots = { 0 };

    buf_append_lit(b, "static const struct schema_member members[] = {\n");
    VEC_FOREACH(struct kapi_type **, t, &k->types) {
        emit_members_of(*t, b, &slots);
    }
    buf_append_lit(b, "};\n\nstatic const uint16_t slots[] = {\n");
    buf_append_str(b, buf_str(&slots));
    buf_append_lit(b, "};\n\n");
}

static bool has_member(const struct kapi_type *t, const char *name, const char *type)
{
    VEC_FOREACH(const struct kapi_field *, f, &t->fields) {
        if (str_eq(f->name, str_from_cstr(name)) && f->kind == SCHEMA_KIND_STRUCT &&
            f->shape != SCHEMA_LIST && str_eq(f->type->name, str_from_cstr(type)))
            return true;
    }
    return false;
}

static unsigned type_flags(const struct kapi_type *t)
{
    unsigned flags = t->atomic ? SCHEMA_TYPE_ATOMIC : 0;
    const struct kapi_field *first = t->fields.len ? &t->fields.items[0] : NULL;

    if (!first || first->shape != SCHEMA_INLINE || !str_eq(first->type->name, STR("TypeMeta")))
        return flags;
    flags |= SCHEMA_TYPE_TOP;
    if (has_member(t, "metadata", "ObjectMeta"))
        flags |= SCHEMA_TYPE_OBJECT;
    if (has_member(t, "metadata", "ListMeta") && str_has_suffix(t->name, STR("List")))
        flags |= SCHEMA_TYPE_LIST;
    return flags;
}

static struct str proto_package(const struct kapi_type *t)
{
    return t->group->proto;
}

static void emit_types(const struct kapi *k, struct pool *p, struct buf *b)
{
    size_t row = 0, member = 0, slot = 0;

    buf_append_lit(b, "const struct schema_type schema_builtin_types[] = {\n");
    VEC_FOREACH(struct kapi_type **, pt, &k->types) {
        const struct kapi_type *t = *pt;
        CLEANUP(buf_done) struct buf name = { 0 };

        if (t->group->openapi.len)
            buf_printf(&name, "%.*s.%.*s", STR_ARG(t->group->openapi), STR_ARG(t->name));
        buf_printf(
            b,
            "    { %" PRIu32 ", %" PRIu32 ", %" PRIu32 ", %" PRIu32 ", %" PRIu32 ", %" PRIu32
            ", sizeof(struct %s), %zu, %zu, %zu, %zu, %zu, %zu, %u, _Alignof(struct %s) },\n",
            intern(p, t->name), intern(p, t->group->name), intern(p, t->group->version),
            intern(p, buf_str(&name)), intern(p, proto_package(t)), intern(p, t->doc), t->c_name,
            row, t->fields.len, member, slot, t->members.len, slot_count(t), type_flags(t),
            t->c_name);
        row += t->fields.len;
        member += t->members.len;
        slot += slot_count(t);
    }
    buf_append_lit(b, "};\n\n");
}

static void emit_enums(const struct kapi *k, struct pool *p, struct buf *b)
{
    size_t first = 0;

    buf_append_lit(b, "static const struct schema_enum enums[] = {\n    { 0, 0, 0, 0 },\n");
    VEC_FOREACH(struct kapi_enum **, e, &k->enums) {
        buf_printf(b, "    { %" PRIu32 ", %zu, %zu, 0 },\n", intern(p, (*e)->name), first,
                   (*e)->values.len);
        first += (*e)->values.len;
    }
    buf_append_lit(b, "};\n\nstatic const schema_off enum_values[] = {\n");
    VEC_FOREACH(struct kapi_enum **, e, &k->enums) {
        VEC_FOREACH(const struct str *, v, &(*e)->values) {
            buf_printf(b, "    %" PRIu32 ",\n", intern(p, *v));
        }
    }
    buf_append_lit(b, "};\n\n");
}

static size_t field_count(const struct kapi *k)
{
    size_t n = 0;

    VEC_FOREACH(struct kapi_type **, t, &k->types) {
        n += (*t)->fields.len;
    }
    return n;
}

void kapi_emit_tables(const struct kapi *k, struct buf *b)
{
    CLEANUP(buf_done) struct buf rows = { 0 };
    struct pool p = { 0 };

    buf_append_char(&p.bytes, '\0');
    emit_fields(k, &p, &rows);
    emit_proto_order(k, &rows);
    emit_members(k, &rows);
    emit_types(k, &p, &rows);
    emit_enums(k, &p, &rows);
    buf_append_lit(b,
                   "/* Made by kapic from the API's .kapi files. */\n#include \"api/schema.h\"\n\n"
                   "extern const struct schema_type schema_builtin_types[];\n\n");
    VEC_FOREACH(struct kapi_group **, g, &k->groups) {
        buf_printf(b, "#include \"api/%.*s_%.*s.h\"\n", STR_ARG((*g)->label),
                   STR_ARG((*g)->version));
    }
    buf_append_char(b, '\n');
    emit_pool(&p, b);
    buf_append_str(b, buf_str(&rows));
    buf_printf(
        b,
        "const struct schema schema_builtin = {\n    .pool = pool,\n    .types = schema_builtin_types,\n"
        "    .fields = fields,\n    .proto_order = proto_order,\n    .members = members,\n"
        "    .slots = slots,\n    .enums = enums,\n    .enum_values = enum_values,\n"
        "    .n_types = %zu,\n    .n_fields = %zu,\n    .n_enums = %zu,\n};\n",
        k->types.len, field_count(k), k->enums.len + 1);
    buf_done(&p.bytes);
    map_done(&p.offsets);
}
