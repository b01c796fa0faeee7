/* --cleanup: everything of this node that a kubelet made, without an API server. */
#include <fcntl.h>
#include <stdio.h>

#include "client/informer.h"
#include "kubelet/kubelet_internal.h"
#include "kubelet/volume/volume_manager.h"
#include "runtime/cgroup.h"
#include "runtime/runtime_files.h"

enum { GROUP_TRIES = 100, GROUP_RETRY_MS = 50 };

struct cleaning {
    struct kubelet *k;
    size_t left;
    int tries;
    struct loop_timer timer;
};

static void fail(struct cleaning *c, const char *text)
{
    (void)fprintf(stderr, "pintle kubelet: clean up: %s\n", text);
    c->k->exit_code = 1;
    loop_stop(c->k->loop);
}

/* What was killed takes a moment to be gone. */
static void remove_groups(struct loop_timer *t)
{
    struct cleaning *c = CONTAINER_OF(t, struct cleaning, timer);
    const char *root = c->k->o->cgroup_root;
    struct str path =
        arena_printf(&c->k->arena, "%s/kubepods", root && strcmp(root, "/") != 0 ? root : "");
    struct err err;

    if (cgroup_remove(path, &err) < 0) {
        if (++c->tries == GROUP_TRIES)
            fail(c, err.text);
        else
            loop_timer_start(&c->timer, GROUP_RETRY_MS);
        return;
    }
    cgroup_remove_empty(str_from_cstr(root));
    loop_stop(c->k->loop);
}

static void remove_volumes(struct str uid, void *arg)
{
    struct cleaning *c = arg;
    struct err err;

    if (volume_manager_remove_pod(c->k->volumes, uid, &err) < 0) {
        (void)fprintf(stderr, "pintle kubelet: clean up: %s\n", err.text);
        c->k->exit_code = 1;
    }
}

static void finish(struct cleaning *c)
{
    volume_manager_each_pod(c->k->volumes, remove_volumes, c);
    remove_groups(&c->timer);
}

static void on_removed(const struct runtime_result *res, void *arg)
{
    struct cleaning *c = arg;

    if (res->code < 0 && res->code != ERR_NOT_FOUND)
        (void)fprintf(stderr, "pintle kubelet: clean up: %s\n", res->err->text);
    if (--c->left == 0)
        finish(c);
}

static void on_listed(const struct runtime_result *res, void *arg)
{
    struct cleaning *c = arg;

    if (res->code < 0) {
        fail(c, res->err->text);
        return;
    }
    c->left = res->n_sandboxes;
    for (size_t i = 0; i < res->n_sandboxes; i++)
        (void)c->k->runtime->ops->remove_pod_sandbox(c->k->runtime, res->sandboxes[i].id,
                                                     on_removed, c);
    if (!c->left)
        finish(c);
}

int kubelet_clean(struct kubelet *k, struct err *err)
{
    struct cleaning *c = ARENA_NEW(&k->arena, struct cleaning);
    int r = kubelet_open_runtime(k, err);

    if (r >= 0)
        r = kubelet_open_volumes(k, err);
    if (r < 0)
        return r;
    c->k = k;
    loop_timer_init(&c->timer, k->loop, remove_groups);
    (void)k->runtime->ops->list_pod_sandboxes(k->runtime, on_listed, c);
    return 0;
}
