#include "dns/dns_reply.h"

#include "base/mem.h"
#include "base/vec.h"

enum { HEADER_BYTES = 12, MIN_RECORD_BYTES = 11, SOA_NUMBERS_BYTES = 20 };

static uint16_t get16(struct str m, size_t at)
{
    const unsigned char *p = (const unsigned char *)m.p + at;

    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(struct str m, size_t at)
{
    return (uint32_t)get16(m, at) << 16 | get16(m, at + 2);
}

/* A record whose strings are places in `bytes` until all are read. */
struct place {
    size_t name_at, name_len, data_at, data_len;
};
struct reading {
    struct str message;
    size_t at;
    struct buf bytes;
    struct VEC(struct place) places;
    struct VEC(struct dns_record) records;
};

static bool read_name(struct reading *r, size_t *at, size_t end, size_t *ret_len)
{
    char name[DNS_NAME_BYTES];
    size_t n = dns_name_expand(str_sub(r->message, 0, end), at, name);

    buf_append(&r->bytes, name, n);
    *ret_len += n;
    return n != 0;
}

/* Where names are in the data of the types of RFC 1035 and SRV: bytes before, names, bytes behind.
 */
struct shape {
    uint16_t type;
    uint8_t before, names, behind;
};
static const struct shape shapes[] = {
    { DNS_CNAME, 0, 1, 0 },   { DNS_NS, 0, 1, 0 },  { DNS_PTR, 0, 1, 0 },
    { 15 /* MX */, 2, 1, 0 }, { DNS_SRV, 6, 1, 0 }, { DNS_SOA, 0, 2, SOA_NUMBERS_BYTES },
};

static bool read_data(struct reading *r, uint16_t type, size_t end, size_t *ret_len)
{
    size_t at = r->at;

    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        const struct shape *s = &shapes[i];

        if (s->type != type)
            continue;
        if (at + s->before > end)
            return false;
        buf_append(&r->bytes, r->message.p + at, s->before);
        at += s->before;
        *ret_len = s->before;
        for (uint8_t k = 0; k < s->names; k++)
            if (!read_name(r, &at, end, ret_len))
                return false;
        buf_append(&r->bytes, r->message.p + at, MIN(end - at, (size_t)s->behind));
        *ret_len += s->behind;
        return end - at == s->behind;
    }
    *ret_len = end - at;
    buf_append(&r->bytes, r->message.p + at, *ret_len);
    return true;
}

static bool read_record(struct reading *r, uint8_t section, bool *ret_is_end)
{
    struct dns_record record = { .section = section };
    struct place p = { .name_at = r->bytes.len };
    size_t length;

    if (!read_name(r, &r->at, r->message.len, &p.name_len) || r->at + 10 > r->message.len)
        return false;
    record.type = get16(r->message, r->at);
    record.klass = get16(r->message, r->at + 2);
    record.ttl_s = get32(r->message, r->at + 4);
    if (record.ttl_s > INT32_MAX)
        record.ttl_s = 0; /* RFC 2181, 8 */
    length = get16(r->message, r->at + 8);
    r->at += 10;
    if (length > r->message.len - r->at || r->bytes.len > DNS_REPLY_MAX_BYTES)
        return false;
    p.data_at = r->bytes.len;
    *ret_is_end = record.type == DNS_OPT; /* between two servers; what follows it may be left out */
    if (*ret_is_end)
        return section == DNS_ADDITIONAL;
    if (!read_data(r, record.type, r->at + length, &p.data_len))
        return false;
    r->at += length;
    VEC_PUSH(&r->places, p);
    VEC_PUSH(&r->records, record);
    return true;
}

static bool read_all(struct reading *r)
{
    char name[DNS_NAME_BYTES];

    if (r->message.len < HEADER_BYTES || get16(r->message, 4) != 1)
        return false;
    r->at = HEADER_BYTES;
    if (!dns_name_expand(r->message, &r->at, name) || r->at + 4 > r->message.len)
        return false;
    r->at += 4;
    for (uint8_t s = 0; s < 3; s++)
        for (unsigned i = get16(r->message, 6 + s * 2U); i; i--) {
            bool is_end = false;

            if (!read_record(r, s, &is_end))
                return false;
            if (is_end)
                return true;
        }
    return true;
}

/* A denial is kept as long as its SOA says, and without one not at all. */
static void set_ttl(struct dns_reply *r)
{
    uint32_t least = UINT32_MAX;
    bool has_soa = false, has_answer = false;

    for (uint32_t i = 0; i < r->n; i++) {
        const struct dns_record *d = &r->records[i];

        least = MIN(least, d->ttl_s);
        has_answer |= d->section == DNS_ANSWER && d->type != DNS_CNAME;
        if (d->type == DNS_SOA && d->section == DNS_AUTHORITY) {
            has_soa = true;
            least = MIN(least, get32(d->data, d->data.len - 4));
        }
    }
    r->is_negative = r->rcode == DNS_NXDOMAIN || !has_answer;
    if ((r->rcode == DNS_NOERROR || r->rcode == DNS_NXDOMAIN) && r->n &&
        (has_soa || !r->is_negative))
        r->ttl_s = least;
}

static struct dns_reply *pack(const struct reading *r)
{
    size_t n = r->records.len, head = sizeof(struct dns_reply) + n * sizeof(struct dns_record);
    struct dns_reply *reply = mem_zalloc(head + r->bytes.len);
    char *bytes = (char *)reply + head;

    reply->bytes = head + r->bytes.len;
    reply->n = (uint32_t)n;
    reply->rcode = r->message.p[3] & 0x0f;
    reply->is_authentic = r->message.p[3] & 0x20;
    if (r->bytes.len)
        memcpy(bytes, r->bytes.p, r->bytes.len);
    for (size_t i = 0; i < n; i++) {
        const struct place *p = &r->places.items[i];

        reply->records[i] = r->records.items[i];
        reply->records[i].name = str_n(bytes + p->name_at, p->name_len);
        reply->records[i].data = str_n(bytes + p->data_at, p->data_len);
    }
    set_ttl(reply);
    return reply;
}

struct dns_reply *dns_reply_parse(struct str message)
{
    struct reading r = { .message = message };
    struct dns_reply *ret = read_all(&r) ? pack(&r) : NULL;

    buf_done(&r.bytes);
    VEC_DONE(&r.places);
    VEC_DONE(&r.records);
    return ret;
}

void dns_reply_print(const struct dns_reply *r, uint32_t age_s, struct dns_answer *a)
{
    for (uint32_t i = 0; i < r->n; i++) {
        const struct dns_record *d = &r->records[i];

        dns_answer_record(a, (enum dns_section)d->section, d->name, d->type, d->klass,
                          d->ttl_s > age_s ? d->ttl_s - age_s : 0, d->data);
    }
}
