/* What the store costs, in process:
 *   durable creates by 64 submitters   beside bare LMDB: the same bytes, batches of the same size
 *   GET                                without a floor
 *   LIST, copied out                   beside memcpy of the same bytes
 *   events to 1000 watchers            without a floor; durable ones wait for the disk each
 * Usage: bench-store [directory on the disk to measure, default "."] */
#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/loop.h"
#include "store/store.h"

enum {
    SUBMITTERS = 64,
    ROUNDS = 5, /* ours and the floor in turn: disks have moods */
    CREATES = 4000 * ROUNDS,
    OBJECT_BYTES = 2500,
    GETS = 300000,
    LISTS = 20,
    WATCHERS = 1000,
    EVENTS = 200
};

struct bench {
    struct loop *loop;
    struct store *store;
    uint16_t pods;
    char *value;
    int started, answered, target;
};

struct submitter {
    struct store_txn txn;
    struct store_mutation m;
    struct bench *b;
    char key[64];
};

static double now_s(void)
{
    return (double)clock_system.mono_ns(&clock_system) / 1e9;
}

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "bench-store: %s: %s\n", what, why);
    exit(1);
}

static void submit(struct submitter *s);

static void on_done(struct store_txn *t, void *arg)
{
    struct submitter *s = arg;

    if (t->result < 0)
        die("create", err_name(t->result));
    if (++s->b->answered == s->b->target)
        loop_stop(s->b->loop);
    if (s->b->started < s->b->target)
        submit(s);
}

static void make_key(char *key, size_t size, int i)
{
    (void)snprintf(key, size, "namespace-%d/pod-%08d", i % 100, i);
}

static void submit(struct submitter *s)
{
    make_key(s->key, sizeof(s->key), s->b->started++);
    s->m = (struct store_mutation){ .op = STORE_PUT,
                                    .resource = s->b->pods,
                                    .key = str_from_cstr(s->key),
                                    .expected = STORE_EXPECT_ABSENT,
                                    .head = str_n(s->b->value, 200),
                                    .tail = str_n(s->b->value + 200, OBJECT_BYTES - 200) };
    s->txn = (struct store_txn){
        .mutations = &s->m, .n = 1, .mailbox = loop_mailbox(s->b->loop), .done = on_done, .arg = s
    };
    store_submit(s->b->store, &s->txn);
}

static double bare_lmdb(const char *dir, const char *value, int batch)
{
    char path[512], key[64];
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *txn;
    double t0;
    int rc;

    (void)snprintf(path, sizeof(path), "%s/bare.mdb", dir);
    rc = mdb_env_create(&env);
    if (!rc)
        rc = mdb_env_set_mapsize(env, (size_t)1 << 30);
    if (!rc)
        rc = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOTLS, 0600);
    if (rc)
        die("bare lmdb", mdb_strerror(rc));
    t0 = now_s();
    for (int i = 0; i < CREATES / ROUNDS && !rc;) {
        rc = mdb_txn_begin(env, NULL, 0, &txn);
        if (!rc)
            rc = mdb_dbi_open(txn, NULL, 0, &dbi);
        for (int j = 0; j < batch && i < CREATES / ROUNDS && !rc; i++, j++) {
            MDB_val k, v = { .mv_size = OBJECT_BYTES, .mv_data = (void *)(uintptr_t)value };

            make_key(key, sizeof(key), i);
            k = (MDB_val){ .mv_size = strlen(key), .mv_data = key };
            rc = mdb_put(txn, dbi, &k, &v, MDB_NOOVERWRITE);
        }
        if (!rc)
            rc = mdb_txn_commit(txn);
    }
    if (rc)
        die("bare lmdb", mdb_strerror(rc));
    t0 = now_s() - t0;
    mdb_env_close(env);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/bare.mdb-lock", dir);
    (void)unlink(path);
    return CREATES / ROUNDS / t0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double v[ROUNDS])
{
    qsort(v, ROUNDS, sizeof(*v), by_value);
    return v[ROUNDS / 2];
}

static double create_round(struct bench *b, struct submitter *s)
{
    double t0 = now_s();

    b->target += CREATES / ROUNDS;
    for (int i = 0; i < SUBMITTERS; i++) {
        s[i].b = b;
        submit(&s[i]);
    }
    loop_run(b->loop);
    return CREATES / ROUNDS / (now_s() - t0);
}

static void bench_create(struct bench *b, const char *dir)
{
    struct submitter *s = mem_zalloc(SUBMITTERS * sizeof(*s));
    double ours[ROUNDS], floor[ROUNDS], ratio[ROUNDS];
    struct store_stats stats;
    int batch = 1;

    for (int i = 0; i < ROUNDS; i++) {
        ours[i] = create_round(b, s);
        store_get_stats(b->store, &stats);
        batch = MAX((int)(stats.mutations / stats.commits), 1);
        floor[i] = bare_lmdb(dir, b->value, batch);
        ratio[i] = ours[i] / floor[i];
    }
    (void)printf("store-create: %.0f/s, batches of %d; bare LMDB %.0f/s; ratio %.2f (goal 0.50); "
                 "medians of %d rounds\n",
                 median(ours), batch, median(floor), median(ratio), ROUNDS);
    mem_free(s);
}

static void bench_get(struct bench *b)
{
    double t0 = now_s();
    struct err err;
    size_t sum = 0;

    for (int i = 0; i < GETS; i++) {
        struct store_snapshot snap;
        struct store_object o;
        char key[64];

        make_key(key, sizeof(key), (int)((unsigned)i * 7919u % CREATES));
        if (store_snapshot_begin(b->store, &snap, &err) < 0 ||
            store_get(&snap, b->pods, str_from_cstr(key), &o, &err) < 0)
            die("get", err.text);
        sum += o.head.len;
        store_snapshot_end(&snap);
    }
    t0 = now_s() - t0;
    (void)printf("store-get: %.0f/s, %.2f us each (%zu)\n", GETS / t0, t0 * 1e6 / GETS, sum / GETS);
}

static double list_once(struct bench *b, char *to)
{
    struct store_range r = { .resource = b->pods };
    struct store_snapshot snap;
    struct store_cursor *c;
    struct store_object o;
    struct arena a;
    struct err err;
    double t0 = now_s();
    size_t at = 0;

    arena_init(&a, 0);
    if (store_snapshot_begin(b->store, &snap, &err) < 0 ||
        store_range_begin(&snap, &a, &r, &c, &err) < 0)
        die("list", err.text);
    while (store_range_next(c, &o, &err) == 1) {
        memcpy(to + at, o.head.p, o.head.len);
        memcpy(to + at + o.head.len, o.tail.p, o.tail.len);
        at += o.head.len + o.tail.len;
    }
    store_snapshot_end(&snap);
    arena_done(&a);
    return (double)at / (now_s() - t0) / 1e6;
}

static void bench_list(struct bench *b)
{
    size_t size = (size_t)CREATES * OBJECT_BYTES;
    char *to = mem_zalloc(size), *from = mem_zalloc(size);
    double best = 0, floor = 0;

    memset(from, 1, size);
    for (int i = 0; i < LISTS; i++) {
        double mb = list_once(b, to), t0 = now_s();

        memcpy(to, from, size);
        floor = MAX(floor, (double)size / (now_s() - t0) / 1e6);
        best = MAX(best, mb);
    }
    (void)printf("store-list: %.0f MB/s with checksums, copied out; memcpy %.0f MB/s; ratio %.2f "
                 "(goal 1000 MB/s)\n",
                 best, floor, best / floor);
    mem_free(to);
    mem_free(from);
}

struct fan {
    struct bench *b;
    long taken;
};

static void on_ready(struct store_watch *w, void *arg)
{
    struct fan *f = arg;
    const struct store_event *e;

    while ((e = store_watch_next(w))) {
        store_event_unref(e);
        if (++f->taken == (long)WATCHERS * EVENTS)
            loop_stop(f->b->loop);
    }
}

struct chain {
    struct store_txn txn;
    struct store_mutation m;
    struct bench *b;
    int left;
};

static void next_event(struct chain *c);

static void on_chain(struct store_txn *t, void *arg)
{
    struct chain *c = arg;

    if (t->result < 0)
        die("update", err_name(t->result));
    if (--c->left)
        next_event(c);
}

static void next_event(struct chain *c)
{
    c->m = (struct store_mutation){ .op = STORE_PUT,
                                    .resource = c->b->pods,
                                    .key = STR("namespace-0/pod-00000000"),
                                    .expected = STORE_EXPECT_ANY,
                                    .head = str_n(c->b->value, OBJECT_BYTES) };
    c->txn = (struct store_txn){
        .mutations = &c->m, .n = 1, .mailbox = loop_mailbox(c->b->loop), .done = on_chain, .arg = c
    };
    store_submit(c->b->store, &c->txn);
}

static void bench_fan_out(struct bench *b, const char *name)
{
    struct fan fan = { .b = b };
    struct chain *c = NEW(struct chain);
    struct store_watch **w = mem_zalloc(WATCHERS * sizeof(*w));
    struct store_watch_options o = { .resource = b->pods, .after = store_revision(b->store) };
    struct err err;
    double t0;

    for (int i = 0; i < WATCHERS; i++)
        if (store_watch_start(b->store, &o, loop_mailbox(b->loop), on_ready, &fan, &w[i], &err) < 0)
            die("watch", err.text);
    c->b = b;
    c->left = EVENTS;
    t0 = now_s();
    next_event(c);
    loop_run(b->loop);
    t0 = now_s() - t0;
    (void)printf("store-fanout (%s): %d events to %d watchers, %.2f M deliveries/s\n", name, EVENTS,
                 WATCHERS, (double)WATCHERS * EVENTS / t0 / 1e6);
    for (int i = 0; i < WATCHERS; i++)
        store_watch_stop(w[i]);
    mem_free(w);
    mem_free(c);
}

static void open_store(struct bench *b, const struct store_options *o)
{
    struct store_resource_options ro = { .prefix = STR("/registry/pods/") };
    struct err err;

    b->loop = loop_new(&clock_system);
    b->started = b->answered = b->target = 0;
    if (store_open(o, &b->store, &err) < 0 || store_resource(b->store, &ro, &b->pods, &err) < 0)
        die("open", err.text);
}

static void remove_dir(const char *dir)
{
    static const char *const names[] = { "hard.mdb", "hard.mdb-lock", "soft.mdb", "lock" };
    char path[512];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
}

int main(int argc, char **argv)
{
    struct bench b = { 0 };
    char dir[256], soft[] = "/dev/shm/pintle-bench-XXXXXX";
    struct store_options o = { .dir = dir };

    (void)snprintf(dir, sizeof(dir), "%s/pintle-bench-XXXXXX", argc > 1 ? argv[1] : ".");
    if (!mkdtemp(dir))
        die(dir, strerror(errno));
    b.value = mem_alloc(OBJECT_BYTES);
    for (int i = 0; i < OBJECT_BYTES; i++)
        b.value[i] = (char)('a' + i % 26);
    open_store(&b, &o);
    bench_create(&b, dir);
    bench_get(&b);
    bench_list(&b);
    bench_fan_out(&b, "durable");
    store_close(b.store);
    loop_free(b.loop);
    remove_dir(dir);
    if (!mkdtemp(soft))
        die(soft, strerror(errno));
    o = (struct store_options){ .dir = NULL, .soft_dir = soft, .ephemeral = true };
    open_store(&b, &o);
    bench_fan_out(&b, "ephemeral");
    store_close(b.store);
    loop_free(b.loop);
    mem_free(b.value);
    return 0;
}
