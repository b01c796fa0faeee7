/* The model that the schema compiler works on: what the .kapi files say (docs/kapi.md), resolved.
 * All of it lives in one arena until the program ends. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "base/vec.h"

struct arena;
struct buf;
struct err;
struct kapi_group;
struct kapi_type;

struct kapi_place {
    const char *file;
    int line;
};

struct kapi_enum {
    struct kapi_place place;
    struct str name;
    struct VEC(struct str) values;
    uint16_t index; /* in the tables; 0 is "none" */
};

struct kapi_field {
    struct kapi_place place;
    struct str name; /* JSON member; of an inline one the name of its C member */
    struct str doc;
    struct str type_text; /* without shape */
    struct str default_json;
    struct str enum_name;
    struct str patch_key;
    struct str list_keys;
    uint8_t shape;  /* enum schema_shape */
    uint8_t kind;   /* enum schema_kind */
    uint16_t flags; /* enum schema_field_flags */
    uint16_t number;
    const struct kapi_type *type; /* STRUCT and schemaOr* */
    const struct kapi_enum *values;
    char *c_name;
    uint16_t row; /* global index */
};

/* A JSON member with inline structs opened: the field and where its struct lies in the outer one.
 */
struct kapi_member {
    const struct kapi_field *field;
    char *base; /* C expression: "0" or "offsetof(...) + ..." */
};

struct kapi_type {
    struct kapi_place place;
    const struct kapi_group *group;
    struct str name;
    struct str doc;
    bool atomic;
    struct VEC(struct kapi_field) fields;
    struct VEC(struct kapi_member) members;
    char *c_name; /* "core_v1_pod_spec" */
    uint16_t index;
    enum { KAPI_NOT_PLACED, KAPI_PLACING, KAPI_PLACED } placed; /* in the order of C definitions */
};

struct kapi_sub {
    struct str name, type_text;
    unsigned verbs;
    bool connect;
    const struct kapi_type *type;
};

struct kapi_column {
    struct str name, type, cell;
    bool is_name;
    int priority;
};

struct kapi_resource {
    struct kapi_place place;
    const struct kapi_group *group;
    struct str name, kind, singular, short_names, categories, store_prefix, store_type, selectable,
        indexed, generation, reset_main, reset_status, name_rule;
    int name_max;
    unsigned verbs, flags;
    struct VEC(struct kapi_sub) subs;
    struct VEC(struct kapi_column) columns;
    const struct kapi_type *type, *list_type, *storage_type;
};

struct kapi_group {
    struct kapi_place place;
    struct str label; /* "core" */
    struct str version;
    struct str name; /* "" for core */
    struct str proto, openapi, stability;
    struct str docs; /* "apps/v1 ...": whose descriptions this one's types share */
    unsigned priority, version_priority, order; /* order 0: no group of the API (meta) */
    bool preferred, served;
    struct VEC(struct kapi_enum *) enums;
    struct VEC(struct kapi_type *) types;
    struct VEC(struct kapi_resource *) resources;
};

/* What every field of this name and type says that has no text of its own. */
struct kapi_common {
    struct kapi_place place;
    struct str name, type_text, doc;
    bool used;
};

struct kapi {
    struct arena *arena;
    struct VEC(struct kapi_common) commons;
    struct VEC(struct kapi_group *) groups;
    struct VEC(struct kapi_type *) types; /* all, in order of index */
    struct VEC(struct kapi_enum *) enums; /* all, in order of index - 1 */
};

/* "file:line: text" in err; ERR_SYNTAX. */
int kapi_error(struct err *err, struct kapi_place place, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Reads one file into k. text must live as long as k. */
int kapi_parse(struct kapi *k, const char *file, struct str text, struct err *err);
/* After all files: names to types, enums to values, C names, indexes, members; refuses duplicates,
 * unknown types and structs that hold themselves by value. */
int kapi_resolve(struct kapi *k, struct err *err);
/* After kapi_resolve(): gives each type and field without a text of its own one that it shares with
 * others, and refuses those that are left without. */
int kapi_describe(struct kapi *k, struct err *err);
const struct kapi_type *kapi_find_type(const struct kapi *k, struct str label, struct str version,
                                       struct str name);

/* Emitters. */
void kapi_emit_header(const struct kapi *k, const struct kapi_group *g, struct buf *b);
void kapi_emit_tables(const struct kapi *k, struct buf *b);
void kapi_emit_resources(const struct kapi *k, struct buf *b);
/* "podIPs" -> "pod_ips", "default" -> "default_" */
char *kapi_c_name(struct arena *a, struct str name);
