/* Is the node short of something? Signals and thresholds as upstream's --eviction-hard has them:
 * "nodefs.available<10%,memory.available<100Mi". A condition that was reached holds on for five
 * minutes after, so that it does not flutter. Who reads the machine is apart from who decides. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct err;

enum pressure_signal {
    PRESSURE_MEMORY,
    PRESSURE_NODEFS,
    PRESSURE_NODEFS_INODES,
    PRESSURE_IMAGEFS,
    PRESSURE_IMAGEFS_INODES,
    PRESSURE_PID,
    PRESSURE_SIGNALS
};
enum pressure_kind { PRESSURE_OF_MEMORY, PRESSURE_OF_DISK, PRESSURE_OF_PIDS, PRESSURE_KINDS };

struct pressure_facts {
    struct {
        uint64_t available, capacity; /* capacity 0: not known */
    } of[PRESSURE_SIGNALS];
};

struct node_pressure {
    struct {
        bool is_set;
        double percent; /* of capacity; 0: amount counts */
        uint64_t amount;
    } limits[PRESSURE_SIGNALS];
    int64_t reached_at_ms[PRESSURE_KINDS]; /* the last time; 0: never */
    bool holds[PRESSURE_KINDS];
};

/* Upstream's but for memory, which nobody would give back here: see docs/kubelet.md. */
#define NODE_PRESSURE_DEFAULT                                                                      \
    "nodefs.available<10%,nodefs.inodesFree<5%,imagefs.available<15%,imagefs.inodesFree<5%"

/* ERR_INVALID names what is wrong. Empty: no thresholds. */
int node_pressure_init(struct node_pressure *p, struct str thresholds, struct err *err);
/* True: some condition is another now. now_ms is above 0. */
bool node_pressure_judge(struct node_pressure *p, const struct pressure_facts *f, int64_t now_ms);
void node_pressure_read(const char *root_directory, const char *image_directory,
                        struct pressure_facts *ret);
