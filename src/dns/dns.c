/* The process: a message is answered from the caches at once, or passed on. */
#include "dns/dns.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "api/core_v1.h"
#include "api/discovery_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "client/kube_config.h"
#include "client/rest_client.h"
#include "dns/dns_cache.h"
#include "dns/dns_forward.h"
#include "dns/dns_listener.h"
#include "dns/dns_message.h"
#include "dns/dns_metrics.h"
#include "dns/dns_reply.h"
#include "dns/dns_service.h"
#include "dns/dns_zone.h"
#include "http/status_server.h"
#include "io/loop.h"

struct dns {
    const struct dns_options *o;
    struct arena arena;
    struct loop *loop;
    struct rest_client *rest;
    struct informer *services, *slices, *namespaces, *pods; /* pods: NULL unless verified */
    struct dns_zone zone;
    struct dns_forward *forward;
    struct dns_listener *listener;
    struct dns_service *service;
    struct dns_metrics *metrics;
    struct status_server *status[3];
    struct buf out;
    uint32_t seed;
    bool is_announced;
};

static bool is_synced(const struct dns *d)
{
    return informer_is_synced(d->services) && informer_is_synced(d->slices) &&
           informer_is_synced(d->namespaces) && (!d->pods || informer_is_synced(d->pods));
}

/* --- questions --- */

/* Who asks, how, and since when. */
struct asking_by {
    struct dns_asker *asker;
    bool is_tcp;
    int64_t since_ns;
};

static size_t limit_of(const struct dns_query *q, bool is_tcp)
{
    return is_tcp ? DNS_MAX_BYTES : q->udp_bytes;
}

static void answer(struct dns *d, const struct asking_by *by, const char *plugin, struct str bytes)
{
    int64_t now = clock_system.mono_ns(&clock_system);

    dns_metrics_response(d->metrics, by->is_tcp, plugin, bytes, (now - by->since_ns) / 1000);
    dns_asker_answer(by->asker, bytes);
}

static void answer_error(struct dns *d, const struct asking_by *by, const struct dns_query *q,
                         int rcode)
{
    struct dns_answer a;

    buf_reset(&d->out);
    dns_answer_begin(&a, &d->out, q, limit_of(q, by->is_tcp));
    dns_answer_end(&a, q, rcode, false);
    answer(d, by, "", buf_str(&d->out));
}

/* A question that was passed on, with the answer so far: the aliases that led out of the zone. */
struct passed {
    struct dns *dns;
    struct asking_by by;
    struct dns_query query; /* its question is in `question` */
    struct buf question, out;
    struct dns_answer answer;
    bool is_chase;
};

static void answer_reply(struct passed *p, const struct dns_reply *r, uint32_t age_s,
                         const char *plugin)
{
    if (!p->is_chase)
        p->answer.is_authentic = r->is_authentic;
    dns_reply_print(r, age_s, &p->answer);
    dns_answer_end(&p->answer, &p->query, r->rcode, p->is_chase);
    answer(p->dns, &p->by, plugin, buf_str(&p->out));
}

static void passed_done(struct passed *p)
{
    buf_done(&p->question);
    buf_done(&p->out);
}

static void on_passed(const struct dns_reply *r, void *arg)
{
    struct passed *p = arg;

    if (r)
        answer_reply(p, r, 0, "forward");
    else
        answer_error(p->dns, &p->by, &p->query, DNS_SERVFAIL);
    passed_done(p);
    mem_free(p);
}

/* What p points to but itself is moved along. */
static struct passed *keep(struct passed *p, const struct dns_query *q)
{
    struct passed *kept = NEW(struct passed);

    *kept = *p;
    buf_append_str(&kept->question, q->question);
    kept->query.question = buf_str(&kept->question);
    kept->answer.out = &kept->out;
    return kept;
}

/* From memory at once, else from another server later. */
static void pass_on(struct dns *d, const struct asking_by *by, const struct dns_query *q,
                    struct passed *p, const char *target)
{
    const struct dns_reply *known;
    struct dns_query asked = *q;
    struct passed *kept;
    uint32_t age_s = 0;

    if (target)
        (void)snprintf(asked.name, sizeof(asked.name), "%s", target);
    known = dns_forward_known(d->forward, &asked, &age_s);
    if (known) {
        answer_reply(p, known, age_s, "cache");
        passed_done(p);
        return;
    }
    kept = keep(p, q);
    if (dns_forward_ask(d->forward, &asked, on_passed, kept))
        return;
    passed_done(kept);
    mem_free(kept);
    answer_error(d, by, q, DNS_SERVFAIL);
}

static void answer_query(struct dns *d, const struct asking_by *by, const struct dns_query *q)
{
    struct dns_zone_result r = { .whose = DNS_ZONE_OURS };
    struct passed p = { .dns = d, .by = *by, .query = *q };
    size_t limit = limit_of(q, by->is_tcp);

    buf_reset(&d->out);
    dns_answer_begin(&p.answer, &d->out, q, limit);
    dns_zone_answer(&d->zone, q, d->seed++, &p.answer, &r);
    if (r.whose == DNS_ZONE_OURS) {
        dns_answer_end(&p.answer, q, r.rcode, true);
        answer(d, by, "kubernetes", buf_str(&d->out));
    } else if (r.whose == DNS_ZONE_NOT_OURS &&
               (!q->recursion_desired || q->type == DNS_AXFR || q->type == DNS_IXFR)) {
        answer_error(d, by, q, DNS_REFUSED);
    } else {
        p.is_chase = r.whose == DNS_ZONE_CHASE;
        p.out = d->out;
        d->out = (struct buf){ 0 };
        p.answer.out = &p.out;
        pass_on(d, by, q, &p, p.is_chase ? r.target : NULL);
    }
}

static void on_message(struct dns_asker *k, struct str message, bool is_tcp, void *arg)
{
    struct dns *d = arg;
    struct asking_by by = { k, is_tcp, clock_system.mono_ns(&clock_system) };
    struct dns_query q;
    int r = dns_query_parse(message, &q);

    dns_metrics_request(d->metrics,
                        &(struct dns_metrics_request){ .is_tcp = is_tcp,
                                                       .is_v6 = strchr(d->o->address, ':') != NULL,
                                                       .type = r == DNS_NOERROR ? q.type : 0,
                                                       .bytes = (uint32_t)message.len });
    if (r < 0)
        dns_asker_answer(k, STR_NULL);
    else if (r != DNS_NOERROR)
        answer_error(d, &by, &q, r);
    else if (!is_synced(d))
        answer_error(d, &by, &q, DNS_SERVFAIL);
    else
        answer_query(d, &by, &q);
}

/* --- indexes --- */

static void index_service_ips(const struct api_object *o, informer_emit_fn *emit, void *arg)
{
    const struct core_v1_service *s = API_OBJECT(o, struct core_v1_service);

    for (uint32_t i = 0; i < s->spec.cluster_ips.len; i++)
        if (!str_eq(s->spec.cluster_ips.items[i], STR("None")))
            emit(s->spec.cluster_ips.items[i], arg);
}

static void index_pod_ips(const struct api_object *o, informer_emit_fn *emit, void *arg)
{
    const struct core_v1_pod *p = API_OBJECT(o, struct core_v1_pod);

    for (uint32_t i = 0; i < p->status.pod_ips.len; i++)
        emit(p->status.pod_ips.items[i].ip, arg);
}

static void index_slice_service(const struct api_object *o, informer_emit_fn *emit, void *arg)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct schema_str_entry *e =
        text_map_find(&o->meta->labels, STR("kubernetes.io/service-name"));

    if (e)
        emit(arena_printf(&a, "%.*s/%.*s", STR_ARG(o->meta->namespace), STR_ARG(e->value)), arg);
}

static void index_slice_ips(const struct api_object *o, informer_emit_fn *emit, void *arg)
{
    const struct discovery_v1_endpoint_slice *s = API_OBJECT(o, struct discovery_v1_endpoint_slice);

    for (uint32_t i = 0; i < s->endpoints.len; i++)
        if (s->endpoints.items[i].addresses.len)
            emit(s->endpoints.items[i].addresses.items[0], arg);
}

/* --- the world's servers --- */

/* "1.2.3.4", "1.2.3.4:53", "::1", "[::1]:53". */
static bool parse_server(struct str text, struct dns_server_address *ret)
{
    struct str host = text, port = STR_NULL;
    uint64_t n = 53;
    ptrdiff_t end;

    if (str_has_prefix(text, STR("["))) {
        end = str_find(text, ']');
        if (end < 0)
            return false;
        host = str_sub(text, 1, (size_t)end);
        port = str_tail(text, (size_t)end + 1);
        if (port.len && !str_has_prefix(port, STR(":")))
            return false;
        port = str_tail(port, 1);
    } else if (str_find(text, ':') == str_rfind(text, ':')) {
        (void)str_cut(text, ':', &host, &port); /* one colon: a port, no IPv6 */
    }
    if (!host.len || host.len >= sizeof(ret->text) || (port.len && !str_to_u64(port, &n)) ||
        n > 65535)
        return false;
    (void)snprintf(ret->text, sizeof(ret->text), "%.*s", STR_ARG(host));
    ret->port = (uint16_t)n;
    return true;
}

/* Ourselves is nobody to ask. */
static bool is_self(const struct dns *d, const struct dns_server_address *s)
{
    return (!strcmp(s->text, d->o->address) && s->port == d->o->port) ||
           (d->o->cluster_dns && !strcmp(s->text, d->o->cluster_dns));
}

static size_t read_resolv_conf(struct dns *d, struct dns_server_address *servers)
{
    char text[8192];
    int fd = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text));
    struct str rest = str_n(text, n > 0 ? (size_t)n : 0), line;
    size_t count = 0;

    if (fd >= 0)
        (void)close(fd);
    while (str_next(&rest, '\n', &line) && count < DNS_FORWARD_MAX_SERVERS) {
        line = str_trim(line);
        if (!str_has_prefix(line, STR("nameserver ")) ||
            !parse_server(str_trim(str_tail(line, 11)), &servers[count]))
            continue;
        servers[count].port = 53;
        count += !is_self(d, &servers[count]);
    }
    return count;
}

static int open_forward(struct dns *d, struct err *err)
{
    struct dns_server_address servers[DNS_FORWARD_MAX_SERVERS];
    size_t n = 1;

    if (!d->o->upstream)
        n = read_resolv_conf(d, servers);
    else if (!parse_server(str_from_cstr(d->o->upstream), &servers[0]))
        return err_set(err, ERR_INVALID, "--upstream must be an address, perhaps with a port");
    d->forward = dns_forward_new(d->loop, servers, n, d->o->cache_entries);
    return 0;
}

/* --- life --- */

static void on_signal(int signum, void *arg)
{
    (void)signum;
    loop_stop(((struct dns *)arg)->loop);
}

static void on_change(const struct api_object *old, const struct api_object *new, void *arg)
{
    (void)old;
    (void)new;
    (void)arg;
}

static void on_synced(void *arg)
{
    struct dns *d = arg;

    if (d->is_announced || !is_synced(d))
        return;
    d->is_announced = true;
    printf("answering on %s:%u\n", d->o->address, d->o->port);
    (void)fflush(stdout);
}

static struct informer *open_informer(struct dns *d, struct str group, struct str resource)
{
    struct informer *i = informer_new(
        &(struct informer_options){ .loop = d->loop,
                                    .client = d->rest,
                                    .resource = resource_find(group, STR("v1"), resource) });

    informer_add_handler(
        i, &(struct informer_handler){ .on_change = on_change, .on_synced = on_synced, .arg = d });
    return i;
}

static void open_zone(struct dns *d)
{
    d->services = open_informer(d, STR(""), STR("services"));
    d->slices = open_informer(d, STR("discovery.k8s.io"), STR("endpointslices"));
    d->namespaces = open_informer(d, STR(""), STR("namespaces"));
    if (d->o->pods_mode == DNS_ZONE_PODS_VERIFIED)
        d->pods = open_informer(d, STR(""), STR("pods"));
    d->zone = (struct dns_zone){ .domain = str_from_cstr(d->o->domain),
                                 .pods_mode = d->o->pods_mode,
                                 .services = d->services,
                                 .slices = d->slices,
                                 .namespaces = d->namespaces,
                                 .pods = d->pods };
    d->zone.services_of_ip = informer_add_index(d->services, index_service_ips);
    d->zone.slices_of_service = informer_add_index(d->slices, index_slice_service);
    d->zone.slices_of_ip = informer_add_index(d->slices, index_slice_ips);
    if (d->pods)
        d->zone.pods_of_ip = informer_add_index(d->pods, index_pod_ips);
    informer_start(d->services);
    informer_start(d->slices);
    informer_start(d->namespaces);
    if (d->pods)
        informer_start(d->pods);
}

/* --- what is said to whom asks after us, at CoreDNS' paths --- */

static int serve_health(struct status_answer *ret, void *arg)
{
    (void)arg;
    buf_append_lit(ret->body, "OK");
    return 200;
}

static int serve_ready(struct status_answer *ret, void *arg)
{
    const struct dns *d = arg;
    bool ready = is_synced(d);

    buf_printf(ret->body, "%s", ready ? "OK" : "kubernetes");
    return ready ? 200 : 503;
}

static int serve_metrics(struct status_answer *ret, void *arg)
{
    const struct dns *d = arg;
    struct dns_cache_stats cache = dns_forward_cache_stats(d->forward);
    struct dns_forward_stats forward = dns_forward_stats(d->forward);

    ret->type = STR("text/plain; version=0.0.4; charset=utf-8");
    dns_metrics_print(d->metrics, &cache, &forward, ret->body);
    return 200;
}

static const struct status_route health_routes[] = { { "/health", serve_health }, { 0 } };
static const struct status_route ready_routes[] = { { "/ready", serve_ready }, { 0 } };
static const struct status_route metrics_routes[] = { { "/metrics", serve_metrics }, { 0 } };

static int open_status(struct dns *d, struct err *err)
{
    const struct {
        uint16_t port;
        const struct status_route *routes;
    } rows[] = { { d->o->health_port, health_routes },
                 { d->o->ready_port, ready_routes },
                 { d->o->metrics_port, metrics_routes } };
    int r = 0;

    for (size_t i = 0; i < ARRAY_LEN(rows) && r >= 0; i++)
        if (rows[i].port)
            r = status_server_new(d->loop, d->o->address, rows[i].port, rows[i].routes, d,
                                  &d->status[i], err);
    return r;
}

static int start(struct dns *d, struct err *err)
{
    struct kube_config config;
    int r = kube_config_load(&d->arena, d->o->kubeconfig, &config, err);

    if (r >= 0)
        r = rest_client_new(d->loop, &config, STR("pintle-dns"), &d->rest, err);
    if (r >= 0)
        r = open_forward(d, err);
    if (r >= 0)
        r = dns_listener_new(d->loop, d->o->address, d->o->port, on_message, d, &d->listener, err);
    if (r >= 0)
        r = open_status(d, err);
    if (r >= 0)
        r = loop_on_signal(d->loop, SIGTERM, on_signal, d, err);
    if (r >= 0)
        r = loop_on_signal(d->loop, SIGINT, on_signal, d, err);
    if (r < 0)
        return r;
    open_zone(d);
    if (d->o->cluster_dns)
        d->service = dns_service_new(&(struct dns_service_options){ .loop = d->loop,
                                                                    .client = d->rest,
                                                                    .cluster_ip = d->o->cluster_dns,
                                                                    .address = d->o->address,
                                                                    .port = d->o->port });
    return 0;
}

int dns_run(const struct dns_options *o)
{
    struct dns d = { .o = o };
    struct err err;
    int r;

    d.loop = loop_new(&clock_system);
    d.metrics = dns_metrics_new();
    r = start(&d, &err);
    if (r >= 0)
        loop_run(d.loop);
    else
        (void)fprintf(stderr, "pintle dns: %s\n", err.text);
    dns_service_free(d.service);
    dns_forward_free(d.forward);
    dns_listener_free(d.listener);
    informer_free(d.services);
    informer_free(d.slices);
    informer_free(d.namespaces);
    informer_free(d.pods);
    for (size_t i = 0; i < ARRAY_LEN(d.status); i++)
        status_server_free(d.status[i]);
    dns_metrics_free(d.metrics);
    rest_client_free(d.rest);
    buf_done(&d.out);
    loop_free(d.loop);
    arena_done(&d.arena);
    return r < 0 ? 1 : 0;
}
