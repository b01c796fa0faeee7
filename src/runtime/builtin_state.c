#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/json_writer.h"
#include "codec/value.h"
#include "runtime/builtin_internal.h"
#include "runtime/runtime_files.h"

enum { RECORD_MAX_BYTES = 4 << 20 };

DEFINE_CLEANUP(DIR *, closedir);

/* --- processes --- */

/* A number of /proc/PID/stat by its place, from 4 on; 0: there is no such process. */
static uint64_t stat_field(pid_t pid, int place)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    char path[64];
    struct str text, field;
    struct err ignored;
    uint64_t n = 0;
    ptrdiff_t end;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (runtime_files_read(&a, AT_FDCWD, path, 4096, &text, &ignored) < 0)
        return 0;
    end = str_rfind(text, ')'); /* the name may hold anything */
    if (end < 0)
        return 0;
    text = str_tail(text, (size_t)end + 2); /* field 3 stands first */
    for (int i = 3; i <= place && str_next(&text, ' ', &field); i++)
        if (i == place)
            (void)str_to_u64(field, &n);
    return n;
}

static uint64_t start_ticks_of(pid_t pid)
{
    return stat_field(pid, 22);
}

pid_t builtin_process_parent(pid_t pid)
{
    return (pid_t)stat_field(pid, 4);
}

void builtin_process_identify(struct builtin_process *p, pid_t pid)
{
    p->pid = pid;
    p->start_ticks = start_ticks_of(pid);
}

int builtin_process_watch(struct builtin_process *p, struct loop *l, loop_watch_fn *fn)
{
    int fd = p->pid > 0 ? (int)syscall(SYS_pidfd_open, p->pid, 0) : -1, r;

    p->pidfd = -1;
    if (fd < 0)
        return -ESRCH;
    /* After the descriptor stands for it: is it still the one that we mean? */
    if (start_ticks_of(p->pid) != p->start_ticks) {
        (void)close(fd);
        return -ESRCH;
    }
    r = loop_watch_open(&p->watch, l, fd, fn);
    if (r < 0) {
        (void)close(fd);
        return r;
    }
    p->pidfd = fd;
    loop_watch_want(&p->watch, LOOP_READABLE);
    return 0;
}

void builtin_process_done(struct builtin_process *p)
{
    if (p->pidfd < 0)
        return;
    loop_watch_close(&p->watch);
    (void)close(p->pidfd);
    p->pidfd = -1;
}

int builtin_process_signal(const struct builtin_process *p, int signum)
{
    if (p->pidfd < 0)
        return -ESRCH;
    return syscall(SYS_pidfd_send_signal, p->pidfd, signum, NULL, 0) < 0 ? -errno : 0;
}

/* --- writing --- */

static void put_str(struct buf *b, const char *key, struct str s)
{
    if (!s.len)
        return;
    buf_printf(b, ",\"%s\":", key);
    json_write_string(b, s);
}

static void put_int(struct buf *b, const char *key, int64_t n)
{
    if (n)
        buf_printf(b, ",\"%s\":%lld", key, (long long)n);
}

static void put_map(struct buf *b, const char *key, const struct runtime_map *m)
{
    buf_printf(b, ",\"%s\":[", key);
    for (size_t i = 0; i < m->len; i++) {
        buf_printf(b, "%s", i ? ",[" : "[");
        json_write_string(b, m->items[i].key);
        buf_append_char(b, ',');
        json_write_string(b, m->items[i].value);
        buf_append_char(b, ']');
    }
    buf_append_char(b, ']');
}

static void put_process(struct buf *b, const char *key, const struct builtin_process *p)
{
    buf_printf(b, ",\"%s\":[%d,%llu]", key, (int)p->pid, (unsigned long long)p->start_ticks);
}

const char *builtin_path(struct arena *a, const char *base, const char *kind, struct str id,
                         const char *rest)
{
    return arena_printf(a, "%s/%s/%.*s%s", base, kind, STR_ARG(id), rest).p;
}

int builtin_save_sandbox(const struct builtin_sandbox *s, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(buf_done) struct buf b = { 0 };
    char text[IP_TEXT_BYTES];

    buf_append_lit(&b, "{\"version\":1");
    put_str(&b, "id", s->status.id);
    put_str(&b, "name", s->status.name);
    put_str(&b, "uid", s->status.uid);
    put_str(&b, "namespace", s->status.pod_namespace);
    put_int(&b, "attempt", s->status.attempt);
    put_int(&b, "createdAt", s->status.created_at_ns);
    put_int(&b, "ready", s->status.ready);
    put_map(&b, "labels", &s->status.labels);
    put_map(&b, "annotations", &s->status.annotations);
    put_str(&b, "netns", s->status.netns_path);
    put_str(&b, "logDirectory", s->log_directory);
    put_str(&b, "cgroupParent", s->cgroup_parent);
    put_str(&b, "hostname", s->hostname);
    put_int(&b, "hostNetwork", s->host_network);
    put_int(&b, "hostIPC", s->host_ipc);
    put_int(&b, "hostPID", s->host_pid);
    put_int(&b, "sharedPID", s->shared_pid);
    put_int(&b, "networkIsUp", s->network_is_up);
    put_str(&b, "boot", str_from_cstr(s->b->boot_id));
    put_process(&b, "pause", &s->pause);
    buf_append_lit(&b, ",\"ips\":[");
    for (size_t i = 0; i < s->status.ips.len; i++)
        buf_printf(&b, "%s\"%s\"", i ? "," : "", ip_print(&s->ips[i], text));
    buf_append_lit(&b, "]}");
    return runtime_files_write(
        builtin_path(&a, s->b->root, "sandboxes", s->status.id, "/sandbox.json"), buf_str(&b), 0600,
        err);
}

int builtin_save_container(const struct builtin_container *c, struct err *err)
{
    const struct runtime_container_status *st = &c->status;
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(buf_done) struct buf b = { 0 };

    buf_append_lit(&b, "{\"version\":1");
    put_str(&b, "id", st->id);
    put_str(&b, "sandbox", c->sandbox_id);
    put_str(&b, "uid", st->pod_uid);
    put_str(&b, "name", st->name);
    put_int(&b, "attempt", st->attempt);
    put_int(&b, "state", st->state);
    put_int(&b, "createdAt", st->created_at_ns);
    put_int(&b, "startedAt", st->started_at_ns);
    put_int(&b, "finishedAt", st->finished_at_ns);
    put_int(&b, "exitCode", st->exit_code);
    put_str(&b, "reason", st->reason);
    put_str(&b, "message", st->message);
    put_str(&b, "image", st->image);
    put_str(&b, "imageRef", st->image_ref);
    put_str(&b, "imageID", st->image_id);
    put_str(&b, "imageVolumes", c->image_volumes);
    put_map(&b, "labels", &st->labels);
    put_map(&b, "annotations", &st->annotations);
    put_str(&b, "logPath", st->log_path);
    put_int(&b, "user", st->user);
    put_str(&b, "groups", st->groups);
    put_str(&b, "cgroup", c->cgroup_path);
    put_str(&b, "stopSignal", c->stop_signal);
    put_int(&b, "tty", c->tty);
    put_int(&b, "stdin", c->has_stdin);
    put_int(&b, "stdinOnce", c->stdin_once);
    put_int(&b, "starting", c->is_starting);
    put_str(&b, "boot", str_from_cstr(c->b->boot_id));
    put_process(&b, "main", &c->main);
    put_process(&b, "shim", &c->shim);
    buf_append_char(&b, '}');
    return runtime_files_write(
        builtin_path(&a, c->b->root, "containers", st->id, "/container.json"), buf_str(&b), 0600,
        err);
}

/* --- reading --- */

static int64_t get_int(const struct value *v, const char *key)
{
    const struct value *n = value_get(v, str_from_cstr(key));

    return n && n->type == VALUE_INT ? n->i : 0;
}

static struct str get_str(const struct value *v, const char *key)
{
    return value_get_str(v, str_from_cstr(key));
}

static struct runtime_map get_map(struct arena *a, const struct value *v, const char *key)
{
    const struct value *m = value_get(v, str_from_cstr(key));
    struct runtime_map map = { 0 };
    struct runtime_key_value *items;

    if (!m || m->type != VALUE_ARRAY || m->len == 0)
        return map;
    items = ARENA_NEW_ARRAY(a, struct runtime_key_value, m->len);
    for (uint32_t i = 0; i < m->len; i++) {
        const struct value *pair = &m->items[i];

        if (pair->type == VALUE_ARRAY && pair->len == 2 && pair->items[0].type == VALUE_STRING &&
            pair->items[1].type == VALUE_STRING)
            items[map.len++] = (struct runtime_key_value){ pair->items[0].s, pair->items[1].s };
    }
    map.items = items;
    return map;
}

/* A number and ticks since the boot mean nothing after another boot. */
static void get_process(const struct builtin *b, const struct value *record, const char *key,
                        struct builtin_process *p)
{
    const struct value *v = value_get(record, str_from_cstr(key));

    if (!str_eq(get_str(record, "boot"), str_from_cstr(b->boot_id)))
        return;
    if (!v || v->type != VALUE_ARRAY || v->len != 2 || v->items[0].type != VALUE_INT ||
        v->items[1].type != VALUE_INT)
        return;
    p->pid = (pid_t)v->items[0].i;
    p->start_ticks = (uint64_t)v->items[1].i;
}

static int load_record(struct arena *a, const char *path, struct value *ret, struct err *err)
{
    struct str text;
    int r = runtime_files_read(a, AT_FDCWD, path, RECORD_MAX_BYTES, &text, err);

    if (r == 0)
        r = value_parse(a, text, ret, NULL, err);
    if (r == 0 && get_int(ret, "version") != 1)
        r = err_set(err, ERR_CORRUPT, "'%s' is of another version", path);
    return r;
}

struct builtin_sandbox *builtin_sandbox_new(struct builtin *b)
{
    struct builtin_sandbox *s = NEW(struct builtin_sandbox);

    s->b = b;
    s->refs = 1;
    s->pause.pidfd = -1;
    list_init(&s->link);
    return s;
}

struct builtin_container *builtin_container_new(struct builtin *b)
{
    struct builtin_container *c = NEW(struct builtin_container);

    c->b = b;
    c->refs = 1;
    c->main.pidfd = c->shim.pidfd = -1;
    list_init(&c->link);
    return c;
}

static void read_ips(struct builtin_sandbox *s, const struct value *v)
{
    const struct value *ips = value_get(v, STR("ips"));
    struct str *texts;

    if (!ips || ips->type != VALUE_ARRAY)
        return;
    texts = ARENA_NEW_ARRAY(&s->arena, struct str, CNI_MAX_IPS);
    for (uint32_t i = 0; i < ips->len && s->status.ips.len < CNI_MAX_IPS; i++)
        if (ips->items[i].type == VALUE_STRING &&
            ip_parse(ips->items[i].s, &s->ips[s->status.ips.len]))
            texts[s->status.ips.len++] = ips->items[i].s;
    s->status.ips.items = texts;
}

static int load_sandbox(struct builtin *b, struct str id, struct err *err)
{
    struct builtin_sandbox *s = builtin_sandbox_new(b);
    struct value v;
    int r = load_record(
        &s->arena, builtin_path(&s->arena, b->root, "sandboxes", id, "/sandbox.json"), &v, err);

    if (r == 0 && !str_eq(get_str(&v, "id"), id))
        r = err_set(err, ERR_CORRUPT, "the record of another sandbox");
    if (r < 0) {
        builtin_sandbox_unref(s);
        return r;
    }
    s->status = (struct runtime_sandbox_status){
        .id = get_str(&v, "id"),
        .name = get_str(&v, "name"),
        .uid = get_str(&v, "uid"),
        .pod_namespace = get_str(&v, "namespace"),
        .attempt = (uint32_t)get_int(&v, "attempt"),
        .ready = get_int(&v, "ready") != 0,
        .created_at_ns = get_int(&v, "createdAt"),
        .labels = get_map(&s->arena, &v, "labels"),
        .annotations = get_map(&s->arena, &v, "annotations"),
        .netns_path = get_str(&v, "netns"),
    };
    s->log_directory = get_str(&v, "logDirectory");
    s->cgroup_parent = get_str(&v, "cgroupParent");
    s->hostname = get_str(&v, "hostname");
    s->host_network = get_int(&v, "hostNetwork") != 0;
    s->host_ipc = get_int(&v, "hostIPC") != 0;
    s->host_pid = get_int(&v, "hostPID") != 0;
    s->shared_pid = get_int(&v, "sharedPID") != 0;
    s->network_is_up = get_int(&v, "networkIsUp") != 0;
    get_process(b, &v, "pause", &s->pause);
    read_ips(s, &v);
    if (s->status.ready)
        s->status.ready = builtin_process_watch(&s->pause, b->rt.loop, builtin_on_pause_end) == 0;
    list_append(&b->sandboxes, &s->link);
    return 0;
}

/* After a restart: it runs on, it has ended meanwhile, or nobody knows. */
static void adopt(struct builtin_container *c)
{
    if (c->status.state == RUNTIME_CONTAINER_IS_EXITED)
        return;
    if (c->status.state == RUNTIME_CONTAINER_IS_CREATED && !c->is_starting)
        return;
    if (c->status.state == RUNTIME_CONTAINER_IS_RUNNING) {
        (void)builtin_process_watch(&c->shim, c->b->rt.loop, builtin_on_shim_end); /* -1: gone */
        if (builtin_process_watch(&c->main, c->b->rt.loop, builtin_on_main_end) < 0)
            builtin_take_exit_or_wait(c);
    } else if (!builtin_take_exit(c)) { /* it never came to start */
        builtin_container_ended(c, BUILTIN_LOST_CODE, "Unknown", 0);
    }
}

static int load_container(struct builtin *b, struct str id, struct err *err)
{
    struct builtin_container *c = builtin_container_new(b);
    struct value v;
    int r = load_record(
        &c->arena, builtin_path(&c->arena, b->root, "containers", id, "/container.json"), &v, err);

    if (r == 0 && !str_eq(get_str(&v, "id"), id))
        r = err_set(err, ERR_CORRUPT, "the record of another container");
    if (r < 0) {
        builtin_container_unref(c);
        return r;
    }
    c->status = (struct runtime_container_status){
        .id = get_str(&v, "id"),
        .sandbox_id = get_str(&v, "sandbox"),
        .pod_uid = get_str(&v, "uid"),
        .name = get_str(&v, "name"),
        .attempt = (uint32_t)get_int(&v, "attempt"),
        .state = (enum runtime_container_state)get_int(&v, "state"),
        .created_at_ns = get_int(&v, "createdAt"),
        .started_at_ns = get_int(&v, "startedAt"),
        .finished_at_ns = get_int(&v, "finishedAt"),
        .exit_code = (int)get_int(&v, "exitCode"),
        .reason = get_str(&v, "reason"),
        .message = get_str(&v, "message"),
        .image = get_str(&v, "image"),
        .image_ref = get_str(&v, "imageRef"),
        .image_id = get_str(&v, "imageID"),
        .labels = get_map(&c->arena, &v, "labels"),
        .annotations = get_map(&c->arena, &v, "annotations"),
        .log_path = get_str(&v, "logPath"),
        .user = get_int(&v, "user"),
        .groups = get_str(&v, "groups"),
    };
    c->sandbox_id = c->status.sandbox_id;
    c->cgroup_path = get_str(&v, "cgroup");
    c->stop_signal = get_str(&v, "stopSignal");
    c->image_volumes = get_str(&v, "imageVolumes");
    c->tty = get_int(&v, "tty") != 0;
    c->has_stdin = get_int(&v, "stdin") != 0;
    c->stdin_once = get_int(&v, "stdinOnce") != 0;
    c->is_starting = get_int(&v, "starting") != 0;
    get_process(b, &v, "main", &c->main);
    get_process(b, &v, "shim", &c->shim);
    c->status.pid = c->main.pid;
    c->sandbox = builtin_find_sandbox(b, c->sandbox_id);
    list_append(&b->containers, &c->link);
    adopt(c);
    return 0;
}

static int load_all(struct builtin *b, const char *kind,
                    int (*load)(struct builtin *b, struct str id, struct err *err), struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const char *path = arena_printf(&a, "%s/%s", b->root, kind).p;
    CLEANUP(closedir) DIR *d = opendir(path);
    const struct dirent *e;

    if (!d)
        return err_errno(err, errno, "read '%s'", path);
    while ((e = readdir(d))) {
        struct err why;

        if (strlen(e->d_name) != BUILTIN_ID_LEN)
            continue;
        if (load(b, str_from_cstr(e->d_name), &why) == 0)
            continue;
        /* A crash between making the directory and its first record: nothing ran there yet. */
        LOG_WARNING("forgotten", KV("kind", kind), KV("id", e->d_name), KV("err", why.text));
        (void)runtime_files_remove(dirfd(d), e->d_name, &why);
    }
    return 0;
}

/* Records that a power cut has taken leave addresses behind. */
static int release_addresses(struct builtin *b, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str *ids;
    size_t n = 0;

    LIST_FOREACH(l, &b->sandboxes)
        n++;
    ids = ARENA_NEW_ARRAY(&a, struct str, n);
    n = 0;
    LIST_FOREACH(l, &b->sandboxes)
        ids[n++] = CONTAINER_OF(l, struct builtin_sandbox, link)->status.id;
    return b->network ? cni_network_retain(b->network, ids, n, err) : 0;
}

int builtin_load(struct builtin *b, struct err *err)
{
    int r = load_all(b, "sandboxes", load_sandbox, err);

    if (r >= 0)
        r = load_all(b, "containers", load_container, err);
    return r < 0 ? r : release_addresses(b, err);
}
