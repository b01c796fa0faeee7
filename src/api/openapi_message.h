/* OpenAPI documents in protobuf: the printer and its parts, shared by versions 2 and 3. One table a
 * message: JSON member, field number, and the function that puts it. Members that a table does not
 * know are an error, so that nothing is left out unseen; those that begin with "x-" are vendor
 * extensions: named values in YAML (JSON is YAML). Maps are lists of {name = 1, value = 2}. */
#pragma once

#include <stdint.h>

#include "base/str.h"

struct buf;
struct err;
struct value;
struct value_member;

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

/* Each puts field `number`. Plain values; any: as YAML. */
put_fn openapi_put_text, openapi_put_texts, openapi_put_bool, openapi_put_int, openapi_put_double;
put_fn openapi_put_any, openapi_put_anys;
/* A message of the table; one as field 1 of another; that, or a boolean as field 2. */
put_fn openapi_put_message, openapi_put_wrapped, openapi_put_additional;
/* A map of messages; the list of security requirements. */
put_fn openapi_put_named, openapi_put_security;
/* A map: message `number` with entries in field `entry`, each the name and put()'s value. */
void openapi_put_map(struct printer *p, uint32_t number, uint32_t entry, const struct value *v,
                     put_fn *put, const struct message *of);
/* What both versions have alike. */
extern const struct message openapi_external_docs;
/* The whole document, of JSON. ERR_UNSUPPORTED, or value_parse()'s. */
struct arena;
int openapi_print_message(struct arena *a, struct buf *b, struct str json,
                          const struct message *document, struct err *err);
/* A member of a message that is open already. */
void openapi_put_member(struct printer *p, const struct value_member *m, const struct message *of);
