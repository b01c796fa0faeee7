#include "controller/job_indexes.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/macros.h"

/* Intervals come in the order of their beginnings. */
static void add(struct job_indexes *s, struct job_interval i)
{
    struct job_interval *last = s->len ? &s->items[s->len - 1] : NULL;

    if (!last || i.first > (int64_t)last->last + 1)
        s->items[s->len++] = i;
    else
        last->last = MAX(last->last, i.last);
}

static bool parse_interval(struct str text, struct job_interval *ret)
{
    struct str first = text, last = text;
    int64_t x, y;

    (void)str_cut(text, '-', &first, &last);
    if (!last.p)
        last = first;
    if (!str_to_i64(first, &x) || !str_to_i64(last, &y) || x < 0 || y < x || y > INT32_MAX)
        return false;
    *ret = (struct job_interval){ (int32_t)x, (int32_t)y };
    return true;
}

struct job_indexes job_indexes_parse(struct arena *a, struct str text, int32_t completions)
{
    struct job_indexes s = { 0 };
    struct str rest = text, part;
    size_t n = 1;

    for (size_t i = 0; i < text.len; i++)
        n += text.p[i] == ',';
    s.items = ARENA_NEW_ARRAY(a, struct job_interval, n);
    while (text.len && str_next(&rest, ',', &part)) {
        struct job_interval i;

        if (!parse_interval(part, &i))
            continue;
        if (i.first >= completions)
            break;
        i.last = MIN(i.last, completions - 1);
        add(&s, i);
    }
    return s;
}

struct str job_indexes_print(struct arena *a, const struct job_indexes *s)
{
    struct buf b = { 0 };

    buf_init_arena(&b, a, 64);
    for (size_t i = 0; i < s->len; i++) {
        struct job_interval v = s->items[i];

        buf_printf(&b, "%s%d", i ? "," : "", v.first);
        if (v.last > v.first)
            buf_printf(&b, "%c%d", v.last == v.first + 1 ? ',' : '-', v.last);
    }
    return buf_str(&b);
}

static int compare(const void *a, const void *b)
{
    const int32_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

struct job_indexes job_indexes_of(struct arena *a, const int32_t *values, size_t n)
{
    struct job_indexes s = { .items = ARENA_NEW_ARRAY(a, struct job_interval, n) };
    int32_t *sorted = ARENA_NEW_ARRAY(a, int32_t, n);

    for (size_t i = 0; i < n; i++)
        sorted[i] = values[i];
    if (n)
        qsort(sorted, n, sizeof(sorted[0]), compare);
    for (size_t i = 0; i < n; i++)
        add(&s, (struct job_interval){ sorted[i], sorted[i] });
    return s;
}

struct job_indexes job_indexes_union(struct arena *a, const struct job_indexes *x,
                                     const struct job_indexes *y)
{
    struct job_indexes s = { .items = ARENA_NEW_ARRAY(a, struct job_interval, x->len + y->len) };
    size_t i = 0, k = 0;

    while (i < x->len || k < y->len)
        if (k == y->len || (i < x->len && x->items[i].first < y->items[k].first))
            add(&s, x->items[i++]);
        else
            add(&s, y->items[k++]);
    return s;
}

int32_t job_indexes_count(const struct job_indexes *s)
{
    int32_t n = 0;

    for (size_t i = 0; i < s->len; i++)
        n += s->items[i].last - s->items[i].first + 1;
    return n;
}

bool job_indexes_has(const struct job_indexes *s, int32_t index)
{
    size_t low = 0, high = s->len; /* those below low end before index */

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (s->items[middle].last < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->len && s->items[low].first <= index;
}

int32_t job_indexes_shared(const struct job_indexes *x, const struct job_indexes *y)
{
    int32_t n = 0;

    for (size_t i = 0, k = 0; i < x->len && k < y->len;) {
        struct job_interval v = x->items[i], w = y->items[k];

        n += MAX(MIN(v.last, w.last) - MAX(v.first, w.first) + 1, 0);
        i += v.last <= w.last;
        k += w.last <= v.last;
    }
    return n;
}

size_t job_indexes_missing(const struct job_indexes *s, int32_t completions, int32_t *ret, size_t n)
{
    int32_t candidate = 0;
    size_t found = 0;

    for (size_t i = 0; i <= s->len && found < n; i++) {
        int32_t end = i < s->len ? MIN(s->items[i].first, completions) : completions;

        while (candidate < end && found < n)
            ret[found++] = candidate++;
        if (i < s->len)
            candidate = MAX(candidate, s->items[i].last + 1);
    }
    return found;
}
