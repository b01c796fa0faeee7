/* The messages of OpenAPI version 2. */
#include "api/openapi_pb.h"

#include <stddef.h>
#include <stdint.h>

#include "api/openapi_message.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/pb_wire.h"
#include "codec/value.h"

static void put_type(struct printer *p, uint32_t number, const struct value *v,
                     const struct message *of)
{
    size_t wrapper = pb_begin(p->b, number);

    openapi_put_text(p, 1, v, of);
    pb_end(p->b, wrapper);
}

static void put_paths(struct printer *p, uint32_t number, const struct value *v,
                      const struct message *of)
{
    openapi_put_map(p, number, 2, v, openapi_put_message, of);
}

static void put_responses(struct printer *p, uint32_t number, const struct value *v,
                          const struct message *of)
{
    openapi_put_map(p, number, 1, v, openapi_put_wrapped, of);
}

static void put_api_key(struct printer *p, uint32_t number, const struct value *v,
                        const struct message *of)
{
    size_t choice = pb_begin(p->b, number);

    openapi_put_message(p, 2, v, of);
    pb_end(p->b, choice);
}

static void put_security_definitions(struct printer *p, uint32_t number, const struct value *v,
                                     const struct message *of)
{
    openapi_put_map(p, number, 1, v, put_api_key, of);
}

/* --- the tables --- */

static const struct message schema;

static const struct member schema_members[] = {
    { STR_INIT("$ref"), 1, openapi_put_text, NULL },
    { STR_INIT("format"), 2, openapi_put_text, NULL },
    { STR_INIT("title"), 3, openapi_put_text, NULL },
    { STR_INIT("description"), 4, openapi_put_text, NULL },
    { STR_INIT("default"), 5, openapi_put_any, NULL },
    { STR_INIT("multipleOf"), 6, openapi_put_double, NULL },
    { STR_INIT("maximum"), 7, openapi_put_double, NULL },
    { STR_INIT("exclusiveMaximum"), 8, openapi_put_bool, NULL },
    { STR_INIT("minimum"), 9, openapi_put_double, NULL },
    { STR_INIT("exclusiveMinimum"), 10, openapi_put_bool, NULL },
    { STR_INIT("maxLength"), 11, openapi_put_int, NULL },
    { STR_INIT("minLength"), 12, openapi_put_int, NULL },
    { STR_INIT("pattern"), 13, openapi_put_text, NULL },
    { STR_INIT("maxItems"), 14, openapi_put_int, NULL },
    { STR_INIT("minItems"), 15, openapi_put_int, NULL },
    { STR_INIT("maxProperties"), 17, openapi_put_int, NULL },
    { STR_INIT("minProperties"), 18, openapi_put_int, NULL },
    { STR_INIT("required"), 19, openapi_put_texts, NULL },
    { STR_INIT("enum"), 20, openapi_put_anys, NULL },
    { STR_INIT("additionalProperties"), 21, openapi_put_additional, &schema },
    { STR_INIT("type"), 22, put_type, NULL },
    { STR_INIT("items"), 23, openapi_put_wrapped, &schema },
    { STR_INIT("properties"), 25, openapi_put_named, &schema },
    { STR_INIT("externalDocs"), 29, openapi_put_message, &openapi_external_docs },
    { STR_INIT("example"), 30, openapi_put_any, NULL },
    { { 0 }, 0, NULL, NULL },
};
static const struct message schema = { schema_members, 31 };

static const struct member body_members[] = {
    { STR_INIT("description"), 1, openapi_put_text, NULL },
    { STR_INIT("name"), 2, openapi_put_text, NULL },
    { STR_INIT("in"), 3, openapi_put_text, NULL },
    { STR_INIT("required"), 4, openapi_put_bool, NULL },
    { STR_INIT("schema"), 5, openapi_put_message, &schema },
    { { 0 }, 0, NULL, NULL },
};
static const struct message body = { body_members, 6 };

/* Parameters of a query have one field more, before the type, than those of a path. */
#define PARAMETER_MEMBERS(type)                                                                    \
    { STR_INIT("required"), 1, openapi_put_bool, NULL },                                           \
        { STR_INIT("in"), 2, openapi_put_text, NULL },                                             \
        { STR_INIT("description"), 3, openapi_put_text, NULL },                                    \
        { STR_INIT("name"), 4, openapi_put_text, NULL },                                           \
        { STR_INIT("type"), type, openapi_put_text, NULL },                                        \
        { STR_INIT("format"), (type) + 1, openapi_put_text, NULL },                                \
        { STR_INIT("uniqueItems"), (type) + 14, openapi_put_bool, NULL },                          \
        { { 0 }, 0, NULL, NULL },

static const struct member query_members[] = { PARAMETER_MEMBERS(6) };
static const struct message query = { query_members, 23 };

static const struct member path_members[] = { PARAMETER_MEMBERS(5) };
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
            openapi_put_message(p, 1, &v->items[i], &body);
        } else {
            other = pb_begin(p->b, 2);
            if (str_eq(in, STR("query")))
                openapi_put_message(p, 3, &v->items[i], &query);
            else if (str_eq(in, STR("path")))
                openapi_put_message(p, 4, &v->items[i], &path);
            else
                p->result = err_set(p->err, ERR_UNSUPPORTED, "a parameter in '%.*s'", STR_ARG(in));
            pb_end(p->b, other);
        }
        pb_end(p->b, parameter);
        pb_end(p->b, item);
    }
}

static const struct member response_members[] = {
    { STR_INIT("description"), 1, openapi_put_text, NULL },
    { STR_INIT("schema"), 2, openapi_put_wrapped, &schema },
    { { 0 }, 0, NULL, NULL },
};
static const struct message response = { response_members, 5 };

static const struct member operation_members[] = {
    { STR_INIT("tags"), 1, openapi_put_texts, NULL },
    { STR_INIT("summary"), 2, openapi_put_text, NULL },
    { STR_INIT("description"), 3, openapi_put_text, NULL },
    { STR_INIT("operationId"), 5, openapi_put_text, NULL },
    { STR_INIT("produces"), 6, openapi_put_texts, NULL },
    { STR_INIT("consumes"), 7, openapi_put_texts, NULL },
    { STR_INIT("parameters"), 8, put_parameters, NULL },
    { STR_INIT("responses"), 9, put_responses, &response },
    { STR_INIT("schemes"), 10, openapi_put_texts, NULL },
    { STR_INIT("deprecated"), 11, openapi_put_bool, NULL },
    { { 0 }, 0, NULL, NULL },
};
static const struct message operation = { operation_members, 13 };

static const struct member item_members[] = {
    { STR_INIT("get"), 2, openapi_put_message, &operation },
    { STR_INIT("put"), 3, openapi_put_message, &operation },
    { STR_INIT("post"), 4, openapi_put_message, &operation },
    { STR_INIT("delete"), 5, openapi_put_message, &operation },
    { STR_INIT("options"), 6, openapi_put_message, &operation },
    { STR_INIT("head"), 7, openapi_put_message, &operation },
    { STR_INIT("patch"), 8, openapi_put_message, &operation },
    { STR_INIT("parameters"), 9, put_parameters, NULL },
    { { 0 }, 0, NULL, NULL },
};
static const struct message path_item = { item_members, 10 };

static const struct member info_members[] = {
    { STR_INIT("title"), 1, openapi_put_text, NULL },
    { STR_INIT("version"), 2, openapi_put_text, NULL },
    { STR_INIT("description"), 3, openapi_put_text, NULL },
    { { 0 }, 0, NULL, NULL },
};
static const struct message info = { info_members, 7 };

static const struct member api_key_members[] = {
    { STR_INIT("type"), 1, openapi_put_text, NULL },
    { STR_INIT("name"), 2, openapi_put_text, NULL },
    { STR_INIT("in"), 3, openapi_put_text, NULL },
    { STR_INIT("description"), 4, openapi_put_text, NULL },
    { { 0 }, 0, NULL, NULL },
};
static const struct message api_key = { api_key_members, 5 };

static const struct member document_members[] = {
    { STR_INIT("swagger"), 1, openapi_put_text, NULL },
    { STR_INIT("info"), 2, openapi_put_message, &info },
    { STR_INIT("paths"), 8, put_paths, &path_item },
    { STR_INIT("definitions"), 9, openapi_put_named, &schema },
    { STR_INIT("security"), 12, openapi_put_security, NULL },
    { STR_INIT("securityDefinitions"), 13, put_security_definitions, &api_key },
    { { 0 }, 0, NULL, NULL },
};
static const struct message document = { document_members, 16 };

int openapi_print_v2_protobuf(struct arena *a, struct buf *b, struct str json, struct err *err)
{
    return openapi_print_message(a, b, json, &document, err);
}
