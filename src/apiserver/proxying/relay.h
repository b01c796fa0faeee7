/* Passing one request on to a server behind this one (a kubelet, a Pod) and its answer back, byte
 * by byte: an ordinary answer as it comes, or after an upgrade whatever both sides say, in whatever
 * protocol they agreed on. Held back on each side by the other's pace. Redirects are passed on, not
 * followed.
 *
 * A relay owns its connection to the backend: it dials once and closes when the exchange ends. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct api_request;
struct proxy_rewrite;
struct tls_context;

enum {
    RELAY_BODY_LIMIT = 16 << 20,   /* of a request that is passed on */
    RELAY_PENDING_BYTES = 1 << 18, /* of an answer that wait for the client */
};

enum relay_errors {
    RELAY_ERRORS_AS_THEY_ARE, /* whatever the backend says is the answer */
    RELAY_ERRORS_AS_STATUS,   /* a failure's text becomes a Status of the same code (logs) */
};

struct relay_target {
    struct str address; /* numeric */
    uint16_t port;
    struct tls_context *tls; /* NULL: plain */
    struct str path;         /* with its query, as it is sent */
    enum relay_errors errors;
    /* A client that asks for a WebSocket gets the answer as messages, "binary.k8s.io" or in base64
     * (logs); the backend is asked plainly. */
    bool speaks_messages;
    const char *unreachable; /* what the client is told before the reason */
    bool is_unavailable;     /* unreachable is 503 and not 500 */
    /* URLs of the answer's Location and HTML become the proxy's own, and the backend hears where
     * the request came from; NULL: all as it is. */
    const struct proxy_rewrite *rewrite;
};

/* Answers the request, now or later; a body is read first, at most RELAY_BODY_LIMIT. Texts of the
 * target live in the request's arena. */
void relay_start(struct api_request *r, const struct relay_target *t);
