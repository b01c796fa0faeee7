/* Between the files of http/'s client side. A call (http_call.c) is what users see. A core
 * (HTTP/1.1 or HTTP/2) is sans-I/O: it takes calls, is fed bytes and produces bytes. A connection
 * (http_client_connection.c) moves bytes between socket, TLS and its core. The client
 * (http_client.c) gives calls to connections and dials. Included nowhere else. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/vec.h"
#include "http/http_client.h"
#include "http/http_message_internal.h"
#include "io/loop.h"
#include "io/tcp.h"

/* --- calls --- */

enum http_call_fate {
    HTTP_CALL_ENDED,   /* with its result */
    HTTP_CALL_SILENT,  /* failed, and no byte of an answer came */
    HTTP_CALL_REFUSED, /* the server says it did not process it */
};

struct http_call {
    struct http_client *client;    /* NULL in tests of a core */
    struct http_client_core *core; /* NULL: waits, or its exchange is over */
    struct list link;              /* the client's waiting or ending calls, or the core's */
    struct list abort_link;        /* the client's aborted calls */
    struct arena arena;
    const struct http_call_ops *ops;
    void *arg;
    struct loop_timer deadline;
    struct loop_task resume; /* gives what was held */
    /* what is asked */
    struct str method, path, body, upgrade;
    struct http_header *headers; /* names in lower case; no framing, no host */
    size_t n_headers;
    struct str host; /* the caller's own; unset: the client's */
    struct http_source *source;
    int64_t content_length; /* -1: unknown */
    unsigned tries;
    int abort; /* why it ends early; 0: it does not */
    /* sending, for the core; reset for each try */
    int32_t stream_id;
    size_t sent;     /* of body */
    uint64_t pulled; /* from the source */
    struct buf unsent;
    bool was_pulled, is_pull_waiting, is_pulled_whole, is_deferred;
    bool is_sent; /* the whole request is given to the connection */
    /* its answer */
    int status; /* 0: no final head yet */
    int version;
    struct VEC(struct http_header) answer_headers;
    size_t answer_header_bytes;
    bool is_head_shown;
    bool is_paused;
    struct buf held; /* came while it was paused */
    /* a tunnel, wanted within on_head */
    bool may_take_tunnel;
    struct http_tunnel *tunnel;
    int result;     /* once is_ending */
    bool is_ending; /* only held bytes keep it */
};

/* Copies and checks; the source is the call's on success only. */
int http_call_new(const struct http_call_options *o, struct http_call **ret);
void http_call_free(struct http_call *c); /* tells nobody but the source; accepts NULL */
/* Sent twice it does no more than sent once, by its method. */
bool http_call_is_repeatable(const struct http_call *c);
bool http_call_may_resend(const struct http_call *c); /* its body can be had again */
void http_call_reset(struct http_call *c);            /* as it was before it was sent */
/* For the cores. Adds a header of the answer, copied; ERR_TOO_LARGE over the limits. */
int http_call_add_header(struct http_call *c, struct str name, struct str value);
void http_call_clear_headers(struct http_call *c);
/* What the sender says next, from bytes or source: appends up to `room` bytes (a source may give a
 * few more) and returns an HTTP_SOURCE_*, or a failure: the source's, or its length is wrong. */
int http_call_pull(struct http_call *c, struct buf *out, size_t room);
void http_call_show_head(struct http_call *c, int version);
/* Gives bytes to the user or holds them back. True: given. */
bool http_call_body(struct http_call *c, struct str bytes);
/* Takes the call off its core; the core does not touch it again. */
void http_call_finish(struct http_call *c, enum http_call_fate fate, int result, const char *text);

/* --- cores --- */

struct http_client_env {
    const struct http_client_limits *limits; /* none of them 0 */
    struct str host;                         /* Host, :authority */
    bool is_tls;
    int64_t (*now_ms)(struct http_client_env *env);
    void (*wake)(struct http_client_env *env); /* call produce() soon; also between feeds */
    /* Of http_call_finish(). The call is the callee's. */
    void (*on_finish)(struct http_client_env *env, struct http_call *c, enum http_call_fate fate,
                      int result, const char *text);
};

struct http_client_core_ops {
    /* Takes all bytes. Negative: the stream is broken, err says how; call lost(), then free(). */
    int (*feed)(struct http_client_core *c, struct str bytes, struct err *err);
    void (*on_eof)(struct http_client_core *c); /* a proper end: an answer may end with it */
    /* Appends what is ready until out holds HTTP_OUT_MARK_BYTES; true: there is more now. */
    bool (*produce)(struct http_client_core *c, struct buf *out);
    bool (*wants_read)(const struct http_client_core *c);
    bool (*is_over)(const struct http_client_core *c);    /* close once all is sent */
    bool (*is_idle)(const struct http_client_core *c);    /* no call is on it */
    bool (*is_leaving)(const struct http_client_core *c); /* takes no call any more */
    bool (*is_tunnel)(const struct http_client_core *c);
    size_t (*room)(const struct http_client_core *c); /* how many calls it takes now */
    void (*start)(struct http_client_core *c, struct http_call *call);
    void (*goodbye)(struct http_client_core *c); /* finish what is open, take no more */
    /* The earliest time that something is due (INT64_MAX: never); does what is due now. Negative:
     * the peer is gone, err says how; call lost(), then free(). */
    int64_t (*check_time)(struct http_client_core *c, int64_t now_ms, struct err *err);
    /* The connection is gone: every call, and the tunnel, ends. */
    void (*lost)(struct http_client_core *c, int result, const char *text);
    void (*free)(struct http_client_core *c);
    /* Of one of its calls: */
    void (*cancel)(struct http_client_core *c, struct http_call *call); /* the call is off */
    void (*wake)(struct http_client_core *c, struct http_call *call);   /* its source has more */
    void (*took)(struct http_client_core *c, struct http_call *call, size_t n); /* held bytes */
};
struct http_client_core {
    const struct http_client_core_ops *ops;
    struct http_client_env *env;
    bool was_used; /* it has served a call to its end */
};
struct http_client_core *http1_client_new(struct http_client_env *env);
struct http_client_core *http2_client_new(struct http_client_env *env);

/* --- connections --- */

struct http_client_connection;
struct tls_session;

struct http_client_connection {
    struct http_client_env env;
    struct http_client *client;
    struct list link; /* the client's connections */
    struct tcp_stream tcp;
    struct tls_session *tls;       /* NULL: plain */
    struct http_client_core *core; /* NULL: still being dialled */
    struct buf out;                /* what the socket did not take */
    struct loop_task work;
    struct loop_timer timer;
    int64_t start_ms;
    int version;     /* with the core: 1 or 2 */
    bool is_h1_only; /* for an upgrade */
    bool is_connected;
    bool is_retired; /* dialled before a renewal: of no use */
    bool is_dead;    /* lost with err; freed in work */
    struct err err;
};

/* Calls that ask for an upgrade need a connection that speaks HTTP/1.1. */
enum http_call_kind { HTTP_CALL_PLAIN, HTTP_CALL_UPGRADE, HTTP_CALL_KIND_MAX };

/* What connections need of the client, which all of them share. */
struct http_client {
    struct loop *loop;
    const char *address;
    uint16_t port;
    struct str server_name, host;
    struct tls_context *tls;
    bool is_plain_h2;
    struct http_client_limits limits;
    struct arena arena; /* of the strings */
    struct list connections;
    struct list waiting[HTTP_CALL_KIND_MAX]; /* calls, oldest first */
    struct list ending;                      /* calls whose last bytes are held back */
    struct list aborted;                     /* calls, by abort_link */
    size_t n_waiting[HTTP_CALL_KIND_MAX];
    int version; /* what the server spoke last; 0: not known */
    struct loop_task work;
    struct buf plain, cipher; /* lent to the connection at work */
    bool is_freed;
};

/* Dials; failures show later, in the connection's work. */
void http_client_connection_new(struct http_client *c, bool is_h1_only);
void http_client_connection_free(struct http_client_connection *n, int result, const char *text);
void http_client_connection_work_soon(struct http_client_connection *n);
/* The connection is lost before it was one: whoever waits for it is told. */
void http_client_dial_failed(struct http_client_connection *n);
void http_client_work_soon(struct http_client *c);
bool http_client_has_waiting(const struct http_client *c);
/* Its last callback, and its end. */
void http_client_end_call(struct http_call *call, int result, const char *text);
void http_client_finish(struct http_client *c, struct http_call *call, enum http_call_fate fate,
                        int result, const char *text);
