/* The end of a cluster: whatever it made on this machine goes, also after everything of it was
 * killed. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct cluster;
struct err;

/* SIGTERM to its supervisor, and waits until that and its components have ended; SIGKILL for who
 * does not. No supervisor is fine. */
int teardown_stop(const struct cluster *c, struct err *err);
/* Pods, namespaces, links, tables, control groups, mounts, the run directory; the state stays
 * unless it is in memory or purge. Goes on after a failure and returns the first. The components
 * must have ended. */
int teardown_remove(const struct cluster *c, bool purge, struct err *err);
/* The run directory's mount of its own is what keeps namespaces where only we see them. */
void teardown_unmount_below(const char *directory);
