#include "api/object_path.h"

#include "api/schema.h"
#include "base/buf.h"
#include "codec/time_text.h"

void *object_path_at(struct object o, struct str path, const struct schema_field **ret_field)
{
    const struct schema_type *t = o.type;
    const struct schema_field *f = NULL;
    char *base = o.data;
    struct str name;

    if (str_has_prefix(path, STR(".")))
        path = str_tail(path, 1);
    while (str_next(&path, '.', &name)) {
        uint32_t offset;

        if (f) { /* into the struct that the last step found */
            if (f->kind != SCHEMA_KIND_STRUCT || f->shape == SCHEMA_LIST || f->shape == SCHEMA_MAP)
                return NULL;
            base = f->shape == SCHEMA_POINTER ? *(char **)(void *)base : base;
            t = &o.schema->types[f->type];
        }
        f = base ? schema_find_member(o.schema, t, name, &offset) : NULL;
        if (!f)
            return NULL;
        base += offset + f->offset;
    }
    *ret_field = f;
    return f ? base : NULL;
}

static bool is_pointer(const struct schema_field *f)
{
    return f->shape == SCHEMA_POINTER &&
           (f->kind <= SCHEMA_KIND_DOUBLE || f->kind == SCHEMA_KIND_DURATION ||
            f->kind == SCHEMA_KIND_STRUCT);
}

const void *object_path_value(const struct schema_field *f, const void *at)
{
    return is_pointer(f) ? *(void *const *)at : at;
}

static bool print_time(struct buf *b, const struct schema_field *f, const struct ktime *t)
{
    if (!t->set)
        return false;
    if (f->kind == SCHEMA_KIND_MICRO_TIME)
        time_text_print_micro(b, t->sec, t->nsec);
    else
        time_text_print(b, t->sec);
    return true;
}

static bool print_int_or_string(struct buf *b, const struct int_or_string *v)
{
    if (v->type == INT_OR_STRING_INT)
        buf_append_i64(b, v->i);
    else
        buf_append_str(b, v->s);
    return v->type != INT_OR_STRING_UNSET;
}

/* The last step is a key of a map of texts or quantities. */
static bool print_entry(struct buf *b, struct object o, struct str path)
{
    ptrdiff_t dot = str_rfind(path, '.');
    const struct schema_field *f;
    const struct schema_list *l;
    const struct schema_str_entry *e;

    if (dot <= 0)
        return false;
    l = object_path_at(o, str_sub(path, 0, (size_t)dot), &f);
    if (!l || f->shape != SCHEMA_MAP ||
        (f->kind != SCHEMA_KIND_STRING && f->kind != SCHEMA_KIND_QUANTITY))
        return false;
    e = l->items;
    for (uint32_t i = 0; i < l->len; i++)
        if (str_eq(e[i].key, str_tail(path, (size_t)dot + 1))) {
            buf_append_str(b, e[i].value);
            return e[i].value.len != 0;
        }
    return false;
}

bool object_path_print(struct buf *b, struct object o, struct str path)
{
    const struct schema_field *f;
    const void *at = object_path_at(o, path, &f), *v = at ? object_path_value(f, at) : NULL;

    if (!at)
        return print_entry(b, o, path);
    if (!v || f->shape == SCHEMA_LIST || f->shape == SCHEMA_MAP)
        return false;
    switch ((enum schema_kind)f->kind) {
    case SCHEMA_KIND_BOOL:
        buf_append_str(b, *(const bool *)v ? STR("true") : STR("false"));
        return true;
    case SCHEMA_KIND_INT32:
        buf_append_i64(b, *(const int32_t *)v);
        return true;
    case SCHEMA_KIND_INT64:
        buf_append_i64(b, *(const int64_t *)v);
        return true;
    case SCHEMA_KIND_STRING:
    case SCHEMA_KIND_QUANTITY:
        buf_append_str(b, *(const struct str *)v);
        return ((const struct str *)v)->len != 0;
    case SCHEMA_KIND_TIME:
    case SCHEMA_KIND_MICRO_TIME:
        return print_time(b, f, v);
    case SCHEMA_KIND_INT_OR_STRING:
        return print_int_or_string(b, v);
    default:
        return false;
    }
}
