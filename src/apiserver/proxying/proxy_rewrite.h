/* URLs of a proxied server, seen from outside: what points to its root points below the proxy's
 * path instead. */
#pragma once

#include "base/buf.h"
#include "base/str.h"

struct proxy_rewrite {
    struct str prefix;       /* the request's path up to ".../proxy" */
    struct str target;       /* "10.1.2.3:80" as the request went there, */
    struct str request_host; /* and as the client called it */
};

/* Appends url, rewritten when it is an absolute path, or one of either host. */
void proxy_rewrite_url(const struct proxy_rewrite *p, struct str url, struct buf *out);
