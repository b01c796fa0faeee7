/* What /metrics shows: requests by resource, verb and code with their durations, requests in
 * flight, long-running requests, the store, the process. Text form 0.0.4 of Prometheus, upstream's
 * names.
 *
 * Series live in one table of fixed size, found by a number that packs the labels, so that a client
 * cannot grow it (what does not fit is counted under resource="other") and counting takes no lock:
 * any thread may count. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct buf;
struct metrics;
struct store_stats;

/* One finished request. Names are the request's labels; they come from tables (resource rows,
 * verbs), never from a client's bytes, and must live as long as the process. "" where one does not
 * apply. */
struct metrics_request {
    struct str group;
    struct str version;
    struct str resource;
    struct str subresource;
    const char *verb;  /* "GET", "LIST", "WATCH", "POST", "PUT", "PATCH", "DELETE", ... */
    const char *scope; /* "resource", "namespace", "cluster", "" */
    bool dry_run;
    int code;
    int64_t duration_us; /* negative: long-running, not in the histogram */
};

struct metrics *metrics_new(void);
void metrics_free(struct metrics *m); /* accepts NULL */
void metrics_count_request(struct metrics *m, const struct metrics_request *r);

/* Gauges. kind: mutating or read-only, as flow control counts them. */
void metrics_in_flight(struct metrics *m, bool mutating, int delta);
void metrics_watchers(struct metrics *m, int delta);

void metrics_print(struct metrics *m, const struct store_stats *store, struct buf *b);
