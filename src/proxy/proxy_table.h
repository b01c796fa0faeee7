/* The nftables table: a few fixed chains, and maps whose elements are all that ever changes. What a
 * packet costs does not grow with the number of Services, and a change writes what changed.
 *
 * A packet to 10.96.0.7:80 finds `goto pick3` in the map svc; the chain pick3 draws one of three
 * and finds the endpoint in the map eps under 10.96.0.7 . tcp . 80 . 1. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/ip_prefix.h"

struct buf;
struct nft_batch;

enum proxy_set {
    PROXY_SVC,       /* address . protocol . port -> pick chain */
    PROXY_EPS,       /* address . protocol . port . slot -> endpoint */
    PROXY_NP,        /* protocol . node port -> pick chain */
    PROXY_NPEPS,     /* protocol . node port . slot -> endpoint */
    PROXY_ADDRESSES, /* of Services: what is not translated is refused */
    PROXY_HAIRPIN,   /* endpoint . itself */
    PROXY_NPREJECT,  /* protocol . node port without an endpoint */
    PROXY_SET_MAX,
};
struct proxy_element {
    enum proxy_set set;
    uint8_t protocol;     /* IPPROTO_TCP, IPPROTO_UDP */
    uint16_t port, slots; /* slots: of the pick chain */
    uint32_t slot;
    uint32_t address, to_address; /* network order */
    uint16_t to_port;
    bool is_shadowed; /* another Service has the key: this one is not in the kernel */
};

enum { PROXY_MAX_EXACT = 64, PROXY_MAX_SLOTS = 16384 };
/* How many slots n endpoints are spread over: there is a chain for each such number. Up to
 * PROXY_MAX_EXACT it is n itself; beyond, a power of two at least eight times n, so that shares
 * differ by an eighth at most. */
uint16_t proxy_table_slots(size_t n);

/* The key alone, for finding an element again; and the whole. */
struct nft_bytes;
void proxy_element_key(const struct proxy_element *e, struct nft_bytes *ret);
bool proxy_element_same_value(const struct proxy_element *a, const struct proxy_element *b);

void proxy_table_add(struct nft_batch *b, const char *table, const struct proxy_element *e);
void proxy_table_remove(struct nft_batch *b, const char *table, const struct proxy_element *e);
/* The whole as a script for nft(8), which replaces a table of the name in one transaction:
 * proxy_table_print(), then proxy_element_print() for each element. cidr: of Pods, or NULL. */
void proxy_table_print(struct buf *b, const char *table, const char *cidr);
void proxy_element_print(struct buf *b, const char *table, const struct proxy_element *e);
