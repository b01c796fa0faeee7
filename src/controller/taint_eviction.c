/* Pods that do not tolerate a NoExecute taint of their node are deleted, at once or when the time
 * that they tolerate it is over. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/node_match.h"
#include "api/resource.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "controller/controller.h"
#include "controller/pod_state.h"

/* When the Pod must go because of this taint, in seconds since 1970; INT64_MAX: never. */
static int64_t due(const struct core_v1_pod *pod, const struct core_v1_taint *taint)
{
    int64_t least = INT64_MAX;
    bool is_tolerated = false;

    for (uint32_t i = 0; i < pod->spec.tolerations.len; i++) {
        const struct core_v1_toleration *t = &pod->spec.tolerations.items[i];

        if (!node_match_tolerates(t, taint))
            continue;
        is_tolerated = true;
        if (t->toleration_seconds)
            least = MIN(least, MAX(*t->toleration_seconds, (int64_t)0));
    }
    if (!is_tolerated)
        return 0;
    return least == INT64_MAX ? INT64_MAX : taint->time_added.sec + least;
}

static enum reconcile_result reconcile_pod(struct reconcile *r)
{
    const struct resource *row = resource_find(STR(""), STR("v1"), STR("pods"));
    const struct api_object *o = informer_get(controller_informer(r->manager, row), r->key), *node;
    const struct core_v1_pod *pod = o ? o->o.data : NULL;
    int64_t soonest = INT64_MAX;

    if (!o || o->meta->deletion_timestamp.set || !pod->spec.node_name.len || pod_is_finished(pod))
        return RECONCILE_DONE;
    node = informer_get(controller_informer_of(r->manager, "", "v1", "nodes"), pod->spec.node_name);
    for (uint32_t i = 0; node && i < API_OBJECT(node, struct core_v1_node)->spec.taints.len; i++) {
        const struct core_v1_taint *t =
            &API_OBJECT(node, struct core_v1_node)->spec.taints.items[i];

        if (str_eq(t->effect, STR("NoExecute")))
            soonest = MIN(soonest, due(pod, t));
    }
    if (soonest == INT64_MAX)
        return RECONCILE_DONE;
    if (soonest > r->now_s) {
        r->again_after_ms = (soonest - r->now_s) * 1000;
        return RECONCILE_DONE;
    }
    reconcile_event(r, o, "Normal", "TaintManagerEviction", "Marking for deletion Pod %.*s",
                    STR_ARG(r->key));
    reconcile_delete(r, row, r->namespace, r->name, o->meta->uid, STR_NULL);
    return RECONCILE_DONE;
}

/* A node's taints concern the Pods that are on it. */
static void map_node(struct controller_manager *m, const struct controller *c,
                     const struct api_object *old, const struct api_object *new)
{
    const struct informer *pods = controller_informer_of(m, "", "v1", "pods");
    const struct api_object *o;
    size_t cursor = 0;

    if (!new || (old && !API_OBJECT(old, struct core_v1_node)->spec.taints.len &&
                 !API_OBJECT(new, struct core_v1_node)->spec.taints.len))
        return;
    while ((o = informer_next(pods, &cursor)) != NULL)
        if (str_eq(API_OBJECT(o, struct core_v1_pod)->spec.node_name, new->meta->name))
            controller_enqueue(m, c, o->key);
}

static const struct controller_watch watches[] = {
    { "", "v1", "pods", controller_map_self },
    { "", "v1", "nodes", map_node },
    { 0 },
};

const struct controller taint_eviction_controller = {
    .name = "taint-eviction",
    .watches = watches,
    .reconcile = reconcile_pod,
};
