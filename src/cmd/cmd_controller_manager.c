/* pintle controller-manager --kubeconfig FILE: the control loops, as a client of the API server. */
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/flags.h"
#include "codec/time_text.h"
#include "controller/controller.h"

static int fail(const char *text)
{
    (void)fprintf(stderr, "pintle controller-manager: %s\n", text);
    return 2;
}

int cmd_controller_manager(int argc, char **argv)
{
    struct controller_manager_options o = { 0 };
    const char *cluster_cidr = NULL, *grace = "50s", *signing = "8760h";
    int64_t grace_ns, signing_ns;
    uint32_t mask = 24, verbosity = 0;
    const struct flag flags[] = {
        { "kubeconfig", FLAG_STRING, &o.kubeconfig,
          "how to reach the API server, else as a Pod does" },
        { "cluster-cidr", FLAG_STRING, &cluster_cidr,
          "range that nodes get their Pod ranges from" },
        { "node-cidr-mask-size", FLAG_UINT, &mask, "size of a node's range (default 24)" },
        { "root-ca-file", FLAG_STRING, &o.root_ca_file,
          "authority that Pods verify the API server by, else the kubeconfig's" },
        { "service-account-private-key-file", FLAG_STRING, &o.service_account_key_file,
          "signs the tokens of Secrets of service accounts" },
        { "cluster-signing-cert-file", FLAG_STRING, &o.cluster_signing_cert_file,
          "authority that signs certificate requests" },
        { "cluster-signing-key-file", FLAG_STRING, &o.cluster_signing_key_file, "its key" },
        { "cluster-signing-duration", FLAG_STRING, &signing,
          "how long its certificates are good, at most (default 8760h)" },
        { "node-monitor-grace-period", FLAG_STRING, &grace,
          "how long a node may be silent (default 50s)" },
        { "leader-elect", FLAG_BOOL, &o.leader_elect,
          "act only while holding the Lease kube-system/kube-controller-manager" },
        { "v", FLAG_UINT, &verbosity, "log verbosity; 4 and above shows debug lines" },
        { 0 },
    };
    struct err err;
    int r =
        flags_parse_only(flags, argc, argv, "pintle controller-manager --kubeconfig FILE", &err);

    if (r == 1)
        return 0;
    if (r < 0)
        return fail(err.text);
    if (mask < 8 || mask > 30)
        return fail("--node-cidr-mask-size must be between 8 and 30");
    if (!time_text_parse_duration(str_from_cstr(grace), &grace_ns) || grace_ns < 1000000)
        return fail("--node-monitor-grace-period must be a duration, as 50s");
    if (!time_text_parse_duration(str_from_cstr(signing), &signing_ns) || signing_ns < 1000000000)
        return fail("--cluster-signing-duration must be a duration, as 8760h");
    if (!o.cluster_signing_cert_file != !o.cluster_signing_key_file)
        return fail("--cluster-signing-cert-file and --cluster-signing-key-file go together");
    o.node_monitor_grace_ms = grace_ns / 1000000;
    o.cluster_signing_duration_s = signing_ns / 1000000000;
    if (verbosity >= 4)
        log_set_level(LOG_LEVEL_DEBUG);
    o.cluster_cidr = str_from_cstr(cluster_cidr);
    o.node_cidr_mask_size = (int)mask;
    return controller_manager_run(&o);
}
