/* Questions about the rest of the world, passed on to other servers: over UDP with a socket and an
 * identity of their own each, over TCP where the asker came by it. One loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct dns_forward;
struct dns_query;
struct loop;

enum { DNS_FORWARD_MAX_SERVERS = 3, DNS_FORWARD_MAX_PENDING = 1000 };

struct dns_server_address {
    char text[46]; /* numeric */
    uint16_t port;
};

struct dns_forward *dns_forward_new(struct loop *l, const struct dns_server_address *servers,
                                    size_t n);
void dns_forward_free(struct dns_forward *f); /* nobody is told; accepts NULL */

/* Once, later: the answer with the asker's own identity in it, or unset: no server answered. */
typedef void dns_forward_fn(struct str answer, void *arg);
/* message: the whole question as it came. False: too many are under way, or there is no server. */
bool dns_forward_ask(struct dns_forward *f, struct str message, bool is_tcp, dns_forward_fn *fn,
                     void *arg);
