/* The few macros that C lacks words for: scope cleanup, ownership hand-over, containers of members.
 */
#pragma once

#include <stddef.h>

/* CLEANUP(f) T *x: f(x) runs when x leaves scope. f must accept NULL. Each destructor that is used
 * so is declared once with DEFINE_CLEANUP(T *, f), beside its prototype. */
#define CLEANUP(f) __attribute__((cleanup(f##_cleanup_)))

#define DEFINE_CLEANUP(type, f)                                                                    \
    __attribute__((unused)) static inline void f##_cleanup_(type *p_)                              \
    {                                                                                              \
        if (*p_)                                                                                   \
            f(*p_);                                                                                \
    }                                                                                              \
    struct cleanup_semicolon_

/* The same for embedded values whose destructor takes their address: CLEANUP(buf_done) struct buf b
 */
#define DEFINE_CLEANUP_VALUE(type, f)                                                              \
    __attribute__((unused)) static inline void f##_cleanup_(type *p_)                              \
    {                                                                                              \
        f(p_);                                                                                     \
    }                                                                                              \
    struct cleanup_semicolon_

/* The pointer, handed over: the variable is NULL afterwards. */
#define TAKE(p)                                                                                    \
    ({                                                                                             \
        __typeof__(p) *take_p_ = &(p);                                                             \
        __typeof__(p) take_v_ = *take_p_;                                                          \
        *take_p_ = NULL;                                                                           \
        take_v_;                                                                                   \
    })

#define CONTAINER_OF(ptr, type, member)                                                            \
    ({                                                                                             \
        __typeof__(((type *)0)->member) *cof_p_ = (ptr);                                           \
        (type *)((__UINTPTR_TYPE__)cof_p_ - offsetof(type, member));                               \
    })

#define ARRAY_LEN(a)      (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)         ((a) < (b) ? (a) : (b))
#define MAX(a, b)         ((a) > (b) ? (a) : (b))
#define LIKELY(x)         __builtin_expect(!!(x), 1)
#define UNLIKELY(x)       __builtin_expect(!!(x), 0)
#define PRINTF_LIKE(f, v) __attribute__((format(printf, f, v)))
