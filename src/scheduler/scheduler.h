/* The scheduler as a process: Pods without a node get one. */
#pragma once

#include <stdbool.h>

struct scheduler_options {
    const char *kubeconfig;
    const char *name; /* of the Pods' schedulerName; NULL: "default-scheduler" */
    bool leader_elect;
};
/* Until SIGTERM. The process's exit code; one line on stderr when it cannot start. */
int scheduler_run(const struct scheduler_options *o);
