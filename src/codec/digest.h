/* SHA-2 digests, by OpenSSL. */
#pragma once

#include "base/str.h"

struct buf;

enum { DIGEST_SHA256_BYTES = 32, DIGEST_SHA512_BYTES = 64 };

void digest_sha256(struct str bytes, unsigned char ret[DIGEST_SHA256_BYTES]);
void digest_sha512(struct str bytes, unsigned char ret[DIGEST_SHA512_BYTES]);
void digest_append_hex(struct buf *b, const unsigned char *digest, size_t n); /* upper case */
