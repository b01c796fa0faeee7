/* JSON Web Tokens (RFC 7515, 7517, 7519) as Kubernetes uses them: compact form, one signature, the
 * key found by its id. A key decides its algorithm (P-256: ES256, RSA: RS256), so that a token
 * cannot choose one. What the claims say is the caller's business. OpenSSL inside. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/str.h"

struct arena;
struct buf;
struct err;
struct jwt_key;

enum { JWT_MAX_BYTES = 16 * 1024 }; /* of a token; longer ones are refused unread */

/* From PEM: a private key signs and verifies, a public one verifies. ERR_INVALID for anything but
 * P-256 and RSA of at least 2048 bits. Immutable afterwards; any thread. */
int jwt_key_new(struct str pem, struct jwt_key **ret, struct err *err);
void jwt_key_free(struct jwt_key *k); /* accepts NULL */
/* The id: the digest of the public key, base64url. */
struct str jwt_key_id(const struct jwt_key *k);
struct str jwt_key_algorithm(const struct jwt_key *k); /* "ES256", "RS256" */
bool jwt_key_can_sign(const struct jwt_key *k);
void jwt_key_append_jwk(struct buf *b, const struct jwt_key *k); /* the public half, as JSON */

/* The token, in the arena; claims is a JSON object. */
int jwt_sign(struct arena *a, const struct jwt_key *k, struct str claims, struct str *ret,
             struct err *err);
/* The claims' JSON, in the arena, of a token that one of the keys has signed. ERR_SYNTAX: no JWT;
 * ERR_DENIED: not signed by any of them. */
int jwt_verify(struct arena *a, struct jwt_key *const *keys, size_t n, struct str token,
               struct str *ret_claims, struct err *err);
/* The claims without looking at the signature, to see whose token it is. ERR_SYNTAX. */
int jwt_peek(struct arena *a, struct str token, struct str *ret_claims, struct err *err);

DEFINE_CLEANUP(struct jwt_key *, jwt_key_free);
