#include "apiserver/authz/edge_counts.h"

#include "base/mem.h"

/* The edge's slot, or the free one where it would stand. */
static size_t place(const struct edge_counts *c, uint64_t edge)
{
    size_t i = edge & (c->cap - 1);

    while (c->slots[i].count && c->slots[i].edge != edge)
        i = (i + 1) & (c->cap - 1);
    return i;
}

static void grow(struct edge_counts *c)
{
    struct edge_counts bigger = { .cap = c->cap ? c->cap * 2 : 64, .len = c->len };

    bigger.slots = mem_zalloc(bigger.cap * sizeof(*bigger.slots));
    for (size_t i = 0; i < c->cap; i++)
        if (c->slots[i].count)
            bigger.slots[place(&bigger, c->slots[i].edge)] = c->slots[i];
    mem_free(c->slots);
    *c = bigger;
}

/* Those behind move up, so that no search stops at the gap. */
static void close_gap(struct edge_counts *c, size_t gap)
{
    size_t mask = c->cap - 1;

    for (size_t i = (gap + 1) & mask; c->slots[i].count; i = (i + 1) & mask) {
        size_t home = c->slots[i].edge & mask;

        if (((i - home) & mask) < ((i - gap) & mask))
            continue; /* it stands between its place and here */
        c->slots[gap] = c->slots[i];
        c->slots[i].count = 0;
        gap = i;
    }
}

void edge_counts_add(struct edge_counts *c, uint64_t edge, int32_t n)
{
    size_t i;

    if (!n)
        return;
    if ((c->len + 1) * 4 > c->cap * 3)
        grow(c);
    i = place(c, edge);
    if (!c->slots[i].count)
        c->len++;
    c->slots[i].edge = edge;
    c->slots[i].count += n;
    if (c->slots[i].count)
        return;
    c->len--;
    close_gap(c, i);
}

int32_t edge_counts_get(const struct edge_counts *c, uint64_t edge)
{
    return c->cap ? c->slots[place(c, edge)].count : 0;
}

void edge_counts_done(struct edge_counts *c)
{
    mem_free(c->slots);
    *c = (struct edge_counts){ 0 };
}
