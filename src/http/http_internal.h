/* Between the files of http/'s server side. A protocol core (HTTP/1.1 or HTTP/2) is sans-I/O: it is
 * fed bytes, produces bytes when there is room for them, and calls on_request. A connection
 * (http_server.c) moves the bytes; a request (http_request.c) is what handlers see. Included
 * nowhere else. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/vec.h"
#include "http/http_message_internal.h"
#include "http/http_server.h"

/* What a core needs from the world. */
struct http_env {
    const struct http_limits *limits; /* none of them 0 */
    struct loop *loop;                /* NULL in tests and fuzzers */
    struct str peer;
    int64_t (*now_ms)(struct http_env *env);
    void (*wake)(struct http_env *env); /* call produce() soon; also between feeds */
    void (*on_request)(struct http_env *env, struct http_request *r);
    bool (*identity)(struct http_env *env, struct http_peer_identity *ret);
    int64_t date_s; /* what date[] says */
    char date[32];
};
/* The value of the Date header, now; unset without a loop. */
struct str http_env_date(struct http_env *env);

struct http_core;
struct http_core_ops {
    /* Takes all bytes. Negative: the connection ends once what produce() gives is sent. */
    int (*feed)(struct http_core *c, struct str bytes);
    void (*on_eof)(struct http_core *c); /* the peer sends no more */
    /* Appends what is ready until out holds HTTP_OUT_MARK_BYTES; true: there is more now. */
    bool (*produce)(struct http_core *c, struct buf *out);
    bool (*wants_read)(const struct http_core *c);
    bool (*is_over)(const struct http_core *c); /* close once all is sent */
    bool (*is_idle)(const struct http_core *c); /* no request open or begun */
    void (*goodbye)(struct http_core *c);       /* finish what is open, take no more */
    /* The earliest time that something is late (INT64_MAX: none); what is late now is ended. */
    int64_t (*check_time)(struct http_core *c, int64_t now_ms);
    void (*free)(struct http_core *c);
    /* Called by requests: */
    void (*respond)(struct http_core *c, struct http_request *r); /* the answer has been set */
    void (*wake)(struct http_core *c, struct http_request *r);    /* its source has more */
    void (*want_body)(struct http_core *c, struct http_request *r);
    void (*refuse_body)(struct http_core *c, struct http_request *r); /* read no more of it */
};
struct http_core {
    const struct http_core_ops *ops;
    struct http_env *env;
};
struct http_core *http1_core_new(struct http_env *env);
struct http_core *http2_core_new(struct http_env *env);

struct http_answer {
    int status; /* 0: none yet */
    struct http_header *headers;
    size_t n_headers;
    struct str body;
    int64_t content_length; /* -1: unknown */
    struct http_source *source;
};

static inline bool http_answer_has(const struct http_answer *a, struct str name)
{
    for (size_t i = 0; i < a->n_headers; i++)
        if (str_eq_nocase(a->headers[i].name, name))
            return true;
    return false;
}

struct http_request {
    struct arena arena;
    unsigned refs;
    struct http_core *core; /* NULL: the exchange is over */
    struct list link;       /* the core's open requests */
    struct loop *loop;
    int version;
    int32_t stream_id;
    struct str method, target, path, query, peer;
    struct VEC(struct http_header) headers;
    size_t header_bytes;
    bool is_bad;        /* refused: never shown to the handler */
    bool is_shown;      /* on_request ran */
    bool is_upgradable; /* asked for an upgrade, without a body */
    bool has_identity;
    struct http_peer_identity identity;
    /* its body */
    int64_t body_expected; /* Content-Length; -1: unknown */
    struct buf body;
    size_t body_limit;
    bool is_body_whole, is_body_wanted, is_body_done; /* arrived; asked for; told */
    bool is_body_refused;
    int64_t body_last_ms; /* when it was wanted or moved */
    http_body_fn *body_fn;
    void *body_arg;
    /* its answer */
    struct http_answer answer;
    bool is_pull_waiting; /* the source said WAIT */
    bool is_answered;     /* all of it given to the core */
    int64_t answer_last_ms;
    /* HTTP/2: */
    size_t answer_sent;     /* of the body's bytes */
    uint64_t answer_pulled; /* from the source */
    struct buf pulled;      /* from the source, not framed yet */
    bool is_pulled_whole, is_deferred;
    void (*on_close)(struct http_request *r, void *arg);
    void *on_close_arg;
};

struct http_request *http_request_new(struct http_core *core, int version);
/* Adds a header, copied, name in lower case. ERR_TOO_LARGE over the limits. */
int http_request_add_header(struct http_request *r, struct str name, struct str value);
void http_request_set_target(struct http_request *r, struct str target); /* copied, split */
void http_request_show(struct http_request *r);                          /* to the handler */
/* More of the body: the core offers, the request takes or drops. */
void http_request_body_bytes(struct http_request *r, struct str bytes);
void http_request_body_end(struct http_request *r);
void http_request_body_fail(struct http_request *r, int result);
/* The exchange is over: result 0 when the answer was sent whole. Drops the core's reference. */
void http_request_end(struct http_request *r, int result);
bool http_request_method_is(const struct http_request *r, struct str method);
const char *http_status_text(int status);
