/* What the store does when things go wrong around it. */
#include "store/store_fixture.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "base/log.h"

enum { KEYS = 64 };

struct shared { /* what the child saw acknowledged */
    atomic_uint_fast64_t revision[KEYS];
    atomic_uint_fast64_t value[KEYS];
    atomic_uint_fast64_t newest;
};

static struct shared *share(void)
{
    void *p = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                   -1, 0);

    cr_assert_neq(p, MAP_FAILED);
    return p;
}

struct slot {
    struct store_txn txn;
    struct store_mutation m;
    struct fixture *f;
    struct shared *shared;
    uint64_t value;
    size_t i;
    char key[32], head[32];
};

static void put_slot(struct slot *s);

static void slot_done(struct store_txn *t, void *arg)
{
    struct slot *s = arg;

    if (t->result < 0)
        _exit(3);
    atomic_store(&s->shared->value[s->i], s->value);
    atomic_store(&s->shared->revision[s->i], t->revision);
    if (t->revision > atomic_load(&s->shared->newest))
        atomic_store(&s->shared->newest, t->revision);
    put_slot(s);
}

static void put_slot(struct slot *s)
{
    (void)snprintf(s->key, sizeof(s->key), "ns/k%zu", s->i);
    (void)snprintf(s->head, sizeof(s->head), "%llu", (unsigned long long)++s->value);
    s->m = (struct store_mutation){ .op = STORE_PUT,
                                    .resource = s->i % 2 ? s->f->pods : s->f->events,
                                    .key = str_from_cstr(s->key),
                                    .expected = STORE_EXPECT_ANY,
                                    .head = str_from_cstr(s->head) };
    s->txn = (struct store_txn){
        .mutations = &s->m, .n = 1, .mailbox = s->f->mailbox, .done = slot_done, .arg = s
    };
    store_submit(s->f->store, &s->txn);
}

/* Writes without end; never returns. */
static void write_forever(struct fixture *f, struct shared *sh)
{
    struct slot *slots = mem_zalloc(KEYS * sizeof(*slots));

    f->loop = loop_new(&clock_system);
    f->mailbox = loop_mailbox(f->loop);
    fixture_open(f);
    for (size_t i = 0; i < KEYS; i++) {
        slots[i].f = f;
        slots[i].shared = sh;
        slots[i].i = i;
        put_slot(&slots[i]);
    }
    for (;;)
        fixture_turn(f);
}

static void kill_in_the_middle(struct fixture *f, struct shared *sh, uint64_t writes)
{
    uint64_t from = atomic_load(&sh->newest);
    pid_t pid = fork();
    int status;

    cr_assert_geq(pid, 0);
    if (pid == 0)
        write_forever(f, sh);
    for (int i = 0; i < 200000 && atomic_load(&sh->newest) < from + writes; i++)
        (void)nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
    cr_assert_eq(kill(pid, SIGKILL), 0);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFSIGNALED(status));
}

static void fixture_dirs_only(struct fixture *f)
{
    fixture_dirs(f);
    loop_free(f->loop); /* each process has its own */
    f->loop = NULL;
}

static void check_acknowledged(struct fixture *f, struct shared *sh, bool soft)
{
    CLEANUP(buf_done) struct buf v = { 0 };
    struct err err = { 0 };

    for (size_t i = soft ? 0 : 1; i < KEYS; i += soft ? 1 : 2) {
        char key[32];
        uint64_t mod, is;
        int r;

        if (!atomic_load(&sh->value[i]))
            continue;
        (void)snprintf(key, sizeof(key), "ns/k%zu", i);
        r = fixture_get(f, i % 2 ? f->pods : f->events, key, &v, &mod, &err);
        cr_assert_eq(r, 0, "%s", err.text);
        cr_assert(str_to_u64(buf_str(&v), &is));
        /* One write may have been done and not acknowledged. */
        cr_assert_geq(is, atomic_load(&sh->value[i]));
        cr_assert_geq(mod, atomic_load(&sh->revision[i]));
    }
}

static void open_again(struct fixture *f)
{
    f->loop = loop_new(&clock_system);
    f->mailbox = loop_mailbox(f->loop);
    fixture_open(f);
}

Test(store_fault, keeps_what_it_acknowledged_when_killed)
{
    struct fixture f = { 0 };
    struct shared *sh = share();
    uint64_t newest;

    fixture_dirs_only(&f);
    for (int round = 0; round < 3; round++)
        kill_in_the_middle(&f, sh, 300);
    newest = atomic_load(&sh->newest);
    open_again(&f);
    cr_assert_geq(store_revision(f.store), newest);
    check_acknowledged(&f, sh, true);
    fixture_end(&f);
}

Test(store_fault, starts_at_the_ceiling_when_soft_is_lost)
{
    struct fixture f = { 0 };
    struct shared *sh = share();
    struct store_watch *w;
    struct store_watch_options o = { 0 };
    struct err err = { 0 };
    uint64_t newest, revision;
    char stamp[128];
    int fd;

    fixture_dirs_only(&f);
    kill_in_the_middle(&f, sh, 300);
    newest = atomic_load(&sh->newest);
    /* Another boot. */
    (void)snprintf(stamp, sizeof(stamp), "%s/stamp", f.soft);
    fd = open(stamp, O_WRONLY);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, "x", 1), 1);
    (void)close(fd);
    open_again(&f);
    check_acknowledged(&f, sh, false);
    cr_assert_eq(fixture_get(&f, f.events, "ns/k0", &(struct buf){ 0 }, NULL, &err), ERR_NOT_FOUND);
    cr_assert_gt(store_revision(f.store), newest);
    o.resource = f.pods;
    o.after = newest;
    cr_assert_eq(store_watch_start(f.store, &o, f.mailbox, NULL, NULL, &w, &err), ERR_COMPACTED);
    cr_assert_eq(fixture_put(&f, f.pods, "ns/new", "1", &revision), 0);
    cr_assert_gt(revision, newest);
    fixture_end(&f);
}

Test(store_fault, soft_comes_back_after_a_clean_stop)
{
    CLEANUP(buf_done) struct buf v = { 0 };
    struct fixture f = { 0 };
    struct err err = { 0 };
    uint64_t mod;

    fixture_start(&f);
    cr_assert_eq(fixture_put(&f, f.events, "ns/e", "1", NULL), 0);
    store_close(f.store);
    cr_assert_lt(access(f.soft, F_OK), 0, "soft's directory is still there");
    fixture_open(&f);
    cr_assert_eq(fixture_get(&f, f.events, "ns/e", &v, &mod, &err), 0);
    cr_assert_eq(mod, 1);
    cr_assert_eq(store_compacted(f.store), 0);
    fixture_end(&f);
}

Test(store_fault, names_the_object_whose_byte_changed)
{
    CLEANUP(buf_done) struct buf v = { 0 };
    static const char marker[] = "MARKER-OF-THE-OBJECT";
    struct fixture f = { 0 };
    struct err err = { 0 };
    char path[128], *p, *at;
    struct stat st;
    int fd;

    fixture_start(&f);
    cr_assert_eq(fixture_put(&f, f.pods, "ns/good", "fine", NULL), 0);
    cr_assert_eq(fixture_put(&f, f.pods, "ns/bad", marker, NULL), 0);
    store_close(f.store);
    (void)snprintf(path, sizeof(path), "%s/hard.mdb", f.dir);
    fd = open(path, O_RDWR);
    cr_assert_geq(fd, 0);
    cr_assert_eq(fstat(fd, &st), 0);
    p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    cr_assert_neq(p, MAP_FAILED);
    for (size_t n = (size_t)st.st_size, from = 0;
         (at = memmem(p + from, n - from, marker, sizeof(marker) - 1)); from = (size_t)(at - p) + 1)
        at[3] ^= 1;
    (void)munmap(p, (size_t)st.st_size);
    (void)close(fd);
    fixture_open(&f);
    cr_assert_eq(fixture_get(&f, f.pods, "ns/good", &v, NULL, &err), 0);
    cr_assert_eq(fixture_get(&f, f.pods, "ns/bad", &v, NULL, &err), ERR_CORRUPT);
    cr_assert(strstr(err.text, "'/registry/pods/ns/bad'"), "%s", err.text);
    cr_assert_eq(fixture_put(&f, f.pods, "ns/bad", "new", NULL), 0);
    cr_assert_eq(fixture_get(&f, f.pods, "ns/bad", &v, NULL, &err), 0);
    fixture_end(&f);
}

static void make_file(const char *dir, const char *name, const char *text, size_t len)
{
    char path[256];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, len), (ssize_t)len);
    (void)close(fd);
}

Test(store_fault, refuses_what_is_not_its_own)
{
    struct fixture f = { 0 };
    struct store *s;
    struct err err = { 0 };
    char zeros[16384] = "not a database", path[256];

    fixture_dirs(&f);
    make_file(f.dir, "diary.txt", "dear", 4);
    cr_assert_eq(store_open(&f.options, &s, &err), ERR_CORRUPT);
    cr_assert(strstr(err.text, "is not empty and holds no store"), "%s", err.text);
    make_file(f.dir, "hard.mdb", zeros, sizeof(zeros));
    cr_assert_eq(store_open(&f.options, &s, &err), ERR_CORRUPT);
    cr_assert(strstr(err.text, "is not a database"), "%s", err.text);
    (void)snprintf(path, sizeof(path), "%s/hard.mdb", f.dir);
    (void)unlink(path);
    fixture_open(&f);
    cr_assert_eq(store_open(&f.options, &s, &err), -EBUSY);
    cr_assert(strstr(err.text, "is in use by another process"), "%s", err.text);
    for (int i = 0; i < 50; i++)
        cr_assert_eq(fixture_put(&f, f.pods, "ns/x", "1", NULL), 0);
    store_close(f.store);
    cr_assert_eq(truncate(path, 20480), 0);
    cr_assert_eq(store_open(&f.options, &s, &err), ERR_CORRUPT);
    cr_assert(strstr(err.text, "is cut short"), "%s", err.text);
    loop_free(f.loop);
    fixture_remove(&f);
}

static int refuse_sync(MDB_txn *txn)
{
    mdb_txn_abort(txn);
    return EIO;
}

Test(store_fault, a_failed_sync_ends_the_process)
{
    struct fixture f = { 0 };
    pid_t pid;
    int status;

    fixture_dirs_only(&f);
    pid = fork();
    if (pid == 0) {
        open_again(&f);
        f.store->env[ENV_HARD].commit = refuse_sync;
        (void)fixture_put(&f, f.pods, "ns/x", "1", NULL);
        _exit(1);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 70, "status %x", status);
    fixture_remove(&f);
}

static int full_put(struct fixture *f, int i, size_t size)
{
    char key[32], *value = mem_alloc(size + 1);
    int r;

    memset(value, 'v', size);
    value[size] = 0;
    (void)snprintf(key, sizeof(key), "ns/f%d", i);
    r = fixture_put(f, f->pods, key, value, NULL);
    mem_free(value);
    return r;
}

static bool disk_healed(struct fixture *f)
{
    for (int i = 0; i < 4000; i++) {
        int r = full_put(f, 0, 1000);

        if (r == 0)
            return true;
        cr_assert_eq(r, ERR_NO_SPACE);
        fixture_turn(f);
    }
    return false;
}

Test(store_fault, a_full_disk_refuses_writes_and_heals)
{
    enum { OBJECT = 100000, MANY = 2000 };
    CLEANUP(buf_done) struct buf v = { 0 };
    struct fixture f = { 0 };
    struct err err = { 0 };
    int n = 0, r;

    fixture_dirs(&f);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", f.dir, "tmpfs", 0, "size=40m") < 0)
        cr_skip_test("cannot mount");
    f.options.keep_history_ms = 1;
    fixture_open(&f);
    while (n < MANY && (r = full_put(&f, n, OBJECT)) == 0)
        n++;
    cr_assert_eq(r, ERR_NO_SPACE);
    cr_assert_gt(n, 50);
    cr_assert_eq(fixture_get(&f, f.pods, "ns/f0", &v, NULL, &err), 0);
    cr_assert_eq(fixture_put(&f, f.events, "ns/e", "soft has room", NULL), 0);
    for (int i = 0; i < n; i++) {
        char key[32];
        struct store_mutation m = { .op = STORE_DELETE,
                                    .resource = f.pods,
                                    .expected = STORE_EXPECT_ANY };

        (void)snprintf(key, sizeof(key), "ns/f%d", i);
        m.key = str_from_cstr(key);
        cr_assert_eq(fixture_apply(&f, &m, 1, NULL), 0, "delete %d", i);
    }
    cr_assert(disk_healed(&f));
    cr_assert_leq(store_compacted(f.store), store_revision(f.store));
    store_close(f.store);
    loop_free(f.loop);
    cr_assert_eq(umount(f.dir), 0);
    fixture_remove(&f);
}

Test(store_fault, a_backup_opens_with_its_revision_moved_on)
{
    CLEANUP(buf_done) struct buf v = { 0 };
    struct fixture f = { 0 };
    struct err err = { 0 };
    char path[128];
    uint64_t mod, before;
    int fd;

    fixture_start(&f);
    cr_assert_eq(fixture_put(&f, f.pods, "ns/x", "1", NULL), 0);
    cr_assert_eq(fixture_put(&f, f.events, "ns/e", "2", NULL), 0);
    fd = open(f.dir, O_RDONLY | O_DIRECTORY);
    cr_assert_eq(store_backup(f.store, fd, "copy", &err), 0, "%s", err.text);
    cr_assert_lt(store_backup(f.store, fd, "copy", &err), 0);
    (void)close(fd);
    before = store_revision(f.store);
    store_close(f.store);
    (void)snprintf(path, sizeof(path), "%s/copy", f.dir);
    f.options.dir = path;
    fixture_open(&f);
    cr_assert_gt(store_revision(f.store), before + 1000000);
    cr_assert_eq(store_compacted(f.store), store_revision(f.store));
    cr_assert_eq(fixture_get(&f, f.pods, "ns/x", &v, &mod, &err), 0);
    cr_assert_eq(mod, 1);
    cr_assert_eq(fixture_get(&f, f.events, "ns/e", &v, &mod, &err), 0);
    cr_assert_eq(fixture_put(&f, f.pods, "ns/y", "3", &mod), 0);
    cr_assert_gt(mod, before + 1000000);
    store_close(f.store);
    fixture_open(&f); /* not again */
    cr_assert_eq(store_revision(f.store), mod);
    fixture_end(&f);
}

Test(store_fault, ephemeral_leaves_nothing)
{
    struct fixture f = { .options = { .ephemeral = true } };

    fixture_start(&f);
    cr_assert_eq(fixture_put(&f, f.pods, "ns/x", "1", NULL), 0);
    store_close(f.store);
    cr_assert_lt(access(f.soft, F_OK), 0);
    loop_free(f.loop);
    fixture_remove(&f);
}
