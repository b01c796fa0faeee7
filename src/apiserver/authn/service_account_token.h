/* Tokens of service accounts: made on request, and believed while they are signed by a key of ours,
 * for us, in time, and for as long as the account (and the Pod, Secret or Node that they are bound
 * to) is there with the same uid. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

struct apiserver;
struct arena;
struct err;
struct jwt_key;
struct user_info;

enum { SERVICE_ACCOUNT_KEYS_MAX = 8 };

/* What the server signs and checks tokens with. Constant once it serves. */
struct service_account_keys {
    struct jwt_key *keys[SERVICE_ACCOUNT_KEYS_MAX]; /* the first signs */
    size_t n;
    struct str issuer; /* also the audience of tokens for this server */
};
void service_account_keys_done(struct service_account_keys *k);

struct service_account_ref {
    struct str name, uid;
};

struct service_account_token {
    struct str namespace;
    struct service_account_ref account;
    struct service_account_ref pod, secret, node; /* name unset: not bound to one */
    const struct str *audiences;
    size_t n_audiences;
    int64_t issued_s, expires_s;
};

int service_account_token_make(struct arena *a, const struct service_account_keys *k,
                               const struct service_account_token *t, struct str *ret,
                               struct err *err);
/* Is this a token of our issuer (whoever signed it)? */
bool service_account_token_is_ours(struct arena *a, const struct service_account_keys *k,
                                   struct str token);
/* Whose token it is, for one of these audiences; which of them it is for goes to *ret_audiences
 * (may be NULL). ERR_DENIED or ERR_SYNTAX with the reason. */
struct str_list {
    const struct str *items;
    size_t len;
};
int service_account_token_check(struct arena *a, struct apiserver *s, struct str token,
                                struct str_list audiences, struct user_info *ret,
                                struct str_list *ret_audiences, struct err *err);
