/* Changes of nftables as one transaction: all of a batch or nothing. Elements of sets and maps by
 * raw netlink, which costs the kernel microseconds where the whole ruleset is large. Tables, chains
 * and rules are for nft(8) to load. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct err;
struct netlink;
struct nft_batch;

struct nft_set {
    uint8_t family; /* NFPROTO_INET ... */
    const char *table;
    const char *name;
};
enum { NFT_DATA_BYTES = 64 };
/* Bytes as the kernel compares them: network order, each part of a concatenation padded with zeros
 * to four bytes. */
struct nft_bytes {
    uint8_t len;
    uint8_t bytes[NFT_DATA_BYTES];
};
struct nft_element {
    struct nft_bytes key;
    struct nft_bytes key_end; /* len 0: no range; the last key of it */
    struct nft_bytes data;    /* len 0: a set, or a verdict map */
    const char *jump_to;      /* a verdict map's: goto this chain; NULL: none */
    bool returns;             /* it is jumped to, not gone to */
    uint64_t timeout_ms;      /* 0: the set's */
};

/* Appends a part, padded. Beyond NFT_DATA_BYTES is a bug. */
void nft_bytes_put(struct nft_bytes *b, const void *p, size_t len);
void nft_bytes_put_u8(struct nft_bytes *b, uint8_t v);
void nft_bytes_put_port(struct nft_bytes *b, uint16_t host_order);
void nft_bytes_put_u32(struct nft_bytes *b, uint32_t network_order);

struct nft_batch *nft_batch_new(void);
void nft_batch_free(struct nft_batch *b); /* accepts NULL */
void nft_batch_reset(struct nft_batch *b);
size_t nft_batch_len(const struct nft_batch *b);   /* changes in it */
size_t nft_batch_bytes(const struct nft_batch *b); /* what the kernel is sent */
void nft_batch_add(struct nft_batch *b, const struct nft_set *set, const struct nft_element *e);
void nft_batch_remove(struct nft_batch *b, const struct nft_set *set, const struct nft_element *e);
void nft_batch_flush_set(struct nft_batch *b, const struct nft_set *set);
void nft_batch_delete_table(struct nft_batch *b, uint8_t family, const char *table);
/* Applies it over a NETLINK_OF_NETFILTER socket: 0, or the first refused change's -errno (-ENOENT:
 * an element to remove, a set or a table is not there; -EEXIST). The batch is as before. */
int nft_batch_commit(struct nft_batch *b, struct netlink *n, struct err *err);
