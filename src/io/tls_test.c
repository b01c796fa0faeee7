#include "io/tls.h"

#include <criterion/criterion.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/err.h"

/* A self-signed certificate for "localhost", O=a, O=b, CN=me; it is its own authority. */
static void make_certificate(struct buf *cert, struct buf *key)
{
    EVP_PKEY *k = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509_NAME *name = X509_get_subject_name(x);
    X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost");
    BIO *b = BIO_new(BIO_s_mem());
    char *p;

    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)"a", -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)"b", -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"me", -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_set_pubkey(x, k);
    X509_add_ext(x, san, -1);
    cr_assert(X509_sign(x, k, EVP_sha256()));
    PEM_write_bio_X509(b, x);
    size_t n = (size_t)BIO_get_mem_data(b, &p);

    buf_append(cert, p, n);
    (void)BIO_reset(b);
    PEM_write_bio_PrivateKey(b, k, NULL, NULL, 0, NULL, NULL);
    n = (size_t)BIO_get_mem_data(b, &p);
    buf_append(key, p, n);
    BIO_free(b);
    X509_EXTENSION_free(san);
    X509_free(x);
    EVP_PKEY_free(k);
}

/* The two talk until both are open or one fails; the failure. */
static int handshake(struct tls_session *client, struct tls_session *server)
{
    CLEANUP(buf_done) struct buf to_server = { 0 }, to_client = { 0 }, plain = { 0 };
    struct err err;
    int r = tls_session_read(client, STR(""), &plain, &to_server, &err);

    for (int i = 0; i < 5 && r == 0; i++) {
        r = tls_session_read(server, buf_str(&to_server), &plain, &to_client, &err);
        buf_reset(&to_server);
        if (r == 0)
            r = tls_session_read(client, buf_str(&to_client), &plain, &to_server, &err);
        buf_reset(&to_client);
    }
    return r;
}

static int connect_as(const struct tls_options *so, const struct tls_options *co, const char *name,
                      struct tls_peer *ret, bool *ret_has)
{
    struct tls_context *sc, *cc;
    struct tls_session *s, *c;
    struct err err;
    int r;

    cr_assert_eq(tls_context_new(so, &sc, &err), 0, "%s", err.text);
    cr_assert_eq(tls_context_new(co, &cc, &err), 0, "%s", err.text);
    s = tls_session_new(sc, STR_NULL);
    c = tls_session_new(cc, str_from_cstr(name));
    r = handshake(c, s);
    if (r == 0) {
        cr_assert(str_eq(tls_session_alpn(s), STR("h2")));
        *ret_has = tls_session_peer(s, ret);
        if (*ret_has) {
            cr_assert(str_eq(ret->common_name, STR("me")));
            cr_assert_eq(ret->n_organizations, 2);
            cr_assert(str_eq(ret->organizations[1], STR("b")));
        }
    }
    tls_session_free(s);
    tls_session_free(c);
    tls_context_free(sc);
    tls_context_free(cc);
    return r;
}

Test(tls, verifies_both_sides)
{
    CLEANUP(buf_done) struct buf cert = { 0 }, key = { 0 }, cert2 = { 0 }, key2 = { 0 };
    struct tls_peer peer;
    bool has = false;

    make_certificate(&cert, &key);
    make_certificate(&cert2, &key2);
    struct tls_options so = { .certificate_pem = buf_str(&cert),
                              .key_pem = buf_str(&key),
                              .ca_pem = buf_str(&cert) };
    struct tls_options co = so;

    co.is_client = true;
    cr_assert_eq(connect_as(&so, &co, "localhost", &peer, &has), 0);
    cr_assert(has);
    cr_assert_lt(connect_as(&so, &co, "elsewhere", &peer, &has), 0);
    co.certificate_pem = buf_str(&cert2); /* not ours: as none */
    co.key_pem = buf_str(&key2);
    cr_assert_eq(connect_as(&so, &co, "localhost", &peer, &has), 0);
    cr_assert_not(has);
    co.certificate_pem = co.key_pem = STR_NULL;
    cr_assert_eq(connect_as(&so, &co, "localhost", &peer, &has), 0);
    cr_assert_not(has);
    co.ca_pem = STR_NULL;
    cr_assert_lt(connect_as(&so, &co, "localhost", &peer, &has), 0);
}
