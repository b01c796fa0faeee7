/* pintle proxy --kubeconfig FILE: Services in the kernel of one node. */
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/flags.h"
#include "net/netns.h"
#include "proxy/proxy.h"

static int fail(const char *text)
{
    (void)fprintf(stderr, "pintle proxy: %s\n", text);
    return 2;
}

int cmd_proxy(int argc, char **argv)
{
    struct proxy_options o = { .table = "pintle" };
    const char *netns = NULL;
    uint32_t verbosity = 0;
    const struct flag flags[] = {
        { "kubeconfig", FLAG_STRING, &o.kubeconfig, "how to reach the API server" },
        { "hostname-override", FLAG_STRING, &o.node_name, "name of the node, else none" },
        { "cluster-cidr", FLAG_STRING, &o.cluster_cidr,
          "range of all Pods; they leave it under the node's address" },
        { "nft-table", FLAG_STRING, &o.table, "table of nftables (default pintle)" },
        { "netns", FLAG_STRING, &netns, "network namespace of the node, else ours" },
        { "healthz-bind-address", FLAG_STRING, &o.healthz,
          "for /healthz and /livez (default of a node 0.0.0.0:10256)" },
        { "metrics-bind-address", FLAG_STRING, &o.metrics,
          "for /metrics (default of a node 127.0.0.1:10249)" },
        { "cleanup", FLAG_BOOL, &o.cleanup, "remove the table and the routes, and end" },
        { "v", FLAG_UINT, &verbosity, "log verbosity; 4 and above shows debug lines" },
        { 0 },
    };
    struct err err;
    int r = flags_parse_only(flags, argc, argv, "pintle proxy --kubeconfig FILE", &err);

    if (r == 1)
        return 0;
    if (r < 0)
        return fail(err.text);
    if (!o.kubeconfig && !o.cleanup)
        return fail("--kubeconfig is needed");
    if (geteuid() != 0)
        return fail("must run as root: it changes the kernel's tables");
    if (o.node_name && *o.node_name) {
        o.healthz = o.healthz ? o.healthz : "0.0.0.0:10256";
        o.metrics = o.metrics ? o.metrics : "127.0.0.1:10249";
    }
    if (verbosity >= 4)
        log_set_level(LOG_LEVEL_DEBUG);
    if (netns && netns_enter(netns, &err) < 0) {
        (void)fprintf(stderr, "pintle proxy: %s\n", err.text);
        return 1;
    }
    return proxy_run(&o);
}
