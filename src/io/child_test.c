#include "io/child.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
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
