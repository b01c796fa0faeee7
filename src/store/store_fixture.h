/* For the store's tests: a store in directories of its own, a loop, and blocking calls. */
#pragma once

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "io/loop.h"
#include "store/store_internal.h"

struct fixture {
    struct loop *loop;
    struct mailbox *mailbox;
    struct store *store;
    struct store_options options;
    char dir[64], soft[64];
    uint16_t pods, events;
};

static const char *const fixture_indexed[] = { "node", NULL };

static inline void fixture_open(struct fixture *f)
{
    struct err err = { 0 };
    int r = store_open(&f->options, &f->store, &err);

    cr_assert_eq(r, 0, "%s", err.text);
    r = store_resource(f->store,
                       &(struct store_resource_options){ .prefix = STR("/registry/pods/"),
                                                         .indexed = fixture_indexed },
                       &f->pods, &err);
    cr_assert_eq(r, 0, "%s", err.text);
    r = store_resource(
        f->store,
        &(struct store_resource_options){ .prefix = STR("/registry/events/"), .class = STORE_SOFT },
        &f->events, &err);
    cr_assert_eq(r, 0, "%s", err.text);
}

static inline void fixture_dirs(struct fixture *f)
{
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/pintle-store-XXXXXX");
    (void)snprintf(f->soft, sizeof(f->soft), "/dev/shm/pintle-soft-XXXXXX");
    cr_assert(mkdtemp(f->dir) && mkdtemp(f->soft));
    f->options.dir = f->dir;
    f->options.soft_dir = f->soft;
    f->options.map_bytes = (size_t)256 << 20;
    f->loop = loop_new(&clock_system);
    f->mailbox = loop_mailbox(f->loop);
}

static inline void fixture_start(struct fixture *f)
{
    fixture_dirs(f);
    fixture_open(f);
}

static inline int fixture_remove_one(const char *path, const struct stat *st, int flag,
                                     struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static inline void fixture_remove(const struct fixture *f)
{
    (void)nftw(f->dir, fixture_remove_one, 8, FTW_DEPTH | FTW_PHYS);
    (void)nftw(f->soft, fixture_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void fixture_end(struct fixture *f)
{
    store_close(f->store);
    loop_free(f->loop);
    fixture_remove(f);
}

static inline void fixture_turn(struct fixture *f)
{
    loop_turn(f->loop);
    (void)nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
}

static inline void fixture_done(struct store_txn *t, void *arg)
{
    (void)t;
    *(bool *)arg = true;
}

static inline int fixture_run(struct fixture *f, struct store_txn *t)
{
    bool done = false;

    t->mailbox = f->mailbox;
    t->done = fixture_done;
    t->arg = &done;
    store_submit(f->store, t);
    while (!done)
        fixture_turn(f);
    return t->result;
}

static inline int fixture_apply(struct fixture *f, const struct store_mutation *m, size_t n,
                                uint64_t *ret_revision)
{
    struct store_txn t = { .mutations = m, .n = n };
    int r = fixture_run(f, &t);

    if (r == 0 && ret_revision)
        *ret_revision = t.revision;
    return r;
}

static inline int fixture_put(struct fixture *f, uint16_t resource, const char *key,
                              const char *value, uint64_t *ret_revision)
{
    struct store_mutation m = { .op = STORE_PUT,
                                .resource = resource,
                                .key = str_from_cstr(key),
                                .expected = STORE_EXPECT_ANY,
                                .head = str_from_cstr(value) };

    return fixture_apply(f, &m, 1, ret_revision);
}

static inline int fixture_get(struct fixture *f, uint16_t resource, const char *key,
                              struct buf *ret_value, uint64_t *ret_mod, struct err *err)
{
    struct store_snapshot snap;
    struct store_object o;
    int r = store_snapshot_begin(f->store, &snap, err);

    cr_assert_eq(r, 0);
    r = store_get(&snap, resource, str_from_cstr(key), &o, err);
    if (r == 0) {
        buf_reset(ret_value);
        buf_append_str(ret_value, o.head);
        buf_append_str(ret_value, o.tail);
        if (ret_mod)
            *ret_mod = o.mod_revision;
    }
    store_snapshot_end(&snap);
    return r;
}
