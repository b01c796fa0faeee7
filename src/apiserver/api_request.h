/* One request on its way through the chain (request_chain.h), and how it is answered. Everything in
 * it is in the HTTP request's arena and belongs to the HTTP request's loop.
 *
 * Whoever answers calls exactly one of the api_respond functions, once. After that the request may
 * still be looked at until the caller returns, not longer, unless a reference is held
 * (api_request_hold). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/table.h"
#include "apiserver/negotiation.h"
#include "apiserver/request_info.h"
#include "base/str.h"

struct apiserver;
struct arena;
struct buf;
struct extension_table;
struct http_request;
struct http_source;
struct loop;
struct resource;
struct resource_subresource;
struct status;
struct subresource;

enum {
    API_REQUEST_MAX_WARNINGS = 32,
    API_REQUEST_MAX_HEADERS = 4,
    API_REQUEST_BODY_LIMIT = 3145728,
};

struct user_extra {
    struct str key;
    const struct str *values;
    size_t n_values;
};

struct user_info {
    struct str name;
    struct str uid;
    const struct str *groups;
    size_t n_groups;
    const struct user_extra *extra; /* sorted by key */
    size_t n_extra;
};

struct api_request {
    struct http_request *http;
    struct arena *arena;
    struct loop *loop;
    struct apiserver *server;
    struct request_info info;
    struct user_info user;
    struct extension_table *extensions; /* extensions_of() */
    const struct resource *resource;    /* NULL: no resource is asked for */
    const struct resource_subresource *subresource;
    const struct subresource *special; /* its row in registry/subresources.c, where it has one */
    struct negotiation accept;         /* the answer's form */
    enum table_include table_include;  /* of Tables: parameter includeObject */
    enum media body_media;             /* the body's form */
    struct str body;
    struct str warnings[API_REQUEST_MAX_WARNINGS];
    size_t n_warnings;
    struct {
        struct str name;
        struct str value;
    } headers[API_REQUEST_MAX_HEADERS]; /* of the answer, beside the usual ones */
    size_t n_headers;
    bool pretty;
    bool cacheable; /* the handler says by a Cache-Control of its own for how long */
    bool dry_run;
    bool answered;
    bool gone; /* the client left */
    bool counted_in_flight;
    int code;         /* of the answer */
    size_t stage;     /* cursor in the chain */
    int64_t start_ns; /* monotonic */
    void (*on_gone)(struct api_request *r, void *arg);
    void *on_gone_arg;
};

/* Keeps the request (and its arena) alive over an asynchronous step. */
void api_request_hold(struct api_request *r);
void api_request_release(struct api_request *r);

/* Text is copied into the arena; duplicates and more than API_REQUEST_MAX_WARNINGS are dropped. */
void api_request_warn(struct api_request *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* One more header of the answer; texts must lie in the arena or live as long as the process. At
 * most API_REQUEST_MAX_HEADERS. */
void api_request_header(struct api_request *r, struct str name, struct str value);

/* body must lie in the arena or live as long as the process. Compressed here when it is large and
 * the client takes gzip. */
void api_respond(struct api_request *r, int code, struct str content_type, struct str body);
/* The same with the body left as it is: it bears its own Content-Encoding, or none pays. */
void api_respond_plain(struct api_request *r, int code, struct str content_type, struct str body);
void api_respond_media(struct api_request *r, int code, enum media media, struct str body);
/* text/plain, which no client is to guess about */
void api_respond_text(struct api_request *r, int code, struct str body);
/* 404 as for a path that nobody knows: a line of text. */
void api_respond_no_page(struct api_request *r);
/* b holds protobuf where that is the medium that the client wants, and compact JSON otherwise,
 * which becomes YAML, is indented or goes out as it is. b lies in the arena and is used up. */
void api_respond_printed(struct api_request *r, int code, struct buf *b);
/* The Status in the client's medium. */
void api_respond_status(struct api_request *r, const struct status *s);
/* The same with a code that is not its reason's (201 for a subresource that was created). */
void api_respond_status_code(struct api_request *r, int code, const struct status *s);
/* The answer of another server, with its headers and nothing of ours. */
struct http_header;
void api_respond_passed(struct api_request *r, int code, const struct http_header *headers,
                        size_t n, int64_t content_length, struct http_source *source);
/* http_upgrade() has answered. */
void api_respond_upgraded(struct api_request *r);
/* A pulled body of unknown length. */
void api_respond_source(struct api_request *r, int code, struct str content_type,
                        struct http_source *source);
