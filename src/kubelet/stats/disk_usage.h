/* What trees of files take on disk, counted by a thread that lives while there is something to
 * count. Whoever asks gets the last count; one that is older than a minute is made anew, one that
 * nobody asked for in five minutes is forgotten. One loop. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct disk_usage;
struct loop;

struct disk_usage_count {
    uint64_t bytes, inodes;
    int64_t at_ns; /* wall time */
};

struct disk_usage *disk_usage_new(struct loop *l);
void disk_usage_free(struct disk_usage *d); /* waits for its thread to give up; accepts NULL */
/* False: not counted yet. Links are not followed, other mounts are left out. */
bool disk_usage_get(struct disk_usage *d, const char *path, struct disk_usage_count *ret);
