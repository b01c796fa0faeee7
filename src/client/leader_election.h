/* One of several equal components acts, by a Lease that it keeps renewing (as client-go's leader
 * election: lease 15 s, renewed every 2 s, given up after 10 s without success). One loop. */
#pragma once

#include <stdint.h>

#include "base/str.h"

struct arena;
struct leader_election;
struct loop;
struct rest_client;

struct leader_election_options {
    struct loop *loop;
    struct rest_client *client;
    struct str namespace, name;           /* of the Lease: "kube-system", "kube-scheduler" */
    struct str identity;                  /* of this process: host name and something random */
    int64_t lease_ms, renew_ms, retry_ms; /* 0: 15,000, 10,000, 2,000 */
    void (*on_started)(void *arg);        /* this one leads now */
    void (*on_stopped)(void *arg);        /* and now no longer: the process is expected to end */
    void *arg;
};

struct leader_election *leader_election_new(const struct leader_election_options *o); /* starts */
enum { LEADER_ELECTION_GOODBYE_MS = 50 }; /* run the loop on for so long after _free() */
/* Lets go of the Lease, so that another need not wait for its end, without waiting for the answer;
 * accepts NULL. */
void leader_election_free(struct leader_election *e);
/* "host_uuid", as client-go's components call themselves. */
struct str leader_election_identity(struct arena *a);
