/* What registries say about who may have what: challenges, tokens, errors. Foreign bytes. */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct arena;
struct buf;

enum registry_scheme { REGISTRY_AUTH_NONE, REGISTRY_AUTH_BASIC, REGISTRY_AUTH_BEARER };

struct registry_challenge {
    enum registry_scheme scheme;
    struct str realm, service, scope; /* in the arena */
};
/* A WWW-Authenticate header's value. Of several, the first that is understood; none: NONE. */
struct registry_challenge registry_auth_challenge(struct arena *a, struct str header);
/* "token" or "access_token" of a token server's answer; unset: there is none that a header may
 * bear. */
struct str registry_auth_token(struct arena *a, struct str json);
/* The first error of a registry's answer: "denied: requested access ...", printable, bounded; unset
 * when the answer is nothing such. */
struct str registry_auth_error(struct arena *a, struct str json);
/* Percent-encoded as a query's value wants it. */
void registry_auth_escape(struct buf *b, struct str s);
