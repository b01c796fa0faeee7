#include "apiserver/registry/continue_token.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/base64.h"
#include "codec/json_writer.h"
#include "codec/value.h"

enum { MAX_TOKEN_BYTES = 16 * 1024 };

/* Upstream's start is the first key that is not shown yet: the last one and a NUL. */
struct str continue_token_print(struct arena *a, const struct continue_token *t)
{
    struct buf json = { 0 }, start = { 0 }, out = { 0 };

    buf_init_arena(&start, a, t->after.len + 1);
    buf_append_str(&start, t->after);
    buf_append_char(&start, '\0');
    buf_init_arena(&json, a, t->after.len + 64);
    buf_append_lit(&json, "{\"v\":\"meta.k8s.io/v1\",\"rv\":");
    buf_append_i64(&json, t->revision);
    buf_append_lit(&json, ",\"start\":");
    json_write_string(&json, buf_str(&start));
    buf_append_char(&json, '}');
    buf_init_arena(&out, a, json.len * 2);
    base64_encode_url(&out, buf_str(&json));
    return buf_str(&out);
}

/* Where Go's decoder stops: at what is no sextet, or at the one that stands alone at the end. */
static size_t bad_at(struct str text)
{
    static const struct str extra = STR_INIT("-_");
    size_t i = 0;

    for (; i < text.len; i++) {
        char c = text.p[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              str_find(extra, c) >= 0))
            return i;
    }
    return i ? i - 1 : 0;
}

int continue_token_parse(struct arena *a, struct str text, struct continue_token *ret,
                         struct err *err)
{
    struct value v, *rv;
    struct str json, start;

    if (text.len > MAX_TOKEN_BYTES || !base64_decode_url(a, text, &json))
        return err_set(err, ERR_INVALID,
                       "continue key is not valid: illegal base64 data at input byte %zu",
                       bad_at(text));
    if (value_parse(a, json, &v, NULL, err) < 0)
        return err_set(err, ERR_INVALID, "continue key is not valid: not a JSON object");
    if (!str_eq(value_get_str(&v, STR("v")), STR("meta.k8s.io/v1")))
        return err_set(err, ERR_INVALID,
                       "continue key is not valid: server does not recognize this encoded version");
    rv = value_get(&v, STR("rv"));
    start = value_get_str(&v, STR("start"));
    if (!rv || rv->type != VALUE_INT || rv->i == 0 || rv->i < -1)
        return err_set(err, ERR_INVALID,
                       "continue key is not valid: incorrect encoded start resourceVersion");
    if (!start.len)
        return err_set(err, ERR_INVALID, "continue key is not valid: encoded start key empty");
    if (start.p[start.len - 1] == '\0')
        start.len--;
    if (!start.len || str_find(start, '\0') >= 0)
        return err_set(err, ERR_INVALID, "continue key is not valid: invalid start key");
    ret->revision = rv->i;
    ret->after = start;
    return 0;
}
