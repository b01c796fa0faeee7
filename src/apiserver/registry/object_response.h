/* Objects on their way to the client, in the form that was negotiated: JSON of the storage version
 * goes out as it is stored; everything else (protobuf, YAML, another version, a Table, metadata
 * alone) is made from the decoded object. */
#pragma once

#include <stdint.h>

#include "api/object.h"
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
/* The object as `as` wants it: itself, a PartialObjectMetadata, a Table of one row. */
int object_response_transform(struct api_request *r, struct arena *a, struct object o,
                              bool with_columns, struct object *ret, struct err *err);
/* Appends the object in the negotiated media type: JSON compact without newline. */
int object_response_encode(struct api_request *r, struct arena *a, struct object o, struct buf *b,
                           struct err *err);
struct object object_response_partial(struct arena *a, struct object o);
