/* JSON over lines, and what changed from one text to the other, line by line. The blocks that both
 * share are found as Python's (and upstream's) sequence matcher finds them: the longest one first,
 * then those before and after it. */
#include "api/internal_print.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"

enum {
    CONTEXT = 3,
    MAX_LINES = 4000, /* of each text; longer ones are told of as a whole */
    POPULAR_FROM = 200,
};

static void break_line(struct buf *b, size_t depth)
{
    buf_append_char(b, '\n');
    while (depth-- > 0)
        buf_append_char(b, ' ');
}

struct str internal_print_indented(struct arena *a, struct str json)
{
    size_t depth = 0;
    bool quoted = false;
    struct buf b;

    buf_init_arena(&b, a, json.len * 2 + 16);
    for (size_t i = 0; i < json.len; i++) {
        char c = json.p[i], next = i + 1 < json.len ? json.p[i + 1] : 0;

        if (quoted) {
            buf_append_char(&b, c);
            if (c == '\\' && i + 1 < json.len)
                buf_append_char(&b, json.p[++i]);
            else if (c == '"')
                quoted = false;
            continue;
        }
        quoted = c == '"';
        if ((c == '}' || c == ']') && json.p[i - 1] != (c == '}' ? '{' : '['))
            break_line(&b, --depth);
        else if (c == '}' || c == ']')
            depth--;
        buf_append_char(&b, c);
        if (c == '{' || c == '[') {
            depth++;
            if (next != (c == '{' ? '}' : ']'))
                break_line(&b, depth);
        } else if (c == ',') {
            break_line(&b, depth);
        } else if (c == ':') {
            buf_append_char(&b, ' ');
        }
    }
    return buf_str(&b);
}

struct line {
    struct str text;
    size_t next; /* the next line of the same text in `after`, counted from 1; 0: none */
};

struct block {
    size_t a, b, n;
};

struct matcher {
    struct VEC(struct line) before;
    struct VEC(struct line) after;
    struct map first;           /* text: its first line in `after`, counted from 1 */
    size_t *lengths;            /* of runs that end at a line of `after`, two rows */
    struct VEC(size_t) touched; /* of both rows, those that are not zero */
    struct VEC(struct block) blocks;
};

static void split(struct str text, struct matcher *m, bool after)
{
    struct str line;

    while (str_next(&text, '\n', &line)) {
        struct line l = { .text = line };

        if (after)
            VEC_PUSH(&m->after, l);
        else
            VEC_PUSH(&m->before, l);
    }
}

/* Chains of equal lines; of a long text, lines that are more than a hundredth of it are no help. */
static void index_lines(struct matcher *m)
{
    CLEANUP(map_done) struct map counts = { 0 };
    size_t n = m->after.len, most = n >= POPULAR_FROM ? n / 100 + 1 : n;

    for (size_t i = 0; i < n; i++) {
        struct str text = m->after.items[i].text;

        (void)map_put(&counts, text,
                      (void *)((uintptr_t)map_get(&counts, text) + 1)); /* a number */
    }
    for (size_t i = n; i-- > 0;) {
        struct line *l = &m->after.items[i];

        if ((uintptr_t)map_get(&counts, l->text) > most)
            continue;
        l->next = (uintptr_t)map_get(&m->first, l->text);
        (void)map_put(&m->first, l->text, (void *)(uintptr_t)(i + 1)); /* a number */
    }
}

static bool lines_equal(const struct matcher *m, size_t a, size_t b)
{
    return str_eq(m->before.items[a].text, m->after.items[b].text);
}

static struct block longest(struct matcher *m, struct block from, struct block to)
{
    struct block best = { .a = from.a, .b = from.b };
    size_t width = m->after.len + 1;
    size_t *was = m->lengths, *now = m->lengths + width;

    if (!m->before.items || !m->after.items)
        return best;
    for (size_t i = from.a; i < to.a; i++) {
        size_t *swap = was, n_was = m->touched.len;

        for (size_t k = (uintptr_t)map_get(&m->first, m->before.items[i].text); k;
             k = m->after.items[k - 1].next) {
            size_t j = k - 1;

            if (j < from.b || j >= to.b)
                continue;
            now[j + 1] = was[j] + 1;
            VEC_PUSH(&m->touched, j + 1);
            if (now[j + 1] > best.n)
                best = (struct block){ i + 1 - now[j + 1], j + 1 - now[j + 1], now[j + 1] };
        }
        for (size_t t = 0; t < n_was; t++)
            was[m->touched.items[t]] = 0;
        if (n_was)
            memmove(m->touched.items, m->touched.items + n_was,
                    (m->touched.len - n_was) * sizeof(*m->touched.items));
        m->touched.len -= n_was;
        was = now;
        now = swap;
    }
    for (size_t t = 0; t < m->touched.len; t++)
        was[m->touched.items[t]] = 0;
    VEC_CLEAR(&m->touched);
    while (best.a > from.a && best.b > from.b && lines_equal(m, best.a - 1, best.b - 1))
        best = (struct block){ best.a - 1, best.b - 1, best.n + 1 };
    while (best.a + best.n < to.a && best.b + best.n < to.b &&
           lines_equal(m, best.a + best.n, best.b + best.n))
        best.n++;
    return best;
}

static int compare_blocks(const void *x, const void *y)
{
    const struct block *a = x, *b = y;

    return a->a < b->a ? -1 : a->a > b->a;
}

/* Blocks that touch are one. */
static void merge_blocks(struct matcher *m)
{
    size_t n = 0;

    for (size_t i = 0; i < m->blocks.len; i++) {
        struct block b = m->blocks.items[i], *last = n ? &m->blocks.items[n - 1] : NULL;

        if (last && last->a + last->n == b.a && last->b + last->n == b.b)
            last->n += b.n;
        else
            m->blocks.items[n++] = b;
    }
    m->blocks.len = n;
}

static void find_blocks(struct matcher *m)
{
    struct VEC(struct block) todo = { 0 };

    VEC_PUSH(&todo, ((struct block){ 0, 0, 0 }));
    VEC_PUSH(&todo, ((struct block){ m->before.len, m->after.len, 0 }));
    while (todo.len) {
        struct block to = todo.items[--todo.len], from = todo.items[--todo.len], b;

        b = longest(m, from, to);
        if (b.n == 0)
            continue;
        VEC_PUSH(&m->blocks, b);
        VEC_PUSH(&todo, from);
        VEC_PUSH(&todo, ((struct block){ b.a, b.b, 0 }));
        VEC_PUSH(&todo, ((struct block){ b.a + b.n, b.b + b.n, 0 }));
        VEC_PUSH(&todo, to);
    }
    VEC_DONE(&todo);
    if (m->blocks.len)
        qsort(m->blocks.items, m->blocks.len, sizeof(struct block), compare_blocks);
    merge_blocks(m);
    VEC_PUSH(&m->blocks, ((struct block){ m->before.len, m->after.len, 0 }));
}

static void print_range(struct buf *b, char sign, size_t start, size_t n)
{
    if (n == 1)
        buf_printf(b, "%c%zu", sign, start + 1);
    else
        buf_printf(b, "%c%zu,%zu", sign, n ? start + 1 : start, n);
}

/* Changes that are close to each other, with what is around them. */
struct hunk {
    struct buf body;
    size_t a, b;   /* where it begins */
    size_t na, nb; /* lines of each */
};

static void add_lines(struct hunk *h, char sign, const struct line *lines, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(&h->body, "%c%.*s\n", sign, STR_ARG(lines[i].text));
    h->na += sign == '+' ? 0 : n;
    h->nb += sign == '-' ? 0 : n;
}

static void end_hunk(struct buf *out, struct hunk *h)
{
    if (h->body.len == 0)
        return;
    buf_append_lit(out, "@@ ");
    print_range(out, '-', h->a, h->na);
    buf_append_char(out, ' ');
    print_range(out, '+', h->b, h->nb);
    buf_append_lit(out, " @@\n");
    buf_append_str(out, buf_str(&h->body));
    h->body.len = 0;
    h->na = h->nb = 0;
}

static void print_hunks(struct arena *arena, struct matcher *m, struct buf *out)
{
    struct hunk h = { 0 };
    size_t a = 0, b = 0;

    buf_init_arena(&h.body, arena, 256);
    for (size_t i = 0; i < m->blocks.len; i++) {
        struct block k = m->blocks.items[i];
        size_t after = k.n < CONTEXT ? k.n : CONTEXT;
        bool last = i + 1 == m->blocks.len;

        add_lines(&h, '-', &m->before.items[a], k.a - a);
        add_lines(&h, '+', &m->after.items[b], k.b - b);
        a = k.a + k.n;
        b = k.b + k.n;
        if (last || k.n == 0)
            continue;
        if (h.body.len && k.n <= 2 * CONTEXT && i + 2 <= m->blocks.len &&
            (i + 2 < m->blocks.len || a < m->before.len || b < m->after.len)) {
            add_lines(&h, ' ', &m->before.items[k.a], k.n);
            continue;
        }
        if (h.body.len)
            add_lines(&h, ' ', &m->before.items[k.a], after);
        end_hunk(out, &h);
        if (i + 2 == m->blocks.len && a == m->before.len && b == m->after.len)
            break;
        h.a = a - after;
        h.b = b - after;
        add_lines(&h, ' ', &m->before.items[h.a], after);
    }
    end_hunk(out, &h);
}

struct str internal_print_diff(struct arena *arena, struct str before, struct str after)
{
    struct matcher m = { 0 };
    struct buf out;

    buf_init_arena(&out, arena, 256);
    split(before, &m, false);
    split(after, &m, true);
    if (m.before.len > MAX_LINES || m.after.len > MAX_LINES) {
        buf_append_lit(&out, "the difference is too long to be shown\n");
    } else {
        m.lengths = mem_zalloc(2 * (m.after.len + 1) * sizeof(*m.lengths));
        index_lines(&m);
        find_blocks(&m);
        print_hunks(arena, &m, &out);
    }
    mem_free(m.lengths);
    map_done(&m.first);
    VEC_DONE(&m.before);
    VEC_DONE(&m.after);
    VEC_DONE(&m.blocks);
    VEC_DONE(&m.touched);
    return buf_str(&out);
}
