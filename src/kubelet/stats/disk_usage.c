/* A batch of paths goes to a new thread and comes back by the mailbox; what is asked for meanwhile
 * makes the next batch. The thread touches the batch alone. */
#include "kubelet/stats/disk_usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "io/loop.h"
#include "io/mailbox.h"

enum {
    FRESH_MS = 60000,
    FORGET_MS = 300000,
    MAX_DEPTH = 64,
    MAX_ENTRIES = 1000000, /* of one tree */
};

struct entry {
    struct disk_usage_count count;
    int64_t asked_at_ms, counted_at_ms; /* 0: never */
    bool is_wanted, is_in_batch;
};

struct item {
    char *path;
    uint64_t bytes, inodes;
};

struct batch {
    struct mailbox_message message; /* comes back */
    struct disk_usage *owner;
    struct VEC(struct item) items;
    struct thread *thread;
    struct mailbox *to;
    atomic_bool is_cancelled;
};

struct disk_usage {
    struct loop *loop;
    struct map entries; /* of struct entry by path */
    struct batch *batch;
    struct loop_task task;
};

/* --- counting: on the thread --- */

struct walk {
    const struct batch *batch;
    struct item *item;
    dev_t device;
};

static void count_entry(struct walk *w, const struct stat *st)
{
    w->item->inodes++;
    /* A file of several names is counted once in all, if all of them are here. */
    w->item->bytes += (uint64_t)st->st_blocks * 512 /
                      (S_ISDIR(st->st_mode) || st->st_nlink == 0 ? 1 : st->st_nlink);
}

/* Takes fd. */
static void walk_directory(struct walk *w, int fd, int depth)
{
    DIR *d = fdopendir(fd);
    const struct dirent *e;
    struct stat st;

    if (!d) {
        (void)close(fd);
        return;
    }
    while (w->item->inodes < MAX_ENTRIES && !atomic_load(&w->batch->is_cancelled) &&
           (e = readdir(d))) {
        int child;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != w->device)
            continue;
        count_entry(w, &st);
        if (!S_ISDIR(st.st_mode) || depth >= MAX_DEPTH)
            continue;
        child = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child >= 0)
            walk_directory(w, child, depth + 1);
    }
    (void)closedir(d);
}

static void count_batch(void *arg)
{
    struct batch *b = arg;

    VEC_FOREACH(struct item *, i, &b->items) {
        struct walk w = { .batch = b, .item = i };
        int fd = open(i->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;

        if (fd < 0)
            continue;
        if (fstat(fd, &st) < 0) {
            (void)close(fd);
            continue;
        }
        w.device = st.st_dev;
        count_entry(&w, &st);
        walk_directory(&w, fd, 0);
    }
    mailbox_post(b->to, &b->message);
}

/* --- the loop's side --- */

static void batch_free(struct batch *b)
{
    thread_join(b->thread);
    VEC_FOREACH(struct item *, i, &b->items)
        mem_free(i->path);
    VEC_DONE(&b->items);
    mem_free(b);
}

static void on_counted(struct mailbox_message *m)
{
    struct batch *b = CONTAINER_OF(m, struct batch, message);
    struct disk_usage *d = b->owner;

    if (!d) { /* nobody waits any more */
        batch_free(b);
        return;
    }
    VEC_FOREACH(struct item *, i, &b->items) {
        struct entry *e = map_get(&d->entries, str_from_cstr(i->path));
        const struct clock *clock = loop_clock(d->loop);

        if (!e)
            continue;
        e->is_in_batch = false;
        e->counted_at_ms = loop_now_ms(d->loop);
        e->count = (struct disk_usage_count){ i->bytes, i->inodes, clock->wall_ns(clock) };
    }
    d->batch = NULL;
    batch_free(b);
    loop_task_post(d->loop, &d->task);
}

static void begin_batch(struct loop_task *t)
{
    struct disk_usage *d = CONTAINER_OF(t, struct disk_usage, task);
    int64_t now_ms = loop_now_ms(d->loop);
    struct batch *b;

    if (d->batch)
        return;
    b = NEW(struct batch);
    b->owner = d;
    b->message.fn = on_counted;
    b->to = loop_mailbox(d->loop);
    MAP_FOREACH(it, &d->entries) {
        struct entry *e = it->value;

        if (e->is_wanted) {
            VEC_PUSH(&b->items, (struct item){ .path = str_heap_cstr(it->key) });
            e->is_wanted = false;
            e->is_in_batch = true;
        } else if (now_ms - e->asked_at_ms > FORGET_MS) {
            (void)map_remove(&d->entries, it->key);
            mem_free(e);
        }
    }
    if (!b->items.len) {
        mem_free(b);
        return;
    }
    d->batch = b;
    b->thread = thread_start("disk-usage", count_batch, b);
}

bool disk_usage_get(struct disk_usage *d, const char *path, struct disk_usage_count *ret)
{
    struct str key = str_from_cstr(path);
    struct entry *e = map_get(&d->entries, key);
    int64_t now_ms = loop_now_ms(d->loop);

    if (!e) {
        e = NEW(struct entry);
        (void)map_put(&d->entries, key, e);
    }
    e->asked_at_ms = now_ms;
    if (!e->is_in_batch && (!e->count.at_ns || now_ms - e->counted_at_ms > FRESH_MS)) {
        e->is_wanted = true;
        loop_task_post(d->loop, &d->task);
    }
    if (!e->count.at_ns)
        return false;
    *ret = e->count;
    return true;
}

struct disk_usage *disk_usage_new(struct loop *l)
{
    struct disk_usage *d = NEW(struct disk_usage);

    d->loop = l;
    loop_task_init(&d->task, begin_batch);
    return d;
}

void disk_usage_free(struct disk_usage *d)
{
    if (!d)
        return;
    loop_task_cancel(&d->task);
    if (d->batch) {
        atomic_store(&d->batch->is_cancelled, true);
        d->batch->owner = NULL; /* its message frees it, at the latest when the loop ends */
        thread_join(TAKE(d->batch->thread));
    }
    MAP_FOREACH(it, &d->entries)
        mem_free(it->value);
    map_done(&d->entries);
    mem_free(d);
}
