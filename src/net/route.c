#include "net/route.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "base/err.h"
#include "net/net_internal.h"
#include "net/netlink.h"

static void put_ip(struct nlmsghdr *m, uint16_t type, const struct ip *ip)
{
    mnl_attr_put(m, type, ip_bytes(ip), ip->bytes);
}

static bool take_ip(const struct nlattr *attr, uint8_t family, struct ip *ret)
{
    struct ip ip = { .family = family };

    if ((family != AF_INET && family != AF_INET6) ||
        mnl_attr_get_payload_len(attr) != ip_bytes(&ip))
        return false;
    memcpy(ip.bytes, mnl_attr_get_payload(attr), ip_bytes(&ip));
    *ret = ip;
    return true;
}

static int change_address(struct netlink *n, uint16_t type, int link_index,
                          const struct ip_prefix *address, struct err *err)
{
    struct ifaddrmsg *a;
    struct nlmsghdr *m = netlink_begin(
        n, type, type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_REPLACE : 0, &a, sizeof(*a));

    a->ifa_family = address->ip.family;
    a->ifa_prefixlen = address->len;
    a->ifa_index = (uint32_t)link_index;
    if (address->ip.family == AF_INET6)
        a->ifa_flags = IFA_F_NODAD;
    put_ip(m, IFA_LOCAL, &address->ip);
    put_ip(m, IFA_ADDRESS, &address->ip);
    return netlink_request(n, m, NULL, NULL, err);
}

int route_add_address(struct netlink *n, int link_index, const struct ip_prefix *address,
                      struct err *err)
{
    char text[IP_PREFIX_TEXT_BYTES];
    int r = change_address(n, RTM_NEWADDR, link_index, address, err);

    return r < 0 && r != -EEXIST ? err_wrap(err, "add address %s", ip_prefix_print(address, text))
                                 : 0;
}

int route_delete_address(struct netlink *n, int link_index, const struct ip_prefix *address,
                         struct err *err)
{
    char text[IP_PREFIX_TEXT_BYTES];
    int r = change_address(n, RTM_DELADDR, link_index, address, err);

    return r < 0 && r != -EADDRNOTAVAIL
               ? err_wrap(err, "delete address %s", ip_prefix_print(address, text))
               : 0;
}

struct addresses {
    int link_index;
    route_address_fn *fn;
    void *arg;
};

static int take_address(const struct nlmsghdr *m, void *arg)
{
    const struct addresses *as = arg;
    const struct ifaddrmsg *a = mnl_nlmsg_get_payload(m);
    const struct nlattr *attr;
    struct ip_prefix p;

    if (mnl_nlmsg_get_payload_len(m) < sizeof(*a))
        return ERR_PROTOCOL;
    if (as->link_index && (int)a->ifa_index != as->link_index)
        return 0;
    attr = netlink_find(m, sizeof(*a), IFA_LOCAL);
    if (!attr)
        attr = netlink_find(m, sizeof(*a), IFA_ADDRESS);
    if (!attr || !take_ip(attr, a->ifa_family, &p.ip))
        return 0;
    p.len = a->ifa_prefixlen;
    return as->fn((int)a->ifa_index, &p, as->arg);
}

int route_list_addresses(struct netlink *n, int link_index, route_address_fn *fn, void *arg,
                         struct err *err)
{
    struct addresses as = { .link_index = link_index, .fn = fn, .arg = arg };
    struct ifaddrmsg *a;
    struct nlmsghdr *m = netlink_begin(n, RTM_GETADDR, NLM_F_DUMP, &a, sizeof(*a));

    return netlink_request(n, m, take_address, &as, err);
}

static struct nlmsghdr *put_route(struct netlink *n, uint16_t type, const struct route *route)
{
    struct ip to = ip_prefix_base(&route->to);
    struct rtmsg *rt;
    struct nlmsghdr *m = netlink_begin(
        n, type, type == RTM_NEWROUTE ? NLM_F_CREATE | NLM_F_REPLACE : 0, &rt, sizeof(*rt));

    rt->rtm_family = route->to.ip.family;
    rt->rtm_dst_len = route->to.len;
    rt->rtm_table = RT_TABLE_MAIN;
    rt->rtm_protocol = route->protocol ? route->protocol : RTPROT_STATIC;
    rt->rtm_type = RTN_UNICAST;
    rt->rtm_scope =
        route->via.family || route->to.ip.family == AF_INET6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    if (type == RTM_DELROUTE) {
        rt->rtm_scope = RT_SCOPE_NOWHERE;
        rt->rtm_protocol = route->protocol;
    }
    if (route->onlink)
        rt->rtm_flags |= RTNH_F_ONLINK;
    if (route->to.len)
        put_ip(m, RTA_DST, &to);
    if (route->link_index)
        mnl_attr_put_u32(m, RTA_OIF, (uint32_t)route->link_index);
    if (route->via.family)
        put_ip(m, RTA_GATEWAY, &route->via);
    if (route->source.family)
        put_ip(m, RTA_PREFSRC, &route->source);
    if (route->mtu) {
        struct nlattr *metrics = mnl_attr_nest_start(m, RTA_METRICS);

        mnl_attr_put_u32(m, RTAX_MTU, route->mtu);
        mnl_attr_nest_end(m, metrics);
    }
    return m;
}

int route_add(struct netlink *n, const struct route *route, struct err *err)
{
    char text[IP_PREFIX_TEXT_BYTES];
    int r = netlink_request(n, put_route(n, RTM_NEWROUTE, route), NULL, NULL, err);

    return r < 0 ? err_wrap(err, "add route to %s", ip_prefix_print(&route->to, text)) : 0;
}

int route_delete(struct netlink *n, const struct route *route, struct err *err)
{
    char text[IP_PREFIX_TEXT_BYTES];
    int r = netlink_request(n, put_route(n, RTM_DELROUTE, route), NULL, NULL, err);

    return r < 0 && r != -ESRCH && r != -ENODEV
               ? err_wrap(err, "delete route to %s", ip_prefix_print(&route->to, text))
               : 0;
}

struct routes {
    route_fn *fn;
    void *arg;
};

static int take_route(const struct nlmsghdr *m, void *arg)
{
    const struct routes *rs = arg;
    const struct rtmsg *rt = mnl_nlmsg_get_payload(m);
    struct route route = { 0 };
    const struct nlattr *attr;

    if (mnl_nlmsg_get_payload_len(m) < sizeof(*rt))
        return ERR_PROTOCOL;
    if (rt->rtm_table != RT_TABLE_MAIN || rt->rtm_type != RTN_UNICAST)
        return 0;
    route.to.ip.family = rt->rtm_family;
    route.to.len = rt->rtm_dst_len;
    route.protocol = rt->rtm_protocol;
    route.onlink = (rt->rtm_flags & RTNH_F_ONLINK) != 0;
    NETLINK_FOREACH(attr, m, sizeof(*rt))
    {
        switch (mnl_attr_get_type(attr)) {
        case RTA_DST:
            if (!take_ip(attr, rt->rtm_family, &route.to.ip))
                return ERR_PROTOCOL;
            break;
        case RTA_GATEWAY:
            (void)take_ip(attr, rt->rtm_family, &route.via); /* else it stays unset */
            break;
        case RTA_PREFSRC:
            (void)take_ip(attr, rt->rtm_family, &route.source);
            break;
        case RTA_OIF:
            if (mnl_attr_get_payload_len(attr) == 4)
                route.link_index = (int)mnl_attr_get_u32(attr);
            break;
        default:
            break;
        }
    }
    return rs->fn(&route, rs->arg);
}

int route_list(struct netlink *n, int family, route_fn *fn, void *arg, struct err *err)
{
    struct routes rs = { .fn = fn, .arg = arg };
    struct rtmsg *rt;
    struct nlmsghdr *m = netlink_begin(n, RTM_GETROUTE, NLM_F_DUMP, &rt, sizeof(*rt));

    rt->rtm_family = (unsigned char)family;
    return netlink_request(n, m, take_route, &rs, err);
}

static int take_found(const struct route *route, void *arg)
{
    *(struct route *)arg = *route;
    return 0;
}

int route_find(struct netlink *n, const struct ip *ip, struct route *ret, struct err *err)
{
    struct route found = { .link_index = 0 };
    struct routes rs = { .fn = take_found, .arg = &found };
    char text[IP_TEXT_BYTES];
    struct rtmsg *rt;
    struct nlmsghdr *m = netlink_begin(n, RTM_GETROUTE, 0, &rt, sizeof(*rt));
    int r;

    rt->rtm_family = ip->family;
    rt->rtm_dst_len = (unsigned char)ip_bits(ip);
    put_ip(m, RTA_DST, ip);
    r = netlink_request(n, m, take_route, &rs, err);
    if (r >= 0 || r == -ENETUNREACH || r == -EHOSTUNREACH) {
        if (r >= 0 && found.link_index) {
            *ret = found;
            return 0;
        }
        return err_set(err, ERR_NOT_FOUND, "no route to %s", ip_print(ip, text));
    }
    return r;
}

int route_add_neighbour(struct netlink *n, int link_index, const struct ip *ip,
                        const uint8_t mac[LINK_MAC_BYTES], struct err *err)
{
    struct ndmsg *nd;
    struct nlmsghdr *m =
        netlink_begin(n, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &nd, sizeof(*nd));
    char text[IP_TEXT_BYTES];
    int r;

    nd->ndm_family = ip->family;
    nd->ndm_ifindex = link_index;
    nd->ndm_state = NUD_PERMANENT;
    put_ip(m, NDA_DST, ip);
    mnl_attr_put(m, NDA_LLADDR, LINK_MAC_BYTES, mac);
    r = netlink_request(n, m, NULL, NULL, err);
    return r < 0 ? err_wrap(err, "add neighbour %s", ip_print(ip, text)) : 0;
}

static struct nlmsghdr *put_forwarding(struct netlink *n, uint16_t type, int link_index,
                                       const struct ip *remote, const uint8_t *mac)
{
    struct ndmsg *nd;
    struct nlmsghdr *m = netlink_begin(
        n, type, type == RTM_NEWNEIGH ? NLM_F_CREATE | NLM_F_REPLACE : 0, &nd, sizeof(*nd));

    nd->ndm_family = AF_BRIDGE;
    nd->ndm_ifindex = link_index;
    nd->ndm_state = NUD_PERMANENT;
    nd->ndm_flags = NTF_SELF;
    put_ip(m, NDA_DST, remote);
    mnl_attr_put(m, NDA_LLADDR, LINK_MAC_BYTES, mac);
    return m;
}

int route_add_forwarding(struct netlink *n, int link_index, const struct ip *remote,
                         const uint8_t mac[LINK_MAC_BYTES], struct err *err)
{
    return netlink_request(n, put_forwarding(n, RTM_NEWNEIGH, link_index, remote, mac), NULL, NULL,
                           err);
}

int route_delete_forwarding(struct netlink *n, int link_index, const struct ip *remote,
                            const uint8_t mac[LINK_MAC_BYTES], struct err *err)
{
    int r = netlink_request(n, put_forwarding(n, RTM_DELNEIGH, link_index, remote, mac), NULL, NULL,
                            err);

    return r == -ENOENT ? 0 : r;
}
