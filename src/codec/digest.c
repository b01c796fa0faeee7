#include "codec/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "base/buf.h"

static void digest(const EVP_MD *md, struct str bytes, unsigned char *ret)
{
    if (EVP_Digest(bytes.p, bytes.len, ret, NULL, md, NULL) != 1)
        abort(); /* only without memory */
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
