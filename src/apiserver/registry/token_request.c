/* serviceaccounts/NAME/token: a token for the account, for the audiences and the time that are
 * asked for, bound to a Pod, Secret or Node where one is named. Nothing is stored. */
#include "api/authentication_v1.h"
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/body_decode.h"
#include "apiserver/registry/object_response.h"
#include "apiserver/registry/stored_read.h"
#include "apiserver/registry/subresources.h"
#include "apiserver/registry/system_fields.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "store/store.h"

enum { MIN_SECONDS = 600, DEFAULT_SECONDS = 3600, DAY_SECONDS = 86400 };
#define MAX_SECONDS ((int64_t)1 << 32)

struct token_request {
    struct api_request *r;
    struct authentication_v1_token_request *body;
    struct stored_reader reader;
    struct service_account_token token;
    struct status refused;
};

static bool check_spec(struct token_request *t)
{
    const struct authentication_v1_token_request_spec *spec = &t->body->spec;
    struct field_path p_spec = field_path_member(NULL, STR("spec"));
    struct field_path path = field_path_member(&p_spec, STR("expirationSeconds"));
    int64_t seconds = spec->expiration_seconds ? *spec->expiration_seconds : DEFAULT_SECONDS;
    struct field_errors errs;

    field_errors_init(&errs, t->r->arena);
    if (seconds < MIN_SECONDS)
        field_errors_add_raw(&errs, &path, FIELD_ERROR_INVALID,
                             arena_printf(t->r->arena, "%lld", (long long)seconds),
                             "may not specify a duration less than 10 minutes");
    if (seconds > MAX_SECONDS)
        field_errors_add_raw(&errs, &path, FIELD_ERROR_INVALID,
                             arena_printf(t->r->arena, "%lld", (long long)seconds),
                             "may not specify a duration larger than 2^32 seconds");
    if (!errs.len)
        return true;
    t->refused = status_invalid(t->r->arena, STR("authentication.k8s.io"), STR("TokenRequest"),
                                t->r->info.name, &errs);
    return false;
}

static bool read_object(struct token_request *t, const char *resource, struct str name,
                        struct object *ret)
{
    const struct resource *row = stored_read_row(STR(""), str_from_cstr(resource));
    struct group_resource gr = { STR(""), row->name };
    struct err err;
    int rc =
        stored_read_get(&t->reader, row, resource_is_namespaced(row) ? t->token.namespace : STR(""),
                        name, ret, &err);

    if (rc >= 0)
        return true;
    t->refused = rc == ERR_NOT_FOUND ? status_not_found(t->r->arena, gr, name)
                                     : status_of_store(t->r->arena, rc, &err);
    return false;
}

/* The node that a Pod runs on goes into its tokens, for information. */
static bool add_node_of(struct token_request *t, const struct core_v1_pod *pod)
{
    const struct resource *row = stored_read_row(STR(""), STR("nodes"));
    struct object o;
    struct err err;

    if (!pod->spec.node_name.len)
        return true;
    t->token.node.name = pod->spec.node_name;
    if (stored_read_get(&t->reader, row, STR(""), pod->spec.node_name, &o, &err) >= 0)
        t->token.node.uid = object_meta(o)->uid;
    return true;
}

static bool bind_to(struct token_request *t)
{
    const struct authentication_v1_bound_object_reference *ref = t->body->spec.bound_object_ref;
    static const struct {
        struct str kind;
        const char *resource;
        size_t at;
    } kinds[] = {
        { STR_INIT("Pod"), "pods", offsetof(struct service_account_token, pod) },
        { STR_INIT("Secret"), "secrets", offsetof(struct service_account_token, secret) },
        { STR_INIT("Node"), "nodes", offsetof(struct service_account_token, node) },
    };

    if (!ref)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct service_account_ref found;
        struct object o;

        if (!str_eq(ref->kind, kinds[i].kind))
            continue;
        if (!read_object(t, kinds[i].resource, ref->name, &o))
            return false;
        found = (struct service_account_ref){ ref->name, object_meta(o)->uid };
        if (ref->uid.len && !str_eq(ref->uid, found.uid)) {
            t->refused = status_conflict(
                t->r->arena, (struct group_resource){ STR(""), str_from_cstr(kinds[i].resource) },
                ref->name,
                "the UID in the bound object reference (%.*s) does not match the UID in record. "
                "The object might have been deleted and then recreated",
                STR_ARG(ref->uid));
            return false;
        }
        memcpy((char *)&t->token + kinds[i].at, &found, sizeof(found));
        if (i)
            return true;
        if (!str_eq(((const struct core_v1_pod *)o.data)->spec.service_account_name,
                    t->token.account.name)) {
            t->refused = status_plain(
                t->r->arena, STATUS_BAD_REQUEST,
                "cannot bind token for serviceaccount \"%.*s\" to pod running with different "
                "serviceaccount name.",
                STR_ARG(t->token.account.name));
            return false;
        }
        return add_node_of(t, o.data);
    }
    t->refused = status_plain(t->r->arena, STATUS_BAD_REQUEST,
                              "cannot bind token to object of type %.*s, %.*s",
                              STR_ARG(ref->api_version), STR_ARG(ref->kind));
    return false;
}

static bool admit(struct token_request *t, struct object body)
{
    const struct admission_call call = { .request = t->r,
                                         .snapshot = t->reader.snapshot,
                                         .operation = ADMISSION_CREATE,
                                         .namespace = t->token.namespace,
                                         .name = t->r->info.name,
                                         .object = body };

    return admission_mutate(&call, &t->refused) && admission_validate(&call, &t->refused);
}

static bool issue(struct token_request *t, struct object account)
{
    const struct service_account_keys *keys = &t->r->server->service_account_keys;
    struct authentication_v1_token_request *body = t->body;
    struct str *audience = arena_dup(t->r->arena, &keys->issuer, sizeof(*audience));
    struct err err;
    int rc;

    t->token.account = (struct service_account_ref){ t->r->info.name, object_meta(account)->uid };
    if (!body->spec.audiences.len) {
        body->spec.audiences.items = audience;
        body->spec.audiences.len = 1;
    }
    if (!body->spec.expiration_seconds) {
        body->spec.expiration_seconds = ARENA_NEW(t->r->arena, int64_t);
        *body->spec.expiration_seconds = DEFAULT_SECONDS;
    }
    if (!bind_to(t))
        return false;
    t->token.audiences = body->spec.audiences.items;
    t->token.n_audiences = body->spec.audiences.len;
    t->token.issued_s = clock_wall_s(t->r->server->clock);
    t->token.expires_s = t->token.issued_s + *body->spec.expiration_seconds;
    rc = service_account_token_make(t->r->arena, keys, &t->token, &body->status.token, &err);
    if (rc < 0) {
        t->refused = rc == ERR_UNSUPPORTED
                         ? status_plain(t->r->arena, STATUS_NOT_IMPLEMENTED, "%s", err.text)
                         : status_internal(t->r->arena, "%s", err.text);
        return false;
    }
    body->status.expiration_timestamp = (struct ktime){ .sec = t->token.expires_s, .set = true };
    body->metadata.name = t->r->info.name;
    body->metadata.namespace = t->token.namespace;
    body->metadata.creation_timestamp = (struct ktime){ .sec = t->token.issued_s, .set = true };
    return true;
}

void token_request_create(struct api_request *r)
{
    struct token_request t = { .r = r, .token = { .namespace = r->info.namespace } };
    struct store_snapshot snapshot;
    struct object body, account;
    struct err err;
    bool ok = false;
    int rc;

    if (!body_check_options(r, "CreateOptions", &t.refused) || !body_decode(r, &body, &t.refused) ||
        !system_fields_check_namespace(r, object_meta(body), &t.refused)) {
        api_respond_status(r, &t.refused);
        return;
    }
    t.body = body.data;
    rc = store_snapshot_begin(r->server->store, &snapshot, &err);
    if (rc < 0) {
        t.refused = status_of_store(r->arena, rc, &err);
        api_respond_status(r, &t.refused);
        return;
    }
    t.reader = (struct stored_reader){ &r->server->registry, &snapshot, r->arena };
    ok = admit(&t, body) && check_spec(&t) &&
         read_object(&t, "serviceaccounts", r->info.name, &account) && issue(&t, account);
    store_snapshot_end(&snapshot);
    if (ok)
        object_response_send(r, 201, body);
    else
        api_respond_status(r, &t.refused);
}
