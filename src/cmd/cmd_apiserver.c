/* pintle apiserver --data-dir DIR: the API server on the certificates in DIR/pki, which are made
 * when they are not there. */
#include <stdio.h>

#include "apiserver/apiserver.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/flags.h"
#include "supervisor/pki.h"

struct words {
    struct apiserver_options o;
    struct arena arena;
    const char *etcd_servers;
    uint32_t verbosity;
};

static int fail(const char *text, int code)
{
    (void)fprintf(stderr, "pintle apiserver: %s\n", text);
    return code;
}

/* Flags that name no certificate get those of the data directory. */
static int fill_in_pki(void *arg, struct err *err)
{
    struct words *w = arg;
    struct arena *a = &w->arena;
    struct pki_options pki = { .dir = w->o.data_dir,
                               .secure_port = w->o.secure_port,
                               .advertise_address = w->o.advertise_address,
                               .service_cidr = w->o.service_cidr };
    struct pki_result result;
    int r;

    if (w->o.tls_cert_file && w->o.tls_key_file && w->o.client_ca_file)
        return 0;
    r = pki_init(&pki, &result, err);
    if (r < 0)
        return r;
    if (!w->o.tls_cert_file || !w->o.tls_key_file) {
        w->o.tls_cert_file = arena_printf(a, "%s/pki/apiserver.crt", w->o.data_dir).p;
        w->o.tls_key_file = arena_printf(a, "%s/pki/apiserver.key", w->o.data_dir).p;
    }
    if (!w->o.kubelet_client_certificate || !w->o.kubelet_client_key) {
        w->o.kubelet_client_certificate =
            arena_printf(a, "%s/pki/apiserver-kubelet-client.crt", w->o.data_dir).p;
        w->o.kubelet_client_key =
            arena_printf(a, "%s/pki/apiserver-kubelet-client.key", w->o.data_dir).p;
    }
    if (!w->o.kubelet_certificate_authority)
        w->o.kubelet_certificate_authority = arena_printf(a, "%s/pki/ca.crt", w->o.data_dir).p;
    if (!w->o.service_account_signing_key_file)
        w->o.service_account_signing_key_file = arena_printf(a, "%s/pki/sa.key", w->o.data_dir).p;
    if (!w->o.client_ca_file)
        w->o.client_ca_file = arena_printf(a, "%s/pki/ca.crt", w->o.data_dir).p;
    return 0;
}

static int serve(struct words *w)
{
    int code;

    if (!w->o.data_dir)
        return fail("--data-dir is needed", 2);
    if (w->etcd_servers)
        return fail(
            "--etcd-servers: etcd as the store is not supported yet; leave the flag out for "
            "the embedded one",
            2);
    if (w->verbosity >= 4)
        log_set_level(LOG_LEVEL_DEBUG);
    w->o.prepare = fill_in_pki;
    w->o.prepare_arg = w;
    code = apiserver_run(&w->o);
    arena_done(&w->arena);
    return code;
}

int cmd_apiserver(int argc, char **argv)
{
    struct words w = { .o = { .secure_port = 6443, .service_cidr = "10.96.0.0/12" } };
    const struct flag flags[] = {
        { "data-dir", FLAG_STRING, &w.o.data_dir, "where certificates and the store live" },
        { "secure-port", FLAG_PORT, &w.o.secure_port, "port to serve HTTPS on" },
        { "bind-address", FLAG_STRING, &w.o.bind_address, "address to listen on (default all)" },
        { "advertise-address", FLAG_STRING, &w.o.advertise_address,
          "address that others reach this server by" },
        { "service-cluster-ip-range", FLAG_STRING, &w.o.service_cidr,
          "range of Service addresses" },
        { "service-node-port-range", FLAG_STRING, &w.o.node_port_range,
          "node ports of Services (default 30000-32767)" },
        { "tls-cert-file", FLAG_STRING, &w.o.tls_cert_file,
          "server certificate, else of DATA-DIR/pki" },
        { "tls-private-key-file", FLAG_STRING, &w.o.tls_key_file, "its key" },
        { "client-ca-file", FLAG_STRING, &w.o.client_ca_file,
          "authority of client certificates, else of DATA-DIR/pki" },
        { "kubelet-client-certificate", FLAG_STRING, &w.o.kubelet_client_certificate,
          "certificate shown to kubelets, else of DATA-DIR/pki" },
        { "kubelet-client-key", FLAG_STRING, &w.o.kubelet_client_key, "its key" },
        { "kubelet-certificate-authority", FLAG_STRING, &w.o.kubelet_certificate_authority,
          "authority of kubelets' certificates, else of DATA-DIR/pki" },
        { "service-account-signing-key-file", FLAG_STRING, &w.o.service_account_signing_key_file,
          "key that signs tokens, else of DATA-DIR/pki" },
        { "service-account-key-file", FLAG_STRING, &w.o.service_account_key_file,
          "one more key whose tokens are believed" },
        { "service-account-issuer", FLAG_STRING, &w.o.service_account_issuer,
          "issuer of tokens, and their audience (default "
          "https://kubernetes.default.svc.cluster.local)" },
        { "disable-admission-plugins", FLAG_STRING, &w.o.disable_admission_plugins,
          "names, by commas (ServiceAccount, Priority ...)" },
        { "event-ttl-seconds", FLAG_UINT, &w.o.event_ttl_s,
          "how long Events are kept (default 3600)" },
        { "soft-dir", FLAG_STRING, &w.o.soft_dir,
          "where Events and Leases live, which a reboot may lose (default on a tmpfs)" },
        { "ephemeral", FLAG_BOOL, &w.o.ephemeral, "keep nothing on disk" },
        { "etcd-servers", FLAG_STRING, &w.etcd_servers, "refused: not supported yet" },
        { "threads", FLAG_UINT, &w.o.threads, "I/O threads (default one per core)" },
        { "v", FLAG_UINT, &w.verbosity, "log verbosity; 4 and above shows debug lines" },
        { 0 },
    };
    CLEANUP(mem_free) void *words = mem_alloc((size_t)argc * sizeof(const char *));
    struct err err;
    size_t n;
    int r =
        flags_parse(flags, argc, argv, words, &n, "pintle apiserver --data-dir DIR [FLAGS]", &err);

    if (r == 1)
        return 0;
    if (r == 0 && n)
        r = err_set(&err, ERR_INVALID, "unexpected word '%s'", ((const char **)words)[0]);
    return r < 0 ? fail(err.text, 2) : serve(&w);
}
