#include "apiserver/api_request.h"
#include "apiserver/authz/authorizer.h"
#include "base/macros.h"

static enum authorizer_answer masters_authorize(const struct api_request *r, struct str *ret_reason)
{
    (void)ret_reason;
    for (size_t i = 0; i < r->user.n_groups; i++)
        if (str_eq(r->user.groups[i], STR("system:masters")))
            return AUTHORIZER_ALLOW;
    return AUTHORIZER_NO_OPINION;
}

const struct authorizer masters_authorizer = {
    .name = "masters",
    .authorize = masters_authorize,
};

static enum authorizer_answer paths_authorize(const struct api_request *r, struct str *ret_reason)
{
    static const struct str roots[] = { STR_INIT("/healthz"), STR_INIT("/livez"),
                                        STR_INIT("/readyz"), STR_INIT("/version") };

    (void)ret_reason;
    if (r->info.is_resource || !str_eq(r->info.method, STR("GET")))
        return AUTHORIZER_NO_OPINION;
    for (size_t i = 0; i < ARRAY_LEN(roots); i++)
        if (str_eq(r->info.path, roots[i]) ||
            (str_has_prefix(r->info.path, roots[i]) && r->info.path.p[roots[i].len] == '/'))
            return AUTHORIZER_ALLOW;
    return AUTHORIZER_NO_OPINION;
}

const struct authorizer always_allow_paths_authorizer = {
    .name = "paths",
    .authorize = paths_authorize,
};
