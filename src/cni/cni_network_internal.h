/* What the kinds of networks fill in. */
#pragma once

#include "base/err.h"
#include "cni/cni_network.h"
#include "io/loop.h"

struct cni_call { /* embedded first by kinds that need more */
    struct cni_network *network;
    struct loop_task task; /* carries the answer out of the call that was made */
    cni_network_done_fn *done;
    void *arg;
    struct cni_network_result result;
    struct err err;
    void (*cancel)(struct cni_call *c); /* frees it; NULL: nothing runs but the task */
};

struct cni_network_ops {
    int (*ready)(struct cni_network *n, struct err *err);
    struct cni_call *(*add)(struct cni_network *n, const struct cni_attachment *a);
    struct cni_call *(*remove)(struct cni_network *n, const struct cni_attachment *a);
    int (*retain)(struct cni_network *n, const struct str *ids, size_t n_ids,
                  struct err *err); /* NULL: nothing to be done */
    void (*free)(struct cni_network *n);
};
struct cni_network { /* embedded first */
    const struct cni_network_ops *ops;
    struct loop *loop;
};

/* Answers with c->result and c->err at the end of the turn, then frees c. */
void cni_call_init_(struct cni_call *c, struct cni_network *n);
void cni_call_finish_(struct cni_call *c, int code);
