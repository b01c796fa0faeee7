/* YAML in: libyaml composes the document (it does so without recursion), then one bounded walk over
 * its nodes writes JSON. Aliases are just nodes met again, so that what they can blow up is the
 * output, which has a limit. */
#include "codec/yaml.h"

#include <math.h>
#include <stdlib.h>
#include <yaml.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "codec/json_reader.h"
#include "codec/json_writer.h"
#include "codec/yaml_scalar.h"

enum { MAX_DEPTH = 256, MAX_DUPLICATES = 20, MAX_ANCHORS = 1000 };

struct walk {
    yaml_document_t doc;
    struct arena *a;
    struct buf b;
    size_t limit;
    bool strict;
    struct buf duplicates; /* lines of the strict error */
    size_t n_duplicates;
    struct err *err;
};

static int write_node(struct walk *w, yaml_node_t *n, int depth);

static int too_deep(struct err *err)
{
    return err_set(err, ERR_TOO_DEEP, "yaml: exceeded max depth of %d", MAX_DEPTH);
}

static struct str text_of(const yaml_node_t *n)
{
    return str_n((const char *)n->data.scalar.value, n->data.scalar.length);
}

static bool is_plain(const yaml_node_t *n)
{
    return n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           !(n->tag && strcmp((const char *)n->tag, YAML_STR_TAG) == 0 &&
             n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE);
}

static int write_scalar(struct walk *w, const yaml_node_t *n)
{
    struct str s = text_of(n);

    if (!json_utf8_valid(s.p, s.len))
        return err_set(w->err, ERR_SYNTAX, "yaml: line %zu: invalid UTF-8", n->start_mark.line + 1);
    if (is_plain(n)) {
        if (yaml_scalar_write(&w->b, s))
            return 0;
        return err_set(w->err, ERR_INVALID, "yaml: line %zu: '%.*s' is no JSON number",
                       n->start_mark.line + 1, (int)MIN(s.len, 40), s.p);
    }
    json_write_string(&w->b, s);
    return 0;
}

/* The text of a key: scalars only; numbers and booleans as JSON spells them. */
static int key_text(struct walk *w, yaml_node_t *n, struct str *ret)
{
    struct buf b = { .arena = w->a };

    if (n->type != YAML_SCALAR_NODE)
        return err_set(w->err, ERR_INVALID, "yaml: line %zu: map keys must be scalars",
                       n->start_mark.line + 1);
    if (!json_utf8_valid(text_of(n).p, text_of(n).len))
        return err_set(w->err, ERR_SYNTAX, "yaml: line %zu: invalid UTF-8", n->start_mark.line + 1);
    *ret = text_of(n);
    if (!is_plain(n) || yaml_scalar_is_string(*ret))
        return 0;
    if (!yaml_scalar_write(&b, *ret))
        return err_set(w->err, ERR_INVALID, "yaml: line %zu: bad map key", n->start_mark.line + 1);
    *ret = buf_str(&b);
    return 0;
}

/* One member of a mapping on its way out. */
struct member {
    struct str key;
    yaml_node_t *value;
    uint32_t order;
};

struct members {
    struct member *items;
    size_t len, cap;
};

static void push(struct walk *w, struct members *m, struct member x)
{
    if (m->len == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 8;
        struct member *grown = ARENA_NEW_ARRAY(w->a, struct member, cap);

        if (m->len)
            memcpy(grown, m->items, m->len * sizeof(*grown));
        m->items = grown;
        m->cap = cap;
    }
    x.order = (uint32_t)m->len;
    m->items[m->len++] = x;
}

static int gather(struct walk *w, yaml_node_t *n, struct members *own, struct members *merged,
                  int depth);

/* "<<: *a" or "<<: [*a, *b]" */
static int gather_merge(struct walk *w, yaml_node_t *v, struct members *merged, int depth)
{
    struct members deeper = { 0 };
    int r;

    if (v && v->type == YAML_SEQUENCE_NODE) {
        for (yaml_node_item_t *i = v->data.sequence.items.start; i < v->data.sequence.items.top;
             i++) {
            yaml_node_t *item = yaml_document_get_node(&w->doc, *i);

            if (!item || item->type != YAML_MAPPING_NODE)
                break;
            r = gather(w, item, merged, &deeper, depth + 1);
            if (r < 0)
                return r;
        }
    } else if (v && v->type == YAML_MAPPING_NODE) {
        r = gather(w, v, merged, &deeper, depth + 1);
        if (r < 0)
            return r;
    } else {
        return err_set(w->err, ERR_INVALID,
                       "yaml: map merge requires map or sequence of maps as the value");
    }
    for (size_t i = 0; i < deeper.len; i++)
        push(w, merged, deeper.items[i]);
    return 0;
}

static int gather(struct walk *w, yaml_node_t *n, struct members *own, struct members *merged,
                  int depth)
{
    yaml_node_pair_t *p = n->data.mapping.pairs.start, *end = n->data.mapping.pairs.top;

    if (depth > MAX_DEPTH || arena_is_over(w->a))
        return err_set(w->err, ERR_TOO_DEEP, "yaml: document is nested too deeply or too large");
    for (; p < end; p++) {
        yaml_node_t *k = yaml_document_get_node(&w->doc, p->key);
        yaml_node_t *v = yaml_document_get_node(&w->doc, p->value);
        struct str key;
        int r;

        if (k && k->type == YAML_SCALAR_NODE && is_plain(k) && str_eq(text_of(k), STR("<<")))
            r = gather_merge(w, v, merged, depth);
        else if ((r = k ? key_text(w, k, &key) : ERR_INVALID) >= 0)
            push(w, own, (struct member){ .key = key, .value = v });
        if (r < 0)
            return r;
        if (own->len + merged->len > w->limit / 4)
            return err_set(w->err, ERR_TOO_LARGE, "yaml: document contains excessive aliasing");
    }
    return 0;
}

static int by_key(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    int c = str_cmp(x->key, y->key);

    return c ? c : (x->order > y->order) - (x->order < y->order);
}

static int by_order(const void *a, const void *b)
{
    const struct member *x = a, *y = b;

    return (x->order > y->order) - (x->order < y->order);
}

static void note_duplicate(struct walk *w, const struct member *m)
{
    if (!w->strict || w->n_duplicates++ >= MAX_DUPLICATES)
        return;
    buf_printf(&w->duplicates, "\n  line %zu: key \"%.*s\" already set in map",
               m->value ? m->value->start_mark.line + 1 : 0, STR_ARG(m->key));
}

/* The last of equal keys stays; merged ones only where there is no own one. Order of appearance. */
static void unite(struct walk *w, struct members *own, const struct members *merged)
{
    size_t n = 0, n_own = own->len;

    for (size_t i = 0; i < merged->len; i++)
        push(w, own, merged->items[i]);
    if (own->len > 1)
        qsort(own->items, own->len, sizeof(*own->items), by_key);
    for (size_t i = 0; i < own->len; i++) {
        struct member m = own->items[i];

        if (n && str_eq(own->items[n - 1].key, m.key)) {
            if (m.order >= n_own)
                continue;
            note_duplicate(w, &m);
            own->items[n - 1] = m;
            continue;
        }
        own->items[n++] = m;
    }
    own->len = n;
    if (n > 1)
        qsort(own->items, n, sizeof(*own->items), by_order);
}

static int write_mapping(struct walk *w, yaml_node_t *n, int depth)
{
    struct members own = { 0 }, merged = { 0 };
    int r = gather(w, n, &own, &merged, depth);

    if (r < 0)
        return r;
    unite(w, &own, &merged);
    buf_append_char(&w->b, '{');
    for (size_t i = 0; i < own.len; i++) {
        if (i)
            buf_append_char(&w->b, ',');
        json_write_string(&w->b, own.items[i].key);
        buf_append_char(&w->b, ':');
        r = write_node(w, own.items[i].value, depth + 1);
        if (r < 0)
            return r;
    }
    buf_append_char(&w->b, '}');
    return 0;
}

static int write_sequence(struct walk *w, yaml_node_t *n, int depth)
{
    yaml_node_item_t *begin = n->data.sequence.items.start;

    buf_append_char(&w->b, '[');
    for (yaml_node_item_t *i = begin; i < n->data.sequence.items.top; i++) {
        int r;

        if (i > begin)
            buf_append_char(&w->b, ',');
        r = write_node(w, yaml_document_get_node(&w->doc, *i), depth + 1);
        if (r < 0)
            return r;
    }
    buf_append_char(&w->b, ']');
    return 0;
}

static int write_node(struct walk *w, yaml_node_t *n, int depth)
{
    if (depth > MAX_DEPTH)
        return too_deep(w->err);
    if (w->b.len > w->limit || arena_is_over(w->a))
        return err_set(w->err, ERR_TOO_LARGE, "yaml: document contains excessive aliasing");
    if (!n) {
        buf_append_lit(&w->b, "null");
        return 0;
    }
    switch (n->type) {
    case YAML_SCALAR_NODE:
        return write_scalar(w, n);
    case YAML_SEQUENCE_NODE:
        return write_sequence(w, n, depth);
    case YAML_MAPPING_NODE:
        return write_mapping(w, n, depth);
    case YAML_NO_NODE:
        break;
    }
    return err_set(w->err, ERR_SYNTAX, "yaml: unknown node");
}

static int begin(yaml_parser_t *parser, struct str yaml, struct err *err)
{
    if (!yaml_parser_initialize(parser))
        return err_set(err, ERR_INVALID, "yaml: out of memory");
    yaml_parser_set_input_string(parser, (const unsigned char *)yaml.p, yaml.len);
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    return 0;
}

static bool has_anchor(const yaml_event_t *e)
{
    return (e->type == YAML_SCALAR_EVENT && e->data.scalar.anchor) ||
           (e->type == YAML_SEQUENCE_START_EVENT && e->data.sequence_start.anchor) ||
           (e->type == YAML_MAPPING_START_EVENT && e->data.mapping_start.anchor);
}

/* libyaml's scanner looks at every open bracket for each token, and its loader at every anchor for
 * each new one: both take quadratic time. So text that may have too many of either is first read
 * event by event, up to the limits. What else is wrong with it is load()'s to say. */
static int check_limits(struct str yaml, struct err *err)
{
    size_t brackets = 0, ampersands = 0, anchors = 0;
    yaml_event_type_t type = YAML_NO_EVENT;
    yaml_parser_t parser;
    yaml_event_t event;
    int depth = 0, r;

    for (size_t i = 0; i < yaml.len; i++) {
        brackets += yaml.p[i] == '[' || yaml.p[i] == '{';
        ampersands += yaml.p[i] == '&';
    }
    if (brackets <= MAX_DEPTH && ampersands <= MAX_ANCHORS)
        return 0;
    r = begin(&parser, yaml, err);
    while (r == 0 && type != YAML_STREAM_END_EVENT && type != YAML_DOCUMENT_END_EVENT &&
           yaml_parser_parse(&parser, &event)) {
        type = event.type;
        anchors += has_anchor(&event);
        yaml_event_delete(&event);
        if (type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT)
            depth++;
        else if (type == YAML_SEQUENCE_END_EVENT || type == YAML_MAPPING_END_EVENT)
            depth--;
        if (depth > MAX_DEPTH)
            r = too_deep(err);
        else if (anchors > MAX_ANCHORS)
            r = err_set(err, ERR_TOO_LARGE, "yaml: more than %d anchors", MAX_ANCHORS);
    }
    yaml_parser_delete(&parser);
    return r;
}

static int load(struct walk *w, struct str yaml)
{
    yaml_parser_t parser;
    int r = check_limits(yaml, w->err);

    if (r == 0)
        r = begin(&parser, yaml, w->err);
    if (r < 0)
        return r;
    if (!yaml_parser_load(&parser, &w->doc)) {
        const char *problem = parser.problem ? parser.problem : "could not parse";
        size_t line = parser.problem_mark.line;

        /* Go's reader, which this one's words are, leaves the first line unsaid. */
        r = line ? err_set(w->err, ERR_SYNTAX, "yaml: line %zu: %s", line + 1, problem)
                 : err_set(w->err, ERR_SYNTAX, "yaml: %s", problem);
    }
    yaml_parser_delete(&parser);
    return r;
}

int yaml_to_json(struct arena *a, struct str yaml, bool strict, size_t limit_bytes,
                 struct str *ret_json, struct err *err)
{
    struct walk w = { .a = a, .limit = limit_bytes, .strict = strict, .err = err };
    int r;

    w.b.arena = a;
    w.duplicates.arena = a;
    if (!yaml.len)
        yaml = STR("\n");
    r = load(&w, yaml);
    if (r < 0)
        return r;
    r = write_node(&w, yaml_document_get_root_node(&w.doc), 0);
    yaml_document_delete(&w.doc);
    if (r < 0)
        return r;
    if (w.n_duplicates)
        return err_set(err, ERR_INVALID, "yaml: unmarshal errors:%.*s",
                       STR_ARG(buf_str(&w.duplicates)));
    *ret_json = buf_str(&w.b);
    return 0;
}
