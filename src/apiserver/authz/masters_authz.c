#include "api/field_selector.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/authz/authorizer.h"
#include "base/err.h"
#include "base/macros.h"

/* One object that is listed or watched by its name is that object, as upstream has it. */
static struct str selected_name(const struct api_request *r, struct str selector)
{
    struct field_selector s;
    struct str name;
    struct err err;

    if (!selector.len || field_selector_parse(r->arena, selector, &s, &err) < 0 ||
        !field_selector_requires(&s, STR("metadata.name"), &name) || str_find(name, '/') >= 0)
        return STR("");
    return name;
}

static bool has_selector(const struct request_info *i)
{
    return i->is_resource && (i->verb == REQUEST_VERB_LIST || i->verb == REQUEST_VERB_WATCH ||
                              i->verb == REQUEST_VERB_DELETECOLLECTION);
}

struct authz_attributes authz_attributes_of(const struct api_request *r)
{
    struct str selector =
        has_selector(&r->info) ? request_info_param(&r->info, STR("fieldSelector")) : STR_NULL;

    return (struct authz_attributes){
        .arena = r->arena,
        .user = &r->user,
        .is_resource = r->info.is_resource,
        .verb = r->info.verb_text,
        .group = r->info.group,
        .resource = r->info.resource,
        .subresource = r->info.subresource,
        .namespace = r->info.namespace,
        .name = r->info.name.len ? r->info.name : selected_name(r, selector),
        .field_selector = selector,
        .path = r->info.path,
    };
}

enum authorizer_answer authz_check(struct apiserver *s, const struct authz_attributes *a,
                                   struct str *ret_reason)
{
    struct str reasons = STR("");

    for (const struct authorizer *const *i = s->authorizers; *i; i++) {
        struct str reason = STR("");
        enum authorizer_answer answer = (*i)->authorize(s, a, &reason);

        if (reason.len)
            reasons = reason;
        *ret_reason = answer == AUTHORIZER_NO_OPINION ? reasons : reason;
        if (answer != AUTHORIZER_NO_OPINION)
            return answer;
    }
    return AUTHORIZER_NO_OPINION;
}

static enum authorizer_answer
masters_authorize(struct apiserver *s, const struct authz_attributes *a, struct str *ret_reason)
{
    (void)s;
    (void)ret_reason;
    for (size_t i = 0; i < a->user->n_groups; i++)
        if (str_eq(a->user->groups[i], STR("system:masters")))
            return AUTHORIZER_ALLOW;
    return AUTHORIZER_NO_OPINION;
}

const struct authorizer masters_authorizer = {
    .name = "masters",
    .authorize = masters_authorize,
};

static enum authorizer_answer paths_authorize(struct apiserver *s, const struct authz_attributes *a,
                                              struct str *ret_reason)
{
    static const struct str roots[] = { STR_INIT("/healthz"), STR_INIT("/livez"),
                                        STR_INIT("/readyz"), STR_INIT("/version") };

    (void)s;
    (void)ret_reason;
    if (a->is_resource || !str_eq(a->verb, STR("get")))
        return AUTHORIZER_NO_OPINION;
    for (size_t i = 0; i < ARRAY_LEN(roots); i++)
        if (str_eq(a->path, roots[i]) ||
            (str_has_prefix(a->path, roots[i]) && a->path.p[roots[i].len] == '/'))
            return AUTHORIZER_ALLOW;
    return AUTHORIZER_NO_OPINION;
}

const struct authorizer always_allow_paths_authorizer = {
    .name = "paths",
    .authorize = paths_authorize,
};
