/* pintle up: a cluster's components under one supervisor. */
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/flags.h"
#include "supervisor/supervisor.h"

static int fail(const char *text)
{
    (void)fprintf(stderr, "pintle up: %s\n", text);
    return 2;
}

int cmd_up(int argc, char **argv)
{
    static char program[PATH_MAX];
    struct supervisor_options o = { .root = "/var/lib/pintle", .secure_port = 6443 };
    const struct flag flags[] = {
        { "root", FLAG_STRING, &o.root,
          "where the cluster's state lives (default /var/lib/pintle)" },
        { "secure-port", FLAG_PORT, &o.secure_port, "port of the API server (default 6443)" },
        { "bind-address", FLAG_STRING, &o.bind_address,
          "address that it listens on (default all)" },
        { "advertise-address", FLAG_STRING, &o.advertise_address,
          "address that others reach it by" },
        { "service-cluster-ip-range", FLAG_STRING, &o.service_cidr, "range of Service addresses" },
        { "ephemeral", FLAG_BOOL, &o.ephemeral, "keep nothing on disk" },
        { "v", FLAG_UINT, &o.verbosity, "log verbosity of all; 4 and above shows debug lines" },
        { 0 },
    };
    CLEANUP(mem_free) void *words = mem_alloc((size_t)argc * sizeof(const char *));
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
    struct err err;
    size_t n;
    int r = flags_parse(flags, argc, argv, words, &n, "pintle up [FLAGS]", &err);

    if (r == 1)
        return 0;
    if (r < 0 || n)
        return fail(r < 0 ? err.text : "takes no words, only flags");
    if (len <= 0)
        return fail("cannot find our own program in /proc/self/exe");
    if (o.verbosity >= 4)
        log_set_level(LOG_LEVEL_DEBUG);
    o.program = program;
    return supervisor_run(&o);
}
