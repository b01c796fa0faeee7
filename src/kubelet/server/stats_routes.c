/* Figures: the kubelet's own at once, what Pods use as soon as a picture of it is taken. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/macros.h"
#include "base/mem.h"
#include "kubelet/server/server_internal.h"
#include "kubelet/stats/stats_collector.h"
#include "kubelet/stats/stats_print.h"

struct scrape {
    struct list link; /* in the server's */
    struct stats_waiter waiter;
    struct server_request request;
    void (*answer)(const struct server_request *r, const struct stats_picture *p);
};

static void answer_metrics(const struct server_request *r, struct str text)
{
    static const struct http_header type = { STR_INIT("content-type"),
                                             STR_INIT("text/plain; version=0.0.4; charset=utf-8") };

    http_respond(r->http, 200, &type, 1, text);
}

/* --- what needs a picture --- */

static void scrape_free(struct scrape *s)
{
    list_remove(&s->link);
    stats_collector_forget(&s->waiter);
    http_request_unref(s->request.http);
    mem_free(s);
}

static void on_picture(struct stats_waiter *w, const struct stats_picture *p)
{
    struct scrape *s = CONTAINER_OF(w, struct scrape, waiter);

    s->answer(&s->request, p);
    scrape_free(s);
}

static void scrape(const struct server_request *r,
                   void (*answer)(const struct server_request *, const struct stats_picture *))
{
    struct scrape *s = NEW(struct scrape);

    s->request = *r;
    s->answer = answer;
    s->waiter.fn = on_picture;
    list_init(&s->waiter.link);
    http_request_ref(r->http);
    list_append(&r->server->scrapes, &s->link);
    stats_collector_ask(r->server->o.stats, &s->waiter);
}

void stats_routes_stop_all(struct kubelet_server *s)
{
    LIST_FOREACH_SAFE(n, &s->scrapes)
        scrape_free(CONTAINER_OF(n, struct scrape, link));
}

static void answer_summary(const struct server_request *r, const struct stats_picture *p)
{
    struct buf b;

    buf_init_arena(&b, r->arena, 8192);
    stats_print_summary(p, server_flag(r, STR("only_cpu_and_memory")), &b);
    server_answer_json(r, buf_str(&b));
}

static void answer_running_pods(const struct server_request *r, const struct stats_picture *p)
{
    struct buf b;

    buf_init_arena(&b, r->arena, 4096);
    stats_print_running_pods(p, &b);
    server_answer_json(r, buf_str(&b));
}

static void answer_resource(const struct server_request *r, const struct stats_picture *p)
{
    struct buf b;

    buf_init_arena(&b, r->arena, 8192);
    stats_print_resource(p, &b);
    answer_metrics(r, buf_str(&b));
}

static void answer_cadvisor(const struct server_request *r, const struct stats_picture *p)
{
    struct buf b;

    buf_init_arena(&b, r->arena, 32768);
    stats_print_cadvisor(p, &b);
    answer_metrics(r, buf_str(&b));
}

/* --- paths --- */

void stats_routes_running_pods(const struct server_request *r)
{
    scrape(r, answer_running_pods);
}

void stats_routes_stats(const struct server_request *r)
{
    if (str_eq(r->parts[1], STR("summary")))
        scrape(r, answer_summary);
    else
        server_answer_text(r, 404, STR("404 page not found\n"));
}

void stats_routes_metrics(const struct server_request *r)
{
    const struct kubelet_view *v = r->server->o.view;
    struct str what = r->n == 2 ? r->parts[1] : STR("");
    struct buf b;

    buf_init_arena(&b, r->arena, 8192);
    if (r->n == 1) {
        v->print_metrics(v->arg, &b);
        answer_metrics(r, buf_str(&b));
    } else if (str_eq(what, STR("probes"))) {
        v->print_probe_metrics(v->arg, &b);
        answer_metrics(r, buf_str(&b));
    } else if (str_eq(what, STR("resource"))) {
        scrape(r, answer_resource);
    } else if (str_eq(what, STR("cadvisor"))) {
        scrape(r, answer_cadvisor);
    } else {
        server_answer_text(r, 404, STR("404 page not found\n"));
    }
}
