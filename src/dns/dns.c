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
#include "dns/dns_forward.h"
#include "dns/dns_listener.h"
#include "dns/dns_message.h"
#include "dns/dns_service.h"
#include "dns/dns_zone.h"
#include "io/loop.h"

struct dns {
    const struct dns_options *o;
    struct arena arena;
    struct loop *loop;
    struct rest_client *rest;
    struct informer *services, *slices;
    struct dns_zone zone;
    struct dns_forward *forward;
    struct dns_listener *listener;
    struct dns_service *service;
    struct buf out;
    uint32_t seed;
    bool is_announced;
};

/* --- questions --- */

static size_t limit_of(const struct dns_query *q, bool is_tcp)
{
    return is_tcp ? DNS_MAX_BYTES : q->udp_bytes;
}

static void answer_error(struct dns *d, struct dns_asker *k, const struct dns_query *q, int rcode,
                         bool is_tcp)
{
    struct dns_answer a;

    buf_reset(&d->out);
    dns_answer_begin(&a, &d->out, q, limit_of(q, is_tcp));
    dns_answer_end(&a, q, rcode, false);
    dns_asker_answer(k, buf_str(&d->out));
}

/* A question that was passed on; without an answer the asker hears that much. */
struct passed {
    struct dns *dns;
    struct dns_asker *asker;
    struct buf question;
    bool is_tcp;
};

static void on_passed(struct str answer, void *arg)
{
    struct passed *p = arg;
    struct dns_query q;

    if (answer.p)
        dns_asker_answer(p->asker, answer);
    else if (dns_query_parse(buf_str(&p->question), &q) == DNS_NOERROR)
        answer_error(p->dns, p->asker, &q, DNS_SERVFAIL, p->is_tcp);
    else
        dns_asker_answer(p->asker, STR_NULL);
    buf_done(&p->question);
    mem_free(p);
}

static void pass_on(struct dns *d, struct dns_asker *k, const struct dns_query *q,
                    struct str message, bool is_tcp)
{
    struct passed *p = NEW(struct passed);

    *p = (struct passed){ .dns = d, .asker = k, .is_tcp = is_tcp };
    buf_append_str(&p->question, message);
    if (q->recursion_desired && dns_forward_ask(d->forward, message, is_tcp, on_passed, p))
        return;
    answer_error(d, k, q, q->recursion_desired ? DNS_SERVFAIL : DNS_REFUSED, is_tcp);
    buf_done(&p->question);
    mem_free(p);
}

static void on_message(struct dns_asker *k, struct str message, bool is_tcp, void *arg)
{
    struct dns *d = arg;
    struct dns_query q;
    int r = dns_query_parse(message, &q);

    if (r < 0) {
        dns_asker_answer(k, STR_NULL);
        return;
    }
    if (r != DNS_NOERROR) {
        answer_error(d, k, &q, r, is_tcp);
        return;
    }
    if (!informer_is_synced(d->services) || !informer_is_synced(d->slices)) {
        answer_error(d, k, &q, DNS_SERVFAIL, is_tcp);
        return;
    }
    buf_reset(&d->out);
    if (dns_zone_answer(&d->zone, &q, limit_of(&q, is_tcp), d->seed++, &d->out) ==
        DNS_ZONE_NOT_OURS)
        pass_on(d, k, &q, message, is_tcp);
    else
        dns_asker_answer(k, buf_str(&d->out));
}

/* --- indexes --- */

static void index_service_ips(const struct api_object *o, informer_emit_fn *emit, void *arg)
{
    const struct core_v1_service *s = API_OBJECT(o, struct core_v1_service);

    for (uint32_t i = 0; i < s->spec.cluster_ips.len; i++)
        if (!str_eq(s->spec.cluster_ips.items[i], STR("None")))
            emit(s->spec.cluster_ips.items[i], arg);
}

static void index_namespace(const struct api_object *o, informer_emit_fn *emit, void *arg)
{
    emit(o->meta->namespace, arg);
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

static bool parse_server(struct str text, struct dns_server_address *ret)
{
    struct str host = text, port = STR_NULL;
    uint64_t n = 53;

    if (str_find(text, ':') == str_rfind(text, ':'))
        (void)str_cut(text, ':', &host, &port); /* one colon: a port, no IPv6 */
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
    d->forward = dns_forward_new(d->loop, servers, n);
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

    if (d->is_announced || !informer_is_synced(d->services) || !informer_is_synced(d->slices))
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
    d->zone = (struct dns_zone){ .domain = str_from_cstr(d->o->domain),
                                 .services = d->services,
                                 .slices = d->slices };
    d->zone.services_of_ip = informer_add_index(d->services, index_service_ips);
    d->zone.services_in_namespace = informer_add_index(d->services, index_namespace);
    d->zone.slices_of_service = informer_add_index(d->slices, index_slice_service);
    d->zone.slices_of_ip = informer_add_index(d->slices, index_slice_ips);
    informer_start(d->services);
    informer_start(d->slices);
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
    rest_client_free(d.rest);
    buf_done(&d.out);
    loop_free(d.loop);
    arena_done(&d.arena);
    return r < 0 ? 1 : 0;
}
