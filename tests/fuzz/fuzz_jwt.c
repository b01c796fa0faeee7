/* Tokens of strangers: three parts or not, headers that choose keys and algorithms, signatures of
 * any length. None of them is ours, so none verifies. */
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "codec/jwt.h"
#include "codec/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct jwt_key *new_key(void)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str priv, pub;
    struct jwt_key *k;
    struct err err;

    if (x509_make_key(&a, &priv, &pub, &err) < 0 || jwt_key_new(priv, &k, &err) < 0)
        abort();
    return k;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct jwt_key *key;
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str text = str_n((const char *)data, size), claims;
    struct err err = { 0 };

    if (!key)
        key = new_key();
    (void)jwt_peek(&a, text, &claims, &err);
    if (jwt_verify(&a, &key, 1, text, &claims, &err) == 0)
        abort();
    /* What we sign with any claims, verifies and says the same. */
    if (size < JWT_MAX_BYTES / 2 && jwt_sign(&a, key, text, &text, &err) == 0 &&
        (jwt_verify(&a, &key, 1, text, &claims, &err) < 0 ||
         !str_eq(claims, str_n((const char *)data, size))))
        abort();
    return 0;
}
