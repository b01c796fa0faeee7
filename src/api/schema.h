/* The Kubernetes API as tables. `tools/kapic` compiles the .kapi files to one pool of bytes and a
 * few arrays of plain rows (no pointers, so they stay shared, read-only file pages), and to C
 * structs for typed access. Everything generic - JSON, protobuf, defaulting, comparing, merging,
 * validation, Table, OpenAPI - walks these rows; nothing generic knows a type by name.
 *
 * How a field lies in its C struct (S = shape, K = kind):
 *   scalar kinds      bool, int32_t, int64_t, uint32_t, uint64_t, double; DURATION is int64_t in ns
 *   text kinds        STRING, BYTES (decoded), QUANTITY (canonical text), RAW, ANY_JSON, FIELDS_V1
 *                     (compact JSON, verbatim): struct str; p == NULL is unset
 *   TIME, MICRO_TIME  struct ktime; set == false is unset (the zero time)
 *   INT_OR_STRING     struct int_or_string; type 0 is unset
 *   STRUCT            the other type's struct
 *   S = ONE           the value itself
 *   S = POINTER       scalars and STRUCT: a pointer, NULL is unset. Text kinds, times and
 * INT_OR_STRING have an unset state of their own and lie as with ONE S = LIST          struct { T
 * *items; uint32_t len; }: items == NULL is null/absent, an empty list that was given has items !=
 * NULL and len 0. Elements are never pointers S = MAP           struct { struct { struct str key; T
 * value; } *items; uint32_t len; }, sorted by key, keys unique; items == NULL is absent S = INLINE
 * an embedded STRUCT whose members stand directly in this JSON object; in protobuf a nested message
 * (or nothing, when proto_number is 0) LIST and MAP of lists (map<string, list<string>>): K =
 * STRING_LIST, T = struct schema_strings.
 *
 * A row index is global to its schema. Row order inside a type is declaration order, which is the
 * member order of JSON output and of protobuf numbers' ascent where they agree. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* X(name, kapi spelling, is text) */
#define SCHEMA_KINDS(X)                                                                            \
    X(BOOL, "bool")                                                                                \
    X(INT32, "int32")                                                                              \
    X(INT64, "int64")                                                                              \
    X(UINT32, "uint32")                                                                            \
    X(UINT64, "uint64")                                                                            \
    X(DOUBLE, "double")                                                                            \
    X(STRING, "string")                                                                            \
    X(BYTES, "bytes")                                                                              \
    X(QUANTITY, "quantity")                                                                        \
    X(TIME, "time")                                                                                \
    X(MICRO_TIME, "microTime")                                                                     \
    X(DURATION, "duration")                                                                        \
    X(INT_OR_STRING, "intOrString")                                                                \
    X(RAW, "rawObject")      /* runtime.RawExtension: protobuf message with the JSON in field 1 */ \
    X(FIELDS_V1, "fieldsV1") /* meta.FieldsV1: the same form */                                    \
    X(ANY_JSON, "anyJSON")   /* apiextensions.JSON: the same form */                               \
    X(STRING_LIST, "strings") /* element kind only; protobuf message with repeated string 1 */     \
    X(STRUCT, "struct")                                                                            \
    X(SCHEMA_OR_BOOL, "schemaOrBool") /* apiextensions.JSONSchemaPropsOr*: struct schema_or_* */   \
    X(SCHEMA_OR_ARRAY, "schemaOrArray")                                                            \
    X(SCHEMA_OR_STRINGS, "schemaOrStringArray")

enum schema_kind {
#define X(name, text) SCHEMA_KIND_##name,
    SCHEMA_KINDS(X)
#undef X
        SCHEMA_KIND_MAX,
};

enum schema_shape {
    SCHEMA_ONE,
    SCHEMA_POINTER,
    SCHEMA_LIST,
    SCHEMA_MAP,
    SCHEMA_INLINE,
};

struct ktime {
    int64_t sec; /* since 1970-01-01T00:00:00Z; may be negative */
    int32_t nsec;
    bool set;
};

struct int_or_string {
    enum { INT_OR_STRING_UNSET, INT_OR_STRING_INT, INT_OR_STRING_STRING } type;
    int32_t i;
    struct str s;
};

/* The generic view of any LIST or MAP field. */
struct schema_list {
    void *items;
    uint32_t len;
};

struct schema_strings {
    struct str *items;
    uint32_t len;
};

/* Entries of maps by what they hold; maps of structs have entries of their own, laid out alike. */
struct schema_str_entry {
    struct str key;
    struct str value; /* all text kinds */
};
struct schema_strings_entry {
    struct str key;
    struct schema_strings value;
};
struct schema_time_entry {
    struct str key;
    struct ktime value;
};
struct schema_bool_entry {
    struct str key;
    bool value;
};
struct schema_int32_entry {
    struct str key;
    int32_t value;
};
struct schema_int64_entry {
    struct str key;
    int64_t value;
};

/* The apiextensions unions: a schema or a bool, a schema or schemas, a schema or names. Lies as a
 * text kind does with POINTER: it has an unset state of its own. */
struct apiextensions_v1_json_schema_props;
struct schema_or {
    enum { SCHEMA_OR_UNSET, SCHEMA_OR_BOOL, SCHEMA_OR_ONE, SCHEMA_OR_MANY, SCHEMA_OR_NAMES } type;
    bool allows;                                       /* BOOL, and ONE of a schemaOrBool: true */
    struct apiextensions_v1_json_schema_props *schema; /* ONE */
    struct schema_list schemas;                        /* MANY: of the same struct */
    struct schema_strings names;                       /* NAMES */
};
struct schema_or_entry {
    struct str key;
    struct schema_or value;
};

/* A position in the schema's byte pool; 0 is the empty string and stands for "none". Strings in the
 * pool end with a NUL and are preceded by nothing; their length is strlen(). */
typedef uint32_t schema_off;

enum schema_field_flags {
    SCHEMA_REQUIRED = 1 << 0,     /* in OpenAPI's required list */
    SCHEMA_OMIT_EMPTY = 1 << 1,   /* zero value is left out of JSON (pointer: NULL is left out) */
    SCHEMA_PROTO_PACKED = 1 << 2, /* reserved for run-time schemas; built-in types never pack */
    SCHEMA_ATOMIC = 1 << 3,       /* server-side apply: list, map or struct owned as a whole */
    SCHEMA_LIST_SET = 1 << 4,     /* server-side apply: listType=set */
    SCHEMA_LIST_MAP = 1 << 5,     /* server-side apply: listType=map with list_keys */
    SCHEMA_PATCH_MERGE = 1 << 6,  /* strategic merge: patchStrategy has merge */
    SCHEMA_PATCH_RETAIN_KEYS = 1 << 7, /* strategic merge: patchStrategy has retainKeys */
    SCHEMA_IMMUTABLE = 1 << 8,         /* refused to change after create */
    SCHEMA_ENUM_CLOSED = 1 << 9,       /* a value outside the enum is refused */
    SCHEMA_DEPRECATED = 1 << 10,
    SCHEMA_JSON_HIDDEN = 1 << 11,   /* protobuf only */
    SCHEMA_OMIT_ZERO = 1 << 12,     /* omitzero: a zero struct or time is left out of JSON */
    SCHEMA_PATCH_REPLACE = 1 << 13, /* strategic merge: patchStrategy=replace */
    SCHEMA_OTHERS = 1 << 14,        /* MAP of ANY_JSON: the JSON object's members that no other
                                       field names; never a member itself */
};

struct schema_field {
    schema_off name;         /* JSON member name; "" for INLINE */
    schema_off doc;          /* short description, our own words */
    schema_off default_json; /* declared default as a JSON literal */
    schema_off patch_key;    /* strategic merge key */
    schema_off list_keys;    /* comma-separated keys of a listType=map */
    schema_off format;       /* OpenAPI format */
    uint32_t offset;         /* in the C struct */
    uint16_t type;           /* STRUCT: index of the type */
    uint16_t enum_set;       /* index into enums, 0: none */
    uint16_t proto_number;   /* 0: not in protobuf */
    uint16_t flags;          /* enum schema_field_flags */
    uint8_t name_len;
    uint8_t kind;  /* enum schema_kind: of the value, or of the elements */
    uint8_t shape; /* enum schema_shape */
    uint8_t pad;
};

enum schema_type_flags {
    SCHEMA_TYPE_OBJECT = 1 << 0, /* has apiVersion, kind and ObjectMeta */
    SCHEMA_TYPE_LIST = 1 << 1,   /* has apiVersion, kind, ListMeta and items */
    SCHEMA_TYPE_ATOMIC = 1 << 2, /* owned as a whole by server-side apply */
    SCHEMA_TYPE_TOP = 1 << 3,    /* has apiVersion and kind as its first, INLINE TypeMeta */
};

/* One JSON member of a type with INLINE structs flattened: how decoders find a field by name. */
struct schema_member {
    uint16_t field; /* global row index */
    uint16_t next;  /* next member of the same hash slot, 0xffff: none (index into members) */
    uint32_t base;  /* offset of the struct that declares it, inside the outer struct */
};

struct schema_type {
    schema_off name;          /* "Pod" */
    schema_off group;         /* "" for core; "meta.k8s.io" for meta */
    schema_off version;       /* "v1" */
    schema_off openapi_name;  /* "io.k8s.api.core.v1.Pod" */
    schema_off proto_package; /* "k8s.io.api.core.v1" */
    schema_off doc;
    uint32_t size; /* of the C struct */
    uint16_t
        first_field; /* rows [first_field, first_field + n_fields), own rows, INLINE unflattened */
    uint16_t n_fields;
    uint32_t first_member; /* members [first_member, + n_members), flattened, declaration order */
    uint32_t
        first_slot; /* hash slots [first_slot, + n_slots): member index in this type + 1, 0: none */
    uint16_t n_members;
    uint16_t n_slots; /* a power of two */
    uint16_t flags;   /* enum schema_type_flags */
    uint16_t align;
};

/* A set of string constants: values[first .. first + n), in declaration order. */
struct schema_enum {
    schema_off name;
    uint32_t first;
    uint16_t n;
    uint16_t pad;
};

struct schema {
    const char *pool;
    const struct schema_type *types;
    const struct schema_field *fields;
    /* For each type, at the same indexes as its fields: global row indexes in ascending protobuf
     * number, rows without one last. */
    const uint16_t *proto_order;
    const struct schema_member *members;
    const uint16_t *slots;
    const struct schema_enum *enums;
    const schema_off *enum_values;
    uint16_t n_types;
    uint16_t n_fields;
    uint16_t n_enums;
};

/* The tables of the built-in groups, as compiled. */
extern const struct schema schema_builtin;

static inline const char *schema_cstr(const struct schema *s, schema_off off)
{
    return s->pool + off;
}

static inline struct str schema_str(const struct schema *s, schema_off off)
{
    return str_from_cstr(s->pool + off);
}

static inline struct str schema_field_name(const struct schema *s, const struct schema_field *f)
{
    return str_n(s->pool + f->name, f->name_len);
}

/* The JSON member `name` of t, or NULL; *ret_base is the offset of its declaring struct in t's. */
const struct schema_field *schema_find_member(const struct schema *s, const struct schema_type *t,
                                              struct str name, uint32_t *ret_base);

/* The hash that kapic fills the slots by and schema_find_member() reads them by: over the name's
 * length, first, middle and last byte (declared here because both must agree). */
static inline uint32_t schema_name_hash(const char *p, size_t len)
{
    const unsigned char *u = (const unsigned char *)p;
    uint32_t h = (uint32_t)len * 0x9e3779b1U;

    if (len)
        h ^= (uint32_t)u[0] * 0x85ebca6bU ^ (uint32_t)u[len / 2] * 0xc2b2ae35U ^
             (uint32_t)u[len - 1] * 0x27d4eb2fU;
    return h ^ (h >> 15);
}

/* Type by name, e.g. ("", "v1", "Pod"); NULL when there is none. */
const struct schema_type *schema_find_type(const struct schema *s, struct str group,
                                           struct str version, struct str name);

size_t schema_kind_size(const struct schema *s, uint8_t kind, uint16_t type);  /* of one element */
size_t schema_kind_align(const struct schema *s, uint8_t kind, uint16_t type); /* of one element */
/* Size of a MAP's entry and where the value lies in it (the key is first). */
size_t schema_map_entry_size(const struct schema *s, const struct schema_field *f,
                             size_t *ret_value_offset);
