/* pintle dns --kubeconfig FILE --address IP: the names of the cluster. */
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/flags.h"
#include "dns/dns.h"

static int fail(const char *text)
{
    (void)fprintf(stderr, "pintle dns: %s\n", text);
    return 2;
}

static bool parse_pods(const char *text, enum dns_zone_pods *ret)
{
    static const char *const modes[] = { "insecure", "verified", "disabled" };

    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (!strcmp(text, modes[i])) {
            *ret = (enum dns_zone_pods)i;
            return true;
        }
    return false;
}

int cmd_dns(int argc, char **argv)
{
    struct dns_options o = {
        .address = "127.0.0.1", .port = 1053, .domain = "cluster.local", .cache_entries = 10000
    };
    const char *pods = "insecure";
    uint32_t verbosity = 0;
    const struct flag flags[] = {
        { "kubeconfig", FLAG_STRING, &o.kubeconfig, "how to reach the API server" },
        { "address", FLAG_STRING, &o.address,
          "where to answer, reachable by Pods (default 127.0.0.1)" },
        { "port", FLAG_PORT, &o.port, "UDP and TCP (default 1053)" },
        { "cluster-dns", FLAG_STRING, &o.cluster_dns,
          "address of the Service kube-dns, else none" },
        { "cluster-domain", FLAG_STRING, &o.domain, "domain (default cluster.local)" },
        { "upstream", FLAG_STRING, &o.upstream,
          "who knows the rest, IP or IP:PORT (default /etc/resolv.conf)" },
        { "cache-entries", FLAG_UINT, &o.cache_entries,
          "answers of others that are remembered (default 10000; 0: none)" },
        { "pods", FLAG_STRING, &pods,
          "names of Pods: insecure (every address), verified, disabled" },
        { "health-port", FLAG_PORT, &o.health_port, "/health at the address; 0: none" },
        { "ready-port", FLAG_PORT, &o.ready_port, "/ready at the address; 0: none" },
        { "metrics-port", FLAG_PORT, &o.metrics_port, "/metrics at the address; 0: none" },
        { "v", FLAG_UINT, &verbosity, "log verbosity; 4 and above shows debug lines" },
        { 0 },
    };
    struct err err;
    int r = flags_parse_only(flags, argc, argv, "pintle dns --kubeconfig FILE", &err);

    if (r == 1)
        return 0;
    if (r < 0)
        return fail(err.text);
    if (!o.kubeconfig)
        return fail("--kubeconfig is needed");
    if (!parse_pods(pods, &o.pods_mode))
        return fail("--pods must be insecure, verified or disabled");
    if (verbosity >= 4)
        log_set_level(LOG_LEVEL_DEBUG);
    return dns_run(&o);
}
