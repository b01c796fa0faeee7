/* Errors: a function that can fail returns int, >= 0 for success, negative for failure: -errno of
 * the system, or one of ERR_* below. Where the reason is worth words its last parameter is a struct
 * err, a bounded value on the caller's stack, filled once where most is known and prefixed on the
 * way up. Texts: lower case, what failed first, names in single quotes, no full stop. */
#pragma once

#include <stdarg.h>

#include "base/macros.h"

/* Beyond the range of errno. X(name, value, text) */
#define ERR_CODES(X)                                                                               \
    X(ERR_NOT_FOUND, -4001, "not found")                                                           \
    X(ERR_EXISTS, -4002, "already exists")                                                         \
    X(ERR_CONFLICT, -4003, "conflict")                                                             \
    X(ERR_INVALID, -4004, "invalid")                                                               \
    X(ERR_COMPACTED, -4005, "revision has been compacted")                                         \
    X(ERR_FUTURE, -4006, "revision is in the future")                                              \
    X(ERR_TOO_LARGE, -4007, "too large")                                                           \
    X(ERR_TOO_DEEP, -4008, "nested too deeply")                                                    \
    X(ERR_SYNTAX, -4009, "syntax error")                                                           \
    X(ERR_CORRUPT, -4010, "corrupt")                                                               \
    X(ERR_CANCELED, -4011, "canceled")                                                             \
    X(ERR_TIMEOUT, -4012, "timed out")                                                             \
    X(ERR_CLOSED, -4013, "closed by peer")                                                         \
    X(ERR_NO_SPACE, -4014, "no space left")                                                        \
    X(ERR_OVERFLOW, -4015, "queue overflow")                                                       \
    X(ERR_UNSUPPORTED, -4016, "not supported")                                                     \
    X(ERR_DENIED, -4017, "denied")                                                                 \
    X(ERR_PROTOCOL, -4018, "protocol error")                                                       \
    X(ERR_AGAIN, -4019, "not known yet")

enum err_code {
#define X(name, value, text) name = value,
    ERR_CODES(X)
#undef X
};

enum { ERR_TEXT_BYTES = 1024 };

struct err {
    int code;                  /* what was returned; 0: none yet */
    char text[ERR_TEXT_BYTES]; /* NUL-terminated, cut when longer */
};

const char *err_name(int code); /* short text of an ERR_* or -errno, static storage or per thread */

/* Fill err (must not be NULL) and return code: return err_set(err, ERR_INVALID, "port %d ...", p).
 */
int err_set(struct err *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
int err_vset(struct err *err, int code, const char *fmt, va_list ap) PRINTF_LIKE(3, 0);
/* As err_set with ": <text of errno>" appended; code is -errno. */
int err_errno(struct err *err, int errno_value, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Put "<fmt>: " before the text; returns err->code. */
int err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The analyzer sees one file at a time: this tells it that a failure is negative, so that it does
 * not follow a failure as if it were success. */
#ifdef __clang_analyzer__
#    define err_set(...)   (err_set(__VA_ARGS__), -1)
#    define err_errno(...) (err_errno(__VA_ARGS__), -1)
#    define err_wrap(...)  (err_wrap(__VA_ARGS__), -1)
#endif
