#include <criterion/criterion.h>

#include "controller/pod_backoff.h"

Test(pod_backoff, doubles_up_to_its_limit_and_is_forgotten)
{
    struct pod_backoff b = { 0 };
    int64_t now = 1000000, want = POD_BACKOFF_FIRST_MS;

    cr_assert_eq(pod_backoff_wait(&b, STR("a"), now), 0);
    for (int i = 0; i < 15; i++) {
        pod_backoff_attempt(&b, STR("a"), now);
        cr_assert_eq(pod_backoff_wait(&b, STR("a"), now), want, "%d", i);
        cr_assert_eq(pod_backoff_wait(&b, STR("a"), now + want - 1), 1);
        now += want;
        cr_assert_eq(pod_backoff_wait(&b, STR("a"), now), 0);
        want = MIN(want * 2, (int64_t)POD_BACKOFF_MAX_MS);
    }
    cr_assert_eq(pod_backoff_wait(&b, STR("b"), now), 0, "keys are apart");
    now += 2 * (int64_t)POD_BACKOFF_MAX_MS + 1;
    pod_backoff_attempt(&b, STR("b"), now);
    cr_assert_eq(b.entries.len, 1, "what is over is swept out");
    pod_backoff_attempt(&b, STR("a"), now);
    cr_assert_eq(pod_backoff_wait(&b, STR("a"), now), POD_BACKOFF_FIRST_MS, "and begins anew");
    pod_backoff_done(&b);
}
