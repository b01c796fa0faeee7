/* Base64 (RFC 4648). */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct arena;
struct buf;

void base64_encode(struct buf *b, struct str bytes);     /* standard alphabet, padded */
void base64_encode_url(struct buf *b, struct str bytes); /* URL alphabet, no padding */
/* Standard, padded; CR and LF are passed over, as Go does. On failure false and the offset of the
 * first byte that does not fit. */
bool base64_decode(struct arena *a, struct str text, struct str *ret, size_t *ret_bad_at);
bool base64_decode_url(struct arena *a, struct str text, struct str *ret); /* without padding */
