#include "api/schema_walk.h"

#include "base/arena.h"

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

bool schema_walk_is_zero(const struct schema_field *f, const void *at)
{
    static const char zeros[16];

    if (f->shape == SCHEMA_LIST || f->shape == SCHEMA_MAP)
        return ((const struct schema_list *)at)->len == 0;
    if (is_text(f->kind)) {
        const struct str *s = at;

        return f->shape == SCHEMA_POINTER ? s->p == NULL : s->len == 0;
    }
    if (f->kind == SCHEMA_KIND_TIME || f->kind == SCHEMA_KIND_MICRO_TIME)
        return !((const struct ktime *)at)->set;
    if (f->kind == SCHEMA_KIND_INT_OR_STRING)
        return ((const struct int_or_string *)at)->type == INT_OR_STRING_UNSET;
    if (f->shape == SCHEMA_POINTER)
        return *(void *const *)at == NULL;
    if (f->kind == SCHEMA_KIND_STRUCT)
        return false;
    switch (f->kind) {
    case SCHEMA_KIND_BOOL:
        return !*(const bool *)at;
    case SCHEMA_KIND_INT32:
    case SCHEMA_KIND_UINT32:
        return memcmp(at, zeros, 4) == 0;
    case SCHEMA_KIND_INT64:
    case SCHEMA_KIND_UINT64:
    case SCHEMA_KIND_DURATION:
        return memcmp(at, zeros, 8) == 0;
    case SCHEMA_KIND_DOUBLE:
        return *(const double *)at == 0;
    }
    return false;
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
