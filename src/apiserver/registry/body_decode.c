#include "apiserver/registry/body_decode.h"

#include <stdlib.h>

#include "api/defaults.h"
#include "api/field_error.h"
#include "api/managed_fields.h"
#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/object_pb.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/structural/custom_resource.h"
#include "apiserver/api_request.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/yaml.h"

enum { SUMMARY_BYTES = 30 };

enum field_validation body_field_validation(const struct api_request *r)
{
    struct str v = request_info_param(&r->info, STR("fieldValidation"));

    if (str_eq(v, STR("Ignore")))
        return FIELD_VALIDATION_IGNORE;
    return str_eq(v, STR("Strict")) ? FIELD_VALIDATION_STRICT : FIELD_VALIDATION_WARN;
}

const struct schema_type *body_type(const struct api_request *r)
{
    return r->subresource && !r->subresource->connect ? r->subresource->type : r->resource->type;
}

/* Types of custom resources are named by their rows. */
static const struct resource *custom_row(const struct api_request *r)
{
    return r->resource->custom && body_type(r) == r->resource->type ? r->resource : NULL;
}

static struct str body_kind(const struct api_request *r)
{
    if (custom_row(r))
        return r->resource->kind;
    return schema_str(&schema_builtin, body_type(r)->name);
}

static struct str body_version(const struct api_request *r)
{
    if (custom_row(r))
        return r->resource->version;
    return schema_str(&schema_builtin, body_type(r)->version);
}

static struct str body_group(const struct api_request *r)
{
    if (custom_row(r))
        return r->resource->group;
    return schema_str(&schema_builtin, body_type(r)->group);
}

static struct str body_api_version(struct api_request *r)
{
    struct str group = body_group(r);

    return group.len ? arena_printf(r->arena, "%.*s/%.*s", STR_ARG(group), STR_ARG(body_version(r)))
                     : body_version(r);
}

/* The first bytes in hexadecimal, as upstream shows what it could not read. */
static struct str summary(struct arena *a, struct str body)
{
    struct buf b = { 0 };

    if (!body.len)
        return STR("<empty>");
    buf_init_arena(&b, a, SUMMARY_BYTES * 2 + 4);
    for (size_t i = 0; i < body.len && i < SUMMARY_BYTES; i++)
        buf_printf(&b, "%02x", (unsigned char)body.p[i]);
    if (body.len > SUMMARY_BYTES)
        buf_append_lit(&b, " ...");
    return buf_str(&b);
}

static struct status unrecognized(struct api_request *r, const char *why)
{
    return status_plain(r->arena, STATUS_BAD_REQUEST,
                        "the object provided is unrecognized (must be of type %.*s): %s (%.*s)",
                        STR_ARG(body_kind(r)), why, STR_ARG(summary(r->arena, r->body)));
}

static struct status undecodable(struct api_request *r, struct str kind, const char *why)
{
    return status_plain(r->arena, STATUS_BAD_REQUEST,
                        "%.*s in version \"%.*s\" cannot be handled as a %.*s: %s", STR_ARG(kind),
                        STR_ARG(body_version(r)), STR_ARG(body_kind(r)), why);
}

static struct status wrong_kind(struct api_request *r, struct str kind)
{
    struct field_path p = field_path_member(NULL, STR("kind"));
    struct field_errors errs;

    field_errors_init(&errs, r->arena);
    field_errors_add_text(&errs, &p, FIELD_ERROR_INVALID, kind, "must be %.*s",
                          STR_ARG(body_kind(r)));
    return status_invalid(r->arena, body_group(r), body_kind(r), r->info.name, &errs);
}

/* kind and apiVersion must be the endpoint's; where they are missing it stands for them. */
static bool check_gvk(struct api_request *r, struct str api_version, struct str kind,
                      struct status *st)
{
    struct str wanted = body_api_version(r);

    if (api_version.len && !str_eq(api_version, wanted)) {
        *st = status_plain(r->arena, STATUS_BAD_REQUEST,
                           "the API version in the data (%.*s) does not match the expected API "
                           "version (%.*s)",
                           STR_ARG(api_version), STR_ARG(wanted));
        return false;
    }
    if (!kind.len || str_eq(kind, body_kind(r)))
        return true;
    if (custom_row(r)) {
        *st = wrong_kind(r, kind);
        return false;
    }
    if (resource_find_kind(body_group(r), body_version(r), kind)) {
        struct str why = arena_printf(
            r->arena, "converting (%.*s.%.*s) to (%.*s.%.*s): unknown conversion",
            STR_ARG(body_version(r)), STR_ARG(kind),
            STR_ARG(body_group(r).len ? body_group(r) : STR("core")), STR_ARG(body_kind(r)));

        *st = undecodable(r, kind, str_cstr(r->arena, why));
        return false;
    }
    *st = undecodable(
        r, kind,
        str_cstr(r->arena, arena_printf(r->arena,
                                        "no kind \"%.*s\" is registered for version \"%.*s\" "
                                        "in scheme \"pkg/api/legacyscheme/scheme.go:30\"",
                                        STR_ARG(kind), STR_ARG(wanted))));
    return false;
}

/* Strict: 400 with all of them; Warn: a warning each. */
static bool report_strict(struct api_request *r, const struct object_json_strict *strict,
                          struct status *st)
{
    struct buf b = { 0 };

    if (!strict->len)
        return true;
    switch (body_field_validation(r)) {
    case FIELD_VALIDATION_IGNORE:
        return true;
    case FIELD_VALIDATION_WARN:
        for (size_t i = 0; i < strict->len; i++)
            api_request_warn(r, "%.*s", STR_ARG(strict->items[i]));
        return true;
    case FIELD_VALIDATION_STRICT:
        break;
    }
    buf_init_arena(&b, r->arena, 256);
    buf_append_lit(&b, "strict decoding error: ");
    for (size_t i = 0; i < strict->len; i++) {
        if (i)
            buf_append_lit(&b, ", ");
        buf_append_str(&b, strict->items[i]);
    }
    *st = undecodable(r, body_kind(r), buf_cstr(&b));
    return false;
}

struct strictness {
    struct arena *arena;
    struct object_json_strict list;
};

static void add_strict(struct strictness *s, const char *what, struct str path)
{
    if (!s->list.items)
        s->list.items = ARENA_NEW_ARRAY(s->arena, struct str, OBJECT_JSON_MAX_STRICT);
    if (s->list.len < OBJECT_JSON_MAX_STRICT)
        s->list.items[s->list.len++] =
            arena_printf(s->arena, "%s field \"%.*s\"", what, STR_ARG(path));
}

static void on_unknown(struct str path, void *arg)
{
    add_strict(arg, "unknown", path);
}

static void on_duplicate(struct str path, void *arg)
{
    add_strict(arg, "duplicate", path);
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* What a custom resource's schema says of the members, beside what decoding them said. */
static int settle(struct api_request *r, struct object o, struct object_json_strict *strict,
                  struct err *err)
{
    struct strictness s = { .arena = r->arena };
    int rc;

    for (size_t i = 0; i < strict->len; i++) {
        if (!s.list.items)
            s.list.items = ARENA_NEW_ARRAY(r->arena, struct str, OBJECT_JSON_MAX_STRICT);
        s.list.items[s.list.len++] = strict->items[i];
    }
    rc = custom_object_settle(r->arena, r->resource->custom, o, on_unknown, on_duplicate, &s, err);
    if (s.list.len > strict->len)
        qsort(s.list.items + strict->len, s.list.len - strict->len, sizeof(struct str), by_text);
    *strict = s.list;
    return rc;
}

static bool decode_json(struct api_request *r, struct str json, struct object *ret,
                        struct status *st)
{
    struct object_json_strict strict = { 0 };
    struct str api_version, kind;
    struct err err;
    int rc;

    rc = object_json_peek_gvk(r->arena, json, &api_version, &kind, &err);
    if (rc < 0) {
        err_wrap(&err, "couldn't get version/kind; json parse error");
        *st = unrecognized(r, err.text);
        return false;
    }
    if (!check_gvk(r, api_version, kind, st))
        return false;
    rc = object_json_decode(r->arena, &schema_builtin, body_type(r), json, ret, &strict, &err);
    if (rc >= 0 && custom_row(r))
        rc = settle(r, *ret, &strict, &err);
    if (rc == ERR_TOO_LARGE) {
        *st = status_plain(r->arena, STATUS_TOO_LARGE, "Request entity too large: %s", err.text);
        return false;
    }
    if (rc < 0) {
        *st = undecodable(r, body_kind(r), err.text);
        return false;
    }
    return report_strict(r, &strict, st);
}

static bool decode_protobuf(struct api_request *r, struct object *ret, struct status *st)
{
    struct object_pb_envelope env;
    struct err err;
    int rc = object_pb_open(r->body, &env, &err);

    if (rc < 0) {
        *st = unrecognized(r, err.text);
        return false;
    }
    if (!check_gvk(r, env.api_version, env.kind, st))
        return false;
    rc = object_pb_decode(r->arena, &schema_builtin, body_type(r), env.raw, ret, &err);
    if (rc < 0) {
        *st = undecodable(r, body_kind(r), err.text);
        return false;
    }
    return true;
}

static void complete(struct api_request *r, struct object o)
{
    object_set_gvk(o, body_api_version(r), body_kind(r));
    object_default(r->arena, o);
}

bool body_decode(struct api_request *r, struct object *ret, struct status *ret_status)
{
    struct str json = r->body;
    struct err err;
    bool ok;

    if (r->body_media == MEDIA_YAML &&
        yaml_to_json(r->arena, r->body, body_field_validation(r) == FIELD_VALIDATION_STRICT,
                     API_REQUEST_BODY_LIMIT * 2, &json, &err) < 0) {
        *ret_status = unrecognized(r, err.text);
        return false;
    }
    if (r->body_media == MEDIA_PROTOBUF)
        ok = decode_protobuf(r, ret, ret_status);
    else
        ok = decode_json(r, json, ret, ret_status);
    if (ok)
        complete(r, *ret);
    return ok;
}

bool body_decode_patched(struct api_request *r, struct str json, struct object *ret,
                         struct status *ret_status)
{
    if (!decode_json(r, json, ret, ret_status))
        return false;
    complete(r, *ret);
    return true;
}

/* --- options --- */

static bool *bool_copy(struct arena *a, bool b)
{
    bool *p = ARENA_NEW(a, bool);

    *p = b;
    return p;
}

static bool options_from_query(struct api_request *r, struct meta_v1_delete_options *ret,
                               struct status *st)
{
    int64_t grace = 0;
    struct err err;
    int rc = request_info_int(&r->info, STR("gracePeriodSeconds"), &grace, &err);

    if (rc < 0) {
        *st = status_plain(r->arena, STATUS_BAD_REQUEST, "%s", err.text);
        return false;
    }
    if (rc > 0) {
        ret->grace_period_seconds = ARENA_NEW(r->arena, int64_t);
        *ret->grace_period_seconds = grace;
    }
    ret->propagation_policy = request_info_param(&r->info, STR("propagationPolicy"));
    if (request_info_param(&r->info, STR("orphanDependents")).p)
        ret->orphan_dependents =
            bool_copy(r->arena, request_info_bool(&r->info, STR("orphanDependents")));
    return true;
}

static int decode_delete_options(struct api_request *r, struct object *ret, struct err *err)
{
    const struct schema_type *t =
        schema_find_type(&schema_builtin, STR("meta.k8s.io"), STR("v1"), STR("DeleteOptions"));
    struct object_pb_envelope env;
    struct str json = r->body;
    int rc;

    if (r->body_media == MEDIA_PROTOBUF) {
        rc = object_pb_open(r->body, &env, err);
        return rc < 0 ? rc : object_pb_decode(r->arena, &schema_builtin, t, env.raw, ret, err);
    }
    if (r->body_media == MEDIA_YAML) {
        rc = yaml_to_json(r->arena, r->body, false, API_REQUEST_BODY_LIMIT, &json, err);
        if (rc < 0)
            return rc;
    }
    return object_json_decode(r->arena, &schema_builtin, t, json, ret, NULL, err);
}

bool body_decode_delete_options(struct api_request *r, struct meta_v1_delete_options *ret,
                                struct status *ret_status)
{
    static const struct str policies[] = { STR_INIT("Foreground"), STR_INIT("Background"),
                                           STR_INIT("Orphan") };
    struct field_path p = field_path_member(NULL, STR("propagationPolicy"));
    struct field_errors errs;
    struct object o;
    struct err err;
    bool known;

    *ret = (struct meta_v1_delete_options){ 0 };
    if (!r->body.len) {
        if (!options_from_query(r, ret, ret_status))
            return false;
    } else if (decode_delete_options(r, &o, &err) < 0) {
        *ret_status = status_plain(r->arena, STATUS_BAD_REQUEST, "%s", err.text);
        return false;
    } else {
        *ret = *(struct meta_v1_delete_options *)o.data;
    }
    for (uint32_t i = 0; i < ret->dry_run.len; i++)
        r->dry_run |= str_eq(ret->dry_run.items[i], STR("All"));
    field_errors_init(&errs, r->arena);
    known = !ret->propagation_policy.len;
    for (size_t i = 0; i < ARRAY_LEN(policies); i++)
        known |= str_eq(ret->propagation_policy, policies[i]);
    if (ret->propagation_policy.len && ret->orphan_dependents)
        field_errors_add_text(&errs, &p, FIELD_ERROR_INVALID, ret->propagation_policy,
                              "orphanDependents and deletionPropagation cannot be both set");
    if (!known)
        field_errors_add_unsupported(&errs, &p, ret->propagation_policy, policies,
                                     ARRAY_LEN(policies));
    if (!errs.len)
        return true;
    *ret_status =
        status_invalid(r->arena, STR("meta.k8s.io"), STR("DeleteOptions"), STR(""), &errs);
    return false;
}

/* force and a manager's name go with apply, and only with that. */
static void check_apply_options(struct api_request *r, struct str manager,
                                struct field_errors *errs)
{
    struct field_path p_force = field_path_member(NULL, STR("force"));
    struct field_path p_manager = field_path_member(NULL, STR("fieldManager"));

    if (r->body_media == MEDIA_APPLY_PATCH) {
        if (!manager.len)
            field_errors_add(errs, &p_manager, FIELD_ERROR_REQUIRED, "is required for apply patch");
    } else if (request_info_param(&r->info, STR("force")).p) {
        field_errors_add(errs, &p_force, FIELD_ERROR_FORBIDDEN,
                         "may not be specified for non-apply patch");
    }
}

bool body_check_options(struct api_request *r, const char *kind, struct status *ret_status)
{
    static const struct str dry[] = { STR_INIT("All") };
    static const struct str validations[] = { STR_INIT("Ignore"), STR_INIT("Strict"),
                                              STR_INIT("Warn") };
    struct str fv = request_info_param(&r->info, STR("fieldValidation"));
    struct str manager = request_info_param(&r->info, STR("fieldManager"));
    struct field_path p_dry = field_path_member(NULL, STR("dryRun"));
    struct field_path p_fv = field_path_member(NULL, STR("fieldValidation"));
    struct field_path p_manager = field_path_member(NULL, STR("fieldManager"));
    struct field_errors errs;
    bool known = !fv.len;

    field_errors_init(&errs, r->arena);
    for (size_t i = 0; i < r->info.n_params; i++) {
        if (!str_eq(r->info.params[i].name, STR("dryRun")))
            continue;
        r->dry_run = true;
        if (!str_eq(r->info.params[i].value, STR("All")))
            field_errors_add_unsupported(&errs, &p_dry, r->info.params[i].value, dry, 1);
    }
    for (size_t i = 0; i < ARRAY_LEN(validations); i++)
        known |= str_eq(fv, validations[i]);
    if (!known)
        field_errors_add_unsupported(&errs, &p_fv, fv, validations, ARRAY_LEN(validations));
    if (r->info.verb == REQUEST_VERB_PATCH)
        check_apply_options(r, manager, &errs);
    if (manager.len > MANAGED_FIELDS_MANAGER_MAX)
        field_errors_add(&errs, &p_manager, FIELD_ERROR_TOO_LONG, "may not be more than %d bytes",
                         MANAGED_FIELDS_MANAGER_MAX);
    else if (!managed_fields_name_is_printable(manager))
        field_errors_add_text(&errs, &p_manager, FIELD_ERROR_INVALID, manager,
                              "should only contain printable characters");
    if (!errs.len)
        return true;
    *ret_status = status_invalid(r->arena, STR("meta.k8s.io"), str_from_cstr(kind), STR(""), &errs);
    return false;
}
