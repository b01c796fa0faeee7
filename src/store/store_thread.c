/* The store thread: takes what is queued, applies it in one write transaction for each environment,
 * makes one commit (for hard: one durable one), then publishes the revision, delivers the events
 * and answers. While a commit waits for the disk the next batch gathers, so batches grow with load
 * and nobody waits for a timer. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/store_internal.h"

enum { BATCH_TXNS = 512, REVISION_BLOCK = 100000, COND_SLEEP_MAX_MS = 3600 * 1000 };
#define BATCH_BYTES ((size_t)16 << 20)

int store_batch_begin(struct store *s, struct store_batch *b)
{
    *b = (struct store_batch){ .view = { .store = s, .revision = s->counter, .current = true } };
    list_init(&b->events);
    for (int e = 0; e < ENV_MAX; e++) {
        int rc = mdb_txn_begin(s->env[e].env, NULL, 0, &b->view.txn[e]);

        b->before[e] = s->env[e].state;
        if (rc == MDB_PANIC)
            store_die("begin", rc);
        if (rc) {
            if (e > 0)
                mdb_txn_abort(b->view.txn[0]);
            return store_env_code(rc);
        }
    }
    return 0;
}

static void drop_events(struct store_batch *b, int env)
{
    LIST_FOREACH_SAFE(l, &b->events) {
        struct store_event_node *n = CONTAINER_OF(l, struct store_event_node, link);

        if (env >= 0 && n->env != env)
            continue;
        list_remove(l);
        store_event_unref(&n->event);
    }
}

static void abort_env(struct store_batch *b, int e)
{
    if (b->view.txn[e])
        mdb_txn_abort(b->view.txn[e]);
    b->view.txn[e] = NULL;
    b->view.store->env[e].state = b->before[e];
}

void store_batch_abort(struct store_batch *b)
{
    drop_events(b, -1);
    for (int e = 0; e < ENV_MAX; e++)
        abort_env(b, e);
}

static int commit_env(struct store_batch *b, int e)
{
    struct store_env *env = &b->view.store->env[e];
    int rc;

    if (!b->touched[e]) {
        abort_env(b, e);
        return 0;
    }
    env->state.revision = b->view.revision;
    rc = store_env_save_state(env, b->view.txn[e]);
    if (rc == 0) {
        rc = env->commit(b->view.txn[e]); /* frees it in any case */
        b->view.txn[e] = NULL;
    }
    if (rc == 0)
        return 0;
    /* Nothing that a failed commit wrote is ever referred to, so the lack of room is no harm. After
     * anything else nobody knows what the disk holds. */
    if (store_env_code(rc) != ERR_NO_SPACE)
        store_die("commit", rc);
    abort_env(b, e);
    return ERR_NO_SPACE;
}

static void publish(struct store *s, uint64_t revision)
{
    (void)atomic_fetch_add(&s->publish_seq, 1);
    for (int e = 0; e < ENV_MAX; e++) {
        MDB_envinfo info;

        (void)mdb_env_info(s->env[e].env, &info); /* fails only on NULL */
        atomic_store(&s->txn_id[e], info.me_last_txnid);
    }
    atomic_store(&s->revision, revision);
    (void)atomic_fetch_add(&s->publish_seq, 1);
}

int store_batch_commit(struct store_batch *b)
{
    struct store *s = b->view.store;
    int r;

    if (!b->touched[ENV_HARD] && !b->touched[ENV_SOFT]) {
        store_batch_abort(b);
        return 0;
    }
    r = commit_env(b, ENV_HARD);
    if (r < 0) {
        store_batch_abort(b);
        return r;
    }
    r = commit_env(b, ENV_SOFT);
    if (r < 0)
        drop_events(b, ENV_SOFT);
    s->counter = b->view.revision;
    publish(s, s->counter);
    (void)atomic_fetch_add(&s->commits, 1);
    return r < 0 ? 1 : 0;
}

/* --- batches of queued transactions --- */

static void run_done(struct mailbox_message *m)
{
    struct store_txn *t = CONTAINER_OF(m, struct store_txn, message);

    t->done(t, t->arg);
}

static void answer(struct store_txn *t)
{
    t->message.fn = run_done;
    list_remove(&t->queue);
    mailbox_post(t->mailbox, &t->message);
}

/* The answers of one loop go to it together. */
static void answer_all(struct list *txns)
{
    struct list messages;

    list_init(&messages);
    while (!list_is_empty(txns)) {
        struct mailbox *m = CONTAINER_OF(list_first(txns), struct store_txn, queue)->mailbox;

        LIST_FOREACH_SAFE(l, txns) {
            struct store_txn *t = CONTAINER_OF(l, struct store_txn, queue);

            if (t->mailbox != m)
                continue;
            t->message.fn = run_done;
            list_remove(&t->queue);
            list_append(&messages, &t->message.link);
        }
        mailbox_post_all(m, &messages);
    }
}

/* What must be durable before any revision or resource of this batch is. */
static int prepare_batch(struct store *s, struct store_batch *b, size_t n)
{
    struct store_state *st = &s->env[ENV_HARD].state;

    if (s->counter + n > st->ceiling) {
        st->ceiling = s->counter + n + REVISION_BLOCK;
        b->touched[ENV_HARD] = true;
    }
    if (atomic_exchange(&s->resources_dirty, false)) {
        int rc = store_save_resources(s, b->view.txn[ENV_HARD]);

        b->touched[ENV_HARD] = true;
        if (rc) {
            atomic_store(&s->resources_dirty, true);
            return store_env_code(rc);
        }
    }
    return 0;
}

/* Applies and commits all of txns; < 0: none of it happened. */
static int try_batch(struct store *s, struct list *txns, size_t n)
{
    struct store_batch b;
    bool dirty = atomic_load(&s->resources_dirty);
    int r;

    watch_hub_begin_batch(s->hub);
    r = store_batch_begin(s, &b);
    if (r < 0) {
        watch_hub_publish(s->hub, NULL, s->counter);
        return r;
    }
    r = prepare_batch(s, &b, n);
    LIST_FOREACH(l, txns) {
        if (r == 0)
            r = store_apply(&b, CONTAINER_OF(l, struct store_txn, queue));
    }
    if (r < 0)
        store_batch_abort(&b);
    else
        r = store_batch_commit(&b);
    if (r < 0) {
        if (dirty)
            atomic_store(&s->resources_dirty, true);
        watch_hub_publish(s->hub, NULL, s->counter);
        return r;
    }
    LIST_FOREACH(l, txns) {
        struct store_txn *t = CONTAINER_OF(l, struct store_txn, queue);

        if (r == 1 && t->env == ENV_SOFT && t->result == 0)
            t->result = ERR_NO_SPACE;
        (void)atomic_fetch_add_explicit(&s->mutations, t->n, memory_order_relaxed);
    }
    watch_hub_publish(s->hub, &b.events, s->counter);
    return 0;
}

/* One did not fit: each by itself, so that only that one fails. */
static void apply_singly(struct store *s, struct list *txns, size_t n, int r)
{
    struct list *l;

    while ((l = list_first(txns))) {
        struct store_txn *t = CONTAINER_OF(l, struct store_txn, queue);
        struct list one;

        list_remove(l);
        list_init(&one);
        list_append(&one, l);
        if (n > 1)
            r = try_batch(s, &one, 1);
        if (r < 0)
            t->result = r;
        answer(t);
    }
}

static void run_batch(struct store *s, struct list *txns, size_t n)
{
    int r;

    if (n > atomic_load(&s->batch_max))
        atomic_store(&s->batch_max, n);
    r = try_batch(s, txns, n);
    if (r < 0)
        apply_singly(s, txns, n, r);
    else
        answer_all(txns);
    store_mark_history(s);
}

/* --- the queue --- */

/* The thread is woken when the lock is free: else it would wake only to wait for it. */
static void submit_all(struct store *s, struct list *txns)
{
    bool was_empty;

    (void)pthread_mutex_lock(&s->queue_lock);
    was_empty = list_is_empty(&s->queue);
    list_splice(&s->queue, txns);
    (void)pthread_mutex_unlock(&s->queue_lock);
    if (was_empty)
        (void)pthread_cond_signal(&s->queue_cond);
}

void store_submit(struct store *s, struct store_txn *txn)
{
    struct list one;

    list_init(&one);
    list_append(&one, &txn->queue);
    submit_all(s, &one);
}

static void on_flush(struct loop_task *t)
{
    store_outbox_flush(CONTAINER_OF(t, struct store_outbox, flush));
}

void store_outbox_init(struct store_outbox *o, struct store *s, struct loop *l)
{
    *o = (struct store_outbox){ .store = s, .loop = l };
    list_init(&o->txns);
    loop_task_init(&o->flush, on_flush);
}

void store_outbox_submit(struct store_outbox *o, struct store_txn *txn)
{
    list_append(&o->txns, &txn->queue);
    loop_task_post(o->loop, &o->flush);
}

void store_outbox_flush(struct store_outbox *o)
{
    loop_task_cancel(&o->flush);
    if (!list_is_empty(&o->txns))
        submit_all(o->store, &o->txns);
}

static size_t bytes_of(const struct store_txn *t)
{
    size_t sum = 0;

    for (size_t i = 0; i < t->n && i < STORE_TXN_MUTATIONS_MAX; i++)
        sum += t->mutations[i].head.len + t->mutations[i].tail.len;
    return sum;
}

static size_t take_batch(struct store *s, struct list *ret)
{
    size_t n = 0, bytes = 0;
    struct list *l;

    while (n < BATCH_TXNS && bytes < BATCH_BYTES && (l = list_first(&s->queue))) {
        list_remove(l);
        list_append(ret, l);
        bytes += bytes_of(CONTAINER_OF(l, struct store_txn, queue));
        n++;
    }
    return n;
}

static void sleep_until(struct store *s, int64_t wait_ms)
{
    struct timespec ts;

    if (wait_ms < 0) {
        (void)pthread_cond_wait(&s->queue_cond, &s->queue_lock);
        return;
    }
    wait_ms = MIN(wait_ms, COND_SLEEP_MAX_MS); /* the wall clock may be set meanwhile */
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += wait_ms / 1000;
    ts.tv_nsec += wait_ms % 1000 * 1000000;
    if (ts.tv_nsec >= 1000000000) {
        ts.tv_sec++;
        ts.tv_nsec -= 1000000000;
    }
    (void)pthread_cond_timedwait(&s->queue_cond, &s->queue_lock, &ts);
}

static void *store_main(void *arg)
{
    struct store *s = arg;
    bool stopping = false, busy = false;
    uint64_t asked = 0;

    while (!stopping) {
        struct list txns;
        size_t n;
        int64_t wait_ms = busy ? 0 : store_upkeep_wait_ms(s);

        list_init(&txns);
        (void)pthread_mutex_lock(&s->queue_lock);
        if (list_is_empty(&s->queue) && !s->stopping && s->compact_to == asked && wait_ms != 0)
            sleep_until(s, wait_ms);
        n = take_batch(s, &txns);
        stopping = s->stopping && n == 0;
        asked = s->compact_to;
        (void)pthread_mutex_unlock(&s->queue_lock);
        if (n)
            run_batch(s, &txns, n);
        if (stopping)
            break;
        if (asked > atomic_load(&s->compacted))
            atomic_store(&s->compacted, asked);
        busy = store_expire_slice(s);
        busy = store_compact_slice(s) || busy;
    }
    return NULL;
}

int store_thread_start(struct store *s, struct err *err)
{
    sigset_t all, before;
    int rc;

    publish(s, s->counter);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* fails only on a bad `how` */
    rc = pthread_create(&s->thread, NULL, store_main, s);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc)
        return err_errno(err, rc, "start the store thread");
    (void)pthread_setname_np(s->thread, "store");
    s->has_thread = true;
    return 0;
}

void store_thread_stop(struct store *s)
{
    if (!s->has_thread)
        return;
    (void)pthread_mutex_lock(&s->queue_lock);
    s->stopping = true;
    (void)pthread_cond_signal(&s->queue_cond);
    (void)pthread_mutex_unlock(&s->queue_lock);
    (void)pthread_join(s->thread, NULL);
    s->has_thread = false;
}
