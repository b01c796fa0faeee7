/* The columns of a custom resource's Tables: what its definition says by JSONPath. */
#pragma once

#include <stdint.h>

#include "api/object.h"

struct arena;
struct buf;
struct custom_resource;

/* "columnDefinitions":[...] */
void custom_table_print_columns(struct buf *b, const struct custom_resource *c);
/* The cells of one row, separated by commas. */
void custom_table_print_cells(struct arena *a, struct buf *b, const struct custom_resource *c,
                              struct object o, int64_t now_s);
