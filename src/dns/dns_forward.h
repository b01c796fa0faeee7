/* Questions about the rest of the world, asked of other servers and remembered as long as their
 * answers allow. Equal questions that are under way are asked once. Each has a socket and an
 * identity of its own; what does not fit a datagram is asked for by TCP. One loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct dns_cache_stats;
struct dns_forward;
struct dns_query;
struct dns_reply;
struct loop;

enum { DNS_FORWARD_MAX_SERVERS = 3, DNS_FORWARD_MAX_PENDING = 1000 };

struct dns_server_address {
    char text[46]; /* numeric */
    uint16_t port;
};

struct dns_forward *dns_forward_new(struct loop *l, const struct dns_server_address *servers,
                                    size_t n, size_t cache_entries);
void dns_forward_free(struct dns_forward *f); /* nobody is told; accepts NULL */

/* What is remembered, good until the next call; NULL: nothing. */
const struct dns_reply *dns_forward_known(struct dns_forward *f, const struct dns_query *q,
                                          uint32_t *ret_age_s);
/* Once, later: the reply, good within the call, or NULL: no server answered. */
typedef void dns_forward_fn(const struct dns_reply *r, void *arg);
/* False: too many are under way, or there is no server. */
bool dns_forward_ask(struct dns_forward *f, const struct dns_query *q, dns_forward_fn *fn,
                     void *arg);

struct dns_forward_stats {
    uint64_t sent_udp, sent_tcp, timeouts, rejected;
};
struct dns_forward_stats dns_forward_stats(const struct dns_forward *f);
struct dns_cache_stats dns_forward_cache_stats(const struct dns_forward *f);
