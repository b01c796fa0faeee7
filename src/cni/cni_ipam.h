/* Addresses of a node's Pod ranges. One file per address, named by it, holding its owner's name:
 * taken by link(2), which is atomic, so neither a crash nor a second process gives one twice. The
 * next one follows the last one given, so that an address rests before it comes again. */
#pragma once

#include <stdbool.h>

#include "base/str.h"
#include "net/ip_prefix.h"

struct err;

enum { CNI_IPAM_OWNER_BYTES = 256 };

/* The owner's address in the range: its own if it has one, else a free one. The first two and an
 * IPv4 range's last are nobody's. ERR_NO_SPACE: all are taken. */
int cni_ipam_allocate(const char *directory, const struct ip_prefix *range, struct str owner,
                      struct ip *ret, struct err *err);
/* All of the owner's addresses; none is fine. */
int cni_ipam_release(const char *directory, struct str owner, struct err *err);
/* All addresses but those of owners that is_kept() likes: what a machine that went down has left,
 * files without an owner among it. */
typedef bool cni_ipam_is_kept_fn(struct str owner, void *arg);
int cni_ipam_retain(const char *directory, cni_ipam_is_kept_fn *is_kept, void *arg,
                    struct err *err);
