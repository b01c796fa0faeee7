/* A structural schema as what structured merging must know of a type: who owns what in objects of
 * custom resources. */
#pragma once

#include "api/field_type.h"

struct structural;

/* Of whole objects: apiVersion, kind and metadata are as every object has them. Lives as long as
 * the schema. */
struct field_type structural_field_type(const struct structural *root);
