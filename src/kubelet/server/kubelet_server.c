/* Who may ask, and a table of what. */
#include "kubelet/server/kubelet_server.h"

#include <fcntl.h>
#include <unistd.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/object_json.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "io/tls.h"
#include "kubelet/server/server_internal.h"
#include "kubelet/stats/kubelet_metrics.h"
#include "runtime/runtime_files.h"

/* --- requests --- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static struct str unescape(struct arena *a, struct str text, bool plus_is_space)
{
    char *to = arena_alloc(a, text.len + 1, 1);
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        bool has_two = i + 2 < text.len;
        int high = has_two ? hex(text.p[i + 1]) : -1, low = has_two ? hex(text.p[i + 2]) : -1;

        if (text.p[i] == '%' && high >= 0 && low >= 0) {
            to[n++] = (char)(high << 4 | low);
            i += 2;
        } else {
            to[n++] = text.p[i] == '+' && plus_is_space ? ' ' : text.p[i];
        }
    }
    to[n] = '\0';
    return str_n(to, n);
}

struct str server_param(const struct server_request *r, struct str name, size_t i)
{
    struct str rest = http_request_query(r->http), part, key, value;

    while (str_next(&rest, '&', &part)) {
        (void)str_cut(part, '=', &key, &value);
        if (str_eq(key, name) && i-- == 0)
            return unescape(r->arena, value.p ? value : STR(""), true);
    }
    return STR_NULL;
}

bool server_flag(const struct server_request *r, struct str name)
{
    struct str v = server_param(r, name, 0);

    return v.p && !str_eq_nocase(v, STR("false")) && !str_eq(v, STR("0"));
}

void server_answer_text(const struct server_request *r, int status, struct str text)
{
    static const struct http_header type = { STR_INIT("content-type"),
                                             STR_INIT("text/plain; charset=utf-8") };

    http_respond(r->http, status, &type, 1, text);
}

void server_answer_json(const struct server_request *r, struct str json)
{
    static const struct http_header type = { STR_INIT("content-type"),
                                             STR_INIT("application/json") };

    http_respond(r->http, 200, &type, 1, json);
}

static struct str join(struct arena *a, const struct str *words, size_t n)
{
    struct buf b;

    buf_init_arena(&b, a, 128);
    for (size_t i = 0; i < n; i++)
        buf_printf(&b, "%s%.*s", i ? " " : "", STR_ARG(words[i]));
    return buf_str(&b);
}

bool server_choose_stream_protocol(const struct server_request *r, const struct str *ours, size_t n,
                                   struct str *ret)
{
    const struct http_header *headers;
    size_t n_headers = http_request_headers(r->http, &headers), n_theirs = 0;
    struct str *theirs = ARENA_NEW_ARRAY(r->arena, struct str, n_headers), part;

    *ret = STR_NULL;
    for (size_t h = 0; h < n_headers; h++) {
        struct str rest = headers[h].value;

        if (!str_eq_nocase(headers[h].name, STR("x-stream-protocol-version")))
            continue;
        theirs[n_theirs++] = rest;
        while (str_next(&rest, ',', &part))
            for (size_t i = 0; i < n; i++)
                if (str_eq(str_trim(part), ours[i])) {
                    *ret = ours[i];
                    return true;
                }
    }
    if (!n_theirs)
        return true;
    server_answer_text(r, 403,
                       arena_printf(r->arena,
                                    "unable to upgrade: unable to negotiate protocol: client "
                                    "supports [%.*s], server accepts [%.*s]\n",
                                    STR_ARG(join(r->arena, theirs, n_theirs)),
                                    STR_ARG(join(r->arena, ours, n))));
    return false;
}

bool server_find_container(const struct server_request *r, struct server_container *ret)
{
    const struct kubelet_view *v = r->server->o.view;
    bool has_uid = r->n == 5; /* VERB/NS/POD/UID/CONTAINER */
    struct str namespace = r->parts[1], name = r->parts[2];

    ret->container = r->parts[has_uid ? 4 : 3];
    ret->pod = v->find_pod(v->arg, namespace, name, has_uid ? r->parts[3] : STR_NULL);
    if (!ret->pod) {
        server_answer_text(r, 404,
                           arena_printf(r->arena, "pod \"%.*s_%.*s\" not found\n", STR_ARG(name),
                                        STR_ARG(namespace)));
        return false;
    }
    ret->id = v->container_id(v->arg, ret->pod->meta->uid, ret->container);
    return true;
}

/* --- small answers --- */

static void serve_health(const struct server_request *r)
{
    const struct kubelet_view *v = r->server->o.view;
    struct err err;

    if (v->is_healthy(v->arg, &err))
        server_answer_text(r, 200, STR("ok"));
    else
        server_answer_text(r, 500, arena_printf(r->arena, "%s\n", err.text));
}

static void serve_pods(const struct server_request *r)
{
    const struct kubelet_view *v = r->server->o.view;
    const struct api_object *const *pods;
    size_t n = v->pods(v->arg, &pods);
    struct buf b;

    buf_init_arena(&b, r->arena, 4096);
    buf_append_lit(&b, "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":[");
    for (size_t i = 0; i < n; i++) {
        if (i)
            buf_append_char(&b, ',');
        object_json_encode(&b, pods[i]->o, &(struct object_json_options){ .without_gvk = true });
    }
    buf_append_lit(&b, "]}");
    server_answer_json(r, buf_str(&b));
}

static void serve_configuration(const struct server_request *r)
{
    const struct kubelet_view *v = r->server->o.view;
    struct buf b;

    buf_init_arena(&b, r->arena, 2048);
    buf_append_lit(&b, "{\"kubeletconfig\":");
    v->print_configuration(v->arg, &b);
    buf_append_char(&b, '}');
    server_answer_json(r, buf_str(&b));
}

/* --- the table --- */

struct route {
    struct str path; /* its first part */
    size_t min_parts, max_parts;
    bool is_public;
    void (*serve)(const struct server_request *r);
};
static const struct route routes[] = {
    { STR_INIT("healthz"), 1, 2, true, serve_health },
    { STR_INIT("pods"), 1, 1, false, serve_pods },
    { STR_INIT("runningpods"), 1, 1, false, stats_routes_running_pods },
    { STR_INIT("configz"), 1, 1, false, serve_configuration },
    { STR_INIT("metrics"), 1, 2, false, stats_routes_metrics },
    { STR_INIT("stats"), 2, 2, false, stats_routes_stats },
    { STR_INIT("containerLogs"), 4, 4, false, log_stream_serve },
    { STR_INIT("exec"), 4, 5, false, remote_command_exec },
    { STR_INIT("attach"), 4, 5, false, remote_command_attach },
    { STR_INIT("portForward"), 3, 4, false, port_forward_serve },
};

/* The API server's own certificate for kubelets, or an administrator's. */
static bool may_ask(const struct http_request *http, int *ret_status)
{
    struct http_peer_identity who;

    *ret_status = 401;
    if (!http_request_peer_identity(http, &who))
        return false;
    *ret_status = 403;
    if (str_eq(who.common_name, STR("kube-apiserver-kubelet-client")))
        return true;
    for (size_t i = 0; i < who.n_organizations; i++)
        if (str_eq(who.organizations[i], STR("system:masters")))
            return true;
    return false;
}

static void split_path(struct server_request *r)
{
    struct str rest = str_tail(http_request_path(r->http), 1), part;

    while (r->n < SERVER_MAX_PARTS && str_next(&rest, '/', &part))
        if (part.len)
            r->parts[r->n++] = unescape(r->arena, part, false);
}

/* Methods that nobody has heard of are one, as clients make them up. */
static void count_request(const struct kubelet_server *s, const struct http_request *http,
                          struct str path)
{
    static const char *const methods[] = { "GET", "POST", "HEAD", "PUT", "DELETE" };
    struct str values[] = { STR("other"), path, STR("readwrite") };

    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (str_eq(http_request_method(http), str_from_cstr(methods[i])))
            values[0] = str_from_cstr(methods[i]);
    if (s->o.metrics)
        kubelet_metrics_count(s->o.metrics, KUBELET_METRIC_HTTP_REQUESTS, values);
}

static void on_request(struct http_request *http, void *arg)
{
    struct kubelet_server *s = arg;
    struct server_request r = { .server = s, .http = http, .arena = http_request_arena(http) };
    int status;

    split_path(&r);
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        const struct route *route = &routes[i];

        if (!r.n || !str_eq(r.parts[0], route->path))
            continue;
        if (!route->is_public && !may_ask(http, &status)) {
            server_answer_text(&r, status, status == 401 ? STR("Unauthorized") : STR("Forbidden"));
            return;
        }
        if (r.n >= route->min_parts && r.n <= route->max_parts) {
            count_request(s, http, route->path);
            route->serve(&r);
            return;
        }
    }
    server_answer_text(&r, 404, STR("404 page not found\n"));
}

/* --- life --- */

static int open_tls(struct kubelet_server *s, struct err *err)
{
    struct arena a = { 0 };
    struct tls_options t = { .is_client = false };
    int r = runtime_files_read(&a, AT_FDCWD, s->o.cert_file, 1 << 20, &t.certificate_pem, err);

    if (r >= 0)
        r = runtime_files_read(&a, AT_FDCWD, s->o.key_file, 1 << 20, &t.key_pem, err);
    if (r >= 0)
        r = runtime_files_read(&a, AT_FDCWD, s->o.client_ca_file, 1 << 20, &t.ca_pem, err);
    if (r >= 0)
        r = tls_context_new(&t, &s->tls, err);
    arena_done(&a);
    return r;
}

int kubelet_server_new(const struct kubelet_server_options *o, struct kubelet_server **ret,
                       uint16_t *ret_port, struct err *err)
{
    struct kubelet_server *s = NEW(struct kubelet_server);
    int r;

    s->o = *o;
    list_init(&s->logs);
    list_init(&s->commands);
    list_init(&s->forwards);
    list_init(&s->scrapes);
    r = open_tls(s, err);
    if (r >= 0)
        r = http_server_new(&(struct http_server_options){ .loops = &s->o.loop,
                                                           .n_loops = 1,
                                                           .tls = s->tls,
                                                           .on_request = on_request,
                                                           .arg = s },
                            &s->http, err);
    if (r >= 0)
        r = http_server_listen(s->http, o->address, o->port, ret_port, err);
    if (r < 0) {
        kubelet_server_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

void kubelet_server_container_ended(struct kubelet_server *s, struct str container_id)
{
    log_stream_ended(s, container_id);
}

void kubelet_server_free(struct kubelet_server *s)
{
    if (!s)
        return;
    remote_command_stop_all(s);
    port_forward_stop_all(s);
    log_stream_stop_all(s);
    stats_routes_stop_all(s);
    if (s->http)
        http_server_stop(s->http, 0, NULL, NULL);
    http_server_free(s->http);
    tls_context_free(s->tls);
    mem_free(s);
}
