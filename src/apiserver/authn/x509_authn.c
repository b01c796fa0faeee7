#include "apiserver/authn/x509_authn.h"

#include "apiserver/api_request.h"
#include "base/arena.h"
#include "base/buf.h"
#include "codec/digest.h"
#include "http/http_server.h"

/* Which certificate it was, as upstream says it. */
static const struct user_extra *credential_of(struct arena *a, struct str der)
{
    struct user_extra *extra = ARENA_NEW(a, struct user_extra);
    struct str *value = ARENA_NEW(a, struct str);
    unsigned char digest[DIGEST_SHA256_BYTES];
    struct buf b = { 0 };

    buf_init_arena(&b, a, 96);
    buf_append_lit(&b, "X509SHA256=");
    digest_sha256(der, digest);
    digest_append_hex(&b, digest, sizeof(digest));
    *value = buf_str(&b);
    *extra = (struct user_extra){ .key = STR("authentication.kubernetes.io/credential-id"),
                                  .values = value,
                                  .n_values = 1 };
    return extra;
}

static enum authenticator_answer x509_authenticate(struct api_request *r, struct user_info *ret)
{
    struct http_peer_identity id;
    struct str *groups;

    if (http_request_peer_is_stranger(r->http))
        return AUTHENTICATOR_REFUSED;
    if (!http_request_peer_identity(r->http, &id))
        return AUTHENTICATOR_UNKNOWN;
    if (!id.common_name.len)
        return AUTHENTICATOR_REFUSED;
    groups = ARENA_NEW_ARRAY(r->arena, struct str, id.n_organizations + 1);
    for (size_t i = 0; i < id.n_organizations; i++)
        groups[i] = id.organizations[i];
    groups[id.n_organizations] = STR("system:authenticated");
    *ret = (struct user_info){ .name = id.common_name,
                               .groups = groups,
                               .n_groups = id.n_organizations + 1,
                               .extra = credential_of(r->arena, id.der),
                               .n_extra = 1 };
    return AUTHENTICATOR_KNOWN;
}

const struct authenticator x509_authenticator = {
    .name = "x509",
    .authenticate = x509_authenticate,
};

static enum authenticator_answer insecure_authenticate(struct api_request *r, struct user_info *ret)
{
    static const struct str groups[] = { STR_INIT("system:masters"),
                                         STR_INIT("system:authenticated") };

    (void)r;
    *ret = (struct user_info){ .name = STR("system:unsecured"), .groups = groups, .n_groups = 2 };
    return AUTHENTICATOR_KNOWN;
}

const struct authenticator insecure_authenticator = {
    .name = "insecure",
    .authenticate = insecure_authenticate,
};
