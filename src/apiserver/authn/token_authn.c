#include "apiserver/authn/token_authn.h"

#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "base/err.h"
#include "base/log.h"
#include "http/http_server.h"

static enum authenticator_answer token_authenticate(struct api_request *r, struct user_info *ret)
{
    struct str header = http_request_header(r->http, STR("authorization")), scheme, token;
    const struct str_list audiences = { &r->server->service_account_keys.issuer, 1 };
    struct err err;

    if (!str_cut(header, ' ', &scheme, &token) || !str_eq_nocase(scheme, STR("bearer")))
        return AUTHENTICATOR_UNKNOWN;
    token = str_trim(token);
    if (!token.len)
        return AUTHENTICATOR_UNKNOWN;
    if (service_account_token_check(r->arena, r->server, token, audiences, ret, NULL, &err) >= 0)
        return AUTHENTICATOR_KNOWN;
    LOG_DEBUG("token refused", KV("reason", (const char *)err.text));
    return AUTHENTICATOR_REFUSED;
}

const struct authenticator token_authenticator = {
    .name = "token",
    .authenticate = token_authenticate,
};
