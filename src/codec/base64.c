#include "codec/base64.h"

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(struct buf *b, struct str s, const char *alphabet, bool pad)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t left = s.len;

    for (; left >= 3; left -= 3, p += 3) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        char four[4] = { alphabet[v >> 18], alphabet[v >> 12 & 63], alphabet[v >> 6 & 63],
                         alphabet[v & 63] };

        buf_append(b, four, 4);
    }
    if (left) {
        uint32_t v = (uint32_t)p[0] << 16 | (left == 2 ? (uint32_t)p[1] << 8 : 0);
        char four[4] = { alphabet[v >> 18], alphabet[v >> 12 & 63],
                         left == 2 ? alphabet[v >> 6 & 63] : '=', '=' };

        buf_append(b, four, pad ? 4 : left + 1);
    }
}

void base64_encode(struct buf *b, struct str bytes)
{
    encode(b, bytes, standard, true);
}

void base64_encode_url(struct buf *b, struct str bytes)
{
    encode(b, bytes, url, false);
}

static int sextet(char c, bool is_url)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (is_url ? '-' : '+'))
        return 62;
    return c == (is_url ? '_' : '/') ? 63 : -1;
}

/* Eats sextets until something else comes; returns where that is. */
static size_t decode(struct str text, bool is_url, char *out, size_t *ret_len, size_t *ret_sextets)
{
    uint32_t v = 0;
    size_t i = 0, n = 0, len = 0;

    for (; i < text.len; i++) {
        int x = sextet(text.p[i], is_url);

        if (!is_url && (text.p[i] == '\n' || text.p[i] == '\r'))
            continue;
        if (x < 0)
            break;
        v = v << 6 | (uint32_t)x;
        n++;
        if (n % 4 == 0) {
            out[len++] = (char)(v >> 16);
            out[len++] = (char)(v >> 8);
            out[len++] = (char)v;
        }
    }
    if (n % 4 == 2)
        out[len++] = (char)(v >> 4);
    if (n % 4 == 3) {
        out[len++] = (char)(v >> 10);
        out[len++] = (char)(v >> 2);
    }
    *ret_len = len;
    *ret_sextets = n;
    return i;
}

bool base64_decode(struct arena *a, struct str text, struct str *ret, size_t *ret_bad_at)
{
    char *out = arena_alloc(a, text.len / 4 * 3 + 3, 1);
    size_t len, n, at = decode(text, false, out, &len, &n), pad = 0;

    for (; at < text.len; at++) {
        if (text.p[at] == '=' && pad < 2 && n % 4 >= 2)
            pad++;
        else if (text.p[at] != '\n' && text.p[at] != '\r')
            break;
    }
    if (at < text.len || n % 4 == 1 || (n + pad) % 4 != 0) {
        *ret_bad_at = at;
        return false;
    }
    *ret = str_n(out, len);
    return true;
}

bool base64_decode_url(struct arena *a, struct str text, struct str *ret)
{
    char *out = arena_alloc(a, text.len / 4 * 3 + 3, 1);
    size_t len, n;

    if (decode(text, true, out, &len, &n) < text.len || n % 4 == 1)
        return false;
    *ret = str_n(out, len);
    return true;
}
