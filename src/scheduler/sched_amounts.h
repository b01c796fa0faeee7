/* Lists of resources as numbers: what nodes have and Pods ask for. */
#pragma once

struct sched_resources;
struct scheduler_cache;

/* map: a node's ResourceList. Names of extended resources are remembered in c. */
void sched_amounts_of_node(struct scheduler_cache *c, const void *map, struct sched_resources *ret);
void sched_amounts_add(struct sched_resources *to, const struct sched_resources *r, int sign);
