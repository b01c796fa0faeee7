/* The small plugins on Pods: tolerations of nodes that are away, and priority. */
#include "apiserver/admission/pod_admission.h"

#include <stdarg.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/scheduling_v1.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/stored_read.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"

enum { AWAY_SECONDS = 300 };

struct core_v1_pod *pod_admission_of(const struct admission_call *call, bool also_updates)
{
    const struct api_request *r = call->request;

    if (r->subresource || r->resource->group.len || !str_eq(r->resource->name, STR("pods")))
        return NULL;
    if (call->operation == ADMISSION_CREATE ||
        (also_updates && call->operation == ADMISSION_UPDATE))
        return call->object.data;
    return NULL;
}

bool pod_admission_refuse(const struct admission_call *call, struct status *ret, const char *fmt,
                          ...)
{
    struct arena *a = call->request->arena;
    struct str why;
    va_list ap;

    va_start(ap, fmt);
    why = arena_vprintf(a, fmt, ap);
    va_end(ap);
    *ret = status_forbidden(a, (struct group_resource){ STR(""), STR("pods") }, call->name, "%.*s",
                            STR_ARG(why));
    return false;
}

/* --- DefaultTolerationSeconds --- */

static bool tolerates(const struct core_v1_pod *pod, struct str key)
{
    for (uint32_t i = 0; i < pod->spec.tolerations.len; i++) {
        const struct core_v1_toleration *t = &pod->spec.tolerations.items[i];

        if ((!t->key.len || str_eq(t->key, key)) &&
            (!t->effect.len || str_eq(t->effect, STR("NoExecute"))))
            return true;
    }
    return false;
}

static void add_toleration(struct arena *a, struct core_v1_pod *pod, struct str key)
{
    uint32_t n = pod->spec.tolerations.len;
    struct core_v1_toleration *items = ARENA_NEW_ARRAY(a, struct core_v1_toleration, n + 1);
    int64_t *seconds = ARENA_NEW(a, int64_t);

    if (n)
        memcpy(items, pod->spec.tolerations.items, n * sizeof(*items));
    *seconds = AWAY_SECONDS;
    items[n] = (struct core_v1_toleration){ .key = key,
                                            .operator= STR("Exists"),
                                            .effect = STR("NoExecute"),
                                            .toleration_seconds = seconds };
    pod->spec.tolerations.items = items;
    pod->spec.tolerations.len = n + 1;
}

static bool toleration_mutate(const struct admission_call *call, struct status *ret)
{
    static const struct str keys[] = { STR_INIT("node.kubernetes.io/not-ready"),
                                       STR_INIT("node.kubernetes.io/unreachable") };
    struct core_v1_pod *pod = pod_admission_of(call, true);
    bool tolerated[ARRAY_LEN(keys)];

    (void)ret;
    for (size_t i = 0; pod && i < ARRAY_LEN(keys); i++)
        tolerated[i] = tolerates(pod, keys[i]);
    for (size_t i = 0; pod && i < ARRAY_LEN(keys); i++)
        if (!tolerated[i])
            add_toleration(call->request->arena, pod, keys[i]);
    return true;
}

const struct admission_plugin default_toleration_plugin = {
    .name = "DefaultTolerationSeconds",
    .mutate = toleration_mutate,
};

/* --- Priority --- */

struct default_class {
    const struct scheduling_v1_priority_class *found; /* the lowest of the default ones */
};

static int look_for_default(struct object o, void *arg)
{
    struct default_class *d = arg;
    const struct scheduling_v1_priority_class *c = o.data;

    if (c->global_default && (!d->found || c->value < d->found->value))
        d->found = c;
    return 0;
}

/* False: refused. *ret_class NULL: none is named and none is the default. */
static bool find_class(const struct admission_call *call, struct str name,
                       const struct scheduling_v1_priority_class **ret_class, struct status *ret)
{
    struct api_request *r = call->request;
    const struct resource *row = stored_read_row(STR("scheduling.k8s.io"), STR("priorityclasses"));
    const struct stored_reader reader = { &r->server->registry, call->snapshot, r->arena };
    struct default_class d = { 0 };
    struct object o;
    struct err err;
    int rc;

    if (!name.len) {
        rc = stored_read_each(&reader, row, STR(""), look_for_default, &d, &err);
        *ret_class = d.found;
    } else {
        rc = stored_read_get(&reader, row, STR(""), name, &o, &err);
        if (rc == ERR_NOT_FOUND)
            return pod_admission_refuse(call, ret, "no PriorityClass with name %.*s was found",
                                        STR_ARG(name));
        *ret_class = o.data;
    }
    if (rc >= 0)
        return true;
    *ret = status_of_store(r->arena, rc, &err);
    return false;
}

static bool priority_mutate(const struct admission_call *call, struct status *ret)
{
    struct core_v1_pod *pod = pod_admission_of(call, true);
    const struct scheduling_v1_priority_class *c = NULL;
    int32_t *priority;

    if (!pod)
        return true;
    if (call->operation == ADMISSION_UPDATE) {
        const struct core_v1_pod *old = call->old.data;

        if (!pod->spec.priority)
            pod->spec.priority = old->spec.priority;
        if (!pod->spec.preemption_policy.len)
            pod->spec.preemption_policy = old->spec.preemption_policy;
        return true;
    }
    if (!find_class(call, pod->spec.priority_class_name, &c, ret))
        return false;
    priority = ARENA_NEW(call->request->arena, int32_t);
    *priority = c ? c->value : 0;
    if (c)
        pod->spec.priority_class_name = c->metadata.name;
    if (pod->spec.priority && *pod->spec.priority != *priority)
        return pod_admission_refuse(call, ret,
                                    "the integer value of priority (%d) must not be provided in "
                                    "pod spec; priority admission controller computed %d from the "
                                    "given PriorityClass name",
                                    *pod->spec.priority, *priority);
    pod->spec.priority = priority;
    if (!pod->spec.preemption_policy.len)
        pod->spec.preemption_policy =
            c && c->preemption_policy.len ? c->preemption_policy : STR("PreemptLowerPriority");
    return true;
}

const struct admission_plugin priority_plugin = {
    .name = "Priority",
    .mutate = priority_mutate,
};
