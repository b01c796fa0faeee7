#include "apiserver/registry/strategy.h"

#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/meta_validation.h"
#include "api/resource.h"
#include "api/rules.h"
#include "api/schema.h"
#include "api/validation.h"
#include "api/warnings.h"
#include "apiserver/api_request.h"
#include "apiserver/extensions/custom_strategy.h"
#include "apiserver/registry/stored_object.h"
#include "apiserver/registry/strategies.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/macros.h"

static const struct strategy plain;

const struct strategy *strategy_of(const struct resource *row)
{
    if (row->custom)
        return &custom_strategy;
    for (const struct strategy *const *s = strategies; *s; s++)
        if (str_eq((*s)->group, row->group) && str_eq((*s)->resource, row->name))
            return *s;
    return &plain;
}

/* Puts one field back to what it was in old, or to nothing. */
static void reset_field(struct object o, struct object old, struct str path)
{
    const struct schema_field *f = NULL, *of = NULL;
    void *at = object_field_at(o, path, &f);
    void *from;

    if (!at)
        return;
    if (!old.data) {
        memset(at, 0, object_field_size(o.schema, f));
        return;
    }
    from = object_field_at(old, path, &of);
    if (from)
        memcpy(at, from, object_field_size(o.schema, f));
    else
        memset(at, 0, object_field_size(o.schema, f));
}

static bool is_reset(struct str paths, struct str path)
{
    struct str part;

    while (str_next(&paths, ' ', &part))
        if (str_eq(part, path))
            return true;
    return false;
}

void strategy_prepare_create(struct api_request *r, struct object o)
{
    const struct resource *row = r->resource;
    const struct strategy *s = strategy_of(row);
    struct meta_v1_object_meta *meta = object_meta(o);

    if (is_reset(row->reset_main, STR("status")))
        reset_field(o, (struct object){ 0 }, STR("status"));
    meta->generation = row->generation.len && !(row->flags & RESOURCE_GENERATION_UNSET) ? 1 : 0;
    if (s->prepare_create)
        s->prepare_create(r, o);
}

static bool field_differs(struct object o, struct object old, struct str path)
{
    const struct schema_field *f = NULL, *of = NULL;
    const void *at = object_field_at(o, path, &f), *from = object_field_at(old, path, &of);

    if (!at || !from)
        return at != from;
    return !rule_fields_equal(f, at, from);
}

/* Anything outside kind, apiVersion and metadata. */
static bool content_differs(struct object o, struct object old)
{
    for (uint16_t i = 0; i < o.type->n_fields; i++) {
        const struct schema_field *f = &o.schema->fields[o.type->first_field + i];
        struct str name = schema_field_name(o.schema, f);

        if (f->shape == SCHEMA_INLINE || str_eq(name, STR("metadata")))
            continue;
        if (!rule_fields_equal(f, (const char *)o.data + f->offset,
                               (const char *)old.data + f->offset))
            return true;
    }
    return false;
}

static bool generation_rises(const struct resource *row, struct object o, struct object old)
{
    struct str rest = row->generation, path;

    while (str_next(&rest, ' ', &path)) {
        if (!path.len || str_eq(path, STR("none")))
            continue;
        if (str_eq(path, STR("all")) ? content_differs(o, old) : field_differs(o, old, path))
            return true;
    }
    return false;
}

/* What each endpoint leaves alone. */
struct str strategy_resets(const struct api_request *r)
{
    static const struct {
        struct str subresource, paths;
    } others[] = {
        { STR_INIT("finalize"), STR_INIT("status") },
        { STR_INIT("approval"), STR_INIT("spec status.certificate") },
    };

    if (!r->subresource)
        return r->resource->reset_main;
    if (str_eq(r->subresource->name, STR("status")))
        return r->resource->reset_status;
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (str_eq(r->subresource->name, others[i].subresource))
            return others[i].paths;
    return STR("");
}

void strategy_prepare_update(struct api_request *r, struct object o, struct object old)
{
    const struct strategy *s = strategy_of(r->resource);
    struct meta_v1_object_meta *meta = object_meta(o), *old_meta = object_meta(old);
    struct str revision = meta->resource_version, rest = strategy_resets(r), path;
    void *managers = meta->managed_fields.items; /* of this write, whatever it may change */
    uint32_t n_managers = meta->managed_fields.len;

    while (str_next(&rest, ' ', &path))
        if (path.len)
            reset_field(o, old, path);
    meta->resource_version = revision;
    meta->managed_fields.items = managers;
    meta->managed_fields.len = n_managers;
    meta_prepare_update(meta, old_meta);
    meta->generation = old_meta->generation;
    if (s->prepare_update)
        s->prepare_update(r, o, old);
    if (generation_rises(r->resource, o, old))
        meta->generation = old_meta->generation + 1;
}

static void warn(void *arg, struct str text)
{
    api_request_warn(arg, "%.*s", STR_ARG(text));
}

bool strategy_validate(struct api_request *r, struct object o, struct object old,
                       struct status *ret)
{
    const struct resource *row = r->resource;
    const struct strategy *s = strategy_of(row);
    const struct meta_rules meta = {
        .namespaced = resource_is_namespaced(row),
        .name_rule = row->name_rule,
        .name_max = row->name_max,
    };
    struct validation_request v = { .object = o, .old = old, .meta = &meta };
    struct field_errors errs;

    if (r->subresource)
        v.part = str_is_listed(STR("status|approval"), '|', r->subresource->name)
                     ? VALIDATION_STATUS
                     : VALIDATION_OTHER;
    field_errors_init(&errs, r->arena);
    validation_run(&v, &errs);
    if (s->validate)
        s->validate(r, o, old, &errs);
    if (!errs.len) {
        if (!r->subresource)
            warnings_of(r->arena, o, old, warn, r);
        return true;
    }
    *ret = status_invalid(r->arena, s->is_of_core ? STR("") : row->group, row->kind,
                          object_meta(o)->name, &errs);
    return false;
}
