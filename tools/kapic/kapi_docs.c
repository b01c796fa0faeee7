/* Descriptions of types and fields. One that has no text of its own takes, in this order:
 *   - that of the same type and field in the group versions that its group names with `docs`;
 *   - a list: "A list of ... objects."; its items: "The objects of the list.";
 *   - the first `common` line for its name and type;
 *   - that of the struct that it holds.
 * Everything must say something. */
#include "api/schema.h"
#include "base/arena.h"
#include "base/err.h"
#include "kapi.h"

static const struct kapi_field *find_field(const struct kapi_type *t, struct str name)
{
    VEC_FOREACH(const struct kapi_field *, f, &t->fields) {
        if (str_eq(f->name, name))
            return f;
    }
    return NULL;
}

static void describe_from(struct kapi_type *t, const struct kapi_type *other)
{
    if (!t->doc.len)
        t->doc = other->doc;
    VEC_FOREACH(struct kapi_field *, f, &t->fields) {
        const struct kapi_field *same = f->doc.len ? NULL : find_field(other, f->name);

        if (same)
            f->doc = same->doc;
    }
}

/* Texts of the group versions that the type's group names. */
static int share(struct kapi *k, struct kapi_type *t, struct err *err)
{
    struct str rest = t->group->docs, word, label, version;

    while (str_next(&rest, ' ', &word)) {
        const struct kapi_type *other;
        bool known = false;

        if (!word.len)
            continue;
        (void)str_cut(word, '/', &label, &version);
        VEC_FOREACH(struct kapi_group **, g, &k->groups) {
            known |= str_eq((*g)->label, label) && str_eq((*g)->version, version);
        }
        if (!known)
            return kapi_error(err, t->group->place, "docs of unknown group '%.*s'", STR_ARG(word));
        other = kapi_find_type(k, label, version, t->name);
        if (other)
            describe_from(t, other);
    }
    return 0;
}

static bool is_list(const struct kapi_type *t)
{
    const struct kapi_field *meta = find_field(t, STR("metadata"));

    return str_has_suffix(t->name, STR("List")) && meta && meta->kind == SCHEMA_KIND_STRUCT &&
           str_eq(meta->type->name, STR("ListMeta"));
}

static void describe_list(struct kapi *k, struct kapi_type *t)
{
    if (!t->doc.len)
        t->doc =
            arena_printf(k->arena, "A list of %.*s objects.", (int)(t->name.len - 4), t->name.p);
    VEC_FOREACH(struct kapi_field *, f, &t->fields) {
        if (!f->doc.len && str_eq(f->name, STR("items")))
            f->doc = STR("The objects of the list.");
    }
}

/* The type as a common line spells it: "[]string", "map[]quantity", "*int32". */
static bool type_is(const struct kapi_field *f, struct str text)
{
    static const struct str marks[] = {
        [SCHEMA_LIST] = STR_INIT("[]"),
        [SCHEMA_MAP] = STR_INIT("map[]"),
        [SCHEMA_POINTER] = STR_INIT("*"),
    };
    struct str mark = f->shape < ARRAY_LEN(marks) ? marks[f->shape] : STR("");

    return str_has_prefix(text, mark) && str_eq(str_tail(text, mark.len), f->type_text);
}

static struct str common_text(struct kapi *k, const struct kapi_field *f)
{
    VEC_FOREACH(struct kapi_common *, c, &k->commons) {
        if (str_eq(c->name, f->name) &&
            (str_eq(c->type_text, STR("any")) || type_is(f, c->type_text))) {
            c->used = true;
            return c->doc;
        }
    }
    return STR("");
}

static int describe_type(struct kapi *k, struct kapi_type *t, struct err *err)
{
    int r = share(k, t, err);

    if (r < 0)
        return r;
    if (is_list(t))
        describe_list(k, t);
    if (!t->doc.len)
        return kapi_error(err, t->place, "type '%.*s' has no description", STR_ARG(t->name));
    return 0;
}

static int describe_fields(struct kapi *k, struct kapi_type *t, struct err *err)
{
    VEC_FOREACH(struct kapi_field *, f, &t->fields) {
        if (f->doc.len || f->shape == SCHEMA_INLINE)
            continue;
        f->doc = common_text(k, f);
        if (!f->doc.len && f->kind == SCHEMA_KIND_STRUCT)
            f->doc = f->type->doc;
        if (!f->doc.len)
            return kapi_error(err, f->place, "field '%.*s' of '%.*s' has no description",
                              STR_ARG(f->name), STR_ARG(t->name));
    }
    return 0;
}

int kapi_describe(struct kapi *k, struct err *err)
{
    int r;

    VEC_FOREACH(struct kapi_type **, t, &k->types) {
        r = describe_type(k, *t, err);
        if (r < 0)
            return r;
    }
    VEC_FOREACH(struct kapi_type **, t, &k->types) {
        r = describe_fields(k, *t, err);
        if (r < 0)
            return r;
    }
    VEC_FOREACH(const struct kapi_common *, c, &k->commons) {
        if (!c->used)
            return kapi_error(err, c->place, "no field takes this text");
    }
    return 0;
}
