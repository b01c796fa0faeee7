#include "base/histogram.h"

#include <inttypes.h>

#include "base/buf.h"

void histogram_init_exponential(struct histogram *h, double start, double factor, size_t n)
{
    *h = (struct histogram){ .n = MIN(n, (size_t)HISTOGRAM_MAX_BOUNDS) };
    for (size_t i = 0; i < h->n; i++, start *= factor)
        h->bounds[i] = start;
}

void histogram_observe(struct histogram *h, double value)
{
    size_t i = 0;

    while (i < h->n && value > h->bounds[i])
        i++;
    h->counts[i]++;
    h->sum += value;
}

void histogram_print(const struct histogram *h, const char *name, const char *labels, struct buf *b)
{
    const char *comma = *labels ? "," : "", *open = *labels ? "{" : "", *close = *labels ? "}" : "";
    uint64_t total = 0;

    for (size_t i = 0; i <= h->n; i++) {
        total += h->counts[i];
        buf_printf(b, "%s_bucket{%s%sle=\"", name, labels, comma);
        if (i < h->n)
            buf_printf(b, "%g", h->bounds[i]);
        else
            buf_append_lit(b, "+Inf");
        buf_printf(b, "\"} %" PRIu64 "\n", total);
    }
    buf_printf(b, "%s_sum%s%s%s %.9g\n", name, open, labels, close, h->sum);
    buf_printf(b, "%s_count%s%s%s %" PRIu64 "\n", name, open, labels, close, total);
}
