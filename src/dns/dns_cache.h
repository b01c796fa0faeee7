/* Other servers' answers, by question, as long as they allow, the least asked for leave first when
 * there are too many. One loop. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct clock;
struct dns_cache;
struct dns_reply;

enum {
    DNS_CACHE_MAX_BYTES = 8 * 1024 * 1024,
    DNS_CACHE_MAX_TTL_S = 3600,
    DNS_CACHE_MAX_DENIAL_S = 1800,
};

struct dns_cache *dns_cache_new(const struct clock *c, size_t max_entries);
void dns_cache_free(struct dns_cache *c); /* accepts NULL */
/* NULL: none, or no longer. Good until the next call. */
const struct dns_reply *dns_cache_get(struct dns_cache *c, struct str key, uint32_t *ret_age_s);
/* Takes the reply; what may not be kept is freed. */
void dns_cache_put(struct dns_cache *c, struct str key, struct dns_reply *take_reply);

struct dns_cache_stats {
    size_t entries[2]; /* answers, denials */
    size_t bytes;
    uint64_t hits[2], misses, evictions;
};
struct dns_cache_stats dns_cache_stats(const struct dns_cache *c);
