/* SHA-2 digests, and the SHA-1 that WebSockets greet with, by OpenSSL. */
#pragma once

#include "base/str.h"

struct buf;

enum { DIGEST_SHA1_BYTES = 20, DIGEST_SHA256_BYTES = 32, DIGEST_SHA512_BYTES = 64 };

void digest_sha1(struct str bytes, unsigned char ret[DIGEST_SHA1_BYTES]);
void digest_sha256(struct str bytes, unsigned char ret[DIGEST_SHA256_BYTES]);
void digest_sha512(struct str bytes, unsigned char ret[DIGEST_SHA512_BYTES]);
void digest_append_hex(struct buf *b, const unsigned char *digest, size_t n); /* upper case */

/* SHA-256 of bytes as they come. */
struct digest;
enum { DIGEST_TEXT_BYTES = 7 + DIGEST_SHA256_BYTES * 2 + 1 };
struct digest *digest_new(void);
void digest_free(struct digest *d); /* accepts NULL */
void digest_update(struct digest *d, struct str bytes);
/* "sha256:" and hex; nothing more may be added. */
void digest_finish_text(struct digest *d, char ret[DIGEST_TEXT_BYTES]);
void digest_sha256_text(struct str bytes, char ret[DIGEST_TEXT_BYTES]);
