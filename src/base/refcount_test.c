#include "base/refcount.h"

#include <criterion/criterion.h>
#include <pthread.h>

#include "base/mem.h"

enum { THREADS = 4, ROUNDS = 2000 };

/* Written before it is shared and after the last reference, with nothing but the count between. */
struct shared {
    struct refcount refs;
    int value;
};

static void *hold(void *arg)
{
    struct shared *s = arg;

    for (int i = 0; i < ROUNDS; i++) {
        refcount_ref(&s->refs);
        if (s->value != 7 || refcount_unref(&s->refs))
            return arg; /* ours is still counted: never the last */
    }
    if (refcount_unref(&s->refs)) {
        s->value = 0;
        mem_free(s);
    }
    return NULL;
}

Test(refcount, frees_once_after_the_last_thread)
{
    for (int round = 0; round < 20; round++) {
        struct shared *s = NEW(struct shared);
        pthread_t t[THREADS];
        void *bad;

        refcount_init(&s->refs);
        s->value = 7;
        for (int i = 0; i < THREADS; i++) {
            refcount_ref(&s->refs);
            cr_assert_eq(pthread_create(&t[i], NULL, hold, s), 0);
        }
        if (refcount_unref(&s->refs))
            mem_free(s);
        for (int i = 0; i < THREADS; i++) {
            cr_assert_eq(pthread_join(t[i], &bad), 0);
            cr_assert_null(bad);
        }
    }
}
