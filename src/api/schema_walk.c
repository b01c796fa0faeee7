#include "api/schema_walk.h"

#include <stddef.h>

#include "base/arena.h"
#include "base/mem.h"

const struct schema_type *schema_walk_type(const struct schema *s, const char *name)
{
    struct str text = str_from_cstr(name), group, version;
    ptrdiff_t slash = str_find(text, '/');

    if (slash < 0)
        return NULL;
    group = str_sub(text, 0, (size_t)slash);
    if (!str_cut(str_tail(text, (size_t)slash + 1), '.', &version, &text))
        return NULL;
    if (str_eq(group, STR("core")))
        group = STR("");
    return schema_find_type(s, group, version, text);
}

static bool is_text(uint8_t kind)
{
    switch (kind) {
    case SCHEMA_KIND_STRING:
    case SCHEMA_KIND_BYTES:
    case SCHEMA_KIND_QUANTITY:
    case SCHEMA_KIND_RAW:
    case SCHEMA_KIND_FIELDS_V1:
    case SCHEMA_KIND_ANY_JSON:
        return true;
    }
    return false;
}

#define PROBE(struct_name, member)                                                                 \
    (struct schema_walk_probe)                                                                     \
    {                                                                                              \
        offsetof(struct_name, member), sizeof(((struct_name *)0)->member)                          \
    }

static struct schema_walk_probe probe_of(const struct schema_field *f)
{
    if (f->shape == SCHEMA_LIST || f->shape == SCHEMA_MAP)
        return PROBE(struct schema_list, len);
    if (is_text(f->kind))
        return f->shape == SCHEMA_POINTER ? PROBE(struct str, p) : PROBE(struct str, len);
    if (f->kind == SCHEMA_KIND_TIME || f->kind == SCHEMA_KIND_MICRO_TIME)
        return PROBE(struct ktime, set);
    if (f->kind == SCHEMA_KIND_INT_OR_STRING)
        return PROBE(struct int_or_string, type);
    if (f->shape == SCHEMA_POINTER)
        return (struct schema_walk_probe){ 0, sizeof(void *) };
    if (f->kind == SCHEMA_KIND_STRUCT)
        return (struct schema_walk_probe){ 0, 0 };
    return (struct schema_walk_probe){ 0, (uint32_t)schema_kind_size(NULL, f->kind, 0) };
}

struct schema_walk_probe schema_walk_probe(const struct schema_field *f, uint32_t field_offset)
{
    struct schema_walk_probe p = probe_of(f);

    p.offset += field_offset;
    return p;
}

bool schema_walk_is_zero(const struct schema_field *f, const void *at)
{
    return schema_walk_probe_is_zero(probe_of(f), at);
}

static struct str unquote(struct str json)
{
    return json.len >= 2 && json.p[0] == '"' ? str_sub(json, 1, json.len - 1) : STR_NULL;
}

static bool set_strings(struct arena *a, void *at, struct str json)
{
    struct schema_list *list = at;
    struct str rest = str_sub(json, 1, json.len - 1), part, *items;
    uint32_t n = 0;

    items = ARENA_NEW_ARRAY(a, struct str, json.len / 2 + 1);
    while (rest.len && str_next(&rest, ',', &part))
        items[n++] = unquote(str_trim(part));
    list->items = items;
    list->len = n;
    return true;
}

/* Room for a value: the field itself, or a new one that its pointer is set to. */
static void *place(struct arena *a, const struct schema *s, const struct schema_field *f, void *at)
{
    void *p;

    if (f->shape != SCHEMA_POINTER)
        return at;
    p = arena_zalloc(a, schema_kind_size(s, f->kind, f->type),
                     schema_kind_align(s, f->kind, f->type));
    *(void **)at = p;
    return p;
}

static bool set_number(const struct schema_field *f, void *at, int64_t n)
{
    switch (f->kind) {
    case SCHEMA_KIND_INT32:
        *(int32_t *)at = (int32_t)n;
        return true;
    case SCHEMA_KIND_UINT32:
        *(uint32_t *)at = (uint32_t)n;
        return true;
    case SCHEMA_KIND_INT64:
    case SCHEMA_KIND_UINT64:
        *(int64_t *)at = n;
        return true;
    case SCHEMA_KIND_DOUBLE:
        *(double *)at = (double)n;
        return true;
    }
    return false;
}

bool schema_walk_set_json(struct arena *a, const struct schema *s, const struct schema_field *f,
                          void *at, const char *json)
{
    struct str text = str_from_cstr(json);
    int64_t n;

    if (text.len == 0)
        return false;
    if (f->shape == SCHEMA_LIST)
        return f->kind == SCHEMA_KIND_STRING && text.p[0] == '[' && set_strings(a, at, text);
    if (f->shape == SCHEMA_MAP)
        return false;
    if (is_text(f->kind)) {
        struct str v = unquote(text);

        if (v.p)
            *(struct str *)at = v;
        return v.p != NULL;
    }
    if (f->kind == SCHEMA_KIND_STRUCT) {
        if (f->shape != SCHEMA_POINTER || !str_eq(text, STR("{}")))
            return false;
        (void)place(a, s, f, at);
        return true;
    }
    if (f->kind == SCHEMA_KIND_INT_OR_STRING) {
        struct int_or_string *v = at;

        if (text.p[0] == '"')
            *v = (struct int_or_string){ .type = INT_OR_STRING_STRING, .s = unquote(text) };
        else if (str_to_i64(text, &n))
            *v = (struct int_or_string){ .type = INT_OR_STRING_INT, .i = (int32_t)n };
        return v->type != INT_OR_STRING_UNSET;
    }
    if (f->kind == SCHEMA_KIND_BOOL) {
        *(bool *)place(a, s, f, at) = str_eq(text, STR("true"));
        return true;
    }
    return str_to_i64(text, &n) && set_number(f, place(a, s, f, at), n);
}

struct schema_walk_items schema_walk_items(const struct schema *s, const struct schema_field *f,
                                           void *at)
{
    struct schema_walk_items ret = { .first = at, .len = 1 };
    struct schema_list *list = at;

    switch ((enum schema_shape)f->shape) {
    case SCHEMA_ONE:
    case SCHEMA_INLINE:
        break;
    case SCHEMA_POINTER:
        ret.first = *(char **)at;
        ret.len = ret.first != NULL;
        break;
    case SCHEMA_LIST:
        ret.first = list->items;
        ret.len = list->len;
        ret.stride = schema_kind_size(s, f->kind, f->type);
        break;
    case SCHEMA_MAP:
        ret.stride = schema_map_entry_size(s, f, &ret.value_offset);
        ret.first = list->items ? (char *)list->items + ret.value_offset : NULL;
        ret.len = list->len;
        break;
    }
    return ret;
}

/* A type has something below it when one of its struct fields does: repeated until nothing
 * changes, because types refer to each other in circles. */
static void find_any(const struct schema *s, struct schema_walk_children *plan)
{
    bool changed = true;

    while (changed) {
        changed = false;
        for (uint16_t t = 0; t < s->n_types; t++)
            for (uint16_t i = 0; i < s->types[t].n_fields && !plan[t].any; i++) {
                const struct schema_field *f = &s->fields[s->types[t].first_field + i];

                if (f->kind == SCHEMA_KIND_STRUCT && plan[f->type].any)
                    plan[t].any = changed = true;
            }
    }
}

static struct schema_walk_child child_of(const struct schema *s, const struct schema_field *f)
{
    struct schema_walk_child c = { .field = f,
                                   .name = schema_field_name(s, f),
                                   .offset = f->offset,
                                   .type = f->type,
                                   .shape = f->shape };
    size_t value_offset = 0;

    if (f->shape == SCHEMA_MAP)
        c.stride = (uint32_t)schema_map_entry_size(s, f, &value_offset);
    else
        c.stride = (uint32_t)schema_kind_size(s, f->kind, f->type);
    c.value_offset = (uint32_t)value_offset;
    return c;
}

struct schema_walk_children *schema_walk_plan(const struct schema *s, const bool *has_own)
{
    struct schema_walk_children *plan = mem_zalloc(sizeof(*plan) * (s->n_types + 1U));

    for (uint16_t t = 0; t < s->n_types; t++)
        plan[t].any = has_own[t];
    find_any(s, plan);
    for (uint16_t t = 0; t < s->n_types; t++) {
        const struct schema_field *fields = &s->fields[s->types[t].first_field];

        if (!plan[t].any)
            continue;
        plan[t].items = mem_zalloc(sizeof(*plan[t].items) * (s->types[t].n_fields + 1U));
        for (uint16_t i = 0; i < s->types[t].n_fields; i++)
            if (fields[i].kind == SCHEMA_KIND_STRUCT && plan[fields[i].type].any)
                plan[t].items[plan[t].len++] = child_of(s, &fields[i]);
    }
    return plan;
}
