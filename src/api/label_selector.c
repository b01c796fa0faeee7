/* Label selectors. The grammar is read with one token of look-ahead; "in" and "notin" are operators
 * only where an operator may stand, and names elsewhere. The order in which things are checked, and
 * so which error is seen first, is upstream's. */
#include "api/label_selector.h"

#include <stdlib.h>

#include "api/field_error.h"
#include "api/name_rules.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum token {
    TOKEN_END,
    TOKEN_NAME,
    TOKEN_COMMA,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_NOT,
    TOKEN_EQUALS,
    TOKEN_NOT_EQUALS,
    TOKEN_IN,
    TOKEN_NOT_IN,
    TOKEN_GREATER,
    TOKEN_LESS,
};

struct parser {
    struct arena *arena;
    struct err *err;
    struct str rest;
    enum token token; /* the one looked at, not yet consumed */
    struct str literal;
    struct label_requirement *items;
    size_t len;
    size_t cap;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_symbol(char c)
{
    return c == '=' || c == '!' || c == '(' || c == ')' || c == ',' || c == '>' || c == '<';
}

static enum token symbol(struct str s, size_t *ret_len)
{
    *ret_len = 1;
    switch (s.p[0]) {
    case ',':
        return TOKEN_COMMA;
    case '(':
        return TOKEN_OPEN;
    case ')':
        return TOKEN_CLOSE;
    case '>':
        return TOKEN_GREATER;
    case '<':
        return TOKEN_LESS;
    case '=':
        *ret_len += str_has_prefix(s, STR("=="));
        return TOKEN_EQUALS;
    }
    if (str_has_prefix(s, STR("!="))) {
        *ret_len = 2;
        return TOKEN_NOT_EQUALS;
    }
    return TOKEN_NOT;
}

/* Reads the next token. A NUL ends the text, as upstream's lexer has it. */
static void advance(struct parser *p)
{
    struct str s = p->rest;
    size_t n = 0;

    while (s.len && is_space(s.p[0]))
        s = str_tail(s, 1);
    if (s.len == 0 || s.p[0] == 0) {
        p->token = TOKEN_END;
        p->literal = STR("");
        p->rest = STR_NULL;
        return;
    }
    if (is_symbol(s.p[0])) {
        p->token = symbol(s, &n);
    } else {
        while (n < s.len && s.p[n] && !is_symbol(s.p[n]) && !is_space(s.p[n]))
            n++;
        p->token = TOKEN_NAME;
    }
    p->literal = str_sub(s, 0, n);
    p->rest = str_tail(s, n);
}

static int found(struct parser *p, const char *expected)
{
    return err_set(p->err, ERR_INVALID, "found '%.*s', expected: %s", STR_ARG(p->literal),
                   expected);
}

static int check_key(struct parser *p, struct str key, const char *path)
{
    struct name_messages m;
    struct buf text;

    name_rule_check(NAME_RULE_QUALIFIED_NAME, key, &m);
    if (m.len == 0)
        return 0;
    buf_init_arena(&text, p->arena, 256);
    field_error_quote(&text, key);
    buf_append_lit(&text, ": ");
    for (size_t i = 0; i < m.len; i++) {
        if (i)
            buf_append_lit(&text, "; ");
        buf_append_str(&text, m.items[i]);
    }
    return err_set(p->err, ERR_INVALID, "%s: Invalid value: %.*s", path, STR_ARG(buf_str(&text)));
}

static int compare_str(const void *x, const void *y)
{
    const struct str *a = x, *b = y;

    return str_cmp(*a, *b);
}

static void sort_values(struct label_requirement *r)
{
    uint32_t kept = 0;

    if (r->n_values == 0)
        return;
    qsort(r->values, r->n_values, sizeof(r->values[0]), compare_str);
    for (uint32_t i = 0; i < r->n_values; i++)
        if (kept == 0 || !str_eq(r->values[kept - 1], r->values[i]))
            r->values[kept++] = r->values[i];
    r->n_values = kept;
}

static struct str join(struct arena *a, const struct name_messages *m)
{
    struct buf b;

    buf_init_arena(&b, a, 128);
    for (size_t i = 0; i < m->len; i++) {
        if (i)
            buf_append_lit(&b, "; ");
        buf_append_str(&b, m->items[i]);
    }
    return buf_str(&b);
}

/* The rules of one requirement (upstream's NewRequirement), all of its errors in one text. */
static int check_requirement(struct arena *a, struct label_requirement *r, struct err *err)
{
    struct field_path values = field_path_member(NULL, STR("values"));
    struct field_errors e;
    struct str text;

    field_errors_init(&e, a);
    sort_values(r);
    if ((r->op == LABEL_OP_IN || r->op == LABEL_OP_NOT_IN) && r->n_values == 0)
        field_errors_add_raw(&e, &values, FIELD_ERROR_INVALID, STR("[]"),
                             "for 'in', 'notin' operators, values set can't be empty");
    if ((r->op == LABEL_OP_GREATER || r->op == LABEL_OP_LESS) &&
        !str_to_i64(r->values[0], &r->number)) {
        struct field_path item = field_path_index(&values, 0);

        field_errors_add_text(&e, &item, FIELD_ERROR_INVALID, r->values[0],
                              "for 'Gt', 'Lt' operators, the value must be an integer");
    }
    for (uint32_t i = 0; i < r->n_values; i++) {
        struct field_path item = field_path_index(&values, i);
        struct field_path key = field_path_key(&item, r->key);
        struct name_messages m;

        name_rule_check(NAME_RULE_LABEL_VALUE, r->values[i], &m);
        if (m.len)
            field_errors_add_text(&e, &key, FIELD_ERROR_INVALID, r->values[i], "%.*s",
                                  STR_ARG(join(a, &m)));
    }
    if (e.len == 0)
        return 0;
    text = field_errors_print(a, &e);
    return err_set(err, ERR_INVALID, "%.*s", STR_ARG(text));
}

static void push_value(struct parser *p, struct label_requirement *r, size_t *cap, struct str v)
{
    if (r->n_values == *cap) {
        size_t grown_cap = *cap ? *cap * 2 : 4;
        struct str *grown = ARENA_NEW_ARRAY(p->arena, struct str, grown_cap);

        if (*cap)
            memcpy(grown, r->values, *cap * sizeof(*grown));
        r->values = grown;
        *cap = grown_cap;
    }
    r->values[r->n_values++] = v;
}

/* `name [, name]...` up to the ')' that closes it; where commas stand alone, an empty value. */
static int parse_value_list(struct parser *p, struct label_requirement *r)
{
    size_t cap = 0;

    for (;;) {
        if (p->token == TOKEN_NAME) {
            push_value(p, r, &cap, p->literal);
            advance(p);
            if (p->token == TOKEN_COMMA)
                continue;
            return p->token == TOKEN_CLOSE ? 0 : found(p, "',' or ')'");
        }
        if (p->token != TOKEN_COMMA)
            return found(p, "',', or identifier");
        advance(p);
        if (r->n_values == 0 || p->token == TOKEN_CLOSE || p->token == TOKEN_COMMA)
            push_value(p, r, &cap, STR(""));
        if (p->token == TOKEN_CLOSE)
            return 0;
        if (p->token == TOKEN_COMMA)
            advance(p);
    }
}

static int parse_values(struct parser *p, struct label_requirement *r)
{
    int ret;

    if (p->token != TOKEN_OPEN)
        return err_set(p->err, ERR_INVALID, "found '%.*s' expected: '('", STR_ARG(p->literal));
    advance(p);
    if (p->token != TOKEN_NAME && p->token != TOKEN_COMMA && p->token != TOKEN_CLOSE)
        return found(p, "',', ')' or identifier");
    if (p->token == TOKEN_CLOSE) { /* "()" is the empty value */
        r->values = ARENA_NEW(p->arena, struct str);
        r->values[r->n_values++] = STR("");
        advance(p);
        return 0;
    }
    ret = parse_value_list(p, r);
    if (ret < 0)
        return ret;
    advance(p);
    return 0;
}

static int parse_exact_value(struct parser *p, struct label_requirement *r)
{
    r->values = ARENA_NEW(p->arena, struct str);
    r->n_values = 1;
    if (p->token == TOKEN_END || p->token == TOKEN_COMMA) {
        r->values[0] = STR("");
        return 0;
    }
    if (p->token != TOKEN_NAME)
        return found(p, "identifier");
    r->values[0] = p->literal;
    advance(p);
    return 0;
}

static int parse_operator(struct parser *p, enum label_op *ret)
{
    static const enum label_op ops[] = {
        [TOKEN_EQUALS] = LABEL_OP_EQUALS,   [TOKEN_NOT_EQUALS] = LABEL_OP_NOT_EQUALS,
        [TOKEN_IN] = LABEL_OP_IN,           [TOKEN_NOT_IN] = LABEL_OP_NOT_IN,
        [TOKEN_GREATER] = LABEL_OP_GREATER, [TOKEN_LESS] = LABEL_OP_LESS,
    };
    enum token t = p->token;

    if (t == TOKEN_NAME && str_eq(p->literal, STR("in")))
        t = TOKEN_IN;
    else if (t == TOKEN_NAME && str_eq(p->literal, STR("notin")))
        t = TOKEN_NOT_IN;
    if (t < TOKEN_EQUALS)
        return found(p, "in, notin, =, ==, !=, gt, lt");
    *ret = ops[t];
    advance(p);
    return 0;
}

static int parse_requirement(struct parser *p, struct label_requirement *r)
{
    bool negated = p->token == TOKEN_NOT;
    int ret;

    if (negated)
        advance(p);
    if (p->token != TOKEN_NAME)
        return found(p, "identifier");
    r->key = p->literal;
    ret = check_key(p, r->key, "<nil>");
    if (ret < 0)
        return ret;
    advance(p);
    if (negated || p->token == TOKEN_END || p->token == TOKEN_COMMA) {
        r->op = negated ? LABEL_OP_NOT_EXISTS : LABEL_OP_EXISTS;
        return 0;
    }
    ret = parse_operator(p, &r->op);
    if (ret < 0)
        return ret;
    ret = r->op == LABEL_OP_IN || r->op == LABEL_OP_NOT_IN ? parse_values(p, r)
                                                           : parse_exact_value(p, r);
    if (ret < 0)
        return ret;
    return check_requirement(p->arena, r, p->err);
}

static struct label_requirement *push(struct parser *p)
{
    if (p->len == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 4;
        struct label_requirement *items = ARENA_NEW_ARRAY(p->arena, struct label_requirement, cap);

        if (p->len)
            memcpy(items, p->items, p->len * sizeof(*items));
        p->items = items;
        p->cap = cap;
    }
    return &p->items[p->len++];
}

static int parse_all(struct parser *p)
{
    for (;;) {
        int r;

        if (p->token == TOKEN_END)
            return 0;
        if (p->token != TOKEN_NAME && p->token != TOKEN_NOT)
            return found(p, "!, identifier, or 'end of string'");
        if (p->len == LABEL_SELECTOR_MAX_REQUIREMENTS)
            return err_set(p->err, ERR_TOO_LARGE, "label selector has more than %d requirements",
                           LABEL_SELECTOR_MAX_REQUIREMENTS);
        r = parse_requirement(p, push(p));
        if (r < 0)
            return err_wrap(p->err, "unable to parse requirement");
        if (p->token == TOKEN_END)
            return 0;
        if (p->token != TOKEN_COMMA)
            return found(p, "',' or 'end of string'");
        advance(p);
        if (p->token != TOKEN_NAME && p->token != TOKEN_NOT)
            return found(p, "identifier after ','");
    }
}

/* Stable by key, so that equal keys keep the order they came in. */
static void sort_by_key(struct label_requirement *items, size_t n, struct arena *a)
{
    struct label_requirement *from = items, *to;

    if (n < 2)
        return;
    to = ARENA_NEW_ARRAY(a, struct label_requirement, n);
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t at = 0; at < n; at += 2 * width) {
            size_t i = at, mid = MIN(at + width, n), j = mid, end = MIN(at + 2 * width, n);

            for (size_t k = at; k < end; k++)
                to[k] = i < mid && (j >= end || str_cmp(from[i].key, from[j].key) <= 0) ? from[i++]
                                                                                        : from[j++];
        }
        struct label_requirement *swap = from;

        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, n * sizeof(*items));
}

int label_selector_parse(struct arena *a, struct str text, struct label_selector *ret,
                         struct err *err)
{
    struct parser p = { .arena = a, .err = err, .rest = text };
    int r;

    if (text.len > LABEL_SELECTOR_MAX_BYTES)
        return err_set(err, ERR_TOO_LARGE, "label selector is longer than %d bytes",
                       LABEL_SELECTOR_MAX_BYTES);
    advance(&p);
    r = parse_all(&p);
    if (r < 0)
        return r;
    sort_by_key(p.items, p.len, a);
    *ret = (struct label_selector){ .items = p.items, .len = (uint32_t)p.len };
    return 0;
}

int label_selector_from_requirements(struct arena *a, struct label_requirement *reqs, size_t n,
                                     struct label_selector *ret, struct err *err)
{
    struct parser p = { .arena = a, .err = err };

    if (n > LABEL_SELECTOR_MAX_REQUIREMENTS)
        return err_set(err, ERR_TOO_LARGE, "label selector has more than %d requirements",
                       LABEL_SELECTOR_MAX_REQUIREMENTS);
    for (size_t i = 0; i < n; i++) {
        int r = check_key(&p, reqs[i].key, "key");

        if (r >= 0)
            r = check_requirement(a, &reqs[i], err);
        if (r < 0)
            return r;
    }
    sort_by_key(reqs, n, a);
    *ret = (struct label_selector){ .items = reqs, .len = (uint32_t)n };
    return 0;
}

static bool has_value(const struct label_requirement *r, struct str value)
{
    size_t low = 0, high = r->n_values;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = str_cmp(value, r->values[mid]);

        if (c == 0)
            return true;
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return false;
}

static bool requirement_holds(const struct label_requirement *r, bool has, struct str value)
{
    int64_t n;

    switch (r->op) {
    case LABEL_OP_EQUALS:
    case LABEL_OP_IN:
        return has && has_value(r, value);
    case LABEL_OP_NOT_EQUALS:
    case LABEL_OP_NOT_IN:
        return !has || !has_value(r, value);
    case LABEL_OP_EXISTS:
        return has;
    case LABEL_OP_NOT_EXISTS:
        return !has;
    case LABEL_OP_GREATER:
        return has && str_to_i64(value, &n) && n > r->number;
    case LABEL_OP_LESS:
        return has && str_to_i64(value, &n) && n < r->number;
    }
    return false;
}

bool label_selector_match(const struct label_selector *s, label_lookup_fn lookup, void *arg)
{
    if (s->nothing)
        return false;
    for (uint32_t i = 0; i < s->len; i++) {
        struct str value = STR_NULL;
        bool has = lookup(arg, s->items[i].key, &value);

        if (!requirement_holds(&s->items[i], has, value))
            return false;
    }
    return true;
}

struct str label_selector_print(struct arena *a, const struct label_selector *s)
{
    static const char *const signs[] = {
        [LABEL_OP_EQUALS] = "=",       [LABEL_OP_NOT_EQUALS] = "!=", [LABEL_OP_IN] = " in ",
        [LABEL_OP_NOT_IN] = " notin ", [LABEL_OP_GREATER] = ">",     [LABEL_OP_LESS] = "<",
        [LABEL_OP_EXISTS] = "",        [LABEL_OP_NOT_EXISTS] = "",
    };
    struct buf b;

    buf_init_arena(&b, a, 64);
    for (uint32_t i = 0; i < s->len; i++) {
        const struct label_requirement *r = &s->items[i];
        bool set = r->op == LABEL_OP_IN || r->op == LABEL_OP_NOT_IN;

        if (i)
            buf_append_char(&b, ',');
        if (r->op == LABEL_OP_NOT_EXISTS)
            buf_append_char(&b, '!');
        buf_append_str(&b, r->key);
        buf_append_str(&b, str_from_cstr(signs[r->op]));
        if (set)
            buf_append_char(&b, '(');
        for (uint32_t k = 0; k < r->n_values; k++) {
            if (k)
                buf_append_char(&b, ',');
            buf_append_str(&b, r->values[k]);
        }
        if (set && r->n_values == 1 && r->values[0].len == 0)
            buf_append_char(&b, ','); /* "()" would be the empty set */
        if (set)
            buf_append_char(&b, ')');
    }
    return buf_str(&b);
}
