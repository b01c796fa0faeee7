/* What sizes become, step by step, without anybody to talk to. */
#include <criterion/criterion.h>

#include "base/arena.h"
#include "controller/deployment_internal.h"

enum { MAX_SETS = 4 };

struct fixture {
    struct apps_v1_deployment deployment;
    struct apps_v1_rolling_update_deployment rolling;
    struct apps_v1_replica_set sets[MAX_SETS];
    struct rollout_set rows[MAX_SETS];
    struct rollout o;
    int32_t replicas;
};

/* sizes and available: oldest first; the last one is new. */
static void begin(struct fixture *f, int32_t replicas, const char *surge, const char *unavailable,
                  const int32_t (*rows)[2], size_t n)
{
    *f = (struct fixture){ .replicas = replicas };
    f->rolling.max_surge =
        (struct int_or_string){ .type = INT_OR_STRING_STRING, .s = str_from_cstr(surge) };
    f->rolling.max_unavailable =
        (struct int_or_string){ .type = INT_OR_STRING_STRING, .s = str_from_cstr(unavailable) };
    f->deployment.spec.replicas = &f->replicas;
    f->deployment.spec.strategy.type = STR("RollingUpdate");
    f->deployment.spec.strategy.rolling_update = &f->rolling;
    f->o.deployment = &f->deployment;
    f->o.sets = f->rows;
    f->o.n_sets = n;
    for (size_t i = 0; i < n; i++) {
        f->sets[i].status.available_replicas = rows[i][1];
        f->rows[i] = (struct rollout_set){ .set = &f->sets[i], .size = rows[i][0] };
    }
    f->o.new = n ? &f->rows[n - 1] : NULL;
    rollout_resolve_limits(&f->o);
}

Test(deployment_sizes, limits_round_surge_up_and_unavailable_down)
{
    static const struct {
        int32_t replicas;
        const char *surge, *unavailable;
        int32_t want_surge, want_unavailable;
    } rows[] = {
        { 10, "25%", "25%", 3, 2 },  { 4, "25%", "25%", 1, 1 }, { 3, "25%", "25%", 1, 0 },
        { 1, "25%", "25%", 1, 0 },   { 5, "0%", "0%", 0, 1 },   { 0, "25%", "25%", 0, 0 },
        { 3, "100%", "100%", 3, 3 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f;

        begin(&f, rows[i].replicas, rows[i].surge, rows[i].unavailable, NULL, 0);
        cr_expect_eq(f.o.max_surge, rows[i].want_surge, "%zu: surge %d", i, f.o.max_surge);
        cr_expect_eq(f.o.max_unavailable, rows[i].want_unavailable, "%zu: unavailable %d", i,
                     f.o.max_unavailable);
    }
}

Test(deployment_sizes, one_step_of_a_rolling_update)
{
    static const struct {
        const char *what;
        int32_t replicas;
        const char *surge, *unavailable;
        int32_t rows[3][2]; /* size, available */
        size_t n;
        int32_t want[3];
    } rows[] = {
        { "new grows by the surge", 10, "25%", "25%", { { 10, 10 }, { 0, 0 } }, 2, { 10, 3 } },
        { "old shrinks to what must be available",
          10,
          "25%",
          "25%",
          { { 10, 10 }, { 3, 0 } },
          2,
          { 8, 3 } },
        { "old shrinks as new becomes available",
          10,
          "25%",
          "25%",
          { { 8, 8 }, { 5, 5 } },
          2,
          { 3, 5 } },
        { "the sick go first", 10, "25%", "25%", { { 4, 0 }, { 6, 6 }, { 3, 3 } }, 3, { 0, 5, 3 } },
        { "nothing below the minimum", 4, "0%", "25%", { { 4, 3 }, { 0, 0 } }, 2, { 3, 0 } },
        { "new does not outgrow", 3, "100%", "0%", { { 3, 3 }, { 0, 0 } }, 2, { 3, 3 } },
        { "new shrinks when fewer are wanted",
          2,
          "25%",
          "25%",
          { { 0, 0 }, { 5, 5 } },
          2,
          { 0, 2 } },
        { "done is done", 3, "25%", "25%", { { 0, 0 }, { 3, 3 } }, 2, { 0, 3 } },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f;

        begin(&f, rows[i].replicas, rows[i].surge, rows[i].unavailable, rows[i].rows, rows[i].n);
        rollout_roll(&f.o);
        for (size_t k = 0; k < rows[i].n; k++)
            cr_expect_eq(f.rows[k].size, rows[i].want[k], "%s: set %zu is %d", rows[i].what, k,
                         f.rows[k].size);
    }
}

Test(deployment_sizes, scaling_midway_is_in_proportion)
{
    static const struct {
        int32_t replicas;
        int32_t rows[3][2];
        size_t n;
        int32_t want_sum;
        int32_t want_least; /* of each set that had Pods */
    } rows[] = {
        { 20, { { 6, 6 }, { 4, 4 } }, 2, 25, 7 }, /* 25% surge on top */
        { 5, { { 6, 6 }, { 4, 4 } }, 2, 7, 2 },   /* shrinks both */
        { 0, { { 6, 6 }, { 4, 4 } }, 2, 0, 0 },   /* to nothing */
        { 8, { { 5, 5 } }, 1, 8, 8 },             /* one set alone takes all */
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f;

        begin(&f, rows[i].replicas, "25%", "25%", rows[i].rows, rows[i].n);
        rollout_scale(&f.o);
        cr_expect_eq(rollout_total_size(&f.o), rows[i].want_sum, "%zu: %d in all", i,
                     rollout_total_size(&f.o));
        for (size_t k = 0; k < rows[i].n; k++)
            cr_expect_geq(f.rows[k].size, rows[i].want_least, "%zu: set %zu is %d", i, k,
                          f.rows[k].size);
    }
}

Test(deployment_sizes, recreating_waits_for_the_old_pods)
{
    static const int32_t sets[][2] = { { 3, 3 }, { 0, 0 } };
    struct fixture f;

    begin(&f, 3, "25%", "25%", sets, 2);
    f.deployment.spec.strategy.type = STR("Recreate");
    rollout_recreate(&f.o, true);
    cr_assert_eq(f.rows[0].size, 0);
    cr_assert_eq(f.rows[1].size, 0);
    rollout_recreate(&f.o, true);
    cr_assert_eq(f.rows[1].size, 0, "old Pods still run");
    rollout_recreate(&f.o, false);
    cr_assert_eq(f.rows[1].size, 3);
}
