/* The request as handlers see it, whatever the protocol. */
#include <assert.h>

#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "http/http_internal.h"
#include "io/loop.h"

struct str http_env_date(struct http_env *env)
{
    int64_t now;
    struct tm tm;
    time_t t;

    if (!env->loop)
        return STR_NULL;
    now = clock_wall_s(loop_clock(env->loop));
    if (now != env->date_s) {
        env->date_s = now;
        t = (time_t)now;
        (void)strftime(env->date, sizeof(env->date), "%a, %d %b %Y %H:%M:%S GMT",
                       gmtime_r(&t, &tm));
    }
    return str_from_cstr(env->date);
}

struct http_request *http_request_new(struct http_core *core, int version)
{
    struct http_request *r = NEW(struct http_request);

    arena_init(&r->arena, core->env->limits->request_arena_bytes);
    r->refs = 1;
    r->core = core;
    r->loop = core->env->loop;
    r->version = version;
    r->body_expected = -1;
    r->peer = str_dup(&r->arena, core->env->peer);
    list_init(&r->link);
    return r;
}

void http_request_ref(struct http_request *r)
{
    r->refs++;
}

void http_request_unref(struct http_request *r)
{
    if (!r || --r->refs)
        return;
    VEC_DONE(&r->headers);
    buf_done(&r->pulled);
    arena_done(&r->arena);
    mem_free(r);
}

/* --- made by the cores --- */

int http_request_add_header(struct http_request *r, struct str name, struct str value)
{
    const struct http_limits *limits = r->core->env->limits;
    struct http_header h;

    r->header_bytes += name.len + value.len;
    if (r->header_bytes > limits->header_bytes || r->headers.len >= limits->header_count)
        return ERR_TOO_LARGE;
    h.name = http_header_lower_name(&r->arena, name);
    h.value = str_dup(&r->arena, value);
    VEC_PUSH(&r->headers, h);
    return 0;
}

void http_request_set_target(struct http_request *r, struct str target)
{
    r->target = str_dup(&r->arena, target);
    r->query = STR_NULL;
    (void)str_cut(r->target, '?', &r->path, &r->query);
}

void http_request_show(struct http_request *r)
{
    struct http_env *env = r->core->env;

    r->is_shown = true;
    r->has_identity = env->identity && env->identity(env, &r->identity);
    env->on_request(env, r);
}

void http_request_end(struct http_request *r, int result)
{
    struct http_source *s = r->answer.source;
    void (*fn)(struct http_request *, void *) = r->on_close;

    if (!r->core)
        return;
    r->core = NULL;
    list_remove(&r->link);
    r->answer.source = NULL;
    r->on_close = NULL;
    if (r->is_body_wanted && !r->is_body_done)
        http_request_body_fail(r, ERR_CLOSED);
    if (s)
        s->done(s);
    if (fn && result < 0)
        fn(r, r->on_close_arg);
    http_request_unref(r);
}

/* --- reading it --- */

struct arena *http_request_arena(struct http_request *r)
{
    return &r->arena;
}

struct loop *http_request_loop(struct http_request *r)
{
    return r->loop;
}

struct str http_request_method(const struct http_request *r)
{
    return r->method;
}

bool http_request_method_is(const struct http_request *r, struct str method)
{
    return str_eq(r->method, method);
}

struct str http_request_path(const struct http_request *r)
{
    return r->path;
}

struct str http_request_query(const struct http_request *r)
{
    return r->query;
}

struct str http_request_header(const struct http_request *r, struct str name)
{
    VEC_FOREACH(struct http_header *, h, &r->headers)
        if (str_eq_nocase(h->name, name))
            return h->value;
    return STR_NULL;
}

size_t http_request_headers(const struct http_request *r, const struct http_header **ret)
{
    *ret = r->headers.items;
    return r->headers.len;
}

int http_request_version(const struct http_request *r)
{
    return r->version;
}

struct str http_request_peer(const struct http_request *r)
{
    return r->peer;
}

bool http_request_peer_identity(const struct http_request *r, struct http_peer_identity *ret)
{
    bool has = r->has_identity && r->core; /* it ends with the connection */

    if (has)
        *ret = r->identity;
    return has;
}

bool http_request_peer_is_stranger(const struct http_request *r)
{
    return r->core && r->identity.is_stranger;
}

void http_request_on_close(struct http_request *r, void (*fn)(struct http_request *r, void *arg),
                           void *arg)
{
    r->on_close = fn;
    r->on_close_arg = arg;
}

/* --- its body --- */

static void tell_body(struct http_request *r, int result)
{
    r->is_body_done = true;
    r->body_fn(r, result, result == 0 ? buf_str(&r->body) : STR_NULL, r->body_arg);
}

void http_request_body_fail(struct http_request *r, int result)
{
    if (r->is_body_wanted && !r->is_body_done)
        tell_body(r, result);
}

static void over_limit(struct http_request *r)
{
    r->is_body_refused = true;
    if (r->core)
        r->core->ops->refuse_body(r->core, r);
    http_request_body_fail(r, ERR_TOO_LARGE);
}

void http_request_body_bytes(struct http_request *r, struct str bytes)
{
    if (r->is_body_refused || r->is_body_done)
        return;
    if (r->is_body_wanted && bytes.len > r->body_limit - r->body.len) {
        over_limit(r);
        return;
    }
    if (!r->body.arena)
        buf_init_arena(&r->body, &r->arena, bytes.len);
    buf_append(&r->body, bytes.p, bytes.len);
    if (arena_is_over(&r->arena))
        over_limit(r);
}

void http_request_body_end(struct http_request *r)
{
    r->is_body_whole = true;
    if (r->is_body_wanted && !r->is_body_done)
        tell_body(r, 0);
}

void http_request_read_body(struct http_request *r, size_t limit_bytes, http_body_fn *done,
                            void *arg)
{
    assert(!r->is_body_wanted);
    r->is_body_wanted = true;
    r->body_fn = done;
    r->body_arg = arg;
    r->body_limit = limit_bytes;
    if (!r->core && !r->is_body_whole) {
        tell_body(r, ERR_CLOSED);
    } else if (r->is_body_refused || r->body.len > limit_bytes ||
               (r->body_expected > 0 && (uint64_t)r->body_expected > limit_bytes)) {
        over_limit(r);
    } else if (r->is_body_whole) {
        tell_body(r, 0);
    } else {
        r->body_last_ms = r->core->env->now_ms(r->core->env);
        r->core->ops->want_body(r->core, r);
    }
}

/* --- its answer --- */

static void answer(struct http_request *r, int status, const struct http_header *headers, size_t n)
{
    struct http_answer *a = &r->answer;

    assert(!a->status);
    a->status = status;
    if (!r->core)
        return;
    a->headers = ARENA_NEW_ARRAY(&r->arena, struct http_header, n);
    a->n_headers = n;
    for (size_t i = 0; i < n; i++) {
        a->headers[i].name = http_header_lower_name(&r->arena, headers[i].name);
        a->headers[i].value = http_header_clean_value(&r->arena, headers[i].value);
    }
    r->answer_last_ms = r->core->env->now_ms(r->core->env);
}

void http_respond(struct http_request *r, int status, const struct http_header *headers, size_t n,
                  struct str body)
{
    answer(r, status, headers, n);
    r->answer.body = body;
    r->answer.content_length = (int64_t)body.len;
    if (r->core)
        r->core->ops->respond(r->core, r);
}

void http_respond_source(struct http_request *r, int status, const struct http_header *headers,
                         size_t n, int64_t content_length, struct http_source *s)
{
    answer(r, status, headers, n);
    if (!r->core) {
        s->done(s);
        return;
    }
    r->answer.source = s;
    r->answer.content_length = content_length < 0 ? -1 : content_length;
    r->core->ops->respond(r->core, r);
}

void http_source_wake(struct http_request *r)
{
    if (!r->core || !r->answer.source || !r->is_pull_waiting)
        return;
    r->is_pull_waiting = false;
    r->answer_last_ms = r->core->env->now_ms(r->core->env);
    r->core->ops->wake(r->core, r);
}

const char *http_status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } rows[] = {
        { 101, "Switching Protocols" },
        { 200, "OK" },
        { 201, "Created" },
        { 202, "Accepted" },
        { 204, "No Content" },
        { 206, "Partial Content" },
        { 301, "Moved Permanently" },
        { 302, "Found" },
        { 303, "See Other" },
        { 304, "Not Modified" },
        { 307, "Temporary Redirect" },
        { 308, "Permanent Redirect" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 406, "Not Acceptable" },
        { 408, "Request Timeout" },
        { 409, "Conflict" },
        { 410, "Gone" },
        { 411, "Length Required" },
        { 412, "Precondition Failed" },
        { 413, "Request Entity Too Large" },
        { 415, "Unsupported Media Type" },
        { 416, "Requested Range Not Satisfiable" },
        { 417, "Expectation Failed" },
        { 422, "Unprocessable Entity" },
        { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
        { 501, "Not Implemented" },
        { 502, "Bad Gateway" },
        { 503, "Service Unavailable" },
        { 504, "Gateway Timeout" },
        { 505, "HTTP Version Not Supported" },
        { 507, "Insufficient Storage" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].status == status)
            return rows[i].text;
    return "Status";
}
