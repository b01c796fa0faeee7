/* Which elements the kernel has, and for whom: several Services may want one and the same (it is
 * counted), or two want one place for different ends (the first keeps it; the other is shadowed,
 * and asked again when any element goes). A change is written into a batch; what stays is not
 * touched. */
#pragma once

#include "proxy/service_rules.h"

struct nft_batch;
struct proxy_ledger;

struct proxy_ledger_options {
    struct nft_batch *batch; /* borrowed, as the name */
    const char *table;
    void (*on_free)(struct str owner, void *arg); /* who was shadowed may be asked again */
    void *arg;
};
struct proxy_ledger *proxy_ledger_new(const struct proxy_ledger_options *o);
void proxy_ledger_free(struct proxy_ledger *l); /* accepts NULL */

/* From what the owner had to what he wants now; the list is taken and empty afterwards. */
void proxy_ledger_replace(struct proxy_ledger *l, struct str owner, struct proxy_elements *take);
size_t proxy_ledger_len(const struct proxy_ledger *l);
/* NULL at the end; *cursor starts at 0. */
const struct proxy_element *proxy_ledger_next(const struct proxy_ledger *l, size_t *cursor);
/* Endpoints for datagrams that went since the last call; the caller empties the list. */
struct proxy_elements *proxy_ledger_gone(struct proxy_ledger *l);
