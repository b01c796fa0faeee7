/* YAML in: one document of a stream to JSON text, by libyaml's events, with YAML 1.1 scalars as
 * Kubernetes reads them (sigs.k8s.io/yaml): true/false/yes/no/on/off unquoted are booleans,
 * integers and floats are numbers, timestamps stay strings, merge keys are applied, map keys become
 * strings. Anchors and aliases are bounded: the JSON made may not exceed limit_bytes (alias bombs).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct arena;
struct err;

/* The first document. An empty input gives "null". With strict, a duplicate key is ERR_INVALID with
 * upstream's text: 'yaml: unmarshal errors:\n  line 3: key "a" already set in map'. */
int yaml_to_json(struct arena *a, struct str yaml, bool strict, size_t limit_bytes,
                 struct str *ret_json, struct err *err);
/* JSON text (compact) to YAML as Kubernetes writes it: keys sorted, two-space indent, lists
 * unindented, strings quoted only where a reader would take them for something else. */
int yaml_from_json(struct arena *a, struct str json, struct str *ret_yaml, struct err *err);
