/* Reviews: questions about who somebody is and what somebody may do, answered by the authenticators
 * and authorizers themselves. Nothing is stored. */
#include "api/authentication_v1.h"
#include "api/authorization_v1.h"
#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/rbac_v1.h"
#include "api/resource.h"
#include "api/validation.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/authz/rbac.h"
#include "apiserver/authz/rbac_policy.h"
#include "apiserver/registry/body_decode.h"
#include "apiserver/registry/object_response.h"
#include "apiserver/registry/subresources.h"
#include "apiserver/registry/system_fields.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/vec.h"

/* False: answered already. */
static bool read_body(struct api_request *r, struct object *ret)
{
    struct status s;

    if (body_check_options(r, "CreateOptions", &s) && body_decode(r, ret, &s) &&
        system_fields_check_namespace(r, object_meta(*ret), &s))
        return true;
    api_respond_status(r, &s);
    return false;
}

/* The rows of the review's type. False: answered already. */
static bool is_valid(struct api_request *r, struct object o)
{
    struct validation_request v = { .object = o };
    struct field_errors errs;
    struct status s;

    field_errors_init(&errs, r->arena);
    validation_run(&v, &errs);
    if (!errs.len)
        return true;
    s = status_invalid(r->arena, r->resource->group, STR(""), STR(""), &errs);
    api_respond_status(r, &s);
    return false;
}

/* --- who --- */

static void print_user(struct arena *a, const struct user_info *user,
                       struct authentication_v1_user_info *ret)
{
    struct schema_strings_entry *extra =
        ARENA_NEW_ARRAY(a, struct schema_strings_entry, user->n_extra + 1);

    ret->username = user->name;
    ret->uid = user->uid;
    ret->groups.items = arena_dup(a, user->groups, user->n_groups * sizeof(struct str));
    ret->groups.len = (uint32_t)user->n_groups;
    for (size_t i = 0; i < user->n_extra; i++) {
        extra[i].key = user->extra[i].key;
        extra[i].value.items =
            arena_dup(a, user->extra[i].values, user->extra[i].n_values * sizeof(struct str));
        extra[i].value.len = (uint32_t)user->extra[i].n_values;
    }
    if (!user->n_extra)
        return;
    ret->extra.items = extra;
    ret->extra.len = (uint32_t)user->n_extra;
}

void token_review_create(struct api_request *r)
{
    struct authentication_v1_token_review *review;
    struct user_info user;
    struct str_list audiences, found = { 0 };
    struct object body;
    struct err err;

    if (!read_body(r, &body))
        return;
    review = body.data;
    memset(&review->status, 0, sizeof(review->status));
    if (!review->spec.token.len) {
        struct status s = status_plain(r->arena, STATUS_BAD_REQUEST,
                                       "token is required for TokenReview in authentication");

        api_respond_status(r, &s);
        return;
    }
    audiences = (struct str_list){ review->spec.audiences.items, review->spec.audiences.len };
    if (!audiences.len)
        audiences = (struct str_list){ &r->server->service_account_keys.issuer, 1 };
    if (service_account_token_check(r->arena, r->server, review->spec.token, audiences, &user,
                                    &found, &err) >= 0) {
        review->status.authenticated = true;
        print_user(r->arena, &user, &review->status.user);
        review->status.audiences.items =
            arena_dup(r->arena, found.items, found.len * sizeof(struct str));
        review->status.audiences.len = (uint32_t)found.len;
    } else if (service_account_token_is_ours(r->arena, &r->server->service_account_keys,
                                             review->spec.token)) {
        review->status.error = arena_printf(r->arena, "[invalid bearer token, %s]", err.text);
    } else {
        review->status.error = STR("invalid bearer token");
    }
    object_response_send(r, 201, body);
}

void self_subject_review_create(struct api_request *r)
{
    struct authentication_v1_self_subject_review *review;
    struct object body;

    if (!read_body(r, &body))
        return;
    review = body.data;
    review->metadata.creation_timestamp =
        (struct ktime){ .sec = clock_wall_s(r->server->clock), .set = true };
    print_user(r->arena, &r->user, &review->status.user_info);
    object_response_send(r, 201, body);
}

/* --- may they --- */

static struct str or_empty(struct str s)
{
    return s.p ? s : STR("");
}

/* The selector as text, whichever way it is given; what cannot be said so narrows nothing. */
static struct str selector_text(struct arena *a,
                                const struct authorization_v1_field_selector_attributes *s)
{
    struct buf b;

    if (!s || s->raw_selector.len)
        return s ? s->raw_selector : STR("");
    buf_init_arena(&b, a, 128);
    for (uint32_t i = 0; i < s->requirements.len; i++) {
        const struct meta_v1_field_selector_requirement *q = &s->requirements.items[i];

        if (q->values.len == 1 && str_eq(q->operator, STR("In")))
            buf_printf(&b, "%s%.*s=%.*s", b.len ? "," : "", STR_ARG(q->key),
                       STR_ARG(q->values.items[0]));
    }
    return buf_str(&b);
}

static struct authz_attributes
attributes_of(struct arena *a, const struct user_info *user,
              const struct authorization_v1_resource_attributes *resource,
              const struct authorization_v1_non_resource_attributes *path)
{
    if (!resource)
        return (struct authz_attributes){
            .arena = a, .user = user, .verb = or_empty(path->verb), .path = or_empty(path->path)
        };
    return (struct authz_attributes){
        .arena = a,
        .user = user,
        .is_resource = true,
        .verb = or_empty(resource->verb),
        .group = or_empty(resource->group),
        .resource = or_empty(resource->resource),
        .subresource = or_empty(resource->subresource),
        .namespace = or_empty(resource->namespace),
        .name = or_empty(resource->name),
        .field_selector = selector_text(a, resource->field_selector),
    };
}

static void answer(struct api_request *r, const struct authz_attributes *a, struct object body,
                   struct authorization_v1_subject_access_review_status *ret)
{
    struct str reason = STR_NULL;
    enum authorizer_answer decision = authz_check(r->server, a, &reason);

    *ret = (struct authorization_v1_subject_access_review_status){
        .allowed = decision == AUTHORIZER_ALLOW,
        .denied = decision == AUTHORIZER_DENY,
        .reason = reason,
    };
    object_response_send(r, 201, body);
}

void self_subject_access_review_create(struct api_request *r)
{
    struct authorization_v1_self_subject_access_review *review;
    struct authz_attributes a;
    struct object body;

    if (!read_body(r, &body))
        return;
    review = body.data;
    if (!is_valid(r, body))
        return;
    a = attributes_of(r->arena, &r->user, review->spec.resource_attributes,
                      review->spec.non_resource_attributes);
    answer(r, &a, body, &review->status);
}

/* LocalSubjectAccessReview has the same members. */
void subject_access_review_create(struct api_request *r)
{
    struct authorization_v1_subject_access_review *review;
    const struct authorization_v1_subject_access_review_spec *spec;
    struct authz_attributes a;
    struct user_info user;
    struct object body;

    if (!read_body(r, &body))
        return;
    review = body.data;
    spec = &review->spec;
    if (!is_valid(r, body))
        return;
    user = (struct user_info){ .name = spec->user,
                               .uid = spec->uid,
                               .groups = spec->groups.items,
                               .n_groups = spec->groups.len };
    a = attributes_of(r->arena, &user, spec->resource_attributes, spec->non_resource_attributes);
    answer(r, &a, body, &review->status);
}

/* --- what may I --- */

struct listing {
    struct arena *arena;
    struct VEC(struct authorization_v1_resource_rule) resources;
    struct VEC(struct authorization_v1_non_resource_rule) paths;
};

static void copy_texts(struct arena *a, void *to, const void *from)
{
    const struct schema_strings *list = from;
    struct schema_strings copy = { .len = list->len };

    copy.items = ARENA_NEW_ARRAY(a, struct str, list->len + 1);
    for (uint32_t i = 0; i < list->len; i++)
        copy.items[i] = str_dup(a, list->items[i]);
    if (!copy.len)
        copy.items = NULL;
    memcpy(to, &copy, sizeof(copy));
}

static bool list_rule(const struct rbac_v1_policy_rule *rule, void *arg)
{
    struct listing *l = arg;

    if (rule->resources.len) {
        struct authorization_v1_resource_rule x = { 0 };

        copy_texts(l->arena, &x.verbs, &rule->verbs);
        copy_texts(l->arena, &x.api_groups, &rule->api_groups);
        copy_texts(l->arena, &x.resources, &rule->resources);
        copy_texts(l->arena, &x.resource_names, &rule->resource_names);
        VEC_PUSH(&l->resources, x);
    }
    if (rule->non_resource_urls.len) {
        struct authorization_v1_non_resource_rule x = { 0 };

        copy_texts(l->arena, &x.verbs, &rule->verbs);
        copy_texts(l->arena, &x.non_resource_urls, &rule->non_resource_urls);
        VEC_PUSH(&l->paths, x);
    }
    return !arena_is_over(l->arena);
}

void self_subject_rules_review_create(struct api_request *r)
{
    struct authorization_v1_self_subject_rules_review *review;
    struct listing l = { .arena = r->arena };
    struct rbac_policy *policy;
    struct object body;

    if (!read_body(r, &body))
        return;
    review = body.data;
    if (!review->spec.namespace.len) {
        struct status s = status_plain(r->arena, STATUS_BAD_REQUEST, "no namespace on request");

        api_respond_status(r, &s);
        return;
    }
    if (r->server->rbac) {
        policy = rbac_policy_get(r->server->rbac);
        rbac_policy_each(policy, &r->user, review->spec.namespace, list_rule, &l);
        rbac_policy_unref(policy);
    }
    memset(&review->spec, 0, sizeof(review->spec)); /* it is not said again */
    memset(&review->status, 0, sizeof(review->status));
    review->status.resource_rules.items =
        arena_dup(r->arena, l.resources.items, l.resources.len * sizeof(*l.resources.items));
    review->status.resource_rules.len = (uint32_t)l.resources.len;
    review->status.non_resource_rules.items =
        arena_dup(r->arena, l.paths.items, l.paths.len * sizeof(*l.paths.items));
    review->status.non_resource_rules.len = (uint32_t)l.paths.len;
    VEC_DONE(&l.resources);
    VEC_DONE(&l.paths);
    object_response_send(r, 201, body);
}
