#include "apiserver/authz/edge_counts.h"

#include <criterion/criterion.h>

enum { EDGES = 500, STEPS = 200000 };

Test(edge_counts, agree_with_an_array)
{
    struct edge_counts c = { 0 };
    static int32_t expected[EDGES];
    uint64_t seed = 42;
    size_t n = 0;

    for (int step = 0; step < STEPS; step++) {
        size_t which = (seed = seed * 6364136223846793005ULL + 1442695040888963407ULL) >> 33;
        int32_t by = (seed >> 20) & 1 ? 1 : -1;
        uint64_t edge;

        which %= EDGES;
        edge = which / 4 * 64; /* four in a row, and all near to each other */
        edge += which % 4 << 40;
        if (expected[which] > 2 || expected[which] < -1)
            by = -expected[which]; /* back to nothing now and then */
        expected[which] += by;
        edge_counts_add(&c, edge, by);
        cr_assert_eq(edge_counts_get(&c, edge), expected[which]);
    }
    for (size_t i = 0; i < EDGES; i++) {
        cr_expect_eq(edge_counts_get(&c, i / 4 * 64 + (i % 4 << 40)), expected[i], "%zu", i);
        n += expected[i] != 0;
    }
    cr_expect_eq(c.len, n);
    edge_counts_done(&c);
}

Test(edge_counts, of_an_empty_one)
{
    struct edge_counts c = { 0 };

    cr_expect_eq(edge_counts_get(&c, 1), 0);
    edge_counts_add(&c, 1, 0);
    cr_expect_eq(c.cap, 0);
    edge_counts_add(&c, 0, -1);
    cr_expect_eq(edge_counts_get(&c, 0), -1);
    edge_counts_done(&c);
}
