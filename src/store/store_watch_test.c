/* Watches under load, long keys, transactions of several, expiry, pages. */
#include "store/store_fixture.h"

#include "base/random.h"

static void ready(struct store_watch *w, void *arg)
{
    (void)w;
    if (arg)
        (*(int *)arg)++;
}

static struct store_watch *watch(struct fixture *f, uint64_t after, uint32_t max_queued, int *count)
{
    struct store_watch_options o = { .resource = f->pods,
                                     .after = after,
                                     .max_queued = max_queued };
    struct store_watch *w = NULL;
    struct err err = { 0 };
    int r = store_watch_start(f->store, &o, f->mailbox, ready, count, &w, &err);

    cr_assert_eq(r, 0, "%s", err.text);
    return w;
}

struct writer {
    struct store_txn txn;
    struct store_mutation m;
    struct fixture *f;
    int left;
    uint64_t seed;
    char key[32], head[32];
};

static void write_one(struct writer *w);

static void writer_done(struct store_txn *t, void *arg)
{
    struct writer *w = arg;

    cr_assert(t->result == 0 || t->result == ERR_NOT_FOUND, "%d", t->result);
    if (--w->left > 0)
        write_one(w);
}

static void write_one(struct writer *w)
{
    w->seed = w->seed * 6364136223846793005ULL + 1442695040888963407ULL;
    (void)snprintf(w->key, sizeof(w->key), "ns/k%u", (unsigned)(w->seed >> 60));
    (void)snprintf(w->head, sizeof(w->head), "%llx", (unsigned long long)w->seed);
    w->m = (struct store_mutation){ .op = w->seed >> 40 & 3 ? STORE_PUT : STORE_DELETE,
                                    .resource = w->f->pods,
                                    .key = str_from_cstr(w->key),
                                    .expected = STORE_EXPECT_ANY };
    if (w->m.op == STORE_PUT)
        w->m.head = str_from_cstr(w->head);
    w->txn = (struct store_txn){
        .mutations = &w->m, .n = 1, .mailbox = w->f->mailbox, .done = writer_done, .arg = w
    };
    store_submit(w->f->store, &w->txn);
}

static void drain(struct store_watch *w, struct buf *out)
{
    const struct store_event *e;

    while ((e = store_watch_next(w))) {
        buf_printf(out, "%d %llu %.*s %.*s %llu\n", e->type, (unsigned long long)e->revision,
                   STR_ARG(e->object.key), STR_ARG(e->object.head),
                   e->has_previous ? (unsigned long long)e->previous.mod_revision : 0);
        store_event_unref(e);
    }
}

/* The lines of `all` whose revision is above `after`. */
static struct str lines_after(struct str all, uint64_t after)
{
    while (all.len) {
        struct str line, rest, type, rev;
        uint64_t v;

        (void)str_cut(all, '\n', &line, &rest);
        cr_assert(str_cut(line, ' ', &type, &line) && str_cut(line, ' ', &rev, &line));
        cr_assert(str_to_u64(rev, &v));
        if (v > after)
            break;
        all = rest;
    }
    return all;
}

/* Watchers that start at any revision, at any time while writes go on, all see what the first
 * one saw live. */
Test(store_watch, resumes_anywhere_without_gap_or_duplicate)
{
    enum { WATCHERS = 100, WRITERS = 8, WRITES = 60 };
    static struct buf seen[WATCHERS];
    struct store_watch *w[WATCHERS] = { NULL };
    uint64_t after[WATCHERS] = { 0 };
    struct writer writers[WRITERS] = { 0 };
    struct fixture f = { 0 };
    size_t started = 1;
    bool busy = true;

    fixture_start(&f);
    w[0] = watch(&f, 0, 100000, NULL);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){ .f = &f, .left = WRITES, .seed = (uint64_t)i * 77 + 5 };
        write_one(&writers[i]);
    }
    while (busy || started < WATCHERS) {
        fixture_turn(&f);
        busy = false;
        for (int i = 0; i < WRITERS; i++)
            busy = busy || writers[i].left > 0;
        for (int i = 0; i < 2 && started < WATCHERS; i++, started++) {
            after[started] = store_revision(f.store) * started / WATCHERS;
            w[started] = watch(&f, after[started], 100000, NULL);
        }
        for (size_t i = 0; i < started; i += 3)
            drain(w[i], &seen[i]);
    }
    for (size_t i = 0; i < WATCHERS; i++) {
        while (store_watch_progress(w[i]) < store_revision(f.store)) {
            cr_assert_eq(store_watch_status(w[i]), 0);
            drain(w[i], &seen[i]);
            fixture_turn(&f);
        }
        struct str want = lines_after(buf_str(&seen[0]), after[i]), is = buf_str(&seen[i]);
        cr_assert(str_eq(want, is), "watcher %zu after %llu", i, (unsigned long long)after[i]);
    }
    cr_assert_gt(seen[0].len, 1000);
    for (size_t i = 0; i < WATCHERS; i++) {
        store_watch_stop(w[i]);
        buf_done(&seen[i]);
    }
    fixture_end(&f);
}

Test(store_watch, a_slow_watcher_ends_with_overflow)
{
    struct fixture f = { 0 };
    struct store_watch *slow, *fast;
    struct store_stats stats;
    int woken = 0, events = 0;

    fixture_start(&f);
    slow = watch(&f, 0, 4, &woken);
    fast = watch(&f, 0, 0, NULL);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(fixture_put(&f, f.pods, "ns/x", "1", NULL), 0);
    cr_assert_eq(store_watch_status(slow), 0);
    cr_assert_eq(fixture_put(&f, f.pods, "ns/x", "1", NULL), 0);
    fixture_turn(&f);
    cr_assert_eq(store_watch_status(slow), ERR_OVERFLOW);
    cr_assert_null(store_watch_next(slow));
    cr_assert_gt(woken, 0);
    for (const struct store_event *e; (e = store_watch_next(fast)); events++)
        store_event_unref(e);
    cr_assert_eq(events, 5);
    store_get_stats(f.store, &stats);
    cr_assert_eq(stats.dropped_watchers, 1);
    cr_assert_eq(stats.watchers, 2);
    store_watch_stop(slow);
    store_watch_stop(fast);
    fixture_end(&f);
}

static void stop_it(struct store_watch *w, void *arg)
{
    struct store_watch **other = arg;

    store_watch_stop(*other);
    *other = NULL;
    (void)w;
}

Test(store_watch, may_be_stopped_inside_a_callback)
{
    struct fixture f = { 0 };
    struct store_watch_options o = { 0 };
    struct store_watch *w[2], *slots[2];
    struct err err = { 0 };

    fixture_start(&f);
    o.resource = f.pods;
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(store_watch_start(f.store, &o, f.mailbox, stop_it, &slots[!i], &w[i], &err),
                     0);
        slots[i] = w[i];
    }
    cr_assert_eq(fixture_put(&f, f.pods, "ns/x", "1", NULL), 0);
    for (int i = 0; i < 10; i++)
        fixture_turn(&f);
    cr_assert(!slots[0] != !slots[1], "each stops the other, so just one is left");
    store_watch_stop(slots[0]);
    store_watch_stop(slots[1]);
    fixture_end(&f);
}

Test(store_watch, long_keys_are_whole_again)
{
    enum { LEN = 700 };
    CLEANUP(buf_done) struct buf v = { 0 };
    struct fixture f = { 0 };
    struct store_watch *w;
    struct err err = { 0 };
    char a[LEN + 1], b[LEN + 1];
    const struct store_event *e = NULL;
    uint64_t mod;

    memset(a, 'k', LEN);
    memcpy(a, "ns/", 3);
    a[LEN] = 0;
    memcpy(b, a, sizeof(a));
    b[LEN - 1] = 'z';
    fixture_start(&f);
    cr_assert_eq(fixture_put(&f, f.pods, a, "1", NULL), 0);
    cr_assert_eq(fixture_put(&f, f.pods, b, "2", NULL), 0);
    cr_assert_eq(fixture_get(&f, f.pods, a, &v, &mod, &err), 0);
    cr_assert_eq(mod, 1);
    b[LEN - 2] = 'z';
    cr_assert_eq(fixture_get(&f, f.pods, b, &v, &mod, &err), ERR_NOT_FOUND);
    w = watch(&f, 0, 0, NULL);
    while (!(e = store_watch_next(w)))
        fixture_turn(&f);
    cr_assert(str_eq(e->object.key, str_from_cstr(a)));
    store_event_unref(e);
    store_watch_stop(w);
    a[5] = (char)0xff;
    cr_assert_eq(fixture_put(&f, f.pods, a, "1", NULL), ERR_INVALID);
    cr_assert_eq(fixture_put(&f, f.pods, "", "1", NULL), ERR_INVALID);
    fixture_end(&f);
}

Test(store_watch, a_transaction_is_all_or_nothing)
{
    CLEANUP(buf_done) struct buf v = { 0 };
    struct fixture f = { 0 };
    struct err err = { 0 };
    struct store_mutation m[3];
    struct store_txn t = { .mutations = m, .n = 3 };
    uint64_t first = 0;

    fixture_start(&f);
    cr_assert_eq(fixture_put(&f, f.pods, "ns/quota", "1", &first), 0);
    for (int i = 0; i < 3; i++)
        m[i] = (struct store_mutation){
            .op = STORE_PUT, .resource = f.pods, .head = STR("new"), .expected = STORE_EXPECT_ABSENT
        };
    m[0].key = STR("ns/pod");
    m[1].key = STR("ns/quota");
    m[2].key = STR("ns/other");
    cr_assert_eq(fixture_run(&f, &t), ERR_EXISTS);
    cr_assert_eq(t.failed, 1);
    cr_assert_eq(fixture_get(&f, f.pods, "ns/pod", &v, NULL, &err), ERR_NOT_FOUND);
    m[1].expected = first;
    cr_assert_eq(fixture_run(&f, &t), 0);
    cr_assert_eq(t.revision, first + 1);
    m[0].expected = m[1].expected = m[2].expected = STORE_EXPECT_ANY;
    m[2].key = STR("ns/pod");
    cr_assert_eq(fixture_run(&f, &t), ERR_INVALID, "a key twice");
    m[2].key = STR("ns/e");
    m[2].resource = f.events;
    cr_assert_eq(fixture_run(&f, &t), ERR_INVALID, "hard and soft");
    m[2].op = STORE_CHECK;
    m[2].expected = STORE_EXPECT_ABSENT;
    cr_assert_eq(fixture_run(&f, &t), 0);
    fixture_end(&f);
}

Test(store_watch, what_expires_is_deleted_for_all_to_see)
{
    struct fixture f = { 0 };
    struct store_watch_options o = { 0 };
    struct store_watch *w;
    struct store_mutation m;
    const struct store_event *e = NULL;
    struct err err = { 0 };

    fixture_start(&f);
    m = (struct store_mutation){ .op = STORE_PUT,
                                 .resource = f.events,
                                 .key = STR("ns/e"),
                                 .head = STR("x"),
                                 .expected = STORE_EXPECT_ANY,
                                 .expires_s = clock_wall_s(&clock_system) + 1 };
    o.resource = f.events;
    o.after = 1;
    cr_assert_eq(fixture_apply(&f, &m, 1, NULL), 0);
    cr_assert_eq(store_watch_start(f.store, &o, f.mailbox, ready, NULL, &w, &err), 0);
    while (!(e = store_watch_next(w)))
        fixture_turn(&f);
    cr_assert_eq(e->type, STORE_EVENT_DELETED);
    cr_assert_eq(e->revision, 2);
    store_event_unref(e);
    store_watch_stop(w);
    fixture_end(&f);
}

Test(store_watch, pages_of_a_list_are_one_snapshot)
{
    enum { OBJECTS = 200, PAGE = 7 };
    struct fixture f = { 0 };
    struct err err = { 0 };
    char key[32], after[32] = "";
    uint64_t at, n = 0;
    bool more = true;

    fixture_start(&f);
    for (int i = 0; i < OBJECTS; i++) {
        (void)snprintf(key, sizeof(key), "ns/k%03d", i);
        cr_assert_eq(fixture_put(&f, f.pods, key, "old", NULL), 0);
    }
    at = store_revision(f.store);
    while (more) {
        struct store_range r = { .resource = f.pods,
                                 .revision = at,
                                 .after = str_from_cstr(after) };
        struct store_snapshot snap;
        struct store_cursor *c;
        struct store_object o;
        struct arena a;

        arena_init(&a, 0);
        cr_assert_eq(store_snapshot_begin(f.store, &snap, &err), 0);
        cr_assert_eq(store_range_begin(&snap, &a, &r, &c, &err), 0);
        for (int i = 0; i < PAGE && (more = store_range_next(c, &o, &err) == 1); i++, n++) {
            cr_assert(str_eq(o.head, STR("old")));
            (void)snprintf(after, sizeof(after), "%.*s", STR_ARG(o.key));
        }
        store_snapshot_end(&snap);
        arena_done(&a);
        (void)snprintf(key, sizeof(key), "ns/k%03d", (int)(n * 31 % OBJECTS));
        cr_assert_eq(fixture_put(&f, f.pods, key, "new", NULL), 0);
        (void)snprintf(key, sizeof(key), "ns/n%03d", (int)n);
        cr_assert_eq(fixture_put(&f, f.pods, key, "new", NULL), 0);
    }
    cr_assert_eq(n, OBJECTS);
    fixture_end(&f);
}

Test(store_watch, compacted_space_is_used_again)
{
    enum { ROUNDS = 6, WRITES = 60, SIZE = 20000 };
    struct fixture f = { 0 };
    struct store_stats stats;
    struct err err = { 0 };
    uint64_t first = 0;
    char *value = mem_zalloc(SIZE + 1);

    memset(value, 'v', SIZE);
    fixture_start(&f);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < WRITES; i++)
            cr_assert_eq(fixture_put(&f, f.pods, "ns/x", value, NULL), 0);
        cr_assert_eq(store_compact(f.store, store_revision(f.store), &err), 0);
        for (int i = 0; i < 20; i++)
            fixture_turn(&f);
        store_get_stats(f.store, &stats);
        if (round == 1)
            first = stats.bytes_hard;
    }
    cr_assert_leq(stats.bytes_hard, first + first / 4);
    mem_free(value);
    fixture_end(&f);
}

struct reading {
    struct fixture *f;
    atomic_bool stop;
    atomic_int bad;
    atomic_int reads;
};

/* Two objects that are always written together must be seen together, by GET and by LIST. */
static void *read_pairs(void *arg)
{
    struct reading *rd = arg;

    while (!atomic_load(&rd->stop)) {
        struct store_range r = { .resource = rd->f->pods };
        struct store_object a = { 0 }, b = { 0 }, o;
        struct store_snapshot snap;
        struct store_cursor *c;
        struct arena arena;
        struct err err;
        int n = 0, ra, rb;

        arena_init(&arena, 0);
        if (store_snapshot_begin(rd->f->store, &snap, &err) < 0 ||
            store_range_begin(&snap, &arena, &r, &c, &err) < 0)
            break;
        ra = store_get(&snap, rd->f->pods, STR("ns/a"), &a, &err);
        rb = store_get(&snap, rd->f->pods, STR("ns/b"), &b, &err);
        while (store_range_next(c, &o, &err) == 1 && o.mod_revision == a.mod_revision)
            n++;
        if (ra != rb ||
            (ra == 0 && (!str_eq(a.head, b.head) || n != 2 || a.mod_revision > snap.revision)))
            (void)atomic_fetch_add(&rd->bad, 1);
        (void)atomic_fetch_add(&rd->reads, 1);
        store_snapshot_end(&snap);
        arena_done(&arena);
    }
    return NULL;
}

Test(store_watch, readers_on_other_threads_see_whole_transactions)
{
    enum { READERS = 2, WRITES = 400 };
    struct fixture f = { 0 };
    struct reading rd = { .f = &f };
    struct store_mutation m[2];
    struct err err = { 0 };
    pthread_t t[READERS];
    char head[32];

    fixture_start(&f);
    for (int i = 0; i < READERS; i++)
        cr_assert_eq(pthread_create(&t[i], NULL, read_pairs, &rd), 0);
    for (int i = 0; i < WRITES || atomic_load(&rd.reads) < 100; i++) {
        (void)snprintf(head, sizeof(head), "%d", i);
        for (int j = 0; j < 2; j++)
            m[j] = (struct store_mutation){ .op = i % 7 == 6 ? STORE_DELETE : STORE_PUT,
                                            .resource = f.pods,
                                            .key = j ? STR("ns/b") : STR("ns/a"),
                                            .expected = STORE_EXPECT_ANY,
                                            .head = str_from_cstr(head) };
        cr_assert_eq(fixture_apply(&f, m, 2, NULL), 0);
        if (i % 50 == 49)
            cr_assert_eq(store_compact(f.store, store_revision(f.store), &err), 0);
    }
    atomic_store(&rd.stop, true);
    for (int i = 0; i < READERS; i++)
        (void)pthread_join(t[i], NULL);
    cr_assert_eq(atomic_load(&rd.bad), 0);
    fixture_end(&f);
}
