/* A container's three probes, each with its own timer and counts. Liveness and readiness wait for
 * startup's success; a container without a startup probe has started while it runs. */
#include "kubelet/prober/prober.h"

#include "api/core_v1.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "io/loop.h"
#include "io/tls.h"
#include "kubelet/prober/probe_action.h"
#include "kubelet/stats/metrics_text.h"

enum {
    KINDS = PROBE_READINESS + 1,
    TRIES = 3, /* of what could not be had */
    BUCKETS = 11,
};

/* Upper bounds of upstream's histogram of durations, in ms. */
static const int64_t bounds_ms[BUCKETS] = { 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000 };

static const char *const kind_names[KINDS] = { "Startup", "Liveness", "Readiness" };

struct probed;

struct probe_run {
    struct probed *owner; /* NULL: the container has no such probe */
    enum probe_kind kind;
    struct probe_plan plan;
    int plan_code; /* < 0: there is none, plan_error says why */
    struct err plan_error;
    int64_t period_ms, timeout_ms, initial_delay_ms;
    int64_t began_ms; /* the last run */
    int tries;        /* of this run that could not be had */
    int32_t success_threshold, failure_threshold;
    struct loop_timer timer;
    struct probe_action *action;
    int32_t in_a_row; /* of the same result */
    bool has_run;
    bool last_ok, has_last;
    bool is_ok;     /* the result that counts */
    bool is_failed; /* liveness, startup: for good */
    bool is_stopped;
    /* for figures */
    uint64_t n_successful, n_failed, n_unknown, n_timed, buckets[BUCKETS];
    int64_t took_ms;
};

struct probed {
    struct prober *prober;
    struct arena arena;
    struct str pod_uid, container_id, namespace, pod_name, container_name;
    int64_t started_at_ns;
    bool is_old; /* it ran before the prober did */
    struct probe_run runs[KINDS];
};

struct prober {
    struct prober_options o;
    struct tls_context *tls; /* trusts everybody */
    struct map containers;   /* of struct probed by container id */
    int64_t began_ms;
};

/* --- one probe --- */

static bool is_waiting_for_startup(const struct probe_run *r)
{
    const struct probe_run *s = &r->owner->runs[PROBE_STARTUP];

    return r->kind != PROBE_STARTUP && s->owner && !s->is_ok;
}

static void set_result(struct probe_run *r, bool is_ok)
{
    struct prober *p = r->owner->prober;

    if (r->is_ok == is_ok && !(r->kind != PROBE_READINESS && !is_ok))
        return;
    r->is_ok = is_ok;
    r->is_failed = !is_ok && r->kind != PROBE_READINESS;
    p->o.on_result(r->owner->pod_uid, r->owner->container_id, r->kind, is_ok, p->o.arg);
}

static void tell(const struct probe_run *r, const struct probe_action_result *res)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct prober *p = r->owner->prober;
    const char *how = res->code < 0 && res->is_failure ? "errored and resulted in failure state"
                      : res->code < 0                  ? "errored and resulted in unknown state"
                      : res->is_failure                ? "failed"
                                                       : "warning";

    if (res->code == 0 && !res->is_failure && !res->is_warning)
        return;
    p->o.on_event(
        r->owner->pod_uid, r->owner->container_id, res->is_warning ? "ProbeWarning" : "Unhealthy",
        arena_printf(&a, "%s probe %s: %.*s", kind_names[r->kind], how, STR_ARG(res->output)),
        p->o.arg);
}

/* What could not be had says nothing about the container. Startup is asked once before its first
 * period is over, so that what is quick is seen at once; that it is not there yet is no failure. */
static void count(struct probe_run *r, const struct probe_action_result *res)
{
    bool is_ok = !res->is_failure, is_early = r->kind == PROBE_STARTUP && !r->has_run;

    r->has_run = true;
    if (res->code < 0 || (is_early && !is_ok))
        return;
    r->in_a_row = r->has_last && r->last_ok == is_ok ? r->in_a_row + 1 : 1;
    r->has_last = true;
    r->last_ok = is_ok;
    if (r->in_a_row >= (is_ok ? r->success_threshold : r->failure_threshold))
        set_result(r, is_ok);
}

/* A period from its beginning; at once when it took longer. */
static void run_again(struct probe_run *r)
{
    int64_t took_ms = loop_now_ms(r->owner->prober->o.loop) - r->began_ms;

    loop_timer_start(&r->timer, MAX(r->period_ms - took_ms, (int64_t)0));
}

static void run_now(struct probe_run *r);

/* Startup is over: readiness is asked at once, as the Pod waits for it. */
static void after_startup(struct probed *d)
{
    struct probe_run *ready = &d->runs[PROBE_READINESS];

    if (ready->owner && !ready->action)
        loop_timer_start(&ready->timer, 0);
}

/* As upstream, what failed is counted and not timed. */
static void note(struct probe_run *r, const struct probe_action_result *res)
{
    int64_t ms = loop_now_ms(r->owner->prober->o.loop) - r->began_ms;

    if (res->code == 0 && res->is_failure) {
        r->n_failed++;
        return;
    }
    *(res->code < 0 ? &r->n_unknown : &r->n_successful) += 1;
    r->n_timed++;
    r->took_ms += ms;
    for (size_t i = 0; i < BUCKETS; i++)
        r->buckets[i] += ms <= bounds_ms[i];
}

/* Callbacks may remove the container. */
static void on_done(const struct probe_action_result *res, void *arg)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct probe_run *r = arg;
    struct probed *d = r->owner;
    struct prober *p = d->prober;
    struct str id = str_dup(&a, d->container_id);

    r->action = NULL;
    if (res->code < 0 && r->plan_code == 0 && ++r->tries < TRIES) {
        run_now(r);
        return;
    }
    r->tries = 0;
    note(r, res);
    tell(r, res);
    if (map_get(&p->containers, id) == d)
        count(r, res);
    if (map_get(&p->containers, id) != d || r->is_failed || r->is_stopped)
        return;
    if (r->kind == PROBE_STARTUP && r->is_ok)
        after_startup(d);
    else
        run_again(r);
}

static void run_now(struct probe_run *r)
{
    struct prober *p = r->owner->prober;

    r->action =
        probe_action_start(&(struct probe_action_options){ .loop = p->o.loop,
                                                           .runtime = p->o.runtime,
                                                           .tls = p->tls,
                                                           .container_id = r->owner->container_id,
                                                           .plan = &r->plan,
                                                           .timeout_ms = r->timeout_ms,
                                                           .done = on_done,
                                                           .arg = r });
}

static void on_timer(struct loop_timer *t)
{
    struct probe_run *r = CONTAINER_OF(t, struct probe_run, timer);

    r->began_ms = loop_now_ms(r->owner->prober->o.loop);
    if (is_waiting_for_startup(r))
        run_again(r);
    else if (r->plan_code < 0)
        on_done(&(struct probe_action_result){ .code = r->plan_code,
                                               .output = str_from_cstr(r->plan_error.text) },
                r);
    else
        run_now(r);
}

static int32_t at_least_one(int32_t n)
{
    return n > 0 ? n : 1;
}

static int64_t age_ms(const struct probed *d)
{
    const struct clock *c = loop_clock(d->prober->o.loop);

    return MAX((c->wall_ns(c) - d->started_at_ns) / 1000000, (int64_t)0);
}

/* What is left of the initial delay; liveness begins with its period, as upstream's ticks do. While
 * the kubelet itself is young, many containers come at once: each waits for a part of its period.
 */
static int64_t first_delay_ms(const struct probe_run *r)
{
    struct prober *p = r->owner->prober;
    int64_t delay_ms =
        r->kind == PROBE_LIVENESS ? MAX(r->initial_delay_ms, r->period_ms) : r->initial_delay_ms;
    int64_t left_ms = MAX(delay_ms - age_ms(r->owner), (int64_t)0);

    if (r->owner->is_old && loop_now_ms(p->o.loop) - p->began_ms < r->period_ms)
        left_ms = MAX(left_ms, (int64_t)(random_u64() % (uint64_t)r->period_ms));
    return left_ms;
}

/* The container ran before this kubelet did, and the Pod's status knows it. */
static bool was_ok(const struct prober_target *t, enum probe_kind kind)
{
    const struct core_v1_pod_status *s = &t->pod->status;
    uint32_t n = s->container_statuses.len + s->init_container_statuses.len;

    for (uint32_t i = 0; i < n; i++) {
        const struct core_v1_container_status *c =
            i < s->container_statuses.len
                ? &s->container_statuses.items[i]
                : &s->init_container_statuses.items[i - s->container_statuses.len];

        if (str_has_suffix(c->container_id, t->container_id))
            return kind == PROBE_READINESS ? c->ready : c->started && *c->started;
    }
    return false;
}

static void run_init(struct probe_run *r, struct probed *owner, enum probe_kind kind,
                     const struct prober_target *t, const struct core_v1_probe *p)
{
    if (!p)
        return;
    r->owner = owner;
    r->kind = kind;
    r->plan_code = probe_plan_of_probe(&owner->arena, t, &p->handler, &r->plan, &r->plan_error);
    r->period_ms = at_least_one(p->period_seconds ? p->period_seconds : 10) * 1000LL;
    r->timeout_ms = at_least_one(p->timeout_seconds) * 1000LL;
    r->initial_delay_ms = p->initial_delay_seconds * 1000LL;
    r->success_threshold = at_least_one(p->success_threshold);
    r->failure_threshold = p->failure_threshold > 0 ? p->failure_threshold : 3;
    r->is_ok = kind == PROBE_LIVENESS || (owner->is_old && was_ok(t, kind));
    loop_timer_init(&r->timer, owner->prober->o.loop, on_timer);
    if (kind != PROBE_STARTUP || !r->is_ok)
        loop_timer_start(&r->timer, first_delay_ms(r));
}

static void run_stop(struct probe_run *r)
{
    if (!r->owner)
        return;
    r->is_stopped = true;
    loop_timer_stop(&r->timer);
    probe_action_cancel(TAKE(r->action));
}

/* --- containers --- */

void prober_add(struct prober *p, const struct prober_target *t)
{
    const struct core_v1_container *c = t->container;
    struct probed *d;

    if (map_has(&p->containers, t->container_id) ||
        (!c->startup_probe && !c->liveness_probe && !c->readiness_probe))
        return;
    d = NEW(struct probed);
    d->prober = p;
    d->pod_uid = str_dup(&d->arena, t->pod_uid);
    d->container_id = str_dup(&d->arena, t->container_id);
    d->namespace = str_dup(&d->arena, t->pod->metadata.namespace);
    d->pod_name = str_dup(&d->arena, t->pod->metadata.name);
    d->container_name = str_dup(&d->arena, c->name);
    d->started_at_ns = t->started_at_ns;
    d->is_old = age_ms(d) > loop_now_ms(p->o.loop) - p->began_ms;
    (void)map_put(&p->containers, t->container_id, d);
    run_init(&d->runs[PROBE_STARTUP], d, PROBE_STARTUP, t, c->startup_probe);
    run_init(&d->runs[PROBE_LIVENESS], d, PROBE_LIVENESS, t, c->liveness_probe);
    run_init(&d->runs[PROBE_READINESS], d, PROBE_READINESS, t, c->readiness_probe);
}

static void probed_free(struct probed *d)
{
    for (int k = 0; k < KINDS; k++)
        run_stop(&d->runs[k]);
    arena_done(&d->arena);
    mem_free(d);
}

void prober_remove(struct prober *p, struct str container_id)
{
    struct probed *d = map_remove(&p->containers, container_id);

    if (d)
        probed_free(d);
}

void prober_stop_liveness(struct prober *p, struct str container_id)
{
    struct probed *d = map_get(&p->containers, container_id);

    if (!d)
        return;
    run_stop(&d->runs[PROBE_STARTUP]);
    run_stop(&d->runs[PROBE_LIVENESS]);
}

static const struct probe_run *find(const struct prober *p, struct str id, enum probe_kind kind)
{
    const struct probed *d = map_get(&p->containers, id);

    return d && d->runs[kind].owner ? &d->runs[kind] : NULL;
}

bool prober_is_started(const struct prober *p, struct str container_id)
{
    const struct probe_run *r = find(p, container_id, PROBE_STARTUP);

    return !r || r->is_ok;
}

bool prober_is_ready(const struct prober *p, struct str container_id)
{
    const struct probe_run *r = find(p, container_id, PROBE_READINESS);

    return prober_is_started(p, container_id) && (!r || r->is_ok);
}

bool prober_is_failed(const struct prober *p, struct str container_id)
{
    const struct probe_run *l = find(p, container_id, PROBE_LIVENESS),
                           *s = find(p, container_id, PROBE_STARTUP);

    return (l && l->is_failed) || (s && s->is_failed);
}

/* --- hooks --- */

struct probe_action *prober_run_handler(struct prober *p, const struct prober_target *t,
                                        const struct core_v1_lifecycle_handler *h,
                                        int64_t timeout_ms, probe_action_done_fn *done, void *arg)
{
    struct arena a = { 0 }; /* the action's in the end */
    struct probe_plan *plan = ARENA_NEW(&a, struct probe_plan);
    struct err err;

    if (probe_plan_of_hook(&a, t, h, plan, &err) < 0)
        *plan = (struct probe_plan){ .kind = PROBE_ACTION_NONE,
                                     .path = arena_printf(&a, "%s", err.text) };
    return probe_action_start(&(struct probe_action_options){ .loop = p->o.loop,
                                                              .runtime = p->o.runtime,
                                                              .tls = p->tls,
                                                              .container_id = t->container_id,
                                                              .plan = plan,
                                                              .plan_arena = &a,
                                                              .timeout_ms = timeout_ms,
                                                              .done = done,
                                                              .arg = arg });
}

/* --- figures --- */

static void print_run(struct buf *b, const struct probed *d, int kind, bool is_total)
{
    const struct probe_run *r = &d->runs[kind];
    const struct metrics_label labels[] = {
        { "container", d->container_name },
        { "namespace", d->namespace },
        { "pod", d->pod_name },
        { "pod_uid", d->pod_uid },
        { "probe_type", str_from_cstr(kind_names[kind]) },
    };
    const struct {
        const char *name;
        uint64_t n;
    } results[] = { { "failed", r->n_failed },
                    { "successful", r->n_successful },
                    { "unknown", r->n_unknown } };
    struct metrics_label more[ARRAY_LEN(labels) + 1];
    size_t n = ARRAY_LEN(labels);

    memcpy(more, labels, sizeof(labels));
    for (size_t i = 0; is_total && i < ARRAY_LEN(results); i++) {
        more[n] = (struct metrics_label){ "result", str_from_cstr(results[i].name) };
        if (results[i].n)
            metrics_text_sample(b, "prober_probe_total", more, n + 1, (double)results[i].n, 0);
    }
    if (is_total || !r->n_timed)
        return;
    more[3] = labels[4]; /* without the uid */
    for (size_t i = 0; i <= BUCKETS; i++) {
        char bound[32] = "+Inf";

        if (i < BUCKETS)
            (void)snprintf(bound, sizeof(bound), "%g", (double)bounds_ms[i] / 1000);
        more[4] = (struct metrics_label){ "le", str_from_cstr(bound) };
        metrics_text_sample(b, "prober_probe_duration_seconds_bucket", more, 5,
                            (double)(i < BUCKETS ? r->buckets[i] : r->n_timed), 0);
    }
    metrics_text_sample(b, "prober_probe_duration_seconds_sum", more, 4, (double)r->took_ms / 1000,
                        0);
    metrics_text_sample(b, "prober_probe_duration_seconds_count", more, 4, (double)r->n_timed, 0);
}

void prober_print_metrics(const struct prober *p, struct buf *b)
{
    metrics_text_family(b, "prober_probe_total", "counter", "Probes by what they came to");
    MAP_FOREACH(it, &p->containers)
        for (int k = 0; k < KINDS; k++)
            print_run(b, it->value, k, true);
    metrics_text_family(b, "prober_probe_duration_seconds", "histogram", "Time of probes");
    MAP_FOREACH(it, &p->containers)
        for (int k = 0; k < KINDS; k++)
            print_run(b, it->value, k, false);
}

/* --- life --- */

struct prober *prober_new(const struct prober_options *o)
{
    struct prober *p = NEW(struct prober);
    struct err err;

    p->o = *o;
    p->began_ms = loop_now_ms(o->loop);
    /* Without it HTTPS probes fail, which the probe then says. */
    (void)tls_context_new(&(struct tls_options){ .is_client = true, .trusts_all = true }, &p->tls,
                          &err);
    return p;
}

void prober_free(struct prober *p)
{
    if (!p)
        return;
    MAP_FOREACH(it, &p->containers)
        probed_free(it->value);
    map_done(&p->containers);
    tls_context_free(p->tls);
    mem_free(p);
}
