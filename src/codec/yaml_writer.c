/* JSON to YAML, by libyaml's emitter: keys sorted, block style, texts of several lines as literals.
 */
#include <stdlib.h>
#include <yaml.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/json_writer.h"
#include "codec/value.h"
#include "codec/yaml.h"
#include "codec/yaml_scalar.h"

static int collect(void *arg, unsigned char *p, size_t n)
{
    buf_append(arg, p, n);
    return 1;
}

static bool emit_text(yaml_emitter_t *e, struct str s, yaml_scalar_style_t style)
{
    yaml_event_t ev;

    return yaml_scalar_event_initialize(&ev, NULL, NULL, (const unsigned char *)(s.p ? s.p : ""),
                                        (int)s.len, style == YAML_PLAIN_SCALAR_STYLE,
                                        style != YAML_PLAIN_SCALAR_STYLE, style) &&
           yaml_emitter_emit(e, &ev);
}

/* A date would be read as a time by some; upstream quotes it, too. */
static bool looks_like_date(struct str s)
{
    return s.len >= 10 && s.p[4] == '-' && s.p[7] == '-' && s.p[0] >= '0' && s.p[0] <= '9';
}

static bool is_merge_key(struct str s)
{
    return str_eq(s, STR("<<"));
}

static bool emit_string(yaml_emitter_t *e, struct str s)
{
    if (str_find(s, '\n') >= 0)
        return emit_text(e, s, YAML_LITERAL_SCALAR_STYLE);
    if (!yaml_scalar_is_string(s) || looks_like_date(s) || is_merge_key(s))
        return emit_text(e, s, YAML_DOUBLE_QUOTED_SCALAR_STYLE);
    return emit_text(e, s, YAML_PLAIN_SCALAR_STYLE);
}

static int by_key(const void *a, const void *b)
{
    return str_cmp(((const struct value_member *)a)->key, ((const struct value_member *)b)->key);
}

static bool emit_value(yaml_emitter_t *e, struct value *v);

static bool emit_object(yaml_emitter_t *e, struct value *v)
{
    yaml_event_t ev;

    if (!yaml_mapping_start_event_initialize(
            &ev, NULL, NULL, 1, v->len ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE) ||
        !yaml_emitter_emit(e, &ev))
        return false;
    if (v->len > 1)
        qsort(v->members, v->len, sizeof(*v->members), by_key);
    for (uint32_t i = 0; i < v->len; i++) {
        if (!emit_string(e, v->members[i].key) || !emit_value(e, &v->members[i].v))
            return false;
    }
    return yaml_mapping_end_event_initialize(&ev) && yaml_emitter_emit(e, &ev);
}

static bool emit_array(yaml_emitter_t *e, struct value *v)
{
    yaml_event_t ev;

    if (!yaml_sequence_start_event_initialize(
            &ev, NULL, NULL, 1, v->len ? YAML_BLOCK_SEQUENCE_STYLE : YAML_FLOW_SEQUENCE_STYLE) ||
        !yaml_emitter_emit(e, &ev))
        return false;
    for (uint32_t i = 0; i < v->len; i++) {
        if (!emit_value(e, &v->items[i]))
            return false;
    }
    return yaml_sequence_end_event_initialize(&ev) && yaml_emitter_emit(e, &ev);
}

/* As deep as value_parse() allows. */
static bool emit_value(yaml_emitter_t *e, struct value *v)
{
    CLEANUP(buf_done) struct buf b = { 0 };

    switch (v->type) {
    case VALUE_OBJECT:
        return emit_object(e, v);
    case VALUE_ARRAY:
        return emit_array(e, v);
    case VALUE_STRING:
        return emit_string(e, v->s);
    case VALUE_NULL:
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_DOUBLE:
        break;
    }
    value_print(&b, v);
    return emit_text(e, buf_str(&b), YAML_PLAIN_SCALAR_STYLE);
}

static bool emit_document(yaml_emitter_t *e, struct value *v)
{
    yaml_event_t ev;

    return yaml_stream_start_event_initialize(&ev, YAML_UTF8_ENCODING) &&
           yaml_emitter_emit(e, &ev) &&
           yaml_document_start_event_initialize(&ev, NULL, NULL, NULL, 1) &&
           yaml_emitter_emit(e, &ev) && emit_value(e, v) &&
           yaml_document_end_event_initialize(&ev, 1) && yaml_emitter_emit(e, &ev) &&
           yaml_stream_end_event_initialize(&ev) && yaml_emitter_emit(e, &ev);
}

int yaml_from_json(struct arena *a, struct str json, struct str *ret_yaml, struct err *err)
{
    struct buf out = { .arena = a };
    yaml_emitter_t e;
    struct value v;
    int r = value_parse(a, json, &v, NULL, err);
    bool ok;

    if (r < 0)
        return r;
    if (!yaml_emitter_initialize(&e))
        return err_set(err, ERR_INVALID, "yaml: out of memory");
    yaml_emitter_set_output(&e, collect, &out);
    yaml_emitter_set_unicode(&e, 1);
    yaml_emitter_set_width(&e, -1);
    ok = emit_document(&e, &v);
    if (!ok)
        r = err_set(err, ERR_INVALID, "yaml: %s", e.problem ? e.problem : "cannot write");
    yaml_emitter_delete(&e);
    if (ok)
        *ret_yaml = buf_str(&out);
    return r;
}
