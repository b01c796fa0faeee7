#include "base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

static atomic_int lowest_level = LOG_LEVEL_INFO;

void log_set_level(enum log_level lowest)
{
    atomic_store_explicit(&lowest_level, (int)lowest, memory_order_relaxed);
}

bool log_is_on(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&lowest_level, memory_order_relaxed);
}

static void append_quoted(struct buf *b, struct str s)
{
    buf_append_char(b, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c == '\n')
            buf_append_lit(b, "\\n");
        else if (c < 0x20 || c == 0x7f)
            buf_printf(b, "\\x%02x", c);
        else
            buf_append_char(b, (char)c);
    }
    buf_append_char(b, '"');
}

static void append_kv(struct buf *b, const struct log_kv *kv)
{
    buf_printf(b, " %s=", kv->key);
    switch (kv->type) {
    case LOG_KV_STR:
        append_quoted(b, kv->s);
        break;
    case LOG_KV_INT:
        buf_append_i64(b, kv->i);
        break;
    case LOG_KV_UINT:
        buf_append_u64(b, kv->u);
        break;
    case LOG_KV_BOOL:
        buf_append_str(b, kv->b ? STR("true") : STR("false"));
        break;
    }
}

void log_write_(enum log_level level, const char *file, int line, const char *msg, size_t n,
                const struct log_kv *kv)
{
    CLEANUP(buf_done) struct buf b = { 0 };
    struct timespec now;
    struct tm tm;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this id */
    (void)gmtime_r(&now.tv_sec, &tm);          /* any time_t of this era fits */
    buf_printf(&b, "%c%02d%02d %02d:%02d:%02d.%06ld %7ld %s:%d] ", "DIWE"[level], tm.tm_mon + 1,
               tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec / 1000,
               syscall(SYS_gettid), file, line);
    append_quoted(&b, str_from_cstr(msg));
    for (size_t i = 0; i < n; i++)
        append_kv(&b, &kv[i]);
    buf_append_char(&b, '\n');
    if (write(STDERR_FILENO, b.p, b.len) < 0) {
        /* nowhere to say so */
    }
}
