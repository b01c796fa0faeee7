#include "api/openapi_message.h"

#include "base/buf.h"
#include "base/err.h"
#include "codec/pb_wire.h"
#include "codec/value.h"

/* --- plain values --- */

void openapi_put_text(struct printer *p, uint32_t number, const struct value *v,
                      const struct message *of)
{
    (void)of;
    if (v->type == VALUE_STRING)
        pb_put_bytes(p->b, number, v->s);
    else
        p->result = err_set(p->err, ERR_UNSUPPORTED, "a text is needed");
}

void openapi_put_texts(struct printer *p, uint32_t number, const struct value *v,
                       const struct message *of)
{
    for (uint32_t i = 0; v->type == VALUE_ARRAY && i < v->len; i++)
        openapi_put_text(p, number, &v->items[i], of);
}

void openapi_put_bool(struct printer *p, uint32_t number, const struct value *v,
                      const struct message *of)
{
    (void)of;
    if (v->type == VALUE_BOOL && v->b)
        pb_put_uint(p->b, number, 1);
}

void openapi_put_int(struct printer *p, uint32_t number, const struct value *v,
                     const struct message *of)
{
    (void)of;
    if (v->type == VALUE_INT)
        pb_put_uint(p->b, number, (uint64_t)v->i);
}

void openapi_put_double(struct printer *p, uint32_t number, const struct value *v,
                        const struct message *of)
{
    double d = v->type == VALUE_INT ? (double)v->i : v->d;
    uint64_t bits;

    (void)of;
    if (v->type != VALUE_INT && v->type != VALUE_DOUBLE)
        return;
    memcpy(&bits, &d, sizeof(bits));
    pb_put_fixed64(p->b, number, bits);
}

void openapi_put_any(struct printer *p, uint32_t number, const struct value *v,
                     const struct message *of)
{
    CLEANUP(buf_done) struct buf text = { 0 };
    size_t any = pb_begin(p->b, number);

    (void)of;
    value_print(&text, v);
    buf_append_char(&text, '\n');
    pb_put_bytes(p->b, 2, buf_str(&text));
    pb_end(p->b, any);
}

void openapi_put_anys(struct printer *p, uint32_t number, const struct value *v,
                      const struct message *of)
{
    for (uint32_t i = 0; v->type == VALUE_ARRAY && i < v->len; i++)
        openapi_put_any(p, number, &v->items[i], of);
}

/* --- messages --- */

static void put_extension(struct printer *p, uint32_t number, const struct value_member *m)
{
    size_t named = pb_begin(p->b, number);

    pb_put_bytes(p->b, 1, m->key);
    openapi_put_any(p, 2, &m->v, NULL);
    pb_end(p->b, named);
}

void openapi_put_member(struct printer *p, const struct value_member *m, const struct message *of)
{
    if (of->extensions && str_has_prefix(m->key, STR("x-"))) {
        put_extension(p, of->extensions, m);
        return;
    }
    for (const struct member *row = of->members; row->put; row++) {
        if (str_eq(row->key, m->key)) {
            row->put(p, row->number, &m->v, row->of);
            return;
        }
    }
    p->result = err_set(p->err, ERR_UNSUPPORTED, "OpenAPI member '%.*s' has no protobuf field",
                        STR_ARG(m->key));
}

void openapi_put_message(struct printer *p, uint32_t number, const struct value *v,
                         const struct message *of)
{
    size_t message = pb_begin(p->b, number);

    for (uint32_t i = 0; v->type == VALUE_OBJECT && i < v->len && p->result == 0; i++)
        openapi_put_member(p, &v->members[i], of);
    pb_end(p->b, message);
}

/* A message as field 1 of another that holds nothing else here (a choice of schema or boolean). */
void openapi_put_wrapped(struct printer *p, uint32_t number, const struct value *v,
                         const struct message *of)
{
    size_t wrapper = pb_begin(p->b, number);

    openapi_put_message(p, 1, v, of);
    pb_end(p->b, wrapper);
}

/* A schema, or whether there may be members. */
void openapi_put_additional(struct printer *p, uint32_t number, const struct value *v,
                            const struct message *of)
{
    size_t wrapper;

    if (v->type != VALUE_BOOL) {
        openapi_put_wrapped(p, number, v, of);
        return;
    }
    wrapper = pb_begin(p->b, number);
    pb_put_uint(p->b, 2, v->b);
    pb_end(p->b, wrapper);
}

/* A map: message `number` with entries in field `entry`, each the name and put()'s value. */
void openapi_put_map(struct printer *p, uint32_t number, uint32_t entry, const struct value *v,
                     put_fn *put, const struct message *of)
{
    size_t map = pb_begin(p->b, number);

    for (uint32_t i = 0; v->type == VALUE_OBJECT && i < v->len && p->result == 0; i++) {
        size_t named = pb_begin(p->b, entry);

        pb_put_bytes(p->b, 1, v->members[i].key);
        put(p, 2, &v->members[i].v, of);
        pb_end(p->b, named);
    }
    pb_end(p->b, map);
}

void openapi_put_named(struct printer *p, uint32_t number, const struct value *v,
                       const struct message *of)
{
    openapi_put_map(p, number, 1, v, openapi_put_message, of);
}

static void put_scopes(struct printer *p, uint32_t number, const struct value *v,
                       const struct message *of)
{
    size_t scopes = pb_begin(p->b, number);

    openapi_put_texts(p, 1, v, of);
    pb_end(p->b, scopes);
}

void openapi_put_security(struct printer *p, uint32_t number, const struct value *v,
                          const struct message *of)
{
    for (uint32_t i = 0; v->type == VALUE_ARRAY && i < v->len; i++)
        openapi_put_map(p, number, 1, &v->items[i], put_scopes, of);
}

static const struct member external_docs_members[] = {
    { STR_INIT("description"), 1, openapi_put_text, NULL },
    { STR_INIT("url"), 2, openapi_put_text, NULL },
    { { 0 }, 0, NULL, NULL },
};
const struct message openapi_external_docs = { external_docs_members, 3 };

int openapi_print_message(struct arena *a, struct buf *b, struct str json,
                          const struct message *document, struct err *err)
{
    struct printer p = { .b = b, .err = err };
    struct value root;
    int r = value_parse(a, json, &root, NULL, err);

    if (r < 0)
        return r;
    for (uint32_t i = 0; root.type == VALUE_OBJECT && i < root.len && p.result == 0; i++)
        openapi_put_member(&p, &root.members[i], document);
    return p.result;
}
