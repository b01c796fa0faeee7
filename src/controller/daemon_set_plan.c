/* What a DaemonSet makes and removes next, and what its status says. Nothing here talks to anybody.
 */
#include "base/arena.h"
#include "controller/daemon_set_internal.h"
#include "controller/pod_backoff.h"
#include "controller/pod_state.h"

static bool is_leaving(const struct api_object *pod)
{
    return pod->meta->deletion_timestamp.set;
}

static bool is_available(const struct daemon_run *d, const struct api_object *pod)
{
    return pod_is_available(pod->o.data, d->set->spec.min_ready_seconds, d->now_s, NULL);
}

static void create_on(struct daemon_run *d, const struct daemon_node *n)
{
    d->create[d->n_create++] = n;
}

static void remove_pod(struct daemon_run *d, const struct daemon_node *n,
                       const struct api_object *pod, enum daemon_why why)
{
    d->remove[d->n_remove++] = (struct daemon_removal){ pod, n, why };
}

static void again_after(struct daemon_run *d, int64_t ms)
{
    if (!d->again_after_ms || ms < d->again_after_ms)
        d->again_after_ms = ms;
}

/* --- a node's Pods --- */

/* The kubelet may refuse a Pod as fast as we make it. */
static void remove_failed(struct daemon_run *d, const struct daemon_node *n,
                          const struct api_object *pod)
{
    struct str key = arena_printf(d->arena, "%.*s/%lld/%.*s", STR_ARG(d->object->meta->uid),
                                  (long long)d->set->status.observed_generation, STR_ARG(n->name));
    int64_t wait = pod_backoff_wait(d->backoff, key, d->now_ms);

    if (wait) {
        again_after(d, wait);
        return;
    }
    pod_backoff_attempt(d->backoff, key, d->now_ms);
    remove_pod(d, n, pod, DAEMON_FAILED);
}

/* Two Pods are right while the old one is ready and the new one is not available. */
static void prune_surge(struct daemon_run *d, const struct daemon_node *n,
                        const struct api_object *const *pods, size_t n_pods)
{
    const struct api_object *new = NULL, *old = NULL;

    for (size_t i = 0; i < n_pods; i++) {
        bool is_new = daemon_pod_is_updated(d, pods[i]);

        if (is_new && !new)
            new = pods[i];
        else if (!is_new && !old)
            old = pods[i];
        else
            remove_pod(d, n, pods[i], DAEMON_UNWANTED);
    }
    if (new &&old && (!pod_is_ready(old->o.data) || is_available(d, new)))
        remove_pod(d, n, old, DAEMON_UNWANTED);
}

static void keep_one(struct daemon_run *d, const struct daemon_node *n)
{
    const struct api_object **running =
        ARENA_NEW_ARRAY(d->arena, const struct api_object *, n->n_pods + 1);
    bool surges = daemon_allows_surge(d->set);
    size_t n_running = 0;

    for (size_t i = 0; i < n->n_pods; i++) {
        const struct core_v1_pod *pod = n->pods[i]->o.data;

        if (is_leaving(n->pods[i]))
            continue;
        if (str_eq(pod->status.phase, STR("Failed")))
            remove_failed(d, n, n->pods[i]);
        else if (str_eq(pod->status.phase, STR("Succeeded")))
            remove_pod(d, n, n->pods[i], DAEMON_SUCCEEDED);
        else
            running[n_running++] = n->pods[i];
    }
    if (n_running > 1 && surges)
        prune_surge(d, n, running, n_running);
    for (size_t i = 1; i < n_running && !surges; i++)
        remove_pod(d, n, running[i], DAEMON_UNWANTED);
    if (!n_running && surges && n->should_run)
        create_on(d, n); /* beside what is on its way out */
}

static void manage(struct daemon_run *d, const struct daemon_node *n)
{
    if (n->should_run && !n->n_pods) {
        create_on(d, n);
    } else if (n->may_stay) {
        keep_one(d, n);
    } else {
        /* Where there is no node, what runs on it is the Pod collection's; what was never put
         * there is nobody's but ours. */
        for (size_t i = 0; i < n->n_pods; i++)
            if (!is_leaving(n->pods[i]) &&
                (n->object || !API_OBJECT(n->pods[i], struct core_v1_pod)->spec.node_name.len))
                remove_pod(d, n, n->pods[i], DAEMON_UNWANTED);
    }
}

/* --- a rolling update --- */

struct rolling {
    int32_t surge, unavailable; /* allowed */
    int32_t desired;
};

struct pair {
    const struct api_object *old, *new;
    bool is_crowded; /* several of a kind: not for us */
};

static struct pair pair_on(const struct daemon_run *d, const struct daemon_node *n)
{
    struct pair p = { 0 };

    for (size_t i = 0; i < n->n_pods; i++) {
        const struct api_object **of = daemon_pod_is_updated(d, n->pods[i]) ? &p.new : &p.old;

        if (is_leaving(n->pods[i]))
            continue;
        p.is_crowded |= *of != NULL;
        *of = n->pods[i];
    }
    return p;
}

static struct rolling limits(const struct daemon_run *d)
{
    const struct apps_v1_rolling_update_daemon_set *u = d->set->spec.update_strategy.rolling_update;
    struct rolling r = { 0 };

    for (size_t i = 0; i < d->n_nodes; i++)
        r.desired += d->nodes[i].should_run;
    if (u) {
        r.surge = pod_share(&u->max_surge, r.desired, true);
        r.unavailable = pod_share(&u->max_unavailable, r.desired, true);
    }
    if (!r.surge && !r.unavailable)
        r.unavailable = 1; /* something must move */
    return r;
}

static bool takes_part(const struct daemon_node *n)
{
    return n->should_run || n->n_pods;
}

/* Old Pods go first, and manage() makes the new ones: those that are no use go at once, others as
 * long as few enough are missing. */
static void replace(struct daemon_run *d, const struct rolling *r)
{
    const struct daemon_node **candidates =
        ARENA_NEW_ARRAY(d->arena, const struct daemon_node *, d->n_nodes + 1);
    int32_t unavailable = 0;
    size_t n_candidates = 0;

    for (size_t i = 0; i < d->n_nodes; i++) {
        const struct daemon_node *n = &d->nodes[i];
        struct pair p = pair_on(d, n);

        if (!takes_part(n))
            continue;
        if (p.is_crowded || !p.old == !p.new) {
            unavailable++;
        } else if (p.new) {
            unavailable += !is_available(d, p.new);
        } else if (is_available(d, p.old)) {
            candidates[n_candidates++] = n;
        } else {
            unavailable++;
            remove_pod(d, n, p.old, DAEMON_UNWANTED);
        }
    }
    for (size_t i = 0; i < n_candidates && unavailable < r->unavailable; i++, unavailable++)
        remove_pod(d, candidates[i], pair_on(d, candidates[i]).old, DAEMON_UNWANTED);
}

struct surge {
    const struct daemon_node **candidates; /* for a second Pod */
    size_t n_candidates;
    const struct daemon_node **left; /* still served, where nothing should run any more */
    size_t n_left;
    int32_t surging, available;
};

static void surge_on(struct daemon_run *d, const struct daemon_node *n, struct surge *s)
{
    struct pair p = pair_on(d, n);

    if (p.is_crowded) {
        s->surging++;
        return;
    }
    if (p.old || p.new)
        s->available += is_available(d, p.old ? p.old : p.new);
    if (!p.old)
        return;
    if (p.new &&is_available(d, p.new)) {
        remove_pod(d, n, p.old, DAEMON_UNWANTED);
    } else if (p.new) {
        s->surging++;
    } else if (!is_available(d, p.old)) {
        if (n->should_run)
            create_on(d, n);
        else
            remove_pod(d, n, p.old, DAEMON_UNWANTED);
    } else if (n->should_run) {
        s->candidates[s->n_candidates++] = n;
    } else {
        s->left[s->n_left++] = n;
    }
}

/* New Pods come first: at once where the old one is no use, elsewhere as many as may be too many.
 */
static void surge(struct daemon_run *d, const struct rolling *r)
{
    struct surge s = { 0 };

    s.candidates = ARENA_NEW_ARRAY(d->arena, const struct daemon_node *, d->n_nodes + 1);
    s.left = ARENA_NEW_ARRAY(d->arena, const struct daemon_node *, d->n_nodes + 1);
    for (size_t i = 0; i < d->n_nodes; i++)
        if (takes_part(&d->nodes[i]))
            surge_on(d, &d->nodes[i], &s);
    for (size_t i = 0; i < s.n_candidates && s.surging < r->surge; i++, s.surging++)
        create_on(d, s.candidates[i]);
    /* Nodes that are left are left when the others serve. */
    for (size_t i = 0; i < s.n_left && s.available > r->desired; i++, s.available--)
        remove_pod(d, s.left[i], pair_on(d, s.left[i]).old, DAEMON_UNWANTED);
}

void daemon_plan(struct daemon_run *d)
{
    struct rolling r;

    for (size_t i = 0; i < d->n_nodes; i++)
        manage(d, &d->nodes[i]);
    if (d->n_create || d->n_remove ||
        !str_eq(d->set->spec.update_strategy.type, STR("RollingUpdate")))
        return;
    r = limits(d);
    if (r.surge)
        surge(d, &r);
    else
        replace(d, &r);
}

/* --- status --- */

void daemon_status(const struct daemon_run *d, struct apps_v1_daemon_set_status *ret,
                   int64_t *ret_wait_s)
{
    struct apps_v1_daemon_set_status s = *ret;
    int64_t wait;

    s.desired_number_scheduled = s.current_number_scheduled = s.number_misscheduled = 0;
    s.number_ready = s.number_available = s.updated_number_scheduled = 0;
    *ret_wait_s = 0;
    for (size_t i = 0; i < d->n_nodes; i++) {
        const struct daemon_node *n = &d->nodes[i];

        s.number_misscheduled += n->object && !n->should_run && n->n_pods;
        s.desired_number_scheduled += n->should_run;
        for (size_t p = 0; p < n->n_pods; p++) {
            bool counts = n->should_run && p == 0;

            s.number_available +=
                pod_is_available(n->pods[p]->o.data, d->set->spec.min_ready_seconds, d->now_s,
                                 &wait) &&
                counts;
            s.current_number_scheduled += counts;
            s.number_ready += counts && pod_is_ready(n->pods[p]->o.data);
            s.updated_number_scheduled += counts && daemon_pod_is_updated(d, n->pods[p]);
            if (wait && (!*ret_wait_s || wait < *ret_wait_s))
                *ret_wait_s = wait;
        }
    }
    s.number_unavailable = s.desired_number_scheduled - s.number_available;
    s.observed_generation = d->object->meta->generation;
    *ret = s;
}
