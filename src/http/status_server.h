/* What a process says of itself to whoever asks: health, readiness, figures. Plain HTTP, GET alone,
 * one loop, few connections. */
#pragma once

#include <stdint.h>

#include "base/str.h"

struct buf;
struct err;
struct loop;
struct status_server;

struct status_route {
    struct str path;
    int (*fn)(struct buf *body, void *arg); /* the status */
    struct str type;                        /* unset: plain text */
};

/* Listens on address:port. routes end with one without fn and stay. */
int status_server_new(struct loop *l, const char *address, uint16_t port,
                      const struct status_route *routes, void *arg, struct status_server **ret,
                      struct err *err);
void status_server_free(struct status_server *s); /* not from within a route; accepts NULL */
