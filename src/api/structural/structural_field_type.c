#include "api/structural/structural_field_type.h"

#include "api/schema.h"
#include "api/structural/structural.h"

static const struct field_type_ops ops, object_ops;

static struct field_type of_object(const struct structural *s)
{
    struct field_type t = { .ops = s->flags & STRUCTURAL_EMBEDDED ? &object_ops : &ops, .type = s };

    t.form = s->n_properties || s->flags & STRUCTURAL_EMBEDDED ? FIELD_FORM_STRUCT : FIELD_FORM_MAP;
    t.relation = s->flags & STRUCTURAL_ATOMIC ? FIELD_WHOLE : FIELD_GRANULAR;
    return t;
}

static struct field_type of(const struct structural *s)
{
    struct field_type t = { .ops = &ops, .type = s, .form = FIELD_FORM_UNTYPED };

    if (s->flags & STRUCTURAL_INT_OR_STRING)
        return t;
    switch (s->type) {
    case STRUCTURAL_OBJECT:
        return of_object(s);
    case STRUCTURAL_ARRAY:
        t.form = FIELD_FORM_LIST;
        t.relation = s->flags & STRUCTURAL_LIST_MAP   ? FIELD_KEYED
                     : s->flags & STRUCTURAL_LIST_SET ? FIELD_SET
                                                      : FIELD_WHOLE;
        t.keys = s->sorted_keys;
        return t;
    case STRUCTURAL_STRING:
        t.form = FIELD_FORM_STRING;
        return t;
    case STRUCTURAL_INTEGER:
    case STRUCTURAL_NUMBER:
        t.form = FIELD_FORM_NUMBER;
        return t;
    case STRUCTURAL_BOOLEAN:
        t.form = FIELD_FORM_BOOL;
        return t;
    case STRUCTURAL_ANY:
    case STRUCTURAL_TYPE_MAX:
        break;
    }
    return s->n_properties ? of_object(s) : field_type_deduced();
}

static bool member(const struct field_type *t, struct str name, struct field_type *ret,
                   bool *ret_declared)
{
    const struct structural *s = t->type, *below = structural_property(s, name);

    *ret_declared = below != NULL;
    if (below) {
        *ret = of(below);
        return true;
    }
    if (s->additional) {
        *ret = of(s->additional);
        return true;
    }
    if (!(s->flags & (STRUCTURAL_PRESERVES | STRUCTURAL_ANY_MEMBERS)) && s->n_properties)
        return false;
    *ret = field_type_deduced();
    return true;
}

/* Objects within objects, and the root. */
static bool object_member(const struct field_type *t, struct str name, struct field_type *ret,
                          bool *ret_declared)
{
    const struct schema_type *meta;

    if (str_eq(name, STR("apiVersion")) || str_eq(name, STR("kind"))) {
        *ret = (struct field_type){ .ops = &ops, .form = FIELD_FORM_STRING };
        *ret_declared = true;
        return true;
    }
    if (str_eq(name, STR("metadata"))) {
        meta = schema_find_type(&schema_builtin, STR("meta.k8s.io"), STR("v1"), STR("ObjectMeta"));
        *ret = field_type_builtin(&schema_builtin, meta);
        *ret_declared = true;
        return true;
    }
    return member(t, name, ret, ret_declared);
}

static struct field_type element(const struct field_type *t)
{
    const struct structural *s = t->type;

    return s->items ? of(s->items) : field_type_deduced();
}

static bool key_default(const struct field_type *t, struct str key, struct value *ret)
{
    const struct structural *list = t->type;
    const struct structural *s = list->items ? structural_property(list->items, key) : NULL;

    if (!s || !s->default_value)
        return false;
    *ret = *s->default_value;
    return true;
}

static const struct field_type_ops ops = {
    .member = member,
    .element = element,
    .key_default = key_default,
};
static const struct field_type_ops object_ops = {
    .member = object_member,
    .element = element,
    .key_default = key_default,
};

struct field_type structural_field_type(const struct structural *root)
{
    struct field_type t = of_object(root);

    t.ops = &object_ops;
    t.form = FIELD_FORM_STRUCT;
    t.relation = FIELD_GRANULAR;
    return t;
}
