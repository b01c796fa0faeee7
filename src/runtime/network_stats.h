/* Counters of network interfaces, as /proc tells them. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/str.h"
#include "runtime/runtime_types.h"

struct arena;

/* Of the namespace that the process is in (0: this one), loopback apart; in a. At most 64. */
const struct runtime_network_stats *network_stats_read(struct arena *a, pid_t pid, size_t *ret_n);
/* The text of /proc/PID/net/dev. */
const struct runtime_network_stats *network_stats_parse(struct arena *a, struct str text,
                                                        size_t *ret_n);
