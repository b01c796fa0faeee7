#include "codec/x509.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/random.h"

DEFINE_CLEANUP(X509 *, X509_free);
DEFINE_CLEANUP(X509_REQ *, X509_REQ_free);
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free);
DEFINE_CLEANUP(BIO *, BIO_free_all);

enum { BACKDATE_SECONDS = 300, DAY_SECONDS = 86400 };

static int fail(struct err *err, const char *what)
{
    char text[256];

    ERR_error_string_n(ERR_get_error(), text, sizeof(text));
    ERR_clear_error();
    return err_set(err, ERR_INVALID, "%s: %s", what, text);
}

/* --- PEM --- */

static struct str bio_text(struct arena *a, BIO *b)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);

    return str_dup(a, str_n(p, n > 0 ? (size_t)n : 0));
}

static BIO *bio_of(struct str s)
{
    return BIO_new_mem_buf(s.p, (int)s.len);
}

static X509 *read_certificate(struct str pem)
{
    CLEANUP(BIO_free_all) BIO *b = bio_of(pem);

    return b ? PEM_read_bio_X509(b, NULL, NULL, NULL) : NULL;
}

static EVP_PKEY *read_key(struct str pem)
{
    CLEANUP(BIO_free_all) BIO *b = bio_of(pem);

    return b ? PEM_read_bio_PrivateKey(b, NULL, NULL, NULL) : NULL;
}

static int write_pair(struct arena *a, X509 *cert, EVP_PKEY *key, struct x509_pair *ret,
                      struct err *err)
{
    CLEANUP(BIO_free_all) BIO *c = BIO_new(BIO_s_mem());
    CLEANUP(BIO_free_all) BIO *k = BIO_new(BIO_s_mem());

    if (!c || !k || PEM_write_bio_X509(c, cert) != 1 ||
        PEM_write_bio_PrivateKey(k, key, NULL, NULL, 0, NULL, NULL) != 1)
        return fail(err, "write a certificate");
    ret->certificate = bio_text(a, c);
    ret->key = bio_text(a, k);
    return 0;
}

/* --- making --- */

static bool add_name(X509_NAME *name, const char *type, struct str value)
{
    return X509_NAME_add_entry_by_txt(name, type, MBSTRING_UTF8, (const unsigned char *)value.p,
                                      (int)value.len, -1, 0) == 1;
}

static bool set_serial(X509 *cert)
{
    uint64_t serial = random_u64() >> 1; /* positive */

    return ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial ? serial : 1) == 1;
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;
    bool ok;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ok = ext && X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

/* An unsigned certificate with name, serial, dates and key. */
static X509 *draft(EVP_PKEY *key, const struct x509_request *req)
{
    X509 *cert = X509_new();
    X509_NAME *name = cert ? X509_get_subject_name(cert) : NULL;
    bool ok = name && X509_set_version(cert, 2) == 1 && set_serial(cert) &&
              X509_set_pubkey(cert, key) == 1 &&
              X509_gmtime_adj(X509_getm_notBefore(cert), -BACKDATE_SECONDS) &&
              X509_time_adj_ex(X509_getm_notAfter(cert), (int)req->days, 0, NULL);

    for (size_t i = 0; ok && i < req->n_organizations; i++)
        ok = add_name(name, "O", req->organizations[i]);
    if (ok && add_name(name, "CN", req->common_name))
        return cert;
    X509_free(cert);
    return NULL;
}

static struct str alternative_names(struct arena *a, const struct x509_request *req)
{
    struct buf b;

    buf_init_arena(&b, a, 256);
    for (size_t i = 0; i < req->n_dns_names; i++)
        buf_printf(&b, "%sDNS:%.*s", b.len ? "," : "", STR_ARG(req->dns_names[i]));
    for (size_t i = 0; i < req->n_addresses; i++)
        buf_printf(&b, "%sIP:%.*s", b.len ? "," : "", STR_ARG(req->addresses[i]));
    (void)buf_cstr(&b);
    return buf_str(&b);
}

int x509_make_ca(struct arena *a, struct str common_name, int64_t days, struct x509_pair *ret,
                 struct err *err)
{
    struct x509_request req = { .common_name = common_name, .days = days };
    CLEANUP(EVP_PKEY_free) EVP_PKEY *key = EVP_EC_gen("P-256");
    CLEANUP(X509_free) X509 *cert = key ? draft(key, &req) : NULL;

    if (!cert || X509_set_issuer_name(cert, X509_get_subject_name(cert)) != 1 ||
        !add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE") ||
        !add_extension(cert, cert, NID_key_usage,
                       "critical,digitalSignature,keyCertSign,cRLSign") ||
        !add_extension(cert, cert, NID_subject_key_identifier, "hash") ||
        X509_sign(cert, key, EVP_sha256()) == 0)
        return fail(err, "make a certificate authority");
    return write_pair(a, cert, key, ret, err);
}

static bool add_leaf_extensions(struct arena *a, X509 *cert, X509 *issuer,
                                const struct x509_request *req)
{
    const char *usage = req->is_server && req->is_client ? "serverAuth,clientAuth"
                        : req->is_server                 ? "serverAuth"
                                                         : "clientAuth";
    struct str names = alternative_names(a, req);

    return add_extension(cert, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, issuer, NID_key_usage, "critical,digitalSignature") &&
           add_extension(cert, issuer, NID_ext_key_usage, usage) &&
           add_extension(cert, issuer, NID_authority_key_identifier, "keyid:always") &&
           (!names.len || add_extension(cert, issuer, NID_subject_alt_name, names.p));
}

int x509_make_signed(struct arena *a, const struct x509_pair *ca, const struct x509_request *req,
                     struct x509_pair *ret, struct err *err)
{
    CLEANUP(X509_free) X509 *issuer = read_certificate(ca->certificate);
    CLEANUP(EVP_PKEY_free) EVP_PKEY *issuer_key = read_key(ca->key);
    CLEANUP(EVP_PKEY_free) EVP_PKEY *key = EVP_EC_gen("P-256");
    CLEANUP(X509_free) X509 *cert = key ? draft(key, req) : NULL;

    if (!issuer || !issuer_key || !cert ||
        X509_set_issuer_name(cert, X509_get_subject_name(issuer)) != 1 ||
        !add_leaf_extensions(a, cert, issuer, req) ||
        X509_sign(cert, issuer_key, EVP_sha256()) == 0)
        return fail(err, "sign a certificate");
    return write_pair(a, cert, key, ret, err);
}

int x509_make_key(struct arena *a, struct str *ret_private, struct str *ret_public, struct err *err)
{
    CLEANUP(EVP_PKEY_free) EVP_PKEY *key = EVP_EC_gen("P-256");
    CLEANUP(BIO_free_all) BIO *priv = BIO_new(BIO_s_mem());
    CLEANUP(BIO_free_all) BIO *pub = BIO_new(BIO_s_mem());

    if (!key || !priv || !pub ||
        PEM_write_bio_PrivateKey(priv, key, NULL, NULL, 0, NULL, NULL) != 1 ||
        PEM_write_bio_PUBKEY(pub, key) != 1)
        return fail(err, "make a key");
    *ret_private = bio_text(a, priv);
    *ret_public = bio_text(a, pub);
    return 0;
}

/* --- reading --- */

static int64_t seconds_of(const ASN1_TIME *t)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;

    if (epoch)
        (void)ASN1_TIME_diff(&days, &seconds, epoch, t); /* a date that is none counts as 1970 */
    ASN1_TIME_free(epoch);
    return (int64_t)days * DAY_SECONDS + seconds;
}

int x509_read(struct str pem, struct x509_info *ret, struct err *err)
{
    CLEANUP(X509_free) X509 *cert = read_certificate(pem);

    if (!cert)
        return fail(err, "read a certificate");
    ret->not_before = seconds_of(X509_get0_notBefore(cert));
    ret->not_after = seconds_of(X509_get0_notAfter(cert));
    ret->is_ca = X509_check_ca(cert) == 1;
    return 0;
}

static X509_REQ *read_request(struct str pem)
{
    CLEANUP(BIO_free_all) BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);

    return bio ? PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL) : NULL;
}

bool x509_request_has(struct str pem, enum x509_name name, struct str value)
{
    static const int nids[] = {
        [X509_COMMON_NAME] = NID_commonName, [X509_ORGANIZATION] = NID_organizationName
    };
    CLEANUP(X509_REQ_free) X509_REQ *req = read_request(pem);
    X509_NAME *subject = req ? X509_REQ_get_subject_name(req) : NULL;
    int at = -1;
    bool found = false;

    while (subject && (at = X509_NAME_get_index_by_NID(subject, nids[name], at)) >= 0) {
        const ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
        bool is_it = str_eq(
            str_n((const char *)ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)),
            value);

        found = name == X509_COMMON_NAME ? is_it : found || is_it; /* the last name counts */
    }
    ERR_clear_error();
    return found;
}

int x509_check_request(struct str pem, struct err *err)
{
    CLEANUP(X509_REQ_free) X509_REQ *req = read_request(pem);
    bool good = req && X509_REQ_verify(req, X509_REQ_get0_pubkey(req)) == 1;

    ERR_clear_error();
    if (!req)
        return err_set(err, ERR_SYNTAX, "PEM block type must be CERTIFICATE REQUEST");
    if (!good)
        return err_set(err, ERR_INVALID, "x509: the request is not signed by its own key");
    return 0;
}

/* One block's: DER after DER. */
static bool is_certificates(const unsigned char *der, long len)
{
    const unsigned char *end = der + len;

    while (der < end) {
        CLEANUP(X509_free) X509 *cert = d2i_X509(NULL, &der, end - der);

        if (!cert)
            return false;
    }
    return true;
}

static int check_block(const char *name, const char *header, const unsigned char *der, long len,
                       struct err *err)
{
    if (strcmp(name, PEM_STRING_X509) != 0)
        return err_set(err, ERR_SYNTAX, "only CERTIFICATE PEM blocks are allowed, found \"%.64s\"",
                       name);
    if (header[0])
        return err_set(err, ERR_SYNTAX, "no PEM block headers are permitted");
    if (len == 0)
        return err_set(err, ERR_SYNTAX, "found CERTIFICATE PEM block containing 0 certificates");
    if (!is_certificates(der, len))
        return err_set(err, ERR_SYNTAX, "x509: malformed certificate");
    return 0;
}

int x509_check_certificates(struct str pem, struct err *err)
{
    CLEANUP(BIO_free_all) BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
    unsigned char *der;
    char *name, *header;
    long len;
    int e = 0;
    bool any = false;

    while (e == 0 && bio && PEM_read_bio(bio, &name, &header, &der, &len) == 1) {
        any = true;
        e = check_block(name, header, der, len, err);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(der);
    }
    ERR_clear_error();
    if (e == 0 && !any)
        return err_set(err, ERR_SYNTAX, "must contain at least one CERTIFICATE PEM block");
    return e;
}

bool x509_pair_fits(const struct x509_pair *pair, struct str ca_certificate)
{
    CLEANUP(X509_free) X509 *cert = read_certificate(pair->certificate);
    CLEANUP(X509_free) X509 *ca = read_certificate(ca_certificate);
    CLEANUP(EVP_PKEY_free) EVP_PKEY *key = read_key(pair->key);
    bool fits = cert && ca && key && X509_check_private_key(cert, key) == 1 &&
                X509_verify(cert, X509_get0_pubkey(ca)) == 1;

    ERR_clear_error();
    return fits;
}

int x509_public_key(struct arena *a, struct str private_pem, struct str *ret_public,
                    struct err *err)
{
    CLEANUP(EVP_PKEY_free) EVP_PKEY *key = read_key(private_pem);
    CLEANUP(BIO_free_all) BIO *pub = BIO_new(BIO_s_mem());

    if (!key || !pub || PEM_write_bio_PUBKEY(pub, key) != 1)
        return fail(err, "read a private key");
    *ret_public = bio_text(a, pub);
    return 0;
}

bool x509_is_for(struct str certificate_pem, struct str name)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(X509_free) X509 *cert = read_certificate(certificate_pem);
    bool ok = cert && (X509_check_ip_asc(cert, str_cstr(&a, name), 0) == 1 ||
                       X509_check_host(cert, name.p, name.len, 0, NULL) == 1);

    ERR_clear_error();
    return ok;
}
