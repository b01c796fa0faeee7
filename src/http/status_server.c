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

static void answer(struct http_request *r, int status, struct str type, struct str body)
{
    struct http_header h = { STR("content-type"), type };

    http_respond(r, status, &h, 1, body);
}

static void on_request(struct http_request *r, void *arg)
{
    static const struct str text = STR_INIT("text/plain; charset=utf-8");
    const struct status_server *s = arg;
    struct str method = http_request_method(r);
    struct buf body;
    int status;

    if (!str_eq(method, STR("GET")) && !str_eq(method, STR("HEAD"))) {
        answer(r, 405, text, STR("Method Not Allowed\n"));
        return;
    }
    for (const struct status_route *t = s->routes; t->fn; t++) {
        if (!str_eq(t->path, http_request_path(r)))
            continue;
        buf_init_arena(&body, http_request_arena(r), 256);
        status = t->fn(&body, s->arg);
        answer(r, status, t->type.p ? t->type : text, buf_str(&body));
        return;
    }
    answer(r, 404, text, STR("404 page not found\n"));
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

void status_server_free(struct status_server *s)
{
    if (!s)
        return;
    http_server_free(s->http);
    mem_free(s);
}
