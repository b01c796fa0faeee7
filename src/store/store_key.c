/* Keys of the sub-databases. LMDB's keys end at 511 bytes and Kubernetes' do not: a key of more
 * than 497 bytes is cut, and 0xff and a 128-bit hash (keyed per directory) follow; its record holds
 * the whole. Keys hold neither NUL nor 0xff, so NUL ends a key in hist, and no key of full length
 * meets a cut one. */
#include <string.h>

#include "base/hash.h"
#include "store/store_internal.h"

void store_put_be64(unsigned char *p, uint64_t v)
{
    for (int i = 7; i >= 0; i--, v >>= 8)
        p[i] = (unsigned char)v;
}

uint64_t store_get_be64(const unsigned char *p)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

static void put_resource(struct store_lkey *k, uint16_t resource)
{
    k->b[0] = (unsigned char)(resource >> 8);
    k->b[1] = (unsigned char)resource;
    k->len = 2;
}

static void put_bytes(struct store_lkey *k, const void *p, size_t len)
{
    if (len)
        memcpy(k->b + k->len, p, len);
    k->len += len;
}

int store_key_make(const uint64_t hash_key[2], uint16_t resource, struct str key,
                   struct store_lkey *ret)
{
    const uint64_t other_key[2] = { ~hash_key[0], hash_key[1] };

    if (key.len > STORE_KEY_MAX)
        return ERR_TOO_LARGE;
    if (key.len == 0 || memchr(key.p, 0, key.len) || memchr(key.p, 0xff, key.len))
        return ERR_INVALID;
    put_resource(ret, resource);
    if (key.len < STORE_KEY_LIMIT) {
        put_bytes(ret, key.p, key.len);
        return 0;
    }
    put_bytes(ret, key.p, STORE_KEY_CUT);
    ret->b[ret->len++] = 0xff;
    store_put_be64(ret->b + ret->len, hash_siphash13(hash_key, key.p, key.len));
    store_put_be64(ret->b + ret->len + 8, hash_siphash13(other_key, key.p, key.len));
    ret->len += 16;
    return 0;
}

void store_key_prefix(uint16_t resource, struct str prefix, struct store_lkey *ret)
{
    put_resource(ret, resource);
    put_bytes(ret, prefix.p, prefix.len < STORE_KEY_CUT ? prefix.len : STORE_KEY_CUT);
}

void store_key_hist(const struct store_lkey *key, uint64_t superseding, struct store_lkey *ret)
{
    memcpy(ret->b, key->b, key->len);
    ret->b[key->len] = 0;
    store_put_be64(ret->b + key->len + 1, superseding);
    ret->len = key->len + STORE_HIST_SUFFIX;
}

void store_key_rev(uint64_t revision, uint16_t sub, unsigned char ret[STORE_REV_KEY_LEN])
{
    store_put_be64(ret, revision);
    ret[8] = (unsigned char)(sub >> 8);
    ret[9] = (unsigned char)sub;
}

void store_key_idx_prefix(const uint64_t hash_key[2], uint16_t resource, uint8_t field,
                          struct str value, struct store_lkey *ret)
{
    put_resource(ret, resource);
    ret->b[ret->len++] = field;
    store_put_be64(ret->b + ret->len, hash_siphash13(hash_key, value.p, value.len));
    ret->len += 8;
}

void store_key_idx(const uint64_t hash_key[2], const struct store_lkey *key, uint8_t field,
                   struct str value, struct store_lkey *ret)
{
    store_key_idx_prefix(hash_key, store_lkey_resource(key), field, value, ret);
    put_bytes(ret, key->b + 2, key->len - 2);
}

void store_key_expiry(const struct store_lkey *key, int64_t expires_s, struct store_lkey *ret)
{
    put_resource(ret, 0);
    store_put_be64(ret->b + ret->len, (uint64_t)expires_s);
    ret->len += 8;
    put_bytes(ret, key->b, key->len);
}
