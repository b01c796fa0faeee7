/* The OpenAPI definitions of a custom resource: its kind and its list kind, made of the schema's
 * JSON. Version 2 leaves out what its readers do not understand, as upstream does. */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct apiextensions_v1_json_schema_props;
struct arena;
struct buf;
struct custom_resource;

/* "com.example.v1.Widget" */
struct str custom_openapi_name(struct arena *a, struct str group, struct str version,
                               struct str kind);
/* "com.example.v1.Widget":{...},"com.example.v1.WidgetList":{...} */
void custom_openapi_print(struct arena *a, struct buf *b, const struct custom_resource *c,
                          const struct apiextensions_v1_json_schema_props *schema, bool v2);
