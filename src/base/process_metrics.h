/* What every process's /metrics ends with: time, memory, descriptors (Prometheus' text form). */
#pragma once

#include <stdint.h>

struct buf;

void process_metrics_print(struct buf *b, int64_t start_wall_ns);
