/* pintle scheduler --kubeconfig FILE: gives Pods their nodes. */
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/flags.h"
#include "scheduler/scheduler.h"

static int fail(const char *text)
{
    (void)fprintf(stderr, "pintle scheduler: %s\n", text);
    return 2;
}

int cmd_scheduler(int argc, char **argv)
{
    struct scheduler_options o = { 0 };
    uint32_t verbosity = 0;
    const struct flag flags[] = {
        { "kubeconfig", FLAG_STRING, &o.kubeconfig,
          "how to reach the API server, else as a Pod does" },
        { "scheduler-name", FLAG_STRING, &o.name, "Pods of this name (default default-scheduler)" },
        { "leader-elect", FLAG_BOOL, &o.leader_elect,
          "act only while holding the Lease kube-system/kube-scheduler" },
        { "v", FLAG_UINT, &verbosity, "log verbosity; 4 and above shows debug lines" },
        { 0 },
    };
    struct err err;
    int r = flags_parse_only(flags, argc, argv, "pintle scheduler --kubeconfig FILE", &err);

    if (r == 1)
        return 0;
    if (r < 0)
        return fail(err.text);
    if (verbosity >= 4)
        log_set_level(LOG_LEVEL_DEBUG);
    return scheduler_run(&o);
}
