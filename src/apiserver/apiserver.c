/* Start and stop: store, loops (the first on this thread, one thread for each other), listener,
 * bootstrap objects; then one line says that it serves. */
#include "apiserver/apiserver.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apiserver/apiserver_internal.h"
#include "apiserver/authn/token_authn.h"
#include "apiserver/authn/x509_authn.h"
#include "apiserver/authz/bootstrap_policy.h"
#include "apiserver/authz/node_graph.h"
#include "apiserver/authz/rbac.h"
#include "apiserver/bootstrap.h"
#include "apiserver/extensions/extensions.h"
#include "apiserver/metrics.h"
#include "apiserver/request_chain.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/macros.h"
#include "codec/jwt.h"
#include "http/http_server.h"
#include "io/loop.h"
#include "io/mailbox.h"
#include "io/tls.h"
#include "store/store.h"

enum { MAX_LOOPS = 64, STOP_GRACE_MS = 1500, EVENT_TTL_S = 3600, FILE_MAX = 1 << 20 };

static const struct authenticator *const tls_authenticators[] = { &x509_authenticator,
                                                                  &token_authenticator, NULL };
static const struct authenticator *const plain_authenticators[] = { &insecure_authenticator, NULL };
static const struct authorizer *const authorizers[] = { &always_allow_paths_authorizer,
                                                        &masters_authorizer, &node_authorizer,
                                                        &rbac_authorizer, NULL };

struct run {
    struct apiserver server;
    const struct admission_plugin *admission[ADMISSION_PLUGINS_MAX];
    struct arena arena;
    struct loop *loops[MAX_LOOPS];
    struct store_outbox outboxes[MAX_LOOPS];
    struct thread *threads[MAX_LOOPS];
    size_t n_loops;
    struct tls_context *tls;
    struct http_server *http;
    struct kept_objects *kept;
    int exit_code;
};

static int read_file(struct arena *a, const char *path, struct str *ret, struct err *err)
{
    FILE *f = fopen(path, "rbe");
    struct buf b = { 0 };
    size_t n;

    if (!f)
        return err_errno(err, errno, "open '%s'", path);
    buf_init_arena(&b, a, 8192);
    while ((n = fread(buf_reserve(&b, 4096), 1, 4096, f)) > 0 && b.len < FILE_MAX)
        b.len += n;
    (void)fclose(f); /* was only read */
    *ret = buf_str(&b);
    return 0;
}

static int open_tls(struct run *run, struct err *err)
{
    const struct apiserver_options *o = run->server.options;
    struct tls_options t = { 0 };
    int r;

    if (o->plain_http)
        return 0;
    if (!o->tls_cert_file || !o->tls_key_file || !o->client_ca_file)
        return err_set(err, ERR_INVALID, "certificate, key and client CA are needed");
    r = read_file(&run->arena, o->tls_cert_file, &t.certificate_pem, err);
    if (r >= 0)
        r = read_file(&run->arena, o->tls_key_file, &t.key_pem, err);
    if (r >= 0)
        r = read_file(&run->arena, o->client_ca_file, &t.ca_pem, err);
    run->server.client_ca_pem = t.ca_pem;
    return r < 0 ? r : tls_context_new(&t, &run->tls, err);
}

static int open_proxy_tls(struct run *run, struct err *err)
{
    const struct tls_options t = { .is_client = true, .without_h2 = true, .trusts_all = true };

    return tls_context_new(&t, &run->server.proxy_tls, err);
}

static int open_kubelet_tls(struct run *run, struct err *err)
{
    const struct apiserver_options *o = run->server.options;
    struct tls_options t = { .is_client = true, .without_h2 = true };
    int r;

    if (!o->kubelet_client_certificate || !o->kubelet_client_key ||
        !o->kubelet_certificate_authority)
        return 0;
    r = read_file(&run->arena, o->kubelet_client_certificate, &t.certificate_pem, err);
    if (r >= 0)
        r = read_file(&run->arena, o->kubelet_client_key, &t.key_pem, err);
    if (r >= 0)
        r = read_file(&run->arena, o->kubelet_certificate_authority, &t.ca_pem, err);
    return r < 0 ? r : tls_context_new(&t, &run->server.kubelet_tls, err);
}

static int add_token_key(struct run *run, const char *path, struct err *err)
{
    struct service_account_keys *k = &run->server.service_account_keys;
    struct str pem;
    int r = read_file(&run->arena, path, &pem, err);

    if (r >= 0)
        r = jwt_key_new(pem, &k->keys[k->n], err);
    if (r < 0)
        return err_wrap(err, "'%s'", path);
    k->n++;
    return 0;
}

static int open_token_keys(struct run *run, struct err *err)
{
    const struct apiserver_options *o = run->server.options;
    const char *issuer = o->service_account_issuer;
    int r = 0;

    run->server.service_account_keys.issuer =
        str_from_cstr(issuer ? issuer : "https://kubernetes.default.svc.cluster.local");
    if (o->service_account_signing_key_file)
        r = add_token_key(run, o->service_account_signing_key_file, err);
    if (r >= 0 && o->service_account_key_file)
        r = add_token_key(run, o->service_account_key_file, err);
    return r;
}

static int open_store(struct run *run, struct err *err)
{
    struct apiserver *s = &run->server;
    const struct apiserver_options *o = s->options;
    struct store_options so = { .soft_dir = o->soft_dir,
                                .ephemeral = o->ephemeral,
                                .clock = s->clock };
    int r;

    if (mkdir(o->data_dir, 0700) < 0 && errno != EEXIST)
        return err_errno(err, errno, "make '%s'", o->data_dir);
    so.dir = arena_printf(&run->arena, "%s/store", o->data_dir).p;
    r = store_open(&so, &s->store, err);
    if (r < 0)
        return r;
    return registry_init(&s->registry, s->store, o->event_ttl_s ? o->event_ttl_s : EVENT_TTL_S,
                         err);
}

static size_t loop_count(const struct apiserver_options *o)
{
    cpu_set_t set;
    size_t n = o->threads;

    if (!n && sched_getaffinity(0, sizeof(set), &set) == 0)
        n = (size_t)CPU_COUNT(&set);
    return MIN(MAX(n, (size_t)1), (size_t)MAX_LOOPS);
}

static int listen_on(struct run *run, struct err *err)
{
    const struct apiserver_options *o = run->server.options;
    struct http_server_options h = {
        .loops = run->loops,
        .n_loops = run->n_loops,
        .tls = run->tls,
        .on_request = request_chain_on_request,
        .arg = &run->server,
    };
    int r = http_server_new(&h, &run->http, err);

    if (r < 0)
        return r;
    return http_server_listen(run->http, o->bind_address ? o->bind_address : "0.0.0.0",
                              o->secure_port, &run->server.port, err);
}

/* --- stopping --- */

struct stop {
    struct mailbox_message message;
    struct loop *loop;
};

static void on_stop_message(struct mailbox_message *m)
{
    loop_stop(CONTAINER_OF(m, struct stop, message)->loop);
}

static void stop_loops(void *arg)
{
    struct run *run = arg;

    for (size_t i = run->n_loops; i-- > 0;) {
        struct stop *s = ARENA_NEW(&run->arena, struct stop);

        s->message.fn = on_stop_message;
        s->loop = run->loops[i];
        mailbox_post(loop_mailbox(run->loops[i]), &s->message);
    }
}

static void on_signal(int signum, void *arg)
{
    struct run *run = arg;

    if (atomic_exchange(&run->server.stopping, true))
        return;
    kept_objects_stop(run->kept);
    run->kept = NULL;
    rbac_stop(run->server.rbac);
    node_graph_stop(run->server.node_graph);
    extensions_stop(run->server.extensions);
    LOG_INFO("stopping", KV("signal", signum));
    http_server_stop(run->http, STOP_GRACE_MS, stop_loops, run);
}

static void on_bootstrapped(void *arg, int result)
{
    struct run *run = arg;
    const struct apiserver_options *o = run->server.options;
    struct extensions *extensions = NULL;
    struct node_graph *graph = NULL;
    struct rbac *rbac = NULL;
    struct err err;

    if (atomic_load(&run->server.stopping))
        return;
    if (result >= 0)
        result = rbac_new(&run->server, run->loops[0], &rbac, &err);
    if (result >= 0) {
        run->server.rbac = rbac;
        result = node_graph_new(&run->server, run->loops[0], &graph, &err);
    }
    if (result >= 0) {
        run->server.node_graph = graph;
        result = extensions_new(&run->server, run->loops[0], &extensions, &err);
    }
    if (result < 0) {
        (void)fprintf(stderr, "pintle apiserver: bootstrap objects: %s\n", err_name(result));
        run->exit_code = 1;
        on_signal(SIGTERM, run);
        return;
    }
    run->server.extensions = extensions;
    run->kept = kept_objects_start(&run->server, run->loops[0]);
    atomic_store(&run->server.ready, true);
    (void)printf("serving %s://%s:%u\n", o->plain_http ? "http" : "https",
                 o->bind_address ? o->bind_address : "0.0.0.0", run->server.port);
    (void)fflush(stdout); /* a closed stdout is no reason not to serve */
}

static void run_loop(void *arg)
{
    loop_run(arg);
}

static int start(struct run *run, struct err *err)
{
    const struct apiserver_options *o = run->server.options;
    int r =
        service_ranges_parse(str_from_cstr(o->service_cidr ? o->service_cidr : "10.96.0.0/12"),
                             str_from_cstr(o->node_port_range ? o->node_port_range : "30000-32767"),
                             &run->server.service_ranges, err);

    bootstrap_role_rules(&run->arena, "system:node", &run->server.node_rules);
    run->server.admission = run->admission;
    if (r >= 0)
        r = admission_select(str_from_cstr(o->disable_admission_plugins), run->admission, err);
    if (r >= 0)
        r = open_store(run, err);
    if (r >= 0 && o->prepare)
        r = o->prepare(o->prepare_arg, err);
    if (r >= 0)
        r = open_tls(run, err);
    if (r >= 0)
        r = open_token_keys(run, err);
    if (r >= 0)
        r = open_kubelet_tls(run, err);
    if (r >= 0)
        r = open_proxy_tls(run, err);
    if (r < 0)
        return r;
    run->n_loops = loop_count(run->server.options);
    run->server.outboxes = run->outboxes;
    run->server.n_outboxes = run->n_loops;
    for (size_t i = 0; i < run->n_loops; i++) {
        run->loops[i] = loop_new(run->server.clock);
        store_outbox_init(&run->outboxes[i], run->server.store, run->loops[i]);
    }
    r = listen_on(run, err);
    if (r >= 0)
        r = loop_on_signal(run->loops[0], SIGTERM, on_signal, run, err);
    if (r >= 0)
        r = loop_on_signal(run->loops[0], SIGINT, on_signal, run, err);
    return r;
}

static void serve(struct run *run)
{
    for (size_t i = 1; i < run->n_loops; i++)
        run->threads[i] = thread_start("io", run_loop, run->loops[i]);
    bootstrap_start(&run->server, run->loops[0], on_bootstrapped, run);
    loop_run(run->loops[0]);
    for (size_t i = 1; i < run->n_loops; i++)
        thread_join(run->threads[i]);
}

/* The store's last answers are run on the loops that wait for them before these go. */
static void close_all(struct run *run)
{
    extensions_settle(run->server.extensions);
    for (size_t i = 0; i < run->n_loops; i++)
        store_outbox_flush(&run->outboxes[i]);
    store_close(run->server.store);
    for (size_t i = 0; i < run->n_loops; i++)
        loop_turn(run->loops[i]);
    http_server_free(run->http);
    for (size_t i = 0; i < run->n_loops; i++)
        loop_free(run->loops[i]);
    tls_context_free(run->tls);
    tls_context_free(run->server.kubelet_tls);
    tls_context_free(run->server.proxy_tls);
    rbac_free(run->server.rbac);
    node_graph_free(run->server.node_graph);
    extensions_free(run->server.extensions);
    registry_done(&run->server.registry);
    service_account_keys_done(&run->server.service_account_keys);
    metrics_free(run->server.metrics);
    arena_done(&run->arena);
}

int apiserver_run(const struct apiserver_options *o)
{
    struct run run = {
        .server = {
            .options = o,
            .clock = &clock_system,
            .authenticators = o->plain_http ? plain_authenticators : tls_authenticators,
            .authorizers = authorizers,
        },
    };
    struct err err;

    (void)signal(SIGPIPE, SIG_IGN); /* a peer that left shows as EPIPE */
    run.server.metrics = metrics_new();
    if (start(&run, &err) < 0) {
        (void)fprintf(stderr, "pintle apiserver: %s\n", err.text);
        run.exit_code = 1;
    } else {
        serve(&run);
    }
    close_all(&run);
    return run.exit_code;
}
