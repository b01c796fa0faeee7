/* Objects on their way to the client, in the form that was negotiated: JSON of the storage version
 * goes out as it is stored; everything else (protobuf, YAML, another version, a Table, metadata
 * alone) is made from the decoded object. */
#pragma once

#include <stdbool.h>

#include "api/object.h"
#include "api/table.h"
#include "base/str.h"

struct api_request;
struct arena;
struct buf;
struct err;
struct store_object;

/* Can stored bytes be sent as they are? */
bool object_response_is_verbatim(const struct api_request *r);
/* Answers with one object, its resourceVersion set. */
void object_response_send(struct api_request *r, int code, struct object o);
/* Answers with what is stored. */
void object_response_send_stored(struct api_request *r, int code, const struct store_object *so);
/* Appends the object as `as` wants it (itself, a PartialObjectMetadata, a Table of one row):
 * compact JSON, or enveloped protobuf where that is the negotiated medium. with_columns matters to
 * Tables. */
void object_response_print(const struct api_request *r, struct arena *a, struct object o,
                           bool with_columns, struct buf *b);
struct object object_response_partial(struct arena *a, struct object o);
/* How this request's Tables are printed, at this moment. */
struct table_options object_response_table(const struct api_request *r);
