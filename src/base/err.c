#include "base/err.h"

#include <stdio.h>
#include <string.h>

const char *err_name(int code)
{
    switch (code) {
#define X(name, value, text)                                                                       \
    case name:                                                                                     \
        return text;
        ERR_CODES(X)
#undef X
    }
    return strerrordesc_np(-code) ? strerrordesc_np(-code) : "unknown error";
}

int err_vset(struct err *err, int code, const char *fmt, va_list ap)
{
    err->code = code;
    (void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
    return code;
}

/* Names in parentheses: the analyzer has macros of these names. */
int(err_set)(struct err *err, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)err_vset(err, code, fmt, ap);
    va_end(ap);
    return code;
}

int(err_errno)(struct err *err, int errno_value, const char *fmt, ...)
{
    size_t n;
    va_list ap;

    va_start(ap, fmt);
    (void)err_vset(err, -errno_value, fmt, ap);
    va_end(ap);
    n = strlen(err->text);
    (void)snprintf(err->text + n, sizeof(err->text) - n, ": %s", err_name(-errno_value));
    return -errno_value;
}

int(err_wrap)(struct err *err, const char *fmt, ...)
{
    char inner[ERR_TEXT_BYTES];
    size_t n;
    va_list ap;

    memcpy(inner, err->text, sizeof(inner));
    va_start(ap, fmt);
    (void)err_vset(err, err->code, fmt, ap);
    va_end(ap);
    n = strlen(err->text);
    (void)snprintf(err->text + n, sizeof(err->text) - n, ": %s", inner);
    return err->code;
}
