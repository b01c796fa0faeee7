/* Cells that must be worked out. A cell's text is appended to a buffer; whether it becomes a JSON
 * string or a number is the column's type. Included by table*.c alone. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/object.h"

struct arena;
struct buf;

struct cell {
    struct arena *arena;
    struct buf *b;
    struct object o;
    struct str argument; /* what follows "name:" in the column's row */
    int64_t now_s;
    bool is_number; /* set by the function: a number, though the column is called a string */
};

typedef void cell_fn(struct cell *c);

struct cell_row {
    struct str name;
    cell_fn *print;
};

/* One table a file, ended by a NULL function. */
extern const struct cell_row table_cells_common[];
extern const struct cell_row table_cells_pod[];
extern const struct cell_row table_cells_core[];
extern const struct cell_row table_cells_groups[];

/* --- for cell functions --- */
struct ktime;
void cell_text(struct cell *c, struct str s);
void cell_or(struct cell *c, struct str s, struct str fallback); /* fallback when s is empty */
void cell_age(struct cell *c, const struct ktime *t, struct str unset); /* time since t */
/* Joins: a comma before every part but the first. begin is the buffer's length before the first. */
void cell_join(struct cell *c, size_t begin, struct str part);
