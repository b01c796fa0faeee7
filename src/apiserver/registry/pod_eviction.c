/* pods/NAME/eviction: a deletion that asks the Pod's disruption budget first. What the budget
 * allows is counted down in the transaction that deletes, so that two evictions never share one
 * allowance. */
#include "api/core_v1.h"
#include "api/label_selector.h"
#include "api/meta_v1.h"
#include "api/policy_v1.h"
#include "api/resource.h"
#include "api/text_map.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/body_decode.h"
#include "apiserver/registry/delete_core.h"
#include "apiserver/registry/pod_condition.h"
#include "apiserver/registry/registry.h"
#include "apiserver/registry/stored_read.h"
#include "apiserver/registry/subresources.h"
#include "apiserver/registry/system_fields.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"

enum { MAX_DISRUPTED = 2000, RETRY_SECONDS = 10 };

struct budgets {
    struct arena *arena;
    const struct core_v1_pod *pod;
    struct object found;
    size_t n;
};

static bool pod_label(void *arg, struct str key, struct str *ret_value)
{
    const struct core_v1_pod *pod = arg;
    const struct schema_str_entry *e = text_map_find(&pod->metadata.labels, key);

    if (e)
        *ret_value = e->value;
    return e;
}

static int match_budget(struct object o, void *arg)
{
    struct budgets *b = arg;
    const struct policy_v1_pod_disruption_budget *pdb = o.data;
    struct core_v1_pod pod = *b->pod;
    struct label_selector selector;
    struct err ignored; /* a selector that does not parse matches nothing */

    if (label_selector_from_meta(b->arena, pdb->spec.selector, &selector, &ignored) < 0 ||
        !label_selector_match(&selector, pod_label, &pod))
        return 0;
    b->found = o;
    b->n++;
    return 0;
}

static bool is_ready(const struct core_v1_pod *pod)
{
    const struct core_v1_pod_condition *c = pod_condition_find(pod, STR("Ready"));

    return c && str_eq(c->status, STR("True"));
}

/* A Pod that is not up costs its budget nothing. */
static bool is_free(const struct core_v1_pod *pod)
{
    struct str phase = pod->status.phase;

    return str_eq(phase, STR("Succeeded")) || str_eq(phase, STR("Failed")) ||
           str_eq(phase, STR("Pending")) || pod->metadata.deletion_timestamp.set;
}

static struct status too_many(struct api_request *r, struct str cause_message, int retry_s)
{
    struct status s =
        status_plain(r->arena, STATUS_TOO_MANY_REQUESTS,
                     "Cannot evict pod as it would violate the pod's disruption budget.");
    struct status_cause *cause = ARENA_NEW(r->arena, struct status_cause);

    *cause = (struct status_cause){ .type = STR("DisruptionBudget"), .message = cause_message };
    s.causes = cause;
    s.n_causes = 1;
    s.retry_after_s = retry_s;
    return s;
}

/* May one more of the budget's Pods go? The budget as it is after that is left in it. */
static bool take_one(struct write *w, struct policy_v1_pod_disruption_budget *pdb)
{
    struct api_request *r = w->r;
    struct arena *a = r->arena;
    struct str name = pdb->metadata.name;
    struct schema_time_entry *entries;
    uint32_t n = pdb->status.disrupted_pods.len, at = 0;

    if (pdb->status.observed_generation < pdb->metadata.generation) {
        w->refused =
            too_many(r,
                     arena_printf(a,
                                  "The disruption budget %.*s is still being processed by the "
                                  "server.",
                                  STR_ARG(name)),
                     RETRY_SECONDS);
        return false;
    }
    if (pdb->status.disruptions_allowed < 0 || n > MAX_DISRUPTED) {
        w->refused = status_forbidden(
            a, (struct group_resource){ STR("policy"), STR("poddisruptionbudgets") }, name, "%s",
            n > MAX_DISRUPTED ? "DisruptedPods map too big - too many evictions not confirmed by "
                                "PDB controller"
                              : "pdb disruptions allowed is negative");
        return false;
    }
    if (pdb->status.disruptions_allowed == 0) {
        w->refused = too_many(
            r,
            arena_printf(a, "The disruption budget %.*s needs %d healthy pods and has %d currently",
                         STR_ARG(name), pdb->status.desired_healthy, pdb->status.current_healthy),
            0);
        return false;
    }
    pdb->status.disruptions_allowed--;
    entries = ARENA_NEW_ARRAY(a, struct schema_time_entry, n + 1);
    while (at < n && str_cmp(pdb->status.disrupted_pods.items[at].key, w->name) < 0) {
        entries[at] = pdb->status.disrupted_pods.items[at];
        at++;
    }
    entries[at].key = w->name;
    entries[at].value = (struct ktime){ .sec = clock_wall_s(r->server->clock), .set = true };
    for (uint32_t i = at; i < n; i++) {
        if (str_eq(pdb->status.disrupted_pods.items[i].key, w->name))
            continue;
        entries[++at] = pdb->status.disrupted_pods.items[i];
    }
    pdb->status.disrupted_pods.items = entries;
    pdb->status.disrupted_pods.len = at + 1;
    return true;
}

/* Does the budget need asking for a Pod that is not Ready? */
static bool spares_unready(const struct policy_v1_pod_disruption_budget *pdb)
{
    if (str_eq(pdb->spec.unhealthy_pod_eviction_policy, STR("AlwaysAllow")))
        return true;
    return pdb->status.current_healthy >= pdb->status.desired_healthy &&
           pdb->status.desired_healthy > 0;
}

static bool ask_budget(struct write *w)
{
    struct api_request *r = w->r;
    const struct resource *row = stored_read_row(STR("policy"), STR("poddisruptionbudgets"));
    const struct stored_reader reader = { &r->server->registry, w->snapshot, r->arena };
    struct budgets b = { .arena = r->arena, .pod = w->current.data };
    struct policy_v1_pod_disruption_budget *pdb;
    struct err err;
    int rc = stored_read_each(&reader, row, w->namespace, match_budget, &b, &err);

    if (rc >= 0 && b.n > 1) {
        w->refused =
            status_internal(r->arena, "This pod has more than one PodDisruptionBudget, which the "
                                      "eviction subresource does not support.");
        w->refused.message = STR("This pod has more than one PodDisruptionBudget, which the "
                                 "eviction subresource does not support.");
        return false;
    }
    if (rc >= 0 && b.n) {
        pdb = b.found.data;
        if (!is_ready(b.pod) && spares_unready(pdb))
            return true;
        if (!take_one(w, pdb))
            return false;
        rc = stored_read_put(&reader, row, b.found, write_add(w), &err);
    }
    if (rc < 0)
        w->refused = status_of_store(r->arena, rc, &err);
    return rc >= 0;
}

static enum write_decision evict_decide(struct write *w)
{
    enum write_decision d;

    if (!is_free(w->current.data) && !ask_budget(w))
        return WRITE_REFUSED;
    d = delete_core(w, w->arg);
    if (d == WRITE_PUT)
        pod_condition_set(
            w->r->arena, w->updated.data,
            &(struct core_v1_pod_condition){
                .type = STR("DisruptionTarget"),
                .status = STR("True"),
                .last_transition_time = { .sec = clock_wall_s(w->r->server->clock), .set = true },
                .reason = STR("EvictionByEvictionAPI"),
                .message = STR("Eviction API: evicting"),
            });
    return d;
}

static void evict_done(struct write *w)
{
    struct status ok = { .reason = STATUS_SUCCESS };

    if (w->decision == WRITE_REFUSED)
        api_respond_status(w->r, &w->refused);
    else
        api_respond_status_code(w->r, 201, &ok);
}

void pod_eviction_create(struct api_request *r)
{
    struct write *w = ARENA_NEW(r->arena, struct write);
    struct meta_v1_delete_options *opts = ARENA_NEW(r->arena, struct meta_v1_delete_options);
    struct policy_v1_eviction *eviction;
    struct object body;
    struct status s;

    if (!body_check_options(r, "CreateOptions", &s) || !body_decode(r, &body, &s) ||
        !system_fields_check_namespace(r, object_meta(body), &s)) {
        api_respond_status(r, &s);
        return;
    }
    eviction = body.data;
    if (eviction->metadata.name.len && !str_eq(eviction->metadata.name, r->info.name)) {
        s = status_plain(r->arena, STATUS_BAD_REQUEST,
                         "name in URL does not match name in Eviction object");
        api_respond_status(r, &s);
        return;
    }
    if (eviction->delete_options)
        *opts = *eviction->delete_options;
    for (uint32_t i = 0; i < opts->dry_run.len; i++)
        r->dry_run |= str_eq(opts->dry_run.items[i], STR("All"));
    *w = (struct write){
        .r = r,
        .namespace = r->info.namespace,
        .name = r->info.name,
        .decide = evict_decide,
        .done = evict_done,
        .arg = opts,
    };
    write_run(w);
}
