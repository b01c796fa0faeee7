#include "codec/jwt.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "codec/digest.h"
#include "codec/value.h"

enum { EC_SCALAR = 32, RSA_MIN_BITS = 2048, SIGNATURE_MAX = 1024 };

struct jwt_key {
    EVP_PKEY *pkey;
    bool is_ec;
    bool can_sign;
    char id[64];
};

DEFINE_CLEANUP(BIO *, BIO_free_all);
DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free);
DEFINE_CLEANUP(ECDSA_SIG *, ECDSA_SIG_free);
DEFINE_CLEANUP(BIGNUM *, BN_free);

static int fail(struct err *err, const char *what)
{
    char text[256];

    ERR_error_string_n(ERR_get_error(), text, sizeof(text));
    ERR_clear_error();
    return err_set(err, ERR_INVALID, "%s: %s", what, text);
}

/* --- keys --- */

static EVP_PKEY *read_pem(struct str pem, bool *ret_private)
{
    CLEANUP(BIO_free_all) BIO *b = BIO_new_mem_buf(pem.p, (int)pem.len);
    EVP_PKEY *k;

    if (!b)
        return NULL;
    *ret_private = str_contains(pem, STR("PRIVATE KEY"));
    k = *ret_private ? PEM_read_bio_PrivateKey(b, NULL, NULL, NULL)
                     : PEM_read_bio_PUBKEY(b, NULL, NULL, NULL);
    return k;
}

static bool set_id(struct jwt_key *k)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    unsigned char digest[DIGEST_SHA256_BYTES], *der = NULL;
    int n = i2d_PUBKEY(k->pkey, &der);

    if (n <= 0)
        return false;
    digest_sha256(str_n((const char *)der, (size_t)n), digest);
    OPENSSL_free(der);
    base64_encode_url(&b, str_n((const char *)digest, sizeof(digest)));
    if (b.len >= sizeof(k->id))
        return false;
    memcpy(k->id, b.p, b.len);
    return true;
}

static bool is_p256(EVP_PKEY *k)
{
    char name[32];
    size_t n;

    return EVP_PKEY_get_group_name(k, name, sizeof(name), &n) == 1 &&
           str_eq(str_n(name, n), STR("prime256v1"));
}

int jwt_key_new(struct str pem, struct jwt_key **ret, struct err *err)
{
    CLEANUP(jwt_key_free) struct jwt_key *k = NEW(struct jwt_key);

    k->pkey = read_pem(pem, &k->can_sign);
    if (!k->pkey)
        return fail(err, "read a key of tokens");
    k->is_ec = EVP_PKEY_is_a(k->pkey, "EC");
    if (!(k->is_ec && is_p256(k->pkey)) &&
        !(EVP_PKEY_is_a(k->pkey, "RSA") && EVP_PKEY_get_bits(k->pkey) >= RSA_MIN_BITS))
        return err_set(err, ERR_INVALID,
                       "a key of tokens must be P-256, or RSA of %d bits at least", RSA_MIN_BITS);
    if (!set_id(k))
        return fail(err, "digest a key of tokens");
    *ret = TAKE(k);
    return 0;
}

void jwt_key_free(struct jwt_key *k)
{
    if (!k)
        return;
    EVP_PKEY_free(k->pkey);
    mem_free(k);
}

struct str jwt_key_id(const struct jwt_key *k)
{
    return str_from_cstr(k->id);
}

struct str jwt_key_algorithm(const struct jwt_key *k)
{
    return k->is_ec ? STR("ES256") : STR("RS256");
}

bool jwt_key_can_sign(const struct jwt_key *k)
{
    return k->can_sign;
}

/* A number of the key, big endian, padded to `width` bytes (0: as long as it is). */
static void append_number(struct buf *b, const struct jwt_key *k, const char *member,
                          const char *param, int width)
{
    BIGNUM *got = NULL;
    unsigned char bytes[SIGNATURE_MAX];
    int n;

    if (EVP_PKEY_get_bn_param(k->pkey, param, &got) != 1 || BN_num_bytes(got) > SIGNATURE_MAX) {
        BN_free(got);
        return;
    }
    n = width ? width : BN_num_bytes(got);
    if (BN_bn2binpad(got, bytes, n) == n) {
        buf_printf(b, ",\"%s\":\"", member);
        base64_encode_url(b, str_n((const char *)bytes, (size_t)n));
        buf_append_char(b, '"');
    }
    BN_free(got);
}

void jwt_key_append_jwk(struct buf *b, const struct jwt_key *k)
{
    buf_printf(b, "{\"use\":\"sig\",\"kty\":\"%s\",\"kid\":\"%s\",\"alg\":\"%.*s\"",
               k->is_ec ? "EC" : "RSA", k->id, STR_ARG(jwt_key_algorithm(k)));
    if (k->is_ec) {
        buf_append_lit(b, ",\"crv\":\"P-256\"");
        append_number(b, k, "x", OSSL_PKEY_PARAM_EC_PUB_X, EC_SCALAR);
        append_number(b, k, "y", OSSL_PKEY_PARAM_EC_PUB_Y, EC_SCALAR);
    } else {
        append_number(b, k, "n", OSSL_PKEY_PARAM_RSA_N, 0);
        append_number(b, k, "e", OSSL_PKEY_PARAM_RSA_E, 0);
    }
    buf_append_char(b, '}');
}

/* --- signatures: JWS has r and s side by side where OpenSSL has DER --- */

static bool der_to_raw(const unsigned char *der, size_t len, unsigned char ret[2 * EC_SCALAR])
{
    CLEANUP(ECDSA_SIG_free) ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);

    return sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret, EC_SCALAR) == EC_SCALAR &&
           BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret + EC_SCALAR, EC_SCALAR) == EC_SCALAR;
}

/* Length of the DER; 0: no signature. */
static size_t raw_to_der(struct str raw, unsigned char ret[SIGNATURE_MAX])
{
    CLEANUP(ECDSA_SIG_free) ECDSA_SIG *sig = ECDSA_SIG_new();
    const unsigned char *p = (const unsigned char *)raw.p;
    BIGNUM *r, *s;
    int n;

    if (!sig || raw.len != 2 * EC_SCALAR)
        return 0;
    r = BN_bin2bn(p, EC_SCALAR, NULL);
    s = BN_bin2bn(p + EC_SCALAR, EC_SCALAR, NULL);
    if (!r || !s || ECDSA_SIG_set0(sig, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        return 0;
    }
    n = i2d_ECDSA_SIG(sig, &ret); /* 72 bytes at most */
    return n > 0 ? (size_t)n : 0;
}

int jwt_sign(struct arena *a, const struct jwt_key *k, struct str claims, struct str *ret,
             struct err *err)
{
    CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char signature[SIGNATURE_MAX], raw[2 * EC_SCALAR];
    size_t n = sizeof(signature);
    struct buf b;

    if (!k->can_sign)
        return err_set(err, ERR_INVALID, "the key of tokens is a public one");
    buf_init_arena(&b, a, claims.len * 2 + 512);
    base64_encode_url(&b, arena_printf(a, "{\"alg\":\"%.*s\",\"kid\":\"%s\"}",
                                       STR_ARG(jwt_key_algorithm(k)), k->id));
    buf_append_char(&b, '.');
    base64_encode_url(&b, claims);
    if (!ctx || EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, k->pkey) != 1 ||
        EVP_DigestSign(ctx, signature, &n, (const unsigned char *)b.p, b.len) != 1)
        return fail(err, "sign a token");
    buf_append_char(&b, '.');
    if (!k->is_ec)
        base64_encode_url(&b, str_n((const char *)signature, n));
    else if (der_to_raw(signature, n, raw))
        base64_encode_url(&b, str_n((const char *)raw, sizeof(raw)));
    else
        return fail(err, "sign a token");
    *ret = buf_str(&b);
    return 0;
}

static bool is_signed_by(const struct jwt_key *k, struct str text, struct str signature)
{
    CLEANUP(EVP_MD_CTX_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char der[SIGNATURE_MAX];
    bool ok;

    if (k->is_ec) {
        size_t n = raw_to_der(signature, der);

        signature = str_n((const char *)der, n);
    }
    ok = ctx && signature.len &&
         EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, k->pkey) == 1 &&
         EVP_DigestVerify(ctx, (const unsigned char *)signature.p, signature.len,
                          (const unsigned char *)text.p, text.len) == 1;
    ERR_clear_error();
    return ok;
}

struct parts {
    struct str text; /* what is signed */
    struct value header;
    struct str claims, signature;
};

static int split(struct arena *a, struct str token, struct parts *ret, struct err *err)
{
    struct str header, claims, rest;
    size_t dot;

    if (token.len > JWT_MAX_BYTES)
        return err_set(err, ERR_SYNTAX, "the token is too long");
    if (!str_cut(token, '.', &header, &rest) || !str_cut(rest, '.', &claims, &ret->signature))
        return err_set(err, ERR_SYNTAX, "the token has no three parts");
    dot = header.len + 1 + claims.len;
    ret->text = str_sub(token, 0, dot);
    if (!base64_decode_url(a, header, &header) || !base64_decode_url(a, claims, &ret->claims) ||
        !base64_decode_url(a, ret->signature, &ret->signature))
        return err_set(err, ERR_SYNTAX, "the token is not base64");
    if (value_parse(a, header, &ret->header, NULL, err) < 0)
        return err_set(err, ERR_SYNTAX, "the token's header is no JSON");
    return 0;
}

int jwt_peek(struct arena *a, struct str token, struct str *ret_claims, struct err *err)
{
    struct parts p;
    int r = split(a, token, &p, err);

    if (r >= 0)
        *ret_claims = p.claims;
    return r;
}

int jwt_verify(struct arena *a, struct jwt_key *const *keys, size_t n, struct str token,
               struct str *ret_claims, struct err *err)
{
    struct parts p;
    struct str kid, alg;
    int r = split(a, token, &p, err);

    if (r < 0)
        return r;
    kid = value_get_str(&p.header, STR("kid"));
    alg = value_get_str(&p.header, STR("alg"));
    /* Extensions that must be understood are not. */
    for (size_t i = 0; i < n && !value_get(&p.header, STR("crit")); i++) {
        if ((kid.len && !str_eq(kid, jwt_key_id(keys[i]))) ||
            !str_eq(alg, jwt_key_algorithm(keys[i])))
            continue;
        if (is_signed_by(keys[i], p.text, p.signature)) {
            *ret_claims = p.claims;
            return 0;
        }
    }
    return err_set(err, ERR_DENIED, "the token is signed by no key that is trusted");
}
