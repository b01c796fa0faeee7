#include "apiserver/registry/selectable_fields.h"

#include "api/field_selector.h"
#include "api/resource.h"
#include "apiserver/registry/stored_object.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"

enum { MAX_SELECTABLE = 32 };

/* Old names of a field. */
static const struct {
    struct str kind, name, now;
} aliases[] = { { STR_INIT("Pod"), STR_INIT("spec.host"), STR_INIT("spec.nodeName") } };

/* Kinds that refuse in words of their own; 'field label not supported: X' is what others say. */
static const struct {
    struct str kind, before, after;
} refusals[] = {
    { STR_INIT("Job"), STR_INIT("field label \""), STR_INIT("\" not supported for Job") },
    { STR_INIT("ResourceSlice"),
      STR_INIT("field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: "),
      STR_INIT("") },
};

static void rename_old(const struct resource *row, struct field_selector *s)
{
    for (size_t k = 0; k < ARRAY_LEN(aliases) && !row->custom; k++)
        for (uint32_t i = 0; i < s->len && str_eq(row->kind, aliases[k].kind); i++)
            if (str_eq(s->items[i].field, aliases[k].name))
                s->items[i].field = aliases[k].now;
}

/* Events are stored as core/v1 has them; events.k8s.io/v1 calls some fields otherwise. */
static void rename_of_events(struct arena *a, const struct resource *row, struct field_selector *s)
{
    static const struct str here = STR_INIT("regarding."), there = STR_INIT("involvedObject.");

    if (stored_object_is_storage_version(row) || !str_eq(row->kind, STR("Event")))
        return;
    for (uint32_t i = 0; i < s->len; i++) {
        struct str *field = &s->items[i].field;

        if (str_has_prefix(*field, here))
            *field =
                arena_printf(a, "%.*s%.*s", STR_ARG(there), STR_ARG(str_tail(*field, here.len)));
        else if (str_eq(*field, STR("reportingController")))
            *field = STR("reportingComponent");
    }
}

static int refuse(const struct resource *row, struct str field, bool has_own, struct err *err)
{
    if (!has_own)
        return err_set(err, ERR_INVALID,
                       "\"%.*s\" is not a known field selector: only \"metadata.name\", "
                       "\"metadata.namespace\"",
                       STR_ARG(field));
    for (size_t k = 0; k < ARRAY_LEN(refusals) && !row->custom; k++)
        if (str_eq(row->kind, refusals[k].kind))
            return err_set(err, ERR_INVALID, "%.*s%.*s%.*s", STR_ARG(refusals[k].before),
                           STR_ARG(field), STR_ARG(refusals[k].after));
    return err_set(err, ERR_INVALID, "field label not supported: %.*s", STR_ARG(field));
}

/* Kinds that list fields of their own know no namespace where they have none; the others are
 * checked by one rule that has both. */
int selectable_fields_resolve(struct arena *a, const struct resource *row, struct field_selector *s,
                              struct err *err)
{
    bool has_own = row->selectable.len || row->custom;
    struct str allowed[MAX_SELECTABLE], rest = row->selectable, part, other;
    size_t n = 0;

    rename_old(row, s);
    allowed[n++] = STR("metadata.name");
    if (resource_is_namespaced(row) || !has_own)
        allowed[n++] = STR("metadata.namespace");
    while (n < MAX_SELECTABLE && str_next(&rest, ' ', &part))
        if (part.len)
            allowed[n++] = part;
    other = field_selector_first_other(s, allowed, n);
    if (other.p)
        return refuse(row, other, has_own, err);
    rename_of_events(a, row, s);
    return 0;
}
