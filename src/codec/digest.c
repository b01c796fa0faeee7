#include "codec/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"

static void digest(const EVP_MD *md, struct str bytes, unsigned char *ret)
{
    if (EVP_Digest(bytes.p, bytes.len, ret, NULL, md, NULL) != 1)
        abort(); /* only without memory */
}

void digest_sha1(struct str bytes, unsigned char ret[DIGEST_SHA1_BYTES])
{
    digest(EVP_sha1(), bytes, ret);
}

void digest_sha256(struct str bytes, unsigned char ret[DIGEST_SHA256_BYTES])
{
    digest(EVP_sha256(), bytes, ret);
}

void digest_sha512(struct str bytes, unsigned char ret[DIGEST_SHA512_BYTES])
{
    digest(EVP_sha512(), bytes, ret);
}

void digest_append_hex(struct buf *b, const unsigned char *d, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(b, "%02X", d[i]);
}

struct digest {
    EVP_MD_CTX *ctx;
};

struct digest *digest_new(void)
{
    struct digest *d = NEW(struct digest);

    d->ctx = EVP_MD_CTX_new();
    if (!d->ctx || EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) != 1)
        abort(); /* only without memory */
    return d;
}

void digest_free(struct digest *d)
{
    if (!d)
        return;
    EVP_MD_CTX_free(d->ctx);
    mem_free(d);
}

void digest_update(struct digest *d, struct str bytes)
{
    if (bytes.len && EVP_DigestUpdate(d->ctx, bytes.p, bytes.len) != 1)
        abort(); /* only without memory */
}

static void print_text(const unsigned char *bytes, char ret[DIGEST_TEXT_BYTES])
{
    (void)snprintf(ret, DIGEST_TEXT_BYTES, "sha256:");
    for (size_t i = 0; i < DIGEST_SHA256_BYTES; i++)
        (void)snprintf(ret + 7 + i * 2, 3, "%02x", bytes[i]);
}

void digest_finish_text(struct digest *d, char ret[DIGEST_TEXT_BYTES])
{
    unsigned char bytes[DIGEST_SHA256_BYTES];

    if (EVP_DigestFinal_ex(d->ctx, bytes, NULL) != 1)
        abort(); /* only without memory */
    print_text(bytes, ret);
}

void digest_sha256_text(struct str bytes, char ret[DIGEST_TEXT_BYTES])
{
    unsigned char sum[DIGEST_SHA256_BYTES];

    digest_sha256(bytes, sum);
    print_text(sum, ret);
}
