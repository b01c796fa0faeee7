/* Validation rules: rows of {type, field, check, arguments}. A row is checked at every occurrence
 * of its type in an object, so that a rule of Container holds in Pods and in every template. What
 * no row can say is a named function, itself a row. Tables end with a row without type.
 *
 * They are C tables and no input of the schema compiler: a row may name a function, and the
 * compiler checks the spelling of checks; field names are checked when the plan is made (a test
 * fails on an unknown one). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/name_rules.h"
#include "api/schema.h"
#include "base/str.h"

struct arena;
struct field_errors;
struct field_path;
struct rule;
struct validation_request;

enum rule_check {
    RULE_REQUIRED,    /* unset or empty: Required value[: text] */
    RULE_FORBIDDEN,   /* set: Forbidden: text */
    RULE_ENUM,        /* text "A|B|C": a set text, or each of a list, is one: Unsupported value */
    RULE_ENUM_SET,    /* the same, for one that is set but empty, too; for an unset one that is no
                         pointer, too */
    RULE_NAME,        /* a set text, or each of a list of texts, obeys the name rule `min` */
    RULE_NAME_ALWAYS, /* the same, for an empty text, too */
    RULE_NAME_SET,    /* the same, for one that is set but empty, too */
    RULE_NAME_PREFIX, /* the same, as if something followed it */
    RULE_KEYS,        /* the keys of a map obey the name rule `min` */
    RULE_LABELS,      /* a map of labels, errors at the map itself */
    RULE_RANGE,     /* a number that is not zero, or set, is within min..max; else `text`, or "must
                       be between MIN and MAX, inclusive" */
    RULE_NUMBER,    /* the same, for zero, too */
    RULE_MIN,       /* a number is at least min: "must be greater than or equal to MIN" */
    RULE_UNIQUE,    /* list of structs: member `text` (texts) differs from item to item */
    RULE_ONE_OF,    /* of the members in `order` exactly one is set, and only the first one is
                       walked; text: when none is; the second one: Forbidden: what stands after
                       '|' in text */
    RULE_IMMUTABLE, /* an update leaves it equal: Invalid value: text, or "field is immutable" */
    RULE_LOCKED,    /* the same: Forbidden: text */
    RULE_MAX_ITEMS, /* a list has at most max items: Too many */
    RULE_MAX_BYTES, /* a text has at most max bytes: Too long[: text] */
    RULE_SET, /* a list of structs with at most max items (0: any number; Too many, and nothing
                 more, otherwise), which are walked now; then member `text`, if any, differs
                 from item to item: Duplicate value of the item */
    RULE_FN,
    RULE_DO,    /* a function that finds nothing wrong, but prepares what others look at */
    RULE_BELOW, /* the structs of a member ("*": of the embedded one) are walked now, not after all
                   rows; with fn, or of the members in `order`: by rule_below() of fn, or not at
                   all */
};

/* One struct under validation. old is the same place of the stored object, NULL on create, below
 * lists and where it is absent. */
struct rule_context {
    const struct validation_request *request;
    struct field_errors *errs;
    struct arena *arena; /* of the errors */
    const struct field_path *path;
    const void *data;
    const void *old;
    const struct rule_context *up; /* of the struct that holds this one; NULL: the object */
    struct rule_scratch *scratch;
    uint16_t type;
};

/* What the rows of a struct leave for those of what is below it, during one validation. */
struct rule_scratch {
    struct pod_scan *pod;    /* rules_pod_scan.h */
    struct rule_names *seen; /* rules_internal.h; of a Service: names of ports */
};

typedef void (*rule_fn)(const struct rule_context *c);

struct rule {
    const char *type;  /* "core/v1.Pod" */
    const char *field; /* member; NULL for ONE_OF and FN */
    enum rule_check check;
    int64_t min;
    int64_t max;
    const char *text;
    rule_fn fn;
    const char *order; /* of ONE_OF: "a|b:B|c::C": B: as it is named when it is one too many, C: as
                          it is named in paths below. Of FN: members that nothing else walks */
};

/* Walks the structs of a member that a RULE_BELOW row with a function names. */
void rule_below(const struct rule_context *c, const char *member);
/* One item of such a list or map. */
void rule_below_item(const struct rule_context *c, const char *member, uint32_t i);
/* The same for a list, as RULE_SET has it. key NULL: none. */
void rule_below_set(const struct rule_context *c, const char *member, uint32_t max,
                    const char *key);

extern const struct rule rules_core[];
extern const struct rule rules_pod[];
extern const struct rule rules_container[];
extern const struct rule rules_volume_sources[];
extern const struct rule rules_placement[];
extern const struct rule rules_service[];
extern const struct rule rules_apps[];
extern const struct rule rules_batch[];
extern const struct rule rules_autoscaling[];
extern const struct rule rules_rbac[];
extern const struct rule rules_networking[];
extern const struct rule rules_volumes[];
extern const struct rule rules_storage[];
extern const struct rule rules_cluster[];
extern const struct rule rules_discovery[];
extern const struct rule rules_admission[];
extern const struct rule rules_admission_policy[];
extern const struct rule rules_flowcontrol[];
extern const struct rule rules_certificates[];
extern const struct rule rules_devices[];
extern const struct rule rules_authorization[];
extern const struct rule rules_device_slice[];

/* Equality and printed form (JSON) of single fields of built-in types, for rules. */
bool rule_fields_equal(const struct schema_field *f, const void *a, const void *b);
/* A member of two structs of the type. */
bool rule_members_equal(const char *type, const char *member, const void *a, const void *b);
bool rule_structs_equal(const char *type, const void *a, const void *b);
struct str rule_print_value(struct arena *a, const struct schema_field *f, const void *at);
struct str rule_print_struct(struct arena *a, const char *type, const void *data);
/* With the names and the members that upstream's own types have. */
struct str rule_print_internal(struct arena *a, const char *type, const void *data);
struct str rule_print_member(struct arena *a, const char *type, const char *member,
                             const void *data); /* of a struct of the type */
/* What changed between two structs, over lines. */
struct str rule_print_diff(struct arena *a, const char *type, const void *before,
                           const void *after);
struct str rule_print_texts(struct arena *a, const struct str *texts, size_t n);
struct str rule_print_time(struct arena *a, struct ktime t);
struct str rule_print_map(struct arena *a, const void *string_map);
