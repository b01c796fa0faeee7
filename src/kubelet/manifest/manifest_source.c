#include "kubelet/manifest/manifest_source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "api/meta_v1.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "io/loop.h"
#include "kubelet/manifest/manifest_pod.h"
#include "runtime/runtime_files.h"

struct file {
    const struct api_object *pod; /* NULL: none yet */
    bool is_there;                /* seen by the walk that runs */
};

struct manifest_source {
    struct manifest_source_options o;
    char *directory;
    int fd; /* inotify's */
    struct loop_watch watch;
    struct map files; /* of struct file by name */
};

static void tell(struct manifest_source *s, const struct api_object *old,
                 const struct api_object *new)
{
    s->o.on_change(old, new, s->o.arg);
    api_object_unref(old);
}

static void read_file(struct manifest_source *s, struct str name)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const char *path = arena_printf(&a, "%s/%.*s", s->directory, STR_ARG(name)).p;
    struct file *f = map_get(&s->files, name);
    const struct api_object *pod = NULL, *old;
    struct str text = STR_NULL;
    struct err err;
    int r = runtime_files_read(&a, AT_FDCWD, path, MANIFEST_MAX_BYTES, &text, &err);

    if (!f) {
        f = NEW(struct file);
        (void)map_put(&s->files, name, f);
    }
    f->is_there = true;
    if (r == 0 && !text.len)
        return; /* about to be written */
    if (r == 0)
        r = manifest_pod_decode(
            text,
            &(struct manifest_origin){ .node_name = s->o.node_name,
                                       .path = str_from_cstr(path),
                                       .now_s = clock_wall_s(loop_clock(s->o.loop)) },
            &pod, &err);
    if (r < 0 || !pod) {
        LOG_ERROR("cannot read a static Pod", KV("path", str_from_cstr(path)),
                  KV("err", str_from_cstr(err.text)));
        return;
    }
    if (f->pod && str_eq(f->pod->meta->uid, pod->meta->uid)) {
        api_object_unref(pod);
        return;
    }
    old = f->pod;
    f->pod = pod;
    tell(s, old, pod);
}

static void walk(struct manifest_source *s)
{
    DIR *d = opendir(s->directory);
    const struct dirent *e;

    MAP_FOREACH(it, &s->files)
        ((struct file *)it->value)->is_there = false;
    while (d && (e = readdir(d)))
        if (e->d_name[0] != '.' &&
            (e->d_type == DT_REG || e->d_type == DT_LNK || e->d_type == DT_UNKNOWN))
            read_file(s, str_from_cstr(e->d_name));
    if (d)
        (void)closedir(d);
    MAP_FOREACH(it, &s->files) {
        struct file *f = it->value;

        if (f->is_there)
            continue;
        if (f->pod)
            tell(s, f->pod, NULL);
        mem_free(f);
        (void)map_remove(&s->files, it->key);
    }
}

static void on_readable(struct loop_watch *w, int events)
{
    struct manifest_source *s = CONTAINER_OF(w, struct manifest_source, watch);
    char buffer[4096];
    bool any = false;

    (void)events;
    while (read(s->fd, buffer, sizeof(buffer)) > 0)
        any = true;
    if (any)
        walk(s); /* few files: which it was does not matter */
}

int manifest_source_new(const struct manifest_source_options *o, struct manifest_source **ret,
                        struct err *err)
{
    struct manifest_source *s;
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    if (fd < 0)
        return err_errno(err, errno, "watch '%s'", o->directory);
    if (inotify_add_watch(fd, o->directory,
                          IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                              IN_ATTRIB | IN_ONLYDIR) < 0) {
        int code = errno;

        (void)close(fd);
        return err_errno(err, code, "watch '%s'", o->directory);
    }
    s = NEW(struct manifest_source);
    s->o = *o;
    s->fd = fd;
    s->directory = str_heap_cstr(str_from_cstr(o->directory));
    (void)loop_watch_open(&s->watch, o->loop, fd, on_readable);
    loop_watch_want(&s->watch, LOOP_READABLE);
    walk(s);
    *ret = s;
    return 0;
}

void manifest_source_free(struct manifest_source *s)
{
    if (!s)
        return;
    loop_watch_close(&s->watch);
    (void)close(s->fd);
    MAP_FOREACH(it, &s->files) {
        struct file *f = it->value;

        api_object_unref(f->pod);
        mem_free(f);
    }
    map_done(&s->files);
    mem_free(s->directory);
    mem_free(s);
}
