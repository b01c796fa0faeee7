/* A length-carrying, borrowed string: two words, passed by value, never owning, not NUL-terminated.
 * p == NULL with len == 0 is "unset" where that matters, STR("") is set and empty; str_eq() treats
 * both as equal. Bytes are not promised to be UTF-8 unless the source says so. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct arena;

struct str {
    const char *p;
    size_t len;
};

/* STR("literal"); usable in static initialisers as STR_INIT("literal"). */
#define STR(lit) ((struct str){ .p = "" lit, .len = sizeof(lit) - 1 })
#define STR_INIT(lit)                                                                              \
    {                                                                                              \
        .p = "" lit, .len = sizeof(lit) - 1                                                        \
    }
#define STR_NULL ((struct str){ 0 })
/* For printf's "%.*s". */
#define STR_ARG(s) (int)(s).len, (s).p ? (s).p : ""

static inline struct str str_n(const char *p, size_t len)
{
    return (struct str){ .p = p, .len = len };
}

static inline struct str str_from_cstr(const char *s) /* NULL gives the unset string */
{
    return (struct str){ .p = s, .len = s ? strlen(s) : 0 };
}

/* Are n bytes at a and b equal? For short texts in hot loops: no call, and nothing is read beyond.
 */
static inline bool str_same_bytes(const char *a, const char *b, size_t n)
{
    uint64_t x, y;
    uint32_t v, w;

    if (n < 4) {
        while (n && a[n - 1] == b[n - 1])
            n--;
        return n == 0;
    }
    if (n < 8) {
        memcpy(&v, a, sizeof(v));
        memcpy(&w, b, sizeof(w));
        if (v != w)
            return false;
        memcpy(&v, a + n - sizeof(v), sizeof(v));
        memcpy(&w, b + n - sizeof(w), sizeof(w));
        return v == w;
    }
    for (size_t i = 0; i + sizeof(x) < n; i += sizeof(x)) {
        memcpy(&x, a + i, sizeof(x));
        memcpy(&y, b + i, sizeof(y));
        if (x != y)
            return false;
    }
    memcpy(&x, a + n - sizeof(x), sizeof(x)); /* overlaps what was seen */
    memcpy(&y, b + n - sizeof(y), sizeof(y));
    return x == y;
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

int str_cmp(struct str a, struct str b);        /* bytewise order, shorter first: <0, 0, >0 */
bool str_eq_nocase(struct str a, struct str b); /* ASCII only */
bool str_has_prefix(struct str s, struct str prefix);
bool str_has_suffix(struct str s, struct str suffix);
bool str_contains(struct str s, struct str part);
ptrdiff_t str_find(struct str s, char c);                 /* index or -1 */
ptrdiff_t str_rfind(struct str s, char c);                /* index or -1 */
ptrdiff_t str_find_str(struct str s, struct str part);    /* index or -1 */
struct str str_sub(struct str s, size_t from, size_t to); /* [from, to), clamped */
struct str str_trim(struct str s); /* ASCII space, tab, CR, LF at both ends */
struct str str_tail(struct str s, size_t from);

/* Cuts s at the first sep: true and both halves when there is one; else false, head = s, tail
 * unset. Outputs may be &s itself. */
bool str_cut(struct str s, char sep, struct str *ret_head, struct str *ret_tail);

/* Walks the parts between separators: while (str_next(&rest, ',', &part)). The unset string has no
 * part, "" has one (empty), "a," has two; *rest is unset after the last. */
bool str_next(struct str *rest, char sep, struct str *ret_part);

/* Is word one of the parts of list between separators? As str_next() has them. */
bool str_is_listed(struct str list, char sep, struct str word);

/* The whole of s as a number in base 10, without space, sign (u64) or overflow. */
bool str_to_u64(struct str s, uint64_t *ret);
bool str_to_i64(struct str s, int64_t *ret);

/* The bytes of s, copied and NUL-terminated, from the arena. The result's len excludes the NUL. */
struct str str_dup(struct arena *a, struct str s);
const char *str_cstr(struct arena *a, struct str s);

/* x, y and z (may be unset) in a row, from the arena; no NUL follows. */
struct str str_join(struct arena *a, struct str x, struct str y, struct str z);

/* Heap copy, NUL-terminated, to be released with mem_free(). */
char *str_heap_cstr(struct str s);
