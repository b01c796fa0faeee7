/* JSONPath as kubectl and CustomResourceDefinitions use it, over trees of values:
 *   .spec.list[0].name   ['a.b'] or \. in names   [*]   [1:3:2]   [-1]   ['a','b']   ..name
 *   .status.conditions[?(@.type=="Ready")].status
 * Paths are bounded in length; finding is bounded in steps, and what would take more finds less. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct arena;
struct err;
struct json_path;
struct value;

enum { JSON_PATH_MAX_BYTES = 4096, JSON_PATH_MAX_STEPS = 64 };

/* Without braces around it. ERR_INVALID. Nothing of text is kept. */
int json_path_parse(struct arena *a, struct str text, const struct json_path **ret,
                    struct err *err);
/* Whatever it finds, in order; returns how many were given to fn. */
typedef void json_path_fn(const struct value *v, void *arg);
size_t json_path_find(const struct json_path *p, const struct value *root, json_path_fn *fn,
                      void *arg);
/* The first it finds, or NULL. */
const struct value *json_path_first(const struct json_path *p, const struct value *root);
/* The same out of a budget of steps that several share. */
const struct value *json_path_first_of(const struct json_path *p, const struct value *root,
                                       int *steps);
/* Only names, at least one: what selectable fields and scale may be. */
bool json_path_is_simple(const struct json_path *p);
