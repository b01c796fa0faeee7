#include "cni/cni_routed.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/macros.h"
#include "cni/cni_ipam.h"
#include "net/link.h"
#include "net/netlink.h"
#include "net/netns.h"
#include "net/route.h"

DEFINE_CLEANUP(struct netlink *, netlink_free);

static const uint8_t host_mac[LINK_MAC_BYTES] = { 0xee, 0xee, 0xee, 0xee, 0xee, 0xee };
static const struct ip gateway4 = { AF_INET, { 169, 254, 1, 1 } };
static const struct ip gateway6 = { AF_INET6, { 0xfe, 0x80, [15] = 1 } };

static const struct ip *gateway_of(const struct ip *ip)
{
    return ip->family == AF_INET ? &gateway4 : &gateway6;
}

static struct ip_prefix host_prefix(const struct ip *ip)
{
    return (struct ip_prefix){ .ip = *ip, .len = ip_bits(ip) };
}

static int owner_of(const struct cni_routed_pod *pod, char ret[CNI_IPAM_OWNER_BYTES],
                    struct str *ret_owner, struct err *err)
{
    int n =
        snprintf(ret, CNI_IPAM_OWNER_BYTES, "%.*s\n%s", STR_ARG(pod->container_id), pod->interface);

    if (n < 0 || n >= CNI_IPAM_OWNER_BYTES || pod->container_id.len == 0)
        return err_set(err, ERR_INVALID, "a container id of %zu bytes", pod->container_id.len);
    *ret_owner = str_n(ret, (size_t)n);
    return 0;
}

/* The same for the same Pod, whoever asks: a hash that does not differ from process to process. */
static void host_name(struct str owner, char ret[LINK_NAME_BYTES])
{
    static const uint64_t key[2] = { 0x70696e746c65, 0x76657468 };
    uint64_t h = hash_siphash13(key, owner.p, owner.len);

    (void)snprintf(ret, LINK_NAME_BYTES, "ptl%011llx", (unsigned long long)(h & 0xfffffffffffULL));
}

static void pod_mac(const struct ip *ip, uint8_t ret[LINK_MAC_BYTES])
{
    static const uint8_t prefix[] = { 0x0a, 0x58 };

    memcpy(ret, prefix, sizeof(prefix));
    memcpy(ret + 2, ip->family == AF_INET ? ip->bytes : ip->bytes + 12, 4);
}

struct addresses {
    struct ip ips[CNI_ROUTED_MAX_RANGES];
    size_t n;
};

static int allocate(const struct cni_routed_config *config, struct str owner, struct addresses *ret,
                    struct err *err)
{
    for (ret->n = 0; ret->n < config->n_ranges; ret->n++) {
        int r = cni_ipam_allocate(config->directory, &config->ranges[ret->n], owner,
                                  &ret->ips[ret->n], err);

        if (r < 0)
            return r;
    }
    if (ret->n == 0)
        return err_set(err, ERR_NOT_FOUND, "the node has no Pod range");
    return 0;
}

/* Nobody makes himself a router by a word (CVE-2020-10749): a Pod not for its node, nor the node
 * for its Pods. */
static int refuse_advertisements(int netns_fd, const char *interface, struct err *err)
{
    char key[64 + LINK_NAME_BYTES];
    int r;

    (void)snprintf(key, sizeof(key), "net/ipv6/conf/%s/accept_ra", interface);
    r = netns_sysctl(netns_fd, key, "0", err);
    return r == -ENOENT ? 0 : r; /* a kernel without IPv6 */
}

static int set_up_pod(int netns_fd, const struct cni_routed_pod *pod, const struct addresses *as,
                      struct err *err)
{
    CLEANUP(netlink_free) struct netlink *n = NULL;
    int index, r = netlink_new(netns_fd, NETLINK_OF_ROUTE, &n, err);

    if (r < 0)
        return r;
    index = link_index(n, pod->interface, err);
    if (index < 0)
        return index;
    r = refuse_advertisements(netns_fd, pod->interface, err);
    if (r == 0)
        r = link_set_up(n, index, true, err);
    for (size_t i = 0; r == 0 && i < as->n; i++) {
        const struct ip_prefix address = host_prefix(&as->ips[i]);
        const struct ip *gateway = gateway_of(&as->ips[i]);
        const struct route direct = { .to = host_prefix(gateway), .link_index = index };
        const struct route by_default = { .to = { .ip = { .family = gateway->family } },
                                          .link_index = index,
                                          .via = *gateway,
                                          .onlink = true };

        r = route_add_address(n, index, &address, err);
        if (r == 0)
            r = route_add_neighbour(n, index, gateway, host_mac, err);
        if (r == 0 && gateway->family == AF_INET)
            r = route_add(n, &direct, err);
        if (r == 0)
            r = route_add(n, &by_default, err);
    }
    return r;
}

static int set_up_node(struct netlink *n, const char *name, const struct addresses *as,
                       const uint8_t mac[LINK_MAC_BYTES], struct err *err)
{
    int index = link_index(n, name, err), r;

    if (index < 0)
        return index;
    r = refuse_advertisements(-1, name, err);
    for (size_t i = 0; r == 0 && i < as->n; i++) {
        const struct route to_pod = { .to = host_prefix(&as->ips[i]), .link_index = index };

        r = route_add_neighbour(n, index, &as->ips[i], mac, err);
        if (r == 0)
            r = route_add(n, &to_pod, err);
        if (r == 0)
            r = as->ips[i].family == AF_INET
                    ? netns_sysctl(-1, "net/ipv4/ip_forward", "1", err)
                    : netns_sysctl(-1, "net/ipv6/conf/all/forwarding", "1", err);
    }
    return r;
}

static void fill_result(const char *name, const struct cni_routed_pod *pod,
                        const struct addresses *as, const uint8_t *mac, struct cni_result *ret)
{
    *ret = (struct cni_result){ .n_interfaces = 2, .n_ips = as->n };
    (void)snprintf(ret->interfaces[0].name, sizeof(ret->interfaces[0].name), "%s", name);
    (void)snprintf(ret->interfaces[0].mac, sizeof(ret->interfaces[0].mac), "ee:ee:ee:ee:ee:ee");
    (void)snprintf(ret->interfaces[1].name, sizeof(ret->interfaces[1].name), "%s", pod->interface);
    (void)snprintf(ret->interfaces[1].mac, sizeof(ret->interfaces[1].mac),
                   "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
    (void)snprintf(ret->interfaces[1].sandbox, sizeof(ret->interfaces[1].sandbox), "%s",
                   pod->netns_path);
    for (size_t i = 0; i < as->n; i++)
        ret->ips[i] = (struct cni_address){ .address = host_prefix(&as->ips[i]),
                                            .gateway = *gateway_of(&as->ips[i]),
                                            .interface = 1 };
}

static int connect_pod(const struct cni_routed_config *config, const struct cni_routed_pod *pod,
                       const char *name, const struct addresses *as, const uint8_t *mac,
                       struct err *err)
{
    CLEANUP(netlink_free) struct netlink *n = NULL;
    int r = netlink_new(-1, NETLINK_OF_ROUTE, &n, err), fd;

    if (r < 0)
        return r;
    fd = netns_open(pod->netns_path, err);
    if (fd < 0)
        return fd;
    r = link_delete(n, name, err); /* of a crash before */
    if (r == 0)
        r = link_add_veth(n,
                          &(struct link_veth){ .name = name,
                                               .peer_name = pod->interface,
                                               .peer_netns_fd = fd,
                                               .mtu = config->mtu,
                                               .mac = host_mac,
                                               .peer_mac = mac,
                                               .up = true },
                          err);
    if (r == 0)
        r = set_up_pod(fd, pod, as, err);
    if (r == 0)
        r = set_up_node(n, name, as, mac, err);
    (void)close(fd);
    return r;
}

int cni_routed_add(const struct cni_routed_config *config, const struct cni_routed_pod *pod,
                   struct cni_result *ret, struct err *err)
{
    char owner_text[CNI_IPAM_OWNER_BYTES], name[LINK_NAME_BYTES];
    uint8_t mac[LINK_MAC_BYTES];
    struct addresses as;
    struct str owner;
    struct err ignored;
    int r = owner_of(pod, owner_text, &owner, err);

    if (r < 0)
        return r;
    host_name(owner, name);
    r = allocate(config, owner, &as, err);
    if (r == 0) {
        pod_mac(&as.ips[0], mac);
        r = connect_pod(config, pod, name, &as, mac, err);
    }
    if (r < 0) {
        (void)cni_routed_delete(config, pod, &ignored); /* the first failure is what counts */
        return r;
    }
    fill_result(name, pod, &as, mac, ret);
    return 0;
}

int cni_routed_delete(const struct cni_routed_config *config, const struct cni_routed_pod *pod,
                      struct err *err)
{
    CLEANUP(netlink_free) struct netlink *n = NULL;
    char owner_text[CNI_IPAM_OWNER_BYTES], name[LINK_NAME_BYTES];
    struct str owner;
    int r = owner_of(pod, owner_text, &owner, err);

    if (r == 0)
        r = netlink_new(-1, NETLINK_OF_ROUTE, &n, err);
    if (r < 0)
        return r;
    host_name(owner, name);
    r = link_delete(n, name, err); /* its peer and routes go with it */
    if (r < 0)
        return err_wrap(err, "delete link '%s'", name);
    return cni_ipam_release(config->directory, owner, err);
}

struct sandboxes {
    const struct str *ids;
    size_t n;
};

static bool is_of_sandbox(struct str owner, void *arg)
{
    const struct sandboxes *s = arg;
    struct str id, interface;

    if (!str_cut(owner, '\n', &id, &interface))
        return false; /* never written, or not whole */
    for (size_t i = 0; i < s->n; i++)
        if (str_eq(id, s->ids[i]))
            return true;
    return false;
}

int cni_routed_retain(const struct cni_routed_config *config, const struct str *ids, size_t n_ids,
                      struct err *err)
{
    struct sandboxes s = { .ids = ids, .n = n_ids };

    return cni_ipam_retain(config->directory, is_of_sandbox, &s, err);
}

struct expected {
    const struct ip *ip;
    bool found;
};

static int see_address(int link_index, const struct ip_prefix *address, void *arg)
{
    struct expected *e = arg;

    (void)link_index;
    e->found = e->found || ip_cmp(&address->ip, e->ip) == 0;
    return 0;
}

static int see_route(const struct route *route, void *arg)
{
    struct expected *e = arg;

    e->found = e->found || (route->to.len == ip_bits(e->ip) && ip_cmp(&route->to.ip, e->ip) == 0);
    return 0;
}

static int check_ip(struct netlink *node, struct netlink *in_pod, int index, const struct ip *ip,
                    struct err *err)
{
    struct expected e = { .ip = ip };
    char text[IP_TEXT_BYTES];
    int r = route_list_addresses(in_pod, index, see_address, &e, err);

    if (r < 0)
        return r;
    if (!e.found)
        return err_set(err, ERR_NOT_FOUND, "the Pod has no address %s", ip_print(ip, text));
    e.found = false;
    r = route_list(node, ip->family, see_route, &e, err);
    if (r < 0)
        return r;
    if (!e.found)
        return err_set(err, ERR_NOT_FOUND, "the node has no route to %s", ip_print(ip, text));
    return 0;
}

int cni_routed_check(const struct cni_routed_config *config, const struct cni_routed_pod *pod,
                     const struct cni_result *result, struct err *err)
{
    CLEANUP(netlink_free) struct netlink *node = NULL;
    CLEANUP(netlink_free) struct netlink *in_pod = NULL;
    char owner_text[CNI_IPAM_OWNER_BYTES], name[LINK_NAME_BYTES];
    struct str owner;
    int r = owner_of(pod, owner_text, &owner, err), fd, index;

    (void)config;
    if (r < 0)
        return r;
    host_name(owner, name);
    fd = netns_open(pod->netns_path, err);
    if (fd < 0)
        return fd;
    r = netlink_new(fd, NETLINK_OF_ROUTE, &in_pod, err);
    (void)close(fd);
    if (r == 0)
        r = netlink_new(-1, NETLINK_OF_ROUTE, &node, err);
    if (r == 0)
        r = link_index(node, name, err);
    if (r < 0)
        return r;
    index = link_index(in_pod, pod->interface, err);
    if (index < 0)
        return index;
    r = 0;
    for (size_t i = 0; r == 0 && i < result->n_ips; i++)
        r = check_ip(node, in_pod, index, &result->ips[i].address.ip, err);
    return r;
}
