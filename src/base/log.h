/* Logging in klog's line format to stderr: "I1124 10:15:02.123456    1234 store.c:42] "message"
 * k="v"". Constant message, then key-value pairs. One line per call, written at once. Thread-safe.
 *     LOG_INFO("listening", KV("address", addr), KV("port", port)); */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

struct log_kv {
    const char *key;
    enum { LOG_KV_STR, LOG_KV_INT, LOG_KV_UINT, LOG_KV_BOOL } type;
    union {
        struct str s;
        int64_t i;
        uint64_t u;
        bool b;
    };
};

static inline struct log_kv log_kv_str(const char *k, struct str v)
{
    return (struct log_kv){ .key = k, .type = LOG_KV_STR, .s = v };
}
static inline struct log_kv log_kv_cstr(const char *k, const char *v)
{
    return log_kv_str(k, str_from_cstr(v));
}
static inline struct log_kv log_kv_int(const char *k, int64_t v)
{
    return (struct log_kv){ .key = k, .type = LOG_KV_INT, .i = v };
}
static inline struct log_kv log_kv_uint(const char *k, uint64_t v)
{
    return (struct log_kv){ .key = k, .type = LOG_KV_UINT, .u = v };
}
static inline struct log_kv log_kv_bool(const char *k, bool v)
{
    return (struct log_kv){ .key = k, .type = LOG_KV_BOOL, .b = v };
}

#define KV(k, v)                                                                                   \
    _Generic((v), struct str: log_kv_str, char *: log_kv_cstr, const char *: log_kv_cstr,          \
             bool: log_kv_bool, int: log_kv_int, long: log_kv_int, long long: log_kv_int,          \
             unsigned: log_kv_uint, unsigned long: log_kv_uint,                                    \
             unsigned long long: log_kv_uint)((k), (v))

void log_set_level(enum log_level lowest); /* at start, before threads; default INFO */
bool log_is_on(enum log_level level);
void log_write_(enum log_level level, const char *file, int line, const char *msg, size_t n,
                const struct log_kv *kv);

#define LOG_(level, msg, ...)                                                                      \
    do {                                                                                           \
        if (log_is_on(level)) {                                                                    \
            const struct log_kv kv_[] = { { 0 }, ##__VA_ARGS__ };                                  \
            log_write_((level), __FILE_NAME__, __LINE__, (msg), ARRAY_LEN(kv_) - 1, kv_ + 1);      \
        }                                                                                          \
    } while (0)
#define LOG_DEBUG(...)   LOG_(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define LOG_INFO(...)    LOG_(LOG_LEVEL_INFO, __VA_ARGS__)
#define LOG_WARNING(...) LOG_(LOG_LEVEL_WARNING, __VA_ARGS__)
#define LOG_ERROR(...)   LOG_(LOG_LEVEL_ERROR, __VA_ARGS__)
