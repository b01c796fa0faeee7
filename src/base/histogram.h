/* How often a value was up to each of some bounds, printed in Prometheus' text form. One thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct buf;

enum { HISTOGRAM_MAX_BOUNDS = 24 };

struct histogram {
    double bounds[HISTOGRAM_MAX_BOUNDS]; /* rising */
    size_t n;
    uint64_t counts[HISTOGRAM_MAX_BOUNDS + 1];
    double sum;
};

/* start, start * factor, ...: n bounds. */
void histogram_init_exponential(struct histogram *h, double start, double factor, size_t n);
void histogram_observe(struct histogram *h, double value);
/* The series of one set of labels ("a=\"b\"", or ""); the head (HELP, TYPE) is the caller's. */
void histogram_print(const struct histogram *h, const char *name, const char *labels,
                     struct buf *b);
