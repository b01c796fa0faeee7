/* DNS messages (RFC 1035, 6891): reading questions, writing answers. Every length is checked
 * against the message's end; names are followed through at most so many pointers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

enum {
    DNS_NAME_BYTES = 256, /* as text, with its end */
    DNS_UDP_BYTES = 512,  /* without EDNS */
    DNS_UDP_MAX_BYTES = 4096,
    DNS_UDP_OWN_BYTES = 1232, /* what we take ourselves: no fragments on any network */
    DNS_MAX_BYTES = 65535,
};
enum dns_type {
    DNS_A = 1,
    DNS_NS = 2,
    DNS_CNAME = 5,
    DNS_SOA = 6,
    DNS_PTR = 12,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_SRV = 33,
    DNS_OPT = 41,
    DNS_IXFR = 251,
    DNS_AXFR = 252,
    DNS_ANY = 255,
};
enum dns_rcode {
    DNS_NOERROR = 0,
    DNS_FORMERR = 1,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4,
    DNS_REFUSED = 5,
    DNS_BADVERS = 16, /* said by EDNS */
};

struct dns_query {
    uint16_t id;
    uint8_t opcode;
    bool recursion_desired;
    bool checking_disabled, authentic_data; /* CD, AD */
    bool has_edns, dnssec_ok;
    uint8_t edns_version;
    uint16_t udp_bytes; /* what the asker takes */
    uint16_t type, klass;
    char name[DNS_NAME_BYTES]; /* in lower case, without the last dot; "" is the root */
    struct str question;       /* as it came, for the answer */
};

/* DNS_NOERROR; DNS_FORMERR, DNS_NOTIMP, DNS_BADVERS to be answered (ret->id is good then); -1: not
 * worth it. */
int dns_query_parse(struct str message, struct dns_query *ret);
/* A name at *at in the message as text, *at moved behind it. False: broken. */
bool dns_name_read(struct str message, size_t *at, char ret[DNS_NAME_BYTES]);
/* The same in wire form without pointers, cases kept: its length, 0: broken. Labels may hold any
 * byte. */
size_t dns_name_expand(struct str message, size_t *at, char ret[DNS_NAME_BYTES]);
/* Appends a question of our own, with an identity of 0. */
void dns_question_print(struct buf *out, const struct dns_query *q);

/* --- answers --- */
enum { DNS_ANSWER_NAMES = 24 };
struct dns_answer {
    struct buf *out; /* the message so far */
    size_t start;    /* where it begins in out */
    size_t limit;    /* bytes it may have */
    uint16_t question_bytes;
    bool is_truncated, is_authentic;
    uint16_t counts[3];               /* answers, authority, additional */
    uint16_t names[DNS_ANSWER_NAMES]; /* where names are that others may point to */
    uint8_t n_names;
};
enum dns_section { DNS_ANSWER, DNS_AUTHORITY, DNS_ADDITIONAL };

/* limit: bytes of the whole. */
void dns_answer_begin(struct dns_answer *a, struct buf *out, const struct dns_query *q,
                      size_t limit);
/* Records of one name; what does not fit sets is_truncated (of additional ones: is left out). */
void dns_answer_address(struct dns_answer *a, enum dns_section s, struct str name, uint32_t ttl,
                        uint16_t type, const void *bytes); /* A: 4, AAAA: 16 */
void dns_answer_name(struct dns_answer *a, enum dns_section s, struct str name, uint32_t ttl,
                     uint16_t type, struct str target); /* CNAME, PTR, NS */
void dns_answer_srv(struct dns_answer *a, struct str name, uint32_t ttl, uint16_t weight,
                    uint16_t port, struct str target);
void dns_answer_txt(struct dns_answer *a, struct str name, uint32_t ttl, struct str text);
void dns_answer_soa(struct dns_answer *a, enum dns_section s, struct str zone, uint32_t ttl,
                    uint32_t serial);
/* A record as it is, its name in wire form; a CNAME's, PTR's or NS's data is a name. */
void dns_answer_record(struct dns_answer *a, enum dns_section s, struct str name, uint16_t type,
                       uint16_t klass, uint32_t ttl, struct str data);
/* Writes the head. */
void dns_answer_end(struct dns_answer *a, const struct dns_query *q, int rcode,
                    bool is_authoritative);
