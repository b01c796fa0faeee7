#include "codec/certificate_request.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/random.h"
#include "codec/x509.h"

DEFINE_CLEANUP(X509 *, X509_free);
DEFINE_CLEANUP(X509_REQ *, X509_REQ_free);
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free);
DEFINE_CLEANUP(BIO *, BIO_free_all);
DEFINE_CLEANUP(GENERAL_NAMES *, GENERAL_NAMES_free);

enum { BACKDATE_S = 300, SHORT_S = 8 * 3600 };

static int fail(struct err *err, const char *what)
{
    ERR_clear_error();
    return err_set(err, ERR_INVALID, "%s", what);
}

static X509_REQ *read_request(struct str pem)
{
    CLEANUP(BIO_free_all) BIO *b = BIO_new_mem_buf(pem.p, (int)pem.len);
    X509_REQ *req = b ? PEM_read_bio_X509_REQ(b, NULL, NULL, NULL) : NULL;

    ERR_clear_error();
    return req;
}

/* --- reading --- */

static struct str text_of(struct arena *a, const X509_NAME_ENTRY *e)
{
    const ASN1_STRING *s = X509_NAME_ENTRY_get_data(e);

    return str_dup(a, str_n((const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)));
}

static void read_subject(struct arena *a, const X509_NAME *name, struct certificate_request *ret)
{
    int n = X509_NAME_entry_count(name), at = -1;
    struct str *organizations = ARENA_NEW_ARRAY(a, struct str, (size_t)MAX(n, 0));

    while ((at = X509_NAME_get_index_by_NID(name, NID_organizationName, at)) >= 0)
        organizations[ret->n_organizations++] = text_of(a, X509_NAME_get_entry(name, at));
    ret->organizations = organizations;
    while ((at = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >= 0)
        ret->common_name = text_of(a, X509_NAME_get_entry(name, at));
}

/* The caller's; NULL: there are none. */
static GENERAL_NAMES *alternative_names(X509_REQ *req)
{
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(req);
    GENERAL_NAMES *names =
        extensions ? X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL) : NULL;

    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    ERR_clear_error();
    return names;
}

int certificate_request_read(struct arena *a, struct str pem, struct certificate_request *ret,
                             struct err *err)
{
    CLEANUP(X509_REQ_free) X509_REQ *req = read_request(pem);
    CLEANUP(GENERAL_NAMES_free) GENERAL_NAMES *names = req ? alternative_names(req) : NULL;

    if (!req)
        return err_set(err, ERR_SYNTAX, "PEM block type must be CERTIFICATE REQUEST");
    *ret = (struct certificate_request){ 0 };
    read_subject(a, X509_REQ_get_subject_name(req), ret);
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
        int type = sk_GENERAL_NAME_value(names, i)->type;

        ret->n_dns_names += type == GEN_DNS;
        ret->n_addresses += type == GEN_IPADD;
        ret->n_emails += type == GEN_EMAIL;
        ret->n_uris += type == GEN_URI;
    }
    return 0;
}

/* --- signing --- */

static const struct usage {
    const char *word, *name; /* Kubernetes', OpenSSL's */
    bool is_extended;
} usages[] = {
    { "signing", "digitalSignature", false },
    { "digital signature", "digitalSignature", false },
    { "content commitment", "nonRepudiation", false },
    { "key encipherment", "keyEncipherment", false },
    { "key agreement", "keyAgreement", false },
    { "data encipherment", "dataEncipherment", false },
    { "cert sign", "keyCertSign", false },
    { "crl sign", "cRLSign", false },
    { "encipher only", "encipherOnly", false },
    { "decipher only", "decipherOnly", false },
    { "any", "anyExtendedKeyUsage", true },
    { "server auth", "serverAuth", true },
    { "client auth", "clientAuth", true },
    { "code signing", "codeSigning", true },
    { "email protection", "emailProtection", true },
    { "s/mime", "emailProtection", true },
    { "ipsec end system", "ipsecEndSystem", true },
    { "ipsec tunnel", "ipsecTunnel", true },
    { "ipsec user", "ipsecUser", true },
    { "timestamping", "timeStamping", true },
    { "ocsp signing", "OCSPSigning", true },
    { "microsoft sgc", "msSGC", true },
    { "netscape sgc", "nsSGC", true },
};

static bool has_word(const struct certificate_terms *t, const char *word)
{
    for (size_t i = 0; i < t->n_usages; i++)
        if (str_eq(t->usages[i], str_from_cstr(word)))
            return true;
    return false;
}

/* "critical,a,b", each name once; "" : none of the kind. */
static const char *usage_text(struct arena *a, const struct certificate_terms *t, bool is_extended)
{
    struct buf b;
    const char *last = "";
    bool any = false;

    buf_init_arena(&b, a, 128);
    if (!is_extended)
        buf_append_lit(&b, "critical");
    for (size_t i = 0; i < ARRAY_LEN(usages); i++) {
        if (usages[i].is_extended != is_extended || !has_word(t, usages[i].word) ||
            strcmp(last, usages[i].name) == 0)
            continue;
        buf_printf(&b, "%s%s", b.len ? "," : "", usages[i].name);
        last = usages[i].name;
        any = true;
    }
    return any ? buf_cstr(&b) : "";
}

static int check_usages(const struct certificate_terms *t, struct err *err)
{
    for (size_t i = 0; i < t->n_usages; i++) {
        bool known = false;

        for (size_t k = 0; k < ARRAY_LEN(usages); k++)
            known |= str_eq(t->usages[i], str_from_cstr(usages[k].word));
        if (!known)
            return err_set(err, ERR_INVALID, "unrecognized usage values: [\"%.*s\"]",
                           STR_ARG(t->usages[i]));
    }
    return 0;
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;
    bool ok;

    if (!*value)
        return true;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ok = ext && X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

/* Only the kinds that a certificate of ours may bear. */
static bool add_names(X509 *cert, X509_REQ *req)
{
    CLEANUP(GENERAL_NAMES_free) GENERAL_NAMES *names = alternative_names(req);
    bool has_subject = X509_NAME_entry_count(X509_REQ_get_subject_name(req)) > 0;

    for (int i = names ? sk_GENERAL_NAME_num(names) : 0; i--;) {
        int type = sk_GENERAL_NAME_value(names, i)->type;

        if (type != GEN_DNS && type != GEN_IPADD && type != GEN_EMAIL && type != GEN_URI)
            GENERAL_NAME_free(sk_GENERAL_NAME_delete(names, i));
    }
    return !names || !sk_GENERAL_NAME_num(names) ||
           X509_add1_ext_i2d(cert, NID_subject_alt_name, names, !has_subject, 0) == 1;
}

static bool set_serial(X509 *cert)
{
    uint64_t serial = random_u64() >> 1; /* positive */

    return ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial ? serial : 1) == 1;
}

static bool set_dates(X509 *cert, const struct certificate_terms *t, int64_t latest_s)
{
    int64_t end = t->now_s + t->ttl_s - (t->ttl_s < SHORT_S ? 0 : BACKDATE_S);

    return ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)(t->now_s - BACKDATE_S)) &&
           ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)MIN(end, latest_s));
}

static int write_certificate(struct arena *a, X509 *cert, struct str *ret, struct err *err)
{
    CLEANUP(BIO_free_all) BIO *b = BIO_new(BIO_s_mem());
    char *p;
    long n;

    if (!b || PEM_write_bio_X509(b, cert) != 1)
        return fail(err, "write a certificate");
    n = BIO_get_mem_data(b, &p);
    *ret = str_dup(a, str_n(p, n > 0 ? (size_t)n : 0));
    return 0;
}

static X509 *read_issuer(struct str pem)
{
    CLEANUP(BIO_free_all) BIO *b = BIO_new_mem_buf(pem.p, (int)pem.len);

    return b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
}

static EVP_PKEY *read_issuer_key(struct str pem)
{
    CLEANUP(BIO_free_all) BIO *b = BIO_new_mem_buf(pem.p, (int)pem.len);

    return b ? PEM_read_bio_PrivateKey(b, NULL, NULL, NULL) : NULL;
}

/* Keys of Edwards curves bring their digest along. */
static const EVP_MD *digest_of(const EVP_PKEY *key)
{
    int id = EVP_PKEY_get_base_id(key);

    return id == EVP_PKEY_ED25519 || id == EVP_PKEY_ED448 ? NULL : EVP_sha256();
}

int certificate_request_sign(struct arena *a, const struct x509_pair *authority, struct str pem,
                             const struct certificate_terms *terms, struct str *ret,
                             struct err *err)
{
    CLEANUP(X509_REQ_free) X509_REQ *req = read_request(pem);
    CLEANUP(X509_free) X509 *issuer = read_issuer(authority->certificate);
    CLEANUP(EVP_PKEY_free) EVP_PKEY *key = read_issuer_key(authority->key);
    CLEANUP(X509_free) X509 *cert = X509_new();
    struct x509_info info;

    if (!req || X509_REQ_verify(req, X509_REQ_get0_pubkey(req)) != 1)
        return fail(err, "unable to verify certificate request signature");
    if (!issuer || !key || x509_read(authority->certificate, &info, err) < 0)
        return fail(err, "the signing certificate or its key cannot be read");
    if (check_usages(terms, err) < 0)
        return err->code;
    if (terms->now_s >= info.not_after)
        return fail(err, "refusing to sign a certificate that expired in the past");
    if (!cert || X509_set_version(cert, 2) != 1 || !set_serial(cert) ||
        !set_dates(cert, terms, info.not_after) ||
        X509_set_subject_name(cert, X509_REQ_get_subject_name(req)) != 1 ||
        X509_set_issuer_name(cert, X509_get_subject_name(issuer)) != 1 ||
        X509_set_pubkey(cert, X509_REQ_get0_pubkey(req)) != 1 ||
        !add_extension(cert, issuer, NID_key_usage, usage_text(a, terms, false)) ||
        !add_extension(cert, issuer, NID_ext_key_usage, usage_text(a, terms, true)) ||
        !add_extension(cert, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_extension(cert, issuer, NID_authority_key_identifier, "keyid") ||
        !add_names(cert, req) || X509_sign(cert, key, digest_of(key)) == 0)
        return fail(err, "failed to sign certificate");
    return write_certificate(a, cert, ret, err);
}
