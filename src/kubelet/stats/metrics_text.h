/* Prometheus' text format 0.0.4. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct buf;

struct metrics_label {
    const char *name;
    struct str value;
};

/* The lines before a family's samples. type: "counter", "gauge", "histogram". */
void metrics_text_family(struct buf *b, const char *name, const char *type, const char *help);
/* name{labels} value [time]; time_ms 0: none. Labels in the order of their names. */
void metrics_text_sample(struct buf *b, const char *name, const struct metrics_label *labels,
                         size_t n, double value, int64_t time_ms);
/* a="b",c="d", escaped */
void metrics_text_labels(struct buf *b, const struct metrics_label *labels, size_t n);

/* A family of one number. */
void metrics_text_gauge(struct buf *b, const char *name, const char *help, double value);
void metrics_text_counter(struct buf *b, const char *name, const char *help, double value);
