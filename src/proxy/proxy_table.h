/* The nftables tables, one of `ip` and one of `ip6`: a few fixed chains, and maps whose elements
 * are all that ever changes. What a packet costs does not grow with the number of Services, and a
 * change writes what changed.
 *
 * A packet to 10.96.0.7:80 finds `goto pick3` in the map svc; the chain pick3 draws one of three
 * and finds the endpoint in the map eps under 10.96.0.7 . tcp . 80 . 1. With session affinity it is
 * `goto apick3`: the client's entry in the map aff is the number of an endpoint, which the map epid
 * has as long as the endpoint lives; else one is drawn from ids, and entered. (IPv6: the slot is a
 * hash of the client's address, for nft(8) cannot put such an entry into words.) */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/ip_prefix.h"

struct buf;
struct nft_batch;

/* X(NAME, name in the table, what its key is made of, what its value is). */
#define PROXY_SETS(X)                                                                              \
    X(SVC, "svc", PLACE, VERDICT) /* -> pick chain */                                              \
    X(EPS, "eps", SLOT, ENDPOINT)                                                                  \
    X(NP, "np", PORT, VERDICT) /* node ports, and ports of Pods: -> pick chain */                  \
    X(NPEPS, "npeps", PORT_SLOT, ENDPOINT)                                                         \
    X(IDS, "ids", SLOT, ID) /* IPv4 alone, as all of affinity's */                                 \
    X(EPID, "epid", PLACE_ID, ENDPOINT)                                                            \
    X(AFFINE, "affine", PLACE, VERDICT) /* -> stick chain */                                       \
    X(NPIDS, "npids", PORT_SLOT, ID)                                                               \
    X(NPEPID, "npepid", PORT_ID, ENDPOINT)                                                         \
    X(NPAFFINE, "npaffine", PORT, VERDICT)                                                         \
    X(NEAR, "near", PLACE, VERDICT) /* clients of the cluster know no Local policy of outsiders */ \
    X(NPNEAR, "npnear", PORT, VERDICT)                                                             \
    X(MASQ, "masq", PLACE, NONE) /* the client's address becomes the node's */                     \
    X(NPMASQ, "npmasq", PORT, NONE)                                                                \
    X(ADDRESSES, "addresses", ADDRESS, NONE) /* of Services: what is not translated is refused */  \
    X(HAIRPIN, "hairpin", TWICE, NONE)       /* endpoint . itself */                               \
    X(REFUSE, "refuse", PLACE, VERDICT)      /* no endpoint: rejected or dropped */                \
    X(NPREFUSE, "nprefuse", PORT, VERDICT)                                                         \
    X(GUARD, "guard", PLACE, NONE) /* only clients in: */                                          \
    X(RANGES, "ranges", RANGE, NONE)

enum proxy_set {
#define X(name, text, key, value) PROXY_##name,
    PROXY_SETS(X)
#undef X
        PROXY_SET_MAX,
};
enum proxy_verdict { PROXY_PICK, PROXY_STICK, PROXY_REJECT, PROXY_DROP };

struct proxy_element {
    enum proxy_set set;
    enum proxy_verdict verdict;
    uint8_t family;   /* AF_INET, AF_INET6 */
    uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP */
    uint8_t len;      /* RANGES: of the prefix `to` */
    bool is_affine;   /* a pick chain with affinity */
    bool is_shadowed; /* another Service has the key: this one is not in the kernel */
    uint16_t port, to_port;
    uint16_t slots;     /* of the pick chain */
    uint32_t slot;      /* or the endpoint's number, in keys that have one */
    uint32_t id;        /* as value */
    uint32_t timeout_s; /* of the stick chain */
    struct ip address, to;
};

enum {
    PROXY_MAX_EXACT = 64,
    PROXY_MAX_SLOTS = 16384,
    PROXY_NEAR_SLOTS = 32768, /* from here on those that `near` draws */
    PROXY_KEY_BYTES = 80,
};
/* How many slots n endpoints are spread over: there is a chain for each such number. Up to
 * PROXY_MAX_EXACT it is n itself; beyond, a power of two at least eight times n, so that shares
 * differ by an eighth at most. */
uint16_t proxy_table_slots(size_t n);

/* What tells elements apart, as bytes. */
struct str proxy_element_key(const struct proxy_element *e, char ret[PROXY_KEY_BYTES]);
bool proxy_element_same_value(const struct proxy_element *a, const struct proxy_element *b);

void proxy_table_add(struct nft_batch *b, const char *table, const struct proxy_element *e);
void proxy_table_remove(struct nft_batch *b, const char *table, const struct proxy_element *e);

struct proxy_layout {
    const char *table;
    const struct ip_prefix *cidrs; /* of Pods */
    size_t n_cidrs;
    const uint32_t *timeouts_s; /* of affinity: there is a chain for each */
    size_t n_timeouts;
};
/* The whole as a script for nft(8), which replaces the tables of the name in one transaction:
 * proxy_table_print(), then proxy_element_print() for each element. */
void proxy_table_print(struct buf *b, const struct proxy_layout *l);
void proxy_element_print(struct buf *b, const char *table, const struct proxy_element *e);
