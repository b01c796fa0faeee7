#include "codec/pb_wire.h"

#include "base/err.h"

void pb_reader_init(struct pb_reader *r, struct str s, struct err *err)
{
    const unsigned char *p =
        (const unsigned char *)(s.len ? s.p : ""); /* of unset text p is NULL */

    *r = (struct pb_reader){ .p = p, .begin = p, .end = p + s.len, .err = err };
}

int pb_error(struct pb_reader *r, const char *what)
{
    return err_set(r->err, ERR_SYNTAX, "proto: %s (offset %td)", what, r->p - r->begin);
}

int pb_varint(struct pb_reader *r, uint64_t *ret)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        unsigned char c;

        if (r->p >= r->end)
            return pb_error(r, "unexpected EOF");
        c = *r->p++;
        if (shift == 63 && c > 1)
            break;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) {
            *ret = v;
            return 0;
        }
    }
    return pb_error(r, "integer overflow");
}

int pb_tag(struct pb_reader *r, uint32_t *ret_number, uint32_t *ret_wire_type)
{
    uint64_t v;
    int x = pb_varint(r, &v);

    if (x < 0)
        return x;
    if (v >> 3 == 0 || v >> 3 > 0x1fffffff)
        return pb_error(r, "illegal tag");
    *ret_number = (uint32_t)(v >> 3);
    *ret_wire_type = (uint32_t)(v & 7);
    return 0;
}

int pb_bytes(struct pb_reader *r, struct str *ret)
{
    uint64_t n;
    int x = pb_varint(r, &n);

    if (x < 0)
        return x;
    if (n > (uint64_t)(r->end - r->p))
        return pb_error(r, "unexpected EOF");
    *ret = str_n((const char *)r->p, n);
    r->p += n;
    return 0;
}

int pb_fixed64(struct pb_reader *r, uint64_t *ret)
{
    uint64_t v = 0;

    if (r->end - r->p < 8)
        return pb_error(r, "unexpected EOF");
    for (unsigned i = 0; i < 8; i++)
        v |= (uint64_t)*r->p++ << (8 * i);
    *ret = v;
    return 0;
}

int pb_skip(struct pb_reader *r, uint32_t wire_type)
{
    struct str ignored;
    uint64_t v;

    switch (wire_type) {
    case PB_VARINT:
        return pb_varint(r, &v);
    case PB_FIXED64:
        return pb_fixed64(r, &v);
    case PB_BYTES:
        return pb_bytes(r, &ignored);
    case PB_FIXED32:
        if (r->end - r->p < 4)
            return pb_error(r, "unexpected EOF");
        r->p += 4;
        return 0;
    default:
        return pb_error(r, "illegal wireType");
    }
}

void pb_put_varint(struct buf *b, uint64_t v)
{
    char *p = buf_reserve(b, 10);
    size_t n = 0;

    for (; v >= 0x80; v >>= 7)
        p[n++] = (char)(v | 0x80);
    p[n++] = (char)v;
    b->len += n;
}

void pb_put_bytes(struct buf *b, uint32_t number, struct str s)
{
    pb_put_tag(b, number, PB_BYTES);
    pb_put_varint(b, s.len);
    buf_append_str(b, s);
}

void pb_put_uint(struct buf *b, uint32_t number, uint64_t v)
{
    pb_put_tag(b, number, PB_VARINT);
    pb_put_varint(b, v);
}

void pb_put_fixed64(struct buf *b, uint32_t number, uint64_t v)
{
    pb_put_tag(b, number, PB_FIXED64);
    for (unsigned i = 0; i < 8; i++)
        buf_append_char(b, (char)(v >> (8 * i)));
}

/* One byte is left for the length; longer lengths move the message up by what they need more. */
size_t pb_begin(struct buf *b, uint32_t number)
{
    pb_put_tag(b, number, PB_BYTES);
    buf_append_char(b, '\0');
    return b->len;
}

void pb_end(struct buf *b, size_t begin)
{
    size_t len = b->len - begin, more = 0;

    for (size_t n = len; n >= 0x80; n >>= 7)
        more++;
    if (more) {
        (void)buf_reserve(b, more);
        memmove(b->p + begin + more, b->p + begin, len);
    }
    b->len = begin - 1;
    pb_put_varint(b, len);
    b->len = begin + more + len;
}
