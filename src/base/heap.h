/* Intrusive binary heap over node pointers, smallest first; each node knows its place, so removal
 * and re-ordering are O(log n). For timers and queues. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/vec.h"

struct heap_node {
    size_t place; /* 1-based index; 0: not in a heap */
};

typedef bool heap_less_fn(const struct heap_node *a, const struct heap_node *b);

struct heap {
    heap_less_fn *less;
    struct VEC(struct heap_node *) nodes;
};

void heap_init(struct heap *h, heap_less_fn *less);
void heap_done(struct heap *h); /* nodes are the caller's */
void heap_push(struct heap *h, struct heap_node *n);
struct heap_node *heap_top(const struct heap *h);      /* NULL when empty */
struct heap_node *heap_pop(struct heap *h);            /* NULL when empty */
void heap_remove(struct heap *h, struct heap_node *n); /* does nothing when it is in no heap */
void heap_update(struct heap *h, struct heap_node *n); /* after its order changed */
