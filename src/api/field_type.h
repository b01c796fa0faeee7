/* What structured merging must know of a value's type: whether it is owned as a whole or by its
 * parts, and how items of a list are told apart. A view by value, made as one descends; where it
 * comes from (schema rows of built-in types, a custom resource's schema) is behind its ops. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "codec/value.h"

struct schema;
struct schema_type;

enum field_form {
    FIELD_FORM_UNTYPED, /* any scalar */
    FIELD_FORM_NUMBER,
    FIELD_FORM_STRING,
    FIELD_FORM_BOOL,
    FIELD_FORM_LIST,
    FIELD_FORM_MAP,     /* members alike, any names */
    FIELD_FORM_STRUCT,  /* members that the type declares */
    FIELD_FORM_DEDUCED, /* whatever the value is: maps by member, lists as a whole */
    FIELD_FORM_ATOMIC,  /* whatever the value is, as a whole */
};

enum field_relation {
    FIELD_GRANULAR, /* a map owned by member; of lists: FIELD_SET or FIELD_KEYED */
    FIELD_WHOLE,    /* atomic */
    FIELD_SET,      /* listType=set */
    FIELD_KEYED,    /* listType=map */
};

struct field_type;

struct field_type_ops {
    /* Of a STRUCT: false when it declares no such member and has none of other names. Of a MAP:
     * the elements' type. *ret_declared: the name is the type's, not the client's. */
    bool (*member)(const struct field_type *t, struct str name, struct field_type *ret,
                   bool *ret_declared);
    struct field_type (*element)(const struct field_type *t); /* of a LIST */
    /* The default of a key of a KEYED list's elements; false: it has none. */
    bool (*key_default)(const struct field_type *t, struct str key, struct value *ret);
};

struct field_type {
    const struct field_type_ops *ops;
    const void *schema, *type, *field; /* the provider's */
    struct str keys;                   /* KEYED: names, comma-separated, in ascending order */
    uint8_t form;                      /* enum field_form */
    uint8_t relation;                  /* enum field_relation */
};

/* Objects of a built-in type. */
struct field_type field_type_builtin(const struct schema *s, const struct schema_type *t);

/* Whatever the value is. */
struct field_type field_type_deduced(void);

/* DEDUCED and ATOMIC made what this value is; others as they are. */
struct field_type field_type_of_value(struct field_type t, const struct value *v);

static inline bool field_type_is_map(const struct field_type *t)
{
    return t->form == FIELD_FORM_MAP || t->form == FIELD_FORM_STRUCT;
}
