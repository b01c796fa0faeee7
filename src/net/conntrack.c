#include "net/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/net_internal.h"
#include "net/netlink.h"

struct tuple {
    struct ip from, to;
    uint8_t protocol;
    uint16_t to_port; /* host order */
    uint16_t from_port;
};

struct flush {
    const struct conntrack_filter *filter;
    struct buf found; /* length (2 bytes, native), family (1), then an original tuple's attribute */
};

static void read_ip(const struct nlattr *nest, struct tuple *t)
{
    const struct nlattr *attr;

    NETLINK_FOREACH_NESTED(attr, nest)
    {
        uint16_t type = mnl_attr_get_type(attr);
        bool is_v6 = type == CTA_IP_V6_SRC || type == CTA_IP_V6_DST;
        bool is_from = type == CTA_IP_V4_SRC || type == CTA_IP_V6_SRC;
        struct ip *ip = is_from ? &t->from : &t->to;

        if (mnl_attr_get_payload_len(attr) != (is_v6 ? 16 : 4))
            continue;
        *ip = (struct ip){ .family = is_v6 ? AF_INET6 : AF_INET };
        memcpy(ip->bytes, mnl_attr_get_payload(attr), is_v6 ? 16 : 4);
    }
}

static void read_protocol(const struct nlattr *nest, struct tuple *t)
{
    const struct nlattr *attr;

    NETLINK_FOREACH_NESTED(attr, nest)
    {
        size_t len = mnl_attr_get_payload_len(attr);

        switch (mnl_attr_get_type(attr)) {
        case CTA_PROTO_NUM:
            t->protocol = len >= 1 ? mnl_attr_get_u8(attr) : 0;
            break;
        case CTA_PROTO_SRC_PORT:
            t->from_port = len >= 2 ? ntohs(mnl_attr_get_u16(attr)) : 0;
            break;
        case CTA_PROTO_DST_PORT:
            t->to_port = len >= 2 ? ntohs(mnl_attr_get_u16(attr)) : 0;
            break;
        default:
            break;
        }
    }
}

static void read_tuple(const struct nlattr *nest, struct tuple *t)
{
    const struct nlattr *attr;

    NETLINK_FOREACH_NESTED(attr, nest)
    {
        if (mnl_attr_get_type(attr) == CTA_TUPLE_IP)
            read_ip(attr, t);
        else if (mnl_attr_get_type(attr) == CTA_TUPLE_PROTO)
            read_protocol(attr, t);
    }
}

static bool is_ip(const struct ip *wanted, const struct ip *ip)
{
    return !wanted->family || ip_cmp(wanted, ip) == 0;
}

static int take_one(const struct nlmsghdr *m, void *arg)
{
    struct flush *f = arg;
    const struct conntrack_filter *w = f->filter;
    const struct nfgenmsg *g = mnl_nlmsg_get_payload(m);
    struct tuple original = { 0 }, reply = { 0 };
    const struct nlattr *o, *r;
    uint16_t len;

    if (mnl_nlmsg_get_payload_len(m) < sizeof(*g))
        return ERR_PROTOCOL;
    o = netlink_find(m, sizeof(*g), CTA_TUPLE_ORIG);
    r = netlink_find(m, sizeof(*g), CTA_TUPLE_REPLY);
    if (!o || !r)
        return 0;
    read_tuple(o, &original);
    read_tuple(r, &reply);
    if ((w->protocol && w->protocol != original.protocol) ||
        !is_ip(&w->original_to, &original.to) || !is_ip(&w->translated_to, &reply.from) ||
        (w->original_port && w->original_port != original.to_port) ||
        (w->translated_port && w->translated_port != reply.from_port))
        return 0;
    len = mnl_attr_get_len(o);
    buf_append(&f->found, &len, sizeof(len));
    buf_append_char(&f->found, (char)g->nfgen_family);
    buf_append(&f->found, o, len);
    return 0;
}

static int delete_one(struct netlink *n, uint8_t family, const char *tuple, uint16_t len,
                      struct err *err)
{
    struct nfgenmsg *g;
    struct nlmsghdr *m =
        netlink_begin(n, (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE, 0, &g, sizeof(*g));

    g->nfgen_family = family;
    g->version = NFNETLINK_V0;
    mnl_attr_put(m, CTA_TUPLE_ORIG | NLA_F_NESTED, len - sizeof(struct nlattr),
                 tuple + sizeof(struct nlattr));
    return netlink_request(n, m, NULL, NULL, err);
}

int conntrack_flush(struct netlink *n, const struct conntrack_filter *filter, struct err *err)
{
    struct flush f = { .filter = filter };
    CLEANUP(buf_done) struct buf found = { 0 };
    struct nfgenmsg *g;
    struct nlmsghdr *m = netlink_begin(n, (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET,
                                       NLM_F_DUMP, &g, sizeof(*g));
    int r, removed = 0;

    g->nfgen_family = AF_UNSPEC;
    g->version = NFNETLINK_V0;
    r = netlink_request(n, m, take_one, &f, err);
    found = f.found;
    if (r < 0)
        return err_wrap(err, "list tracked connections");
    for (size_t at = 0; at < found.len;) {
        uint16_t len;

        memcpy(&len, found.p + at, sizeof(len));
        at += sizeof(len) + 1;
        r = delete_one(n, (uint8_t)found.p[at - 1], found.p + at, len, err);
        at += len;
        if (r < 0 && r != -ENOENT)
            return err_wrap(err, "remove a tracked connection");
        removed += r == 0;
    }
    return removed;
}
