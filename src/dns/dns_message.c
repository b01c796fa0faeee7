#include "dns/dns_message.h"

#include <ctype.h>

enum { HEADER_BYTES = 12, MAX_POINTERS = 32, QUESTION_POINTER = 0xc00c, EDNS_BYTES = 11 };

static uint16_t get16(struct str m, size_t at)
{
    const unsigned char *p = (const unsigned char *)m.p + at;

    return (uint16_t)(p[0] << 8 | p[1]);
}

bool dns_name_read(struct str m, size_t *at, char ret[DNS_NAME_BYTES])
{
    size_t i = *at, len = 0, pointers = 0, end = 0, limit = m.len, to;

    while (i < limit) {
        unsigned char n = (unsigned char)m.p[i];

        if (n == 0) {
            ret[len] = '\0';
            *at = end ? end : i + 1;
            return true;
        }
        if ((n & 0xc0) == 0xc0) {
            if (i + 2 > limit || ++pointers > MAX_POINTERS)
                return false;
            end = end ? end : i + 2;
            to = get16(m, i) & 0x3fff;
            if (to < HEADER_BYTES)
                return false;
            limit = i; /* RFC 1035, 4.1.4: a prior occurrence, the whole of it */
            i = to;
            continue;
        }
        if (n > 63 || i + 1 + n > limit || len + n + 2 > DNS_NAME_BYTES)
            return false;
        if (len)
            ret[len++] = '.';
        for (size_t k = 0; k < n; k++) {
            char c = m.p[i + 1 + k];

            if (c == '.' || c == '\0')
                return false; /* no name that we know has one inside a label */
            ret[len++] = (char)tolower((unsigned char)c);
        }
        i += 1U + n;
    }
    return false;
}

/* The OPT record among the additional ones: how much the asker takes. */
static bool read_edns(struct str m, size_t at, struct dns_query *ret)
{
    unsigned records = get16(m, 6) + (unsigned)get16(m, 8) + get16(m, 10);
    char name[DNS_NAME_BYTES];

    for (unsigned i = 0; i < records; i++) {
        size_t length;

        if (!dns_name_read(m, &at, name) || at + 10 > m.len)
            return false;
        length = get16(m, at + 8);
        if (get16(m, at) == DNS_OPT) {
            ret->has_edns = true;
            ret->udp_bytes = get16(m, at + 2);
        }
        if (length > m.len - at - 10)
            return false;
        at += 10 + length;
    }
    return true;
}

int dns_query_parse(struct str m, struct dns_query *ret)
{
    size_t at = HEADER_BYTES;

    *ret = (struct dns_query){ .udp_bytes = DNS_UDP_BYTES };
    if (m.len < HEADER_BYTES)
        return -1;
    ret->id = get16(m, 0);
    if (m.p[2] & 0x80) /* an answer */
        return -1;
    ret->opcode = (uint8_t)(m.p[2] >> 3 & 0x0f);
    ret->recursion_desired = m.p[2] & 1;
    if (ret->opcode != 0)
        return DNS_NOTIMP;
    if (get16(m, 4) != 1 || !dns_name_read(m, &at, ret->name) || at + 4 > m.len)
        return DNS_FORMERR;
    ret->type = get16(m, at);
    ret->klass = get16(m, at + 2);
    at += 4;
    ret->question = str_sub(m, HEADER_BYTES, at);
    if (!read_edns(m, at, ret))
        return DNS_FORMERR;
    if (ret->udp_bytes < DNS_UDP_BYTES)
        ret->udp_bytes = DNS_UDP_BYTES;
    if (ret->udp_bytes > DNS_UDP_MAX_BYTES)
        ret->udp_bytes = DNS_UDP_MAX_BYTES;
    return DNS_NOERROR;
}

/* --- answers --- */

static void put16(struct buf *b, unsigned v)
{
    buf_append_char(b, (char)(v >> 8));
    buf_append_char(b, (char)v);
}

static void put32(struct buf *b, uint32_t v)
{
    put16(b, v >> 16);
    put16(b, v & 0xffff);
}

static void put_name(struct buf *b, struct str name)
{
    struct str rest = name, label;

    while (name.len && str_next(&rest, '.', &label)) {
        buf_append_char(b, (char)MIN(label.len, (size_t)63));
        buf_append(b, label.p, MIN(label.len, (size_t)63));
    }
    buf_append_char(b, 0);
}

void dns_answer_begin(struct dns_answer *a, struct buf *out, const struct dns_query *q,
                      size_t limit)
{
    *a = (struct dns_answer){ .out = out, .start = out->len, .limit = limit };
    if (q->has_edns)
        a->limit -= EDNS_BYTES;
    buf_append(out, "\0\0\0\0\0\0\0\0\0\0\0\0", HEADER_BYTES);
    buf_append_str(out, q->question);
}

/* The record's head up to its data's length, which end_record() fills in. */
static size_t begin_record(struct dns_answer *a, struct str name, uint16_t type, uint32_t ttl)
{
    if (name.p)
        put_name(a->out, name);
    else
        put16(a->out, QUESTION_POINTER);
    put16(a->out, type);
    put16(a->out, 1);
    put32(a->out, ttl);
    put16(a->out, 0);
    return a->out->len;
}

/* before: the message's length without it. */
static void end_record(struct dns_answer *a, enum dns_section s, size_t before, size_t data)
{
    size_t length = a->out->len - data;

    if (a->out->len - a->start > a->limit || a->is_truncated) {
        a->out->len = before;
        a->is_truncated |= s != DNS_ADDITIONAL;
        return;
    }
    a->out->p[data - 2] = (char)(length >> 8);
    a->out->p[data - 1] = (char)length;
    a->counts[s]++;
}

void dns_answer_address(struct dns_answer *a, enum dns_section s, struct str name, uint32_t ttl,
                        uint16_t type, const void *bytes)
{
    size_t before = a->out->len, data = begin_record(a, name, type, ttl);

    buf_append(a->out, bytes, type == DNS_A ? 4 : 16);
    end_record(a, s, before, data);
}

void dns_answer_name(struct dns_answer *a, enum dns_section s, struct str name, uint32_t ttl,
                     uint16_t type, struct str target)
{
    size_t before = a->out->len, data = begin_record(a, name, type, ttl);

    put_name(a->out, target);
    end_record(a, s, before, data);
}

void dns_answer_srv(struct dns_answer *a, struct str name, uint32_t ttl, uint16_t weight,
                    uint16_t port, struct str target)
{
    size_t before = a->out->len, data = begin_record(a, name, DNS_SRV, ttl);

    put16(a->out, 0);
    put16(a->out, weight);
    put16(a->out, port);
    put_name(a->out, target);
    end_record(a, DNS_ANSWER, before, data);
}

void dns_answer_txt(struct dns_answer *a, struct str name, uint32_t ttl, struct str text)
{
    size_t before = a->out->len, data = begin_record(a, name, DNS_TXT, ttl);

    text = str_sub(text, 0, 255);
    buf_append_char(a->out, (char)text.len);
    buf_append_str(a->out, text);
    end_record(a, DNS_ANSWER, before, data);
}

void dns_answer_soa(struct dns_answer *a, enum dns_section s, struct str zone, uint32_t ttl,
                    uint32_t serial)
{
    size_t before = a->out->len, data = begin_record(a, zone, DNS_SOA, ttl);

    buf_append_char(a->out, 2);
    buf_append_lit(a->out, "ns");
    buf_append_char(a->out, 3);
    buf_append_lit(a->out, "dns");
    put_name(a->out, zone);
    buf_append_char(a->out, 10);
    buf_append_lit(a->out, "hostmaster");
    put_name(a->out, zone);
    put32(a->out, serial);
    put32(a->out, 7200);
    put32(a->out, 1800);
    put32(a->out, 86400);
    put32(a->out, ttl);
    end_record(a, s, before, data);
}

void dns_answer_end(struct dns_answer *a, const struct dns_query *q, int rcode,
                    bool is_authoritative)
{
    unsigned char *p;

    if (q->has_edns) {
        buf_append_char(a->out, 0);
        put16(a->out, DNS_OPT);
        put16(a->out, DNS_UDP_MAX_BYTES);
        put32(a->out, 0);
        put16(a->out, 0);
        a->counts[DNS_ADDITIONAL]++;
    }
    p = (unsigned char *)a->out->p + a->start;
    p[0] = (unsigned char)(q->id >> 8);
    p[1] = (unsigned char)q->id;
    p[2] = (unsigned char)(0x80 | q->opcode << 3 | (is_authoritative ? 4 : 0) |
                           (a->is_truncated ? 2 : 0) | (q->recursion_desired ? 1 : 0));
    p[3] = (unsigned char)(0x80 | rcode);
    p[5] = q->question.len ? 1 : 0;
    for (int i = 0; i < 3; i++) {
        p[6 + i * 2] = (unsigned char)(a->counts[i] >> 8);
        p[7 + i * 2] = (unsigned char)a->counts[i];
    }
}
