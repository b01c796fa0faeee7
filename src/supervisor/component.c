#include "supervisor/component.h"

#include "base/arena.h"
#include "base/str.h"
#include "supervisor/cluster.h"

enum { MAX_WORDS = 40 };

static void word(struct component_words *w, const char *text)
{
    if (w->n + 1 < MAX_WORDS)
        w->argv[w->n++] = text;
}

static void flag(struct component_words *w, const char *name, const char *value)
{
    if (value)
        word(w, arena_printf(w->arena, "--%s=%s", name, value).p);
}

static void number(struct component_words *w, const char *name, unsigned value)
{
    if (value)
        word(w, arena_printf(w->arena, "--%s=%u", name, value).p);
}

static void file(struct component_words *w, const struct cluster *c, const char *name,
                 const char *below_root)
{
    flag(w, name, cluster_path(w->arena, c, below_root));
}

static void apiserver_words(struct component_words *w, const struct cluster *c,
                            const struct cluster_node *node)
{
    static const char *const files[][2] = {
        { "tls-cert-file", "pki/apiserver.crt" },
        { "tls-private-key-file", "pki/apiserver.key" },
        { "client-ca-file", "pki/ca.crt" },
        { "kubelet-client-certificate", "pki/apiserver-kubelet-client.crt" },
        { "kubelet-client-key", "pki/apiserver-kubelet-client.key" },
        { "kubelet-certificate-authority", "pki/ca.crt" },
        { "service-account-signing-key-file", "pki/sa.key" },
    };

    (void)node;
    flag(w, "data-dir",
         c->root); /* of an ephemeral cluster a tmpfs, so that a restart loses nothing */
    flag(w, "soft-dir", c->soft_dir);
    number(w, "secure-port", c->o->secure_port);
    flag(w, "bind-address", c->o->bind_address);
    flag(w, "advertise-address", c->server);
    flag(w, "service-cluster-ip-range", c->o->service_cidr);
    flag(w, "service-node-port-range", c->o->node_ports);
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        file(w, c, files[i][0], files[i][1]);
}

static void controller_manager_words(struct component_words *w, const struct cluster *c,
                                     const struct cluster_node *node)
{
    (void)node;
    file(w, c, "kubeconfig", "controller-manager.conf");
    flag(w, "cluster-cidr", c->o->cluster_cidr);
    file(w, c, "root-ca-file", "pki/ca.crt");
    file(w, c, "service-account-private-key-file", "pki/sa.key");
    file(w, c, "cluster-signing-cert-file", "pki/ca.crt");
    file(w, c, "cluster-signing-key-file", "pki/ca.key");
}

static void scheduler_words(struct component_words *w, const struct cluster *c,
                            const struct cluster_node *node)
{
    (void)node;
    file(w, c, "kubeconfig", "scheduler.conf");
}

static void kubelet_words(struct component_words *w, const struct cluster *c,
                          const struct cluster_node *node)
{
    struct arena *a = w->arena;

    file(w, c, "kubeconfig", arena_printf(a, "kubelet-%s.conf", node->name).p);
    flag(w, "hostname-override", node->name);
    flag(w, "node-ip", node->ip);
    flag(w, "netns", node->netns);
    flag(w, "root-dir", node->root_dir);
    flag(w, "state-dir", node->state_dir);
    flag(w, "pod-manifest-path", arena_printf(a, "%s/manifests", node->root_dir).p);
    flag(w, "image-dir", c->image_dir);
    flag(w, "log-dir", c->log_dir);
    flag(w, "cgroup-root", node->cgroup_root);
    flag(w, "cluster-dns", c->cluster_dns);
    /* On machines that are also used otherwise a disk is often nearly full. */
    flag(w, "eviction-hard",
         "nodefs.available<3%,nodefs.inodesFree<3%,imagefs.available<3%,imagefs.inodesFree<3%");
    number(w, "port", c->o->kubelet_port);
    file(w, c, "tls-cert-file", arena_printf(a, "pki/kubelet-%s.crt", node->name).p);
    file(w, c, "tls-private-key-file", arena_printf(a, "pki/kubelet-%s.key", node->name).p);
    file(w, c, "client-ca-file", "pki/ca.crt");
    flag(w, "registries-file", c->o->registries_file);
}

static void proxy_words(struct component_words *w, const struct cluster *c,
                        const struct cluster_node *node)
{
    file(w, c, "kubeconfig", "proxy.conf");
    flag(w, "hostname-override", node ? node->name : NULL);
    flag(w, "cluster-cidr", c->o->cluster_cidr);
    flag(w, "nft-table", c->nft_table);
    flag(w, "netns", node ? node->netns : NULL);
}

static void dns_words(struct component_words *w, const struct cluster *c,
                      const struct cluster_node *node)
{
    (void)node;
    file(w, c, "kubeconfig", "dns.conf");
    flag(w, "address", c->gateway ? c->gateway : c->nodes[0].ip);
    number(w, "port", c->o->dns_port);
    flag(w, "cluster-dns", c->cluster_dns);
    flag(w, "cluster-domain", "cluster.local");
    flag(w, "upstream", c->o->dns_upstream);
}

/* clang-format off */
const struct component_row component_rows[] = {
    { "apiserver", COMPONENT_OF_CLUSTER, .has_ready_line = true, .is_first = true, .words = apiserver_words },
    { "controller-manager", COMPONENT_OF_CLUSTER, .words = controller_manager_words },
    { "kubelet", COMPONENT_OF_NODE, .has_cleanup = true, .words = kubelet_words },
    { "scheduler", COMPONENT_OF_CLUSTER, .words = scheduler_words },
    { "proxy", COMPONENT_OF_NODE, .has_cleanup = true, .words = proxy_words },
    { "proxy", COMPONENT_OF_GATEWAY, .has_cleanup = true, .words = proxy_words },
    { "dns", COMPONENT_OF_CLUSTER, .words = dns_words },
    { 0 },
};
/* clang-format on */

const char *const *component_argv(struct arena *a, const struct component_row *row,
                                  const struct cluster *c, const struct cluster_node *node,
                                  const char *extra)
{
    struct component_words w = { .arena = a, .argv = ARENA_NEW_ARRAY(a, const char *, MAX_WORDS) };

    word(&w, c->o->program);
    word(&w, row->command);
    row->words(&w, c, node);
    number(&w, "v", c->o->verbosity);
    if (extra)
        word(&w, extra);
    return w.argv;
}
