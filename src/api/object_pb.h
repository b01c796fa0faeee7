/* Objects to and from Kubernetes protobuf (proto2 rows; fields in ascending number, value fields
 * always written, maps sorted by key). */
#pragma once

#include <stdbool.h>

#include "api/object.h"
#include "base/str.h"

struct arena;
struct buf;
struct err;

/* The bare message. Unknown numbers are skipped. Text points into pb. ERR_SYNTAX with the position,
 * ERR_TOO_DEEP, ERR_TOO_LARGE, ERR_INVALID (text that is not UTF-8). */
int object_pb_decode(struct arena *a, const struct schema *s, const struct schema_type *t,
                     struct str pb, struct object *ret, struct err *err);
void object_pb_encode(struct buf *b, struct object o);

/* The envelope: 'k8s\0' and runtime.Unknown {typeMeta, raw, contentEncoding, contentType}. */
struct object_pb_envelope {
    struct str api_version;
    struct str kind;
    struct str raw;
    struct str content_encoding;
    struct str content_type;
};
bool object_pb_has_magic(struct str bytes);
int object_pb_open(struct str bytes, struct object_pb_envelope *ret, struct err *err);
void object_pb_encode_enveloped(struct buf *b, struct object o, struct str api_version,
                                struct str kind);
/* A watch frame: 4 bytes big-endian length and WatchEvent{type, object RawExtension{enveloped}}. */
void object_pb_encode_watch_event(struct buf *b, struct str type, struct str enveloped);
