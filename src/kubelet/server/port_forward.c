/* Port forwarding: many connections over one client's. With SPDY (on the connection, or within the
 * messages of a WebSocket) each is a pair of streams that the client opens, "error" and "data",
 * which name the port and belong together by a request id. With channels of a WebSocket each port
 * that the query names is one connection: channel 2n its bytes, 2n+1 its errors. */
#include <stdlib.h>

#include "api/meta_v1.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "codec/base64.h"
#include "http/spdy.h"
#include "http/websocket.h"
#include "kubelet/server/port_pair.h"
#include "kubelet/server/server_internal.h"

enum {
    IDLE_MS = 4 * 3600 * 1000,
    PAIR_TIMEOUT_MS = 30000, /* from one stream of a pair to the other */
    PORTS_MAX = 100,         /* channels are numbered by one byte */
    NORMAL = 1000,
};

struct pair;
struct side { /* what a stream of SPDY stands for */
    struct pair *pair;
    uint32_t id; /* 0: not open yet; a channel's number with WebSockets */
    bool is_over;
};
enum { DATA, ERROR };

struct pair {
    struct port_pair port;
    struct list link;
    struct port_forward *forward;
    struct side sides[2];
    char *request_id;
    struct loop_timer timer;
    bool is_over; /* the Pod's side */
};

struct port_forward {
    struct list link; /* in the server's */
    struct kubelet_server *server;
    struct http_request *request;
    struct str sandbox_id, pod_uid; /* in the request's arena */
    struct list pairs;
    struct spdy *spdy; /* one of the two */
    struct websocket *websocket;
    bool is_base64;
    struct loop_timer idle;
};

static void stay(struct port_forward *f) /* something was said */
{
    loop_timer_start(&f->idle, IDLE_MS);
}

static void free_pair(struct pair *p)
{
    loop_timer_stop(&p->timer);
    port_pair_stop(&p->port);
    list_remove(&p->link);
    mem_free(p->request_id);
    mem_free(p);
}

static void free_forward(struct port_forward *f)
{
    LIST_FOREACH_SAFE(n, &f->pairs)
        free_pair(CONTAINER_OF(n, struct pair, link));
    loop_timer_stop(&f->idle);
    list_remove(&f->link);
    http_request_unref(f->request);
    mem_free(f);
}

static void close_forward(struct port_forward *f)
{
    if (f->spdy)
        spdy_close(f->spdy);
    if (f->websocket)
        websocket_close(f->websocket, NORMAL, STR(""));
}

static void on_idle(struct loop_timer *t)
{
    close_forward(CONTAINER_OF(t, struct port_forward, idle));
}

/* The client is read while no Pod's end owes it room. */
static void update_reading(struct port_forward *f)
{
    bool is_held = false;

    LIST_FOREACH(n, &f->pairs)
        is_held |= port_pair_is_held(&CONTAINER_OF(n, struct pair, link)->port);
    if (f->spdy)
        spdy_set_reading(f->spdy, !is_held);
    if (f->websocket)
        websocket_set_reading(f->websocket, !is_held);
}

static void write_pair(struct pair *p, struct str bytes)
{
    bool was_held = port_pair_is_held(&p->port);

    stay(p->forward);
    if (p->is_over)
        return;
    port_pair_write(&p->port, bytes);
    if (port_pair_is_held(&p->port) != was_held)
        update_reading(p->forward);
}

static void drain_all(struct port_forward *f)
{
    LIST_FOREACH(n, &f->pairs)
        port_pair_drain(&CONTAINER_OF(n, struct pair, link)->port);
}

static void on_took(struct port_pair *port)
{
    update_reading(CONTAINER_OF(port, struct pair, port)->forward);
}

static struct pair *add_pair(struct port_forward *f, const struct port_pair_ops *ops, uint16_t port,
                             struct str request_id)
{
    struct pair *p = NEW(struct pair);

    port_pair_init(&p->port, ops, f->server->o.runtime, port);
    p->forward = f;
    p->request_id = str_heap_cstr(request_id);
    p->sides[DATA].pair = p->sides[ERROR].pair = p;
    list_append(&f->pairs, &p->link);
    return p;
}

static void format_error(const struct pair *p, struct buf *b, const char *error)
{
    buf_printf(b, "error forwarding port %u to pod %.*s, uid %.*s: %s", p->port.port,
               STR_ARG(p->forward->sandbox_id), STR_ARG(p->forward->pod_uid), error);
}

/* --- SPDY --- */

static bool spdy_pair_send(struct port_pair *port, struct str bytes)
{
    struct pair *p = CONTAINER_OF(port, struct pair, port);

    stay(p->forward);
    return spdy_send(p->forward->spdy, p->sides[DATA].id, bytes);
}

static void maybe_free_spdy_pair(struct pair *p)
{
    if (p->is_over && p->sides[DATA].is_over && p->sides[ERROR].is_over)
        free_pair(p);
}

static void spdy_pair_over(struct port_pair *port, const char *error)
{
    struct pair *p = CONTAINER_OF(port, struct pair, port);
    struct spdy *s = p->forward->spdy;
    CLEANUP(buf_done) struct buf b = { 0 };

    p->is_over = true;
    if (error) {
        format_error(p, &b, error);
        (void)spdy_send(s, p->sides[ERROR].id, buf_str(&b));
    }
    spdy_finish(s, p->sides[ERROR].id);
    spdy_finish(s, p->sides[DATA].id);
    update_reading(p->forward);
    maybe_free_spdy_pair(p);
}

static void on_pair_timeout(struct loop_timer *t)
{
    struct pair *p = CONTAINER_OF(t, struct pair, timer);

    p->is_over = true;
    for (int i = 0; i < 2; i++) {
        if (i == ERROR)
            (void)spdy_send(p->forward->spdy, p->sides[i].id,
                            STR("timed out waiting for the other stream of the pair"));
        spdy_finish(p->forward->spdy, p->sides[i].id);
        spdy_reset(p->forward->spdy, p->sides[i].id);
    }
    free_pair(p);
}

static struct pair *find_pair(const struct port_forward *f, struct str request_id)
{
    LIST_FOREACH(n, &f->pairs) {
        struct pair *p = CONTAINER_OF(n, struct pair, link);

        if (str_eq(str_from_cstr(p->request_id), request_id))
            return p;
    }
    return NULL;
}

static struct str header_of(const struct http_header *headers, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(headers[i].name, name))
            return headers[i].value;
    return STR_NULL;
}

static void *on_stream(struct spdy *s, uint32_t id, const struct http_header *headers, size_t n,
                       void *arg)
{
    static const struct port_pair_ops ops = { spdy_pair_send, on_took, spdy_pair_over };
    struct port_forward *f = arg;
    struct str type = header_of(headers, n, STR("streamtype"));
    struct str request_id = header_of(headers, n, STR("requestid"));
    bool is_error = str_eq(type, STR("error"));
    char implied[16];
    uint64_t port;
    struct pair *p;

    (void)s;
    if (!str_to_u64(header_of(headers, n, STR("port")), &port) || !port || port > UINT16_MAX ||
        (!is_error && !str_eq(type, STR("data"))))
        return NULL;
    if (!request_id.len) { /* old clients open the error stream first, the data stream next */
        struct buf b = { .p = implied, .cap = sizeof(implied) };

        buf_append_u64(&b, is_error ? id : id - 2);
        request_id = buf_str(&b);
    }
    p = find_pair(f, request_id);
    if (!p)
        p = add_pair(f, &ops, (uint16_t)port, request_id);
    if (p->sides[is_error].id)
        return NULL;
    p->sides[is_error].id = id;
    if (p->sides[!is_error].id) {
        loop_timer_stop(&p->timer);
        port_pair_connect(&p->port, f->sandbox_id);
    } else {
        loop_timer_init(&p->timer, f->server->o.loop, on_pair_timeout);
        loop_timer_start(&p->timer, PAIR_TIMEOUT_MS);
    }
    return &p->sides[is_error];
}

static bool is_data(const struct side *side)
{
    return side == &side->pair->sides[DATA];
}

static void on_data(struct spdy *s, void *stream, struct str bytes, void *arg)
{
    const struct side *side = stream;

    (void)s;
    (void)arg;
    if (is_data(side))
        write_pair(side->pair, bytes);
}

static void on_finish(struct spdy *s, void *stream, void *arg)
{
    struct side *side = stream;

    (void)s;
    (void)arg;
    side->is_over = true;
    if (is_data(side) && !side->pair->is_over)
        port_pair_finish(&side->pair->port);
    maybe_free_spdy_pair(side->pair);
}

static void on_reset(struct spdy *s, void *stream, void *arg)
{
    struct side *side = stream;
    struct pair *p = side->pair;

    (void)arg;
    side->is_over = true;
    if (is_data(side) && !p->is_over) {
        port_pair_stop(&p->port);
        p->is_over = true;
        spdy_finish(s, p->sides[ERROR].id);
        update_reading(p->forward);
    }
    maybe_free_spdy_pair(p);
}

static void on_spdy_drain(struct spdy *s, void *arg)
{
    (void)s;
    drain_all(arg);
}

static void on_spdy_end(struct spdy *s, void *arg)
{
    (void)s;
    free_forward(arg);
}

static const struct spdy_ops spdy_ops = { on_stream, on_data,       on_finish,
                                          on_reset,  on_spdy_drain, on_spdy_end };

static int accept_spdy(const struct server_request *r, struct port_forward *f)
{
    static const struct str ours = STR_INIT("portforward.k8s.io");
    struct http_header header = { STR("x-stream-protocol-version"), ours };
    struct str chosen;
    int rc;

    if (!server_choose_stream_protocol(r, &ours, 1, &chosen))
        return -1;
    rc = spdy_accept(r->http, &header, 1, &spdy_ops, f, &f->spdy);
    if (rc < 0)
        server_answer_text(r, 400, STR("unable to upgrade: missing upgrade headers in request\n"));
    return rc;
}

/* --- channels of a WebSocket --- */

static bool send_channel(const struct port_forward *f, uint32_t channel, struct str bytes)
{
    CLEANUP(buf_done) struct buf b = { 0 };

    if (f->is_base64) {
        buf_append_char(&b, (char)('0' + channel));
        base64_encode(&b, bytes);
    } else {
        buf_append_char(&b, (char)channel);
        buf_append_str(&b, bytes);
    }
    return websocket_send(f->websocket, f->is_base64, buf_str(&b));
}

static bool channel_pair_send(struct port_pair *port, struct str bytes)
{
    struct pair *p = CONTAINER_OF(port, struct pair, port);

    stay(p->forward);
    return send_channel(p->forward, p->sides[DATA].id, bytes);
}

static void channel_pair_over(struct port_pair *port, const char *error)
{
    struct pair *p = CONTAINER_OF(port, struct pair, port);
    CLEANUP(buf_done) struct buf b = { 0 };

    p->is_over = true;
    if (error) {
        format_error(p, &b, error);
        (void)send_channel(p->forward, p->sides[ERROR].id, buf_str(&b));
    }
    update_reading(p->forward);
    LIST_FOREACH(n, &p->forward->pairs)
        if (!CONTAINER_OF(n, struct pair, link)->is_over)
            return;
    close_forward(p->forward); /* channels cannot end singly */
}

static void on_message(struct websocket *w, bool is_text, struct str bytes, void *arg)
{
    const struct port_forward *f = arg;
    struct arena a = { 0 };
    struct str plain = str_tail(bytes, 1);
    uint32_t channel;
    size_t bad;

    (void)w;
    (void)is_text;
    if (!bytes.len)
        return;
    channel = (unsigned char)bytes.p[0];
    if (f->is_base64) {
        channel -= '0';
        if (!base64_decode(&a, plain, &plain, &bad))
            plain = STR_NULL;
    }
    LIST_FOREACH(n, &f->pairs) {
        struct pair *p = CONTAINER_OF(n, struct pair, link);

        if (p->sides[DATA].id == channel) {
            write_pair(p, plain);
            break;
        }
    }
    arena_done(&a);
}

static void on_websocket_drain(struct websocket *w, void *arg)
{
    (void)w;
    drain_all(arg);
}

static void on_websocket_end(struct websocket *w, void *arg)
{
    (void)w;
    free_forward(arg);
}

static bool read_ports(const struct server_request *r, uint16_t ports[PORTS_MAX], size_t *ret_n)
{
    struct str list, part;
    uint64_t port;
    size_t n = 0;

    for (size_t i = 0; (list = server_param(r, STR("port"), i)).p; i++)
        while (str_next(&list, ',', &part)) {
            if (!str_to_u64(part, &port) || !port || port > UINT16_MAX || n == PORTS_MAX) {
                server_answer_text(
                    r, 400,
                    arena_printf(r->arena, "unable to parse \"%.*s\" as a port\n", STR_ARG(part)));
                return false;
            }
            ports[n++] = (uint16_t)port;
        }
    *ret_n = n;
    if (!n)
        server_answer_text(r, 400, STR("query parameter \"port\" is required\n"));
    return n != 0;
}

static int accept_channels(const struct server_request *r, struct port_forward *f,
                           struct str protocol)
{
    static const struct websocket_ops websocket_ops = { on_message, on_websocket_drain,
                                                        on_websocket_end };
    static const struct port_pair_ops ops = { channel_pair_send, on_took, channel_pair_over };
    uint16_t ports[PORTS_MAX];
    size_t n;
    int rc;

    if (!read_ports(r, ports, &n))
        return -1;
    f->is_base64 = str_eq(protocol, STR("v4.base64.channel.k8s.io"));
    rc = websocket_accept(r->http, protocol, &websocket_ops, f, &f->websocket);
    if (rc < 0) {
        server_answer_text(r, 400, STR("unable to upgrade: not a WebSocket request\n"));
        return rc;
    }
    for (size_t i = 0; i < n; i++) {
        const char bytes[2] = { (char)(ports[i] & 0xff), (char)(ports[i] >> 8) };
        struct pair *p = add_pair(f, &ops, ports[i], STR(""));

        for (uint32_t side = DATA; side <= ERROR; side++) {
            p->sides[side].id = (uint32_t)i * 2 + side;
            (void)send_channel(f, p->sides[side].id, str_n(bytes, sizeof(bytes)));
        }
        port_pair_connect(&p->port, f->sandbox_id);
    }
    return 0;
}

/* --- the beginning --- */

static int accept_websocket(const struct server_request *r, struct port_forward *f)
{
    static const struct str ours[] = { STR_INIT("SPDY/3.1+portforward.k8s.io"),
                                       STR_INIT("v4.channel.k8s.io"),
                                       STR_INIT("v4.base64.channel.k8s.io") };
    bool any;
    struct str chosen = websocket_choose(r->http, ours, ARRAY_LEN(ours), &any);
    int rc;

    if (any && !chosen.len) {
        server_answer_text(r, 403,
                           STR("unable to upgrade: none of the WebSocket's subprotocols is "
                               "spoken here\n"));
        return -1;
    }
    if (!str_eq(chosen, ours[0]))
        return accept_channels(r, f, chosen);
    rc = spdy_accept_websocket(r->http, chosen, &spdy_ops, f, &f->spdy);
    if (rc < 0)
        server_answer_text(r, 400, STR("unable to upgrade: not a WebSocket request\n"));
    return rc;
}

void port_forward_serve(const struct server_request *r)
{
    const struct kubelet_view *v = r->server->o.view;
    const struct api_object *pod =
        v->find_pod(v->arg, r->parts[1], r->parts[2], r->n == 4 ? r->parts[3] : STR_NULL);
    struct str sandbox_id = pod ? v->sandbox_id(v->arg, pod->meta->uid) : STR_NULL;
    struct port_forward *f;
    int rc = -1;

    if (!sandbox_id.len) {
        server_answer_text(r, 404,
                           arena_printf(r->arena, "pod \"%.*s_%.*s\" not found\n",
                                        STR_ARG(r->parts[2]), STR_ARG(r->parts[1])));
        return;
    }
    f = NEW(struct port_forward);
    f->server = r->server;
    f->request = r->http;
    f->sandbox_id = str_dup(r->arena, sandbox_id);
    f->pod_uid = str_dup(r->arena, pod->meta->uid);
    list_init(&f->pairs);
    list_init(&f->link);
    loop_timer_init(&f->idle, r->server->o.loop, on_idle);
    if (websocket_is_asked_for(r->http))
        rc = accept_websocket(r, f);
    else if (spdy_is_asked_for(r->http))
        rc = accept_spdy(r, f);
    else
        server_answer_text(r, 400, STR("unable to upgrade: missing upgrade headers in request\n"));
    if (rc < 0) {
        mem_free(f);
        return;
    }
    http_request_ref(r->http);
    list_append(&r->server->forwards, &f->link);
    stay(f);
}

void port_forward_stop_all(struct kubelet_server *s)
{
    LIST_FOREACH_SAFE(n, &s->forwards)
        close_forward(CONTAINER_OF(n, struct port_forward, link));
}
