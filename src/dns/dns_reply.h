/* What another server said, checked and unfolded: records without pointers, so that they can stand
 * in any message, now or later. One block of memory, never changed. */
#pragma once

#include "dns/dns_message.h"

enum { DNS_REPLY_MAX_BYTES = 128 * 1024 };

struct dns_record {
    struct str name, data; /* names in wire form, whole */
    uint32_t ttl_s;
    uint16_t type, klass;
    uint8_t section;
};

struct dns_reply {
    size_t bytes; /* of the whole block */
    uint32_t n;
    uint32_t ttl_s; /* how long it may be kept (RFC 2308 where it denies); 0: not at all */
    int rcode;
    bool is_authentic, is_negative;
    struct dns_record records[];
};

/* NULL: broken, or larger than DNS_REPLY_MAX_BYTES unfolded. The message's truth (identity,
 * question) is the caller's to check. mem_free(). */
struct dns_reply *dns_reply_parse(struct str message);
/* Its records into an answer, as old as age_s. */
void dns_reply_print(const struct dns_reply *r, uint32_t age_s, struct dns_answer *a);
