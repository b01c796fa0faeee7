/* Server-side apply: the body is what its manager wants the object to have; the object is made when
 * there is none. */
#include "apiserver/registry/registry_apply.h"

#include "api/apply.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/structural/custom_resource.h"
#include "api/structural/structural_field_type.h"
#include "api/typed_value.h"
#include "apiserver/api_request.h"
#include "apiserver/authz/authorizer.h"
#include "apiserver/extensions/custom_strategy.h"
#include "apiserver/registry/body_decode.h"
#include "apiserver/registry/field_manager.h"
#include "apiserver/registry/subresources.h"
#include "apiserver/registry/update_core.h"
#include "apiserver/registry/write.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/yaml.h"

struct apply {
    struct write write;
    struct value config;              /* of the resource's kind */
    struct str uid, resource_version; /* that a view's configuration names */
};

static struct str gvk_text(struct arena *a, struct str api_version, struct str kind)
{
    return arena_printf(a, "%s%.*s, Kind=%.*s", str_find(api_version, '/') < 0 ? "/" : "",
                        STR_ARG(api_version), STR_ARG(kind));
}

/* Is what is applied an object of a custom resource, and no view of it? */
static bool is_custom(const struct api_request *r)
{
    return r->resource->custom && body_type(r) == r->resource->type;
}

static struct str api_version_of(struct api_request *r, const struct schema_type *t)
{
    const struct schema *s = &schema_builtin;
    struct arena *a = r->arena;

    if (r->resource->custom && t == r->resource->type)
        return resource_api_version(a, r->resource);

    return schema_cstr(s, t->group)[0]
               ? arena_printf(a, "%s/%s", schema_cstr(s, t->group), schema_cstr(s, t->version))
               : schema_str(s, t->version);
}

/* A view's configuration (a Scale's) as one of the object behind it. */
static struct value behind_view(struct api_request *r, struct apply *p, const struct value *view)
{
    struct arena *a = r->arena;
    struct value config = value_object(), meta = value_object();
    const struct value *spec = value_get(view, STR("spec"));
    const struct value *view_meta = value_get(view, STR("metadata"));

    if (view_meta) {
        p->uid = value_get_str(view_meta, STR("uid"));
        p->resource_version = value_get_str(view_meta, STR("resourceVersion"));
    }
    value_set(a, &config, STR("apiVersion"), value_string(api_version_of(r, r->resource->type)));
    value_set(a, &config, STR("kind"), value_string(r->resource->kind));
    value_set(a, &meta, STR("name"), value_string(r->info.name));
    value_set(a, &config, STR("metadata"), meta);
    if (r->resource->custom)
        custom_scale_config(a, r->resource->custom, spec, &config);
    else if (spec)
        value_set(a, &config, STR("spec"), *spec);
    return config;
}

static bool check_config(struct api_request *r, struct apply *p, const struct value *config,
                         struct status *ret)
{
    struct arena *a = r->arena;
    const struct schema_type *type = body_type(r);
    struct field_type t = is_custom(r) ? structural_field_type(r->resource->custom->schema)
                                       : field_type_builtin(&schema_builtin, type);
    struct str expected =
        is_custom(r) ? r->resource->kind : schema_str(&schema_builtin, type->name);
    struct str version = value_get_str(config, STR("apiVersion"));
    struct str kind = value_get_str(config, STR("kind"));
    const struct value *meta = value_get(config, STR("metadata"));
    struct buf b = { 0 };

    if (!str_eq(version, api_version_of(r, type)) || !str_eq(kind, expected)) {
        *ret = status_plain(a, STATUS_BAD_REQUEST, "invalid object type: %.*s",
                            STR_ARG(gvk_text(a, version, kind)));
        return false;
    }
    if (meta && value_get(meta, STR("managedFields")) &&
        value_get(meta, STR("managedFields"))->type != VALUE_NULL) {
        *ret = status_plain(a, STATUS_BAD_REQUEST, "metadata.managedFields must be nil");
        return false;
    }
    buf_init_arena(&b, a, 256);
    typed_value_validate(a, &t, config, &b);
    if (b.len) {
        struct str ns = meta ? value_get_str(meta, STR("namespace")) : STR_NULL;
        struct str name = meta ? value_get_str(meta, STR("name")) : STR_NULL;

        *ret = status_plain(
            a, STATUS_UNKNOWN, "failed to create typed patch object (%.*s/%.*s; %.*s): %.*s",
            STR_ARG(ns), STR_ARG(name), STR_ARG(gvk_text(a, version, kind)), STR_ARG(buf_str(&b)));
        return false;
    }
    p->config = *config;
    if (r->special && r->special->projection)
        p->config = behind_view(r, p, config);
    return true;
}

/* Clients mostly send JSON, which needs no YAML reader. False: it is none, or gives keys twice. */
static bool parse_json(struct api_request *r, struct value *ret)
{
    struct str text = str_trim(r->body), duplicate = STR_NULL;
    struct err err;

    return text.len && text.p[0] == '{' &&
           value_parse(r->arena, text, ret, &duplicate, &err) >= 0 && !duplicate.p;
}

/* Keys that the YAML gives twice. */
static bool check_strict(struct api_request *r, struct status *ret)
{
    enum field_validation how = body_field_validation(r);
    struct str json;
    struct err err;

    if (how == FIELD_VALIDATION_IGNORE ||
        yaml_to_json(r->arena, r->body, true, API_REQUEST_BODY_LIMIT * 2, &json, &err) >= 0)
        return true;
    if (how == FIELD_VALIDATION_WARN) {
        struct str text = str_from_cstr(err.text), line;

        /* the reader's heading is no warning of its own */
        while (str_next(&text, '\n', &line))
            if (str_trim(line).len && !str_has_prefix(line, STR("yaml: unmarshal errors")))
                api_request_warn(r, "%.*s", STR_ARG(str_trim(line)));
        return true;
    }
    *ret = status_plain(r->arena, STATUS_BAD_REQUEST, "error strict decoding YAML: %s", err.text);
    return false;
}

static bool decode(struct api_request *r, struct apply *p, struct status *ret)
{
    struct value config;
    struct str json;
    struct err err;

    if (parse_json(r, &config))
        return check_config(r, p, &config, ret);
    if (yaml_to_json(r->arena, r->body, false, API_REQUEST_BODY_LIMIT * 2, &json, &err) < 0 ||
        value_parse(r->arena, json, &config, NULL, &err) < 0) {
        *ret = status_plain(r->arena, STATUS_BAD_REQUEST,
                            "error decoding YAML: error converting YAML to JSON: %s", err.text);
        return false;
    }
    if (config.type == VALUE_NULL)
        config = value_object();
    if (config.type != VALUE_OBJECT) {
        *ret = status_plain(r->arena, STATUS_BAD_REQUEST,
                            "error decoding YAML: error unmarshaling JSON: while decoding JSON: "
                            "json: cannot unmarshal %s into Go value of type "
                            "map[string]interface {}",
                            value_type_name(&config));
        return false;
    }
    return check_config(r, p, &config, ret) && check_strict(r, ret);
}

/* Making an object by an apply takes the right to create one. */
static bool may_create(struct api_request *r, struct status *ret)
{
    struct authz_attributes a = authz_attributes_of(r);
    struct str reason = STR_NULL, where = STR("at the cluster scope");

    a.verb = STR("create");
    if (authz_check(r->server, &a, &reason) == AUTHORIZER_ALLOW)
        return true;
    if (r->info.namespace.len)
        where = arena_printf(r->arena, "in the namespace \"%.*s\"", STR_ARG(r->info.namespace));
    *ret = status_forbidden(
        r->arena, (struct group_resource){ r->resource->group, r->resource->name }, r->info.name,
        "User \"%.*s\" cannot create resource \"%.*s\" in API group \"%.*s\" %.*s%s%.*s",
        STR_ARG(r->user.name), STR_ARG(r->resource->name), STR_ARG(r->resource->group),
        STR_ARG(where), reason.len ? ": " : "", STR_ARG(reason));
    return false;
}

static bool check_new(struct write *w, struct apply *p)
{
    struct api_request *r = w->r;
    const struct value *meta = value_get(&p->config, STR("metadata"));
    struct str uid = meta ? value_get_str(meta, STR("uid")) : STR_NULL;

    if (r->subresource) {
        w->refused = status_not_found(
            r->arena, (struct group_resource){ r->resource->group, r->resource->name }, w->name);
        return false;
    }
    if (uid.len) {
        w->refused = status_plain(r->arena, STATUS_CONFLICT,
                                  "uid mismatch: the provided object specified uid %.*s, and no "
                                  "existing object was found",
                                  STR_ARG(uid));
        return false;
    }
    return may_create(r, &w->refused);
}

static enum write_decision apply_decide(struct write *w)
{
    struct apply *p = w->arg;
    struct api_request *r = w->r;
    struct meta_v1_object_meta *meta;
    struct object updated;

    if ((!w->current.data && !check_new(w, p)) ||
        !field_manager_apply(r, w->current, &p->config, &updated, &w->refused))
        return WRITE_REFUSED;
    meta = object_meta(updated);
    if (p->uid.len)
        meta->uid = p->uid;
    if (p->resource_version.len)
        meta->resource_version = p->resource_version;
    if (!update_core_check_name(r, meta, &w->refused))
        return WRITE_REFUSED;
    return update_core(w, updated);
}

static void apply_done(struct write *w)
{
    write_respond(w, w->created ? 201 : 200);
}

void registry_apply(struct api_request *r)
{
    struct apply *p = ARENA_NEW(r->arena, struct apply);
    struct status s;

    if (!body_check_options(r, "PatchOptions", &s) || !decode(r, p, &s)) {
        api_respond_status(r, &s);
        return;
    }
    p->write = (struct write){
        .r = r,
        .namespace = r->info.namespace,
        .name = r->info.name,
        .may_create = true,
        .decide = apply_decide,
        .done = apply_done,
        .arg = p,
    };
    write_run(&p->write);
}
