/* Validation errors as upstream's field.ErrorList: collected in an arena, all of them, in order. */
#pragma once

#include <stddef.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct buf;

/* X(name, cause reason, label) */
#define FIELD_ERROR_TYPES(X)                                                                       \
    X(NOT_FOUND, "FieldValueNotFound", "Not found")                                                \
    X(REQUIRED, "FieldValueRequired", "Required value")                                            \
    X(DUPLICATE, "FieldValueDuplicate", "Duplicate value")                                         \
    X(INVALID, "FieldValueInvalid", "Invalid value")                                               \
    X(NOT_SUPPORTED, "FieldValueNotSupported", "Unsupported value")                                \
    X(FORBIDDEN, "FieldValueForbidden", "Forbidden")                                               \
    X(TOO_LONG, "FieldValueTooLong", "Too long")                                                   \
    X(TOO_MANY, "FieldValueTooMany", "Too many")                                                   \
    X(TOO_FEW, "FieldValueTooFew", "Too few")                                                      \
    X(TOO_SHORT, "FieldValueTooShort", "Too short")                                                \
    X(TYPE_INVALID, "FieldValueTypeInvalid", "Invalid value")                                      \
    X(INTERNAL, "InternalError", "Internal error")

enum field_error_type {
#define X(name, reason, label) FIELD_ERROR_##name,
    FIELD_ERROR_TYPES(X)
#undef X
};

/* A path under construction: a chain of steps on the stack; printed only when an error is recorded.
 */
struct field_path {
    const struct field_path *parent; /* NULL: the root */
    struct str name;                 /* member, or map key when is_key */
    long index;                      /* >= 0: list index */
    int is_key;
};

static inline struct field_path field_path_member(const struct field_path *parent, struct str name)
{
    return (struct field_path){ .parent = parent, .name = name, .index = -1 };
}
static inline struct field_path field_path_index(const struct field_path *parent, size_t i)
{
    return (struct field_path){ .parent = parent, .index = (long)i };
}
static inline struct field_path field_path_key(const struct field_path *parent, struct str key)
{
    return (struct field_path){ .parent = parent, .name = key, .index = -1, .is_key = 1 };
}
struct str field_path_print(struct arena *a, const struct field_path *p); /* "spec.a[0].b[key]" */

struct field_error {
    enum field_error_type type;
    struct str path;
    struct str message; /* what causes[].message holds: 'Invalid value: "x": must be ...' */
};

struct field_errors {
    struct arena *arena;
    struct field_error *items;
    size_t len;
    size_t cap;
};

void field_errors_init(struct field_errors *e, struct arena *a);
/* value is printed as upstream does (Go-quoted text, numbers as they are); the variants without one
 * are for the types that show none. detail may be "". */
void field_errors_add_text(struct field_errors *e, const struct field_path *p,
                           enum field_error_type type, struct str value, const char *fmt, ...)
    PRINTF_LIKE(5, 6);
void field_errors_add_raw(struct field_errors *e, const struct field_path *p,
                          enum field_error_type type, struct str printed_value, const char *fmt,
                          ...) PRINTF_LIKE(5, 6); /* the value is printed already: a number, JSON */
void field_errors_add(struct field_errors *e, const struct field_path *p,
                      enum field_error_type type, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* 'supported values: "A", "B"' */
void field_errors_add_unsupported(struct field_errors *e, const struct field_path *p,
                                  struct str value, const struct str *supported, size_t n);
/* Appends text as Go's %q prints it. */
void field_error_quote(struct buf *b, struct str text);
const char *field_error_reason(enum field_error_type type);
/* The list in one line, as in Status.message: one error alone, or "[a, b]", duplicates once. */
struct str field_errors_print(struct arena *a, const struct field_errors *e);
