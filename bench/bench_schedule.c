/* The scheduler's algorithm alone: cycles of framework_schedule() and scheduler_cache_assume() on
 * NODES nodes in three zones, no I/O. What the plugins have to do differs by scenario. */
#include <stdio.h>
#include <stdlib.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "scheduler/framework.h"

enum { NODES = 5000, PODS = 30000, GROUPS = 30 };

struct scenario {
    const char *name;
    size_t pods;
    bool is_owned;    /* by ReplicaSets that a Service selects: spread by default */
    const char *spec; /* more of the Pod's; NULL: none */
};

static const struct scenario scenarios[] = {
    { "plain", PODS, false, NULL },
    { "replica-sets", PODS, true, NULL },
    { "zone-spread", PODS, false,
      ",\"topologySpreadConstraints\":[{\"maxSkew\":1,\"topologyKey\":\"topology.kubernetes.io/"
      "zone\",\"whenUnsatisfiable\":\"DoNotSchedule\",\"labelSelector\":{\"matchExpressions\":[{"
      "\"key\":\"app\",\"operator\":\"Exists\"}]}}]" },
    { "anti-affinity", NODES, false,
      ",\"affinity\":{\"podAntiAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":[{"
      "\"topologyKey\":\"kubernetes.io/hostname\",\"labelSelector\":{\"matchExpressions\":[{"
      "\"key\":\"app\",\"operator\":\"Exists\"}]}}]}}" },
    { "preferred-affinity", PODS, false,
      ",\"affinity\":{\"podAffinity\":{\"preferredDuringSchedulingIgnoredDuringExecution\":[{"
      "\"weight\":10,\"podAffinityTerm\":{\"topologyKey\":\"topology.kubernetes.io/zone\","
      "\"labelSelector\":{\"matchExpressions\":[{\"key\":\"app\",\"operator\":\"Exists\"}]}}}]}}" },
    { "node-affinity", PODS, false,
      ",\"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":{"
      "\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":\"topology.kubernetes.io/zone\","
      "\"operator\":\"In\",\"values\":[\"zone-1\"]}]}]}}}" },
};

static struct api_object *decode(const char *group, const char *resource, struct str json)
{
    struct api_object *o;
    struct err err;

    if (api_object_decode(resource_find(str_from_cstr(group), STR("v1"), str_from_cstr(resource)),
                          json, &o, &err) < 0) {
        (void)fprintf(stderr, "bench-schedule: %s\n", err.text);
        exit(1);
    }
    return o;
}

/* --- what Pods belong to --- */

static const struct api_object *service;
static const struct api_object *replica_sets[GROUPS];

static size_t list(void *arg, enum sched_kind kind, struct str namespace,
                   const struct api_object *const **ret)
{
    (void)arg;
    (void)namespace;
    *ret = &service;
    return kind == SCHED_SERVICES && service;
}

static const struct api_object *get(void *arg, enum sched_kind kind, struct str namespace,
                                    struct str name)
{
    (void)arg;
    (void)namespace;
    for (size_t i = 0; i < GROUPS && kind == SCHED_REPLICA_SETS; i++)
        if (str_eq(replica_sets[i]->meta->name, name))
            return replica_sets[i];
    return NULL;
}

static const struct sched_lister lister = { .list = list, .get = get };

static void make_owners(struct arena *a)
{
    service = decode("", "services",
                     STR("{\"metadata\":{\"name\":\"s\",\"namespace\":\"default\"},"
                         "\"spec\":{\"selector\":{\"tier\":\"web\"}}}"));
    for (int i = 0; i < GROUPS; i++)
        replica_sets[i] =
            decode("apps", "replicasets",
                   arena_printf(a,
                                "{\"metadata\":{\"name\":\"rs-%d\",\"namespace\":\"default\"},"
                                "\"spec\":{\"selector\":{\"matchLabels\":{\"app\":\"app-%d\"}}}}",
                                i, i));
}

/* --- nodes and Pods --- */

static void add_nodes(struct arena *a, struct scheduler_cache *c)
{
    for (int i = 0; i < NODES; i++) {
        struct api_object *n = decode(
            "", "nodes",
            arena_printf(a,
                         "{\"metadata\":{\"name\":\"node-%d\",\"labels\":{"
                         "\"kubernetes.io/hostname\":\"node-%d\","
                         "\"topology.kubernetes.io/zone\":\"zone-%d\"}},\"status\":{"
                         "\"allocatable\":{\"cpu\":\"16\",\"memory\":\"64Gi\",\"pods\":\"110\"}}}",
                         i, i, i % 3));

        scheduler_cache_set_node(c, n);
        api_object_unref(n);
    }
}

static struct api_object *make_pod(struct arena *a, const struct scenario *s, size_t i)
{
    struct str owner = s->is_owned
                           ? arena_printf(a,
                                          ",\"ownerReferences\":[{\"apiVersion\":\"apps/v1\","
                                          "\"kind\":\"ReplicaSet\",\"name\":\"rs-%zu\",\"uid\":"
                                          "\"r\",\"controller\":true}]",
                                          i % GROUPS)
                           : STR("");

    return decode("", "pods",
                  arena_printf(a,
                               "{\"metadata\":{\"name\":\"pod-%zu\",\"namespace\":\"default\","
                               "\"uid\":\"uid-%zu\",\"labels\":{\"app\":\"app-%zu\","
                               "\"tier\":\"%s\"}%.*s},\"spec\":{\"containers\":[{\"name\":\"c\","
                               "\"image\":\"example/app:1\",\"resources\":{\"requests\":{"
                               "\"cpu\":\"100m\",\"memory\":\"128Mi\"}}}]%s}}",
                               i, i, i % GROUPS, s->is_owned ? "web" : "none", STR_ARG(owner),
                               s->spec ? s->spec : ""));
}

static void run(const struct scenario *s)
{
    struct scheduler_cache cache = { .n_nodes = 0 };
    struct arena a = { 0 }, cycle = { 0 };
    struct api_object **pods;
    size_t next_row = 0, placed = 0;
    uint64_t random = 88172645463325252ULL;
    int64_t began;
    double seconds;

    add_nodes(&a, &cache);
    pods = mem_alloc(s->pods * sizeof(*pods));
    for (size_t i = 0; i < s->pods; i++) {
        arena_reset(&a);
        pods[i] = make_pod(&a, s, i);
    }
    began = clock_system.mono_ns(&clock_system);
    for (size_t i = 0; i < s->pods; i++) {
        struct sched_cycle c = {
            .arena = &cycle, .cache = &cache, .lister = &lister, .object = pods[i], .random = random
        };
        struct sched_result r = framework_schedule(&c, &next_row);

        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if (r.fits) {
            scheduler_cache_assume(&cache, pods[i], r.row);
            placed++;
        }
        arena_reset(&cycle);
    }
    seconds = (double)(clock_system.mono_ns(&clock_system) - began) / 1e9;
    (void)printf("%s=%.0f Pods/s (%zu of %zu Pods placed)\n", s->name, (double)s->pods / seconds,
                 placed, s->pods);
    for (size_t i = 0; i < s->pods; i++)
        api_object_unref(pods[i]);
    mem_free(pods);
    scheduler_cache_done(&cache);
    arena_done(&cycle);
    arena_done(&a);
}

int main(int argc, char **argv)
{
    struct arena a = { 0 };

    make_owners(&a);
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
        if (argc < 2 || str_eq(str_from_cstr(argv[1]), str_from_cstr(scenarios[i].name)))
            run(&scenarios[i]);
    arena_done(&a);
    return 0;
}
