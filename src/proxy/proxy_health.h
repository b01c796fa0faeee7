/* What the proxy says to whoever asks: whether it is well (kube-proxy's port 10256), its figures
 * (10249), and to load balancers, at each Service's healthCheckNodePort, how many of the Service's
 * endpoints are on this node. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct buf;
struct err;
struct loop;
struct proxy_health;
struct proxy_metrics;

enum { PROXY_HEALTH_LATE_MS = 60000 };

struct proxy_health_options {
    struct loop *loop;
    struct proxy_metrics *metrics;
    const char *healthz; /* "ADDRESS:PORT"; NULL: none */
    const char *metrics_at;
    void (*print_metrics)(struct buf *b, void *arg);
    void *arg;
};
/* A port that another has is a line of the log, as upstream's. ERR_INVALID: an address that is
 * none. */
int proxy_health_new(const struct proxy_health_options *o, struct proxy_health **ret,
                     struct err *err);
void proxy_health_free(struct proxy_health *h); /* accepts NULL */

/* Something changed, and is to be in the kernel within PROXY_HEALTH_LATE_MS; it is. */
void proxy_health_queued(struct proxy_health *h);
void proxy_health_updated(struct proxy_health *h);
/* Is the node to be sent traffic of load balancers at all? */
void proxy_health_eligible(struct proxy_health *h, bool is_eligible);
/* port 0: the Service has none (any more). */
void proxy_health_service(struct proxy_health *h, struct str namespace, struct str name,
                          uint16_t port, size_t local_endpoints);
