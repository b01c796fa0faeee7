/* Records as bytes. Each begins with a CRC32C over its LMDB key and what follows, so that a byte
 * that changed on disk, or a value under the wrong key, is seen at the next read. Nothing here
 * trusts a length that it read. */
#include <string.h>

#include "base/buf.h"
#include "base/hash.h"
#include "store/store_internal.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values are stored little-endian");

struct record_head {
    uint32_t crc;
    uint8_t format;
    uint8_t flags;
    uint16_t sub;
    uint32_t stamp;
    uint32_t key_len; /* 0: the key is the LMDB key's */
    uint64_t mod, create, version, base;
    int64_t expires_s;
};
enum { RECORD_FORMAT = 1 };

struct log_head {
    uint32_t crc;
    uint8_t op;
    uint8_t own;
    uint16_t key_len;
};

static uint32_t crc_of(MDB_val lkey, const void *p, size_t len)
{
    return hash_crc32c(hash_crc32c(0, lkey.mv_data, lkey.mv_size), p, len);
}

static void seal(struct buf *out, size_t from, MDB_val lkey)
{
    uint32_t crc = crc_of(lkey, out->p + from + 4, out->len - from - 4);

    memcpy(out->p + from, &crc, 4);
}

static bool is_sealed(MDB_val lkey, MDB_val value)
{
    uint32_t crc;

    memcpy(&crc, value.mv_data, 4);
    return crc == crc_of(lkey, (const char *)value.mv_data + 4, value.mv_size - 4);
}

void store_record_encode(struct buf *out, MDB_val lkey, const struct store_record *r, bool long_key)
{
    struct record_head h = {
        .format = RECORD_FORMAT,
        .sub = r->sub,
        .stamp = r->stamp,
        .key_len = long_key ? (uint32_t)r->key.len : 0,
        .mod = r->mod,
        .create = r->create,
        .version = r->version,
        .base = r->base,
        .expires_s = r->expires_s,
    };
    size_t from = out->len;

    buf_append(out, &h, sizeof(h));
    if (long_key)
        buf_append_str(out, r->key);
    buf_append_str(out, r->packed);
    seal(out, from, lkey);
}

int store_record_decode(MDB_val lkey, struct str stored, MDB_val value, struct store_record *ret)
{
    const char *p = value.mv_data;
    struct record_head h;

    if (value.mv_size < sizeof(h) || !is_sealed(lkey, value))
        return ERR_CORRUPT;
    memcpy(&h, p, sizeof(h));
    if (h.format != RECORD_FORMAT || h.key_len > value.mv_size - sizeof(h))
        return ERR_CORRUPT;
    *ret = (struct store_record){
        .mod = h.mod,
        .create = h.create,
        .version = h.version,
        .base = h.base,
        .expires_s = h.expires_s,
        .stamp = h.stamp,
        .sub = h.sub,
        .key = h.key_len ? str_n(p + sizeof(h), h.key_len) : stored,
        .packed = str_n(p + sizeof(h) + h.key_len, value.mv_size - sizeof(h) - h.key_len),
    };
    return 0;
}

void store_log_encode(struct buf *out, MDB_val lkey, const struct store_log *l)
{
    struct log_head h = { .op = (uint8_t)l->op, .own = l->own, .key_len = (uint16_t)l->key.len };
    size_t from = out->len;

    buf_append(out, &h, sizeof(h));
    buf_append(out, l->key.b, l->key.len);
    if (l->own)
        buf_append(out, l->record.mv_data, l->record.mv_size);
    seal(out, from, lkey);
}

int store_log_decode(MDB_val lkey, MDB_val value, struct store_log *ret)
{
    const char *p = value.mv_data;
    struct log_head h;

    if (value.mv_size < sizeof(h) || !is_sealed(lkey, value))
        return ERR_CORRUPT;
    memcpy(&h, p, sizeof(h));
    if (h.op > STORE_LOG_DROP || h.key_len < 3 || h.key_len > STORE_KEY_LIMIT + 2 ||
        h.key_len > value.mv_size - sizeof(h))
        return ERR_CORRUPT;
    ret->op = h.op;
    ret->own = h.own != 0;
    ret->key.len = h.key_len;
    memcpy(ret->key.b, p + sizeof(h), h.key_len);
    ret->record.mv_data = (char *)value.mv_data + sizeof(h) + h.key_len;
    ret->record.mv_size = value.mv_size - sizeof(h) - h.key_len;
    return 0;
}

uint32_t store_obj_crc(const unsigned char key[STORE_REV_KEY_LEN], const void *p, size_t len)
{
    return hash_crc32c(hash_crc32c(0, key, STORE_REV_KEY_LEN), p, len);
}

/* Packed: counts of labels and of fields (16 bits each), then for each pair the lengths (16 bits
 * each), key, value. */
static int pack_pairs(struct buf *out, const struct store_pair *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t lens[2] = { (uint16_t)pairs[i].key.len, (uint16_t)pairs[i].value.len };

        if (pairs[i].key.len > UINT16_MAX || pairs[i].value.len > UINT16_MAX)
            return ERR_TOO_LARGE;
        buf_append(out, lens, sizeof(lens));
        buf_append_str(out, pairs[i].key);
        buf_append_str(out, pairs[i].value);
        if (out->len > STORE_OBJECT_MAX)
            return ERR_TOO_LARGE;
    }
    return 0;
}

int store_pack(struct buf *out, const struct store_mutation *m)
{
    uint16_t counts[2] = { (uint16_t)m->n_labels, (uint16_t)m->n_fields };
    int r;

    if (m->n_labels > UINT16_MAX || m->n_fields > UINT16_MAX)
        return ERR_TOO_LARGE;
    buf_append(out, counts, sizeof(counts));
    r = pack_pairs(out, m->labels, m->n_labels);
    return r < 0 ? r : pack_pairs(out, m->fields, m->n_fields);
}

bool store_packed_find(struct str packed, bool fields, struct str key, struct str *ret)
{
    uint16_t counts[2], lens[2];
    size_t at = sizeof(counts), first, last;

    if (packed.len < sizeof(counts))
        return false;
    memcpy(counts, packed.p, sizeof(counts));
    first = fields ? counts[0] : 0;
    last = fields ? (size_t)counts[0] + counts[1] : counts[0];
    for (size_t i = 0; i < last; i++) {
        size_t len;

        if (packed.len - at < sizeof(lens))
            return false;
        memcpy(lens, packed.p + at, sizeof(lens));
        at += sizeof(lens);
        len = (size_t)lens[0] + lens[1];
        if (packed.len - at < len)
            return false;
        if (i >= first && str_eq(str_n(packed.p + at, lens[0]), key)) {
            *ret = str_n(packed.p + at + lens[0], lens[1]);
            return true;
        }
        at += len;
    }
    return false;
}

bool store_object_label(const struct store_object *o, struct str key, struct str *ret)
{
    return store_packed_find(o->packed, false, key, ret);
}

bool store_object_field(const struct store_object *o, struct str name, struct str *ret)
{
    return store_packed_find(o->packed, true, name, ret);
}
