/* HTTP/1.1 and HTTP/2 server over TLS (ALPN) or plain TCP, on any number of loops. A connection
 * stays on its loop; so do its requests. Handlers see one kind of request, whatever the protocol.
 *
 * Life of a request: on_request() runs when the headers are in. The handler answers at once or
 * later, on the same loop, exactly once: http_respond() (bytes), http_respond_source() (pulled), or
 * http_upgrade() (HTTP/1.1 only). A request is counted: the server holds one reference until the
 * exchange ends, the handler may hold more (http_request_ref); when the peer leaves, on_close runs
 * once and later answers go nowhere, safely. Its arena ends with the last reference. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "http/http_message.h"

struct arena;
struct err;
struct http_request;
struct http_server;
struct loop;
struct tls_context;

struct http_limits {            /* 0: the default in brackets */
    uint32_t header_bytes;      /* of a request, in all [64 KiB] */
    uint32_t header_count;      /* [200] */
    uint32_t header_timeout_ms; /* first byte to last header, TLS handshake too [10 s] */
    uint32_t idle_timeout_ms;   /* no request open [180 s] */
    uint32_t body_timeout_ms;   /* no body byte for so long while we want one [30 s] */
    uint32_t write_timeout_ms;  /* peer takes no byte for so long while we have some [30 s] */
    uint32_t streams;           /* HTTP/2: open at once [250]; HTTP/1.1: one */
    uint32_t resets_per_minute; /* HTTP/2: rapid reset cut-off [1000] */
    uint32_t connections;       /* in all [10000] */
    size_t request_arena_bytes; /* [64 MiB] */
};

struct http_server_options {
    struct loop *const *loops; /* connections go to the one with the fewest */
    size_t n_loops;
    struct tls_context *tls; /* NULL: plain */
    struct http_limits limits;
    void (*on_request)(struct http_request *r, void *arg); /* on the request's loop */
    void *arg;
};

/* Listens on all addresses given ("127.0.0.1", "::", ...). Port 0 picks one. A port in use gives
 * -EADDRINUSE and a text that names it. Called before the loops run. */
int http_server_new(const struct http_server_options *o, struct http_server **ret, struct err *err);
int http_server_listen(struct http_server *s, const char *address, uint16_t port,
                       uint16_t *ret_port, struct err *err);
/* Stops accepting and says goodbye (GOAWAY, Connection: close), and wakes every source that waits,
 * so that endless ones can end; done runs on loop 0 when the last connection is gone or grace_ms
 * have passed. */
void http_server_stop(struct http_server *s, uint32_t grace_ms, void (*done)(void *arg), void *arg);
void http_server_free(struct http_server *s); /* after the loops have ended; accepts NULL */

/* --- the request --- */
struct arena *http_request_arena(struct http_request *r);
struct loop *http_request_loop(struct http_request *r);
struct str http_request_method(const struct http_request *r);
struct str http_request_path(const struct http_request *r); /* as sent, before '?'; not decoded */
struct str
http_request_query(const struct http_request *r); /* after '?'; unset when there is none */
struct str http_request_header(const struct http_request *r,
                               struct str name); /* first; unset: none */
size_t http_request_headers(const struct http_request *r, const struct http_header **ret);
int http_request_version(const struct http_request *r);     /* 1 or 2 */
struct str http_request_peer(const struct http_request *r); /* "127.0.0.1:4711" */
/* The verified client certificate's subject: common name and organisations; false without one. DER
 * of the certificate in *ret_der when not NULL. All in the connection's memory. */
struct http_peer_identity {
    struct str common_name;
    const struct str *organizations;
    size_t n_organizations;
    struct str der;
    bool is_stranger; /* none of that, but a certificate that does not verify */
};
bool http_request_peer_identity(const struct http_request *r, struct http_peer_identity *ret);
bool http_request_peer_is_stranger(const struct http_request *r);

void http_request_ref(struct http_request *r);
void http_request_unref(struct http_request *r);
/* fn runs once, on the loop, when the peer is gone before the answer was sent whole. */
void http_request_on_close(struct http_request *r, void (*fn)(struct http_request *r, void *arg),
                           void *arg);

/* The whole body, gathered in the request's arena: done(r, result, body, arg) with result 0,
 * ERR_TOO_LARGE (over limit_bytes; the body is then not read further), ERR_CLOSED or ERR_TIMEOUT.
 * May run before this returns. */
typedef void http_body_fn(struct http_request *r, int result, struct str body, void *arg);
void http_request_read_body(struct http_request *r, size_t limit_bytes, http_body_fn *done,
                            void *arg);

/* --- the answer --- */
/* body must stay until the request ends (its arena does). Content-Length is added; headers are
 * copied. */
void http_respond(struct http_request *r, int status, const struct http_header *headers, size_t n,
                  struct str body);

/* The body is pulled: see struct http_source. content_length < 0: unknown (chunked on HTTP/1.1). */
void http_respond_source(struct http_request *r, int status, const struct http_header *headers,
                         size_t n, int64_t content_length, struct http_source *s);
void http_source_wake(struct http_request *r);

/* --- an upgraded connection: see struct http_tunnel --- */
/* Answers 101 with headers ("upgrade: ..." is the caller's; "connection: upgrade" is added) and
 * hands the connection over. ERR_UNSUPPORTED when the request did not ask for an upgrade, has a
 * body, or came by HTTP/2: then answer otherwise. ops stays valid. Callbacks begin after return. */
int http_upgrade(struct http_request *r, const struct http_header *headers, size_t n,
                 const struct http_tunnel_ops *ops, void *arg, struct http_tunnel **ret);
