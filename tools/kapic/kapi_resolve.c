/* Ties the parsed files together: names to types, inline structs to members, everything to its
 * index. */
#include "api/schema.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "kapi.h"

enum { MAX_INLINE_DEPTH = 4 };

static const struct str kind_words[SCHEMA_KIND_MAX] = {
#define X(name, text) [SCHEMA_KIND_##name] = STR_INIT(text),
    SCHEMA_KINDS(X)
#undef X
};

/* Words that C, its headers or our banned list take. */
static const char *const c_keywords[] = {
    "asm",     "auto",     "bool",     "break",  "case",   "char",   "const",  "continue",
    "default", "do",       "double",   "else",   "enum",   "errno",  "extern", "false",
    "float",   "for",      "goto",     "if",     "inline", "int",    "linux",  "long",
    "rand",    "register", "restrict", "return", "short",  "signed", "sizeof", "static",
    "struct",  "switch",   "system",   "true",   "typeof", "union",  "unix",   "unsigned",
    "void",    "volatile", "while",
};

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* A new word begins at an upper-case letter after a lower-case one ("nodeName"), and at the last
 * upper-case letter of a run that a lower-case word follows ("HTTPGet"), a plural "s" aside
 * ("podIPs"). */
static bool begins_word(struct str s, size_t i)
{
    bool plural;

    if (i == 0 || !is_upper(s.p[i]))
        return false;
    if (is_lower_or_digit(s.p[i - 1]))
        return true;
    plural = i + 1 < s.len && s.p[i + 1] == 's' && (i + 2 == s.len || is_upper(s.p[i + 2]));
    return is_upper(s.p[i - 1]) && i + 1 < s.len && is_lower_or_digit(s.p[i + 1]) && !plural;
}

char *kapi_c_name(struct arena *a, struct str s)
{
    struct buf b;

    buf_init_arena(&b, a, s.len * 2 + 2);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        if (begins_word(s, i))
            buf_append_char(&b, '_');
        if (c == '$' || c == '-' || c == '.')
            c = '_';
        buf_append_char(&b, is_upper(c) ? (char)(c - 'A' + 'a') : c);
    }
    for (size_t i = 0; i < ARRAY_LEN(c_keywords); i++) {
        if (str_eq(buf_str(&b), str_from_cstr(c_keywords[i])))
            buf_append_char(&b, '_');
    }
    return (char *)(uintptr_t)buf_cstr(&b);
}

const struct kapi_type *kapi_find_type(const struct kapi *k, struct str label, struct str version,
                                       struct str name)
{
    VEC_FOREACH(struct kapi_type **, p, &k->types) {
        const struct kapi_type *t = *p;

        if (str_eq(t->name, name) && str_eq(t->group->label, label) &&
            str_eq(t->group->version, version))
            return t;
    }
    return NULL;
}

/* "Pod" of the group at hand, or "core/v1.Pod". */
static const struct kapi_type *type_by_text(const struct kapi *k, const struct kapi_group *g,
                                            struct str text)
{
    ptrdiff_t dot = str_rfind(text, '.');
    struct str label, version;

    if (dot < 0)
        return kapi_find_type(k, g->label, g->version, text);
    if (!str_cut(str_sub(text, 0, (size_t)dot), '/', &label, &version))
        return NULL;
    return kapi_find_type(k, label, version, str_tail(text, (size_t)dot + 1));
}

static int kind_of(struct str text)
{
    for (int i = 0; i < SCHEMA_KIND_MAX; i++) {
        if (i != SCHEMA_KIND_STRUCT && str_eq(text, kind_words[i]))
            return i;
    }
    return SCHEMA_KIND_STRUCT;
}

static const struct kapi_enum *enum_by_name(const struct kapi_group *g, struct str name)
{
    VEC_FOREACH(struct kapi_enum **, p, &g->enums) {
        if (str_eq((*p)->name, name))
            return *p;
    }
    return NULL;
}

static int resolve_field(struct kapi *k, const struct kapi_type *t, struct kapi_field *f,
                         struct err *err)
{
    f->kind = (uint8_t)kind_of(f->type_text);
    f->c_name = kapi_c_name(k->arena, f->name);
    if (f->kind == SCHEMA_KIND_STRUCT)
        f->type = type_by_text(k, t->group, f->type_text);
    else if (f->kind >= SCHEMA_KIND_SCHEMA_OR_BOOL)
        f->type = kapi_find_type(k, t->group->label, t->group->version, STR("JSONSchemaProps"));
    if (!f->type && (f->kind == SCHEMA_KIND_STRUCT || f->kind >= SCHEMA_KIND_SCHEMA_OR_BOOL))
        return kapi_error(err, f->place, "unknown type '%.*s'", STR_ARG(f->type_text));
    if (f->shape == SCHEMA_INLINE && f->kind != SCHEMA_KIND_STRUCT)
        return kapi_error(err, f->place, "only a struct can be inline");
    if (f->enum_name.len) {
        f->values = enum_by_name(t->group, f->enum_name);
        if (!f->values)
            return kapi_error(err, f->place, "unknown enum '%.*s'", STR_ARG(f->enum_name));
    }
    VEC_FOREACH(struct kapi_field *, other, &t->fields) {
        if (other >= f)
            break;
        if (str_eq(other->name, f->name))
            return kapi_error(err, f->place, "'%.*s' stands twice", STR_ARG(f->name));
        if (f->number && other->number == f->number)
            return kapi_error(err, f->place, "protobuf number %d stands twice", f->number);
    }
    return 0;
}

/* Opens inline structs; base is the C expression of the offset of `inner` in the outer struct. */
static int add_members(struct kapi *k, struct kapi_type *outer, const struct kapi_type *inner,
                       const char *base, int depth, struct err *err)
{
    if (depth > MAX_INLINE_DEPTH)
        return kapi_error(err, outer->place, "structs inline in each other too deeply");
    VEC_FOREACH(const struct kapi_field *, f, &inner->fields) {
        if (f->shape == SCHEMA_INLINE) {
            struct str deeper = arena_printf(k->arena, "%s + offsetof(struct %s, %s)", base,
                                             inner->c_name, f->c_name);
            int r = add_members(k, outer, f->type, deeper.p, depth + 1, err);

            if (r < 0)
                return r;
            continue;
        }
        VEC_FOREACH(const struct kapi_member *, m, &outer->members) {
            if (str_eq(m->field->name, f->name))
                return kapi_error(err, f->place, "'%.*s' stands twice in '%.*s'", STR_ARG(f->name),
                                  STR_ARG(outer->name));
        }
        VEC_PUSH(&outer->members, (struct kapi_member){ f, (char *)(uintptr_t)base });
    }
    return 0;
}

/* A struct holds others by value: each must be defined before, and none may hold itself. */
static int check_by_value(struct kapi_type *t, struct err *err)
{
    if (t->placed == KAPI_PLACED)
        return 0;
    if (t->placed == KAPI_PLACING)
        return kapi_error(err, t->place, "'%.*s' holds itself by value", STR_ARG(t->name));
    t->placed = KAPI_PLACING;
    VEC_FOREACH(const struct kapi_field *, f, &t->fields) {
        int r;

        if (f->kind != SCHEMA_KIND_STRUCT || (f->shape != SCHEMA_ONE && f->shape != SCHEMA_INLINE))
            continue;
        r = check_by_value((struct kapi_type *)(uintptr_t)f->type, err);
        if (r < 0)
            return r;
    }
    t->placed = KAPI_PLACED;
    return 0;
}

static int resolve_resource(struct kapi *k, struct kapi_resource *x, struct err *err)
{
    const struct kapi_group *g = x->group;

    x->type = type_by_text(k, g, x->kind);
    if (!x->type)
        return kapi_error(err, x->place, "unknown kind '%.*s'", STR_ARG(x->kind));
    x->list_type = kapi_find_type(k, g->label, g->version,
                                  arena_printf(k->arena, "%.*sList", STR_ARG(x->kind)));
    if (x->store_prefix.len) {
        x->storage_type = type_by_text(k, g, x->store_type);
        if (!x->storage_type)
            return kapi_error(err, x->place, "unknown type '%.*s'", STR_ARG(x->store_type));
    }
    VEC_FOREACH(struct kapi_sub *, s, &x->subs) {
        s->type = type_by_text(k, g, s->type_text);
        if (!s->type)
            return kapi_error(err, x->place, "unknown kind '%.*s' of '%.*s'", STR_ARG(s->type_text),
                              STR_ARG(s->name));
    }
    VEC_FOREACH(struct kapi_resource **, other, &g->resources) {
        if (*other == x)
            break;
        if (str_eq((*other)->name, x->name))
            return kapi_error(err, x->place, "resource '%.*s' stands twice", STR_ARG(x->name));
    }
    return 0;
}

static int add_type(struct kapi *k, struct kapi_type *t, struct err *err)
{
    if (kapi_find_type(k, t->group->label, t->group->version, t->name))
        return kapi_error(err, t->place, "type '%.*s' stands twice", STR_ARG(t->name));
    t->c_name =
        (char *)(uintptr_t)arena_printf(k->arena, "%.*s_%.*s_%s", STR_ARG(t->group->label),
                                        STR_ARG(t->group->version), kapi_c_name(k->arena, t->name))
            .p;
    t->index = (uint16_t)k->types.len;
    VEC_PUSH(&k->types, t);
    return 0;
}

static int resolve_type(struct kapi *k, struct kapi_type *t, struct err *err)
{
    VEC_FOREACH(struct kapi_field *, f, &t->fields) {
        int r = resolve_field(k, t, f, err);

        if (r < 0)
            return r;
    }
    return 0;
}

static int index_everything(struct kapi *k, struct err *err)
{
    int r;

    VEC_FOREACH(struct kapi_group **, g, &k->groups) {
        VEC_FOREACH(struct kapi_type **, t, &(*g)->types) {
            r = add_type(k, *t, err);
            if (r < 0)
                return r;
        }
        VEC_FOREACH(struct kapi_enum **, e, &(*g)->enums) {
            VEC_PUSH(&k->enums, *e);
            (*e)->index = (uint16_t)k->enums.len;
        }
    }
    return 0;
}

int kapi_resolve(struct kapi *k, struct err *err)
{
    uint16_t row = 0;
    int r = index_everything(k, err);

    if (r < 0)
        return r;
    VEC_FOREACH(struct kapi_type **, t, &k->types) {
        r = resolve_type(k, *t, err);
        if (r < 0)
            return r;
    }
    VEC_FOREACH(struct kapi_type **, t, &k->types) {
        r = check_by_value(*t, err);
        if (r >= 0)
            r = add_members(k, *t, *t, "0", 0, err);
        if (r < 0)
            return r;
        VEC_FOREACH(struct kapi_field *, f, &(*t)->fields) {
            f->row = row++;
        }
    }
    VEC_FOREACH(struct kapi_group **, g, &k->groups) {
        VEC_FOREACH(struct kapi_resource **, x, &(*g)->resources) {
            r = resolve_resource(k, *x, err);
            if (r < 0)
                return r;
        }
    }
    return 0;
}
