#include "supervisor/cluster.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "net/ip_prefix.h"

#define TMPFS_MAGIC 0x01021994

const char *cluster_path(struct arena *a, const struct cluster *c, const char *below_root)
{
    return arena_printf(a, "%s/%s", c->root, below_root).p;
}

const char *cluster_run_path(struct arena *a, const struct cluster *c, const char *below_run_dir)
{
    return arena_printf(a, "%s/%s", c->run_dir, below_run_dir).p;
}

/* --- names --- */

/* Without a slash at its end; the directory need not exist. */
static int absolute(struct arena *a, const char *path, const char **ret, struct err *err)
{
    char here[PATH_MAX];
    struct str text;

    if (!*path)
        return err_set(err, ERR_INVALID, "a directory's name is empty");
    if (*path == '/')
        text = str_dup(a, str_from_cstr(path));
    else if (!getcwd(here, sizeof(here)))
        return err_errno(err, errno, "find the working directory");
    else
        text = arena_printf(a, "%s/%s", here, path);
    while (text.len > 1 && text.p[text.len - 1] == '/')
        text.len--;
    *ret = str_cstr(a, text);
    return 0;
}

/* FNV-1a: the same in every process, and no peer has a say in it. */
static uint32_t id_of(const char *text)
{
    uint32_t h = 2166136261U;

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 16777619U;
    return (h ^ h >> 24) & 0xffffffU;
}

static bool is_tmpfs(const char *path)
{
    struct statfs fs;

    return statfs(path, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

static const char *soft_directory(struct arena *a, const struct cluster *c)
{
    static const char *const places[] = { "/run", "/dev/shm" };

    for (size_t i = 0; i < ARRAY_LEN(places) && !c->o->ephemeral; i++)
        if (is_tmpfs(places[i]))
            return arena_printf(a, "%s/pintle-%s.store", places[i], c->id).p;
    return cluster_path(a, c, "soft");
}

static int name_directories(struct arena *a, struct cluster *c, struct err *err)
{
    int r = absolute(a, c->o->root, &c->root, err);

    if (r < 0)
        return r;
    c->is_default = str_eq(str_from_cstr(c->root), STR(CLUSTER_ROOT));
    c->id = arena_printf(a, "%06x", id_of(c->root)).p;
    if (c->o->run_dir)
        r = absolute(a, c->o->run_dir, &c->run_dir, err);
    else
        c->run_dir = c->is_default ? CLUSTER_RUN : arena_printf(a, CLUSTER_RUN "-%s", c->id).p;
    c->nft_table = c->is_default ? "pintle" : arena_printf(a, "pintle-%s", c->id).p;
    c->log_dir = c->is_default ? "/var/log/pods" : cluster_path(a, c, "log/pods");
    c->image_dir = cluster_path(a, c, "images");
    c->soft_dir = soft_directory(a, c);
    return r;
}

/* --- addresses --- */

static int prefix_of(const char *flag, const char *text, struct ip_prefix *ret, struct err *err)
{
    struct str first;

    (void)str_cut(str_from_cstr(text), ',', &first, &(struct str){ 0 });
    if (!ip_prefix_parse(first, ret))
        return err_set(err, ERR_INVALID, "--%s: '%s' is no address range", flag, text);
    return 0;
}

static int nth(struct arena *a, const char *flag, const struct ip_prefix *range, uint64_t n,
               const char **ret, struct err *err)
{
    char text[IP_TEXT_BYTES];
    struct ip ip;

    if (!ip_prefix_nth(range, n, &ip))
        return err_set(err, ERR_INVALID, "--%s: the range is too small", flag);
    *ret = str_cstr(a, str_from_cstr(ip_print(&ip, text)));
    return 0;
}

/* The source of packets to anywhere. 203.0.113.0/24 is for documentation: nobody is there, and
 * connecting a datagram socket sends nothing. */
static bool default_address(struct ip *ret)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) }, from = { 0 };
    socklen_t len = sizeof(from);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok;

    if (fd < 0)
        return false;
    to.sin_addr.s_addr = htonl(0xcb007101);
    ok = connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0 &&
         getsockname(fd, (struct sockaddr *)&from, &len) == 0;
    (void)close(fd);
    if (!ok)
        return false;
    *ret = (struct ip){ .family = AF_INET };
    memcpy(ret->bytes, &from.sin_addr, 4);
    return ret->bytes[0] != 127;
}

/* Some address that is not of the loopback, wherever it is. */
static bool first_address(struct ip *ret)
{
    struct ifaddrs *list;
    bool found = false;

    if (getifaddrs(&list) < 0)
        return false;
    for (struct ifaddrs *i = list; i && !found; i = i->ifa_next) {
        struct sockaddr_in in;

        if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || !(i->ifa_flags & IFF_UP))
            continue;
        memcpy(&in, i->ifa_addr, sizeof(in));
        *ret = (struct ip){ .family = AF_INET };
        memcpy(ret->bytes, &in.sin_addr, 4);
        found = ret->bytes[0] != 127 && ret->bytes[0] != 169;
    }
    freeifaddrs(list);
    return found;
}

static int own_address(struct arena *a, const struct cluster_options *o, const char **ret,
                       struct err *err)
{
    char text[IP_TEXT_BYTES];
    struct ip ip;

    if (o->node_ip) {
        if (!ip_parse(str_from_cstr(o->node_ip), &ip))
            return err_set(err, ERR_INVALID, "--node-ip: '%s' is no address", o->node_ip);
        *ret = o->node_ip;
        return 0;
    }
    if (!default_address(&ip) && !first_address(&ip))
        return err_set(err, ERR_NOT_FOUND,
                       "this machine has no address but the loopback's: give it one (ip address "
                       "add 192.0.2.1/32 dev lo), or run nodes in namespaces (--nodes 2)");
    *ret = str_cstr(a, str_from_cstr(ip_print(&ip, text)));
    return 0;
}

/* --- nodes --- */

static const char *host_name(struct arena *a)
{
    char text[256] = "";

    (void)gethostname(text, sizeof(text) - 1); /* "" gets a name below */
    for (char *p = text; *p; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
    return str_cstr(a, str_from_cstr(*text ? text : "node"));
}

static void name_node(struct arena *a, const struct cluster *c, struct cluster_node *node)
{
    node->root_dir = arena_printf(a, "%s/nodes/%s", c->root, node->name).p;
    node->state_dir = arena_printf(a, "%s/nodes/%s", c->run_dir, node->name).p;
    node->cgroup_root =
        c->is_default && !node->netns ? "/" : arena_printf(a, "/pintle-%s-%s", c->id, node->name).p;
}

static int plan_single(struct arena *a, struct cluster *c, struct err *err)
{
    struct cluster_node *node = &c->nodes[0];
    int r = own_address(a, c->o, &node->ip, err);

    if (r < 0)
        return r;
    node->name = c->o->node_name ? c->o->node_name : host_name(a);
    name_node(a, c, node);
    c->server = c->o->advertise_address ? c->o->advertise_address : node->ip;
    return 0;
}

static int plan_many(struct arena *a, struct cluster *c, struct err *err)
{
    struct ip_prefix range = { 0 };
    int r = prefix_of("node-cidr", c->o->node_cidr, &range, err);

    if (r >= 0)
        r = nth(a, "node-cidr", &range, 1, &c->gateway, err);
    for (size_t i = 0; i < c->n_nodes && r >= 0; i++) {
        struct cluster_node *node = &c->nodes[i];

        node->name = arena_printf(a, "%s-%zu", c->o->node_name ? c->o->node_name : "node", i + 1).p;
        node->netns = arena_printf(a, "%s/netns/%s", c->run_dir, node->name).p;
        node->link = arena_printf(a, "pn%s-%zu", c->id, i + 1).p;
        name_node(a, c, node);
        r = nth(a, "node-cidr", &range, i + 2, &node->ip, err);
    }
    c->server = c->o->advertise_address ? c->o->advertise_address : c->gateway;
    return r;
}

int cluster_plan(struct arena *a, const struct cluster_options *o, struct cluster *ret,
                 struct err *err)
{
    struct cluster c = { .o = o, .n_nodes = o->n_nodes };
    struct ip_prefix services = { 0 }, pods;
    int r;

    if (o->n_nodes < 1 || o->n_nodes > CLUSTER_MAX_NODES)
        return err_set(err, ERR_INVALID, "--nodes takes 1 to %d", CLUSTER_MAX_NODES);
    c.nodes = ARENA_NEW_ARRAY(a, struct cluster_node, c.n_nodes);
    r = name_directories(a, &c, err);
    if (r >= 0)
        r = prefix_of("service-cluster-ip-range", o->service_cidr, &services, err);
    if (r >= 0)
        r = nth(a, "service-cluster-ip-range", &services, 10, &c.cluster_dns, err);
    if (r >= 0)
        r = prefix_of("cluster-cidr", o->cluster_cidr, &pods, err);
    if (r >= 0)
        r = o->n_nodes == 1 ? plan_single(a, &c, err) : plan_many(a, &c, err);
    if (r >= 0)
        *ret = c;
    return r;
}
