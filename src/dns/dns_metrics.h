/* What was asked and answered, counted under CoreDNS' names. One loop. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct buf;
struct dns_cache_stats;
struct dns_forward_stats;
struct dns_metrics;

struct dns_metrics *dns_metrics_new(void);
void dns_metrics_free(struct dns_metrics *m); /* accepts NULL */
struct dns_metrics_request {
    bool is_tcp, is_v6;
    uint16_t type;
    uint32_t bytes;
};
void dns_metrics_request(struct dns_metrics *m, const struct dns_metrics_request *r);
/* plugin: who answered: "kubernetes", "cache", "forward", or "" */
void dns_metrics_response(struct dns_metrics *m, bool is_tcp, const char *plugin, struct str answer,
                          int64_t duration_us);
void dns_metrics_print(const struct dns_metrics *m, const struct dns_cache_stats *cache,
                       const struct dns_forward_stats *forward, struct buf *b);
