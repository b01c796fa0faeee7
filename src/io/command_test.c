#include "io/command.h"

#include <criterion/criterion.h>
#include <signal.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/macros.h"
#include "io/loop.h"

static struct loop *loop;
static struct command_result got;
static char out[256], errors[256];

static void take(char *ret, struct str s)
{
    size_t n = s.len < 255 ? s.len : 255;

    memcpy(ret, s.p, n);
    ret[n] = '\0';
}

static void on_done(struct command *c, const struct command_result *res, void *arg)
{
    (void)c;
    (void)arg;
    got = *res;
    take(out, res->out);
    take(errors, res->err);
    loop_stop(loop);
}

static void run(struct command_options o)
{
    struct command *c;
    struct err err;

    loop = loop_new(&clock_system);
    o.done = on_done;
    cr_assert_eq(command_start(loop, &o, &c, &err), 0, "%s", err.text);
    loop_run(loop);
    loop_free(loop);
}

Test(command, gives_both_outputs_and_the_status)
{
    const char *const argv[] = { "sh", "-c", "cat; echo problem >&2; exit 3", NULL };

    run((struct command_options){ .argv = argv, .input = STR("given") });
    cr_expect_eq(got.code, 0);
    cr_expect_eq(got.status, 3);
    cr_expect_str_eq(out, "given");
    cr_expect_str_eq(errors, "problem\n");
}

Test(command, one_output_keeps_the_order)
{
    const char *const argv[] = { "sh", "-c", "echo a; echo b >&2; echo c", NULL };

    run((struct command_options){ .argv = argv, .one_output = true });
    cr_expect_str_eq(out, "a\nb\nc\n");
}

Test(command, cuts_output_and_reads_on)
{
    const char *const argv[] = { "sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x; exit 5",
                                 NULL };

    run((struct command_options){ .argv = argv, .limit_bytes = 100 });
    cr_expect_eq(got.status, 5);
    cr_expect_eq(strlen(out), 100);
}

Test(command, is_killed_after_its_time)
{
    const char *const argv[] = { "sleep", "100", NULL };

    run((struct command_options){ .argv = argv, .timeout_ms = 20 });
    cr_expect_eq(got.code, ERR_TIMEOUT);
    cr_expect_eq(got.signum, SIGKILL);
    cr_expect_eq(got.status, 128 + SIGKILL);
}

Test(command, does_not_wait_for_grandchildren)
{
    const char *const argv[] = { "sh", "-c", "sleep 5 & echo done", NULL };

    run((struct command_options){ .argv = argv, .timeout_ms = 2000 });
    cr_expect_eq(got.code, 0);
    cr_expect_str_eq(out, "done\n");
}

Test(command, is_cancelled)
{
    const char *const argv[] = { "sleep", "100", NULL };
    struct command *c;
    struct err err;

    loop = loop_new(&clock_system);
    cr_assert_eq(
        command_start(loop, &(struct command_options){ .argv = argv, .done = on_done }, &c, &err),
        0);
    command_cancel(c);
    loop_turn(loop);
    loop_free(loop);
    cr_expect_eq(out[0], '\0');
}

Test(command, names_what_cannot_start)
{
    const char *const argv[] = { "/no/such/program", NULL };
    struct command *c;
    struct err err;

    loop = loop_new(&clock_system);
    cr_expect_lt(
        command_start(loop, &(struct command_options){ .argv = argv, .done = on_done }, &c, &err),
        0);
    cr_expect(strstr(err.text, "/no/such/program"));
    loop_free(loop);
}
