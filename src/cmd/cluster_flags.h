/* The flags of `pintle up`, and the same read back by the commands that deal with a cluster that is
 * up (down, status, image): its run directory keeps them. */
#pragma once

#include <stddef.h>

#include "base/str.h"
#include "cmd/flags.h"
#include "supervisor/cluster.h"

struct arena;
struct err;

enum { CLUSTER_FLAGS_MAX = 32 };

struct cluster_flags {
    struct cluster_options o;
    struct flag rows[CLUSTER_FLAGS_MAX];
};

/* Defaults, and rows that point into f. more: rows of the command, ended by a row without a name;
 * they are not recorded; may be NULL. */
void cluster_flags_init(struct cluster_flags *f, const struct flag *more);
/* "--name=value" a line. */
struct str cluster_flags_record(struct arena *a, const struct cluster_flags *f);
/* Which cluster a command is about: --root and --run-dir in f->o pick it, the rest is what it was
 * started with (what was not recorded keeps its default). The plan; 1: it was recorded, 0: there is
 * no record. */
int cluster_flags_find(struct arena *a, struct cluster_flags *f, struct cluster *ret,
                       struct err *err);
