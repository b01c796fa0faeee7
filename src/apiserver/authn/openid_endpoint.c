#include "apiserver/authn/openid_endpoint.h"

#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "base/buf.h"
#include "codec/json_writer.h"
#include "codec/jwt.h"

static void print_discovery(struct api_request *r, struct buf *b)
{
    const struct service_account_keys *k = &r->server->service_account_keys;
    struct buf uri;

    buf_init_arena(&uri, r->arena, 128);
    buf_append_str(&uri, k->issuer);
    buf_append_lit(&uri, "/openid/v1/jwks");
    buf_append_lit(b, "{\"issuer\":");
    json_write_string(b, k->issuer);
    buf_append_lit(b, ",\"jwks_uri\":");
    json_write_string(b, buf_str(&uri));
    buf_append_lit(b, ",\"response_types_supported\":[\"id_token\"],\"subject_types_supported\":["
                      "\"public\"],\"id_token_signing_alg_values_supported\":[");
    for (size_t i = 0; i < k->n; i++) {
        struct str alg = jwt_key_algorithm(k->keys[i]);

        if (!str_contains(buf_str(b), alg))
            buf_printf(b, "%s\"%.*s\"", i ? "," : "", STR_ARG(alg));
    }
    buf_append_lit(b, "]}");
}

static void print_keys(struct api_request *r, struct buf *b)
{
    const struct service_account_keys *k = &r->server->service_account_keys;

    buf_append_lit(b, "{\"keys\":[");
    for (size_t i = 0; i < k->n; i++) {
        if (i)
            buf_append_char(b, ',');
        jwt_key_append_jwk(b, k->keys[i]);
    }
    buf_append_lit(b, "]}");
}

bool openid_handle(struct api_request *r)
{
    bool keys = str_eq(r->info.path, STR("/openid/v1/jwks"));
    struct buf b;

    if (!r->server->service_account_keys.n || !str_eq(r->info.method, STR("GET")) ||
        (!keys && !str_eq(r->info.path, STR("/.well-known/openid-configuration"))))
        return false;
    buf_init_arena(&b, r->arena, 1024);
    if (keys)
        print_keys(r, &b);
    else
        print_discovery(r, &b);
    r->cacheable = true;
    api_request_header(r, STR("cache-control"), STR("public, max-age=3600"));
    api_respond(r, 200, keys ? STR("application/jwk-set+json") : STR("application/json"),
                buf_str(&b));
    return true;
}
