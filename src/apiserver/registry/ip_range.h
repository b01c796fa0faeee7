/* A range of addresses out of which Services get theirs: "10.96.0.0/12", "fd00::/108". The first
 * address (and IPv4's last) is never handed out. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct arena;

struct ip_range {
    unsigned char base[16]; /* network order; IPv4: the first four */
    unsigned bits;          /* 32 or 128 */
    unsigned prefix;
};

enum { IP_RANGE_MAX_HOST_BITS = 32 }; /* of a range, the rest is not used */

bool ip_range_parse(struct str cidr, struct ip_range *ret);
/* "IPv4" or "IPv6" */
struct str ip_range_family(const struct ip_range *r);
/* How many addresses it has, both ends included, at most 2^IP_RANGE_MAX_HOST_BITS. */
uint64_t ip_range_size(const struct ip_range *r);
/* Canonical text of base + n; n is below the size. */
struct str ip_range_nth(struct arena *a, const struct ip_range *r, uint64_t n);
/* Inside, and an address that may be handed out. */
bool ip_range_contains(const struct ip_range *r, struct str address);
struct str ip_range_print(struct arena *a, const struct ip_range *r);

/* The family of an address's text; unset when it is none. */
struct str ip_range_family_of(struct str address);
/* The canonical text of an address; unset when it is none. */
struct str ip_range_canonical(struct arena *a, struct str address);
