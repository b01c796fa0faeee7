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
#include "codec/json_writer.h"
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

/* The first bytes, as upstream shows what it could not read: in hexadecimal what is no JSON. */
static struct str summary(struct arena *a, struct str body)
{
    struct buf b = { 0 };

    if (!body.len)
        return STR("<empty>");
    if (body.p[0] == '{')
        return body.len <= SUMMARY_BYTES
                   ? body
                   : arena_printf(a, "%.*s ...", STR_ARG(str_sub(body, 0, SUMMARY_BYTES)));
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

/* What is wrong with a body is the client's; what a patch made of an object, the patch's. */
static struct status refused(struct api_request *r, const struct body_patch *patch,
                             struct str version, struct str kind, const char *why)
{
    struct field_path p = field_path_member(NULL, STR("patch"));
    struct field_errors errs;

    if (!patch)
        return status_plain(r->arena, STATUS_BAD_REQUEST,
                            "%.*s in version \"%.*s\" cannot be handled as a %.*s: %s",
                            STR_ARG(kind), STR_ARG(version), STR_ARG(body_kind(r)), why);
    field_errors_init(&errs, r->arena);
    field_errors_add_text(&errs, &p, FIELD_ERROR_INVALID, patch->shown, "%s", why);
    return status_invalid(r->arena, STR(""), STR(""), STR(""), &errs);
}

static struct status wrong_kind(struct api_request *r, struct object o, struct str kind)
{
    struct field_path p = field_path_member(NULL, STR("kind"));
    struct field_errors errs;

    field_errors_init(&errs, r->arena);
    field_errors_add_text(&errs, &p, FIELD_ERROR_INVALID, kind, "must be %.*s",
                          STR_ARG(body_kind(r)));
    return status_invalid(r->arena, body_group(r), kind, object_meta(o)->name, &errs);
}

/* "apps" of "apps/v1"; of the oldest group "core": where upstream's types live. */
static struct str package_of(struct str group)
{
    struct str head, rest;

    (void)str_cut(group, '.', &head, &rest);
    return group.len ? head : STR("core");
}

/* What a kind of another version, or another kind, is refused with. */
static struct status wrong_type(struct api_request *r, const struct body_patch *patch,
                                struct str api_version, struct str kind)
{
    struct arena *a = r->arena;
    struct str group = STR(""), version = api_version, why, wanted = body_api_version(r);

    if (str_find(api_version, '/') >= 0)
        (void)str_cut(api_version, '/', &group, &version);
    if (!resource_find_kind(group, version, kind))
        why = arena_printf(a,
                           "no kind \"%.*s\" is registered for version \"%.*s\" in scheme "
                           "\"pkg/api/legacyscheme/scheme.go:30\"",
                           STR_ARG(kind), STR_ARG(api_version));
    else if (str_eq(kind, body_kind(r)) && str_eq(group, body_group(r)))
        return status_plain(a, STATUS_BAD_REQUEST,
                            "the API version in the data (%.*s) does not match the expected API "
                            "version (%.*s)",
                            STR_ARG(api_version), STR_ARG(wanted));
    else
        why = arena_printf(a, "converting (%.*s.%.*s) to (%.*s.%.*s): unknown conversion",
                           STR_ARG(version), STR_ARG(kind), STR_ARG(package_of(body_group(r))),
                           STR_ARG(body_kind(r)));
    return refused(r, patch, version, kind, str_cstr(a, why));
}

/* kind and apiVersion must be the endpoint's; where they are missing it stands for them. Custom
 * resources must say their kind, and are asked for the right one later. */
static bool check_gvk(struct api_request *r, const struct body_patch *patch, struct str api_version,
                      struct str kind, struct status *st)
{
    struct str wanted = body_api_version(r), group, rest;

    if (custom_row(r) && !kind.len) {
        struct str why = arena_printf(r->arena, "Object 'Kind' is missing in '%.*s'",
                                      STR_ARG(str_trim(r->body)));

        *st = unrecognized(r, str_cstr(r->arena, why));
        return false;
    }
    if (str_cut(api_version, '/', &group, &rest) && str_find(rest, '/') >= 0) {
        struct str why =
            arena_printf(r->arena, "unexpected GroupVersion string: %.*s", STR_ARG(api_version));

        *st = unrecognized(r, str_cstr(r->arena, why));
        return false;
    }
    if (!api_version.len)
        api_version = wanted;
    if (str_eq(api_version, wanted) && (!kind.len || str_eq(kind, body_kind(r)) || custom_row(r)))
        return true;
    if (custom_row(r))
        *st = status_plain(r->arena, STATUS_BAD_REQUEST,
                           "the API version in the data (%.*s) does not match the expected API "
                           "version (%.*s)",
                           STR_ARG(api_version), STR_ARG(wanted));
    else
        *st = wrong_type(r, patch, api_version, kind.len ? kind : body_kind(r));
    return false;
}

/* Strict: 400 with all of them; Warn: a warning each. */
static bool report_strict(struct api_request *r, const struct body_patch *patch,
                          const struct object_json_strict *strict, struct status *st)
{
    struct str first = patch ? patch->complaint : STR_NULL;
    struct buf b = { 0 };

    if (!strict->len && !first.len)
        return true;
    switch (body_field_validation(r)) {
    case FIELD_VALIDATION_IGNORE:
        return true;
    case FIELD_VALIDATION_WARN:
        if (first.len)
            api_request_warn(r, "%.*s", STR_ARG(first));
        for (size_t i = 0; i < strict->len; i++)
            api_request_warn(r, "%.*s", STR_ARG(strict->items[i]));
        return true;
    case FIELD_VALIDATION_STRICT:
        break;
    }
    buf_init_arena(&b, r->arena, 256);
    buf_append_lit(&b, "strict decoding error: ");
    buf_append_str(&b, first);
    for (size_t i = 0; i < strict->len; i++) {
        if (i || first.len)
            buf_append_lit(&b, ", ");
        buf_append_str(&b, strict->items[i]);
    }
    *st = refused(r, patch, body_version(r), body_kind(r), buf_cstr(&b));
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

static bool decode_json(struct api_request *r, const struct body_patch *patch, struct str json,
                        struct object *ret, struct status *st)
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
    if (!check_gvk(r, patch, api_version, kind, st))
        return false;
    if (str_eq(str_trim(json), STR("null")))
        json = STR("{}");
    rc = object_json_decode(r->arena, &schema_builtin, body_type(r), json, ret, &strict, &err);
    if (rc >= 0 && custom_row(r))
        rc = settle(r, *ret, &strict, &err);
    if (rc == ERR_TOO_LARGE) {
        *st = status_plain(r->arena, STATUS_TOO_LARGE, "Request entity too large: %s", err.text);
        return false;
    }
    if (rc == ERR_SYNTAX && !patch) { /* upstream reads all of it to find the kind */
        err_wrap(&err, "couldn't get version/kind; json parse error");
        *st = unrecognized(r, err.text);
        return false;
    }
    if (rc < 0) {
        *st = refused(r, patch, body_version(r), body_kind(r), err.text);
        return false;
    }
    if (custom_row(r) && !str_eq(kind, body_kind(r))) {
        *st = wrong_kind(r, *ret, kind);
        return false;
    }
    return report_strict(r, patch, &strict, st);
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
    if (!check_gvk(r, NULL, env.api_version, env.kind, st))
        return false;
    rc = object_pb_decode(r->arena, &schema_builtin, body_type(r), env.raw, ret, &err);
    if (rc < 0) {
        *st = refused(r, NULL, body_version(r), body_kind(r), err.text);
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
        ok = decode_json(r, NULL, json, ret, ret_status);
    if (ok)
        complete(r, *ret);
    return ok;
}

bool body_decode_patched(struct api_request *r, const struct body_patch *patch, struct str json,
                         struct object *ret, struct status *ret_status)
{
    if (!decode_json(r, patch, json, ret, ret_status))
        return false;
    complete(r, *ret);
    return true;
}

/* --- options --- */

/* 'Unsupported value: ["x"]': the list as it was given. */
static void add_bad_dry_run(struct api_request *r, const struct str *values, size_t n,
                            struct field_errors *errs)
{
    struct field_path p = field_path_member(NULL, STR("dryRun"));
    struct buf b = { 0 };

    buf_init_arena(&b, r->arena, 64);
    for (size_t i = 0; i < n; i++) {
        buf_append_char(&b, i ? ',' : '[');
        json_write_string(&b, values[i]);
    }
    buf_append_char(&b, ']');
    field_errors_add_raw(errs, &p, FIELD_ERROR_NOT_SUPPORTED, buf_str(&b),
                         "supported values: \"All\"");
}

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

/* Of whatever group, but no other kind. */
static int check_options_kind(struct str api_version, struct str kind, struct err *err)
{
    if (!kind.len || str_eq(kind, STR("DeleteOptions")))
        return 0;
    return err_set(err, ERR_INVALID,
                   "no kind \"%.*s\" is registered for version \"%.*s\" in scheme "
                   "\"k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27\"",
                   (int)MIN(kind.len, (size_t)100), kind.p, (int)MIN(api_version.len, (size_t)100),
                   api_version.p);
}

static int decode_delete_options_json(struct api_request *r, const struct schema_type *t,
                                      struct str json, struct object *ret, struct err *err)
{
    struct str api_version, kind;
    int rc;

    if (str_eq(str_trim(json), STR("null")))
        json = STR("{}");
    rc = object_json_peek_gvk(r->arena, json, &api_version, &kind, err);
    if (rc < 0) {
        err_wrap(err, "couldn't get version/kind; json parse error");
        return rc;
    }
    rc = check_options_kind(api_version, kind, err);
    return rc < 0 ? rc : object_json_decode(r->arena, &schema_builtin, t, json, ret, NULL, err);
}

static int decode_delete_options(struct api_request *r, struct object *ret, struct err *err)
{
    const struct schema_type *t =
        schema_find_type(&schema_builtin, STR("meta.k8s.io"), STR("v1"), STR("DeleteOptions"));
    struct object_pb_envelope env;
    struct str json = r->body;
    int rc = 0;

    if (r->body_media == MEDIA_PROTOBUF) {
        rc = object_pb_open(r->body, &env, err);
        if (rc >= 0)
            rc = check_options_kind(env.api_version, env.kind, err);
        return rc < 0 ? rc : object_pb_decode(r->arena, &schema_builtin, t, env.raw, ret, err);
    }
    if (r->body_media == MEDIA_YAML)
        rc = yaml_to_json(r->arena, r->body, false, API_REQUEST_BODY_LIMIT, &json, err);
    return rc < 0 ? rc : decode_delete_options_json(r, t, json, ret, err);
}

/* dryRun in a body; the query's has been looked at. */
static void check_dry_run(struct api_request *r, const struct meta_v1_delete_options *o,
                          struct field_errors *errs)
{
    const struct str *items = o->dry_run.items;
    bool all = true;

    for (uint32_t i = 0; i < o->dry_run.len; i++)
        all &= str_eq(items[i], STR("All"));
    r->dry_run |= o->dry_run.len != 0;
    if (!all)
        add_bad_dry_run(r, items, o->dry_run.len, errs);
}

bool body_decode_delete_options(struct api_request *r, struct meta_v1_delete_options *ret,
                                struct status *ret_status)
{
    static const struct str policies[] = { STR_INIT("Foreground"), STR_INIT("Background"),
                                           STR_INIT("Orphan"), STR_INIT("nil") };
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
    field_errors_init(&errs, r->arena);
    known = !ret->propagation_policy.len;
    for (size_t i = 0; i + 1 < ARRAY_LEN(policies); i++)
        known |= str_eq(ret->propagation_policy, policies[i]);
    if (ret->propagation_policy.len && ret->orphan_dependents)
        field_errors_add_text(&errs, &p, FIELD_ERROR_INVALID, ret->propagation_policy,
                              "orphanDependents and deletionPropagation cannot be both set");
    if (!known)
        field_errors_add_unsupported(&errs, &p, ret->propagation_policy, policies,
                                     ARRAY_LEN(policies));
    check_dry_run(r, ret, &errs);
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

/* dryRun, as often as it is given. */
static void check_query_dry_run(struct api_request *r, struct field_errors *errs)
{
    struct str values[REQUEST_INFO_MAX_PARAMS];
    size_t n = 0;
    bool all = true;

    for (size_t i = 0; i < r->info.n_params; i++) {
        if (!str_eq(r->info.params[i].name, STR("dryRun")))
            continue;
        values[n++] = r->info.params[i].value;
        all &= str_eq(r->info.params[i].value, STR("All"));
    }
    r->dry_run = n != 0;
    if (!all)
        add_bad_dry_run(r, values, n, errs);
}

static void check_manager(struct str manager, struct field_errors *errs)
{
    struct field_path p = field_path_member(NULL, STR("fieldManager"));

    if (manager.len > MANAGED_FIELDS_MANAGER_MAX) {
        field_errors_add(errs, &p, FIELD_ERROR_TOO_LONG, "may not be more than %d bytes",
                         MANAGED_FIELDS_MANAGER_MAX);
        return;
    }
    for (size_t i = 0; i < manager.len; i++)
        if (!managed_fields_name_is_printable(str_sub(manager, i, i + 1))) {
            field_errors_add_text(errs, &p, FIELD_ERROR_INVALID, manager,
                                  "invalid character U+%04X (at position %zu)",
                                  (unsigned char)manager.p[i], i);
            return;
        }
}

bool body_check_options(struct api_request *r, const char *kind, struct status *ret_status)
{
    static const struct str validations[] = { STR_INIT(""), STR_INIT("Ignore"), STR_INIT("Strict"),
                                              STR_INIT("Warn") };
    bool deletes = r->info.verb >= REQUEST_VERB_DELETE;
    struct str fv = request_info_param(&r->info, STR("fieldValidation"));
    struct str manager = request_info_param(&r->info, STR("fieldManager"));
    struct field_path p_fv = field_path_member(NULL, STR("fieldValidation"));
    struct field_errors errs;
    bool known = false;

    field_errors_init(&errs, r->arena);
    check_query_dry_run(r, &errs);
    for (size_t i = 0; i < ARRAY_LEN(validations); i++)
        known |= str_eq(fv, validations[i]);
    if (!known && !deletes)
        field_errors_add_unsupported(&errs, &p_fv, fv, validations, ARRAY_LEN(validations));
    if (r->info.verb == REQUEST_VERB_PATCH)
        check_apply_options(r, manager, &errs);
    if (!deletes)
        check_manager(manager, &errs);
    if (!errs.len)
        return true;
    *ret_status = status_invalid(r->arena, STR("meta.k8s.io"), str_from_cstr(kind), STR(""), &errs);
    return false;
}
