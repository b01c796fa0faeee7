#include "api/structural/custom_table.h"

#include <math.h>

#include "api/meta_v1.h"
#include "api/object_value.h"
#include "api/structural/custom_resource.h"
#include "api/structural/json_path.h"
#include "api/table_columns.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/json_writer.h"
#include "codec/time_text.h"
#include "codec/value.h"

enum { ROW_STEPS_MAX = 200000 }; /* of all paths of a row */

void custom_table_print_columns(struct buf *b, const struct custom_resource *c)
{
    buf_append_lit(b, "\"columnDefinitions\":[");
    for (size_t i = 0; i < c->row.n_columns; i++) {
        const struct resource_column *col = &c->row.columns[i];

        buf_append_str(b, i ? STR(",{\"name\":") : STR("{\"name\":"));
        json_write_string(b, col->name);
        buf_append_lit(b, ",\"type\":");
        json_write_string(b, col->type);
        buf_append_lit(b, ",\"format\":");
        json_write_string(b, col->is_name ? STR("name") : col->format);
        buf_append_lit(b, ",\"description\":");
        json_write_string(b, col->is_name ? table_column_text(col->name) : col->description);
        buf_printf(b, ",\"priority\":%u}", col->priority);
    }
    buf_append_char(b, ']');
}

/* Text of any value, as columns of type string show it. */
static void print_string(struct buf *b, const struct value *v)
{
    CLEANUP(buf_done) struct buf text = { 0 };

    if (v->type == VALUE_STRING) {
        json_write_string(b, v->s);
        return;
    }
    value_print(&text, v);
    json_write_string(b, buf_str(&text));
}

static void print_date(struct buf *b, struct str s, int64_t now_s)
{
    int64_t sec;
    int32_t nsec;

    if (!time_text_parse(s, &sec, &nsec)) {
        buf_append_lit(b, "\"<invalid>\"");
        return;
    }
    buf_append_char(b, '"');
    time_text_print_age(b, now_s - sec);
    buf_append_char(b, '"');
}

static bool is_whole(double d)
{
    return fabs(d) < 9.2e18;
}

static void print_value(struct buf *b, struct str type, const struct value *v, int64_t now_s)
{
    if (str_eq(type, STR("string")))
        print_string(b, v);
    else if (str_eq(type, STR("date")) && v->type == VALUE_STRING)
        print_date(b, v->s, now_s);
    else if (str_eq(type, STR("boolean")) && v->type == VALUE_BOOL)
        value_print(b, v);
    else if (v->type == VALUE_INT && (str_eq(type, STR("integer")) || str_eq(type, STR("number"))))
        value_print(b, v);
    else if (v->type == VALUE_DOUBLE && str_eq(type, STR("number")))
        value_print(b, v);
    else if (v->type == VALUE_DOUBLE && str_eq(type, STR("integer")) && is_whole(v->d))
        buf_append_i64(b, (int64_t)v->d);
    else
        buf_append_lit(b, "null");
}

void custom_table_print_cells(struct arena *a, struct buf *b, const struct custom_resource *c,
                              struct object o, int64_t now_s)
{
    struct value tree;
    struct err err;
    bool is_read = object_value(a, o, &tree, &err) >= 0;
    int steps = ROW_STEPS_MAX;

    json_write_string(b, object_meta(o)->name);
    for (size_t i = 1; i < c->row.n_columns; i++) {
        const struct value *v =
            is_read ? json_path_first_of(c->column_paths[i - 1], &tree, &steps) : NULL;

        buf_append_char(b, ',');
        if (v && v->type != VALUE_NULL)
            print_value(b, c->row.columns[i].type, v, now_s);
        else
            buf_append_lit(b, "null");
    }
}
