#include "api/table.h"

#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/object_path.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/structural/custom_table.h"
#include "api/table_cells.h"
#include "api/table_columns.h"
#include "base/arena.h"
#include "base/buf.h"
#include "codec/json_writer.h"

/* What a resource without columns of its own shows. */
static const struct resource_column default_columns[] = {
    { STR_INIT("Name"), STR_INIT("string"), true, 0, STR_INIT(".metadata.name") },
    { STR_INIT("Created At"), STR_INIT("date"), false, 0, STR_INIT("created") },
};

static const struct cell_row *const cell_tables[] = { table_cells_common, table_cells_pod,
                                                      table_cells_core, table_cells_groups };

static size_t columns_of(const struct resource *r, const struct resource_column **ret)
{
    *ret = r->n_columns ? r->columns : default_columns;
    return r->n_columns ? r->n_columns : ARRAY_LEN(default_columns);
}

bool table_parse_include(struct str s, enum table_include *ret)
{
    if (!s.len || str_eq(s, STR("Metadata")))
        *ret = TABLE_INCLUDE_METADATA;
    else if (str_eq(s, STR("None")))
        *ret = TABLE_INCLUDE_NONE;
    else if (str_eq(s, STR("Object")))
        *ret = TABLE_INCLUDE_OBJECT;
    else
        return false;
    return true;
}

void table_print_columns(struct buf *b, const struct resource *r)
{
    const struct resource_column *c;
    size_t n = columns_of(r, &c);

    if (r->custom) {
        custom_table_print_columns(b, r->custom);
        return;
    }
    buf_append_lit(b, "\"columnDefinitions\":[");
    for (size_t i = 0; i < n; i++) {
        buf_printf(b, "%s{\"name\":\"%.*s\",\"type\":\"%.*s\",\"format\":\"%s\",\"description\":",
                   i ? "," : "", STR_ARG(c[i].name), STR_ARG(c[i].type),
                   c[i].is_name ? "name" : "");
        json_write_string(b, table_column_text(c[i].name));
        buf_printf(b, ",\"priority\":%u}", c[i].priority);
    }
    buf_append_char(b, ']');
}

/* --- cells --- */

static cell_fn *find_cell(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(cell_tables); i++) {
        for (const struct cell_row *row = cell_tables[i]; row->print; row++) {
            if (str_eq(row->name, name))
                return row->print;
        }
    }
    return NULL;
}

/* ".path" or ".path|text for unset" */
static void print_path(struct cell *c, struct str spec)
{
    struct str path, fallback;
    size_t begin = c->b->len;

    (void)str_cut(spec, '|', &path, &fallback);
    if (!object_path_print(c->b, c->o, path)) {
        c->b->len = begin;
        buf_append_str(c->b, fallback);
    }
}

static void print_text(struct cell *c, struct str spec)
{
    struct str name;
    cell_fn *print;

    if (str_has_prefix(spec, STR("."))) {
        print_path(c, spec);
        return;
    }
    (void)str_cut(spec, ':', &name, &c->argument);
    print = find_cell(name);
    if (print)
        print(c);
}

/* any: a number or a truth goes bare, whatever the column's type says. */
static bool is_bare(struct str type, bool any, struct str text)
{
    int64_t ignored;

    if ((any || str_eq(type, STR("integer")) || str_eq(type, STR("number"))) &&
        str_to_i64(text, &ignored))
        return true;
    return (any || str_eq(type, STR("boolean"))) &&
           (str_eq(text, STR("true")) || str_eq(text, STR("false")));
}

static void print_cell(struct arena *a, struct buf *b, const struct resource_column *col,
                       struct object o, int64_t now_s)
{
    CLEANUP(buf_done) struct buf text = { 0 };
    struct cell c = { .arena = a, .b = &text, .o = o, .now_s = now_s };
    bool any = str_has_prefix(col->cell, STR("="));

    print_text(&c, any ? str_tail(col->cell, 1) : col->cell);
    if (c.is_number || is_bare(col->type, any, buf_str(&text)))
        buf_append_str(b, buf_str(&text));
    else if (!text.len && str_eq(col->type, STR("integer")))
        buf_append_char(b, '0');
    else
        json_write_string(b, buf_str(&text));
}

/* --- rows --- */

static void print_partial(struct arena *a, struct buf *b, struct object o, struct str version)
{
    const struct schema_type *t = schema_find_type(&schema_builtin, STR("meta.k8s.io"), STR("v1"),
                                                   STR("PartialObjectMetadata"));
    struct object p = object_new(a, &schema_builtin, t);

    object_set_gvk(p, arena_printf(a, "meta.k8s.io/%.*s", STR_ARG(version)),
                   STR("PartialObjectMetadata"));
    if (object_meta(o))
        *object_meta(p) = *object_meta(o);
    object_json_encode(b, p, NULL);
}

void table_print_row(struct arena *a, struct buf *b, const struct resource *r, struct object o,
                     const struct table_options *opts)
{
    const struct resource_column *c;
    size_t n = columns_of(r, &c);

    buf_append_lit(b, "{\"cells\":[");
    if (r->custom)
        custom_table_print_cells(a, b, r->custom, o, opts->now_s);
    for (size_t i = 0; !r->custom && i < n; i++) {
        if (i)
            buf_append_char(b, ',');
        print_cell(a, b, &c[i], o, opts->now_s);
    }
    buf_append_lit(b, "],\"object\":");
    switch (opts->include) {
    case TABLE_INCLUDE_METADATA:
        print_partial(a, b, o, opts->version);
        break;
    case TABLE_INCLUDE_NONE:
        buf_append_lit(b, "null");
        break;
    case TABLE_INCLUDE_OBJECT:
        object_json_encode(b, o, NULL);
        break;
    }
    buf_append_char(b, '}');
}

void table_print_one(struct arena *a, struct buf *b, const struct resource *r, struct object o,
                     bool with_columns, const struct table_options *opts)
{
    const struct meta_v1_object_meta *m = object_meta(o);

    buf_printf(b, "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/%.*s\",\"metadata\":{",
               STR_ARG(opts->version));
    if (m && m->resource_version.len) {
        buf_append_lit(b, "\"resourceVersion\":");
        json_write_string(b, m->resource_version);
    }
    buf_append_lit(b, "},");
    if (with_columns)
        table_print_columns(b, r);
    else
        buf_append_lit(b, "\"columnDefinitions\":null");
    buf_append_lit(b, ",\"rows\":[");
    table_print_row(a, b, r, o, opts);
    buf_append_lit(b, "]}");
}
