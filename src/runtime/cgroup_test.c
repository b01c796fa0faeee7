/* On whichever hierarchy this machine has, as root. */
#include "runtime/cgroup.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "runtime/runtime_files.h"

static char top[64];

static void enter(void)
{
    (void)snprintf(top, sizeof(top), "/pintle-cgroup-test-%d", (int)getpid());
}

static struct str at(struct arena *a, const char *rest)
{
    return arena_printf(a, "%s%s", top, rest);
}

/* The file's text in the group's directory of v2, or of that hierarchy of v1; "": there is none. */
static const char *read_file(struct arena *a, const char *rest, const char *v1, const char *file)
{
    const char *path = arena_printf(a, "/sys/fs/cgroup%s%s%s%s/%s", cgroup_is_v2() ? "" : "/",
                                    cgroup_is_v2() ? "" : v1, top, rest, file)
                           .p;
    struct str text = STR_NULL;
    struct err ignored;

    (void)runtime_files_read(a, AT_FDCWD, path, 4096, &text, &ignored);
    return str_cstr(a, str_trim(text));
}

static void expect_set(struct arena *a, const char *rest, const char *v1, const char *v1_file,
                       const char *v2_file, const char *wanted)
{
    const char *file = cgroup_is_v2() ? v2_file : v1_file;

    cr_expect_str_eq(read_file(a, rest, v1, file), wanted, "%s", file);
}

Test(cgroup, limits_are_set_at_every_depth)
{
    static const char *const depths[] = { "", "/a", "/a/b" };
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct runtime_resources r = { .memory_limit_bytes = 64 << 20,
                                         .cpu_shares = 1024,
                                         .cpu_quota_us = 50000,
                                         .cpu_period_us = 100000,
                                         .pids_limit = 33 };
    struct err err;

    enter();
    cr_assert_geq(cgroup_make(at(&a, "/a/b"), &err), 0, "%s", err.text);
    cr_assert_geq(cgroup_make(at(&a, "/a/b"), &err), 0, "again: %s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(depths); i++) {
        const char *d = depths[i];

        cr_assert_geq(cgroup_set(at(&a, d), &r, &err), 0, "%s", err.text);
        expect_set(&a, d, "memory", "memory.limit_in_bytes", "memory.max", "67108864");
        expect_set(&a, d, "cpu", "cpu.cfs_quota_us", "cpu.max",
                   cgroup_is_v2() ? "50000 100000" : "50000");
        expect_set(&a, d, "cpu", "cpu.shares", "cpu.weight", cgroup_is_v2() ? "39" : "1024");
        expect_set(&a, d, "pids", "pids.max", "pids.max", "33");
    }
    cr_assert_geq(cgroup_remove(str_from_cstr(top), &err), 0, "%s", err.text);
    cr_expect_str_eq(read_file(&a, "", "pids", "pids.max"), "");
}

/* Whoever else has a say in v2's tree may take controllers away from groups that are there. */
Test(cgroup, controllers_come_back)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct runtime_resources r = { .pids_limit = 33 };
    struct err err;
    int fd;

    enter();
    if (!cgroup_is_v2())
        cr_skip_test("control groups are v1 here");
    cr_assert_geq(cgroup_make(at(&a, "/a"), &err), 0, "%s", err.text);
    fd = open(str_cstr(&a, arena_printf(&a, "/sys/fs/cgroup%s/cgroup.subtree_control", top)),
              O_WRONLY | O_CLOEXEC);
    cr_assert(fd >= 0 && write(fd, "-pids", 5) == 5);
    (void)close(fd);
    cr_assert_geq(cgroup_make(at(&a, "/a/b"), &err), 0, "%s", err.text);
    cr_assert_geq(cgroup_set(at(&a, "/a/b"), &r, &err), 0, "%s", err.text);
    cr_expect_str_eq(read_file(&a, "/a/b", "", "pids.max"), "33");
    cr_assert_geq(cgroup_remove(str_from_cstr(top), &err), 0, "%s", err.text);
}

static pid_t spawn_in(struct str path)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct runtime_strs files = cgroup_procs_files(&a, path);
    pid_t pid = fork();

    cr_assert_geq(pid, 0);
    if (pid == 0) {
        (void)pause();
        _exit(0);
    }
    cr_assert_gt(files.len, 0);
    for (size_t i = 0; i < files.len; i++) {
        int fd = open(str_cstr(&a, files.items[i]), O_WRONLY | O_CLOEXEC);

        cr_assert(fd >= 0 && dprintf(fd, "%d", (int)pid) > 0);
        (void)close(fd);
    }
    return pid;
}

Test(cgroup, what_is_in_it_is_killed_and_it_is_removed)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct runtime_usage usage;
    struct err err;
    int status = 0;
    pid_t pid;

    enter();
    cr_assert_geq(cgroup_make(at(&a, "/a"), &err), 0, "%s", err.text);
    pid = spawn_in(at(&a, "/a"));
    cgroup_read_usage(at(&a, "/a"), &usage);
    cr_expect_geq(usage.pids, 1); /* a sanitizer may have a thread in it */
    cr_expect_eq(cgroup_oom_kills(at(&a, "/a")), 0);
    cgroup_remove_empty(at(&a, "/a"));
    cr_expect_str_neq(read_file(&a, "/a", "pids", "cgroup.procs"), "", "one in use stays");
    cgroup_kill(str_from_cstr(top));
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    cr_assert_geq(cgroup_remove(str_from_cstr(top), &err), 0, "%s", err.text);
    cr_assert_geq(cgroup_remove(str_from_cstr(top), &err), 0, "absent is fine: %s", err.text);
}

Test(cgroup, paths_that_lead_out_are_refused)
{
    static const char *const bad[] = { "", "/", "a", "/a/../b", "/.." };
    struct err err;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_expect_eq(cgroup_make(str_from_cstr(bad[i]), &err), ERR_INVALID, "%s", bad[i]);
}
