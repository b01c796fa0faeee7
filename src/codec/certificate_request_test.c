/* What requests ask for, and what certificates made of them say. Made with OpenSSL's command. */
#include "codec/certificate_request.h"

#include <criterion/criterion.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "codec/x509.h"

/* O=system:nodes, CN=system:node:n1; two DNS names, an address, an e-mail, a URI, a registered id;
 * wants to be an authority. */
static const char greedy[] = "-----BEGIN CERTIFICATE REQUEST-----\n"
                             "MIIBYzCCAQgCAQAwMDEVMBMGA1UECgwMc3lzdGVtOm5vZGVzMRcwFQYDVQQDDA5z\n"
                             "eXN0ZW06bm9kZTpuMTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCrDFUtlmjla\n"
                             "gN0vkWPXKqrHyZnexy2eeJ6w3ehP7knHvQ19Af/pEOW35QyCKEAyiRlAbdsB1i1B\n"
                             "XCm44mMh6IKgdjB0BgkqhkiG9w0BCQ4xZzBlMA8GA1UdEwEB/wQFMAMBAf8wCwYD\n"
                             "VR0PBAQDAgIEMEUGA1UdEQQ+MDyCDm4xLmV4YW1wbGUuY29tggJuMYcECgAAAYEN\n"
                             "YUBleGFtcGxlLmNvbYYMc3BpZmZlOi8veC95iAMqAwQwCgYIKoZIzj0EAwIDSQAw\n"
                             "RgIhAOQEAVPsp/7uif0si0WT5axa8jsCF+MtVc2eHErF/PbkAiEAz7KCWrjzPr/s\n"
                             "o9ej8P/+UIcXNZUA0be3wGdte9czz0Q=\n"
                             "-----END CERTIFICATE REQUEST-----\n";
/* O=a, O=b, CN=x, CN=y */
static const char two[] = "-----BEGIN CERTIFICATE REQUEST-----\n"
                          "MIHqMIGSAgEAMDAxCjAIBgNVBAoMAWExCjAIBgNVBAoMAWIxCjAIBgNVBAMMAXgx\n"
                          "CjAIBgNVBAMMAXkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQqwxVLZZo5WoDd\n"
                          "L5Fj1yqqx8mZ3sctnniesN3oT+5Jx70NfQH/6RDlt+UMgihAMokZQG3bAdYtQVwp\n"
                          "uOJjIeiCoAAwCgYIKoZIzj0EAwIDRwAwRAIgfDD/256I5SoEA1xPt789X3b9HGbD\n"
                          "eREK3fHVe30C+SoCIDEeavFKsvzAyWlfIeSaWWh2luo9Y/2mNByAGt4KlPLv\n"
                          "-----END CERTIFICATE REQUEST-----\n";

static struct x509_pair authority(struct arena *a, int64_t days)
{
    struct x509_pair ca;
    struct err err;

    cr_assert_eq(x509_make_ca(a, STR("test-ca"), days, &ca, &err), 0, "%s", err.text);
    return ca;
}

static X509 *parse(struct str pem)
{
    BIO *b = BIO_new_mem_buf(pem.p, (int)pem.len);
    X509 *cert = PEM_read_bio_X509(b, NULL, NULL, NULL);

    BIO_free_all(b);
    cr_assert_not_null(cert);
    return cert;
}

Test(certificate_request, is_read)
{
    struct certificate_request r;
    struct arena a = { 0 };
    struct err err;

    cr_assert_eq(certificate_request_read(&a, str_from_cstr(greedy), &r, &err), 0);
    cr_expect(str_eq(r.common_name, STR("system:node:n1")));
    cr_assert_eq(r.n_organizations, 1);
    cr_expect(str_eq(r.organizations[0], STR("system:nodes")));
    cr_expect_eq(r.n_dns_names, 2);
    cr_expect_eq(r.n_addresses, 1);
    cr_expect_eq(r.n_emails, 1);
    cr_expect_eq(r.n_uris, 1);
    cr_assert_eq(certificate_request_read(&a, str_from_cstr(two), &r, &err), 0);
    cr_expect(str_eq(r.common_name, STR("y")));
    cr_expect_eq(r.n_organizations, 2);
    cr_expect_eq(certificate_request_read(&a, STR("nothing"), &r, &err), ERR_SYNTAX);
    cr_expect_eq(certificate_request_read(&a, str_n(greedy, 80), &r, &err), ERR_SYNTAX);
    arena_done(&a);
}

Test(certificate_request, is_signed_for_what_it_may_have)
{
    static const struct str usages[] = { STR_INIT("client auth"), STR_INIT("signing"),
                                         STR_INIT("digital signature"), STR_INIT("s/mime") };
    const int64_t now = clock_wall_s(&clock_system);
    const struct certificate_terms terms = { usages, ARRAY_LEN(usages), now, 86400 };
    struct arena a = { 0 };
    struct x509_pair ca = authority(&a, 365);
    struct x509_info info;
    struct str pem;
    struct err err;
    X509 *cert, *issuer;

    cr_assert_eq(certificate_request_sign(&a, &ca, str_from_cstr(greedy), &terms, &pem, &err), 0,
                 "%s", err.text);
    cr_assert_eq(x509_read(pem, &info, &err), 0);
    cr_expect_eq(info.not_before, now - 300);
    cr_expect_eq(info.not_after, now + 86400 - 300);
    cr_expect_not(info.is_ca, "whatever it asked for");
    cert = parse(pem);
    issuer = parse(ca.certificate);
    cr_expect_eq(X509_verify(cert, X509_get0_pubkey(issuer)), 1);
    cr_expect_eq(X509_get_key_usage(cert), KU_DIGITAL_SIGNATURE);
    cr_expect_eq(X509_get_extended_key_usage(cert), XKU_SSL_CLIENT | XKU_SMIME);
    cr_expect(x509_is_for(pem, STR("n1.example.com")));
    cr_expect(x509_is_for(pem, STR("10.0.0.1")));
    cr_expect_eq(X509_check_email(cert, "a@example.com", 0, 0), 1);
    X509_free(cert);
    X509_free(issuer);
    arena_done(&a);
}

Test(certificate_request, has_an_end)
{
    static const struct str usage = STR_INIT("client auth");
    const int64_t now = clock_wall_s(&clock_system);
    struct certificate_terms terms = { &usage, 1, now, 600 };
    struct arena a = { 0 };
    struct x509_pair ca = authority(&a, 1);
    struct x509_info info, of_ca;
    struct str pem;
    struct err err;

    cr_assert_eq(x509_read(ca.certificate, &of_ca, &err), 0);
    cr_assert_eq(certificate_request_sign(&a, &ca, str_from_cstr(two), &terms, &pem, &err), 0);
    cr_assert_eq(x509_read(pem, &info, &err), 0);
    cr_expect_eq(info.not_after, now + 600, "a short one is not cut shorter");
    terms.ttl_s = 86400 * 365;
    cr_assert_eq(certificate_request_sign(&a, &ca, str_from_cstr(two), &terms, &pem, &err), 0);
    cr_assert_eq(x509_read(pem, &info, &err), 0);
    cr_expect_eq(info.not_after, of_ca.not_after, "not beyond the authority's");
    terms.now_s = of_ca.not_after + 1;
    cr_expect_eq(certificate_request_sign(&a, &ca, str_from_cstr(two), &terms, &pem, &err),
                 ERR_INVALID);
    arena_done(&a);
}

Test(certificate_request, what_is_not_signed)
{
    static const struct str odd[] = { STR_INIT("client auth"), STR_INIT("world domination") };
    const struct certificate_terms terms = { odd, 2, clock_wall_s(&clock_system), 600 };
    const struct certificate_terms good = { odd, 1, clock_wall_s(&clock_system), 600 };
    struct arena a = { 0 };
    struct x509_pair ca = authority(&a, 1), broken = ca;
    char forged[sizeof(two)];
    struct str pem;
    struct err err;

    cr_expect_eq(certificate_request_sign(&a, &ca, str_from_cstr(two), &terms, &pem, &err),
                 ERR_INVALID);
    cr_expect_str_eq(err.text, "unrecognized usage values: [\"world domination\"]");
    cr_expect_eq(certificate_request_sign(&a, &ca, STR("no request"), &good, &pem, &err),
                 ERR_INVALID);
    /* One letter of the subject's bytes. */
    memcpy(forged, two, sizeof(two));
    forged[90] = forged[90] == 'A' ? 'B' : 'A';
    cr_expect_eq(certificate_request_sign(&a, &ca, str_from_cstr(forged), &good, &pem, &err),
                 ERR_INVALID);
    broken.key = STR("no key");
    cr_expect_eq(certificate_request_sign(&a, &broken, str_from_cstr(two), &good, &pem, &err),
                 ERR_INVALID);
    arena_done(&a);
}
