#include "io/child.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "io/loop.h"

static struct loop *loop;
static int got_status, got_signal;

static void on_exit_of(struct child *c, int status, int signum, void *arg)
{
    (void)arg;
    got_status = status;
    got_signal = signum;
    child_free(c);
    loop_stop(loop);
}

Test(child, gives_output_and_status)
{
    const char *const argv[] = { "sh", "-c", "echo $A; exit 7", NULL };
    const char *const env[] = { "A=hello", "PATH=/usr/bin:/bin", NULL };
    struct child *c;
    struct err err;
    char text[16] = "";
    int p[2];

    loop = loop_new(&clock_system);
    cr_assert_eq(pipe2(p, O_CLOEXEC), 0);
    cr_assert_eq(child_start(loop,
                             &(struct child_options){ .argv = argv,
                                                      .env = env,
                                                      .stdio = { -1, p[1], -1 },
                                                      .on_exit = on_exit_of },
                             &c, &err),
                 0, "%s", err.text);
    close(p[1]);
    loop_run(loop);
    cr_assert_eq(got_status, 7);
    cr_assert_eq(read(p[0], text, sizeof(text) - 1), 6);
    cr_assert_str_eq(text, "hello\n");
    close(p[0]);
    loop_free(loop);
}

Test(child, is_killed)
{
    const char *const argv[] = { "sleep", "100", NULL };
    struct child *c;
    struct err err;

    loop = loop_new(&clock_system);
    cr_assert_eq(child_start(loop,
                             &(struct child_options){
                                 .argv = argv, .stdio = { -1, -1, -1 }, .on_exit = on_exit_of },
                             &c, &err),
                 0, "%s", err.text);
    cr_assert_gt(child_pid(c), 0);
    cr_assert_eq(child_kill(c, SIGTERM), 0);
    loop_run(loop);
    cr_assert_eq(got_signal, SIGTERM);
    loop_free(loop);
}

Test(child, says_what_does_not_exist)
{
    const char *const argv[] = { "/nowhere/nothing", NULL };
    struct child *c;
    struct err err;

    loop = loop_new(&clock_system);
    cr_assert_lt(child_start(loop, &(struct child_options){ .argv = argv, .stdio = { -1, -1, -1 } },
                             &c, &err),
                 0);
    cr_assert(strstr(err.text, "/nowhere/nothing"));
    loop_free(loop);
}

/* A child of ours and an orphan of its: of the first we hear, the second is gone without a word. */
Test(child, orphans_are_reaped_beside_our_own)
{
    const char *const argv[] = { "sh", "-c", "sleep 0.2 & echo $!; (exit 1) & sleep 0.1 & exit 3",
                                 NULL };
    struct child_reaper reaper;
    struct child *c;
    struct err err;
    siginfo_t info = { .si_pid = 0 };

    cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    loop = loop_new(&clock_system);
    cr_assert_eq(child_reaper_start(&reaper, loop, &err), 0);
    cr_assert_eq(child_start(loop,
                             &(struct child_options){
                                 .argv = argv, .stdio = { -1, -1, -1 }, .on_exit = on_exit_of },
                             &c, &err),
                 0, "%s", err.text);
    loop_run(loop);
    cr_expect_eq(got_status, 3);
    /* ECHILD: there is no child any more, alive or dead. */
    for (int i = 0; i < 500 && waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0; i++) {
        poll(NULL, 0, 10);
        loop_turn(loop);
    }
    cr_expect_lt(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), 0, "pid %d is left",
                 info.si_pid);
    loop_free(loop);
}
