#include "apiserver/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/process_metrics.h"
#include "store/store.h"

enum {
    SERIES_SLOTS = 4096, /* a power of two: 100 resources, 10 verbs and a few codes each */
    SERIES_PROBES = 64,  /* then it is "other" */
};

/* Upper bounds of upstream's apiserver_request_duration_seconds, in microseconds. */
static const int64_t duration_bounds_us[] = {
    5000,    25000,    50000,    100000,   200000,   400000,   600000,   800000,
    1000000, 1250000,  1500000,  2000000,  3000000,  4000000,  5000000,  6000000,
    8000000, 10000000, 15000000, 20000000, 30000000, 45000000, 60000000,
};
#define N_BUCKETS (ARRAY_LEN(duration_bounds_us) + 1)

struct series {
    _Atomic uint64_t key;   /* 0: free */
    _Atomic(char *) labels; /* written once, after the key */
    _Atomic uint64_t count;
    _Atomic uint64_t sum_us;
    _Atomic uint64_t timed; /* how many of count are in the buckets */
    _Atomic uint64_t buckets[N_BUCKETS];
};

struct metrics {
    int64_t start_wall_ns;
    _Atomic int64_t in_flight[2]; /* read-only, mutating */
    _Atomic int64_t watchers;
    struct series other;
    struct series series[SERIES_SLOTS];
};

static uint64_t add(_Atomic uint64_t *a, uint64_t n)
{
    return atomic_fetch_add_explicit(a, n, memory_order_relaxed);
}

static uint64_t load(const _Atomic uint64_t *a)
{
    return atomic_load_explicit(a, memory_order_relaxed);
}

struct metrics *metrics_new(void)
{
    struct metrics *m = NEW(struct metrics);

    m->start_wall_ns = clock_system.wall_ns(&clock_system);
    atomic_store(&m->other.labels,
                 str_heap_cstr(STR("code=\"\",component=\"apiserver\",dry_run=\"\",group=\"\","
                                   "resource=\"other\",scope=\"\",subresource=\"\",verb=\"\","
                                   "version=\"\"")));
    return m;
}

void metrics_free(struct metrics *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < SERIES_SLOTS; i++)
        mem_free(atomic_load(&m->series[i].labels));
    mem_free(atomic_load(&m->other.labels));
    mem_free(m);
}

static char *print_labels(const struct metrics_request *r)
{
    CLEANUP(buf_done) struct buf b = { 0 };

    buf_printf(
        &b,
        "code=\"%d\",component=\"apiserver\",dry_run=\"%s\",group=\"%.*s\",resource=\"%.*s\","
        "scope=\"%s\",subresource=\"%.*s\",verb=\"%s\",version=\"%.*s\"",
        r->code, r->dry_run ? "All" : "", STR_ARG(r->group), STR_ARG(r->resource), r->scope,
        STR_ARG(r->subresource), r->verb, STR_ARG(r->version));
    return str_heap_cstr(buf_str(&b));
}

static uint64_t hash_labels(const struct metrics_request *r)
{
    const struct str parts[] = { r->group,
                                 r->version,
                                 r->resource,
                                 r->subresource,
                                 str_from_cstr(r->verb),
                                 str_from_cstr(r->scope) };
    uint64_t h = (uint64_t)r->code * 2 + r->dry_run;

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        h = h * 0x9e3779b97f4a7c15ULL + hash_str(parts[i]);
    return h ? h : 1;
}

/* The series of these labels; two label sets with one 64-bit hash would share it, which a counter
 * can stand. */
static struct series *find_series(struct metrics *m, const struct metrics_request *r)
{
    uint64_t key = hash_labels(r);

    for (uint64_t i = 0; i < SERIES_PROBES; i++) {
        struct series *s = &m->series[(key + i) & (SERIES_SLOTS - 1)];
        uint64_t seen = atomic_load_explicit(&s->key, memory_order_acquire);

        if (seen == 0 && atomic_compare_exchange_strong(&s->key, &seen, key)) {
            atomic_store_explicit(&s->labels, print_labels(r), memory_order_release);
            return s;
        }
        if (seen == key)
            return s;
    }
    return &m->other;
}

void metrics_count_request(struct metrics *m, const struct metrics_request *r)
{
    struct series *s = find_series(m, r);
    size_t bucket = 0;

    (void)add(&s->count, 1);
    if (r->duration_us < 0)
        return;
    while (bucket < ARRAY_LEN(duration_bounds_us) && r->duration_us > duration_bounds_us[bucket])
        bucket++;
    (void)add(&s->buckets[bucket], 1);
    (void)add(&s->sum_us, (uint64_t)r->duration_us);
    (void)add(&s->timed, 1);
}

void metrics_in_flight(struct metrics *m, bool mutating, int delta)
{
    (void)atomic_fetch_add_explicit(&m->in_flight[mutating], delta, memory_order_relaxed);
}

void metrics_watchers(struct metrics *m, int delta)
{
    (void)atomic_fetch_add_explicit(&m->watchers, delta, memory_order_relaxed);
}

static void print_head(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_histogram(struct buf *b, const struct series *s, const char *labels)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < N_BUCKETS; i++) {
        sum += load(&s->buckets[i]);
        buf_printf(b, "apiserver_request_duration_seconds_bucket{%s,le=\"", labels);
        if (i < ARRAY_LEN(duration_bounds_us))
            buf_printf(b, "%g", (double)duration_bounds_us[i] / 1e6);
        else
            buf_append_lit(b, "+Inf");
        buf_printf(b, "\"} %" PRIu64 "\n", sum);
    }
    buf_printf(b, "apiserver_request_duration_seconds_sum{%s} %.6f\n", labels,
               (double)load(&s->sum_us) / 1e6);
    buf_printf(b, "apiserver_request_duration_seconds_count{%s} %" PRIu64 "\n", labels, sum);
}

static const char *labels_of(struct metrics *m, size_t i, struct series **ret)
{
    *ret = i < SERIES_SLOTS ? &m->series[i] : &m->other;
    if (!load(&(*ret)->count))
        return NULL;
    return atomic_load_explicit(&(*ret)->labels, memory_order_acquire);
}

static void print_requests(struct metrics *m, struct buf *b)
{
    struct series *s;

    print_head(b, "apiserver_request_total", "counter",
               "Finished requests by resource, verb and code.");
    for (size_t i = 0; i <= SERIES_SLOTS; i++) {
        const char *labels = labels_of(m, i, &s);

        if (labels)
            buf_printf(b, "apiserver_request_total{%s} %" PRIu64 "\n", labels, load(&s->count));
    }
    print_head(b, "apiserver_request_duration_seconds", "histogram",
               "Time from the request's headers to its answer, long-running requests left out.");
    for (size_t i = 0; i <= SERIES_SLOTS; i++) {
        const char *labels = labels_of(m, i, &s);

        if (labels && load(&s->timed))
            print_histogram(b, s, labels);
    }
}

static void print_gauge(struct buf *b, const char *name, const char *help, double v)
{
    print_head(b, name, "gauge", help);
    buf_printf(b, "%s %.17g\n", name, v);
}

static void print_counter(struct buf *b, const char *name, const char *help, uint64_t v)
{
    print_head(b, name, "counter", help);
    buf_printf(b, "%s %" PRIu64 "\n", name, v);
}

static void print_store(const struct store_stats *s, struct buf *b)
{
    print_gauge(b, "pintle_store_objects", "Objects in the store.", (double)s->objects);
    print_head(b, "pintle_store_bytes", "gauge", "Bytes in use by environment.");
    buf_printf(b, "pintle_store_bytes{class=\"hard\"} %" PRIu64 "\n", s->bytes_hard);
    buf_printf(b, "pintle_store_bytes{class=\"soft\"} %" PRIu64 "\n", s->bytes_soft);
    print_counter(b, "pintle_store_commits_total", "Durable commits.", s->commits);
    print_counter(b, "pintle_store_mutations_total", "Mutations applied.", s->mutations);
    print_gauge(b, "pintle_store_batch_max", "Largest number of transactions in one commit.",
                (double)s->batch_max);
    print_gauge(b, "pintle_store_watchers", "Watches open on the store.", (double)s->watchers);
    print_counter(b, "pintle_store_watchers_dropped_total", "Watches ended because they were slow.",
                  s->dropped_watchers);
}

void metrics_print(struct metrics *m, const struct store_stats *store, struct buf *b)
{
    print_requests(m, b);
    print_head(b, "apiserver_current_inflight_requests", "gauge",
               "Requests being handled by kind.");
    buf_printf(b, "apiserver_current_inflight_requests{request_kind=\"readOnly\"} %" PRId64 "\n",
               atomic_load(&m->in_flight[0]));
    buf_printf(b, "apiserver_current_inflight_requests{request_kind=\"mutating\"} %" PRId64 "\n",
               atomic_load(&m->in_flight[1]));
    print_gauge(b, "apiserver_registered_watchers", "Watches being served.",
                (double)atomic_load(&m->watchers));
    print_store(store, b);
    process_metrics_print(b, m->start_wall_ns);
}
