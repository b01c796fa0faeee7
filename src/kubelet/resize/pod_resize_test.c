#include "kubelet/resize/pod_resize.h"

#include <criterion/criterion.h>

#include "api/core_v1.h"
#include "base/arena.h"
#include "base/macros.h"

Test(pod_resize, ways)
{
    static const struct {
        const char *has, *wants;
        enum pod_resize_way way;
    } cases[] = {
        { "{}", "{}", POD_RESIZE_NOTHING },
        { "{\"limits\":{\"cpu\":\"1\"}}", "{\"limits\":{\"cpu\":\"1000m\"}}", POD_RESIZE_NOTHING },
        { "{\"limits\":{\"cpu\":\"1\"}}", "{\"limits\":{\"cpu\":\"2\"}}", POD_RESIZE_IN_PLACE },
        { "{}", "{\"requests\":{\"cpu\":\"2\"}}", POD_RESIZE_IN_PLACE },
        { "{\"limits\":{\"memory\":\"1Gi\"}}", "{\"limits\":{\"memory\":\"2Gi\"}}",
          POD_RESIZE_BY_RESTART },
        { "{\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"}}",
          "{\"limits\":{\"cpu\":\"2\",\"memory\":\"1024Mi\"}}", POD_RESIZE_IN_PLACE },
    };
    struct core_v1_container_resize_policy policy = { .resource_name = STR("memory"),
                                                      .restart_policy = STR("RestartContainer") };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct core_v1_container c = { .resize_policy = { &policy, 1 } };
        struct core_v1_resource_requirements *has =
            pod_resize_parse(&a, str_from_cstr(cases[i].has));
        struct core_v1_resource_requirements *wants =
            pod_resize_parse(&a, str_from_cstr(cases[i].wants));

        cr_assert(has && wants);
        c.resources = *wants;
        cr_expect_eq(pod_resize_way(&c, has), cases[i].way, "%s to %s", cases[i].has,
                     cases[i].wants);
        cr_expect(str_eq(pod_resize_text(&a, has), str_from_cstr(cases[i].has)), "%.*s",
                  STR_ARG(pod_resize_text(&a, has)));
    }
}
