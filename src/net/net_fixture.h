/* Tests of the network run in a namespace of their own: the test's process leaves the machine's,
 * and everything goes with it. */
#pragma once

#include <criterion/criterion.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "net/link.h"
#include "net/netlink.h"
#include "net/netns.h"

#define NET_OK(expr)                                                                               \
    do {                                                                                           \
        int net_r_ = (expr);                                                                       \
        cr_assert_geq(net_r_, 0, "%s: %s", #expr, err.text);                                       \
    } while (0)

/* Into a network and a mount namespace of its own; a scratch directory on a tmpfs of its own. */
static inline const char *net_fixture_enter(void)
{
    static const char dir[] = "/mnt";

    cr_assert_eq(unshare(CLONE_NEWNET | CLONE_NEWNS), 0, "these tests need root");
    cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    cr_assert_eq(mount("scratch", dir, "tmpfs", 0, NULL), 0);
    return dir;
}

/* Runs argv with `input` (short) on its standard input; its output, cut to size - 1, and its
 * status. */
static inline int net_fixture_run(const char *const *argv, const char *input, char *output,
                                  size_t size)
{
    int in[2], out[2], status;
    size_t n = 0;
    ssize_t r;
    pid_t pid;

    cr_assert(pipe(in) == 0 && pipe(out) == 0);
    pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        close(out[0]);
        execvp(argv[0], (char **)(uintptr_t)argv);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    cr_assert_eq(write(in[1], input, strlen(input)), (ssize_t)strlen(input));
    close(in[1]);
    while (n + 1 < size && (r = read(out[0], output + n, size - 1 - n)) > 0)
        n += (size_t)r;
    if (size)
        output[n] = '\0';
    close(out[0]);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}
