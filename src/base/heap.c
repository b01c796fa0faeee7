#include "base/heap.h"

void heap_init(struct heap *h, heap_less_fn *less)
{
    *h = (struct heap){ .less = less };
}

void heap_done(struct heap *h)
{
    VEC_DONE(&h->nodes);
}

static void place(struct heap *h, size_t i, struct heap_node *n)
{
    h->nodes.items[i - 1] = n;
    n->place = i;
}

static struct heap_node *at(const struct heap *h, size_t i)
{
    return h->nodes.items[i - 1];
}

static void sift_up(struct heap *h, struct heap_node *n)
{
    size_t i = n->place;

    for (; i > 1 && h->less(n, at(h, i / 2)); i /= 2)
        place(h, i, at(h, i / 2));
    place(h, i, n);
}

static void sift_down(struct heap *h, struct heap_node *n)
{
    size_t i = n->place, len = h->nodes.len;

    for (size_t child; (child = i * 2) <= len; i = child) {
        if (child < len && h->less(at(h, child + 1), at(h, child)))
            child++;
        if (!h->less(at(h, child), n))
            break;
        place(h, i, at(h, child));
    }
    place(h, i, n);
}

void heap_push(struct heap *h, struct heap_node *n)
{
    VEC_PUSH(&h->nodes, n);
    n->place = h->nodes.len;
    sift_up(h, n);
}

struct heap_node *heap_top(const struct heap *h)
{
    return h->nodes.len ? h->nodes.items[0] : NULL;
}

void heap_remove(struct heap *h, struct heap_node *n)
{
    struct heap_node *last;
    size_t i = n->place;

    if (!i)
        return;
    last = VEC_POP(&h->nodes);
    n->place = 0;
    if (last == n)
        return;
    place(h, i, last);
    sift_up(h, last);
    sift_down(h, last);
}

struct heap_node *heap_pop(struct heap *h)
{
    struct heap_node *n = heap_top(h);

    if (n)
        heap_remove(h, n);
    return n;
}

void heap_update(struct heap *h, struct heap_node *n)
{
    if (!n->place)
        return;
    sift_up(h, n);
    sift_down(h, n);
}
