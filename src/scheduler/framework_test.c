/* Whole cycles on nodes and Pods written as JSON. */
#include "scheduler/framework.h"

#include <criterion/criterion.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "base/arena.h"
#include "base/err.h"
#include "client/api_object.h"

static struct arena arena;
static struct scheduler_cache cache;
static size_t next_row;
static const struct api_object *things[SCHED_KINDS][4];
static size_t n_things[SCHED_KINDS];

static const struct api_object *decode(const char *group, const char *resource, struct str json)
{
    struct api_object *o;
    struct err err;

    cr_assert_eq(
        api_object_decode(resource_find(str_from_cstr(group), STR("v1"), str_from_cstr(resource)),
                          json, &o, &err),
        0, "%s in %.*s", err.text, STR_ARG(json));
    return o;
}

static size_t list(void *arg, enum sched_kind kind, struct str namespace,
                   const struct api_object *const **ret)
{
    (void)arg;
    (void)namespace;
    *ret = things[kind];
    return n_things[kind];
}

static const struct api_object *get(void *arg, enum sched_kind kind, struct str namespace,
                                    struct str name)
{
    (void)arg;
    (void)namespace;
    for (size_t i = 0; i < n_things[kind]; i++)
        if (str_eq(things[kind][i]->meta->name, name))
            return things[kind][i];
    return NULL;
}

static const struct sched_lister lister = { .list = list, .get = get };

/* labels and amounts: NULL, or more of them, beginning with a comma. */
static void node(const char *name, const char *labels, const char *spec, const char *amounts)
{
    const struct api_object *o = decode(
        "", "nodes",
        arena_printf(
            &arena,
            "{\"metadata\":{\"name\":\"%s\",\"labels\":{\"kubernetes.io/hostname\":\"%s\"%s}},"
            "\"spec\":{%s},\"status\":{\"allocatable\":{\"cpu\":\"4\",\"memory\":\"8Gi\","
            "\"pods\":\"10\"%s}}}",
            name, name, labels ? labels : "", spec ? spec : "", amounts ? amounts : ""));

    scheduler_cache_set_node(&cache, o);
    api_object_unref(o);
}

/* A Pod of the label app=NAME's first letter; at: its node, or NULL. */
static const struct api_object *pod(const char *name, const char *at, const char *cpu,
                                    const char *spec)
{
    return decode(
        "", "pods",
        arena_printf(&arena,
                     "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"default\",\"uid\":\"%s\","
                     "\"labels\":{\"app\":\"%.1s\"}},\"spec\":{\"containers\":[{\"name\":\"c\","
                     "\"resources\":{\"requests\":{\"cpu\":\"%s\"}}}]%s%s%s%s},"
                     "\"status\":{\"startTime\":\"2026-01-01T00:00:0%zuZ\"}}",
                     name, name, name, cpu, at ? ",\"nodeName\":\"" : "", at ? at : "",
                     at ? "\"" : "", spec ? spec : "", cache.pods.len % 10));
}

static void runs(const char *name, const char *at, const char *cpu, const char *spec)
{
    const struct api_object *o = pod(name, at, cpu, spec);

    scheduler_cache_set_pod(&cache, o);
    api_object_unref(o);
}

static struct sched_result decide(const struct api_object *o)
{
    struct sched_cycle *c = ARENA_NEW(&arena, struct sched_cycle);

    *c = (struct sched_cycle){
        .arena = &arena, .cache = &cache, .lister = &lister, .object = o, .random = 7
    };
    return framework_schedule(c, &next_row);
}

/* Decides, and counts it where it goes. */
static const char *placed(const char *name, const char *cpu, const char *spec)
{
    const struct api_object *o = pod(name, NULL, cpu, spec);
    struct sched_result r = decide(o);
    const char *at = r.fits ? cache.nodes.items[r.row].name : NULL;

    if (r.fits)
        scheduler_cache_assume(&cache, o, r.row);
    api_object_unref(o);
    return at;
}

/* What a Pod that fits nowhere is told, and who would go for it. */
static struct sched_result refused(const char *name, const char *cpu, const char *spec)
{
    const struct api_object *o = pod(name, NULL, cpu, spec);
    struct sched_result r = decide(o);

    cr_assert_not(r.fits);
    api_object_unref(o);
    return r;
}

#define EXPECT_MESSAGE(r, text)                                                                    \
    cr_expect(str_eq((r).message, STR(text)), "%.*s", STR_ARG((r).message))

static void end(void)
{
    scheduler_cache_done(&cache);
    for (size_t k = 0; k < SCHED_KINDS; k++)
        for (size_t i = 0; i < n_things[k]; i++)
            api_object_unref(things[k][i]);
    arena_done(&arena);
}

#define PRIORITY(n) ",\"priority\":" #n
#define NOTHING                                                                                    \
    " no new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not "      \
    "helpful for scheduling."

Test(framework, reasons_are_counted_and_sorted, .fini = end)
{
    struct sched_result r = refused("p", "1", NULL);

    EXPECT_MESSAGE(r, "no nodes available to schedule pods");
    node("a", NULL, "\"taints\":[{\"key\":\"k\",\"effect\":\"NoSchedule\"}]", NULL);
    node("b", NULL, NULL, NULL);
    r = refused("p", "5", NULL);
    EXPECT_MESSAGE(r, "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated "
                      "taint(s)." NOTHING);
    cr_expect(r.events & SCHED_NODE_TAINTS);
    cr_expect(r.events & SCHED_NODE_ALLOCATABLE);
    cr_expect_not(r.events & SCHED_CLAIM_CHANGED);
    cr_expect_str_eq(placed("p", "4", NULL), "b");
}

Test(framework, only_named_nodes_are_looked_at, .fini = end)
{
    static const char to_b[] =
        ",\"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":{"
        "\"nodeSelectorTerms\":[{\"matchFields\":[{\"key\":\"metadata.name\",\"operator\":\"In\","
        "\"values\":[\"b\"]}]}]}}}";

    node("a", NULL, NULL, NULL);
    node("b", NULL, NULL, NULL);
    cr_expect_str_eq(placed("p", "3", to_b), "b");
    EXPECT_MESSAGE(refused("q", "3", to_b),
                   "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't satisfy "
                   "plugin(s) [NodeAffinity]. no new claims to deallocate, preemption: 0/2 nodes "
                   "are available: 1 No preemption victims found for incoming pod, 1 Preemption is "
                   "not helpful for scheduling.");
}

Test(framework, operators_of_node_affinity, .fini = end)
{
    static const struct {
        const char *requirement;
        const char *at;
    } rows[] = {
        { "\"key\":\"n\",\"operator\":\"Gt\",\"values\":[\"5\"]", "b" },
        { "\"key\":\"n\",\"operator\":\"Lt\",\"values\":[\"5\"]", "a" },
        { "\"key\":\"n\",\"operator\":\"In\",\"values\":[\"3\",\"4\"]", "a" },
        { "\"key\":\"n\",\"operator\":\"NotIn\",\"values\":[\"3\"]", "b" },
        { "\"key\":\"only-b\",\"operator\":\"Exists\"", "b" },
        { "\"key\":\"only-b\",\"operator\":\"DoesNotExist\"", "a" },
        { "\"key\":\"none\",\"operator\":\"Gt\",\"values\":[\"5\"]", NULL },
    };

    node("a", ",\"n\":\"3\"", NULL, NULL);
    node("b", ",\"n\":\"10\",\"only-b\":\"\"", NULL, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str spec = arena_printf(
            &arena,
            ",\"affinity\":{\"nodeAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":{"
            "\"nodeSelectorTerms\":[{\"matchExpressions\":[{%s}]}]}}}",
            rows[i].requirement);
        const char *at = placed("p", "100m", spec.p);

        cr_expect((!at && !rows[i].at) || (at && rows[i].at && strcmp(at, rows[i].at) == 0),
                  "%s: %s", rows[i].requirement, at);
    }
}

Test(framework, init_containers_and_sidecars_count, .fini = end)
{
    node("a", NULL, NULL, NULL);
    /* The sidecar (1) stays; beside it run the init container (3), then the container (1). */
    cr_expect_str_eq(
        placed("p", "1",
               ",\"initContainers\":[{\"name\":\"s\",\"restartPolicy\":\"Always\",\"resources\":{"
               "\"requests\":{\"cpu\":\"1\"}}},{\"name\":\"i\",\"resources\":{\"requests\":{"
               "\"cpu\":\"3\"}}}]"),
        "a");
    cr_expect_eq(cache.nodes.items[0].requested.milli_cpu, 4000);
    scheduler_cache_remove_pod(&cache, STR("p"));
    cr_expect_eq(cache.nodes.items[0].requested.milli_cpu, 0);
    cr_expect_eq(cache.nodes.items[0].requested.pods, 0);
}

static const char apart[] =
    ",\"affinity\":{\"podAntiAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":[{"
    "\"topologyKey\":\"kubernetes.io/hostname\",\"labelSelector\":{\"matchLabels\":{"
    "\"app\":\"w\"}}}]}}";

Test(framework, anti_affinity_works_both_ways, .fini = end)
{
    const char *first;

    node("a", NULL, NULL, NULL);
    node("b", NULL, NULL, NULL);
    first = placed("w1", "100m", apart);
    cr_expect_str_neq(first, placed("w2", "100m", NULL), "who runs keeps others away");
    EXPECT_MESSAGE(refused("w3", "100m", apart),
                   "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules. no "
                   "new claims to deallocate, preemption: 0/2 nodes are available: 2 No preemption "
                   "victims found for incoming pod.");
    cr_assert_not_null(placed("x", "100m", NULL));
    scheduler_cache_remove_pod(&cache, STR("w1"));
    cr_expect_str_eq(placed("w3", "100m", apart), first);
}

Test(framework, skew_is_against_the_emptiest_zone, .fini = end)
{
    static const char spread[] =
        ",\"topologySpreadConstraints\":[{\"maxSkew\":1,\"topologyKey\":\"zone\","
        "\"whenUnsatisfiable\":\"DoNotSchedule\",\"labelSelector\":{\"matchLabels\":{"
        "\"app\":\"s\"}}}]";
    static const char three[] =
        ",\"topologySpreadConstraints\":[{\"maxSkew\":1,\"minDomains\":3,\"topologyKey\":\"zone\","
        "\"whenUnsatisfiable\":\"DoNotSchedule\",\"labelSelector\":{\"matchLabels\":{"
        "\"app\":\"t\"}}}]";

    node("a", ",\"zone\":\"1\"", NULL, NULL);
    node("b", ",\"zone\":\"2\"", NULL, NULL);
    runs("s1", "a", "100m", NULL);
    cr_expect_str_eq(placed("s2", "100m", spread), "b");
    cr_assert_not_null(placed("s3", "100m", spread));
    cr_assert_not_null(placed("s4", "100m", spread));
    cr_expect_eq(cache.nodes.items[0].pods.len, 2);
    cr_expect_eq(cache.nodes.items[1].pods.len, 2);
    /* With fewer domains than wanted the least is zero: one each, no more. */
    cr_assert_not_null(placed("t1", "100m", three));
    cr_assert_not_null(placed("t2", "100m", three));
    (void)refused("t3", "100m", three);
}

Test(framework, victims_are_as_few_and_unimportant_as_can_be, .fini = end)
{
    struct sched_result r;

    node("a", NULL, NULL, NULL);
    node("b", NULL, NULL, NULL);
    runs("l1", "a", "2", PRIORITY(1));
    runs("l2", "a", "1", PRIORITY(2));
    runs("l3", "a", "1", PRIORITY(3));
    runs("m1", "b", "4", PRIORITY(50));
    r = refused("h", "2", PRIORITY(100));
    cr_assert(r.is_nominated);
    cr_expect_str_eq(cache.nodes.items[r.nominated_row].name, "a");
    cr_assert_eq(r.n_victims, 1);
    cr_expect(str_eq(r.victims[0]->object->meta->name, STR("l1")));
    EXPECT_MESSAGE(r, "0/2 nodes are available: 2 Insufficient cpu.");
    /* Trying leaves no trace. */
    cr_expect_eq(cache.nodes.items[0].requested.milli_cpu, 4000);
    cr_expect_eq(cache.nodes.items[0].pods.len, 3);
    r = refused("h", "2", PRIORITY(1));
    cr_expect_not(r.is_nominated, "equals are not preempted");
    r = refused("h", "2", PRIORITY(100) ",\"preemptionPolicy\":\"Never\"");
    cr_expect_not(r.is_nominated);
}

Test(framework, who_is_in_the_way_is_preempted_not_who_is_there, .fini = end)
{
    struct sched_result r;
    struct str spec = arena_printf(&arena, "%s,\"priority\":100", apart);

    node("a", NULL, NULL, NULL);
    runs("w1", "a", "100m", PRIORITY(1));
    runs("x1", "a", "100m", PRIORITY(1));
    r = refused("h", "100m", spec.p);
    cr_assert(r.is_nominated);
    cr_assert_eq(r.n_victims, 1);
    cr_expect(str_eq(r.victims[0]->object->meta->name, STR("w1")));
}

Test(framework, budgets_choose_the_other_node, .fini = end)
{
    struct sched_result r;

    things[SCHED_DISRUPTION_BUDGETS][0] = decode(
        "policy", "poddisruptionbudgets",
        STR("{\"metadata\":{\"name\":\"b\",\"namespace\":\"default\"},\"spec\":{\"selector\":"
            "{\"matchLabels\":{\"app\":\"g\"}}},\"status\":{\"disruptionsAllowed\":0}}"));
    n_things[SCHED_DISRUPTION_BUDGETS] = 1;
    node("a", NULL, NULL, NULL);
    node("b", NULL, NULL, NULL);
    runs("g", "a", "4", PRIORITY(1));
    runs("f", "b", "4", PRIORITY(50));
    r = refused("h", "4", PRIORITY(100));
    cr_assert(r.is_nominated);
    cr_expect_str_eq(cache.nodes.items[r.nominated_row].name, "b");
}

Test(framework, room_of_nominated_pods_is_theirs, .fini = end)
{
    const struct api_object *h;

    node("a", NULL, NULL, NULL);
    h = pod("h", NULL, "3", PRIORITY(100));
    scheduler_cache_nominate(&cache, h, STR("a"));
    cr_expect_null(placed("l", "2", PRIORITY(1)));
    cr_expect_str_eq(placed("s", "1", PRIORITY(1)), "a");
    cr_expect_str_eq(placed("u", "2", PRIORITY(200)), "a");
    scheduler_cache_unnominate(&cache, STR("h"));
    api_object_unref(h);
}

Test(framework, rows_are_used_again_and_pods_of_unknown_nodes_wait_for_them, .fini = end)
{
    runs("p", "late", "3", NULL);
    cr_expect_eq(cache.n_nodes, 0);
    runs("p", "late", "3", NULL); /* again: its row must not get lost in between */
    node("late", NULL, NULL, NULL);
    cr_expect_eq(cache.nodes.items[0].requested.milli_cpu, 3000);
    (void)refused("q", "2", NULL);
    scheduler_cache_remove_pod(&cache, STR("p"));
    scheduler_cache_remove_node(&cache, STR("late"));
    cr_expect_eq(cache.n_nodes, 0);
    node("other", NULL, NULL, NULL);
    cr_expect_eq(cache.nodes.len, 1);
    cr_expect_str_eq(placed("q", "2", NULL), "other");
}

static void add_thing(enum sched_kind kind, const char *group, const char *resource,
                      const char *name, const char *rest)
{
    things[kind][n_things[kind]++] =
        decode(group, resource,
               arena_printf(&arena, "{\"metadata\":{\"name\":\"%s\"%s},%s}", name,
                            kind == SCHED_CLAIMS ? ",\"namespace\":\"default\"" : "", rest));
}

static void volume_on(const char *name, const char *at)
{
    add_thing(SCHED_VOLUMES, "", "persistentvolumes", name,
              arena_printf(&arena,
                           "\"spec\":{\"storageClassName\":\"wait\",\"capacity\":{\"storage\":"
                           "\"1Gi\"},\"accessModes\":[\"ReadWriteOnce\"],\"nodeAffinity\":{"
                           "\"required\":{\"nodeSelectorTerms\":[{\"matchExpressions\":[{\"key\":"
                           "\"kubernetes.io/hostname\",\"operator\":\"In\",\"values\":[\"%s\"]}]}]}"
                           "}},\"status\":{\"phase\":\"Available\"}",
                           at)
                  .p);
}

#define USES(claim)                                                                                \
    ",\"volumes\":[{\"name\":\"v\",\"persistentVolumeClaim\":{\"claimName\":\"" claim "\"}}]"

Test(framework, volumes_that_are_given_away_are_somebodys, .fini = end)
{
    static const char claim[] = "\"spec\":{\"storageClassName\":\"wait\",\"resources\":{"
                                "\"requests\":{\"storage\":\"1Gi\"}},\"accessModes\":["
                                "\"ReadWriteOnce\"]}";
    static char c[] = "default/c", e[] = "default/e", b[] = "b";
    struct sched_result r;

    add_thing(SCHED_CLASSES, "storage.k8s.io", "storageclasses", "wait",
              "\"provisioner\":\"kubernetes.io/no-provisioner\",\"volumeBindingMode\":"
              "\"WaitForFirstConsumer\"");
    volume_on("va", "a");
    volume_on("vb", "b");
    add_thing(SCHED_CLAIMS, "", "persistentvolumeclaims", "c", claim);
    add_thing(SCHED_CLAIMS, "", "persistentvolumeclaims", "d", claim);
    node("a", NULL, NULL, NULL);
    node("b", NULL, NULL, NULL);
    (void)map_put(&cache.given_volumes, STR("va"), c);
    cr_expect_str_eq(placed("p", "100m", USES("c")), "a", "what was given to its claim");
    cr_expect_str_eq(placed("q", "100m", USES("d")), "b", "what is left");
    (void)map_put(&cache.given_volumes, STR("vb"), e);
    r = refused("s", "100m", USES("d"));
    EXPECT_MESSAGE(r, "0/2 nodes are available: 2 node(s) didn't find available persistent volumes "
                      "to bind." NOTHING);
    cr_expect(r.events & SCHED_CLAIM_CHANGED);
    (void)map_put(&cache.told_nodes, STR("default/d"), b);
    r = refused("t", "100m", USES("d"));
    cr_expect(str_contains(r.message, STR("2 node(s) didn't find")), "nobody can make one there");
    map_done(&cache.given_volumes);
    map_done(&cache.told_nodes);
}
