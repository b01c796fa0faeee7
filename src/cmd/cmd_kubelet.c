/* pintle kubelet --kubeconfig FILE: the node agent. It enters its node's network namespace, when
 * one is named, and a mount namespace of its own before it has threads. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/flags.h"
#include "kubelet/kubelet.h"
#include "kubelet/node/node_pressure.h"
#include "net/netns.h"
#include "runtime/node_mounts.h"
#include "runtime/runtime_files.h"

static int fail(const char *text)
{
    (void)fprintf(stderr, "pintle kubelet: %s\n", text);
    return 2;
}

static int enter(const struct kubelet_options *o, const char *netns, struct err *err)
{
    struct arena a = { 0 };
    int r = runtime_files_make_directory(o->state_directory, 0755, err);

    if (r >= 0 && netns)
        r = netns_enter(netns, err);
    if (r >= 0)
        r = node_mounts_enter(arena_printf(&a, "%s/mounts", o->state_directory).p, err);
    arena_done(&a);
    return r;
}

/* The mount namespace can be let go of from outside alone: the work is a child's. */
static int clean_up(const struct kubelet_options *o, const char *netns)
{
    struct arena a = { 0 };
    const char *path = arena_printf(&a, "%s/mounts", o->state_directory).p;
    pid_t pid = fork(); /* nobody has threads yet */
    int status = 1;
    struct err err;

    if (pid == 0) {
        if (enter(o, netns, &err) < 0) {
            (void)fprintf(stderr, "pintle kubelet: %s\n", err.text);
            _exit(1);
        }
        _exit(kubelet_run(o));
    }
    if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 &&
        node_mounts_remove(path, &err) < 0) {
        (void)fprintf(stderr, "pintle kubelet: %s\n", err.text);
        status = 1;
    }
    arena_done(&a);
    return status ? 1 : 0;
}

int cmd_kubelet(int argc, char **argv)
{
    static char host_name[256];
    struct kubelet_options o = { .root_directory = "/var/lib/kubelet",
                                 .state_directory = "/run/pintle/kubelet",
                                 .log_directory = "/var/log/pods",
                                 .cluster_domain = "cluster.local",
                                 .eviction_hard = NODE_PRESSURE_DEFAULT,
                                 .port = 10250,
                                 .max_pods = 110 };
    const char *netns = NULL;
    uint32_t verbosity = 0;
    const struct flag flags[] = {
        { "kubeconfig", FLAG_STRING, &o.kubeconfig, "how to reach the API server" },
        { "hostname-override", FLAG_STRING, &o.node_name, "the node's name, else the host's" },
        { "node-ip", FLAG_STRING, &o.node_ip, "address of the node" },
        { "root-dir", FLAG_STRING, &o.root_directory, "state of Pods (default /var/lib/kubelet)" },
        { "state-dir", FLAG_STRING, &o.state_directory,
          "sockets and namespaces (default /run/pintle/kubelet)" },
        { "image-dir", FLAG_STRING, &o.image_directory, "images, else below the root" },
        { "log-dir", FLAG_STRING, &o.log_directory, "logs of Pods (default /var/log/pods)" },
        { "cgroup-root", FLAG_STRING, &o.cgroup_root, "control group above Pods (default /)" },
        { "cluster-dns", FLAG_STRING, &o.cluster_dns, "address of the cluster's DNS" },
        { "cluster-domain", FLAG_STRING, &o.cluster_domain, "its domain (default cluster.local)" },
        { "address", FLAG_STRING, &o.address, "address that the port is opened on" },
        { "port", FLAG_PORT, &o.port, "port of the kubelet (default 10250)" },
        { "tls-cert-file", FLAG_STRING, &o.cert_file, "certificate of the port" },
        { "tls-private-key-file", FLAG_STRING, &o.key_file, "its key" },
        { "client-ca-file", FLAG_STRING, &o.client_ca_file, "authority of its clients" },
        { "max-pods", FLAG_UINT, &o.max_pods, "how many Pods the node takes (default 110)" },
        { "pod-max-pids", FLAG_UINT, &o.pod_max_pids,
          "how many processes a Pod may have (default as many as the machine takes)" },
        { "eviction-hard", FLAG_STRING, &o.eviction_hard,
          "when the node is short of something (default " NODE_PRESSURE_DEFAULT ")" },
        { "node-labels", FLAG_STRING, &o.node_labels, "labels of a new Node: a=b,c=d" },
        { "register-with-taints", FLAG_STRING, &o.node_taints,
          "taints of a new Node: a=b:NoSchedule,..." },
        { "pod-manifest-path", FLAG_STRING, &o.manifest_directory,
          "directory of static Pods' manifests" },
        { "registries-file", FLAG_STRING, &o.registries_file, "how registries are reached" },
        { "cni-conf-dir", FLAG_STRING, &o.cni_conf_directory,
          "configuration of CNI plugins, else our own network" },
        { "cni-bin-dir", FLAG_STRING, &o.cni_bin_directory, "where CNI plugins are" },
        { "netns", FLAG_STRING, &netns, "network namespace of the node, else ours" },
        { "cleanup", FLAG_BOOL, &o.cleanup, "remove all Pods of this node, and end" },
        { "v", FLAG_UINT, &verbosity, "log verbosity; 4 and above shows debug lines" },
        { 0 },
    };
    struct err err;
    int r = flags_parse_only(flags, argc, argv, "pintle kubelet --kubeconfig FILE", &err);

    if (r == 1)
        return 0;
    if (r < 0)
        return fail(err.text);
    if (!o.kubeconfig && !o.cleanup)
        return fail("--kubeconfig is needed");
    if (geteuid() != 0)
        return fail("must run as root: it makes namespaces, mounts and control groups");
    if (!o.node_name) {
        (void)gethostname(host_name, sizeof(host_name) - 1);
        for (char *p = host_name; *p; p++)
            *p = (char)(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
        o.node_name = host_name;
    }
    if (verbosity >= 4)
        log_set_level(LOG_LEVEL_DEBUG);
    if (o.cleanup)
        return clean_up(&o, netns);
    if (enter(&o, netns, &err) < 0) {
        (void)fprintf(stderr, "pintle kubelet: %s\n", err.text);
        return 1;
    }
    return kubelet_run(&o);
}
