#include "supervisor/teardown.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/vec.h"
#include "supervisor/cluster.h"
#include "supervisor/component.h"
#include "supervisor/node_network.h"
#include "supervisor/program.h"
#include "supervisor/run_state.h"

enum { STOP_MS = 30000, KILLED_MS = 5000 };

/* What went wrong first is what is told. */
struct worst {
    int code;
    struct err *err;
};

static void note(struct worst *w, int r, const struct err *err)
{
    if (r < 0 && w->code >= 0) {
        w->code = r;
        *w->err = *err;
    }
}

/* --- processes --- */

/* Whether it ended in time. */
static bool await_end(int pidfd, int timeout_ms)
{
    struct pollfd p = { .fd = pidfd, .events = POLLIN };
    int r;

    do
        r = poll(&p, 1, timeout_ms);
    while (r < 0 && errno == EINTR);
    return r > 0;
}

static int stop_process(pid_t pid, struct err *err)
{
    int fd = pidfd_open(pid, 0);

    if (fd < 0)
        return 0;                                  /* it has ended */
    (void)pidfd_send_signal(fd, SIGTERM, NULL, 0); /* ended just now: await_end() tells */
    if (!await_end(fd, STOP_MS)) {
        (void)pidfd_send_signal(fd, SIGKILL, NULL, 0);
        if (!await_end(fd, KILLED_MS)) {
            (void)close(fd);
            return err_set(err, ERR_TIMEOUT, "process %d does not end", (int)pid);
        }
    }
    (void)close(fd);
    return 0;
}

/* A pid may be somebody else's by now: it is ours while it runs a command of ours. */
static bool is_ours(struct arena *a, pid_t pid, struct str command)
{
    char text[256];
    FILE *f = fopen(arena_printf(a, "/proc/%d/cmdline", (int)pid).p, "re");
    struct str program, rest;
    size_t n;

    if (!f)
        return false;
    n = fread(text, 1, sizeof(text), f);
    (void)fclose(f); /* only read */
    (void)str_cut(str_n(text, n), '\0', &program, &rest);
    (void)str_cut(rest, '\0', &rest, &program);
    return str_eq(rest, command);
}

int teardown_stop(const struct cluster *c, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    pid_t supervisor = run_state_supervisor(c->run_dir);
    struct str text = STR_NULL, line, name, pid_text;
    struct worst w = { .err = err };
    struct err other;
    int64_t pid;

    if (supervisor)
        note(&w, stop_process(supervisor, &other), &other);
    if (!run_state_read(&a, c->run_dir, "components", &text))
        return w.code;
    while (str_next(&text, '\n', &line)) {
        if (!str_cut(line, ' ', &name, &line))
            continue;
        (void)str_cut(line, ' ', &pid_text, &line);
        (void)str_cut(name, '/', &name, &line);
        if (!str_to_i64(pid_text, &pid) || pid <= 0 || !is_ours(&a, (pid_t)pid, name))
            continue;
        note(&w, stop_process((pid_t)pid, &other), &other);
    }
    return w.code;
}

/* --- what components made --- */

/* Each component that makes things in the kernel removes them itself. */
static int clean_component(struct arena *a, const struct component_row *row,
                           const struct cluster *c, const struct cluster_node *node,
                           struct err *err)
{
    if (node && node->netns && access(node->netns, F_OK) < 0)
        return 0; /* never made, or gone with a reboot */
    return program_run(component_argv(a, row, c, node, "--cleanup"), err);
}

static int clean_components(const struct cluster *c, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct worst w = { .err = err };
    struct err other;

    for (const struct component_row *row = component_rows; row->command; row++) {
        if (!row->has_cleanup || (row->place == COMPONENT_OF_GATEWAY && !c->gateway))
            continue;
        for (size_t i = 0; i < (row->place == COMPONENT_OF_NODE ? c->n_nodes : 1); i++) {
            const struct cluster_node *node = row->place == COMPONENT_OF_NODE ? &c->nodes[i] : NULL;

            note(&w, clean_component(&a, row, c, node, &other), &other);
        }
    }
    return w.code;
}

/* --- control groups --- */

/* The kubelet removed what it made below; v2 has one hierarchy, v1 a directory of them. */
static void remove_groups(const struct cluster *c)
{
    static const char top[] = "/sys/fs/cgroup";
    CLEANUP(arena_done) struct arena a = { 0 };
    DIR *d = opendir(top);
    const struct dirent *e;

    for (size_t i = 0; i < c->n_nodes; i++)
        if (strcmp(c->nodes[i].cgroup_root, "/") != 0)
            (void)rmdir(arena_printf(&a, "%s%s", top, c->nodes[i].cgroup_root).p); /* v2's */
    while (d && (e = readdir(d)))
        for (size_t i = 0; i < c->n_nodes && e->d_name[0] != '.'; i++)
            if (strcmp(c->nodes[i].cgroup_root, "/") != 0)
                (void)rmdir(arena_printf(&a, "%s/%s%s", top, e->d_name, c->nodes[i].cgroup_root).p);
    if (d)
        (void)closedir(d);
}

/* --- mounts --- */

/* Mount points below (or at) a directory, in the order in which they were made. */
void teardown_unmount_below(const char *directory)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str prefix = arena_printf(&a, "%s/", directory);
    struct VEC(const char *) points = { 0 };
    FILE *f = fopen("/proc/self/mountinfo", "re");
    char line[4096], point[4096];

    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "%*d %*d %*s %*s %4095s", point) == 1 && /* NOLINT: strings alone */
            (str_has_prefix(str_from_cstr(point), prefix) ||
             str_eq(str_from_cstr(point), str_from_cstr(directory))))
            VEC_PUSH(&points, str_cstr(&a, str_from_cstr(point)));
    if (f)
        (void)fclose(f); /* only read */
    while (points.len)
        (void)umount2(VEC_POP(&points), MNT_DETACH | UMOUNT_NOFOLLOW); /* who holds it: no matter */
    VEC_DONE(&points);
}

/* --- files --- */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    return (type == FTW_DP ? rmdir(path) : unlink(path)) < 0 && errno != ENOENT ? -1 : 0;
}

/* Never across a mount point. */
static int remove_tree(const char *path, struct err *err)
{
    if (nftw(path, remove_entry, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0 && errno != ENOENT)
        return err_errno(err, errno, "remove '%s'", path);
    return 0;
}

int teardown_remove(const struct cluster *c, bool purge, struct err *err)
{
    struct worst w = { .err = err };
    struct err other;

    note(&w, clean_components(c, &other), &other);
    note(&w, node_network_remove(c, &other), &other);
    remove_groups(c);
    teardown_unmount_below(c->run_dir);
    note(&w, remove_tree(c->soft_dir, &other), &other);
    if (c->o->ephemeral)
        teardown_unmount_below(c->root);
    if (purge || c->o->ephemeral)
        note(&w, remove_tree(c->root, &other), &other);
    note(&w, remove_tree(c->run_dir, &other), &other);
    return w.code;
}
