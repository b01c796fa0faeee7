/* Atomic reference count of a shared, immutable object. Starts at one. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

struct refcount {
    atomic_uint n;
};

static inline void refcount_init(struct refcount *r)
{
    atomic_init(&r->n, 1);
}

static inline void refcount_ref(struct refcount *r)
{
    (void)atomic_fetch_add_explicit(&r->n, 1, memory_order_relaxed);
}

static inline bool refcount_unref(struct refcount *r) /* true: that was the last, free it */
{
    return atomic_fetch_sub_explicit(&r->n, 1, memory_order_acq_rel) == 1;
}
