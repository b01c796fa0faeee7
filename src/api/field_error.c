/* Validation errors: paths, Go-quoted values, the one-line form. Texts are made when an error is
 * recorded, so a clean object costs nothing. */
#include "api/field_error.h"

#include <stdarg.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"

enum { FIELD_PATH_MAX_STEPS = 256 };

static const struct {
    const char *reason;
    const char *label;
} types[] = {
#define X(name, reason_, label_) [FIELD_ERROR_##name] = { .reason = reason_, .label = label_ },
    FIELD_ERROR_TYPES(X)
#undef X
};

struct str field_path_print(struct arena *a, const struct field_path *p)
{
    const struct field_path *steps[FIELD_PATH_MAX_STEPS];
    size_t n = 0;
    struct buf b;

    if (!p)
        return STR("<nil>");
    for (; p && n < FIELD_PATH_MAX_STEPS; p = p->parent)
        steps[n++] = p;
    buf_init_arena(&b, a, 64);
    while (n-- > 0) {
        p = steps[n];
        if (p->is_key) {
            buf_printf(&b, "[%.*s]", STR_ARG(p->name));
        } else if (p->index >= 0) {
            buf_printf(&b, "[%ld]", p->index);
        } else if (p->name.len) {
            if (b.len)
                buf_append_char(&b, '.');
            buf_append_str(&b, p->name);
        }
    }
    return buf_str(&b);
}

/* One UTF-8 sequence at s: its length, or 0 when it is none. */
static size_t utf8_next(struct str s, uint32_t *ret_rune)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    unsigned char c = (unsigned char)s.p[0];
    size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    uint32_t r = n == 1 ? c : c & (0xffU >> (n + 1));

    if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || n > s.len)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((s.p[i] & 0xc0) != 0x80)
            return 0;
        r = r << 6 | (uint32_t)(s.p[i] & 0x3f);
    }
    if (r < least[n] || r > 0x10ffff || (r >= 0xd800 && r < 0xe000))
        return 0;
    *ret_rune = r;
    return n;
}

/* Close to Go's unicode.IsPrint: blocks of spaces, format characters, private use. */
static bool is_printable(uint32_t r)
{
    static const uint32_t holes[][2] = {
        { 0x00, 0x1f },     { 0x7f, 0xa0 },        { 0xad, 0xad },     { 0x1680, 0x1680 },
        { 0x180e, 0x180e }, { 0x2000, 0x200f },    { 0x2028, 0x202f }, { 0x205f, 0x206f },
        { 0x3000, 0x3000 }, { 0xe000, 0xf8ff },    { 0xfeff, 0xfeff }, { 0xfff0, 0xfffb },
        { 0xfffe, 0xffff }, { 0xe0000, 0x10ffff },
    };

    for (size_t i = 0; i < ARRAY_LEN(holes); i++)
        if (r >= holes[i][0] && r <= holes[i][1])
            return false;
    return true;
}

static void quote_rune(struct buf *b, uint32_t r, struct str bytes)
{
    static const char letters[] = "\a\b\f\n\r\t\v\\\"", names[] = "abfnrtv\\\"";
    const char *at = r && r < 0x80 ? strchr(letters, (int)r) : NULL;

    if (at)
        buf_printf(b, "\\%c", names[at - letters]);
    else if (is_printable(r))
        buf_append_str(b, bytes);
    else if (r < 0x80)
        buf_printf(b, "\\x%02x", r);
    else if (r < 0x10000)
        buf_printf(b, "\\u%04x", r);
    else
        buf_printf(b, "\\U%08x", r);
}

void field_error_quote(struct buf *b, struct str s)
{
    buf_append_char(b, '"');
    while (s.len) {
        uint32_t r;
        size_t n = utf8_next(s, &r);

        if (n)
            quote_rune(b, r, str_n(s.p, n));
        else
            buf_printf(b, "\\x%02x", (unsigned char)s.p[0]);
        s = str_tail(s, n ? n : 1);
    }
    buf_append_char(b, '"');
}

void field_errors_init(struct field_errors *e, struct arena *a)
{
    *e = (struct field_errors){ .arena = a };
}

static void record(struct field_errors *e, const struct field_path *p, enum field_error_type type,
                   struct str value, const char *fmt, va_list ap) PRINTF_LIKE(5, 0);

static void record(struct field_errors *e, const struct field_path *p, enum field_error_type type,
                   struct str value, const char *fmt, va_list ap)
{
    struct buf b;

    buf_init_arena(&b, e->arena, 128);
    buf_append_str(&b, str_from_cstr(types[type].label));
    if (value.p) {
        buf_append_lit(&b, ": ");
        buf_append_str(&b, value);
    }
    if (fmt && *fmt) {
        size_t before = b.len;

        buf_append_lit(&b, ": ");
        buf_vprintf(&b, fmt, ap);
        if (b.len == before + 2)
            b.len = before;
    }
    if (e->len == e->cap) {
        size_t cap = e->cap ? e->cap * 2 : 8;
        struct field_error *items = ARENA_NEW_ARRAY(e->arena, struct field_error, cap);

        if (e->len)
            memcpy(items, e->items, e->len * sizeof(*items));
        e->items = items;
        e->cap = cap;
    }
    e->items[e->len++] = (struct field_error){
        .type = type,
        .path = field_path_print(e->arena, p),
        .message = buf_str(&b),
    };
}

void field_errors_add_text(struct field_errors *e, const struct field_path *p,
                           enum field_error_type type, struct str value, const char *fmt, ...)
{
    struct buf b;
    va_list ap;

    buf_init_arena(&b, e->arena, value.len + 16);
    field_error_quote(&b, value);
    va_start(ap, fmt);
    record(e, p, type, buf_str(&b), fmt, ap);
    va_end(ap);
}

void field_errors_add_raw(struct field_errors *e, const struct field_path *p,
                          enum field_error_type type, struct str printed_value, const char *fmt,
                          ...)
{
    va_list ap;

    va_start(ap, fmt);
    record(e, p, type, printed_value, fmt, ap);
    va_end(ap);
}

void field_errors_add(struct field_errors *e, const struct field_path *p,
                      enum field_error_type type, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    record(e, p, type, STR_NULL, fmt, ap);
    va_end(ap);
}

void field_errors_add_unsupported(struct field_errors *e, const struct field_path *p,
                                  struct str value, const struct str *supported, size_t n)
{
    struct buf b;

    buf_init_arena(&b, e->arena, 64);
    for (size_t i = 0; i < n; i++) {
        buf_append_str(&b, i ? STR(", ") : STR("supported values: "));
        field_error_quote(&b, supported[i]);
    }
    field_errors_add_text(e, p, FIELD_ERROR_NOT_SUPPORTED, value, "%.*s", STR_ARG(buf_str(&b)));
}

const char *field_error_reason(enum field_error_type type)
{
    return types[type].reason;
}

struct str field_errors_print(struct arena *a, const struct field_errors *e)
{
    CLEANUP(map_done) struct map seen = { 0 };
    struct buf b;

    buf_init_arena(&b, a, 256);
    buf_append_char(&b, '[');
    for (size_t i = 0; i < e->len; i++) {
        struct str line =
            arena_printf(a, "%.*s: %.*s", STR_ARG(e->items[i].path), STR_ARG(e->items[i].message));

        if (map_has(&seen, line))
            continue;
        if (seen.len)
            buf_append_lit(&b, ", ");
        buf_append_str(&b, line);
        map_put(&seen, line, &seen);
    }
    if (seen.len <= 1)
        return str_tail(buf_str(&b), 1);
    buf_append_char(&b, ']');
    return buf_str(&b);
}
