/* Sets of completion indexes, as a Job's status and success policy write them: "0,2-4,7". Ordered
 * intervals that do not touch; everything lies in the arena. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct arena;

struct job_interval {
    int32_t first, last; /* both belong to it */
};
struct job_indexes {
    struct job_interval *items;
    size_t len;
};

/* Of indexes below completions only; parts that are no interval are passed over. */
struct job_indexes job_indexes_parse(struct arena *a, struct str text, int32_t completions);
/* Two neighbours are two numbers ("1,2"), three are an interval ("1-3"). */
struct str job_indexes_print(struct arena *a, const struct job_indexes *s);
/* values in any order, also repeated. */
struct job_indexes job_indexes_of(struct arena *a, const int32_t *values, size_t n);
struct job_indexes job_indexes_union(struct arena *a, const struct job_indexes *x,
                                     const struct job_indexes *y);
int32_t job_indexes_count(const struct job_indexes *s);
bool job_indexes_has(const struct job_indexes *s, int32_t index);
/* How many are in both. */
int32_t job_indexes_shared(const struct job_indexes *x, const struct job_indexes *y);
/* The lowest indexes below completions that are not in s, at most n; how many there are. */
size_t job_indexes_missing(const struct job_indexes *s, int32_t completions, int32_t *ret,
                           size_t n);
