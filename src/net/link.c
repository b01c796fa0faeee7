#include "net/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>

#include "base/err.h"
#include "net/net_internal.h"
#include "net/netlink.h"

static int check_name(const char *name, struct err *err)
{
    size_t len = strlen(name);

    if (len == 0 || len >= LINK_NAME_BYTES || strchr(name, '/'))
        return err_set(err, ERR_INVALID, "'%s' is no name for a link", name);
    return 0;
}

static void put_common(struct nlmsghdr *m, const char *name, uint32_t mtu, const uint8_t *mac)
{
    mnl_attr_put_strz(m, IFLA_IFNAME, name);
    if (mtu)
        mnl_attr_put_u32(m, IFLA_MTU, mtu);
    if (mac)
        mnl_attr_put(m, IFLA_ADDRESS, LINK_MAC_BYTES, mac);
}

static void put_peer(struct nlmsghdr *m, const struct link_veth *veth)
{
    struct nlattr *peer = mnl_attr_nest_start(m, VETH_INFO_PEER);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(m, sizeof(*info));

    memset(info, 0, sizeof(*info));
    info->ifi_family = AF_UNSPEC;
    put_common(m, veth->peer_name, veth->mtu, veth->peer_mac);
    if (veth->peer_netns_fd >= 0)
        mnl_attr_put_u32(m, IFLA_NET_NS_FD, (uint32_t)veth->peer_netns_fd);
    mnl_attr_nest_end(m, peer);
}

int link_add_veth(struct netlink *n, const struct link_veth *veth, struct err *err)
{
    struct ifinfomsg *info;
    struct nlmsghdr *m;
    struct nlattr *link_info, *data;
    int r;

    if (check_name(veth->name, err) < 0 || check_name(veth->peer_name, err) < 0)
        return err->code;
    m = netlink_begin(n, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof(*info));
    if (veth->up)
        info->ifi_change = info->ifi_flags = IFF_UP;
    put_common(m, veth->name, veth->mtu, veth->mac);
    link_info = mnl_attr_nest_start(m, IFLA_LINKINFO);
    mnl_attr_put_strz(m, IFLA_INFO_KIND, "veth");
    data = mnl_attr_nest_start(m, IFLA_INFO_DATA);
    put_peer(m, veth);
    mnl_attr_nest_end(m, data);
    mnl_attr_nest_end(m, link_info);
    r = netlink_request(n, m, NULL, NULL, err);
    return r < 0 ? err_wrap(err, "make the veth pair '%s', '%s'", veth->name, veth->peer_name) : 0;
}

int link_add_vxlan(struct netlink *n, const struct link_vxlan *vxlan, struct err *err)
{
    struct ifinfomsg *info;
    struct nlmsghdr *m;
    struct nlattr *link_info, *data;
    int r;

    if (check_name(vxlan->name, err) < 0)
        return err->code;
    m = netlink_begin(n, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof(*info));
    info->ifi_change = info->ifi_flags = IFF_UP;
    put_common(m, vxlan->name, vxlan->mtu, vxlan->mac);
    link_info = mnl_attr_nest_start(m, IFLA_LINKINFO);
    mnl_attr_put_strz(m, IFLA_INFO_KIND, "vxlan");
    data = mnl_attr_nest_start(m, IFLA_INFO_DATA);
    mnl_attr_put_u32(m, IFLA_VXLAN_ID, vxlan->id);
    mnl_attr_put_u16(m, IFLA_VXLAN_PORT, htons(vxlan->port));
    mnl_attr_put_u8(m, IFLA_VXLAN_LEARNING, 0);
    if (vxlan->local.family)
        mnl_attr_put(m, vxlan->local.family == AF_INET ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6,
                     ip_bytes(&vxlan->local), vxlan->local.bytes);
    mnl_attr_nest_end(m, data);
    mnl_attr_nest_end(m, link_info);
    r = netlink_request(n, m, NULL, NULL, err);
    return r < 0 ? err_wrap(err, "make the VXLAN link '%s'", vxlan->name) : 0;
}

static void read_info(const struct nlmsghdr *m, struct link_info *ret)
{
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(m);
    const struct nlattr *attr;

    *ret = (struct link_info){ .index = info->ifi_index, .is_up = (info->ifi_flags & IFF_UP) != 0 };
    NETLINK_FOREACH(attr, m, sizeof(*info))
    {
        size_t len = mnl_attr_get_payload_len(attr);

        switch (mnl_attr_get_type(attr)) {
        case IFLA_IFNAME:
            memcpy(ret->name, mnl_attr_get_payload(attr), MIN(len, sizeof(ret->name) - 1));
            break;
        case IFLA_ADDRESS:
            if (len == sizeof(ret->mac))
                memcpy(ret->mac, mnl_attr_get_payload(attr), len);
            break;
        case IFLA_MTU:
            ret->mtu = len == 4 ? mnl_attr_get_u32(attr) : 0;
            break;
        case IFLA_LINK:
            ret->peer_index = len == 4 ? (int)mnl_attr_get_u32(attr) : 0;
            break;
        default:
            break;
        }
    }
}

static int take_info(const struct nlmsghdr *m, void *arg)
{
    if (mnl_nlmsg_get_payload_len(m) < sizeof(struct ifinfomsg))
        return ERR_PROTOCOL;
    read_info(m, arg);
    return 0;
}

int link_get(struct netlink *n, const char *name, struct link_info *ret, struct err *err)
{
    struct link_info found = { 0 };
    struct ifinfomsg *info;
    struct nlmsghdr *m;
    int r;

    if (check_name(name, err) < 0)
        return err->code;
    m = netlink_begin(n, RTM_GETLINK, 0, &info, sizeof(*info));
    mnl_attr_put_strz(m, IFLA_IFNAME, name);
    r = netlink_request(n, m, take_info, &found, err);
    if (r < 0)
        return err_wrap(err, "link '%s'", name);
    *ret = found;
    return 0;
}

int link_index(struct netlink *n, const char *name, struct err *err)
{
    struct link_info info = { 0 };
    int r = link_get(n, name, &info, err);

    return r < 0 ? r : info.index;
}

int link_set_up(struct netlink *n, int index, bool up, struct err *err)
{
    struct ifinfomsg *info;
    struct nlmsghdr *m = netlink_begin(n, RTM_NEWLINK, 0, &info, sizeof(*info));

    info->ifi_index = index;
    info->ifi_change = IFF_UP;
    info->ifi_flags = up ? IFF_UP : 0;
    return netlink_request(n, m, NULL, NULL, err);
}

int link_set_mtu(struct netlink *n, int index, uint32_t mtu, struct err *err)
{
    struct ifinfomsg *info;
    struct nlmsghdr *m = netlink_begin(n, RTM_NEWLINK, 0, &info, sizeof(*info));

    info->ifi_index = index;
    mnl_attr_put_u32(m, IFLA_MTU, mtu);
    return netlink_request(n, m, NULL, NULL, err);
}

int link_rename(struct netlink *n, int index, const char *name, struct err *err)
{
    struct ifinfomsg *info;
    struct nlmsghdr *m;

    if (check_name(name, err) < 0)
        return err->code;
    m = netlink_begin(n, RTM_NEWLINK, 0, &info, sizeof(*info));
    info->ifi_index = index;
    mnl_attr_put_strz(m, IFLA_IFNAME, name);
    return netlink_request(n, m, NULL, NULL, err);
}

int link_move(struct netlink *n, int index, int netns_fd, struct err *err)
{
    struct ifinfomsg *info;
    struct nlmsghdr *m = netlink_begin(n, RTM_NEWLINK, 0, &info, sizeof(*info));

    info->ifi_index = index;
    mnl_attr_put_u32(m, IFLA_NET_NS_FD, (uint32_t)netns_fd);
    return netlink_request(n, m, NULL, NULL, err);
}

int link_delete(struct netlink *n, const char *name, struct err *err)
{
    struct ifinfomsg *info;
    struct nlmsghdr *m;
    int r;

    if (check_name(name, err) < 0)
        return err->code;
    m = netlink_begin(n, RTM_DELLINK, 0, &info, sizeof(*info));
    mnl_attr_put_strz(m, IFLA_IFNAME, name);
    r = netlink_request(n, m, NULL, NULL, err);
    return r == -ENODEV ? 0 : r;
}

struct list_args {
    link_fn *fn;
    void *arg;
};

static int list_one(const struct nlmsghdr *m, void *arg)
{
    const struct list_args *a = arg;
    struct link_info info;

    if (mnl_nlmsg_get_payload_len(m) < sizeof(struct ifinfomsg))
        return ERR_PROTOCOL;
    read_info(m, &info);
    return a->fn(&info, a->arg);
}

int link_list(struct netlink *n, link_fn *fn, void *arg, struct err *err)
{
    struct list_args a = { .fn = fn, .arg = arg };
    struct ifinfomsg *info;
    struct nlmsghdr *m = netlink_begin(n, RTM_GETLINK, NLM_F_DUMP, &info, sizeof(*info));

    return netlink_request(n, m, list_one, &a, err);
}
