/* The token of a list's next page: base64url of {"v":"meta.k8s.io/v1","rv":N,"start":"key"}, as
 * upstream's. start is the key after which the page begins; rv -1 stands for "whatever is newest"
 * (the token of an expired list). The key is the client's to change, so it is relative: what it
 * names is looked up below the request's own prefix. */
#pragma once

#include <stdint.h>

#include "base/str.h"

struct arena;
struct err;

struct continue_token {
    int64_t revision; /* -1: the newest */
    struct str after; /* the last key of the page before, below the list's prefix */
};

struct str continue_token_print(struct arena *a, const struct continue_token *t);
/* ERR_INVALID with upstream's words after "invalid continue token: ". */
int continue_token_parse(struct arena *a, struct str text, struct continue_token *ret,
                         struct err *err);
