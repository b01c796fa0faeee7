#include "kubelet/stats/kubelet_metrics.h"

#include "base/buf.h"
#include "base/macros.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/version.h"
#include "codec/json_writer.h"
#include "kubelet/stats/metrics_text.h"

enum { MAX_LABELS = 3, MAX_BUCKETS = 20, MAX_SERIES = 500 /* of a family */ };

enum type { COUNTER, HISTOGRAM, HISTOGRAM_POD, HISTOGRAM_RUNTIME, TYPE_MAX };

/* Upper bounds in seconds, upstream's; closed by 0. */
static const double bounds[TYPE_MAX][MAX_BUCKETS] = {
    [HISTOGRAM] = { .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10 },
    [HISTOGRAM_POD] = { .5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480 },
    [HISTOGRAM_RUNTIME] = { .005, .0125, .03125, .078125, .1953125, .48828125, 1.220703125,
                            3.0517578125, 7.62939453125, 19.073486328125, 47.6837158203125,
                            119.20928955078125, 298.0232238769531, 745.0580596923828 },
};

static const struct family {
    enum type type;
    const char *name, *help;
    const char *labels[MAX_LABELS];
} families[] = {
#define X(id, type, name, help, ...) { type, name, help, { __VA_ARGS__ } },
    KUBELET_METRICS(X)
#undef X
};

struct series {
    uint64_t count;
    double sum;
    uint64_t buckets[MAX_BUCKETS];
};

struct kubelet_metrics {
    struct map series[KUBELET_METRIC_MAX]; /* of struct series, by their labels' text */
};

struct kubelet_metrics *kubelet_metrics_new(void)
{
    return NEW(struct kubelet_metrics);
}

void kubelet_metrics_free(struct kubelet_metrics *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < KUBELET_METRIC_MAX; i++) {
        MAP_FOREACH(it, &m->series[i])
            mem_free(it->value);
        map_done(&m->series[i]);
    }
    mem_free(m);
}

static struct series *series_of(struct kubelet_metrics *m, enum kubelet_metric id,
                                const struct str *values)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    struct metrics_label labels[MAX_LABELS];
    struct series *s;
    size_t n = 0;

    for (; n < MAX_LABELS && families[id].labels[n]; n++)
        labels[n] = (struct metrics_label){ families[id].labels[n], values[n] };
    metrics_text_labels(&b, labels, n);
    s = map_get(&m->series[id], buf_str(&b));
    if (s || m->series[id].len >= MAX_SERIES)
        return s;
    s = NEW(struct series);
    (void)map_put(&m->series[id], buf_str(&b), s);
    return s;
}

void kubelet_metrics_count(struct kubelet_metrics *m, enum kubelet_metric id,
                           const struct str *values)
{
    struct series *s = series_of(m, id, values);

    if (s)
        s->count++;
}

void kubelet_metrics_observe(struct kubelet_metrics *m, enum kubelet_metric id,
                             const struct str *values, int64_t took_ns)
{
    struct series *s = series_of(m, id, values);
    const double *bound = bounds[families[id].type];
    double seconds = (double)took_ns / 1e9;

    if (!s)
        return;
    s->count++;
    s->sum += seconds;
    for (size_t i = 0; i < MAX_BUCKETS && bound[i] > 0; i++)
        if (seconds <= bound[i]) {
            s->buckets[i]++;
            return;
        }
}

/* --- printing --- */

static void print_histogram(struct buf *b, const struct family *f, struct str labels,
                            const struct series *s)
{
    const double *bound = bounds[f->type];
    const char *comma = labels.len ? "," : "", *open = labels.len ? "{" : "",
               *close = labels.len ? "}" : "";
    uint64_t so_far = 0;

    for (size_t i = 0; i < MAX_BUCKETS && bound[i] > 0; i++) {
        so_far += s->buckets[i];
        buf_printf(b, "%s_bucket{%.*s%sle=\"", f->name, STR_ARG(labels), comma);
        json_write_double(b, bound[i]);
        buf_printf(b, "\"} %llu\n", (unsigned long long)so_far);
    }
    buf_printf(b, "%s_bucket{%.*s%sle=\"+Inf\"} %llu\n", f->name, STR_ARG(labels), comma,
               (unsigned long long)s->count);
    buf_printf(b, "%s_sum%s%.*s%s ", f->name, open, STR_ARG(labels), close);
    json_write_double(b, s->sum);
    buf_printf(b, "\n%s_count%s%.*s%s %llu\n", f->name, open, STR_ARG(labels), close,
               (unsigned long long)s->count);
}

static void print_series(struct buf *b, const struct family *f, struct str labels,
                         const struct series *s)
{
    if (f->type != COUNTER)
        print_histogram(b, f, labels, s);
    else if (labels.len)
        buf_printf(b, "%s{%.*s} %llu\n", f->name, STR_ARG(labels), (unsigned long long)s->count);
    else
        buf_printf(b, "%s %llu\n", f->name, (unsigned long long)s->count);
}

void kubelet_metrics_print(const struct kubelet_metrics *m, struct buf *b)
{
    static const struct series none;

    for (size_t i = 0; i < KUBELET_METRIC_MAX; i++) {
        const struct family *f = &families[i];

        if (f->labels[0] && m->series[i].len == 0)
            continue;
        metrics_text_family(b, f->name, f->type == COUNTER ? "counter" : "histogram", f->help);
        if (m->series[i].len == 0)
            print_series(b, f, STR_NULL, &none);
        MAP_FOREACH(it, &m->series[i])
            print_series(b, f, it->key, it->value);
    }
}

void kubelet_metrics_print_build(struct buf *b)
{
    const struct metrics_label build[] = {
        { "git_version", STR(VERSION_GIT) },
        { "major", STR(VERSION_MAJOR) },
        { "minor", STR(VERSION_MINOR) },
        { "platform", STR("linux") },
    };

    metrics_text_family(b, "kubernetes_build_info", "gauge", "What was built, as labels");
    metrics_text_sample(b, "kubernetes_build_info", build, ARRAY_LEN(build), 1, 0);
}
