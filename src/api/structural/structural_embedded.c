#include "api/structural/structural_embedded.h"

#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/meta_validation.h"
#include "api/name_rules.h"
#include "api/object_json.h"
#include "api/schema.h"
#include "api/structural/structural.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/value.h"

/* Calls fn for every embedded object at v or below; not for the root, which is one itself. */
struct walk {
    void (*fn)(struct value *v, const struct field_path *path, void *arg);
    void *arg;
};

static void walk(const struct walk *w, struct value *v, const struct structural *s,
                 const struct field_path *path)
{
    if (!(s->flags & STRUCTURAL_HAS_EMBEDDED))
        return;
    if (s->flags & STRUCTURAL_EMBEDDED && v->type == VALUE_OBJECT && path)
        w->fn(v, path, w->arg);
    for (uint32_t i = 0; v->type == VALUE_OBJECT && i < v->len; i++) {
        const struct structural *below = structural_member(s, v->members[i].key);
        struct field_path at = field_path_member(path, v->members[i].key);

        if (below)
            walk(w, &v->members[i].v, below, &at);
    }
    for (uint32_t i = 0; v->type == VALUE_ARRAY && s->items && i < v->len; i++) {
        struct field_path at = field_path_index(path, i);

        walk(w, &v->items[i], s->items, &at);
    }
}

static int decode_meta(struct arena *a, const struct value *v, struct object *ret,
                       struct object_json_strict *ret_strict, struct err *err)
{
    const struct schema_type *t =
        schema_find_type(&schema_builtin, STR("meta.k8s.io"), STR("v1"), STR("ObjectMeta"));
    struct buf b = { 0 };

    buf_init_arena(&b, a, 256);
    value_print(&b, v);
    return object_json_decode(a, &schema_builtin, t, buf_str(&b), ret, ret_strict, err);
}

/* --- settling --- */

struct settle {
    struct arena *arena;
    structural_unknown_fn *fn;
    void *arg;
};

/* 'unknown field "x"' of the metadata at path. */
static void tell(const struct settle *s, const struct field_path *path, struct str fault)
{
    static const struct str before = STR_INIT("unknown field \"");
    struct str at = field_path_print(s->arena, path);

    if (s->fn && str_has_prefix(fault, before) && fault.len > before.len)
        s->fn(arena_printf(s->arena, "%.*s.metadata.%.*s", STR_ARG(at),
                           STR_ARG(str_sub(fault, before.len, fault.len - 1))),
              s->arg);
}

static void settle_one(struct value *v, const struct field_path *path, void *arg)
{
    const struct settle *s = arg;
    struct arena *a = s->arena;
    struct object_json_strict faults = { 0 };
    struct value *meta = value_get(v, STR("metadata")), again;
    struct buf b = { 0 };
    struct object o;
    struct err err;

    if (!meta || meta->type != VALUE_OBJECT || decode_meta(a, meta, &o, &faults, &err) < 0)
        return; /* what is wrong is told by the checks */
    for (size_t i = 0; i < faults.len; i++)
        tell(s, path, faults.items[i]);
    buf_init_arena(&b, a, 256);
    object_json_encode(&b, o, NULL);
    if (value_parse(a, buf_str(&b), &again, NULL, &err) >= 0)
        *meta = again;
}

void structural_embedded_settle(struct arena *a, struct value *v, const struct structural *s,
                                structural_unknown_fn *fn, void *arg)
{
    struct settle settle = { .arena = a, .fn = fn, .arg = arg };
    const struct walk w = { .fn = settle_one, .arg = &settle };

    walk(&w, v, s, NULL);
}

/* --- checks --- */

static bool check_text(const struct value *v, const struct field_path *at,
                       struct field_errors *errs)
{
    struct buf b = { 0 };

    if (!v) {
        field_errors_add(errs, at, FIELD_ERROR_REQUIRED, "must not be empty");
        return false;
    }
    if (v->type != VALUE_STRING) {
        buf_init_arena(&b, errs->arena, 32);
        value_print(&b, v);
        field_errors_add_raw(errs, at, FIELD_ERROR_INVALID, buf_str(&b), "must be a string");
        return false;
    }
    if (!v->s.len)
        field_errors_add_text(errs, at, FIELD_ERROR_INVALID, v->s, "must not be empty");
    return v->s.len != 0;
}

static void check_kind(struct str kind, const struct field_path *at, struct field_errors *errs)
{
    char *folded = arena_dup(errs->arena, kind.p, kind.len);
    struct name_messages m = { .len = 0 };

    for (size_t i = 0; i < kind.len; i++)
        if (folded[i] >= 'A' && folded[i] <= 'Z')
            folded[i] = (char)(folded[i] - 'A' + 'a');
    name_rule_check(NAME_RULE_DNS1035_LABEL, str_n(folded, kind.len), &m);
    if (m.len)
        field_errors_add_text(errs, at, FIELD_ERROR_INVALID, kind,
                              "may have mixed case, but should otherwise match: %.*s",
                              STR_ARG(m.items[0]));
}

static void check_meta(const struct value *v, const struct field_path *at,
                       struct field_errors *errs)
{
    static const struct meta_rules rules = { .name_rule = NAME_RULE_PATH_SEGMENT };
    struct meta_v1_object_meta *meta;
    struct buf b = { 0 };
    struct object o;
    struct err err;

    if (decode_meta(errs->arena, v, &o, NULL, &err) < 0) {
        buf_init_arena(&b, errs->arena, 64);
        value_print(&b, v);
        field_errors_add_raw(errs, at, FIELD_ERROR_INVALID, buf_str(&b), "%s", err.text);
        return;
    }
    meta = o.data;
    if (!meta->name.len)
        meta->name = STR("fakename"); /* it may have none */
    meta->namespace = STR_NULL;
    meta_validate(errs, meta, &rules, at);
}

static void check_one(struct value *v, const struct field_path *path, void *arg)
{
    struct field_errors *errs = arg;
    const struct value *version = value_get(v, STR("apiVersion"));
    const struct value *kind = value_get(v, STR("kind")), *meta = value_get(v, STR("metadata"));
    struct field_path at = field_path_member(path, STR("apiVersion"));

    (void)check_text(version, &at, errs); /* the error is there */
    at = field_path_member(path, STR("kind"));
    if (check_text(kind, &at, errs))
        check_kind(kind->s, &at, errs);
    at = field_path_member(path, STR("metadata"));
    if (meta && meta->type != VALUE_NULL)
        check_meta(meta, &at, errs);
}

void structural_embedded_validate(struct value *v, const struct structural *s,
                                  const struct field_path *path, struct field_errors *errs)
{
    const struct walk w = { .fn = check_one, .arg = errs };

    walk(&w, v, s, path);
}
