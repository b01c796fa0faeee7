#include "api/schema.h"

#include <stdalign.h>

#include "base/macros.h"

const struct schema_field *schema_find_member(const struct schema *s, const struct schema_type *t,
                                              struct str name, uint32_t *ret_base)
{
    uint32_t slot = schema_name_hash(name.p, name.len) & (t->n_slots - 1U);
    uint16_t i = s->slots[t->first_slot + slot];

    if (!i)
        return NULL;
    for (i--; i != 0xffff; i = s->members[t->first_member + i].next) {
        const struct schema_member *m = &s->members[t->first_member + i];
        const struct schema_field *f = &s->fields[m->field];

        if (f->name_len == name.len && memcmp(s->pool + f->name, name.p, name.len) == 0) {
            *ret_base = m->base;
            return f;
        }
    }
    return NULL;
}

const struct schema_type *schema_find_type(const struct schema *s, struct str group,
                                           struct str version, struct str name)
{
    for (uint32_t i = 0; i < s->n_types; i++) {
        const struct schema_type *t = &s->types[i];

        if (name.len && s->pool[t->name] != name.p[0]) /* most end here */
            continue;
        if (str_eq(schema_str(s, t->name), name) && str_eq(schema_str(s, t->group), group) &&
            str_eq(schema_str(s, t->version), version))
            return t;
    }
    return NULL;
}

#define LAYOUT(T)                                                                                  \
    {                                                                                              \
        sizeof(T), alignof(T)                                                                      \
    }

static const struct {
    uint16_t size;
    uint16_t align;
} layouts[SCHEMA_KIND_MAX] = {
    [SCHEMA_KIND_BOOL] = LAYOUT(bool),
    [SCHEMA_KIND_INT32] = LAYOUT(int32_t),
    [SCHEMA_KIND_INT64] = LAYOUT(int64_t),
    [SCHEMA_KIND_UINT32] = LAYOUT(uint32_t),
    [SCHEMA_KIND_UINT64] = LAYOUT(uint64_t),
    [SCHEMA_KIND_DOUBLE] = LAYOUT(double),
    [SCHEMA_KIND_STRING] = LAYOUT(struct str),
    [SCHEMA_KIND_BYTES] = LAYOUT(struct str),
    [SCHEMA_KIND_QUANTITY] = LAYOUT(struct str),
    [SCHEMA_KIND_TIME] = LAYOUT(struct ktime),
    [SCHEMA_KIND_MICRO_TIME] = LAYOUT(struct ktime),
    [SCHEMA_KIND_DURATION] = LAYOUT(int64_t),
    [SCHEMA_KIND_INT_OR_STRING] = LAYOUT(struct int_or_string),
    [SCHEMA_KIND_RAW] = LAYOUT(struct str),
    [SCHEMA_KIND_FIELDS_V1] = LAYOUT(struct str),
    [SCHEMA_KIND_ANY_JSON] = LAYOUT(struct str),
    [SCHEMA_KIND_STRING_LIST] = LAYOUT(struct schema_strings),
    [SCHEMA_KIND_SCHEMA_OR_BOOL] = LAYOUT(struct schema_or),
    [SCHEMA_KIND_SCHEMA_OR_ARRAY] = LAYOUT(struct schema_or),
    [SCHEMA_KIND_SCHEMA_OR_STRINGS] = LAYOUT(struct schema_or),
};

size_t schema_kind_size(const struct schema *s, uint8_t kind, uint16_t type)
{
    return kind == SCHEMA_KIND_STRUCT ? s->types[type].size : layouts[kind].size;
}

size_t schema_kind_align(const struct schema *s, uint8_t kind, uint16_t type)
{
    return kind == SCHEMA_KIND_STRUCT ? s->types[type].align : layouts[kind].align;
}

size_t schema_map_entry_size(const struct schema *s, const struct schema_field *f,
                             size_t *ret_value_offset)
{
    size_t value = schema_kind_align(s, f->kind, f->type), align = MAX(value, alignof(struct str));
    size_t offset = (sizeof(struct str) + value - 1) & ~(value - 1);

    *ret_value_offset = offset;
    return (offset + schema_kind_size(s, f->kind, f->type) + align - 1) & ~(align - 1);
}
