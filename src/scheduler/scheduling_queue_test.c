#include "scheduler/scheduling_queue.h"

#include <criterion/criterion.h>

#include "api/meta_v1.h"
#include "api/resource.h"
#include "base/arena.h"
#include "base/err.h"
#include "client/api_object.h"
#include "scheduler/framework.h"

static struct arena arena;
static struct scheduling_queue q;

static void begin(void)
{
    scheduling_queue_init(&q);
}

static void end(void)
{
    scheduling_queue_done(&q);
    arena_done(&arena);
}

static void set(const char *name, int priority, int generation, int64_t now_ms)
{
    struct api_object *o;
    struct err err;

    cr_assert_eq(api_object_decode(resource_find(STR(""), STR("v1"), STR("pods")),
                                   arena_printf(&arena,
                                                "{\"metadata\":{\"name\":\"%s\",\"uid\":\"%s\","
                                                "\"generation\":%d},\"spec\":{\"priority\":%d}}",
                                                name, name, generation, priority),
                                   &o, &err),
                 0);
    scheduling_queue_set(&q, o, now_ms);
    api_object_unref(o);
}

static struct queued_pod *expect_next(const char *name, int64_t now_ms)
{
    struct queued_pod *p = scheduling_queue_pop(&q, now_ms);

    if (!name) {
        cr_assert_null(p);
        return NULL;
    }
    cr_assert_not_null(p, "no %s", name);
    cr_assert(str_eq(p->object->meta->name, str_from_cstr(name)), "%.*s is not %s",
              STR_ARG(p->object->meta->name), name);
    return p;
}

Test(scheduling_queue, by_priority_then_by_age, .init = begin, .fini = end)
{
    set("a", 0, 1, 0);
    set("b", 5, 1, 0);
    set("c", 5, 1, 0);
    (void)expect_next("b", 0);
    (void)expect_next("c", 0);
    (void)expect_next("a", 0);
    (void)expect_next(NULL, 0);
}

Test(scheduling_queue, back_off_doubles_to_ten_seconds, .init = begin, .fini = end)
{
    static const int64_t waits[] = { 1000, 2000, 4000, 8000, 10000, 10000 };
    int64_t now = 5;

    set("a", 0, 1, now);
    for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
        scheduling_queue_give_up(&q, expect_next("a", now), SCHED_NODE_ADDED, now);
        scheduling_queue_event(&q, SCHED_NODE_ADDED);
        (void)expect_next(NULL, now + waits[i] - 1);
        cr_expect_eq(scheduling_queue_next_ms(&q), now + waits[i]);
        now += waits[i];
    }
}

Test(scheduling_queue, only_what_matters_wakes, .init = begin, .fini = end)
{
    set("a", 0, 1, 0);
    scheduling_queue_give_up(&q, expect_next("a", 0), SCHED_NODE_TAINTS | SCHED_POD_DELETED, 0);
    scheduling_queue_event(&q, SCHED_NODE_LABELS);
    (void)expect_next(NULL, 60000);
    cr_expect_eq(scheduling_queue_next_ms(&q), 0, "nobody polls");
    scheduling_queue_event(&q, SCHED_POD_DELETED);
    (void)expect_next("a", 60000); /* its back-off has long passed */
}

Test(scheduling_queue, a_changed_pod_is_tried_again_its_status_is_no_change, .init = begin,
     .fini = end)
{
    set("a", 0, 1, 0);
    scheduling_queue_give_up(&q, expect_next("a", 0), SCHED_NODE_ADDED, 0);
    set("a", 0, 1, 1500);
    (void)expect_next(NULL, 1500);
    set("a", 0, 2, 1500);
    (void)expect_next("a", 1500);
    set("a", 0, 3, 1500); /* while its binding is under way */
    (void)expect_next(NULL, 1500);
    scheduling_queue_retry(&q, STR("a"), 1500);
    (void)expect_next("a", 3500);
    scheduling_queue_remove(&q, STR("a"));
    scheduling_queue_retry(&q, STR("a"), 9000);
    (void)expect_next(NULL, 60000);
}
