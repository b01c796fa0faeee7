/* Field selectors: splitting at unescaped commas and operators, unescaping values. */
#include "api/field_selector.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* The next part up to a ',' that no backslash stands before. */
static bool next_part(struct str *rest, struct str *ret_part)
{
    bool escaped = false;

    if (!rest->p)
        return false;
    for (size_t i = 0; i < rest->len; i++) {
        if (!escaped && rest->p[i] == ',') {
            *ret_part = str_sub(*rest, 0, i);
            *rest = str_tail(*rest, i + 1);
            return true;
        }
        escaped = !escaped && rest->p[i] == '\\';
    }
    *ret_part = *rest;
    *rest = STR_NULL;
    return true;
}

static bool split_term(struct str part, struct str *ret_field, bool *ret_not_equal,
                       struct str *ret_value)
{
    for (size_t i = 0; i < part.len; i++) {
        struct str rest = str_tail(part, i);
        size_t n = str_has_prefix(rest, STR("!="))   ? 2
                   : str_has_prefix(rest, STR("==")) ? 2
                   : rest.p[0] == '='                ? 1
                                                     : 0;
        if (n == 0)
            continue;
        *ret_field = str_sub(part, 0, i);
        *ret_not_equal = rest.p[0] == '!';
        *ret_value = str_tail(rest, n);
        return true;
    }
    return false;
}

static int unescape(struct arena *a, struct str s, struct str *ret, struct err *err)
{
    struct buf b;

    if (str_find(s, '\\') < 0 && str_find(s, ',') < 0 && str_find(s, '=') < 0) {
        *ret = s.len ? s : STR("");
        return 0;
    }
    buf_init_arena(&b, a, s.len);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        if (c == ',' || c == '=')
            return err_set(err, ERR_INVALID,
                           "invalid field selector: unescaped character in value: %d", c);
        if (c == '\\') {
            if (i + 1 == s.len)
                return err_set(err, ERR_INVALID,
                               "invalid field selector: invalid escape sequence: \\");
            c = s.p[++i];
            if (c != '\\' && c != ',' && c != '=')
                return err_set(err, ERR_INVALID,
                               "invalid field selector: invalid escape sequence: \\%c", c);
        }
        buf_append_char(&b, c);
    }
    *ret = buf_str(&b);
    return 0;
}

static int compare_parts(const void *x, const void *y)
{
    const struct str *a = x, *b = y;

    return str_cmp(*a, *b);
}

static int parse_term(struct arena *a, struct str text, struct str part, struct field_term *ret,
                      struct err *err)
{
    struct str value;

    if (!split_term(part, &ret->field, &ret->not_equal, &value))
        return err_set(err, ERR_INVALID, "invalid selector: '%.*s'; can't understand '%.*s'",
                       STR_ARG(text), STR_ARG(part));
    return unescape(a, value, &ret->value, err);
}

int field_selector_parse(struct arena *a, struct str text, struct field_selector *ret,
                         struct err *err)
{
    struct str rest = text, part, parts[FIELD_SELECTOR_MAX_TERMS];
    struct field_selector s = { 0 };
    size_t n = 0;

    if (text.len > FIELD_SELECTOR_MAX_BYTES)
        return err_set(err, ERR_TOO_LARGE, "field selector is longer than %d bytes",
                       FIELD_SELECTOR_MAX_BYTES);
    while (next_part(&rest, &part)) {
        if (part.len == 0)
            continue;
        if (n == FIELD_SELECTOR_MAX_TERMS)
            return err_set(err, ERR_TOO_LARGE, "field selector has more than %d terms",
                           FIELD_SELECTOR_MAX_TERMS);
        parts[n++] = part;
    }
    if (n)
        qsort(parts, n, sizeof(parts[0]), compare_parts);
    s.items = ARENA_NEW_ARRAY(a, struct field_term, n);
    for (size_t i = 0; i < n; i++) {
        struct field_term *t = &s.items[s.len];
        int r = parse_term(a, text, parts[i], t, err);

        if (r < 0)
            return r;
        if (t->field.len || t->value.len) /* "=" alone says nothing */
            s.len++;
    }
    *ret = s;
    return 0;
}

static bool is_in(struct str s, const struct str *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(s, list[i]))
            return true;
    return false;
}

struct str field_selector_first_other(const struct field_selector *s, const struct str *allowed,
                                      size_t n_allowed)
{
    for (uint32_t i = 0; i < s->len; i++)
        if (!is_in(s->items[i].field, allowed, n_allowed))
            return s->items[i].field;
    return (struct str){ 0 };
}

bool field_selector_match(const struct field_selector *s, field_lookup_fn lookup, void *arg)
{
    for (uint32_t i = 0; i < s->len; i++) {
        const struct field_term *t = &s->items[i];

        if (str_eq(lookup(arg, t->field), t->value) == t->not_equal)
            return false;
    }
    return true;
}

bool field_selector_requires(const struct field_selector *s, struct str field,
                             struct str *ret_value)
{
    for (uint32_t i = 0; i < s->len; i++)
        if (!s->items[i].not_equal && str_eq(s->items[i].field, field)) {
            *ret_value = s->items[i].value;
            return true;
        }
    return false;
}

struct str field_selector_print(struct arena *a, const struct field_selector *s)
{
    struct buf b;

    buf_init_arena(&b, a, 64);
    for (uint32_t i = 0; i < s->len; i++) {
        const struct field_term *t = &s->items[i];

        if (i)
            buf_append_char(&b, ',');
        buf_append_str(&b, t->field);
        buf_append_str(&b, t->not_equal ? STR("!=") : STR("="));
        for (size_t k = 0; k < t->value.len; k++) {
            char c = t->value.p[k];

            if (c == '\\' || c == ',' || c == '=')
                buf_append_char(&b, '\\');
            buf_append_char(&b, c);
        }
    }
    return buf_str(&b);
}
