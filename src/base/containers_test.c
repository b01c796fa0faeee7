/* Lists, heaps, maps, vectors, buffers and arenas. */
#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/vec.h"

struct node {
    struct list link;
    struct heap_node place;
    int n;
};

static int at(struct list *l)
{
    return CONTAINER_OF(l, struct node, link)->n;
}

Test(list, keeps_order_and_forgets_what_is_removed)
{
    struct list head, other;
    struct node n[5];
    int seen = 0, i = 0;

    list_init(&head);
    list_init(&other);
    cr_assert(list_is_empty(&head));
    cr_assert_null(list_first(&head));
    for (i = 0; i < 5; i++) {
        n[i].n = i;
        list_append(i < 3 ? &head : &other, &n[i].link);
    }
    list_remove(&n[4].link);
    list_prepend(&head, &n[4].link);
    cr_assert_eq(at(list_first(&head)), 4);
    list_splice(&head, &other);
    cr_assert(list_is_empty(&other));
    LIST_FOREACH_SAFE(l, &head) {
        seen = seen * 10 + at(l);
        if (at(l) == 1)
            list_remove(l);
    }
    cr_assert_eq(seen, 40123);
    cr_assert(list_is_empty(&n[1].link));
    list_remove(&n[1].link); /* twice is fine */
    seen = 0;
    LIST_FOREACH(l, &head)
        seen = seen * 10 + at(l);
    cr_assert_eq(seen, 4023);
}

static bool is_less(const struct heap_node *a, const struct heap_node *b)
{
    return CONTAINER_OF(a, const struct node, place)->n <
           CONTAINER_OF(b, const struct node, place)->n;
}

Test(heap, gives_the_smallest_whatever_is_done_in_between)
{
    enum { N = 500 };
    static struct node n[N];
    struct heap h;
    uint32_t random = 1;
    int last = -1, left = 0;

    heap_init(&h, is_less);
    cr_assert_null(heap_top(&h));
    cr_assert_null(heap_pop(&h));
    for (int i = 0; i < N; i++) {
        random = random * 1664525U + 1013904223U;
        n[i].n = (int)(random >> 16);
        heap_push(&h, &n[i].place);
    }
    for (int i = 0; i < N; i += 3)
        heap_remove(&h, &n[i].place);
    heap_remove(&h, &n[0].place); /* in no heap any more */
    for (int i = 1; i < N; i += 3) {
        n[i].n = N - i;
        heap_update(&h, &n[i].place);
    }
    for (struct heap_node *p; (p = heap_pop(&h)); left++) {
        int value = CONTAINER_OF(p, struct node, place)->n;

        cr_assert_geq(value, last);
        last = value;
    }
    cr_assert_eq(left, N - (N + 2) / 3);
    heap_done(&h);
}

Test(map, holds_many_keys_and_removes_while_it_is_walked)
{
    enum { N = 3000 };
    static int values[N];
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(map_done) struct map m = { 0 };
    size_t walked = 0;

    cr_assert_null(map_get(&m, STR("nothing")));
    cr_assert_null(map_remove(&m, STR("nothing")));
    for (int i = 0; i < N; i++)
        cr_assert_null(map_put(&m, arena_printf(&a, "key-%d", i), &values[i]));
    cr_assert_eq(map_put(&m, STR("key-7"), &values[8]), &values[7], "the one before");
    cr_assert_eq(map_put(&m, STR("key-7"), &values[7]), &values[8]);
    cr_assert_eq(m.len, N);
    MAP_FOREACH(e, &m) {
        walked++;
        if ((int *)e->value - values >= N / 2)
            cr_assert_not_null(
                map_remove(&m, arena_printf(&a, "key-%d", (int)((int *)e->value - values))));
    }
    cr_assert_eq(walked, N);
    cr_assert_eq(m.len, N / 2);
    for (int i = 0; i < N; i++)
        cr_assert_eq(map_get(&m, arena_printf(&a, "key-%d", i)), i < N / 2 ? &values[i] : NULL);
    cr_assert_null(map_put(&m, STR(""), values));
    cr_assert(map_has(&m, STR("")), "an empty key is a key");
}

/* From in-order search to hashing and back, with holes on both sides. */
Test(map, stays_whole_when_it_grows_past_the_small_size_and_shrinks)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(map_done) struct map m = { 0 };
    bool in[64] = { 0 };
    uint32_t random = 1;

    for (int turn = 0; turn < 20000; turn++) {
        int most = turn / 1000 % 2 ? 64 : 7, i;
        struct str key;

        random = random * 1103515245U + 12345U;
        i = (int)(random >> 16) % 64;
        key = arena_printf(&a, "k%d", i);
        cr_assert_eq(map_has(&m, key), in[i], "turn %d", turn);
        if (in[i] && (i >= most || random >> 30 == 0))
            cr_assert_eq(map_remove(&m, key), &in[i]);
        else if (i < most)
            cr_assert_eq(map_put(&m, key, &in[i]), in[i] ? &in[i] : NULL);
        in[i] = map_has(&m, key);
    }
    for (int i = 0; i < 64; i++)
        cr_assert_eq(map_has(&m, arena_printf(&a, "k%d", i)), in[i]);
}

Test(map, does_not_grow_when_keys_come_and_go)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(map_done) struct map m = { 0 };

    for (int i = 0; i < 100000; i++) {
        (void)map_put(&m, arena_printf(&a, "%d", i), &m);
        (void)map_remove(&m, arena_printf(&a, "%d", i));
    }
    cr_assert_eq(m.len, 0);
    cr_assert_leq(m.cap, 64);
}

Test(vec, grows_and_keeps_what_it_holds)
{
    struct VEC(int) v = { 0 };
    int sum = 0;

    for (int i = 0; i < 1000; i++)
        VEC_PUSH(&v, i);
    cr_assert_eq(VEC_POP(&v), 999);
    cr_assert_eq(VEC_LAST(&v), 998);
    VEC_FOREACH(int *, p, &v)
        sum += *p;
    cr_assert_eq(sum, 998 * 999 / 2);
    VEC_CLEAR(&v);
    VEC_FOREACH(int *, p, &v)
        cr_assert_fail("it is empty");
    VEC_DONE(&v);
    cr_assert_null(v.items);
}

Test(buf, appends_everything)
{
    CLEANUP(buf_done) struct buf b = { 0 };

    cr_assert_eq(buf_str(&b).len, 0);
    buf_append_str(&b, STR_NULL);
    buf_append_char(&b, 'a');
    buf_append_lit(&b, "bc");
    buf_append_u64(&b, 18446744073709551615ULL);
    buf_append_i64(&b, INT64_MIN);
    buf_printf(&b, "%s-%d", "x", 7);
    cr_assert(str_eq(buf_str(&b), STR("abc18446744073709551615-9223372036854775808x-7")));
    buf_reset(&b);
    for (int i = 0; i < 100000; i++)
        buf_append_char(&b, (char)('a' + i % 26));
    cr_assert_eq(b.len, 100000);
    cr_assert_eq(b.p[99999], 'a' + 99999 % 26);
}

static void count(void *arg)
{
    int *order = arg;

    order[1] = order[1] * 10 + ++order[0];
}

Test(arena, aligns_and_bounds)
{
    struct arena a = { 0 };
    int order[2] = { 0 };

    for (size_t align = 1; align <= 64; align *= 2)
        for (size_t size = 1; size < 5000; size = size * 3 + 1) {
            char *p = arena_alloc(&a, size, align);

            cr_assert_eq((uintptr_t)p % align, 0);
            memset(p, 0xa5, size);
        }
    arena_done(&a);
    arena_init(&a, 100000);
    (void)arena_alloc(&a, 50000, 1);
    cr_assert_not(arena_is_over(&a));
    (void)arena_alloc(&a, 100000, 1); /* still served */
    cr_assert(arena_is_over(&a));
    arena_defer(&a, count, order);
    arena_defer(&a, count, order);
    arena_reset(&a);
    cr_assert_eq(order[1], 12, "deferred calls run once each");
    cr_assert_not(arena_is_over(&a));
    cr_assert(str_eq(arena_printf(&a, "%05d", 42), STR("00042")));
    arena_done(&a);
    arena_done(&a); /* twice is fine */
    cr_assert_eq(order[0], 2);
}
