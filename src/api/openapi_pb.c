/* One table a message: JSON member, field number, and the function that puts it. Members that a
 * table does not know are an error, so that nothing is left out unseen; those that begin with "x-"
 * are vendor extensions: named values in YAML (JSON is YAML). Maps are lists of {name = 1,
 * value = 2}. */
#include "api/openapi_pb.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "codec/pb_wire.h"
#include "codec/value.h"

struct message;

struct printer {
    struct buf *b;
    struct err *err;
    int result;
};

typedef void put_fn(struct printer *p, uint32_t number, const struct value *v,
                    const struct message *of);

struct member {
    struct str key;
    uint32_t number;
    put_fn *put;
    const struct message *of;
};

struct message {
    const struct member *members; /* ended by a NULL function */
    uint32_t extensions;          /* field of vendor extensions; 0: none */
};

/* --- plain values --- */

static void put_text(struct printer *p, uint32_t number, const struct value *v,
                     const struct message *of)
{
    (void)of;
    if (v->type == VALUE_STRING)
        pb_put_bytes(p->b, number, v->s);
    else
        p->result = err_set(p->err, ERR_UNSUPPORTED, "a text is needed");
}

static void put_texts(struct printer *p, uint32_t number, const struct value *v,
                      const struct message *of)
{
    for (uint32_t i = 0; v->type == VALUE_ARRAY && i < v->len; i++)
        put_text(p, number, &v->items[i], of);
}

static void put_bool(struct printer *p, uint32_t number, const struct value *v,
                     const struct message *of)
{
    (void)of;
    if (v->type == VALUE_BOOL && v->b)
        pb_put_uint(p->b, number, 1);
}

static void put_int(struct printer *p, uint32_t number, const struct value *v,
                    const struct message *of)
{
    (void)of;
    if (v->type == VALUE_INT)
        pb_put_uint(p->b, number, (uint64_t)v->i);
}

static void put_double(struct printer *p, uint32_t number, const struct value *v,
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

static void put_any(struct printer *p, uint32_t number, const struct value *v,
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

static void put_anys(struct printer *p, uint32_t number, const struct value *v,
                     const struct message *of)
{
    for (uint32_t i = 0; v->type == VALUE_ARRAY && i < v->len; i++)
        put_any(p, number, &v->items[i], of);
}

/* --- messages --- */

static void put_extension(struct printer *p, uint32_t number, const struct value_member *m)
{
    size_t named = pb_begin(p->b, number);

    pb_put_bytes(p->b, 1, m->key);
    put_any(p, 2, &m->v, NULL);
    pb_end(p->b, named);
}

static void put_member(struct printer *p, const struct value_member *m, const struct message *of)
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

static void put_message(struct printer *p, uint32_t number, const struct value *v,
                        const struct message *of)
{
    size_t message = pb_begin(p->b, number);

    for (uint32_t i = 0; v->type == VALUE_OBJECT && i < v->len && p->result == 0; i++)
        put_member(p, &v->members[i], of);
    pb_end(p->b, message);
}

/* A message as field 1 of another that holds nothing else here (a choice of schema or boolean). */
static void put_wrapped(struct printer *p, uint32_t number, const struct value *v,
                        const struct message *of)
{
    size_t wrapper = pb_begin(p->b, number);

    put_message(p, 1, v, of);
    pb_end(p->b, wrapper);
}

/* A schema, or whether there may be members. */
static void put_additional(struct printer *p, uint32_t number, const struct value *v,
                           const struct message *of)
{
    size_t wrapper;

    if (v->type != VALUE_BOOL) {
        put_wrapped(p, number, v, of);
        return;
    }
    wrapper = pb_begin(p->b, number);
    pb_put_uint(p->b, 2, v->b);
    pb_end(p->b, wrapper);
}

static void put_type(struct printer *p, uint32_t number, const struct value *v,
                     const struct message *of)
{
    size_t wrapper = pb_begin(p->b, number);

    put_text(p, 1, v, of);
    pb_end(p->b, wrapper);
}

/* A map: message `number` with entries in field `entry`, each the name and put()'s value. */
static void put_map(struct printer *p, uint32_t number, uint32_t entry, const struct value *v,
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

static void put_named(struct printer *p, uint32_t number, const struct value *v,
                      const struct message *of)
{
    put_map(p, number, 1, v, put_message, of);
}

static void put_paths(struct printer *p, uint32_t number, const struct value *v,
                      const struct message *of)
{
    put_map(p, number, 2, v, put_message, of);
}

static void put_responses(struct printer *p, uint32_t number, const struct value *v,
                          const struct message *of)
{
    put_map(p, number, 1, v, put_wrapped, of);
}

/* --- security --- */

static void put_api_key(struct printer *p, uint32_t number, const struct value *v,
                        const struct message *of)
{
    size_t choice = pb_begin(p->b, number);

    put_message(p, 2, v, of);
    pb_end(p->b, choice);
}

static void put_security_definitions(struct printer *p, uint32_t number, const struct value *v,
                                     const struct message *of)
{
    put_map(p, number, 1, v, put_api_key, of);
}

static void put_scopes(struct printer *p, uint32_t number, const struct value *v,
                       const struct message *of)
{
    size_t scopes = pb_begin(p->b, number);

    put_texts(p, 1, v, of);
    pb_end(p->b, scopes);
}

static void put_security(struct printer *p, uint32_t number, const struct value *v,
                         const struct message *of)
{
    for (uint32_t i = 0; v->type == VALUE_ARRAY && i < v->len; i++)
        put_map(p, number, 1, &v->items[i], put_scopes, of);
}

/* --- the tables --- */

static const struct message schema;

static const struct member external_docs_members[] = {
    { STR_INIT("description"), 1, put_text, NULL },
    { STR_INIT("url"), 2, put_text, NULL },
    { { 0 }, 0, NULL, NULL },
};
static const struct message external_docs = { external_docs_members, 3 };

static const struct member schema_members[] = {
    { STR_INIT("$ref"), 1, put_text, NULL },
    { STR_INIT("format"), 2, put_text, NULL },
    { STR_INIT("title"), 3, put_text, NULL },
    { STR_INIT("description"), 4, put_text, NULL },
    { STR_INIT("default"), 5, put_any, NULL },
    { STR_INIT("multipleOf"), 6, put_double, NULL },
    { STR_INIT("maximum"), 7, put_double, NULL },
    { STR_INIT("exclusiveMaximum"), 8, put_bool, NULL },
    { STR_INIT("minimum"), 9, put_double, NULL },
    { STR_INIT("exclusiveMinimum"), 10, put_bool, NULL },
    { STR_INIT("maxLength"), 11, put_int, NULL },
    { STR_INIT("minLength"), 12, put_int, NULL },
    { STR_INIT("pattern"), 13, put_text, NULL },
    { STR_INIT("maxItems"), 14, put_int, NULL },
    { STR_INIT("minItems"), 15, put_int, NULL },
    { STR_INIT("maxProperties"), 17, put_int, NULL },
    { STR_INIT("minProperties"), 18, put_int, NULL },
    { STR_INIT("required"), 19, put_texts, NULL },
    { STR_INIT("enum"), 20, put_anys, NULL },
    { STR_INIT("additionalProperties"), 21, put_additional, &schema },
    { STR_INIT("type"), 22, put_type, NULL },
    { STR_INIT("items"), 23, put_wrapped, &schema },
    { STR_INIT("properties"), 25, put_named, &schema },
    { STR_INIT("externalDocs"), 29, put_message, &external_docs },
    { STR_INIT("example"), 30, put_any, NULL },
    { { 0 }, 0, NULL, NULL },
};
static const struct message schema = { schema_members, 31 };

static const struct member body_members[] = {
    { STR_INIT("description"), 1, put_text, NULL },  { STR_INIT("name"), 2, put_text, NULL },
    { STR_INIT("in"), 3, put_text, NULL },           { STR_INIT("required"), 4, put_bool, NULL },
    { STR_INIT("schema"), 5, put_message, &schema }, { { 0 }, 0, NULL, NULL },
};
static const struct message body = { body_members, 6 };

static const struct member query_members[] = {
    { STR_INIT("required"), 1, put_bool, NULL },     { STR_INIT("in"), 2, put_text, NULL },
    { STR_INIT("description"), 3, put_text, NULL },  { STR_INIT("name"), 4, put_text, NULL },
    { STR_INIT("type"), 6, put_text, NULL },         { STR_INIT("format"), 7, put_text, NULL },
    { STR_INIT("uniqueItems"), 20, put_bool, NULL }, { { 0 }, 0, NULL, NULL },
};
static const struct message query = { query_members, 23 };

static const struct member path_members[] = {
    { STR_INIT("required"), 1, put_bool, NULL },     { STR_INIT("in"), 2, put_text, NULL },
    { STR_INIT("description"), 3, put_text, NULL },  { STR_INIT("name"), 4, put_text, NULL },
    { STR_INIT("type"), 5, put_text, NULL },         { STR_INIT("format"), 6, put_text, NULL },
    { STR_INIT("uniqueItems"), 19, put_bool, NULL }, { { 0 }, 0, NULL, NULL },
};
static const struct message path = { path_members, 22 };

/* ParametersItem.parameter = 1, of it body_parameter = 1 or non_body_parameter = 2, of that
 * query = 3 or path = 4. */
static void put_parameters(struct printer *p, uint32_t number, const struct value *v,
                           const struct message *of)
{
    (void)of;
    for (uint32_t i = 0; v->type == VALUE_ARRAY && i < v->len && p->result == 0; i++) {
        struct str in = value_get_str(&v->items[i], STR("in"));
        size_t item = pb_begin(p->b, number), parameter = pb_begin(p->b, 1), other;

        if (str_eq(in, STR("body"))) {
            put_message(p, 1, &v->items[i], &body);
        } else {
            other = pb_begin(p->b, 2);
            if (str_eq(in, STR("query")))
                put_message(p, 3, &v->items[i], &query);
            else if (str_eq(in, STR("path")))
                put_message(p, 4, &v->items[i], &path);
            else
                p->result = err_set(p->err, ERR_UNSUPPORTED, "a parameter in '%.*s'", STR_ARG(in));
            pb_end(p->b, other);
        }
        pb_end(p->b, parameter);
        pb_end(p->b, item);
    }
}

static const struct member response_members[] = {
    { STR_INIT("description"), 1, put_text, NULL },
    { STR_INIT("schema"), 2, put_wrapped, &schema },
    { { 0 }, 0, NULL, NULL },
};
static const struct message response = { response_members, 5 };

static const struct member operation_members[] = {
    { STR_INIT("tags"), 1, put_texts, NULL },
    { STR_INIT("summary"), 2, put_text, NULL },
    { STR_INIT("description"), 3, put_text, NULL },
    { STR_INIT("operationId"), 5, put_text, NULL },
    { STR_INIT("produces"), 6, put_texts, NULL },
    { STR_INIT("consumes"), 7, put_texts, NULL },
    { STR_INIT("parameters"), 8, put_parameters, NULL },
    { STR_INIT("responses"), 9, put_responses, &response },
    { STR_INIT("schemes"), 10, put_texts, NULL },
    { STR_INIT("deprecated"), 11, put_bool, NULL },
    { { 0 }, 0, NULL, NULL },
};
static const struct message operation = { operation_members, 13 };

static const struct member item_members[] = {
    { STR_INIT("get"), 2, put_message, &operation },
    { STR_INIT("put"), 3, put_message, &operation },
    { STR_INIT("post"), 4, put_message, &operation },
    { STR_INIT("delete"), 5, put_message, &operation },
    { STR_INIT("options"), 6, put_message, &operation },
    { STR_INIT("head"), 7, put_message, &operation },
    { STR_INIT("patch"), 8, put_message, &operation },
    { STR_INIT("parameters"), 9, put_parameters, NULL },
    { { 0 }, 0, NULL, NULL },
};
static const struct message path_item = { item_members, 10 };

static const struct member info_members[] = {
    { STR_INIT("title"), 1, put_text, NULL },
    { STR_INIT("version"), 2, put_text, NULL },
    { STR_INIT("description"), 3, put_text, NULL },
    { { 0 }, 0, NULL, NULL },
};
static const struct message info = { info_members, 7 };

static const struct member api_key_members[] = {
    { STR_INIT("type"), 1, put_text, NULL },
    { STR_INIT("name"), 2, put_text, NULL },
    { STR_INIT("in"), 3, put_text, NULL },
    { STR_INIT("description"), 4, put_text, NULL },
    { { 0 }, 0, NULL, NULL },
};
static const struct message api_key = { api_key_members, 5 };

static const struct member document_members[] = {
    { STR_INIT("swagger"), 1, put_text, NULL },
    { STR_INIT("info"), 2, put_message, &info },
    { STR_INIT("paths"), 8, put_paths, &path_item },
    { STR_INIT("definitions"), 9, put_named, &schema },
    { STR_INIT("security"), 12, put_security, NULL },
    { STR_INIT("securityDefinitions"), 13, put_security_definitions, &api_key },
    { { 0 }, 0, NULL, NULL },
};
static const struct message document = { document_members, 16 };

int openapi_print_v2_protobuf(struct arena *a, struct buf *b, struct str json, struct err *err)
{
    struct printer p = { .b = b, .err = err };
    struct value root;
    int r = value_parse(a, json, &root, NULL, err);

    if (r < 0)
        return r;
    for (uint32_t i = 0; root.type == VALUE_OBJECT && i < root.len && p.result == 0; i++)
        put_member(&p, &root.members[i], &document);
    return p.result;
}
