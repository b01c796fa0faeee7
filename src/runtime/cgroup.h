/* Control groups as a path under every hierarchy that is there: all of v1's, or v2's one. On a
 * machine with both, v1 has the controllers and v2 is left alone. Paths begin with '/'. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "runtime/runtime_types.h"

struct arena;
struct err;

bool cgroup_is_v2(void);
/* With its parents. Limits above stay untouched. */
int cgroup_make(struct str path, struct err *err);
/* Kills what is in it and below, and removes all of it; absent is fine. -EBUSY: something has not
 * died yet, ask again. */
int cgroup_remove(struct str path, struct err *err);
/* Only if nothing is in it or below. */
void cgroup_remove_empty(struct str path);
/* Kills what is in it and below. */
void cgroup_kill(struct str path);
/* The files that a process is written to to enter it, as many as there are hierarchies. */
struct runtime_strs cgroup_procs_files(struct arena *a, struct str path);
/* Sets what is set in r. */
int cgroup_set(struct str path, const struct runtime_resources *r, struct err *err);
/* A dozen small files. The root's path is "": the machine, as far as its groups tell. */
void cgroup_read_usage(struct str path, struct runtime_usage *ret);
uint64_t cgroup_oom_kills(struct str path); /* of its own, not of those below */
