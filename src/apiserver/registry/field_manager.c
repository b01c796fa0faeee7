#include "apiserver/registry/field_manager.h"

#include "api/apply.h"
#include "api/defaults.h"
#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/object_value.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/structural/custom_resource.h"
#include "api/structural/structural_field_type.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/conversion.h"
#include "apiserver/registry/strategy.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "http/http_server.h"

static struct str api_version_of(struct arena *a, const struct resource *row)
{
    return row->group.len ? arena_printf(a, "%.*s/%.*s", STR_ARG(row->group), STR_ARG(row->version))
                          : row->version;
}

/* --- objects as values --- */

static struct object empty_object(struct arena *a, const struct resource *row)
{
    struct object o = object_new(a, &schema_builtin, row->type);

    object_set_gvk(o, api_version_of(a, row), row->kind);
    return o;
}

static int from_value(struct arena *a, const struct resource *row, const struct value *v,
                      struct object *ret, struct err *err)
{
    struct buf b = { 0 };
    int rc;

    buf_init_arena(&b, a, 2048);
    value_print(&b, v);
    rc = object_json_decode(a, &schema_builtin, row->type, buf_str(&b), ret, NULL, err);
    if (rc >= 0 && row->custom)
        rc = custom_object_settle(a, row->custom, *ret, NULL, NULL, NULL, err);
    return rc;
}

static struct field_type type_of(const struct resource *row)
{
    return row->custom ? structural_field_type(row->custom->schema)
                       : field_type_builtin(&schema_builtin, row->type);
}

static const struct resource *row_of(const struct resource *row, struct str api_version)
{
    struct str group, version;
    const struct resource *other;

    if (!str_cut(api_version, '/', &group, &version)) {
        group = STR("");
        version = api_version;
    }
    if (row->custom) {
        const struct custom_resource *c =
            custom_definition_version(row->custom->definition, version);

        return c && c->is_served && str_eq(group, row->group) ? &c->row : NULL;
    }
    other = resource_find_kind(group, version, row->kind);
    if (!other || !resource_is_stored(other) ||
        resource_storage_index(other) != resource_storage_index(row))
        return NULL;
    return other;
}

static int convert(void *arg, struct arena *a, const struct value *v, struct str from,
                   struct str to, struct value *ret, struct field_type *ret_type, struct err *err)
{
    const struct api_request *r = arg;
    const struct resource *row_from = row_of(r->resource, from), *row_to = row_of(r->resource, to);
    struct object o, converted;
    int rc;

    if (!row_from || !row_to)
        return ERR_NOT_FOUND;
    if (row_to->custom) {
        struct value converted_value = value_copy(a, v);

        value_set(a, &converted_value, STR("apiVersion"), value_string(to));
        rc = from_value(a, row_to, &converted_value, &o, err);
        if (rc >= 0)
            rc = object_value(a, o, ret, err);
        *ret_type = type_of(row_to);
        return rc;
    }
    rc = from_value(a, row_from, v, &o, err);
    if (rc >= 0)
        rc = conversion_convert(a, o, row_to->type, &converted, err);
    if (rc >= 0)
        rc = object_value(a, converted, ret, err);
    if (rc >= 0)
        *ret_type = type_of(row_to);
    return rc;
}

/* --- the request's manager --- */

static struct apply_call call_of(struct api_request *r, bool applies)
{
    struct str manager = request_info_param(&r->info, STR("fieldManager"));
    struct apply_call call = {
        .arena = r->arena,
        .type = type_of(r->resource),
        .now_s = clock_wall_s(r->server->clock),
        .convert = convert,
        .convert_arg = r,
    };

    if (!manager.len)
        manager =
            managed_fields_agent_name(r->arena, http_request_header(r->http, STR("user-agent")));
    call.who = (struct managed_manager){
        .name = manager,
        .api_version = api_version_of(r->arena, r->resource),
        .subresource = r->subresource ? r->subresource->name : STR_NULL,
        .applied = applies,
    };
    field_set_add_names(r->arena, &call.ignored, strategy_resets(r));
    return call;
}

/* Whose entries an update goes on from. */
static void base_entries(struct api_request *r, struct object live, struct object updated,
                         struct managed_fields *ret)
{
    struct meta_v1_object_meta *meta = object_meta(updated);
    struct err err;

    *ret = (struct managed_fields){ 0 };
    if (!r->subresource) {
        if (managed_fields_is_reset(meta))
            return;
        if (managed_fields_decode(r->arena, meta, ret, &err) >= 0 && ret->len)
            return;
    }
    *ret = (struct managed_fields){ 0 };
    if (live.data)
        (void)managed_fields_decode(r->arena, object_meta(live), ret, &err); /* or none of them */
}

void field_manager_update(struct api_request *r, struct object live, struct object updated)
{
    struct meta_v1_object_meta *meta = object_meta(updated);
    struct managed_fields m;
    struct apply_call call;
    struct value before, after;
    struct err err;
    bool created = !live.data;
    int rc;

    base_entries(r, live, updated, &m);
    meta->managed_fields.items = NULL;
    meta->managed_fields.len = 0;
    if (!m.len && !created)
        return; /* nobody's so far: kept from the first apply on */
    if (created)
        live = empty_object(r->arena, r->resource);
    call = call_of(r, false);
    rc = object_value(r->arena, live, &before, &err);
    if (rc >= 0)
        rc = object_value(r->arena, updated, &after, &err);
    if (rc >= 0)
        rc = apply_update(&call, &before, &after, &m, &err);
    if (rc < 0 && !created)
        meta->managed_fields = object_meta(live)->managed_fields;
    else
        managed_fields_encode(r->arena, &m, meta);
}

void field_manager_keep_times(struct object live, struct object updated)
{
    struct meta_v1_object_meta *meta = object_meta(updated), *old = object_meta(live);
    struct meta_v1_managed_fields_entry *items = meta->managed_fields.items;
    uint32_t len = meta->managed_fields.len;

    if (len != old->managed_fields.len)
        return;
    for (uint32_t i = 0; i < len; i++) {
        const struct meta_v1_managed_fields_entry *a = &items[i],
                                                  *b = &old->managed_fields.items[i];

        if (!str_eq(a->manager, b->manager) || !str_eq(a->operation, b->operation) ||
            !str_eq(a->api_version, b->api_version) || !str_eq(a->subresource, b->subresource) ||
            !str_eq(a->fields_v1, b->fields_v1))
            return;
    }
    meta->managed_fields.items = old->managed_fields.items;
    if (object_equal(updated, live))
        return;
    meta->managed_fields.items = items;
}

/* --- apply --- */

static struct status conflict_status(struct api_request *r, const struct apply_conflicts *c)
{
    struct status s = { .reason = STATUS_CONFLICT };
    struct status_cause *causes = ARENA_NEW_ARRAY(r->arena, struct status_cause, c->len);

    for (size_t i = 0; i < c->len; i++)
        causes[i] = (struct status_cause){
            .type = STR("FieldManagerConflict"),
            .message = apply_conflict_text(r->arena, &c->items[i]),
            .field = c->items[i].path,
        };
    s.message = apply_conflicts_message(r->arena, c);
    s.causes = causes;
    s.n_causes = c->len;
    return s;
}

static struct status failure(struct api_request *r, int rc, const struct err *err,
                             const struct apply_conflicts *conflicts)
{
    if (rc == ERR_CONFLICT)
        return conflict_status(r, conflicts);
    if (rc == ERR_TOO_LARGE)
        return status_plain(r->arena, STATUS_TOO_LARGE, "Request entity too large: %s", err->text);
    return status_plain(r->arena, STATUS_UNKNOWN, "%s", err->text);
}

bool field_manager_apply(struct api_request *r, struct object live, const struct value *config,
                         struct object *ret, struct status *ret_status)
{
    struct arena *a = r->arena;
    struct apply_call call = call_of(r, true);
    struct object empty = empty_object(a, r->resource);
    struct apply_conflicts conflicts = { 0 };
    struct managed_fields m = { 0 };
    struct value before, nothing, after;
    bool changed = false, created = !live.data;
    struct err err;
    int rc = 0;

    if (created)
        live = empty;
    rc = managed_fields_decode(a, object_meta(live), &m, &err);
    if (rc < 0)
        err_wrap(&err, "failed to decode managed fields");
    if (rc >= 0)
        rc = object_value(a, live, &before, &err);
    if (rc >= 0)
        rc = object_value(a, empty, &nothing, &err);
    if (rc >= 0)
        rc = apply_config(&call, &before, &nothing, config,
                          request_info_bool(&r->info, STR("force")), &m, &after, &changed,
                          &conflicts, &err);
    if (rc >= 0)
        rc = from_value(a, r->resource, &after, ret, &err);
    if (rc < 0) {
        *ret_status = failure(r, rc, &err, &conflicts);
        return false;
    }
    object_set_gvk(*ret, api_version_of(a, r->resource), r->resource->kind);
    object_default(a, *ret);
    managed_fields_encode(a, &m, object_meta(*ret));
    return true;
}
