#include "api/field_type.h"

#include "api/schema.h"
#include "base/macros.h"

static const struct field_type_ops builtin_ops, deduced_ops;

static uint8_t scalar_form(uint8_t kind)
{
    switch (kind) {
    case SCHEMA_KIND_BOOL:
        return FIELD_FORM_BOOL;
    case SCHEMA_KIND_INT32:
    case SCHEMA_KIND_INT64:
    case SCHEMA_KIND_UINT32:
    case SCHEMA_KIND_UINT64:
    case SCHEMA_KIND_DOUBLE:
        return FIELD_FORM_NUMBER;
    case SCHEMA_KIND_STRING:
    case SCHEMA_KIND_BYTES:
    case SCHEMA_KIND_DURATION:
        return FIELD_FORM_STRING;
    default:
        return FIELD_FORM_UNTYPED;
    }
}

struct field_type field_type_builtin(const struct schema *s, const struct schema_type *t)
{
    return (struct field_type){
        .ops = &builtin_ops,
        .schema = s,
        .type = t,
        .form = FIELD_FORM_STRUCT,
        .relation = t->flags & SCHEMA_TYPE_ATOMIC ? FIELD_WHOLE : FIELD_GRANULAR,
    };
}

/* One value of a field, or one element of it. */
static struct field_type single(const struct schema *s, const struct schema_field *f, bool whole)
{
    struct field_type t = { .ops = &deduced_ops };

    switch (f->kind) {
    case SCHEMA_KIND_STRUCT:
        t = field_type_builtin(s, &s->types[f->type]);
        if (whole)
            t.relation = FIELD_WHOLE;
        return t;
    case SCHEMA_KIND_STRING_LIST:
        t.form = FIELD_FORM_LIST;
        t.relation = FIELD_WHOLE;
        return t;
    case SCHEMA_KIND_ANY_JSON:
        t.form = FIELD_FORM_ATOMIC;
        return t;
    case SCHEMA_KIND_RAW:
    case SCHEMA_KIND_FIELDS_V1:
    case SCHEMA_KIND_SCHEMA_OR_BOOL:
    case SCHEMA_KIND_SCHEMA_OR_ARRAY:
    case SCHEMA_KIND_SCHEMA_OR_STRINGS:
        t.form = FIELD_FORM_DEDUCED;
        return t;
    default:
        t.form = scalar_form(f->kind);
        return t;
    }
}

static struct field_type of_field(const struct schema *s, const struct schema_field *f)
{
    bool whole = f->flags & SCHEMA_ATOMIC;
    struct field_type t = { .ops = &builtin_ops, .schema = s, .field = f };

    switch ((enum schema_shape)f->shape) {
    case SCHEMA_LIST:
        t.form = FIELD_FORM_LIST;
        t.relation = f->flags & SCHEMA_LIST_MAP   ? FIELD_KEYED
                     : f->flags & SCHEMA_LIST_SET ? FIELD_SET
                                                  : FIELD_WHOLE;
        t.keys = schema_str(s, f->list_keys);
        return t;
    case SCHEMA_MAP:
        t.form = FIELD_FORM_MAP;
        t.relation = whole ? FIELD_WHOLE : FIELD_GRANULAR;
        return t;
    case SCHEMA_ONE:
    case SCHEMA_POINTER:
    case SCHEMA_INLINE:
        break;
    }
    return single(s, f, whole);
}

static bool builtin_member(const struct field_type *t, struct str name, struct field_type *ret,
                           bool *ret_declared)
{
    const struct schema *s = t->schema;
    const struct schema_field *f;
    uint32_t base;

    *ret_declared = t->form == FIELD_FORM_STRUCT;
    if (t->form == FIELD_FORM_MAP) {
        *ret = single(s, t->field, false);
        return true;
    }
    f = schema_find_member(s, t->type, name, &base);
    if (!f)
        return false;
    *ret = of_field(s, f);
    return true;
}

static struct field_type builtin_element(const struct field_type *t)
{
    return single(t->schema, t->field, false);
}

static bool builtin_key_default(const struct field_type *t, struct str key, struct value *ret)
{
    const struct schema *s = t->schema;
    const struct schema_field *list = t->field, *f;
    struct str json;
    uint32_t base;

    if (list->kind != SCHEMA_KIND_STRUCT)
        return false;
    f = schema_find_member(s, &s->types[list->type], key, &base);
    json = f ? schema_str(s, f->default_json) : STR_NULL;
    if (json.len >= 2 && json.p[0] == '"') {
        *ret = value_string(str_sub(json, 1, json.len - 1));
        return true;
    }
    if (!f || f->shape != SCHEMA_ONE || f->flags & SCHEMA_OMIT_EMPTY)
        return false;
    /* What is always written has its zero for a default, as OpenAPI says it. */
    *ret = f->kind == SCHEMA_KIND_STRING ? value_string(STR("")) : value_int(0);
    return f->kind == SCHEMA_KIND_STRING || f->kind == SCHEMA_KIND_INT32 ||
           f->kind == SCHEMA_KIND_INT64;
}

static const struct field_type_ops builtin_ops = {
    .member = builtin_member,
    .element = builtin_element,
    .key_default = builtin_key_default,
};

/* --- values whose type is what they are --- */

static bool deduced_member(const struct field_type *t, struct str name, struct field_type *ret,
                           bool *ret_declared)
{
    (void)name;
    *ret = (struct field_type){ .ops = t->ops, .form = FIELD_FORM_DEDUCED };
    *ret_declared = false;
    return true;
}

static struct field_type deduced_element(const struct field_type *t)
{
    return (struct field_type){ .ops = t->ops, .form = FIELD_FORM_ATOMIC };
}

static bool deduced_key_default(const struct field_type *t, struct str key, struct value *ret)
{
    (void)t;
    (void)key;
    (void)ret;
    return false;
}

static const struct field_type_ops deduced_ops = {
    .member = deduced_member,
    .element = deduced_element,
    .key_default = deduced_key_default,
};

struct field_type field_type_deduced(void)
{
    return (struct field_type){ .ops = &deduced_ops, .form = FIELD_FORM_DEDUCED };
}

struct field_type field_type_of_value(struct field_type t, const struct value *v)
{
    bool whole = t.form == FIELD_FORM_ATOMIC;

    if (t.form != FIELD_FORM_DEDUCED && !whole)
        return t;
    t.ops = &deduced_ops;
    t.relation = whole ? FIELD_WHOLE : FIELD_GRANULAR;
    if (v && v->type == VALUE_OBJECT) {
        t.form = FIELD_FORM_MAP;
    } else if (v && v->type == VALUE_ARRAY) {
        t.form = FIELD_FORM_LIST;
        t.relation = FIELD_WHOLE;
    } else {
        t.form = FIELD_FORM_UNTYPED;
    }
    return t;
}
