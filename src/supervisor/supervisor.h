/* The supervisor of `pintle up`: starts the components of a cluster as processes, in order, watches
 * them, starts them again when they end (with a back-off), and stops them in reverse order. A
 * component ends when its supervisor does, however that ended (supervisor_join). Containers do not:
 * the next supervisor's kubelets find them again. */
#pragma once

#include <stdbool.h>

struct cluster;

/* Until SIGTERM or SIGINT; the process's exit code. When every node is Ready it says how to use the
 * cluster on standard output, which is closed then. 1 after one line on standard error when it
 * cannot start; nothing that it made stays then. */
int supervisor_run(const struct cluster *c, const char *record);

/* For every component, first of all: when it was started by a supervisor, it gets SIGTERM when that
 * ends. False: it has ended already. */
bool supervisor_join(void);
