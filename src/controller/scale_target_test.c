/* What an answer about a scale says. */
#include "controller/scale_target.h"

#include <criterion/criterion.h>

#include "base/arena.h"

Test(scale_target, is_read)
{
    struct scale_target t;
    struct arena a = { 0 };

    cr_assert(scale_target_read(
        &a,
        STR("{\"kind\":\"Scale\",\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"7\"},"
            "\"spec\":{\"replicas\":3},\"status\":{\"replicas\":2,\"selector\":\"a=b\"}}"),
        &t));
    cr_expect(str_eq(t.uid, STR("u")));
    cr_expect(str_eq(t.resource_version, STR("7")));
    cr_expect(str_eq(t.selector, STR("a=b")));
    cr_expect_eq(t.wanted, 3);
    cr_expect_eq(t.current, 2);
    cr_assert(scale_target_read(&a, STR("{\"metadata\":{},\"spec\":{}}"), &t));
    cr_expect_eq(t.wanted, 0);
    cr_expect_eq(t.selector.len, 0);
    cr_expect_not(scale_target_read(&a, STR("{\"spec\":{\"replicas\":3}}"), &t));
    cr_expect_not(scale_target_read(&a, STR("{"), &t));
    cr_expect_not(scale_target_read(&a, STR("[1]"), &t));
    arena_done(&a);
}

Test(scale_target, groups)
{
    cr_expect(str_eq(scale_target_group(STR("apps/v1")), STR("apps")));
    cr_expect(str_eq(scale_target_group(STR("v1")), STR("")));
}
