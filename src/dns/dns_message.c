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

size_t dns_name_expand(struct str m, size_t *at, char ret[DNS_NAME_BYTES])
{
    size_t i = *at, len = 0, pointers = 0, end = 0, limit = m.len, to;

    while (i < limit) {
        unsigned char n = (unsigned char)m.p[i];

        if ((n & 0xc0) == 0xc0) {
            if (i + 2 > limit || ++pointers > MAX_POINTERS)
                return 0;
            end = end ? end : i + 2;
            to = get16(m, i) & 0x3fff;
            if (to < HEADER_BYTES)
                return 0;
            limit = i;
            i = to;
            continue;
        }
        if (n > 63 || i + 1 + n > limit || len + n + 1 > DNS_NAME_BYTES - 1)
            return 0;
        memcpy(ret + len, m.p + i, 1U + n);
        len += 1U + n;
        i += 1U + n;
        if (n == 0) {
            *at = end ? end : i;
            return len;
        }
    }
    return 0;
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
            if (ret->has_edns)
                return false;
            ret->has_edns = true;
            ret->udp_bytes = get16(m, at + 2);
            ret->edns_version = (uint8_t)m.p[at + 5];
            ret->dnssec_ok = m.p[at + 6] & 0x80;
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
    ret->authentic_data = m.p[3] & 0x20;
    ret->checking_disabled = m.p[3] & 0x10;
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
    return ret->edns_version ? DNS_BADVERS : DNS_NOERROR;
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

/* A name as text in wire form; its length. What is no name is cut. */
static size_t name_to_wire(struct str name, char ret[DNS_NAME_BYTES])
{
    struct str rest = name, label;
    size_t len = 0;

    while (name.len && str_next(&rest, '.', &label)) {
        size_t n = MIN(label.len, (size_t)63);

        if (!n || len + n + 2 > DNS_NAME_BYTES - 1)
            break;
        ret[len++] = (char)n;
        memcpy(ret + len, label.p, n);
        len += n;
    }
    ret[len++] = 0;
    return len;
}

/* Is the name at a place of the message this one? We wrote it, so it is well formed. */
static bool is_name_at(const struct dns_answer *a, size_t at, struct str wire)
{
    struct str m = str_tail(buf_str(a->out), a->start);
    size_t i = 0;

    for (;;) {
        unsigned char n = (unsigned char)m.p[at];

        if ((n & 0xc0) == 0xc0) {
            at = get16(m, at) & 0x3fff;
            continue;
        }
        if (n != (unsigned char)wire.p[i] ||
            !str_eq_nocase(str_sub(m, at + 1, at + 1 + n), str_sub(wire, i + 1, i + 1 + n)))
            return false;
        if (!n)
            return true;
        at += 1U + n;
        i += 1U + n;
    }
}

static void note_name(struct dns_answer *a, size_t at)
{
    if (a->n_names < DNS_ANSWER_NAMES && at < 0x4000)
        a->names[a->n_names++] = (uint16_t)at;
}

/* The question's own name and what it ends in. */
static void note_question(struct dns_answer *a)
{
    size_t at = HEADER_BYTES;
    const char *m = a->out->p + a->start;

    if (a->n_names || a->question_bytes < 6)
        return;
    for (; m[at]; at += 1U + (unsigned char)m[at])
        note_name(a, at);
}

/* With a pointer to the longest end of it that stands in the message. */
static void put_wire(struct dns_answer *a, struct str wire)
{
    size_t i = 0, known;

    note_question(a);
    known = a->n_names; /* those of this name are not whole yet */
    while (wire.p[i]) {
        unsigned char n = (unsigned char)wire.p[i];

        for (size_t k = 0; k < known; k++)
            if (is_name_at(a, a->names[k], str_tail(wire, i))) {
                put16(a->out, 0xc000U | a->names[k]);
                return;
            }
        note_name(a, a->out->len - a->start);
        buf_append(a->out, wire.p + i, 1U + n);
        i += 1U + n;
    }
    buf_append_char(a->out, 0);
}

static void put_name(struct dns_answer *a, struct str name)
{
    char wire[DNS_NAME_BYTES];
    size_t n = name_to_wire(name, wire);

    put_wire(a, str_n(wire, n));
}

void dns_question_print(struct buf *out, const struct dns_query *q)
{
    char wire[DNS_NAME_BYTES] = "";
    size_t n = name_to_wire(str_from_cstr(q->name), wire);

    put16(out, 0);
    buf_append_char(out, 1);
    buf_append_char(out,
                    (char)((q->authentic_data ? 0x20 : 0) | (q->checking_disabled ? 0x10 : 0)));
    put16(out, 1);
    put32(out, 0);
    put16(out, q->has_edns ? 1 : 0);
    buf_append(out, wire, n);
    put16(out, q->type);
    put16(out, q->klass);
    if (!q->has_edns)
        return;
    buf_append_char(out, 0);
    put16(out, DNS_OPT);
    put16(out, DNS_UDP_OWN_BYTES);
    put16(out, 0);
    put16(out, q->dnssec_ok ? 0x8000 : 0);
    put16(out, 0);
}

void dns_answer_begin(struct dns_answer *a, struct buf *out, const struct dns_query *q,
                      size_t limit)
{
    *a = (struct dns_answer){
        .out = out, .start = out->len, .limit = limit, .question_bytes = (uint16_t)q->question.len
    };
    if (q->has_edns)
        a->limit -= EDNS_BYTES;
    buf_append(out, "\0\0\0\0\0\0\0\0\0\0\0\0", HEADER_BYTES);
    buf_append_str(out, q->question);
}

/* The record's head up to its data's length, which end_record() fills in. */
static size_t begin_record(struct dns_answer *a, struct str name, uint16_t type, uint32_t ttl)
{
    if (name.p)
        put_name(a, name);
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
        while (a->n_names && a->names[a->n_names - 1] >= before - a->start)
            a->n_names--;
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

    put_name(a, target);
    end_record(a, s, before, data);
}

void dns_answer_record(struct dns_answer *a, enum dns_section s, struct str name, uint16_t type,
                       uint16_t klass, uint32_t ttl, struct str data)
{
    size_t before = a->out->len, at;

    put_wire(a, name);
    put16(a->out, type);
    put16(a->out, klass);
    put32(a->out, ttl);
    put16(a->out, 0);
    at = a->out->len;
    if (type == DNS_CNAME || type == DNS_PTR || type == DNS_NS)
        put_wire(a, data);
    else
        buf_append_str(a->out, data);
    end_record(a, s, before, at);
}

void dns_answer_srv(struct dns_answer *a, struct str name, uint32_t ttl, uint16_t weight,
                    uint16_t port, struct str target)
{
    size_t before = a->out->len, data = begin_record(a, name, DNS_SRV, ttl);
    char wire[DNS_NAME_BYTES] = "";
    size_t n = name_to_wire(target, wire);

    put16(a->out, 0);
    put16(a->out, weight);
    put16(a->out, port);
    buf_append(a->out, wire, n); /* RFC 2782: without pointers */
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
    put_name(a, zone);
    buf_append_char(a->out, 10);
    buf_append_lit(a->out, "hostmaster");
    put_name(a, zone);
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
        put16(a->out, DNS_UDP_OWN_BYTES);
        put16(a->out, (unsigned)rcode >> 4 << 8); /* the rest of the code, and version 0 */
        put16(a->out, q->dnssec_ok ? 0x8000 : 0);
        put16(a->out, 0);
        a->counts[DNS_ADDITIONAL]++;
    }
    p = (unsigned char *)a->out->p + a->start;
    p[0] = (unsigned char)(q->id >> 8);
    p[1] = (unsigned char)q->id;
    p[2] = (unsigned char)(0x80 | q->opcode << 3 | (is_authoritative ? 4 : 0) |
                           (a->is_truncated ? 2 : 0) | (q->recursion_desired ? 1 : 0));
    p[3] = (unsigned char)(0x80 | (a->is_authentic ? 0x20 : 0) | (q->checking_disabled ? 0x10 : 0) |
                           (rcode & 0x0f));
    p[5] = q->question.len ? 1 : 0;
    for (int i = 0; i < 3; i++) {
        p[6 + i * 2] = (unsigned char)(a->counts[i] >> 8);
        p[7 + i * 2] = (unsigned char)a->counts[i];
    }
}
