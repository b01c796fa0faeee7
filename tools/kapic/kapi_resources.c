/* The rows of api/resource.h. */
#include <stdlib.h>

#include "api/resource.h"
#include "base/buf.h"
#include "kapi.h"

static void emit_str(struct buf *b, const char *member, struct str s)
{
    if (!s.len)
        return;
    buf_printf(b, "        .%s = STR_INIT(\"%.*s\"),\n", member, STR_ARG(s));
}

static void emit_type(struct buf *b, const char *member, const struct kapi_type *t)
{
    if (t)
        buf_printf(b, "        .%s = &RESOURCE_TYPES[%d], /* %s */\n", member, t->index, t->c_name);
}

/* The name that a resource's own arrays bear. */
static void emit_array_name(struct buf *b, const struct kapi_resource *x, const char *what)
{
    buf_printf(b, "%.*s_%.*s_%.*s_%s", STR_ARG(x->group->label), STR_ARG(x->group->version),
               STR_ARG(x->name), what);
}

static void emit_subs(const struct kapi_resource *x, struct buf *b)
{
    if (!x->subs.len)
        return;
    buf_append_lit(b, "static const struct resource_subresource ");
    emit_array_name(b, x, "subs");
    buf_append_lit(b, "[] = {\n");
    VEC_FOREACH(const struct kapi_sub *, s, &x->subs) {
        buf_printf(b, "    { STR_INIT(\"%.*s\"), &RESOURCE_TYPES[%d], 0x%x, %s },\n",
                   STR_ARG(s->name), s->type->index, s->verbs, s->connect ? "true" : "false");
    }
    buf_append_lit(b, "};\n");
}

static void emit_columns(const struct kapi_resource *x, struct buf *b)
{
    if (!x->columns.len)
        return;
    buf_append_lit(b, "static const struct resource_column ");
    emit_array_name(b, x, "columns");
    buf_append_lit(b, "[] = {\n");
    VEC_FOREACH(const struct kapi_column *, c, &x->columns) {
        buf_printf(b,
                   "    { STR_INIT(\"%.*s\"), STR_INIT(\"%.*s\"), %s, %d, STR_INIT(\"%.*s\") },\n",
                   STR_ARG(c->name), STR_ARG(c->type), c->is_name ? "true" : "false", c->priority,
                   STR_ARG(c->cell));
    }
    buf_append_lit(b, "};\n");
}

static void emit_arrays(struct buf *b, const struct kapi_resource *x)
{
    if (x->subs.len) {
        buf_append_lit(b, "        .subresources = ");
        emit_array_name(b, x, "subs");
        buf_printf(b, ",\n        .n_subresources = %zu,\n", x->subs.len);
    }
    if (x->columns.len) {
        buf_append_lit(b, "        .columns = ");
        emit_array_name(b, x, "columns");
        buf_printf(b, ",\n        .n_columns = %zu,\n", x->columns.len);
    }
}

static void emit_row(const struct kapi_resource *x, struct buf *b)
{
    struct str generation = x->generation;
    unsigned flags = x->flags;

    if (str_has_suffix(generation, STR(" unset"))) {
        generation = str_sub(generation, 0, generation.len - 6);
        flags |= RESOURCE_GENERATION_UNSET;
    }
    buf_append_lit(b, "    {\n");
    emit_str(b, "group", x->group->name);
    emit_str(b, "version", x->group->version);
    emit_str(b, "name", x->name);
    emit_str(b, "singular", x->singular);
    emit_str(b, "kind", x->kind);
    if (x->list_type)
        emit_str(b, "list_kind", x->list_type->name);
    emit_str(b, "short_names", x->short_names);
    emit_str(b, "categories", x->categories);
    buf_printf(b, "        .verbs = 0x%x,\n        .flags = 0x%x,\n", x->verbs, flags);
    emit_type(b, "type", x->type);
    emit_type(b, "list_type", x->list_type);
    emit_str(b, "storage_prefix", x->store_prefix);
    emit_type(b, "storage_type", x->storage_type);
    emit_str(b, "selectable", x->selectable);
    emit_str(b, "indexed", x->indexed);
    emit_str(b, "generation", generation);
    emit_str(b, "reset_main", x->reset_main);
    emit_str(b, "reset_status", x->reset_status);
    if (x->name_rule.len)
        buf_printf(b, "        .name_rule = NAME_RULE_%.*s,\n", STR_ARG(x->name_rule));
    else
        buf_append_lit(b, "        .name_rule = NAME_RULE_ANY,\n");
    if (x->name_max)
        buf_printf(b, "        .name_max = %d,\n", x->name_max);
    emit_arrays(b, x);
    buf_append_lit(b, "    },\n");
}

static int by_discovery(const void *a, const void *b)
{
    const struct kapi_group *x = *(const struct kapi_group *const *)a,
                            *y = *(const struct kapi_group *const *)b;

    if (x->order != y->order)
        return (int)x->order - (int)y->order;
    return (int)y->version_priority - (int)x->version_priority;
}

static void emit_group(const struct kapi_group *g, struct buf *b)
{
    buf_append_lit(b, "    {\n");
    emit_str(b, "group", g->name);
    emit_str(b, "version", g->version);
    buf_printf(b,
               "        .preferred = %s,\n        .served = %s,\n        .group_priority = %u,\n"
               "        .version_priority = %u,\n        .order = %u,\n",
               g->preferred ? "true" : "false", g->served ? "true" : "false", g->priority,
               g->version_priority, g->order);
    emit_str(b, "stability", g->stability);
    buf_append_lit(b, "    },\n");
}

void kapi_emit_resources(const struct kapi *k, struct buf *b)
{
    struct VEC(const struct kapi_group *) groups = { 0 };
    size_t rows = 0;

    buf_append_lit(
        b, "/* Made by kapic from the API's .kapi files. */\n#include \"api/resource.h\"\n\n"
           "extern const struct schema_type schema_builtin_types[];\n"
           "#define RESOURCE_TYPES schema_builtin_types\n\n");
    VEC_FOREACH(struct kapi_group **, g, &k->groups) {
        if ((*g)->order)
            VEC_PUSH(&groups, *g);
    }
    if (groups.len)
        qsort(groups.items, groups.len, sizeof(*groups.items), by_discovery);
    VEC_FOREACH(const struct kapi_group **, g, &groups) {
        VEC_FOREACH(struct kapi_resource **, x, &(*g)->resources) {
            emit_subs(*x, b);
            emit_columns(*x, b);
        }
    }
    buf_append_lit(b, "\nconst struct resource resource_table[] = {\n");
    VEC_FOREACH(const struct kapi_group **, g, &groups) {
        rows += (*g)->resources.len;
        VEC_FOREACH(struct kapi_resource **, x, &(*g)->resources) {
            emit_row(*x, b);
        }
    }
    buf_printf(b,
               "};\nconst size_t resource_table_len = %zu;\n\n"
               "const struct resource_group_version resource_group_versions[] = {\n",
               rows);
    VEC_FOREACH(const struct kapi_group **, g, &groups) {
        emit_group(*g, b);
    }
    buf_printf(b, "};\nconst size_t resource_group_versions_len = %zu;\n", groups.len);
    VEC_DONE(&groups);
}
