#include "base/str.h"

#include "base/arena.h"
#include "base/macros.h"
#include "base/mem.h"

int str_cmp(struct str a, struct str b)
{
    size_t n = MIN(a.len, b.len);
    int r = n ? memcmp(a.p, b.p, n) : 0;

    if (r != 0)
        return r;
    return (a.len > b.len) - (a.len < b.len);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    }
    return true;
}

bool str_has_prefix(struct str s, struct str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.p, prefix.p, prefix.len) == 0);
}

bool str_has_suffix(struct str s, struct str suffix)
{
    if (s.len < suffix.len)
        return false;
    return suffix.len == 0 || memcmp(s.p + s.len - suffix.len, suffix.p, suffix.len) == 0;
}

bool str_contains(struct str s, struct str part)
{
    return str_find_str(s, part) >= 0;
}

ptrdiff_t str_find(struct str s, char c)
{
    const char *at = s.len ? memchr(s.p, c, s.len) : NULL;

    return at ? at - s.p : -1;
}

ptrdiff_t str_rfind(struct str s, char c)
{
    const char *at = s.len ? memrchr(s.p, c, s.len) : NULL;

    return at ? at - s.p : -1;
}

ptrdiff_t str_find_str(struct str s, struct str part)
{
    const char *at;

    if (part.len == 0)
        return 0;
    at = s.len ? memmem(s.p, s.len, part.p, part.len) : NULL;
    return at ? at - s.p : -1;
}

struct str str_sub(struct str s, size_t from, size_t to)
{
    if (to > s.len)
        to = s.len;
    if (from > to)
        from = to;
    return str_n(s.p ? s.p + from : NULL, to - from);
}

struct str str_tail(struct str s, size_t from)
{
    return str_sub(s, from, s.len);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
    while (s.len && is_space(s.p[0]))
        s = str_tail(s, 1);
    while (s.len && is_space(s.p[s.len - 1]))
        s.len--;
    return s;
}

bool str_cut(struct str s, char sep, struct str *ret_head, struct str *ret_tail)
{
    ptrdiff_t at = str_find(s, sep);

    if (at < 0) {
        *ret_head = s;
        *ret_tail = STR_NULL;
        return false;
    }
    *ret_head = str_n(s.p, (size_t)at);
    *ret_tail = str_tail(s, (size_t)at + 1);
    return true;
}

bool str_next(struct str *rest, char sep, struct str *ret_part)
{
    if (!rest->p)
        return false;
    (void)str_cut(*rest, sep, ret_part, rest); /* no separator: the rest becomes unset */
    return true;
}

bool str_is_listed(struct str list, char sep, struct str word)
{
    const char *p = list.p, *end = p ? p + list.len : NULL;

    while (p) {
        if ((size_t)(end - p) >= word.len && (p + word.len == end || p[word.len] == sep) &&
            str_same_bytes(p, word.p, word.len))
            return str_find(word, sep) < 0; /* else it is no part but several */
        while (p < end && *p != sep)
            p++;
        p = p < end ? p + 1 : NULL;
    }
    return false;
}

bool str_to_u64(struct str s, uint64_t *ret)
{
    uint64_t v = 0;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        if (__builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
            return false;
    }
    *ret = v;
    return true;
}

bool str_to_i64(struct str s, int64_t *ret)
{
    bool negative = s.len && s.p[0] == '-';
    uint64_t v;

    if (!str_to_u64(negative ? str_n(s.p + 1, s.len - 1) : s, &v))
        return false;
    if (v > (uint64_t)INT64_MAX + negative)
        return false;
    *ret = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

struct str str_dup(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.len + 1, 1);

    if (s.len)
        memcpy(p, s.p, s.len);
    p[s.len] = '\0';
    return str_n(p, s.len);
}

const char *str_cstr(struct arena *a, struct str s)
{
    return str_dup(a, s).p;
}

struct str str_join(struct arena *a, struct str x, struct str y, struct str z)
{
    size_t len = x.len + y.len + z.len;
    char *p = arena_alloc(a, len + 1, 1), *at = p;

    if (x.len)
        at = (char *)memcpy(at, x.p, x.len) + x.len;
    if (y.len)
        at = (char *)memcpy(at, y.p, y.len) + y.len;
    if (z.len)
        memcpy(at, z.p, z.len);
    return str_n(p, len);
}

char *str_heap_cstr(struct str s)
{
    char *p = mem_alloc(s.len + 1);

    if (s.len)
        memcpy(p, s.p, s.len);
    p[s.len] = '\0';
    return p;
}
