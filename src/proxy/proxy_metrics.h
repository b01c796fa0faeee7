/* How the proxy does, counted under kube-proxy's names. One loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct proxy_metrics;

struct proxy_metrics *proxy_metrics_new(void);
void proxy_metrics_free(struct proxy_metrics *m); /* accepts NULL */
void proxy_metrics_service_changed(struct proxy_metrics *m);
void proxy_metrics_endpoints_changed(struct proxy_metrics *m);
/* A transaction of the kernel; is_full: the whole table. */
void proxy_metrics_synced(struct proxy_metrics *m, bool is_full, bool has_failed, size_t elements,
                          int64_t duration_us);
/* From an endpoint's change (milliseconds since 1970) to the kernel. */
void proxy_metrics_programmed(struct proxy_metrics *m, int64_t trigger_ms);
enum proxy_check { PROXY_HEALTHZ, PROXY_LIVEZ, PROXY_CHECK_MAX };
void proxy_metrics_checked(struct proxy_metrics *m, enum proxy_check check, int status);
void proxy_metrics_print(const struct proxy_metrics *m, size_t elements, struct buf *b);
