/* IPv4 and IPv6 addresses and prefixes as values. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct ip {
    uint8_t family;    /* AF_INET, AF_INET6; 0: none */
    uint8_t bytes[16]; /* network order; IPv4 is the first four, the rest is zero */
};
struct ip_prefix {
    struct ip ip; /* with its host bits */
    uint8_t len;
};
enum { IP_TEXT_BYTES = 46, IP_PREFIX_TEXT_BYTES = 50 };

bool ip_parse(struct str text, struct ip *ret);               /* numeric, no zone */
bool ip_prefix_parse(struct str text, struct ip_prefix *ret); /* "10.0.0.1/24" */
const char *ip_print(const struct ip *ip, char ret[IP_TEXT_BYTES]);
const char *ip_prefix_print(const struct ip_prefix *p, char ret[IP_PREFIX_TEXT_BYTES]);

static inline uint8_t ip_bits(const struct ip *ip)
{
    return ip->family == 2 /* AF_INET */ ? 32 : 128;
}
static inline uint8_t ip_bytes(const struct ip *ip)
{
    return (uint8_t)(ip_bits(ip) / 8);
}

int ip_cmp(const struct ip *a, const struct ip *b); /* by family, then bytes */
bool ip_prefix_contains(const struct ip_prefix *p, const struct ip *ip);
struct ip ip_prefix_base(const struct ip_prefix *p); /* host bits zero */
/* The base's n-th successor, false beyond the prefix. */
bool ip_prefix_nth(const struct ip_prefix *p, uint64_t n, struct ip *ret);
/* How many addresses, at most UINT64_MAX. */
uint64_t ip_prefix_size(const struct ip_prefix *p);
/* Which successor of the base ip is; it must be contained. Beyond 64 bits: UINT64_MAX. */
uint64_t ip_prefix_index(const struct ip_prefix *p, const struct ip *ip);
