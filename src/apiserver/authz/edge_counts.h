/* How often each edge of a graph is there, by a 64-bit hash of what it joins (base/hash.h: keyed,
 * so that nobody can choose two alike). Counts may be below zero for a while: what is taken away
 * may be heard of before what brought it. A zeroed struct is empty. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct edge_count {
    uint64_t edge;
    int32_t count; /* 0: a free slot */
};

struct edge_counts {
    struct edge_count *slots;
    size_t cap, len; /* cap: a power of two, or 0 */
};

void edge_counts_add(struct edge_counts *c, uint64_t edge, int32_t n);
int32_t edge_counts_get(const struct edge_counts *c, uint64_t edge);
void edge_counts_done(struct edge_counts *c);
