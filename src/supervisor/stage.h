/* Everything that stands before the first component starts: directories, the lock, networks of
 * nodes, certificates. */
#pragma once

#include <stdbool.h>

struct cluster;
struct err;

struct stage {
    int lock;      /* -1: not held */
    bool is_fresh; /* no earlier run left anything: what was made can go again */
    bool has_root; /* the root was there before */
};

/* record: the flags, kept for those who come later. */
int stage_set(struct stage *s, const struct cluster *c, const char *record, struct err *err);
/* Undoes it, as far as this run made it. */
void stage_strike(struct stage *s, const struct cluster *c);
void stage_leave(struct stage *s); /* lets go of the lock */
