/* The mount namespace that a node's agent lives in: private to it, shared downwards, kept by a file
 * so that the next agent finds the mounts of running Pods. An empty cgroup v2 tree beside v1 is not
 * in it, because crun refuses that mix. */
#pragma once

struct err;

/* Once, before the process has threads. path: a file below a directory that stays outside of the
 * namespace; made when absent. */
int node_mounts_enter(const char *path, struct err *err);
/* From outside, when the node is gone for good: lets go of the namespace. Absent is fine. */
int node_mounts_remove(const char *path, struct err *err);
