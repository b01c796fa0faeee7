/* Validation of whole objects by rows (rules.h): one walk over the object by the schema; at each
 * struct the rows of its type are checked, wherever the type occurs. All errors are collected. */
#pragma once

#include <stdbool.h>

#include "api/name_rules.h"
#include "api/object.h"

struct field_errors;
struct meta_rules;

enum validation_part {
    VALIDATION_MAIN,   /* the object through its own endpoint */
    VALIDATION_STATUS, /* .../status and .../approval: the spec is the stored one */
    VALIDATION_OTHER,  /* another subresource: metadata and immutability only */
};

struct validation_request {
    struct object object;          /* defaulted, strategy applied */
    struct object old;             /* data NULL: create */
    const struct meta_rules *meta; /* NULL: metadata is not looked at */
    enum validation_part part;
};

/* Metadata first, then the rows of the object's type and of every type below it. */
void validation_run(const struct validation_request *req, struct field_errors *errs);
/* Rows that name a type or field that the schema lacks; a test wants 0. */
size_t validation_unknown_rules(void);
/* Rows that are checked somewhere in an object of the type, each once. For documentation. */
size_t validation_count_rules(const struct schema *s, const struct schema_type *t);
struct rule;
/* For tests: told of each row that is looked at where it has something to say, and whether it did.
 * Set before anything is validated. */
typedef void (*validation_seen_fn)(const struct rule *r, bool refused);
void validation_observe(validation_seen_fn fn);
void validation_each_rule(void (*fn)(const struct rule *r));
/* Does the type (or one below it) have any row? For tests. */
bool validation_has_rules(const struct schema *s, const struct schema_type *t);
