#include "cmd/status_timers.h"

#include <stddef.h>
#include <stdio.h>

#include "base/macros.h"

static const struct {
    const char *component, *period, *what, *why;
} timers[] = {
    { "kubelet", "10s", "renew the node's Lease", "silence for 50s is how a node's death is seen" },
    { "kubelet", "5m", "tell the node's status",
      "upstream's heartbeat for those who read no Leases" },
    { "kubelet", "as set", "probes of containers", "their period is in the Pod" },
    { "controller-manager", "5s", "look at nodes' Leases",
      "a Lease that is not renewed is no event" },
};

void status_timers_print(void)
{
    printf("%-20s %-8s %-28s %s\n", "COMPONENT", "PERIOD", "WHAT", "WHY");
    for (size_t i = 0; i < ARRAY_LEN(timers); i++)
        printf("%-20s %-8s %-28s %s\n", timers[i].component, timers[i].period, timers[i].what,
               timers[i].why);
}
