/* What a budget's status says, from Pods made by hand. */
#include <criterion/criterion.h>

#include "api/core_v1.h"
#include "api/policy_v1.h"
#include "base/arena.h"
#include "client/api_object.h"
#include "controller/disruption_budget.h"

enum { MAX_PODS = 8, NOW = 1000000 };

static struct int_or_string amount(const char *text)
{
    struct int_or_string v = { 0 };
    int64_t n;

    if (!text)
        return v;
    v.type = str_to_i64(str_from_cstr(text), &n) ? INT_OR_STRING_INT : INT_OR_STRING_STRING;
    if (v.type == INT_OR_STRING_INT)
        v.i = (int32_t)n;
    else
        v.s = str_from_cstr(text);
    return v;
}

Test(disruption_budget, amounts)
{
    static const struct {
        const char *least, *most;
        int64_t scale;
        size_t pods;
        int32_t expected, desired; /* -1: refused */
    } rows[] = {
        { "2", NULL, 0, 3, 3, 2 },      { "5", NULL, 0, 3, 3, 5 },
        { "28%", NULL, 10, 3, 10, 3 },  { "30%", NULL, 10, 3, 10, 3 },
        { "100%", NULL, 3, 3, 3, 3 },   { "0%", NULL, 3, 3, 3, 0 },
        { "1%", NULL, 0, 0, 0, 0 },     { NULL, "1", 10, 3, 10, 9 },
        { NULL, "0", 10, 3, 10, 10 },   { NULL, "30", 10, 3, 10, 0 },
        { NULL, "30%", 10, 3, 10, 7 },  { NULL, "28%", 10, 3, 10, 7 },
        { NULL, "100%", 3, 3, 3, 0 },   { NULL, NULL, 3, 3, 0, 0 },
        { "half", NULL, 3, 3, -1, -1 }, { NULL, "-1%", 3, 3, -1, -1 },
        { NULL, "5", -1, 3, 0, 0 },     { NULL, "0%", INT64_MAX, 3, INT32_MAX, INT32_MAX },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct policy_v1_pod_disruption_budget pdb = {
            .spec = { .min_available = amount(rows[i].least),
                      .max_unavailable = amount(rows[i].most) }
        };
        int32_t expected = -1, desired = -1;

        (void)disruption_desire(&pdb, rows[i].scale, rows[i].pods, &expected, &desired);
        cr_expect_eq(expected, rows[i].expected, "%zu: expects %d", i, expected);
        cr_expect_eq(desired, rows[i].desired, "%zu: desires %d", i, desired);
    }
}

struct fixture {
    struct arena arena;
    struct core_v1_pod pods[MAX_PODS];
    struct core_v1_pod_condition conditions[MAX_PODS];
    struct api_object objects[MAX_PODS];
    const struct api_object *list[MAX_PODS];
    struct disruption_pods all;
    struct policy_v1_pod_disruption_budget pdb;
};

/* A letter a Pod: r is ready, n is not, g is going (and ready). Their names are "a", "b", ... */
static void begin(struct fixture *f, const char *pods, int32_t expected, int32_t desired)
{
    static const char names[] = "abcdefgh";

    *f = (struct fixture){ 0 };
    for (size_t i = 0; pods[i]; i++) {
        struct core_v1_pod *pod = &f->pods[i];

        f->conditions[i] =
            (struct core_v1_pod_condition){ .type = STR("Ready"),
                                            .status = pods[i] == 'n' ? STR("False") : STR("True") };
        pod->metadata.name = str_n(names + i, 1);
        pod->metadata.deletion_timestamp = (struct ktime){ .sec = NOW, .set = pods[i] == 'g' };
        pod->status.conditions.items = &f->conditions[i];
        pod->status.conditions.len = 1;
        f->objects[i].o.data = pod;
        f->objects[i].meta = &pod->metadata;
        f->list[i] = &f->objects[i];
        f->all.len++;
    }
    f->all.items = f->list;
    f->pdb.metadata.generation = 3;
    f->pdb.status.expected_pods = expected;
    f->pdb.status.desired_healthy = desired;
}

static int64_t count(struct fixture *f)
{
    return disruption_count(&f->arena, &f->pdb, &f->all, NOW, &f->pdb.status);
}

Test(disruption_budget, what_is_allowed)
{
    static const struct {
        const char *pods;
        int32_t expected, desired, healthy, allowed;
    } rows[] = {
        { "rrr", 3, 2, 3, 1 }, { "rrr", 3, 3, 3, 0 }, { "rrr", 3, 5, 3, 0 }, { "rrn", 3, 1, 2, 1 },
        { "rgg", 3, 1, 1, 0 }, { "", 0, 0, 0, 0 },    { "r", 0, 0, 1, 0 },   { "nnn", 3, 0, 0, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f;
        const struct meta_v1_condition *c;

        begin(&f, rows[i].pods, rows[i].expected, rows[i].desired);
        cr_expect_eq(count(&f), 0);
        cr_expect_eq(f.pdb.status.current_healthy, rows[i].healthy, "%zu", i);
        cr_expect_eq(f.pdb.status.disruptions_allowed, rows[i].allowed, "%zu", i);
        cr_expect_eq(f.pdb.status.observed_generation, 3);
        cr_assert_eq(f.pdb.status.conditions.len, 1);
        c = &f.pdb.status.conditions.items[0];
        cr_expect(str_eq(c->status, rows[i].allowed ? STR("True") : STR("False")));
        cr_expect(
            str_eq(c->reason, rows[i].allowed ? STR("SufficientPods") : STR("InsufficientPods")));
        cr_expect_eq(c->last_transition_time.sec, NOW);
        arena_done(&f.arena);
    }
}

/* a was granted just now, b as long ago as it may be, c too long ago, d is going, e is gone. */
Test(disruption_budget, granted_evictions_count_until_they_are_over)
{
    struct schema_time_entry granted[] = {
        { STR("a"), { .sec = NOW, .set = true } },
        { STR("b"), { .sec = NOW - DISRUPTION_TIMEOUT_S, .set = true } },
        { STR("c"), { .sec = NOW - DISRUPTION_TIMEOUT_S - 1, .set = true } },
        { STR("d"), { .sec = NOW - 1, .set = true } },
        { STR("e"), { .sec = NOW - 1, .set = true } },
    };
    struct fixture f;

    begin(&f, "rrrg", 4, 1);
    f.pdb.status.disrupted_pods.items = granted;
    f.pdb.status.disrupted_pods.len = ARRAY_LEN(granted);
    cr_expect_eq(count(&f), 1, "b is over in a second");
    cr_expect_eq(f.pdb.status.current_healthy, 2, "b and c");
    cr_expect_eq(f.pdb.status.disruptions_allowed, 1);
    cr_assert_eq(f.pdb.status.disrupted_pods.len, 2);
    cr_expect(str_eq(f.pdb.status.disrupted_pods.items[0].key, STR("a")));
    cr_expect(str_eq(f.pdb.status.disrupted_pods.items[1].key, STR("b")));
    arena_done(&f.arena);
}

Test(disruption_budget, the_condition_keeps_its_time_and_its_neighbours)
{
    struct meta_v1_condition had[] = {
        { .type = STR("Other"), .status = STR("True") },
        { .type = STR("DisruptionAllowed"),
          .status = STR("False"),
          .reason = STR("InsufficientPods"),
          .last_transition_time = { .sec = 5, .set = true } },
    };
    struct fixture f;

    begin(&f, "rrr", 3, 1);
    f.pdb.status.conditions.items = had;
    f.pdb.status.conditions.len = ARRAY_LEN(had);
    f.pdb.status.disruptions_allowed = 2;
    disruption_fail(&f.arena, STR("no such kind"), NOW, &f.pdb.status);
    cr_expect_eq(f.pdb.status.disruptions_allowed, 0);
    cr_assert_eq(f.pdb.status.conditions.len, 2);
    cr_expect(str_eq(f.pdb.status.conditions.items[1].reason, STR("SyncFailed")));
    cr_expect(str_eq(f.pdb.status.conditions.items[1].message, STR("no such kind")));
    cr_expect_eq(f.pdb.status.conditions.items[1].last_transition_time.sec, 5);
    (void)count(&f);
    cr_expect(str_eq(f.pdb.status.conditions.items[0].type, STR("Other")));
    cr_expect(str_eq(f.pdb.status.conditions.items[1].reason, STR("SufficientPods")));
    cr_expect_eq(f.pdb.status.conditions.items[1].message.len, 0);
    cr_expect_eq(f.pdb.status.conditions.items[1].last_transition_time.sec, NOW);
    cr_expect(str_eq(had[1].reason, STR("InsufficientPods")), "the old list is others'");
    arena_done(&f.arena);
}

Test(disruption_budget, targets_that_live_on)
{
    static const struct {
        const char *status, *reason, *phase, *pods;
        int64_t since, wait; /* wait -1: none of ours */
    } rows[] = {
        { "True", "PreemptionByScheduler", "Running", "r", NOW - 20, 100 },
        { "True", "EvictionByEvictionAPI", "Pending", "n", NOW - 500, 0 },
        { "False", "", "Running", "r", NOW - 500, -1 },
        { "True", "TerminationByKubelet", "Running", "r", NOW - 500, -1 },
        { "True", "PreemptionByScheduler", "Failed", "n", NOW - 500, -1 },
        { "True", "PreemptionByScheduler", "Running", "g", NOW - 500, -1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f;
        int64_t wait = -1;

        begin(&f, rows[i].pods, 0, 0);
        f.conditions[0] = (struct core_v1_pod_condition){
            .type = STR("DisruptionTarget"),
            .status = str_from_cstr(rows[i].status),
            .reason = str_from_cstr(rows[i].reason),
            .last_transition_time = { .sec = rows[i].since, .set = true },
        };
        f.pods[0].status.phase = str_from_cstr(rows[i].phase);
        (void)disruption_is_pending(f.list[0], NOW, &wait);
        cr_expect_eq(wait, rows[i].wait, "%zu: %lld", i, (long long)wait);
    }
}
