/* pintle down: stops a cluster and removes what it made on this machine; its state stays. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "cmd/cluster_flags.h"
#include "cmd/cmd.h"
#include "supervisor/run_state.h"
#include "supervisor/teardown.h"

static int fail(const char *text, int code)
{
    (void)fprintf(stderr, "pintle down: %s\n", text);
    return code;
}

static int stop(struct cluster_flags *f, bool purge)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct err err;
    struct cluster c;
    int r = cluster_flags_find(&a, f, &c, &err), stopped;

    if (r < 0)
        return fail(err.text, 2);
    if (r == 0 && !(purge && access(c.root, F_OK) == 0)) {
        printf("no cluster is up at %s\n", c.root);
        return 0;
    }
    stopped = teardown_stop(&c, &err);
    if (stopped < 0)
        (void)fprintf(stderr, "pintle down: %s\n", err.text);
    if (teardown_remove(&c, purge, &err) < 0)
        return fail(err.text, 1);
    if (stopped < 0)
        return 1;
    if (purge || c.o->ephemeral)
        printf("the cluster is down, its state is gone\n");
    else
        printf("the cluster is down; its state is kept in %s ('pintle up' goes on with it, "
               "'pintle down --purge' removes it)\n",
               c.root);
    return 0;
}

int cmd_down(int argc, char **argv)
{
    bool purge = false;
    struct cluster_flags f;
    struct err err;
    int r;
    const struct flag rows[] = {
        { "root", FLAG_STRING, &f.o.root, "where the cluster's state lives" },
        { "run-dir", FLAG_STRING, &f.o.run_dir,
          "its sockets and pids, else as 'pintle up' has it" },
        { "purge", FLAG_BOOL, &purge, "remove the state as well" },
        { 0 },
    };

    cluster_flags_init(&f, NULL);
    r = flags_parse_only(rows, argc, argv, "pintle down [FLAGS]", &err);
    if (r == 1)
        return 0;
    if (r < 0)
        return fail(err.text, 2);
    if (geteuid() != 0)
        return fail("must run as root", 1);
    return stop(&f, purge);
}
