/* What must hold before a cluster starts, so that what is wrong is said in one line before anything
 * is made: root, the kernel's features, programs, free ports, room on the disk. */
#pragma once

struct cluster;
struct err;

int preflight_user(struct err *err);
/* After the root and the run directory were made. */
int preflight_check(const struct cluster *c, struct err *err);
