#include "cni/cni_network.h"

#include "base/mem.h"
#include "cni/cni_network_internal.h"
#include "cni/cni_routed.h"

void cni_network_free(struct cni_network *n)
{
    if (n)
        n->ops->free(n);
}

int cni_network_ready(struct cni_network *n, struct err *err)
{
    return n->ops->ready(n, err);
}

int cni_network_retain(struct cni_network *n, const struct str *ids, size_t n_ids, struct err *err)
{
    return n->ops->retain ? n->ops->retain(n, ids, n_ids, err) : 0;
}

struct cni_call *cni_network_add(struct cni_network *n, const struct cni_attachment *a,
                                 cni_network_done_fn *done, void *arg)
{
    struct cni_call *c = n->ops->add(n, a);

    c->done = done;
    c->arg = arg;
    return c;
}

struct cni_call *cni_network_delete(struct cni_network *n, const struct cni_attachment *a,
                                    cni_network_done_fn *done, void *arg)
{
    struct cni_call *c = n->ops->remove(n, a);

    c->done = done;
    c->arg = arg;
    return c;
}

void cni_network_cancel(struct cni_call *call)
{
    if (!call)
        return;
    loop_task_cancel(&call->task);
    if (call->cancel)
        call->cancel(call);
    mem_free(call);
}

static void answer(struct loop_task *t)
{
    struct cni_call *c = CONTAINER_OF(t, struct cni_call, task);

    c->done(&c->result, c->arg);
    mem_free(c);
}

void cni_call_init_(struct cni_call *c, struct cni_network *n)
{
    c->network = n;
    c->result.err = &c->err;
    loop_task_init(&c->task, answer);
}

void cni_call_finish_(struct cni_call *c, int code)
{
    c->result.code = code;
    c->cancel = NULL;
    loop_task_post(c->network->loop, &c->task);
}

/* --- our own plugin --- */

struct routed {
    struct cni_network network;
    struct cni_routed_config config;
    char *directory;
};

static int routed_ready(struct cni_network *n, struct err *err)
{
    const struct routed *rd = CONTAINER_OF(n, struct routed, network);

    return rd->config.n_ranges ? 0 : err_set(err, ERR_NOT_FOUND, "the node has no Pod range");
}

static struct cni_call *routed_call(struct cni_network *n)
{
    struct cni_call *c = NEW(struct cni_call);

    cni_call_init_(c, n);
    return c;
}

static struct cni_call *routed_add(struct cni_network *n, const struct cni_attachment *a)
{
    const struct routed *rd = CONTAINER_OF(n, struct routed, network);
    struct cni_call *c = routed_call(n);
    CLEANUP(mem_free) void *path = str_heap_cstr(a->netns_path);
    const struct cni_routed_pod pod = { .container_id = a->container_id,
                                        .interface = "eth0",
                                        .netns_path = path };
    struct cni_result result = { 0 };
    int r = cni_routed_add(&rd->config, &pod, &result, &c->err);

    for (size_t i = 0; r == 0 && i < result.n_ips; i++)
        c->result.ips[c->result.n_ips++] = result.ips[i].address.ip;
    cni_call_finish_(c, r);
    return c;
}

static struct cni_call *routed_remove(struct cni_network *n, const struct cni_attachment *a)
{
    const struct routed *rd = CONTAINER_OF(n, struct routed, network);
    struct cni_call *c = routed_call(n);
    const struct cni_routed_pod pod = { .container_id = a->container_id, .interface = "eth0" };

    cni_call_finish_(c, cni_routed_delete(&rd->config, &pod, &c->err));
    return c;
}

static int routed_retain(struct cni_network *n, const struct str *ids, size_t n_ids,
                         struct err *err)
{
    const struct routed *rd = CONTAINER_OF(n, struct routed, network);

    return cni_routed_retain(&rd->config, ids, n_ids, err);
}

static void routed_free(struct cni_network *n)
{
    struct routed *rd = CONTAINER_OF(n, struct routed, network);

    mem_free(rd->directory);
    mem_free(rd);
}

static const struct cni_network_ops routed_ops = {
    .ready = routed_ready,
    .add = routed_add,
    .remove = routed_remove,
    .retain = routed_retain,
    .free = routed_free,
};

struct cni_network *cni_network_new_routed(struct loop *l, const char *directory, uint32_t mtu)
{
    struct routed *rd = NEW(struct routed);

    rd->network = (struct cni_network){ .ops = &routed_ops, .loop = l };
    rd->directory = str_heap_cstr(str_from_cstr(directory));
    rd->config.directory = rd->directory;
    rd->config.mtu = mtu;
    return &rd->network;
}

int cni_network_set_ranges(struct cni_network *n, const struct ip_prefix *ranges, size_t n_ranges,
                           struct err *err)
{
    struct routed *rd = CONTAINER_OF(n, struct routed, network);

    if (n->ops != &routed_ops)
        return err_set(err, ERR_UNSUPPORTED, "Pod ranges are the plugins' own matter here");
    if (n_ranges > CNI_ROUTED_MAX_RANGES ||
        (n_ranges == 2 && ranges[0].ip.family == ranges[1].ip.family))
        return err_set(err, ERR_INVALID, "more than one Pod range of a family");
    if (n_ranges)
        memcpy(rd->config.ranges, ranges, n_ranges * sizeof(ranges[0]));
    rd->config.n_ranges = n_ranges;
    return 0;
}
