/* Server-side printing: meta.k8s.io/v1 Tables, which `kubectl get` shows. Columns and simple cells
 * come from the resource's rows; cells that must be worked out are functions (table_cells.h). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/object.h"

struct arena;
struct buf;
struct err;
struct resource;

enum table_include { TABLE_INCLUDE_METADATA, TABLE_INCLUDE_NONE, TABLE_INCLUDE_OBJECT };

struct table_options {
    enum table_include include; /* what rows[].object is */
    struct str version;         /* of meta.k8s.io: "v1", "v1beta1" */
    int64_t now_s;              /* for ages */
};

/* "Metadata" (or unset), "None", "Object"; false: none of these. */
bool table_parse_include(struct str text, enum table_include *ret);

/* The parts of a Table's JSON, for lists that are printed as they are read:
 *   {"kind":"Table","apiVersion":...,"metadata":META, table_print_columns() ,"rows":[ row , row ]}
 */
void table_print_columns(struct buf *b, const struct resource *r); /* "columnDefinitions":[...] */
void table_print_row(struct arena *a, struct buf *b, const struct resource *r, struct object o,
                     const struct table_options *opts);
/* A whole Table of one object, as JSON. Without columns in watch events after the first. */
void table_print_one(struct arena *a, struct buf *b, const struct resource *r, struct object o,
                     bool with_columns, const struct table_options *opts);
