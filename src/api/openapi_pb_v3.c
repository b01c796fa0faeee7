/* The messages of OpenAPI version 3. Where the document may have a reference, there is a choice:
 * the thing itself as field 1, or a Reference as field 2. */
#include <stddef.h>
#include <stdint.h>

#include "api/openapi_message.h"
#include "api/openapi_pb.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/pb_wire.h"
#include "codec/value.h"

static const struct member reference_members[] = {
    { STR_INIT("$ref"), 1, openapi_put_text, NULL },
    { STR_INIT("description"), 3, openapi_put_text, NULL },
    { { 0 }, 0, NULL, NULL },
};
static const struct message reference = { reference_members, 0 };

static void put_choice(struct printer *p, uint32_t number, const struct value *v,
                       const struct message *of)
{
    bool is_reference = v->type == VALUE_OBJECT && value_get(v, STR("$ref"));
    size_t choice = pb_begin(p->b, number);

    openapi_put_message(p, is_reference ? 2 : 1, v, is_reference ? &reference : of);
    pb_end(p->b, choice);
}

static void put_choices(struct printer *p, uint32_t number, const struct value *v,
                        const struct message *of)
{
    for (uint32_t i = 0; v->type == VALUE_ARRAY && i < v->len && p->result == 0; i++)
        put_choice(p, number, &v->items[i], of);
}

/* ItemsItem holds a list of them; AdditionalPropertiesItem one, or a boolean. */
static void put_items(struct printer *p, uint32_t number, const struct value *v,
                      const struct message *of)
{
    size_t items = pb_begin(p->b, number);

    if (v->type == VALUE_BOOL)
        pb_put_uint(p->b, 2, v->b);
    else
        put_choice(p, 1, v, of);
    pb_end(p->b, items);
}

static void put_choices_by_name(struct printer *p, uint32_t number, const struct value *v,
                                const struct message *of)
{
    openapi_put_map(p, number, 1, v, put_choice, of);
}

/* A number, a boolean or a text; other defaults ({}) have no form and leave it empty. */
static void put_default(struct printer *p, uint32_t number, const struct value *v,
                        const struct message *of)
{
    size_t choice = pb_begin(p->b, number);

    if (v->type == VALUE_BOOL)
        pb_put_uint(p->b, 2, v->b);
    else if (v->type == VALUE_STRING)
        pb_put_bytes(p->b, 3, v->s);
    else
        openapi_put_double(p, 1, v, of);
    pb_end(p->b, choice);
}

/* --- the tables --- */

static const struct message schema;

static const struct member schema_members[] = {
    { STR_INIT("nullable"), 1, openapi_put_bool, NULL },
    { STR_INIT("readOnly"), 3, openapi_put_bool, NULL },
    { STR_INIT("writeOnly"), 4, openapi_put_bool, NULL },
    { STR_INIT("externalDocs"), 6, openapi_put_message, &openapi_external_docs },
    { STR_INIT("example"), 7, openapi_put_any, NULL },
    { STR_INIT("deprecated"), 8, openapi_put_bool, NULL },
    { STR_INIT("title"), 9, openapi_put_text, NULL },
    { STR_INIT("multipleOf"), 10, openapi_put_double, NULL },
    { STR_INIT("maximum"), 11, openapi_put_double, NULL },
    { STR_INIT("exclusiveMaximum"), 12, openapi_put_bool, NULL },
    { STR_INIT("minimum"), 13, openapi_put_double, NULL },
    { STR_INIT("exclusiveMinimum"), 14, openapi_put_bool, NULL },
    { STR_INIT("maxLength"), 15, openapi_put_int, NULL },
    { STR_INIT("minLength"), 16, openapi_put_int, NULL },
    { STR_INIT("pattern"), 17, openapi_put_text, NULL },
    { STR_INIT("maxItems"), 18, openapi_put_int, NULL },
    { STR_INIT("minItems"), 19, openapi_put_int, NULL },
    { STR_INIT("uniqueItems"), 20, openapi_put_bool, NULL },
    { STR_INIT("maxProperties"), 21, openapi_put_int, NULL },
    { STR_INIT("minProperties"), 22, openapi_put_int, NULL },
    { STR_INIT("required"), 23, openapi_put_texts, NULL },
    { STR_INIT("enum"), 24, openapi_put_anys, NULL },
    { STR_INIT("type"), 25, openapi_put_text, NULL },
    { STR_INIT("allOf"), 26, put_choices, &schema },
    { STR_INIT("oneOf"), 27, put_choices, &schema },
    { STR_INIT("anyOf"), 28, put_choices, &schema },
    { STR_INIT("not"), 29, openapi_put_message, &schema },
    { STR_INIT("items"), 30, put_items, &schema },
    { STR_INIT("properties"), 31, put_choices_by_name, &schema },
    { STR_INIT("additionalProperties"), 32, put_items, &schema },
    { STR_INIT("default"), 33, put_default, NULL },
    { STR_INIT("description"), 34, openapi_put_text, NULL },
    { STR_INIT("format"), 35, openapi_put_text, NULL },
    { { 0 }, 0, NULL, NULL },
};
static const struct message schema = { schema_members, 36 };

static const struct member media_members[] = {
    { STR_INIT("schema"), 1, put_choice, &schema },
    { { 0 }, 0, NULL, NULL },
};
static const struct message media = { media_members, 5 };

static const struct member parameter_members[] = {
    { STR_INIT("name"), 1, openapi_put_text, NULL },
    { STR_INIT("in"), 2, openapi_put_text, NULL },
    { STR_INIT("description"), 3, openapi_put_text, NULL },
    { STR_INIT("required"), 4, openapi_put_bool, NULL },
    { STR_INIT("deprecated"), 5, openapi_put_bool, NULL },
    { STR_INIT("schema"), 10, put_choice, &schema },
    { { 0 }, 0, NULL, NULL },
};
static const struct message parameter = { parameter_members, 14 };

static const struct member body_members[] = {
    { STR_INIT("description"), 1, openapi_put_text, NULL },
    { STR_INIT("content"), 2, openapi_put_named, &media },
    { STR_INIT("required"), 3, openapi_put_bool, NULL },
    { { 0 }, 0, NULL, NULL },
};
static const struct message body = { body_members, 4 };

static const struct member response_members[] = {
    { STR_INIT("description"), 1, openapi_put_text, NULL },
    { STR_INIT("content"), 3, openapi_put_named, &media },
    { { 0 }, 0, NULL, NULL },
};
static const struct message response = { response_members, 5 };

static void put_responses(struct printer *p, uint32_t number, const struct value *v,
                          const struct message *of)
{
    openapi_put_map(p, number, 2, v, put_choice, of);
}

static const struct member operation_members[] = {
    { STR_INIT("tags"), 1, openapi_put_texts, NULL },
    { STR_INIT("summary"), 2, openapi_put_text, NULL },
    { STR_INIT("description"), 3, openapi_put_text, NULL },
    { STR_INIT("operationId"), 5, openapi_put_text, NULL },
    { STR_INIT("parameters"), 6, put_choices, &parameter },
    { STR_INIT("requestBody"), 7, put_choice, &body },
    { STR_INIT("responses"), 8, put_responses, &response },
    { STR_INIT("deprecated"), 10, openapi_put_bool, NULL },
    { { 0 }, 0, NULL, NULL },
};
static const struct message operation = { operation_members, 13 };

static const struct member item_members[] = {
    { STR_INIT("get"), 4, openapi_put_message, &operation },
    { STR_INIT("put"), 5, openapi_put_message, &operation },
    { STR_INIT("post"), 6, openapi_put_message, &operation },
    { STR_INIT("delete"), 7, openapi_put_message, &operation },
    { STR_INIT("options"), 8, openapi_put_message, &operation },
    { STR_INIT("head"), 9, openapi_put_message, &operation },
    { STR_INIT("patch"), 10, openapi_put_message, &operation },
    { STR_INIT("parameters"), 13, put_choices, &parameter },
    { { 0 }, 0, NULL, NULL },
};
static const struct message path_item = { item_members, 14 };

static const struct member info_members[] = {
    { STR_INIT("title"), 1, openapi_put_text, NULL },
    { STR_INIT("description"), 2, openapi_put_text, NULL },
    { STR_INIT("version"), 6, openapi_put_text, NULL },
    { { 0 }, 0, NULL, NULL },
};
static const struct message info = { info_members, 7 };

static const struct member scheme_members[] = {
    { STR_INIT("type"), 1, openapi_put_text, NULL },
    { STR_INIT("description"), 2, openapi_put_text, NULL },
    { STR_INIT("name"), 3, openapi_put_text, NULL },
    { STR_INIT("in"), 4, openapi_put_text, NULL },
    { { 0 }, 0, NULL, NULL },
};
static const struct message scheme = { scheme_members, 9 };

static const struct member components_members[] = {
    { STR_INIT("schemas"), 1, put_choices_by_name, &schema },
    { STR_INIT("securitySchemes"), 7, put_choices_by_name, &scheme },
    { { 0 }, 0, NULL, NULL },
};
static const struct message components = { components_members, 10 };

static const struct member document_members[] = {
    { STR_INIT("openapi"), 1, openapi_put_text, NULL },
    { STR_INIT("info"), 2, openapi_put_message, &info },
    { STR_INIT("paths"), 4, openapi_put_named, &path_item },
    { STR_INIT("components"), 5, openapi_put_message, &components },
    { STR_INIT("security"), 6, openapi_put_security, NULL },
    { { 0 }, 0, NULL, NULL },
};
static const struct message document = { document_members, 9 };

int openapi_print_v3_protobuf(struct arena *a, struct buf *b, struct str json, struct err *err)
{
    return openapi_print_message(a, b, json, &document, err);
}
