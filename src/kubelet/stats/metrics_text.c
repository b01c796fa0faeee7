#include "kubelet/stats/metrics_text.h"

#include "base/buf.h"
#include "codec/json_writer.h"

void metrics_text_family(struct buf *b, const char *name, const char *type, const char *help)
{
    buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_escaped(struct buf *b, struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.p[i];

        if (c == '\n') {
            buf_append_lit(b, "\\n");
            continue;
        }
        if (c == '"' || c == '\\')
            buf_append_char(b, '\\');
        buf_append_char(b, c);
    }
}

void metrics_text_labels(struct buf *b, const struct metrics_label *labels, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_printf(b, "%s%s=\"", i ? "," : "", labels[i].name);
        put_escaped(b, labels[i].value);
        buf_append_char(b, '"');
    }
}

void metrics_text_sample(struct buf *b, const char *name, const struct metrics_label *labels,
                         size_t n, double value, int64_t time_ms)
{
    buf_append_str(b, str_from_cstr(name));
    if (n) {
        buf_append_char(b, '{');
        metrics_text_labels(b, labels, n);
        buf_append_char(b, '}');
    }
    buf_append_char(b, ' ');
    json_write_double(b, value);
    if (time_ms)
        buf_printf(b, " %lld", (long long)time_ms);
    buf_append_char(b, '\n');
}

void metrics_text_gauge(struct buf *b, const char *name, const char *help, double value)
{
    metrics_text_family(b, name, "gauge", help);
    metrics_text_sample(b, name, NULL, 0, value, 0);
}

void metrics_text_counter(struct buf *b, const char *name, const char *help, double value)
{
    metrics_text_family(b, name, "counter", help);
    metrics_text_sample(b, name, NULL, 0, value, 0);
}
