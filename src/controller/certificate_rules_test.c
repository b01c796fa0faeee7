/* Which requests are signed, approved and forgotten. */
#include "controller/certificate_rules.h"

#include <criterion/criterion.h>

#include "api/certificates_v1.h"
#include "base/arena.h"
#include "codec/certificate_request.h"

typedef struct certificates_v1_certificate_signing_request csr_t;
typedef struct certificates_v1_certificate_signing_request_condition condition_t;

enum { MAX_USAGES = 4, NOW = 1000000, HOUR = 3600 };

static void set_usages(csr_t *csr, struct str *room, const char *usages)
{
    struct str rest = str_from_cstr(usages), part;

    csr->spec.usages.items = room;
    csr->spec.usages.len = 0;
    while (str_next(&rest, ',', &part))
        room[csr->spec.usages.len++] = part;
}

Test(certificate_rules, what_signers_object_to)
{
    static const char node[] = "kubernetes.io/kube-apiserver-client-kubelet",
                      serving[] = "kubernetes.io/kubelet-serving",
                      client[] = "kubernetes.io/kube-apiserver-client";
    static const struct {
        const char *signer, *usages, *organization, *name;
        size_t dns, addresses, emails, uris;
        const char *want; /* "": signed */
    } rows[] = {
        { node, "digital signature,client auth", "system:nodes", "system:node:a", 0, 0, 0, 0, "" },
        { node, "key encipherment,client auth,digital signature", "system:nodes", "system:node:a",
          0, 0, 0, 0, "" },
        { node, "digital signature,client auth", "system:masters", "system:node:a", 0, 0, 0, 0,
          "subject organization is not system:nodes" },
        { node, "digital signature,client auth", "system:nodes", "a", 0, 0, 0, 0,
          "subject common name does not begin with system:node:" },
        { node, "digital signature,client auth,server auth", "system:nodes", "system:node:a", 0, 0,
          0, 0, "usages did not match [client auth digital signature key encipherment]" },
        { node, "client auth", "system:nodes", "system:node:a", 0, 0, 0, 0,
          "usages did not match [client auth digital signature key encipherment]" },
        { node, "digital signature,client auth", "system:nodes", "system:node:a", 1, 0, 0, 0,
          "DNS subjectAltNames are not allowed" },
        { node, "digital signature,client auth", "system:nodes", "system:node:a", 0, 1, 0, 0,
          "IP subjectAltNames are not allowed" },
        { serving, "digital signature,server auth", "system:nodes", "system:node:a", 1, 0, 0, 0,
          "" },
        { serving, "digital signature,server auth", "system:nodes", "system:node:a", 0, 0, 0, 0,
          "DNS or IP subjectAltName is required" },
        { serving, "digital signature,server auth", "system:nodes", "system:node:a", 1, 1, 1, 0,
          "Email subjectAltNames are not allowed" },
        { serving, "digital signature,server auth", "system:nodes", "system:node:a", 1, 1, 0, 1,
          "URI subjectAltNames are not allowed" },
        { serving, "digital signature,client auth", "system:nodes", "system:node:a", 1, 0, 0, 0,
          "usages did not match [digital signature key encipherment server auth]" },
        { client, "client auth", "anybody", "me", 1, 1, 1, 1, "" },
        { client, "digital signature", "anybody", "me", 0, 0, 0, 0,
          "missing required usage for client certificate: client auth" },
        { client, "client auth,server auth", "anybody", "me", 0, 0, 0, 0,
          "invalid usage for client certificate: server auth" },
        { "kubernetes.io/legacy-unknown", "any", "anybody", "me", 1, 1, 1, 1, "" },
        { "example.com/mine", "client auth", "a", "b", 0, 0, 0, 0, "unrecognized signerName" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str organization = str_from_cstr(rows[i].organization), room[MAX_USAGES], why;
        const struct certificate_request request = {
            .common_name = str_from_cstr(rows[i].name),
            .organizations = &organization,
            .n_organizations = 1,
            .n_dns_names = rows[i].dns,
            .n_addresses = rows[i].addresses,
            .n_emails = rows[i].emails,
            .n_uris = rows[i].uris,
        };
        struct arena a = { 0 };
        csr_t csr = { .spec = { .signer_name = str_from_cstr(rows[i].signer) } };

        set_usages(&csr, room, rows[i].usages);
        why = certificate_rules_objection(&a, &csr, &request);
        cr_expect(str_eq(why, str_from_cstr(rows[i].want)), "%zu: %.*s", i, STR_ARG(why));
        cr_expect_eq(certificate_rules_is_signed_here(&csr), i + 1 != ARRAY_LEN(rows), "%zu", i);
        arena_done(&a);
    }
}

Test(certificate_rules, nodes_are_recognized)
{
    struct str organization = STR("system:nodes"), room[MAX_USAGES];
    const struct certificate_request request = { .common_name = STR("system:node:a"),
                                                 .organizations = &organization,
                                                 .n_organizations = 1 };
    csr_t csr = { .spec = { .signer_name = STR(CERTIFICATE_OF_NODES),
                            .username = STR("system:bootstrap:x") } };

    set_usages(&csr, room, "digital signature,client auth");
    cr_expect(certificate_rules_is_node(&csr, &request, false));
    cr_expect_not(certificate_rules_is_node(&csr, &request, true));
    csr.spec.username = STR("system:node:a");
    cr_expect(certificate_rules_is_node(&csr, &request, true));
    csr.spec.username = STR("system:node:b");
    cr_expect_not(certificate_rules_is_node(&csr, &request, true));
    csr.spec.signer_name = STR("kubernetes.io/kubelet-serving");
    cr_expect_not(certificate_rules_is_node(&csr, &request, false));
}

Test(certificate_rules, times)
{
    static const struct {
        const char *type;
        bool is_issued, has_time;
        int64_t want;
    } rows[] = {
        { NULL, false, true, NOW + 24 * HOUR }, { "Denied", false, true, NOW + HOUR },
        { "Failed", false, true, NOW + HOUR },  { "Approved", false, true, NOW + 24 * HOUR },
        { "Approved", true, true, NOW + HOUR }, { "Approved", true, false, INT64_MAX },
        { "Anything", false, true, INT64_MAX },
    };
    int32_t seconds = 7200;
    csr_t csr = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        condition_t c = { .type = str_from_cstr(rows[i].type),
                          .last_update_time = { .sec = NOW, .set = rows[i].has_time } };
        csr_t o = { .metadata = { .creation_timestamp = { .sec = NOW, .set = true } } };

        o.status.conditions.items = &c;
        o.status.conditions.len = rows[i].type ? 1 : 0;
        o.status.certificate = rows[i].is_issued ? STR("unreadable") : STR_NULL;
        cr_expect_eq(certificate_rules_ends_at(&o), rows[i].want, "%zu: %lld", i,
                     (long long)certificate_rules_ends_at(&o));
    }
    cr_expect_eq(certificate_rules_ttl(&csr, 86400), 86400);
    csr.spec.expiration_seconds = &seconds;
    cr_expect_eq(certificate_rules_ttl(&csr, 86400), 7200);
    cr_expect_eq(certificate_rules_ttl(&csr, 3600), 3600);
    seconds = 60;
    cr_expect_eq(certificate_rules_ttl(&csr, 86400), 600);
}
