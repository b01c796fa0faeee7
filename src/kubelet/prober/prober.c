/* A container's three probes, each with its own timer and counts. Liveness and readiness wait for
 * startup's success; a container without a startup probe has started while it runs. */
#include "kubelet/prober/prober.h"

#include "api/core_v1.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "io/loop.h"
#include "io/tls.h"
#include "kubelet/prober/probe_action.h"

enum { KINDS = PROBE_READINESS + 1 };

static const char *const kind_names[KINDS] = { "Startup", "Liveness", "Readiness" };

struct probed;

struct probe_run {
    struct probed *owner; /* NULL: the container has no such probe */
    enum probe_kind kind;
    struct probe_plan plan;
    int plan_code; /* < 0: there is none, plan_error says why */
    struct err plan_error;
    int64_t period_ms, timeout_ms, initial_delay_ms;
    int32_t success_threshold, failure_threshold;
    struct loop_timer timer;
    struct probe_action *action;
    int32_t in_a_row; /* of the same result */
    bool last_ok, has_last;
    bool is_ok;     /* the result that counts */
    bool is_failed; /* liveness, startup: for good */
};

struct probed {
    struct prober *prober;
    struct arena arena;
    struct str pod_uid, container_id;
    int64_t started_at_ns;
    struct probe_run runs[KINDS];
};

struct prober {
    struct prober_options o;
    struct tls_context *tls; /* trusts everybody */
    struct map containers;   /* of struct probed by container id */
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

static void note(struct probe_run *r, const struct probe_action_result *res)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct prober *p = r->owner->prober;
    bool is_ok = res->code == 0 && !res->is_failure;

    if (res->code < 0)
        p->o.on_failure(r->owner->pod_uid, r->owner->container_id, r->kind,
                        arena_printf(&a, "%s probe errored and resulted in unknown state: %.*s",
                                     kind_names[r->kind], STR_ARG(res->output)),
                        p->o.arg);
    else if (!is_ok)
        p->o.on_failure(
            r->owner->pod_uid, r->owner->container_id, r->kind,
            arena_printf(&a, "%s probe failed: %.*s", kind_names[r->kind], STR_ARG(res->output)),
            p->o.arg);
    if (res->code < 0) /* could not be had: says nothing about the container */
        return;
    r->in_a_row = r->has_last && r->last_ok == is_ok ? r->in_a_row + 1 : 1;
    r->has_last = true;
    r->last_ok = is_ok;
    if (r->in_a_row >= (is_ok ? r->success_threshold : r->failure_threshold))
        set_result(r, is_ok);
}

static void on_done(const struct probe_action_result *res, void *arg)
{
    struct probe_run *r = arg;
    struct prober *p = r->owner->prober;
    struct str id = r->owner->container_id;

    r->action = NULL;
    note(r, res);
    /* The callback may have removed the container. */
    if (map_get(&p->containers, id) != r->owner || r->is_failed)
        return;
    if (r->kind == PROBE_STARTUP && r->is_ok)
        return;
    loop_timer_start(&r->timer, r->period_ms);
}

static void on_timer(struct loop_timer *t)
{
    struct probe_run *r = CONTAINER_OF(t, struct probe_run, timer);
    struct prober *p = r->owner->prober;

    if (is_waiting_for_startup(r)) {
        loop_timer_start(&r->timer, r->period_ms);
        return;
    }
    if (r->plan_code < 0) {
        on_done(&(struct probe_action_result){ .code = r->plan_code,
                                               .output = str_from_cstr(r->plan_error.text) },
                r);
        return;
    }
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

static int32_t at_least_one(int32_t n)
{
    return n > 0 ? n : 1;
}

/* The first run waits for what is left of the initial delay. */
static int64_t first_delay_ms(const struct probe_run *r)
{
    int64_t now_ns =
        loop_clock(r->owner->prober->o.loop)->wall_ns(loop_clock(r->owner->prober->o.loop));
    int64_t age_ms = (now_ns - r->owner->started_at_ns) / 1000000;

    return MAX(r->initial_delay_ms - MAX(age_ms, (int64_t)0), (int64_t)0);
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
    r->is_ok = kind == PROBE_LIVENESS;
    loop_timer_init(&r->timer, owner->prober->o.loop, on_timer);
    loop_timer_start(&r->timer, first_delay_ms(r));
}

static void run_stop(struct probe_run *r)
{
    if (!r->owner)
        return;
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
    d->started_at_ns = t->started_at_ns;
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

/* --- life --- */

struct prober *prober_new(const struct prober_options *o)
{
    struct prober *p = NEW(struct prober);
    struct err err;

    p->o = *o;
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
