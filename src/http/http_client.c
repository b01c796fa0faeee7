/* Which call goes to which connection, and when to dial. All of it happens in one task at the end
 * of a turn, so that no callback of a user's runs while another one's data is being looked at. */
#include "http/http_client.h"

#include "base/mem.h"
#include "http/http_client_internal.h"

enum {
    HTTP_CLIENT_TRIES = 3,        /* of a call that the server refused */
    HTTP_CLIENT_SILENT_TRIES = 2, /* of one that a kept-alive connection lost */
};

static struct http_client_connection *connection_of(struct list *n)
{
    return CONTAINER_OF(n, struct http_client_connection, link);
}

void http_client_work_soon(struct http_client *c)
{
    if (!c->is_freed)
        loop_task_post(c->loop, &c->work);
}

static enum http_call_kind kind_of(const struct http_call *call)
{
    return call->upgrade.len ? HTTP_CALL_UPGRADE : HTTP_CALL_PLAIN;
}

bool http_client_has_waiting(const struct http_client *c)
{
    return c->n_waiting[HTTP_CALL_PLAIN] || c->n_waiting[HTTP_CALL_UPGRADE];
}

static void leave_queue(struct http_client *c, struct http_call *call)
{
    list_remove(&call->link);
    c->n_waiting[kind_of(call)]--;
}

/* --- the ends of calls --- */

void http_client_end_call(struct http_call *call, int result, const char *text)
{
    list_remove(&call->link);
    list_remove(&call->abort_link);
    loop_timer_stop(&call->deadline);
    call->client = NULL; /* what its user does to it now does nothing */
    call->ops->on_end(call, result, text, call->arg);
    http_call_free(call);
}

static const char *abort_text(int why)
{
    return why == ERR_TIMEOUT ? "the deadline has passed" : "canceled";
}

static bool may_try_again(const struct http_client *c, const struct http_call *call,
                          enum http_call_fate fate)
{
    if (c->is_freed || !http_call_may_resend(call))
        return false;
    if (fate == HTTP_CALL_REFUSED)
        return call->tries < HTTP_CLIENT_TRIES;
    return fate == HTTP_CALL_SILENT && call->tries < HTTP_CLIENT_SILENT_TRIES &&
           http_call_is_repeatable(call);
}

static void wait_first(struct http_client *c, struct http_call *call)
{
    http_call_reset(call);
    list_prepend(&c->waiting[kind_of(call)], &call->link);
    c->n_waiting[kind_of(call)]++;
    http_client_work_soon(c);
}

void http_client_finish(struct http_client *c, struct http_call *call, enum http_call_fate fate,
                        int result, const char *text)
{
    if (call->abort) {
        http_client_end_call(call, call->abort, abort_text(call->abort));
    } else if (may_try_again(c, call, fate)) {
        wait_first(c, call);
    } else if (result == 0 && call->held.len) {
        call->is_ending = true;
        list_append(&c->ending, &call->link);
    } else {
        http_client_end_call(call, result, text);
    }
}

static void end_aborted(struct http_client *c)
{
    struct list *n;

    while ((n = list_first(&c->aborted))) {
        struct http_call *call = CONTAINER_OF(n, struct http_call, abort_link);

        list_remove(n);
        if (call->core)
            call->core->ops->cancel(call->core, call);
        else if (!call->is_ending)
            leave_queue(c, call);
        http_client_end_call(call, call->abort, abort_text(call->abort));
    }
}

static void abort_call(struct http_call *call, int why)
{
    if (!call->client || call->abort)
        return;
    call->abort = why;
    list_append(&call->client->aborted, &call->abort_link);
    http_client_work_soon(call->client);
}

void http_call_cancel(struct http_call *call)
{
    abort_call(call, ERR_CANCELED);
}

static void on_deadline(struct loop_timer *t)
{
    abort_call(CONTAINER_OF(t, struct http_call, deadline), ERR_TIMEOUT);
}

/* --- calls to connections --- */

struct census {
    size_t dials;    /* connections being made */
    size_t h1_dials; /* those for upgrades alone; not among dials */
    size_t h1;       /* HTTP/1.1 that stays so, and dials: what limits.connections bounds */
    size_t idle_h1;
    bool has_h2; /* one that takes calls, now or later */
};

static struct census count(const struct http_client *c)
{
    struct census s = { 0 };

    LIST_FOREACH(l, &c->connections) {
        const struct http_client_connection *n = connection_of(l);

        if (n->is_dead)
            continue;
        if (!n->core) {
            s.dials += !n->is_h1_only;
            s.h1_dials += n->is_h1_only;
            s.h1++;
        } else if (n->version == 1) {
            s.h1 += !n->core->ops->is_tunnel(n->core);
            s.idle_h1 += n->core->ops->room(n->core);
        } else if (!n->core->ops->is_leaving(n->core)) {
            s.has_h2 = true;
        }
    }
    return s;
}

static struct http_client_connection *find_room(const struct http_client *c, bool is_h1)
{
    LIST_FOREACH(l, &c->connections) {
        struct http_client_connection *n = connection_of(l);

        if (!n->is_dead && n->core && (!is_h1 || n->version == 1) && n->core->ops->room(n->core))
            return n;
    }
    return NULL;
}

static void place_waiting(struct http_client *c, enum http_call_kind kind)
{
    struct http_client_connection *n;
    struct list *l;

    while ((l = list_first(&c->waiting[kind])) && (n = find_room(c, kind == HTTP_CALL_UPGRADE))) {
        struct http_call *call = CONTAINER_OF(l, struct http_call, link);

        leave_queue(c, call);
        call->tries++;
        n->core->ops->start(n->core, call);
    }
}

/* For those that found no place. HTTP/2, or a server not yet known: one connection serves all.
 * HTTP/1.1: one for each call. */
static void dial(struct http_client *c)
{
    struct census s = count(c);
    size_t calls = c->n_waiting[HTTP_CALL_PLAIN], upgrades = c->n_waiting[HTTP_CALL_UPGRADE];
    bool is_h1 = c->tls ? c->version == 1 : !c->is_plain_h2;
    size_t want = calls > s.dials ? calls - s.dials : 0;

    if (!is_h1)
        want = calls && !s.dials && !s.has_h2;
    for (; want && s.h1 < c->limits.connections; want--, s.h1++)
        http_client_connection_new(c, false);
    want = upgrades > s.h1_dials ? upgrades - s.h1_dials : 0;
    for (; want && s.h1_dials < c->limits.connections; want--, s.h1_dials++)
        http_client_connection_new(c, true);
}

static void close_superfluous(struct http_client *c)
{
    struct census s = count(c);

    LIST_FOREACH(l, &c->connections) {
        struct http_client_connection *n = connection_of(l);

        if (s.idle_h1 <= c->limits.idle_connections)
            return;
        if (n->is_dead || n->version != 1 || !n->core->ops->room(n->core))
            continue;
        n->core->ops->goodbye(n->core);
        s.idle_h1--;
    }
}

static void on_work(struct loop_task *t)
{
    struct http_client *c = CONTAINER_OF(t, struct http_client, work);

    end_aborted(c);
    place_waiting(c, HTTP_CALL_UPGRADE); /* fewer connections do for them */
    place_waiting(c, HTTP_CALL_PLAIN);
    if (http_client_has_waiting(c))
        dial(c);
    close_superfluous(c);
}

void http_client_dial_failed(struct http_client_connection *n)
{
    struct http_client *c = n->client;
    bool is_one = n->is_h1_only || (c->tls ? c->version == 1 : !c->is_plain_h2);
    enum http_call_kind kind = n->is_h1_only ? HTTP_CALL_UPGRADE : HTTP_CALL_PLAIN;
    struct list failed;
    struct list *l;

    list_init(&failed);
    while ((l = list_first(&c->waiting[kind]))) {
        leave_queue(c, CONTAINER_OF(l, struct http_call, link));
        list_append(&failed, l);
        if (is_one)
            break;
    }
    while ((l = list_first(&failed))) {
        struct http_call *call = CONTAINER_OF(l, struct http_call, link);

        http_client_finish(c, call, HTTP_CALL_ENDED, n->err.code, n->err.text);
    }
}

int http_call_start(struct http_client *client, const struct http_call_options *o,
                    struct http_call **ret)
{
    struct http_call *c;
    int r;

    if (client->is_freed)
        return ERR_CANCELED;
    if (client->n_waiting[HTTP_CALL_PLAIN] + client->n_waiting[HTTP_CALL_UPGRADE] >=
        client->limits.waiting)
        return ERR_OVERFLOW;
    r = http_call_new(o, &c);
    if (r < 0)
        return r;
    c->client = client;
    list_append(&client->waiting[kind_of(c)], &c->link);
    client->n_waiting[kind_of(c)]++;
    loop_timer_init(&c->deadline, client->loop, on_deadline);
    if (o->timeout_ms > 0)
        loop_timer_start(&c->deadline, o->timeout_ms);
    http_client_work_soon(client);
    *ret = c;
    return 0;
}

/* --- the client --- */

static void set_defaults(struct http_client_limits *l)
{
    const struct {
        uint32_t *value, by_default;
    } rows[] = {
        { &l->header_bytes, 64 * 1024 },
        { &l->header_count, 200 },
        { &l->connect_timeout_ms, 30 * 1000 },
        { &l->idle_timeout_ms, 90 * 1000 },
        { &l->ping_after_ms, 30 * 1000 },
        { &l->ping_timeout_ms, 15 * 1000 },
        { &l->connections, 100 },
        { &l->idle_connections, 25 },
        { &l->waiting, 10000 },
        { &l->streams, 1000 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (*rows[i].value == 0)
            *rows[i].value = rows[i].by_default;
}

/* host[:port]; the port is left out where it is the scheme's. */
static struct str make_host(struct http_client *c, struct str name)
{
    bool is_v6 = str_find(name, ':') >= 0;
    bool is_usual = c->port == (c->tls ? 443 : 80);
    const char *open = is_v6 ? "[" : "", *shut = is_v6 ? "]" : "";

    if (is_usual)
        return arena_printf(&c->arena, "%s%.*s%s", open, STR_ARG(name), shut);
    return arena_printf(&c->arena, "%s%.*s%s:%u", open, STR_ARG(name), shut, c->port);
}

struct http_client *http_client_new(const struct http_client_options *o)
{
    struct http_client *c = NEW(struct http_client);

    arena_init(&c->arena, 0);
    c->loop = o->loop;
    c->address = str_dup(&c->arena, o->address).p;
    c->port = o->port;
    c->tls = o->tls;
    c->is_plain_h2 = o->is_plain_h2;
    c->server_name = str_dup(&c->arena, o->server_name.len ? o->server_name : o->address);
    c->host =
        o->host.len ? http_header_clean_value(&c->arena, o->host) : make_host(c, c->server_name);
    c->limits = o->limits;
    set_defaults(&c->limits);
    list_init(&c->connections);
    for (int i = 0; i < HTTP_CALL_KIND_MAX; i++)
        list_init(&c->waiting[i]);
    list_init(&c->ending);
    list_init(&c->aborted);
    loop_task_init(&c->work, on_work);
    return c;
}

static void end_all(struct list *calls)
{
    struct list *l;

    while ((l = list_first(calls)))
        http_client_end_call(CONTAINER_OF(l, struct http_call, link), ERR_CANCELED, "canceled");
}

void http_client_free(struct http_client *c)
{
    struct list *l;

    if (!c)
        return;
    c->is_freed = true;
    loop_task_cancel(&c->work);
    while ((l = list_first(&c->connections)))
        http_client_connection_free(connection_of(l), ERR_CANCELED, "canceled");
    for (int i = 0; i < HTTP_CALL_KIND_MAX; i++)
        end_all(&c->waiting[i]);
    end_all(&c->ending);
    buf_done(&c->plain);
    buf_done(&c->cipher);
    arena_done(&c->arena);
    mem_free(c);
}

void http_client_renew(struct http_client *c)
{
    LIST_FOREACH_SAFE(l, &c->connections) {
        struct http_client_connection *n = connection_of(l);

        if (!n->core)
            n->is_retired = true;
        else if (!n->core->ops->is_tunnel(n->core))
            n->core->ops->goodbye(n->core);
    }
}
