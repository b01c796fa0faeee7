#include "supervisor/stage.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "supervisor/cluster.h"
#include "supervisor/node_network.h"
#include "supervisor/pki.h"
#include "supervisor/preflight.h"
#include "supervisor/run_state.h"
#include "supervisor/teardown.h"

#define TMPFS_MAGIC 0x01021994

static int take_lock(struct stage *s, const struct cluster *c, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str record;

    s->lock = run_state_lock(c->run_dir, err);
    if (s->lock == ERR_EXISTS)
        return err_set(err, ERR_EXISTS,
                       "a cluster runs here already (%s, supervisor %s): 'pintle status' shows it, "
                       "'pintle down' stops it; another one beside it needs another --root, other "
                       "ports and address ranges",
                       c->run_dir, arena_printf(&a, "%s", err->text).p);
    if (s->lock < 0)
        return s->lock;
    s->is_fresh = !run_state_read(&a, c->run_dir, "cluster", &record);
    return 0;
}

/* The root as a tmpfs, which outlives a supervisor that is killed. */
static int mount_root(const struct cluster *c, struct err *err)
{
    struct statfs fs;

    if (!c->o->ephemeral || (statfs(c->root, &fs) == 0 && fs.f_type == TMPFS_MAGIC))
        return 0;
    if (mount("pintle", c->root, "tmpfs", 0, "mode=0700") < 0)
        return err_errno(err, errno, "mount a tmpfs at '%s'", c->root);
    return 0;
}

static int make_directories(struct stage *s, const struct cluster *c, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    int r = run_state_make_directory(c->run_dir, 0755, err);

    if (r >= 0)
        r = take_lock(s, c, err);
    s->has_root = access(c->root, F_OK) == 0;
    if (r >= 0)
        r = run_state_make_directory(c->root, 0700, err);
    if (r >= 0)
        r = mount_root(c, err);
    if (r >= 0)
        r = run_state_make_directory(cluster_run_path(&a, c, "netns"), 0755, err);
    if (r >= 0)
        r = run_state_make_directory(c->image_dir, 0700, err);
    for (size_t i = 0; i < c->n_nodes && r >= 0; i++) {
        r = run_state_make_directory(c->nodes[i].root_dir, 0700, err);
        if (r >= 0)
            r = run_state_make_directory(arena_printf(&a, "%s/manifests", c->nodes[i].root_dir).p,
                                         0700, err);
        if (r >= 0)
            r = run_state_make_directory(c->nodes[i].state_dir, 0755, err);
    }
    return r;
}

static int make_networks(const struct cluster *c, struct err *err)
{
    int r = node_network_make_host(c, err);

    for (size_t i = 0; i < c->n_nodes && r >= 0; i++)
        r = node_network_make(c, &c->nodes[i], err);
    return r;
}

static int make_certificates(const struct cluster *c, struct err *err)
{
    struct pki_options o = { .dir = c->root,
                             .secure_port = c->o->secure_port,
                             .advertise_address = c->server,
                             .server = c->gateway,
                             .service_cidr = c->o->service_cidr };
    struct pki_result result;
    int r = pki_init(&o, &result, err);

    for (size_t i = 0; i < c->n_nodes && r >= 0; i++) {
        struct pki_node node = { .name = c->nodes[i].name,
                                 .addresses = c->nodes[i].ip,
                                 .server = c->gateway };

        r = pki_init_node(&o, &node, &result, err);
    }
    return r;
}

int stage_set(struct stage *s, const struct cluster *c, const char *record, struct err *err)
{
    int r = preflight_user(err);

    if (r >= 0)
        r = make_directories(s, c, err);
    if (r >= 0)
        r = preflight_check(c, err);
    if (r >= 0)
        r = run_state_write(c->run_dir, "cluster", str_from_cstr(record), err);
    if (r >= 0)
        r = make_networks(c, err);
    return r < 0 ? r : make_certificates(c, err);
}

void stage_strike(struct stage *s, const struct cluster *c)
{
    struct err err;

    if (s->lock < 0 || !s->is_fresh)
        return;
    if (teardown_remove(c, !s->has_root, &err) < 0)
        LOG_WARNING("cannot undo the start", KV("err", (const char *)err.text));
}

void stage_leave(struct stage *s)
{
    if (s->lock >= 0)
        (void)close(s->lock); /* the lock goes with it */
    s->lock = -1;
}
