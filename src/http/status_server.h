/* What a process says of itself to whoever asks: health, readiness, figures. Plain HTTP, GET alone,
 * one loop, few connections. */
#pragma once

#include <stdint.h>

#include "base/str.h"
#include "http/http_message.h"

struct arena;
struct buf;
struct err;
struct loop;
struct status_server;

enum { STATUS_MAX_HEADERS = 2 };
struct status_answer {
    struct buf *body;                            /* empty */
    struct str type;                             /* plain text */
    struct http_header more[STATUS_MAX_HEADERS]; /* names in lower case */
    size_t n_more;
    struct arena *arena; /* the answer's */
};
struct status_route {
    const char *path;                                /* "*": any */
    int (*fn)(struct status_answer *ret, void *arg); /* the status */
};

/* Listens on address:port. routes end with one without fn and stay. */
int status_server_new(struct loop *l, const char *address, uint16_t port,
                      const struct status_route *routes, void *arg, struct status_server **ret,
                      struct err *err);
/* At another address as well (IPv6 beside IPv4). */
int status_server_listen(struct status_server *s, const char *address, uint16_t port,
                         struct err *err);
void status_server_free(struct status_server *s); /* not from within a route; accepts NULL */
