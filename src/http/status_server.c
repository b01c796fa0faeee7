#include "http/status_server.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "http/http_server.h"

enum { MAX_CONNECTIONS = 50 };

struct status_server {
    struct http_server *http;
    const struct status_route *routes;
    void *arg;
};

static void answer_text(struct http_request *r, int status, struct str body)
{
    static const struct http_header type = { STR_INIT("content-type"),
                                             STR_INIT("text/plain; charset=utf-8") };

    http_respond(r, status, &type, 1, body);
}

static void serve(struct http_request *r, const struct status_route *route, void *arg)
{
    struct http_header headers[1 + STATUS_MAX_HEADERS];
    struct status_answer a = { .type = STR("text/plain; charset=utf-8"),
                               .arena = http_request_arena(r) };
    struct buf body;
    int status;

    buf_init_arena(&body, a.arena, 256);
    a.body = &body;
    status = route->fn(&a, arg);
    headers[0] = (struct http_header){ STR("content-type"), a.type };
    memcpy(headers + 1, a.more, sizeof(a.more));
    http_respond(r, status, headers, 1 + MIN(a.n_more, (size_t)STATUS_MAX_HEADERS), buf_str(&body));
}

static void on_request(struct http_request *r, void *arg)
{
    const struct status_server *s = arg;
    struct str method = http_request_method(r), path = http_request_path(r);

    if (!str_eq(method, STR("GET")) && !str_eq(method, STR("HEAD"))) {
        answer_text(r, 405, STR("Method Not Allowed\n"));
        return;
    }
    for (const struct status_route *t = s->routes; t->fn; t++)
        if (!strcmp(t->path, "*") || str_eq(str_from_cstr(t->path), path)) {
            serve(r, t, s->arg);
            return;
        }
    answer_text(r, 404, STR("404 page not found\n"));
}

int status_server_new(struct loop *l, const char *address, uint16_t port,
                      const struct status_route *routes, void *arg, struct status_server **ret,
                      struct err *err)
{
    struct status_server *s = NEW(struct status_server);
    const struct http_server_options o = { .loops = &l,
                                           .n_loops = 1,
                                           .limits = { .header_bytes = 8192,
                                                       .idle_timeout_ms = 30000,
                                                       .connections = MAX_CONNECTIONS,
                                                       .request_arena_bytes = 8 * 1024 * 1024 },
                                           .on_request = on_request,
                                           .arg = s };
    int r = http_server_new(&o, &s->http, err);

    s->routes = routes;
    s->arg = arg;
    if (r >= 0)
        r = http_server_listen(s->http, address, port, NULL, err);
    if (r < 0) {
        status_server_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

int status_server_listen(struct status_server *s, const char *address, uint16_t port,
                         struct err *err)
{
    return http_server_listen(s->http, address, port, NULL, err);
}

void status_server_free(struct status_server *s)
{
    if (!s)
        return;
    http_server_free(s->http);
    mem_free(s);
}
