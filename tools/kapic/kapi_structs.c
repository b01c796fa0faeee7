/* C structs: one header a group version. A struct stands after those that it holds by value;
 * headers include those of the groups whose structs they hold by value, and declare the rest. */
#include "api/schema.h"
#include "base/buf.h"
#include "kapi.h"

/* How a value of a kind lies in C; STRUCT aside. */
static const char *const c_types[SCHEMA_KIND_MAX] = {
    [SCHEMA_KIND_BOOL] = "bool",
    [SCHEMA_KIND_INT32] = "int32_t",
    [SCHEMA_KIND_INT64] = "int64_t",
    [SCHEMA_KIND_UINT32] = "uint32_t",
    [SCHEMA_KIND_UINT64] = "uint64_t",
    [SCHEMA_KIND_DOUBLE] = "double",
    [SCHEMA_KIND_STRING] = "struct str",
    [SCHEMA_KIND_BYTES] = "struct str",
    [SCHEMA_KIND_QUANTITY] = "struct str",
    [SCHEMA_KIND_TIME] = "struct ktime",
    [SCHEMA_KIND_MICRO_TIME] = "struct ktime",
    [SCHEMA_KIND_DURATION] = "int64_t",
    [SCHEMA_KIND_INT_OR_STRING] = "struct int_or_string",
    [SCHEMA_KIND_RAW] = "struct str",
    [SCHEMA_KIND_FIELDS_V1] = "struct str",
    [SCHEMA_KIND_ANY_JSON] = "struct str",
    [SCHEMA_KIND_STRING_LIST] = "struct schema_strings",
    [SCHEMA_KIND_SCHEMA_OR_BOOL] = "struct schema_or",
    [SCHEMA_KIND_SCHEMA_OR_ARRAY] = "struct schema_or",
    [SCHEMA_KIND_SCHEMA_OR_STRINGS] = "struct schema_or",
};

/* The entry of a map of that kind. */
static const char *entry_type(uint8_t kind)
{
    switch (kind) {
    case SCHEMA_KIND_TIME:
    case SCHEMA_KIND_MICRO_TIME:
        return "struct schema_time_entry";
    case SCHEMA_KIND_STRING_LIST:
        return "struct schema_strings_entry";
    case SCHEMA_KIND_SCHEMA_OR_BOOL:
    case SCHEMA_KIND_SCHEMA_OR_ARRAY:
    case SCHEMA_KIND_SCHEMA_OR_STRINGS:
        return "struct schema_or_entry";
    case SCHEMA_KIND_BOOL:
        return "struct schema_bool_entry";
    case SCHEMA_KIND_INT32:
        return "struct schema_int32_entry";
    case SCHEMA_KIND_INT64:
        return "struct schema_int64_entry";
    default:
        return "struct schema_str_entry"; /* all text kinds */
    }
}

static bool is_pointer_in_c(const struct kapi_field *f)
{
    if (f->shape != SCHEMA_POINTER)
        return false;
    return f->kind <= SCHEMA_KIND_DOUBLE || f->kind == SCHEMA_KIND_DURATION ||
           f->kind == SCHEMA_KIND_STRUCT;
}

static void emit_field(const struct kapi_field *f, struct buf *b)
{
    struct buf type = { 0 };

    if (f->kind == SCHEMA_KIND_STRUCT)
        buf_printf(&type, "struct %s", f->type->c_name);
    else
        buf_append_str(&type, str_from_cstr(c_types[f->kind]));
    if (f->shape == SCHEMA_LIST) {
        buf_printf(b, "    struct {\n        %s *items;\n        uint32_t len;\n    } %s;\n",
                   buf_cstr(&type), f->c_name);
    } else if (f->shape == SCHEMA_MAP) {
        if (f->kind == SCHEMA_KIND_STRUCT)
            buf_append_lit(&type, "_entry");
        buf_printf(b, "    struct {\n        %s *items;\n        uint32_t len;\n    } %s;\n",
                   f->kind == SCHEMA_KIND_STRUCT ? buf_cstr(&type) : entry_type(f->kind),
                   f->c_name);
    } else {
        buf_printf(b, "    %s %s%s;\n", buf_cstr(&type), is_pointer_in_c(f) ? "*" : "", f->c_name);
    }
    buf_done(&type);
}

static bool holds_by_value(const struct kapi_field *f)
{
    return f->kind == SCHEMA_KIND_STRUCT && (f->shape == SCHEMA_ONE || f->shape == SCHEMA_INLINE);
}

/* Those of the same group that t holds by value first. Depth is bounded by the check for cycles. */
static void emit_struct(const struct kapi_group *g, struct kapi_type *t, struct buf *b)
{
    if (t->placed == KAPI_NOT_PLACED)
        return;
    t->placed = KAPI_NOT_PLACED;
    VEC_FOREACH(const struct kapi_field *, f, &t->fields) {
        if (holds_by_value(f) && f->type->group == g)
            emit_struct(g, (struct kapi_type *)(uintptr_t)f->type, b);
    }
    buf_printf(b, "struct %s {\n", t->c_name);
    VEC_FOREACH(const struct kapi_field *, f, &t->fields) {
        emit_field(f, b);
    }
    if (!t->fields.len)
        buf_append_lit(b, "    char no_fields;\n");
    buf_printf(b, "};\n\nstruct %s_entry {\n    struct str key;\n    struct %s value;\n};\n\n",
               t->c_name, t->c_name);
}

static void emit_includes(const struct kapi *k, const struct kapi_group *g, struct buf *b)
{
    VEC_FOREACH(struct kapi_group **, other, &k->groups) {
        bool needed = false;

        VEC_FOREACH(struct kapi_type **, t, &g->types) {
            VEC_FOREACH(const struct kapi_field *, f, &(*t)->fields) {
                needed |= holds_by_value(f) && f->type->group == *other;
            }
        }
        if (needed && *other != g)
            buf_printf(b, "#include \"api/%.*s_%.*s.h\"\n", STR_ARG((*other)->label),
                       STR_ARG((*other)->version));
    }
}

static void emit_declarations(const struct kapi_group *g, struct buf *b)
{
    VEC_FOREACH(struct kapi_type **, t, &g->types) {
        buf_printf(b, "struct %s;\nstruct %s_entry;\n", (*t)->c_name, (*t)->c_name);
        VEC_FOREACH(const struct kapi_field *, f, &(*t)->fields) {
            if (f->kind == SCHEMA_KIND_STRUCT && f->type->group != g && !holds_by_value(f))
                buf_printf(b, "struct %s;\nstruct %s_entry;\n", f->type->c_name, f->type->c_name);
        }
    }
}

void kapi_emit_header(const struct kapi *k, const struct kapi_group *g, struct buf *b)
{
    buf_printf(b, "/* Made by kapic from the API's .kapi files. */\n#pragma once\n\n"
                  "#include \"api/schema.h\"\n");
    emit_includes(k, g, b);
    buf_append_char(b, '\n');
    emit_declarations(g, b);
    buf_append_char(b, '\n');
    VEC_FOREACH(struct kapi_type **, t, &g->types) {
        emit_struct(g, *t, b);
    }
}
