/* Certificate requests of strangers: the DER of one, as it stands in PEM. What is signed is a
 * certificate that reads, and never an authority. */
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/base64.h"
#include "codec/certificate_request.h"
#include "codec/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct arena kept;
static struct x509_pair authority;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct str usages[] = { STR_INIT("client auth"), STR_INIT("cert sign") };
    const struct certificate_terms terms = { usages, ARRAY_LEN(usages), 1700000000, 600 };
    CLEANUP(arena_done) struct arena a = { 0 };
    struct certificate_request request;
    struct x509_info info;
    struct err err = { 0 };
    struct str signed_pem;
    struct buf pem;

    if (!authority.key.len && x509_make_ca(&kept, STR("fuzz-ca"), 36500, &authority, &err) < 0)
        abort();
    buf_init_arena(&pem, &a, size * 2 + 128);
    buf_append_lit(&pem, "-----BEGIN CERTIFICATE REQUEST-----\n");
    for (size_t at = 0; at < size; at += 48) {
        base64_encode(&pem, str_n((const char *)data + at, MIN(size - at, (size_t)48)));
        buf_append_char(&pem, '\n');
    }
    buf_append_lit(&pem, "-----END CERTIFICATE REQUEST-----\n");
    (void)certificate_request_read(&a, buf_str(&pem), &request, &err);
    if (certificate_request_sign(&a, &authority, buf_str(&pem), &terms, &signed_pem, &err) == 0 &&
        (x509_read(signed_pem, &info, &err) < 0 || info.is_ca))
        abort();
    return 0;
}
