/* What a schema of a CustomResourceDefinition may say, in upstream's words: it is structural, its
 * extensions fit together, its defaults are what it would accept. */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct apiextensions_v1_json_schema_props;
struct field_errors;
struct field_path;

/* Formats of the schema, and below, that nobody checks. False: fn wants no more. The schema has
 * passed the check. */
typedef bool schema_rules_format_fn(struct str format, void *arg);
bool schema_rules_each_unknown_format(const struct apiextensions_v1_json_schema_props *schema,
                                      schema_rules_format_fn *fn, void *arg);

/* path: of openAPIV3Schema. Schemas that are nested too deeply are refused before they are walked.
 */
void schema_rules_check(const struct apiextensions_v1_json_schema_props *schema,
                        bool status_enabled, const struct field_path *path,
                        struct field_errors *errs);
