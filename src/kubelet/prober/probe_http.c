/* An HTTP GET and the redirects that stay on its host. One that leads to another host is not
 * followed: whoever answers a probe could have the node ask anybody; upstream counts it as success
 * with a warning. */
#include <errno.h>

#include "base/err.h"
#include "http/http_client.h"
#include "kubelet/prober/probe_action_internal.h"

enum { REDIRECTS_MAX = 10, PATH_MAX_BYTES = 8192 };

static void start_call(struct probe_action *p);

struct str probe_http_url(struct arena *a, const struct probe_url *u)
{
    return arena_printf(a, "%s://%.*s%.*s", u->is_https ? "https" : "http",
                        STR_ARG(probe_action_address(a, u->host, u->port)), STR_ARG(u->path));
}

/* --- where a redirect leads --- */

/* "host[:port]", "[::1]:80", "user@host" */
static bool read_authority(struct str s, struct probe_url *u)
{
    ptrdiff_t at = str_rfind(s, '@'), close, colon;
    uint64_t port = u->is_https ? 443 : 80;

    if (at >= 0)
        s = str_tail(s, (size_t)at + 1);
    close = str_rfind(s, ']');
    colon = str_rfind(s, ':');
    if (colon > close) {
        if (colon + 1 < (ptrdiff_t)s.len &&
            (!str_to_u64(str_tail(s, (size_t)colon + 1), &port) || port < 1 || port > 65535))
            return false;
        s = str_sub(s, 0, (size_t)colon);
    }
    if (close >= 0) {
        if (s.p[0] != '[' || (size_t)close + 1 != s.len)
            return false;
        s = str_sub(s, 1, (size_t)close);
    }
    u->host = s;
    u->port = (uint16_t)port;
    return s.len > 0;
}

/* Without "." and "..", which servers need not understand. */
static struct str without_dots(struct arena *a, struct str path)
{
    struct str query = STR_NULL, rest = path, part;
    bool has_query = str_cut(path, '?', &rest, &query), is_dir = false;
    struct buf b;

    buf_init_arena(&b, a, path.len + 1);
    rest = str_tail(rest, 1);
    while (str_next(&rest, '/', &part)) {
        is_dir = str_eq(part, STR(".")) || str_eq(part, STR(".."));
        if (str_eq(part, STR("..")))
            b.len = (size_t)MAX(str_rfind(buf_str(&b), '/'), (ptrdiff_t)0);
        if (!is_dir)
            buf_printf(&b, "/%.*s", STR_ARG(part));
    }
    if (is_dir || !b.len)
        buf_append_char(&b, '/');
    if (has_query)
        buf_printf(&b, "?%.*s", STR_ARG(query));
    return buf_str(&b);
}

static struct str path_from(struct arena *a, const struct probe_url *from, struct str to)
{
    struct str path, query;
    ptrdiff_t slash;

    (void)str_cut(from->path, '?', &path, &query);
    if (!to.len)
        return from->path;
    if (to.p[0] == '?')
        return arena_printf(a, "%.*s%.*s", STR_ARG(path), STR_ARG(to));
    slash = str_rfind(path, '/');
    return without_dots(a, arena_printf(a, "%.*s%.*s", (int)(slash + 1), path.p, STR_ARG(to)));
}

static bool is_scheme(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!((s.p[i] | 32) >= 'a' && (s.p[i] | 32) <= 'z') &&
            (i == 0 || !((s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '+' || s.p[i] == '-' ||
                         s.p[i] == '.')))
            return false;
    return s.len > 0;
}

bool probe_http_resolve(struct arena *a, const struct probe_url *from, struct str location,
                        struct probe_url *ret)
{
    struct probe_url u = *from;
    struct str scheme, rest, authority;
    size_t end = 0;

    (void)str_cut(location, '#', &location, &rest);
    for (size_t i = 0; i < location.len; i++)
        if ((unsigned char)location.p[i] <= ' ' || (unsigned char)location.p[i] == 127)
            return false;
    if (location.len > PATH_MAX_BYTES)
        return false;
    if (str_cut(location, ':', &scheme, &rest) && is_scheme(scheme)) {
        u.is_https = str_eq_nocase(scheme, STR("https"));
        if (!u.is_https && !str_eq_nocase(scheme, STR("http")))
            return false;
        location = rest;
        if (!str_has_prefix(location, STR("//")))
            return false;
    }
    if (!str_has_prefix(location, STR("//"))) {
        u.path = str_has_prefix(location, STR("/")) ? without_dots(a, location)
                                                    : path_from(a, from, location);
        *ret = u;
        return true;
    }
    rest = str_tail(location, 2);
    while (end < rest.len && rest.p[end] != '/' && rest.p[end] != '?')
        end++;
    authority = str_dup(a, str_sub(rest, 0, end));
    rest = str_tail(rest, end);
    u.path = without_dots(
        a, str_has_prefix(rest, STR("/")) ? rest : arena_printf(a, "/%.*s", STR_ARG(rest)));
    if (!read_authority(authority, &u))
        return false;
    *ret = u;
    return true;
}

static bool is_redirect(int status)
{
    return (status >= 301 && status <= 303) || status == 307 || status == 308;
}

static void on_redirect(struct loop_task *t)
{
    struct probe_action *p = CONTAINER_OF(t, struct probe_action, redirect);

    http_client_free(TAKE(p->http));
    buf_reset(&p->body);
    p->status = 0;
    p->is_cut = false;
    p->location = STR_NULL;
    start_call(p);
}

/* --- the answer --- */

static void on_head(struct http_call *c, int status, const struct http_header *headers, size_t n,
                    void *arg)
{
    struct probe_action *p = arg;
    struct probe_url to;

    p->status = status;
    for (size_t i = 0; i < n && is_redirect(status); i++)
        if (str_eq_nocase(headers[i].name, STR("location")) && headers[i].value.len)
            p->location = str_dup(&p->arena, headers[i].value);
    if (!p->location.len)
        return;
    if (probe_http_resolve(&p->arena, &p->url, p->location, &to) &&
        !str_eq(to.host, p->o.plan->host))
        p->location = STR_NULL; /* it stands as it is */
    else
        http_call_cancel(c);
}

void probe_http_on_body(struct http_call *c, struct str bytes, void *arg)
{
    struct probe_action *p = arg;

    buf_append_str(&p->body, str_sub(bytes, 0, PROBE_BODY_MAX_BYTES - p->body.len));
    if (p->body.len == PROBE_BODY_MAX_BYTES) {
        p->is_cut = true; /* the head decides */
        http_call_cancel(c);
    }
}

/* The whole of what Go's client says: "Get "URL": dial tcp HOST:PORT: connect: ...". */
static void fail(struct probe_action *p, int result, const char *text)
{
    struct str url = probe_http_url(&p->arena, &p->url);
    struct str reason = probe_action_reason(&p->arena, result);

    if (result == ERR_CLOSED)
        probe_action_end(p, 0, PROBE_NO, "Get \"%.*s\": EOF", STR_ARG(url));
    else if (result == -ECONNRESET || result == -EPIPE)
        probe_action_end(p, 0, PROBE_NO, "Get \"%.*s\": read: %.*s", STR_ARG(url), STR_ARG(reason));
    else if (result < 0 && result > -4000) /* of the system: no connection came about */
        probe_action_end(p, 0, PROBE_NO, "Get \"%.*s\": dial tcp %.*s: connect: %.*s", STR_ARG(url),
                         STR_ARG(probe_action_address(&p->arena, p->url.host, p->url.port)),
                         STR_ARG(reason));
    else
        probe_action_end(p, 0, PROBE_NO, "Get \"%.*s\": %s", STR_ARG(url), text);
}

static void follow(struct probe_action *p)
{
    struct probe_url to;

    if (!probe_http_resolve(&p->arena, &p->url, p->location, &to)) {
        probe_action_end(p, 0, PROBE_NO, "Get \"%.*s\": failed to follow Location header \"%.*s\"",
                         STR_ARG(probe_http_url(&p->arena, &p->url)), STR_ARG(p->location));
        return;
    }
    p->url = to;
    p->is_host_ours |=
        str_has_prefix(p->location, STR("//")) || str_find_str(p->location, STR("://")) >= 0;
    if (++p->n_redirects >= REDIRECTS_MAX)
        probe_action_end(p, 0, PROBE_NO, "Get \"%.*s\": stopped after 10 redirects",
                         STR_ARG(probe_http_url(&p->arena, &p->url)));
    else
        loop_task_post(p->o.loop, &p->redirect);
}

static void on_end(struct http_call *c, int result, const char *text, void *arg)
{
    struct probe_action *p = arg;

    (void)c;
    p->call = NULL;
    if (p->is_over)
        return;
    if (!p->status)
        fail(p, result, text);
    else if (p->location.len)
        follow(p);
    else if (p->o.plan->is_hook) /* it was asked, whatever it answers */
        probe_action_end(p, 0, PROBE_YES, "%d", p->status);
    else if (result < 0 && !p->is_cut)
        probe_action_end(p, result, PROBE_NO, "%s", result == ERR_CLOSED ? "unexpected EOF" : text);
    else if (p->status < 200 || p->status >= 400)
        probe_action_end(p, 0, PROBE_NO, "HTTP probe failed with statuscode: %d", p->status);
    else if (p->status >= 300)
        probe_action_end(p, 0, PROBE_WARNING, "Probe terminated redirects, Response body: %.*s",
                         STR_ARG(buf_str(&p->body)));
    else
        probe_action_end(p, 0, PROBE_YES, "%.*s", STR_ARG(buf_str(&p->body)));
}

/* --- the request --- */

/* An address to connect to: the one that was planned, as a redirect stays on its host. */
static void start_call(struct probe_action *p)
{
    static const struct http_call_ops ops = { on_head, probe_http_on_body, on_end };
    const struct probe_plan *plan = p->o.plan;
    struct http_header *headers = ARENA_NEW_ARRAY(&p->arena, struct http_header, plan->n_headers);
    size_t n = 0;
    int r;

    for (size_t i = 0; i < plan->n_headers; i++)
        if (!p->is_host_ours || !str_eq_nocase(plan->headers[i].name, STR("host")))
            headers[n++] = plan->headers[i];
    p->http = http_client_new(&(struct http_client_options){
        .loop = p->o.loop,
        .address = plan->address,
        .port = p->url.port,
        .tls = p->url.is_https ? p->o.tls : NULL,
        .host = probe_action_address(&p->arena, p->url.host, p->url.port) });
    r = http_call_start(p->http,
                        &(struct http_call_options){ .method = STR("GET"),
                                                     .path = p->url.path,
                                                     .headers = headers,
                                                     .n_headers = n,
                                                     .ops = &ops,
                                                     .arg = p },
                        &p->call);
    if (r < 0)
        probe_action_end(p, r, PROBE_NO, "Get \"%.*s\": invalid request",
                         STR_ARG(probe_http_url(&p->arena, &p->url)));
}

void probe_http_start(struct probe_action *p)
{
    const struct probe_plan *plan = p->o.plan;

    p->url = (struct probe_url){ plan->is_https, plan->host, plan->port, plan->path };
    loop_task_init(&p->redirect, on_redirect);
    start_call(p);
}

void probe_http_on_deadline(struct probe_action *p)
{
    if (p->status && !p->location.len)
        probe_action_end(p, ERR_TIMEOUT, PROBE_NO,
                         "context deadline exceeded (Client.Timeout or context cancellation while "
                         "reading body)");
    else
        probe_action_end(p, 0, PROBE_NO,
                         "Get \"%.*s\": context deadline exceeded (Client.Timeout exceeded while "
                         "awaiting headers)",
                         STR_ARG(probe_http_url(&p->arena, &p->url)));
}
