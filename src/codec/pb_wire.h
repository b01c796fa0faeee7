/* The protobuf wire format (proto2): varints, tags, lengths. Reading checks every length against
 * the end of the message. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct err;

enum pb_wire_type { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

struct pb_reader {
    const unsigned char *p;
    const unsigned char *end;
    const unsigned char *begin; /* of the whole text, for positions */
    struct err *err;
};

void pb_reader_init(struct pb_reader *r, struct str bytes, struct err *err);
static inline bool pb_at_end(const struct pb_reader *r)
{
    return r->p >= r->end;
}
/* ERR_SYNTAX with the position for what is cut off or overlong. */
int pb_varint(struct pb_reader *r, uint64_t *ret);
int pb_tag(struct pb_reader *r, uint32_t *ret_number, uint32_t *ret_wire_type);
int pb_bytes(struct pb_reader *r, struct str *ret); /* a length and that many bytes */
int pb_fixed64(struct pb_reader *r, uint64_t *ret);
int pb_skip(struct pb_reader *r, uint32_t wire_type); /* groups are refused */
int pb_error(struct pb_reader *r, const char *what);

void pb_put_varint(struct buf *b, uint64_t v);
static inline void pb_put_tag(struct buf *b, uint32_t number, enum pb_wire_type t)
{
    pb_put_varint(b, (uint64_t)number << 3 | t);
}
void pb_put_bytes(struct buf *b, uint32_t number, struct str s); /* tag, length, bytes */
void pb_put_uint(struct buf *b, uint32_t number, uint64_t v);    /* tag, varint */
void pb_put_fixed64(struct buf *b, uint32_t number, uint64_t v);
/* A nested message of unknown length: tag, then what is appended until pb_end(). */
size_t pb_begin(struct buf *b, uint32_t number);
void pb_end(struct buf *b, size_t begin);
