/* The protobuf form of an OpenAPI v2 document (the message openapi.v2.Document), made from its
 * JSON. kubectl asks for nothing else when it validates lists. Made once, when Pintle is built; and
 * of the parts that custom resources add, which may follow those bytes: protobuf joins them. */
#pragma once

#include "base/str.h"

struct arena;
struct buf;
struct err;

/* ERR_UNSUPPORTED names a member that has no row here; json's syntax errors as value_parse(). */
int openapi_print_v2_protobuf(struct arena *a, struct buf *b, struct str json, struct err *err);
/* The same of a version 3 document (openapi.v3.Document): made when one is asked for. */
int openapi_print_v3_protobuf(struct arena *a, struct buf *b, struct str json, struct err *err);
