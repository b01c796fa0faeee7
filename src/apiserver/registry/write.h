/* The compare-and-set loop: read the current object, decide what it shall become, submit that with
 * the revision that was read; a lost race runs it again on the newest object, at most WRITE_TRIES
 * times, or WRITE_TRIES_OF_EXTRAS where it was lost about something that is stored along with it.
 * Every mutating verb is a decide() and a done().
 *
 * A write holds a reference on its request until done() has run, so the client may leave. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/object.h"
#include "apiserver/status_response.h"
#include "base/str.h"
#include "store/store.h"

struct api_request;

enum {
    WRITE_TRIES = 5,
    WRITE_TRIES_OF_EXTRAS = 200,
    WRITE_EXTRA_MAX = STORE_TXN_MUTATIONS_MAX - 1,
};

enum write_decision {
    WRITE_PUT,     /* `updated` is to be stored */
    WRITE_DELETE,  /* the object is to go; `updated` (or `current`) is what it was */
    WRITE_NOTHING, /* it stays as it is; `updated` is the answer */
    WRITE_REFUSED, /* `refused` says why */
};

struct write {
    struct api_request *r;
    struct str namespace, name;
    bool may_create;  /* absent is no error: decide() runs with current.data == NULL */
    bool must_be_new; /* present is no error of decide()'s: AlreadyExists */
    enum write_decision (*decide)(struct write *w);
    void (*done)(struct write *w);
    void *arg;
    /* For decide(): */
    struct store_snapshot *snapshot;
    struct object current; /* data NULL: absent */
    uint64_t current_revision;
    /* From decide(): */
    struct object updated;
    struct store_mutation *extra; /* more to be stored in the same transaction: write_add() */
    size_t n_extra;
    struct status refused;
    /* For done(): */
    enum write_decision decision; /* of the last try; REFUSED with `refused` set on any failure */
    bool created;
    uint64_t revision; /* of what is answered; 0 for a dry run's create */
    /* The loop's own: */
    int tries;
    struct store_mutation mutation;
    struct store_mutation *all; /* mutation, then extra */
    struct store_txn txn;
};

/* *w lies in the request's arena. */
void write_run(struct write *w);
/* For decide() and the strategy's transact(): one more mutation of this try, to be filled in; a
 * conflict of any runs the loop again. Nothing comes of more than WRITE_EXTRA_MAX of them: the
 * write is refused. */
struct store_mutation *write_add(struct write *w);
/* Answers with `updated`, or with `refused`. */
void write_respond(struct write *w, int code);
