#include "api/structural/json_path.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"
#include "codec/value.h"

enum { FIND_STEPS_MAX = 100000, FIND_DEPTH_MAX = 512 };

enum step_type {
    STEP_NAME,
    STEP_WILDCARD,
    STEP_RECURSE, /* everything below, itself included */
    STEP_NAMES,   /* ['a','b'] */
    STEP_SLICE,   /* [from:to:by], [n] */
    STEP_FILTER,
};

enum filter_op { OP_EXISTS, OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE };

/* One side of a filter: a path from the item, or a literal. */
struct operand {
    const struct json_path *path; /* NULL: literal */
    struct value literal;
};

struct step {
    enum step_type type;
    struct str name;
    struct str *names;
    size_t n_names;
    bool has_from, has_to;
    int64_t from, to, by;
    enum filter_op op;
    struct operand left, right;
};

struct json_path {
    struct step *steps;
    size_t n;
};

struct parser {
    struct arena *arena;
    struct str rest;
    struct err *err;
    int depth; /* filters in filters */
};

static int parse_path(struct parser *p, bool in_filter, const struct json_path **ret);

static bool at(const struct parser *p, char c)
{
    return p->rest.len && p->rest.p[0] == c;
}

static bool eat(struct parser *p, struct str s)
{
    if (!str_has_prefix(p->rest, s))
        return false;
    p->rest = str_tail(p->rest, s.len);
    return true;
}

static void skip_space(struct parser *p)
{
    while (at(p, ' ') || at(p, '\t'))
        p->rest = str_tail(p->rest, 1);
}

static int bad(struct parser *p, const char *what)
{
    return err_set(p->err, ERR_INVALID, "%s", what);
}

/* A name after a dot: up to what ends it, a backslash takes the next character as it is. */
static int parse_name(struct parser *p, struct str *ret)
{
    struct buf b = { 0 };

    buf_init_arena(&b, p->arena, 32);
    while (p->rest.len && !memchr(".[]{}=!<>() \t,@", p->rest.p[0], 15)) {
        if (at(p, '\\')) {
            p->rest = str_tail(p->rest, 1);
            if (!p->rest.len)
                return bad(p, "unexpected end of path");
        }
        buf_append_char(&b, p->rest.p[0]);
        p->rest = str_tail(p->rest, 1);
    }
    *ret = buf_str(&b);
    return 0;
}

static int parse_quoted(struct parser *p, struct str *ret)
{
    char quote = p->rest.p[0];
    struct buf b = { 0 };

    buf_init_arena(&b, p->arena, 32);
    p->rest = str_tail(p->rest, 1);
    while (p->rest.len && p->rest.p[0] != quote) {
        if (at(p, '\\') && p->rest.len > 1)
            p->rest = str_tail(p->rest, 1);
        buf_append_char(&b, p->rest.p[0]);
        p->rest = str_tail(p->rest, 1);
    }
    if (!p->rest.len)
        return bad(p, "unterminated quoted string");
    p->rest = str_tail(p->rest, 1);
    *ret = buf_str(&b);
    return 0;
}

/* An optional whole number. */
static bool parse_number(struct parser *p, int64_t *ret)
{
    size_t n = at(p, '-');

    while (n < p->rest.len && isdigit((unsigned char)p->rest.p[n]))
        n++;
    if (!str_to_i64(str_sub(p->rest, 0, n), ret))
        return false;
    p->rest = str_tail(p->rest, n);
    return true;
}

static int parse_slice(struct parser *p, struct step *s)
{
    s->type = STEP_SLICE;
    s->by = 1;
    s->has_from = parse_number(p, &s->from);
    if (!eat(p, STR(":"))) {
        if (!s->has_from || s->from == INT64_MAX)
            return bad(p, "invalid array index");
        s->has_to = true;
        s->to = s->from + 1;
        if (s->from == -1)
            s->has_to = false; /* the last one: up to the end */
        return 0;
    }
    s->has_to = parse_number(p, &s->to);
    if (eat(p, STR(":")) && (!parse_number(p, &s->by) || s->by <= 0))
        return bad(p, "step must be > 0");
    return 0;
}

static int parse_names(struct parser *p, struct step *s)
{
    struct VEC(struct str) names = { 0 };
    struct str name = STR_NULL;
    int r;

    s->type = STEP_NAMES;
    do {
        skip_space(p);
        r = at(p, '\'') || at(p, '"') ? parse_quoted(p, &name) : bad(p, "invalid union");
        if (r >= 0)
            VEC_PUSH(&names, name);
        skip_space(p);
    } while (r >= 0 && eat(p, STR(",")));
    if (r >= 0) {
        s->names = arena_dup(p->arena, names.items, names.len * sizeof(*names.items));
        s->n_names = names.len;
    }
    VEC_DONE(&names);
    return r;
}

static int parse_operand(struct parser *p, struct operand *o)
{
    struct str text;
    size_t n = 0;

    skip_space(p);
    if (eat(p, STR("@")))
        return parse_path(p, true, &o->path);
    if (at(p, '\'') || at(p, '"')) {
        int r = parse_quoted(p, &text);

        o->literal = value_string(r < 0 ? STR_NULL : text);
        return r;
    }
    while (n < p->rest.len && !memchr(" )=!<>", p->rest.p[n], 6))
        n++;
    text = str_dup(p->arena, str_sub(p->rest, 0, n));
    p->rest = str_tail(p->rest, n);
    return value_parse(p->arena, text, &o->literal, NULL, p->err) < 0
               ? bad(p, "invalid filter operand")
               : 0;
}

static int parse_filter(struct parser *p, struct step *s)
{
    static const struct {
        struct str text;
        enum filter_op op;
    } ops[] = { { STR_INIT("=="), OP_EQ }, { STR_INIT("!="), OP_NE }, { STR_INIT("<="), OP_LE },
                { STR_INIT(">="), OP_GE }, { STR_INIT("<"), OP_LT },  { STR_INIT(">"), OP_GT } };
    int r;

    s->type = STEP_FILTER;
    if (++p->depth > 4)
        return bad(p, "filters are nested too deeply");
    r = parse_operand(p, &s->left);
    skip_space(p);
    for (size_t i = 0; r >= 0 && i < ARRAY_LEN(ops); i++) {
        if (eat(p, ops[i].text)) {
            s->op = ops[i].op;
            r = parse_operand(p, &s->right);
            break;
        }
    }
    skip_space(p);
    if (r >= 0 && !eat(p, STR(")")))
        r = bad(p, "unterminated filter");
    p->depth--;
    return r;
}

static int parse_bracket(struct parser *p, struct step *s)
{
    int r;

    skip_space(p);
    if (eat(p, STR("?("))) {
        r = parse_filter(p, s);
    } else if (eat(p, STR("*"))) {
        s->type = STEP_WILDCARD;
        r = 0;
    } else if (at(p, '\'') || at(p, '"')) {
        r = parse_names(p, s);
    } else {
        r = parse_slice(p, s);
    }
    skip_space(p);
    if (r >= 0 && !eat(p, STR("]")))
        r = bad(p, "unterminated array");
    return r;
}

static int parse_step(struct parser *p, struct step *s)
{
    if (eat(p, STR("[")))
        return parse_bracket(p, s);
    if (eat(p, STR(".."))) {
        p->rest = str_n(p->rest.p - 1, p->rest.len + 1); /* the name's own dot */
        s->type = STEP_RECURSE;
        return 0;
    }
    if (!eat(p, STR(".")))
        return bad(p, "unrecognized character in path");
    if (eat(p, STR("*"))) {
        s->type = STEP_WILDCARD;
        return 0;
    }
    s->type = STEP_NAME;
    return parse_name(p, &s->name);
}

static bool ends(const struct parser *p, bool in_filter)
{
    return !p->rest.len || (in_filter && memchr(" )=!<>", p->rest.p[0], 6));
}

static int parse_path(struct parser *p, bool in_filter, const struct json_path **ret)
{
    struct json_path *path = ARENA_NEW(p->arena, struct json_path);
    struct VEC(struct step) steps = { 0 };
    int r = 0;

    while (r >= 0 && !ends(p, in_filter)) {
        struct step s = { 0 };

        r = steps.len == JSON_PATH_MAX_STEPS ? bad(p, "path has too many steps")
                                             : parse_step(p, &s);
        if (r >= 0 && !(s.type == STEP_NAME && !s.name.len)) /* "." is the object itself */
            VEC_PUSH(&steps, s);
    }
    if (r >= 0) {
        path->steps = arena_dup(p->arena, steps.items, steps.len * sizeof(*steps.items));
        path->n = steps.len;
        *ret = path;
    }
    VEC_DONE(&steps);
    return r;
}

int json_path_parse(struct arena *a, struct str text, const struct json_path **ret, struct err *err)
{
    struct parser p = { .arena = a, .rest = text, .err = err };

    if (text.len > JSON_PATH_MAX_BYTES)
        return err_set(err, ERR_INVALID, "path is longer than %d bytes", JSON_PATH_MAX_BYTES);
    return parse_path(&p, false, ret);
}

bool json_path_is_simple(const struct json_path *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->steps[i].type != STEP_NAME)
            return 0;
    return p->n > 0;
}

/* --- finding --- */

struct finder {
    json_path_fn *fn;
    void *arg;
    size_t found, max;
    int left; /* steps that may still be taken */
};

static void find(struct finder *f, const struct json_path *p, size_t i, const struct value *v,
                 int depth);

struct first {
    const struct value *v;
};

static void keep_first(const struct value *v, void *arg)
{
    ((struct first *)arg)->v = v;
}

const struct value *json_path_first_of(const struct json_path *p, const struct value *root,
                                       int *left)
{
    struct first first = { 0 };
    struct finder f = { .fn = keep_first, .arg = &first, .max = 1, .left = *left };

    find(&f, p, 0, root, 0);
    *left = f.left;
    return first.v;
}

static const struct value *operand_value(const struct operand *o, const struct value *item,
                                         int *left)
{
    return o->path ? json_path_first_of(o->path, item, left) : &o->literal;
}

static bool is_number(const struct value *v)
{
    return v->type == VALUE_INT || v->type == VALUE_DOUBLE;
}

static double number(const struct value *v)
{
    return v->type == VALUE_INT ? (double)v->i : v->d;
}

static bool holds(const struct step *s, const struct value *item, int *left)
{
    const struct value *x = operand_value(&s->left, item, left), *y;
    int c;

    if (s->op == OP_EXISTS || !x)
        return x != NULL;
    y = operand_value(&s->right, item, left);
    if (!y)
        return false;
    if (is_number(x) && is_number(y))
        c = (number(x) > number(y)) - (number(x) < number(y));
    else if (x->type == VALUE_STRING && y->type == VALUE_STRING)
        c = str_cmp(x->s, y->s);
    else if (s->op == OP_EQ || s->op == OP_NE)
        return value_equal(x, y) == (s->op == OP_EQ);
    else
        return false;
    switch (s->op) {
    case OP_EQ:
        return c == 0;
    case OP_NE:
        return c != 0;
    case OP_LT:
        return c < 0;
    case OP_LE:
        return c <= 0;
    case OP_GT:
        return c > 0;
    case OP_GE:
        return c >= 0;
    case OP_EXISTS:
        break;
    }
    return true;
}

static uint32_t children(const struct value *v)
{
    return v->type == VALUE_ARRAY || v->type == VALUE_OBJECT ? v->len : 0;
}

static const struct value *child(const struct value *v, uint32_t i)
{
    return v->type == VALUE_ARRAY ? &v->items[i] : &v->members[i].v;
}

static int64_t clamp(bool has, int64_t n, int64_t other, int64_t len)
{
    if (!has)
        n = other;
    else if (n < 0)
        n += len;
    return n < 0 ? 0 : n > len ? len : n;
}

static void find_slice(struct finder *f, const struct json_path *p, size_t i, const struct value *v,
                       int depth)
{
    const struct step *s = &p->steps[i];
    int64_t len = v->type == VALUE_ARRAY ? v->len : 0;
    int64_t to = clamp(s->has_to, s->to, len, len);

    if (s->has_from && s->from < -len)
        return;
    for (int64_t k = clamp(s->has_from, s->from, 0, len); k < to; k += s->by)
        find(f, p, i + 1, &v->items[k], depth + 1);
}

static void find_step(struct finder *f, const struct json_path *p, size_t i, const struct value *v,
                      int depth)
{
    const struct step *s = &p->steps[i];
    const struct value *m;

    switch (s->type) {
    case STEP_NAME:
        m = value_get(v, s->name);
        if (m)
            find(f, p, i + 1, m, depth + 1);
        return;
    case STEP_NAMES:
        for (size_t k = 0; k < s->n_names; k++) {
            m = value_get(v, s->names[k]);
            if (m)
                find(f, p, i + 1, m, depth + 1);
        }
        return;
    case STEP_SLICE:
        find_slice(f, p, i, v, depth);
        return;
    case STEP_RECURSE:
        find(f, p, i + 1, v, depth + 1);
        for (uint32_t k = 0; k < children(v); k++)
            find(f, p, i, child(v, k), depth + 1);
        return;
    case STEP_WILDCARD:
        for (uint32_t k = 0; k < children(v); k++)
            find(f, p, i + 1, child(v, k), depth + 1);
        return;
    case STEP_FILTER:
        for (uint32_t k = 0; k < children(v) && f->left > 0; k++)
            if (holds(s, child(v, k), &f->left))
                find(f, p, i + 1, child(v, k), depth + 1);
        return;
    }
}

static void find(struct finder *f, const struct json_path *p, size_t i, const struct value *v,
                 int depth)
{
    if (f->left <= 0 || f->found == f->max || depth > FIND_DEPTH_MAX)
        return;
    f->left--;
    if (i < p->n) {
        find_step(f, p, i, v, depth);
        return;
    }
    f->found++;
    f->fn(v, f->arg);
}

size_t json_path_find(const struct json_path *p, const struct value *root, json_path_fn *fn,
                      void *arg)
{
    struct finder f = { .fn = fn, .arg = arg, .max = SIZE_MAX, .left = FIND_STEPS_MAX };

    find(&f, p, 0, root, 0);
    return f.found;
}

const struct value *json_path_first(const struct json_path *p, const struct value *root)
{
    int left = FIND_STEPS_MAX;

    return json_path_first_of(p, root, &left);
}
