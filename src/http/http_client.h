/* HTTP/1.1 and HTTP/2 client of one server (an API server, a kubelet, a webhook), over TLS (ALPN)
 * or plain TCP, on one loop. It dials when there is something to send, sends everything over one
 * connection where the server speaks HTTP/2, over a bounded pool of kept-alive ones where it does
 * not, and notices a server that is gone.
 *
 * Life of a call: http_call_start() queues it; on_head, on_body (any number), on_end follow on the
 * loop, never from within a function of this header but http_client_free(). on_end runs exactly
 * once, is the last callback, and the call ends as it returns. Until then the call's pointer is
 * good. Any call may be started or cancelled from within any callback.
 *
 * What a call waits for, in order: a connection (dialled when there is none; with HTTP/2 a stream,
 * when the server's MAX_CONCURRENT_STREAMS is reached), the answer's head, its body. A call that
 * the server certainly did not process (GOAWAY, REFUSED_STREAM) is sent again on a new connection;
 * a GET, HEAD, OPTIONS or TRACE also when a connection that had served others ended before a byte
 * of its answer came. Both only while its body can be sent again: bytes, or a source not yet asked.
 *
 * Not done here: redirects, cookies, proxies, decompression, name lookup, trailers (dropped). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "http/http_message.h"

struct http_call;
struct http_client;
struct loop;
struct tls_context;

struct http_client_limits {      /* 0: the default in brackets */
    uint32_t header_bytes;       /* of an answer, in all [64 KiB] */
    uint32_t header_count;       /* [200] */
    uint32_t connect_timeout_ms; /* TCP and TLS [30 s] */
    uint32_t idle_timeout_ms;    /* a connection without calls is closed after [90 s] */
    uint32_t ping_after_ms;      /* HTTP/2: nothing came for so long: ping [30 s] */
    uint32_t ping_timeout_ms;    /* still nothing: the connection is dead [15 s] */
    uint32_t connections;        /* HTTP/1.1, at once; upgraded ones do not count [100] */
    uint32_t idle_connections;   /* HTTP/1.1, kept for later [25] */
    uint32_t waiting;            /* calls without a connection or stream [10000] */
    uint32_t streams;            /* HTTP/2, at most, whatever the server allows [1000] */
};
/* The peer of an HTTP/1.1 connection (and of a TCP socket below HTTP/2) counts as gone when it does
 * not acknowledge for ping_after_ms + ping_timeout_ms, by TCP's own probes. */

struct http_client_options {
    struct loop *loop;
    struct str address; /* numeric, IPv4 or IPv6 */
    uint16_t port;
    struct tls_context *tls; /* a client's, outlives the client; NULL: plain */
    struct str server_name;  /* SNI, and what the certificate must be for; unset: address */
    struct str host;         /* Host and :authority; unset: server_name or address, with port */
    bool is_plain_h2;        /* without TLS: HTTP/2 by prior knowledge, else HTTP/1.1 */
    struct http_client_limits limits;
};

struct http_client *http_client_new(const struct http_client_options *o); /* copies strings */
/* Ends every call and tunnel with ERR_CANCELED (their on_end runs within) and closes everything.
 * Not from within a callback of this client. Accepts NULL. */
void http_client_free(struct http_client *c);
/* New calls get new connections: what is open serves its calls to their end and closes. For when
 * certificates have changed. */
void http_client_renew(struct http_client *c);

struct http_call_ops {
    /* The answer's final head (interim ones are passed over); all valid within the call. Status 101
     * only for a call that asked for an upgrade: see http_call_take_tunnel(). */
    void (*on_head)(struct http_call *c, int status, const struct http_header *headers, size_t n,
                    void *arg);
    /* A piece of the answer's body; bytes are valid within the call. */
    void (*on_body)(struct http_call *c, struct str bytes, void *arg);
    /* result 0: the answer is whole. Else -errno of the system (-ECONNREFUSED ...), ERR_CANCELED,
     * ERR_TIMEOUT (its deadline; the connection's or the peer's silence), ERR_CLOSED (cut short),
     * ERR_PROTOCOL (also a certificate that does not verify), ERR_TOO_LARGE (head over limits);
     * text says more, is valid within the call and never NULL. */
    void (*on_end)(struct http_call *c, int result, const char *text, void *arg);
};

struct http_call_options {
    struct str method;
    struct str path; /* with its query, as it is sent */
    /* Framing headers (content-length, connection, ...) are dropped: they are the client's own.
     * "host" replaces the client's. */
    const struct http_header *headers;
    size_t n_headers;
    struct str body;            /* copied */
    struct http_source *source; /* a pulled body instead; pull and done run on the loop */
    int64_t content_length;     /* of source; negative: unknown */
    int64_t timeout_ms;         /* from now to on_end; 0: none */
    struct str upgrade;         /* asks to switch to this protocol: by HTTP/1.1 alone, no body */
    const struct http_call_ops *ops; /* stays valid */
    void *arg;
};

/* Everything but ops is copied. Fails without a callback (and then source stays the caller's) with
 * ERR_INVALID: a method, path or header name that would break the protocol, an upgrade with a body;
 * ERR_OVERFLOW: limits.waiting calls wait already. */
int http_call_start(struct http_client *client, const struct http_call_options *o,
                    struct http_call **ret);
/* on_end(ERR_CANCELED) follows, later, and nothing else does; no-op when the end is under way. */
void http_call_cancel(struct http_call *c);
/* Off: no on_body until it is on again; what comes meanwhile is bounded by the stream's window
 * (HTTP/2) or one read (HTTP/1.1), then the server is held back. on_end waits behind bytes held;
 * failures do not. */
void http_call_set_reading(struct http_call *c, bool is_on);
/* Its source has more, after it said HTTP_SOURCE_WAIT; no-op when it does not wait. */
void http_call_wake(struct http_call *c);
int http_call_version(const struct http_call *c); /* 1 or 2 once on_head runs; else 0 */
/* Only within on_head with status 101: the connection becomes a tunnel, whose callbacks begin after
 * on_end(0), which follows at once. A 101 not taken ends with ERR_PROTOCOL. ops stays valid.
 * ERR_UNSUPPORTED at any other time. */
int http_call_take_tunnel(struct http_call *c, const struct http_tunnel_ops *ops, void *arg,
                          struct http_tunnel **ret);
