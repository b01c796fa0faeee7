#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "io/loop.h"
#include "runtime/builtin_internal.h"
#include "runtime/cgroup.h"
#include "runtime/runtime_files.h"

/* --- calls --- */

static void call_free(struct runtime_call *c)
{
    loop_task_cancel(&c->task);
    loop_timer_stop(&c->timer);
    loop_watch_close(&c->watch);
    if (c->fd >= 0)
        (void)close(c->fd);
    command_cancel(c->command);
    cni_network_cancel(c->cni);
    builtin_sandbox_unref(c->sandbox);
    builtin_container_unref(c->container);
    list_remove(&c->link);
    buf_done(&c->buf);
    arena_done(&c->arena);
    mem_free(c);
}

static void answer(struct loop_task *t)
{
    struct runtime_call *c = CONTAINER_OF(t, struct runtime_call, task);

    if (c->done)
        c->done(&c->result, c->arg);
    else
        runtime_stream_close(c->result.stream);
    call_free(c);
}

struct runtime_call *builtin_call_new(struct builtin *b, const char *operation,
                                      runtime_done_fn *done, void *arg)
{
    struct runtime_call *c = NEW(struct runtime_call);
    const struct clock *clock = loop_clock(b->rt.loop);

    c->b = b;
    c->operation = operation;
    c->began_ns = clock->mono_ns(clock);
    c->done = done;
    c->arg = arg;
    c->fd = -1;
    c->result.err = &c->err;
    loop_task_init(&c->task, answer);
    loop_timer_init(&c->timer, b->rt.loop, NULL);
    list_append(&b->calls, &c->link);
    return c;
}

void builtin_call_finish(struct runtime_call *c, int code)
{
    struct runtime *rt = &c->b->rt;
    const struct clock *clock = loop_clock(rt->loop);

    if (rt->observer && !c->is_finished)
        rt->observer(c->operation, code, clock->mono_ns(clock) - c->began_ns, rt->observer_arg);
    c->result.code = code;
    c->is_finished = true;
    c->step = NULL;
    loop_timer_stop(&c->timer);
    loop_task_post(c->b->rt.loop, &c->task);
}

static void cancel(struct runtime_call *c)
{
    c->done = NULL; /* it goes on to its end by itself */
}

static void run_steps(struct loop_task *t)
{
    struct builtin *b = CONTAINER_OF(t, struct builtin, kick_task);

    LIST_FOREACH_SAFE(n, &b->calls) {
        struct runtime_call *c = CONTAINER_OF(n, struct runtime_call, link);

        if (c->step)
            c->step(c);
    }
}

void builtin_kick(struct builtin *b)
{
    loop_task_post(b->rt.loop, &b->kick_task);
}

void builtin_emit(struct builtin *b, enum runtime_event_type type, const struct builtin_sandbox *s,
                  const struct builtin_container *c)
{
    const struct runtime_event event = {
        .type = type,
        .pod_uid = c ? c->status.pod_uid : s->status.uid,
        .sandbox_id = c ? c->sandbox_id : s->status.id,
        .container_id = c ? c->status.id : STR_NULL,
        .exit_code = c ? c->status.exit_code : 0,
    };

    if (b->on_event)
        b->on_event(&event, b->event_arg);
}

void builtin_new_id(char ret[BUILTIN_ID_LEN + 1])
{
    unsigned char bytes[BUILTIN_ID_LEN / 2];

    random_bytes(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        (void)snprintf(ret + i * 2, 3, "%02x", bytes[i]);
}

struct builtin_sandbox *builtin_find_sandbox(struct builtin *b, struct str id)
{
    LIST_FOREACH(n, &b->sandboxes) {
        struct builtin_sandbox *s = CONTAINER_OF(n, struct builtin_sandbox, link);

        if (str_eq(s->status.id, id))
            return s;
    }
    return NULL;
}

struct builtin_container *builtin_find_container(struct builtin *b, struct str id)
{
    LIST_FOREACH(n, &b->containers) {
        struct builtin_container *c = CONTAINER_OF(n, struct builtin_container, link);

        if (str_eq(c->status.id, id))
            return c;
    }
    return NULL;
}

void builtin_sandbox_unref(struct builtin_sandbox *s)
{
    if (!s || --s->refs > 0)
        return;
    builtin_process_done(&s->pause);
    list_remove(&s->link);
    arena_done(&s->arena);
    mem_free(s);
}

void builtin_container_unref(struct builtin_container *c)
{
    if (!c || --c->refs > 0)
        return;
    builtin_process_done(&c->main);
    builtin_process_done(&c->shim);
    command_cancel(c->cleanup);
    list_remove(&c->link);
    arena_done(&c->arena);
    mem_free(c);
}

/* --- status --- */

static struct runtime_call *failed(struct builtin *b, const char *operation, runtime_done_fn *done,
                                   void *arg, const char *what, struct str id)
{
    struct runtime_call *c = builtin_call_new(b, operation, done, arg);

    builtin_call_finish(c, err_set(&c->err, ERR_NOT_FOUND, "%s '%.*s' not found", what,
                                   STR_ARG(str_sub(id, 0, 256))));
    return c;
}

static struct builtin *builtin_of(struct runtime *rt)
{
    return CONTAINER_OF(rt, struct builtin, rt);
}

static struct runtime_call *sandbox_status(struct runtime *rt, struct str id, runtime_done_fn *done,
                                           void *arg)
{
    struct builtin *b = builtin_of(rt);
    struct builtin_sandbox *s = builtin_find_sandbox(b, id);
    struct runtime_call *c;

    if (!s)
        return failed(b, "podsandbox_status", done, arg, "sandbox", id);
    c = builtin_call_new(b, "podsandbox_status", done, arg);
    c->sandbox = s;
    s->refs++;
    c->result.sandboxes = &s->status;
    c->result.n_sandboxes = 1;
    builtin_call_finish(c, 0);
    return c;
}

/* Lists are copied when asked for; the strings of what goes away before the answer must stay. */
static struct runtime_map copy_map(struct arena *a, const struct runtime_map *m)
{
    struct runtime_key_value *items = ARENA_NEW_ARRAY(a, struct runtime_key_value, m->len);

    for (size_t i = 0; i < m->len; i++)
        items[i] = (struct runtime_key_value){ str_dup(a, m->items[i].key),
                                               str_dup(a, m->items[i].value) };
    return (struct runtime_map){ .items = items, .len = m->len };
}

static void copy_sandbox(struct arena *a, const struct runtime_sandbox_status *from,
                         struct runtime_sandbox_status *ret)
{
    struct str *ips = ARENA_NEW_ARRAY(a, struct str, from->ips.len);

    *ret = *from;
    ret->id = str_dup(a, from->id);
    ret->name = str_dup(a, from->name);
    ret->uid = str_dup(a, from->uid);
    ret->pod_namespace = str_dup(a, from->pod_namespace);
    ret->netns_path = str_dup(a, from->netns_path);
    ret->labels = copy_map(a, &from->labels);
    ret->annotations = copy_map(a, &from->annotations);
    for (size_t i = 0; i < from->ips.len; i++)
        ips[i] = str_dup(a, from->ips.items[i]);
    ret->ips.items = ips;
}

static void copy_container(struct arena *a, const struct runtime_container_status *from,
                           struct runtime_container_status *ret)
{
    *ret = *from;
    ret->id = str_dup(a, from->id);
    ret->sandbox_id = str_dup(a, from->sandbox_id);
    ret->pod_uid = str_dup(a, from->pod_uid);
    ret->name = str_dup(a, from->name);
    ret->reason = str_dup(a, from->reason);
    ret->message = str_dup(a, from->message);
    ret->image = str_dup(a, from->image);
    ret->image_ref = str_dup(a, from->image_ref);
    ret->image_id = str_dup(a, from->image_id);
    ret->log_path = str_dup(a, from->log_path);
    ret->groups = str_dup(a, from->groups);
    ret->labels = copy_map(a, &from->labels);
    ret->annotations = copy_map(a, &from->annotations);
}

static size_t count(const struct list *l)
{
    size_t n = 0;

    LIST_FOREACH(node, l)
        n++;
    return n;
}

static struct runtime_call *list_sandboxes(struct runtime *rt, runtime_done_fn *done, void *arg)
{
    struct builtin *b = builtin_of(rt);
    struct runtime_call *c = builtin_call_new(b, "list_podsandbox", done, arg);
    struct runtime_sandbox_status *all =
        ARENA_NEW_ARRAY(&c->arena, struct runtime_sandbox_status, count(&b->sandboxes));

    LIST_FOREACH(n, &b->sandboxes)
        copy_sandbox(&c->arena, &CONTAINER_OF(n, struct builtin_sandbox, link)->status,
                     &all[c->result.n_sandboxes++]);
    c->result.sandboxes = all;
    builtin_call_finish(c, 0);
    return c;
}

static struct runtime_call *container_status(struct runtime *rt, struct str id,
                                             runtime_done_fn *done, void *arg)
{
    struct builtin *b = builtin_of(rt);
    struct builtin_container *ctr = builtin_find_container(b, id);
    struct runtime_container_status *copy;
    struct runtime_call *c;

    if (!ctr)
        return failed(b, "container_status", done, arg, "container", id);
    c = builtin_call_new(b, "container_status", done, arg);
    copy = ARENA_NEW(&c->arena, struct runtime_container_status);
    copy_container(&c->arena, &ctr->status, copy);
    c->result.containers = copy;
    c->result.n_containers = 1;
    builtin_call_finish(c, 0);
    return c;
}

static struct runtime_call *list_containers(struct runtime *rt, struct str sandbox_id,
                                            runtime_done_fn *done, void *arg)
{
    struct builtin *b = builtin_of(rt);
    struct runtime_call *c = builtin_call_new(b, "list_containers", done, arg);
    struct runtime_container_status *all =
        ARENA_NEW_ARRAY(&c->arena, struct runtime_container_status, count(&b->containers));

    LIST_FOREACH(n, &b->containers) {
        const struct builtin_container *ctr = CONTAINER_OF(n, struct builtin_container, link);

        if (!sandbox_id.len || str_eq(sandbox_id, ctr->sandbox_id))
            copy_container(&c->arena, &ctr->status, &all[c->result.n_containers++]);
    }
    c->result.containers = all;
    builtin_call_finish(c, 0);
    return c;
}

static struct runtime_call *update_resources(struct runtime *rt, struct str id,
                                             const struct runtime_resources *resources,
                                             runtime_done_fn *done, void *arg)
{
    struct builtin *b = builtin_of(rt);
    struct builtin_container *ctr = builtin_find_container(b, id);
    struct runtime_call *c;

    if (!ctr)
        return failed(b, "update_container", done, arg, "container", id);
    c = builtin_call_new(b, "update_container", done, arg);
    builtin_call_finish(c, cgroup_set(ctr->cgroup_path, resources, &c->err));
    return c;
}

static struct runtime_call *reopen_log(struct runtime *rt, struct str id, runtime_done_fn *done,
                                       void *arg)
{
    static const char reopen[] = "2 0 0\n"; /* conmon's own words */
    struct builtin *b = builtin_of(rt);
    struct builtin_container *ctr = builtin_find_container(b, id);
    struct runtime_call *c;
    const char *path;
    int fd, r = 0;

    if (!ctr)
        return failed(b, "reopen_container_log", done, arg, "container", id);
    c = builtin_call_new(b, "reopen_container_log", done, arg);
    path = builtin_path(&c->arena, b->root, "containers", id, "/ctl");
    fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || write(fd, reopen, sizeof(reopen) - 1) < 0)
        r = err_errno(&c->err, errno, "reopen the log of '%.*s'", STR_ARG(id));
    if (fd >= 0)
        (void)close(fd);
    builtin_call_finish(c, r);
    return c;
}

/* --- images --- */

static struct runtime_call *image_status(struct runtime *rt, struct str name, runtime_done_fn *done,
                                         void *arg)
{
    struct builtin *b = builtin_of(rt);
    struct runtime_call *c = builtin_call_new(b, "image_status", done, arg);
    const struct image *image;
    int r = image_store_refresh(b->images, &c->err);

    image = image_store_find(b->images, name);
    if (r == 0 && !image)
        r = err_set(&c->err, ERR_NOT_FOUND, "image '%.*s' not found",
                    STR_ARG(str_sub(name, 0, 512)));
    if (r == 0) {
        c->result.images = arena_dup(&c->arena, &image->info, sizeof(image->info));
        c->result.n_images = 1;
        c->result.id = image->info.id;
    }
    builtin_call_finish(c, r);
    return c;
}

static struct runtime_call *list_images(struct runtime *rt, runtime_done_fn *done, void *arg)
{
    struct builtin *b = builtin_of(rt);
    struct runtime_call *c = builtin_call_new(b, "list_images", done, arg);
    int r = image_store_refresh(b->images, &c->err);
    struct runtime_image *all =
        ARENA_NEW_ARRAY(&c->arena, struct runtime_image, image_store_len(b->images));

    for (size_t i = 0; i < image_store_len(b->images); i++)
        all[c->result.n_images++] = image_store_at(b->images, i)->info;
    c->result.images = all;
    builtin_call_finish(c, r);
    return c;
}

/* pintle-image's last words, and the kind of failure by its exit code. */
static void on_image_job(struct command *command, const struct command_result *res, void *arg)
{
    struct runtime_call *c = arg;
    struct str out = str_trim(res->out), words = str_trim(res->err);
    int r = res->code;

    (void)command;
    c->command = NULL;
    image_store_invalidate(c->b->images);
    if (r == 0 && res->status != 0)
        r = err_set(&c->err, res->status == 4 ? ERR_NOT_FOUND : ERR_INVALID, "%.*s",
                    STR_ARG(words));
    else if (r < 0)
        (void)err_set(&c->err, r, "the image job took too long");
    c->result.id = str_dup(&c->arena, out);
    if (r < 0)
        c->result.reason = STR("ErrImagePull");
    builtin_call_finish(c, r);
}

static struct runtime_call *image_job(struct builtin *b, const char *const *argv, struct str input,
                                      runtime_done_fn *done, void *arg)
{
    struct runtime_call *c = builtin_call_new(b, "pull_image", done, arg);
    int r = command_start(b->rt.loop,
                          &(struct command_options){ .argv = argv,
                                                     .input = input,
                                                     .timeout_ms = 3600 * 1000,
                                                     .done = on_image_job,
                                                     .arg = c },
                          &c->command, &c->err);

    if (r < 0)
        builtin_call_finish(c, r);
    return c;
}

static struct runtime_call *pull_image(struct runtime *rt, struct str image,
                                       const struct runtime_auth *auth, runtime_done_fn *done,
                                       void *arg)
{
    struct builtin *b = builtin_of(rt);
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(buf_done) struct buf credentials = { 0 };
    const char *const argv[] = { arena_printf(&a, "%s/pintle-image", b->programs).p,
                                 "--store",
                                 image_store_directory(b->images),
                                 "--registries",
                                 b->registries ? b->registries : "",
                                 "--credentials", /* perhaps none */
                                 "pull",
                                 str_cstr(&a, image),
                                 NULL };

    if (auth) /* on its standard input: a command line is everybody's to read */
        buf_printf(&credentials, "%.*s\n%.*s\n%.*s\n%.*s\n", STR_ARG(auth->username),
                   STR_ARG(auth->password), STR_ARG(auth->registry_token),
                   STR_ARG(auth->identity_token));
    return image_job(b, argv, buf_str(&credentials), done, arg);
}

static bool is_image_used(const struct builtin *b, const struct image *image)
{
    LIST_FOREACH(n, &b->containers) {
        const struct builtin_container *c = CONTAINER_OF(n, struct builtin_container, link);

        if (str_eq(c->status.image_id, image->info.id) ||
            str_contains(c->image_volumes, image->info.id))
            return true;
    }
    return false;
}

static struct runtime_call *remove_image(struct runtime *rt, struct str name, runtime_done_fn *done,
                                         void *arg)
{
    struct builtin *b = builtin_of(rt);
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct image *image;
    struct runtime_call *c;
    struct err err;

    (void)image_store_refresh(b->images, &err); /* what was read before will do */
    image = image_store_find(b->images, name);
    if (!image || is_image_used(b, image)) {
        c = builtin_call_new(b, "remove_image", done, arg);
        builtin_call_finish(
            c, image ? err_set(&c->err, ERR_CONFLICT, "image '%.*s' is in use", STR_ARG(name)) : 0);
        return c;
    }
    return image_job(b,
                     (const char *const[]){ arena_printf(&a, "%s/pintle-image", b->programs).p,
                                            "--store", image_store_directory(b->images), "rm",
                                            str_cstr(&a, image->info.id), NULL },
                     STR_NULL, done, arg);
}

/* --- the whole --- */

static void set_listener(struct runtime *rt, runtime_event_fn *fn, void *arg)
{
    struct builtin *b = builtin_of(rt);

    b->on_event = fn;
    b->event_arg = arg;
}

static const char *version(const struct runtime *rt)
{
    return CONTAINER_OF((struct runtime *)(uintptr_t)rt, struct builtin, rt)->version;
}

static void builtin_free(struct runtime *rt)
{
    struct builtin *b = builtin_of(rt);

    LIST_FOREACH_SAFE(n, &b->calls)
        call_free(CONTAINER_OF(n, struct runtime_call, link));
    LIST_FOREACH_SAFE(n, &b->containers)
        builtin_container_unref(CONTAINER_OF(n, struct builtin_container, link));
    LIST_FOREACH_SAFE(n, &b->sandboxes)
        builtin_sandbox_unref(CONTAINER_OF(n, struct builtin_sandbox, link));
    loop_task_cancel(&b->kick_task);
    loop_watch_close(&b->exits_watch);
    if (b->exits_fd >= 0)
        (void)close(b->exits_fd);
    image_store_free(b->images);
    arena_done(&b->arena);
    mem_free(b);
}

static const struct runtime_ops builtin_ops = {
    .name = "builtin",
    .run_pod_sandbox = builtin_run_pod_sandbox,
    .stop_pod_sandbox = builtin_stop_pod_sandbox,
    .remove_pod_sandbox = builtin_remove_pod_sandbox,
    .pod_sandbox_status = sandbox_status,
    .list_pod_sandboxes = list_sandboxes,
    .create_container = builtin_create_container,
    .start_container = builtin_start_container,
    .stop_container = builtin_stop_container,
    .remove_container = builtin_remove_container,
    .container_status = container_status,
    .list_containers = list_containers,
    .update_container_resources = update_resources,
    .reopen_container_log = reopen_log,
    .exec_sync = builtin_exec_sync,
    .exec = builtin_exec,
    .attach = builtin_attach,
    .port_forward = builtin_port_forward,
    .stats = builtin_stats,
    .image_status = image_status,
    .list_images = list_images,
    .pull_image = pull_image,
    .remove_image = remove_image,
    .cancel = cancel,
    .set_listener = set_listener,
    .version = version,
    .free = builtin_free,
};

/* conmon wrote exit files: their names are ids. */
static void on_exits(struct loop_watch *w, int events)
{
    struct builtin *b = CONTAINER_OF(w, struct builtin, exits_watch);
    char buffer[8192] __attribute__((aligned(8)));
    ssize_t n;

    (void)events;
    while ((n = read(b->exits_fd, buffer, sizeof(buffer))) > 0)
        for (char *p = buffer; p < buffer + n;) {
            const struct inotify_event *e = (const void *)p;
            struct builtin_container *c =
                e->len ? builtin_find_container(b, str_from_cstr(e->name)) : NULL;

            if (c && c->status.state != RUNTIME_CONTAINER_IS_EXITED)
                (void)builtin_take_exit(c); /* the name of its temporary file: later */
            p += sizeof(*e) + e->len;
        }
}

static void learn_boot(struct builtin *b)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str text = STR_NULL;
    struct err ignored; /* without it no boot differs from another */

    (void)runtime_files_read(&a, AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, &ignored);
    (void)snprintf(b->boot_id, sizeof(b->boot_id), "%.*s", STR_ARG(str_trim(text)));
}

static void learn_host(struct oci_host *h)
{
    struct rlimit limit;

    for (int i = 0; oci_capability_name(i); i++)
        if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
            h->bounding |= (uint64_t)1 << i;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        h->max_nofile = limit.rlim_max;
    /* Lowering a score below 0 is CAP_SYS_RESOURCE's. */
    h->min_oom_score_adj =
        h->bounding & ((uint64_t)1 << oci_capability_number(STR("SYS_RESOURCE"))) ? -1000 : 0;
    h->has_cgroup_v2 = cgroup_is_v2();
}

static int make_directories(struct builtin *b, struct err *err)
{
    static const char *const in_root[] = { "sandboxes", "containers" };
    static const char *const in_state[] = { "netns", "exits", "s", "crun", "empty", "tmp" };
    CLEANUP(arena_done) struct arena a = { 0 };
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_LEN(in_root); i++)
        r = runtime_files_make_directory(arena_printf(&a, "%s/%s", b->root, in_root[i]).p, 0700,
                                         err);
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(in_state); i++)
        r = runtime_files_make_directory(arena_printf(&a, "%s/%s", b->state, in_state[i]).p, 0700,
                                         err);
    return r;
}

static int watch_exits(struct builtin *b, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    int r;

    b->exits_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (b->exits_fd < 0 || inotify_add_watch(b->exits_fd, arena_printf(&a, "%s/exits", b->state).p,
                                             IN_MOVED_TO | IN_CLOSE_WRITE) < 0)
        return err_errno(err, errno, "watch for the ends of containers");
    r = loop_watch_open(&b->exits_watch, b->rt.loop, b->exits_fd, on_exits);
    if (r < 0)
        return err_errno(err, -r, "watch for the ends of containers");
    loop_watch_want(&b->exits_watch, LOOP_READABLE);
    return 0;
}

/* In PATH, or as given. */
static const char *find_program(struct arena *a, const char *given, const char *name,
                                struct err *err)
{
    struct str rest = STR("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), dir;

    if (given) {
        if (access(given, X_OK) == 0)
            return str_cstr(a, str_from_cstr(given));
        (void)err_set(err, ERR_NOT_FOUND, "'%s' is no program", given);
        return NULL;
    }
    while (str_next(&rest, ':', &dir)) {
        const char *path = arena_printf(a, "%.*s/%s", STR_ARG(dir), name).p;

        if (access(path, X_OK) == 0)
            return path;
    }
    (void)err_set(err, ERR_NOT_FOUND, "'%s' is not installed (apt-get install %s)", name, name);
    return NULL;
}

static const char *own_directory(struct arena *a)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
    char *slash;

    path[n > 0 ? n : 0] = '\0';
    slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    return str_cstr(a, str_from_cstr(path));
}

static int set_up(struct builtin *b, const struct runtime_builtin_options *o, struct err *err)
{
    struct arena *a = &b->arena;
    int r;

    b->root = str_cstr(a, str_from_cstr(o->root_directory));
    b->state = str_cstr(a, str_from_cstr(o->state_directory));
    b->programs =
        o->program_directory ? str_cstr(a, str_from_cstr(o->program_directory)) : own_directory(a);
    b->registries = o->registries_file ? str_cstr(a, str_from_cstr(o->registries_file)) : NULL;
    b->network = o->network;
    b->crun = find_program(a, o->crun, "crun", err);
    if (!b->crun)
        return err->code;
    b->conmon = find_program(a, o->conmon, "conmon", err);
    if (!b->conmon)
        return err->code;
    r = make_directories(b, err);
    if (r == 0)
        r = image_store_new(o->image_directory ? o->image_directory
                                               : arena_printf(a, "%s/store", b->root).p,
                            &b->images, err);
    if (r == 0)
        r = watch_exits(b, err);
    return r == 0 ? builtin_load(b, err) : r;
}

int runtime_builtin_new(struct loop *l, const struct runtime_builtin_options *o,
                        struct runtime **ret, struct err *err)
{
    struct builtin *b = NEW(struct builtin);
    int r;

    b->rt = (struct runtime){ .ops = &builtin_ops, .loop = l };
    b->exits_fd = -1;
    list_init(&b->sandboxes);
    list_init(&b->containers);
    list_init(&b->calls);
    loop_task_init(&b->kick_task, run_steps);
    learn_host(&b->host);
    learn_boot(b);
    (void)snprintf(b->version, sizeof(b->version), "1.0");
    r = set_up(b, o, err);
    if (r < 0) {
        builtin_free(&b->rt);
        return r;
    }
    *ret = &b->rt;
    return 0;
}
