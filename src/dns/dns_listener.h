/* The sockets of DNS: datagrams, and streams of messages with their length before them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct buf;
struct dns_listener;
struct err;
struct loop;

/* One message that somebody sent, to be answered once, at any time. */
struct dns_asker;
typedef void dns_listener_fn(struct dns_asker *k, struct str message, bool is_tcp, void *arg);

/* Both on one address and port. */
int dns_listener_new(struct loop *l, const char *address, uint16_t port, dns_listener_fn *fn,
                     void *arg, struct dns_listener **ret, struct err *err);
void dns_listener_free(struct dns_listener *l); /* accepts NULL; askers are gone with it */
/* Sends (unset: nothing) and lets go of the asker. */
void dns_asker_answer(struct dns_asker *k, struct str message);
