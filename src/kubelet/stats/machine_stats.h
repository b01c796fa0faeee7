/* What /proc tells of the machine, and of this process. */
#pragma once

#include <stdint.h>

#include "runtime/runtime_types.h"

struct arena;

struct machine_stats { /* what cannot be read is 0 */
    uint64_t memory_bytes, used_bytes, inactive_file_bytes, available_bytes;
    uint64_t swap_bytes, swap_free_bytes;
    uint64_t max_pids, pids;
    int64_t boot_s; /* wall time */
};

void machine_stats_read(struct arena *a, struct machine_stats *ret);
void machine_stats_read_self(struct arena *a, struct runtime_usage *ret);
