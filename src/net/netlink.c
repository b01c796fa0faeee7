/* One request at a time: it is sent with NLM_F_ACK, and everything up to its acknowledgement (or
 * the end of its dump) is read. Extended acknowledgements carry the kernel's reason as text. */
#include "net/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/net_internal.h"
#include "net/netns.h"

enum { NETLINK_RECEIVE_BYTES = 64 * 1024, NETLINK_TIMEOUT_S = 10 };

struct netlink {
    struct mnl_socket *socket;
    uint32_t seq;
    char out[NETLINK_BUF_BYTES] __attribute__((aligned(8)));
    char in[NETLINK_RECEIVE_BYTES] __attribute__((aligned(8)));
};

int netlink_new(int netns_fd, enum netlink_bus bus, struct netlink **ret, struct err *err)
{
    static const int protocols[] = {
        [NETLINK_OF_ROUTE] = NETLINK_ROUTE, [NETLINK_OF_NETFILTER] = NETLINK_NETFILTER
    };
    const struct timeval timeout = { .tv_sec = NETLINK_TIMEOUT_S };
    int fd = netns_socket(netns_fd, AF_NETLINK, SOCK_RAW, protocols[bus]), on = 1;
    struct mnl_socket *s;
    struct netlink *n;

    if (fd < 0)
        return err_errno(err, -fd, "open a netlink socket");
    s = mnl_socket_fdopen(fd);
    if (!s) {
        (void)close(fd);
        return err_errno(err, ENOMEM, "open a netlink socket");
    }
    if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0) {
        int r = err_errno(err, errno, "bind a netlink socket");

        (void)mnl_socket_close(s);
        return r;
    }
    /* Both only better messages; old kernels lack them. */
    (void)mnl_socket_setsockopt(s, NETLINK_EXT_ACK, &on, sizeof(on));
    (void)mnl_socket_setsockopt(s, NETLINK_CAP_ACK, &on, sizeof(on));
    n = NEW(struct netlink);
    n->socket = s;
    *ret = n;
    return 0;
}

void netlink_free(struct netlink *n)
{
    if (!n)
        return;
    (void)mnl_socket_close(n->socket);
    mem_free(n);
}

struct mnl_socket *netlink_socket(struct netlink *n)
{
    return n->socket;
}

uint32_t netlink_next_seq(struct netlink *n)
{
    return ++n->seq ? n->seq : ++n->seq; /* 0 is the kernel's own */
}

struct nlmsghdr *netlink_begin(struct netlink *n, uint16_t type, uint16_t flags, void *ret_extra,
                               size_t size)
{
    struct nlmsghdr *m = mnl_nlmsg_put_header(n->out);
    void *extra;

    m->nlmsg_type = type;
    m->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    if ((flags & NLM_F_DUMP) != NLM_F_DUMP)
        m->nlmsg_flags |= NLM_F_ACK;
    m->nlmsg_seq = netlink_next_seq(n);
    extra = mnl_nlmsg_put_extra_header(m, size);
    memset(extra, 0, size);
    *(void **)ret_extra = extra;
    return m;
}

/* The kernel's words out of an extended acknowledgement, or NULL. */
static const char *reason_of(const struct nlmsghdr *m)
{
    const struct nlmsgerr *e = mnl_nlmsg_get_payload(m);
    size_t skip = sizeof(*e);
    const struct nlattr *attr;

    if (!(m->nlmsg_flags & NLM_F_ACK_TLVS))
        return NULL;
    if (!(m->nlmsg_flags & NLM_F_CAPPED)) {
        if (e->msg.nlmsg_len < sizeof(e->msg))
            return NULL;
        skip += e->msg.nlmsg_len - sizeof(e->msg);
    }
    if (skip > mnl_nlmsg_get_payload_len(m))
        return NULL;
    NETLINK_FOREACH(attr, m, skip)
    {
        if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
            mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
            return mnl_attr_get_str(attr);
    }
    return NULL;
}

static int error_of(const struct nlmsghdr *m, struct err *err)
{
    const struct nlmsgerr *e = mnl_nlmsg_get_payload(m);
    const char *reason = reason_of(m);

    if (mnl_nlmsg_get_payload_len(m) < sizeof(*e))
        return err_set(err, ERR_PROTOCOL, "netlink: a short acknowledgement");
    if (e->error == 0)
        return 0;
    if (reason)
        return err_errno(err, -e->error, "%s", reason);
    return err_errno(err, -e->error, "netlink");
}

/* The messages of one datagram: 1 when the answer is over, 0 when more comes, negative. */
static int read_messages(const char *p, int len, uint32_t seq, netlink_message_fn *fn, void *arg,
                         int *fn_result, struct err *err)
{
    for (const struct nlmsghdr *m = (const void *)p; mnl_nlmsg_ok(m, len);
         m = mnl_nlmsg_next(m, &len)) {
        int r;

        if (m->nlmsg_seq != seq)
            continue; /* left over from a request that timed out */
        if (m->nlmsg_type == NLMSG_DONE)
            return 1;
        if (m->nlmsg_type == NLMSG_ERROR) {
            r = error_of(m, err);
            return r < 0 ? r : 1;
        }
        if (m->nlmsg_type >= NLMSG_MIN_TYPE && fn && *fn_result >= 0)
            *fn_result = fn(m, arg);
    }
    return 0;
}

int netlink_request(struct netlink *n, struct nlmsghdr *m, netlink_message_fn *fn, void *arg,
                    struct err *err)
{
    uint32_t seq = m->nlmsg_seq;
    int fn_result = 0, r;

    if (mnl_socket_sendto(n->socket, m, m->nlmsg_len) < 0)
        return err_errno(err, errno, "netlink: send");
    do {
        ssize_t len = mnl_socket_recvfrom(n->socket, n->in, sizeof(n->in));

        if (len < 0 && errno == EINTR)
            r = 0;
        else if (len < 0)
            return err_errno(err, errno, "netlink: receive");
        else
            r = read_messages(n->in, (int)len, seq, fn, arg, &fn_result, err);
    } while (r == 0);
    if (r > 0 && fn_result < 0)
        return err_set(err, fn_result, "netlink: %s", err_name(fn_result));
    return r < 0 ? r : 0;
}

const struct nlattr *netlink_find(const struct nlmsghdr *m, size_t header_bytes, uint16_t type)
{
    const struct nlattr *attr;

    NETLINK_FOREACH(attr, m, header_bytes)
    {
        if (mnl_attr_get_type(attr) == type)
            return attr;
    }
    return NULL;
}
