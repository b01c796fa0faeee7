/* A call owns an arena with its request, so that it can be sent again, and gathers the answer. What
 * went wrong becomes one struct rest_result at its end. A watch is a call whose body is cut at line
 * ends while it comes. */
#include "client/rest_client.h"

#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/resource.h"
#include "api/schema.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "client/kube_config.h"
#include "codec/json_reader.h"
#include "http/http_client.h"
#include "io/loop.h"
#include "io/tls.h"

enum {
    BODY_MAX_BYTES = 1 << 30, /* a list of everything */
    LINE_MAX_BYTES = 16 << 20,
    RETRY_MAX_S = 30,
};

struct rest_client {
    struct loop *loop;
    struct arena arena; /* of the options */
    struct tls_context *tls;
    struct http_client *http;
    struct str prefix;
    struct http_header headers[4];
    size_t n_headers;
    struct list calls;
};

struct rest_call {
    struct rest_client *client;
    struct list link;
    struct arena arena;
    const struct resource *resource;
    enum rest_verb verb;
    struct http_call_options options;
    struct http_header headers[6];
    struct http_call *http; /* NULL: between tries */
    struct loop_timer retry;
    unsigned tries;
    /* The answer */
    int code;
    uint64_t retry_after_s;
    struct buf body; /* of a watch: what follows the last line end */
    bool is_too_large;
    rest_done_fn *done;
    const struct rest_watch_ops *watch;
    void *arg;
};

/* --- the client --- */

static void add_header(struct http_header *headers, size_t *n, struct str name, struct str value)
{
    headers[(*n)++] = (struct http_header){ name, value };
}

static int open_tls(struct rest_client *c, const struct kube_config *config, struct err *err)
{
    struct tls_options o = { .is_client = true,
                             .certificate_pem = config->certificate_pem,
                             .key_pem = config->key_pem,
                             .ca_pem = config->ca_pem };

    return config->is_tls ? tls_context_new(&o, &c->tls, err) : 0;
}

int rest_client_new(struct loop *l, const struct kube_config *config, struct str user_agent,
                    struct rest_client **ret, struct err *err)
{
    struct rest_client *c = NEW(struct rest_client);
    struct http_client_options o = { .loop = l, .port = config->port };
    int r = open_tls(c, config, err);

    c->loop = l;
    list_init(&c->calls);
    if (r < 0) {
        rest_client_free(c);
        return r;
    }
    o.tls = c->tls;
    o.address = str_eq(config->host, STR("localhost")) ? STR("127.0.0.1") : config->host;
    o.server_name = config->tls_server_name.len ? config->tls_server_name : config->host;
    c->http = http_client_new(&o);
    c->prefix = str_dup(&c->arena, config->path);
    add_header(c->headers, &c->n_headers, STR("user-agent"), str_dup(&c->arena, user_agent));
    add_header(c->headers, &c->n_headers, STR("accept"), STR("application/json"));
    if (config->token.len)
        add_header(c->headers, &c->n_headers, STR("authorization"),
                   arena_printf(&c->arena, "Bearer %.*s", STR_ARG(config->token)));
    *ret = c;
    return 0;
}

static void free_call(struct rest_call *call)
{
    loop_timer_stop(&call->retry);
    list_remove(&call->link);
    buf_done(&call->body);
    arena_done(&call->arena);
    mem_free(call);
}

void rest_client_free(struct rest_client *c)
{
    if (!c)
        return;
    LIST_FOREACH_SAFE(n, &c->calls)
        CONTAINER_OF(n, struct rest_call, link)->done = NULL; /* nobody is told any more */
    http_client_free(c->http);
    LIST_FOREACH_SAFE(n, &c->calls)
        free_call(CONTAINER_OF(n, struct rest_call, link));
    tls_context_free(c->tls);
    arena_done(&c->arena);
    mem_free(c);
}

/* --- paths --- */

struct str rest_query_escape(struct arena *a, struct str text)
{
    static const char hex[] = "0123456789ABCDEF";
    struct buf b = { 0 };

    buf_init_arena(&b, a, text.len + 16);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.p[i];

        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            c == '-' || c == '.' || c == '_' || c == '~') {
            buf_append_char(&b, (char)c);
            continue;
        }
        buf_append_char(&b, '%');
        buf_append_char(&b, hex[c >> 4]);
        buf_append_char(&b, hex[c & 15]);
    }
    return buf_str(&b);
}

struct str rest_request_path(struct arena *a, const struct rest_request *q, struct str prefix)
{
    const struct resource *r = q->resource;
    struct buf b = { 0 };

    buf_init_arena(&b, a, 256);
    buf_append_str(&b, prefix);
    if (r->group.len)
        buf_printf(&b, "/apis/%.*s/%.*s", STR_ARG(r->group), STR_ARG(r->version));
    else
        buf_printf(&b, "/api/%.*s", STR_ARG(r->version));
    if (q->namespace.len)
        buf_printf(&b, "/namespaces/%.*s", STR_ARG(q->namespace));
    buf_printf(&b, "/%.*s", STR_ARG(r->name));
    if (q->name.len) {
        struct str name = rest_query_escape(a, q->name);

        buf_printf(&b, "/%.*s", STR_ARG(name));
    }
    if (q->subresource.len)
        buf_printf(&b, "/%.*s", STR_ARG(q->subresource));
    if (q->verb == REST_WATCH)
        buf_append_lit(&b, "?watch=true");
    if (q->query.len)
        buf_printf(&b, "%c%.*s", q->verb == REST_WATCH ? '&' : '?', STR_ARG(q->query));
    return buf_str(&b);
}

/* --- one try --- */

static const struct http_call_ops call_ops;

static void on_retry(struct loop_timer *t);
static void end_call(struct rest_call *call, int result, struct str message);

static void send_call(struct rest_call *call)
{
    int r = http_call_start(call->client->http, &call->options, &call->http);

    if (r >= 0)
        return;
    call->http = NULL;
    call->tries = REST_TRIES; /* it would fail again */
    call->code = 0;
    loop_timer_start(&call->retry, 0); /* callers are told later, never at once */
}

static void on_retry(struct loop_timer *t)
{
    struct rest_call *call = CONTAINER_OF(t, struct rest_call, retry);

    if (call->tries < REST_TRIES)
        send_call(call);
    else
        end_call(call, ERR_INVALID, STR("the request could not be sent"));
}

static bool wants_retry(struct rest_call *call)
{
    if (call->tries + 1 >= REST_TRIES)
        return false;
    if (call->code != 429 && (call->code != 503 || !call->retry_after_s))
        return false;
    call->tries++;
    loop_timer_start(&call->retry,
                     (int64_t)MIN(MAX(call->retry_after_s, (uint64_t)1), (uint64_t)RETRY_MAX_S) *
                         1000);
    call->http = NULL;
    call->code = 0;
    buf_reset(&call->body);
    return true;
}

/* --- the end --- */

static int result_of(int code, struct str reason)
{
    static const struct {
        int code;
        const char *reason; /* NULL: any */
        int result;
    } rows[] = {
        { 404, NULL, ERR_NOT_FOUND }, { 409, "AlreadyExists", ERR_EXISTS },
        { 409, NULL, ERR_CONFLICT },  { 400, NULL, ERR_INVALID },
        { 422, NULL, ERR_INVALID },   { 401, NULL, ERR_DENIED },
        { 403, NULL, ERR_DENIED },    { 410, NULL, ERR_COMPACTED },
        { 413, NULL, ERR_TOO_LARGE }, { 429, NULL, ERR_OVERFLOW },
        { 504, NULL, ERR_TIMEOUT },
    };

    if (code >= 200 && code < 300)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].code == code &&
            (!rows[i].reason || str_eq(reason, str_from_cstr(rows[i].reason))))
            return rows[i].result;
    return ERR_PROTOCOL;
}

/* Reason and message of a Status; what is none leaves its text as the message. */
static void read_status(struct rest_call *call, struct str json, struct rest_result *ret)
{
    const struct schema_type *t =
        schema_find_type(&schema_builtin, STR("meta.k8s.io"), STR("v1"), STR("Status"));
    const struct meta_v1_status *s;
    struct object o;
    struct err err;

    ret->message = str_sub(json, 0, 256);
    if (object_json_decode(&call->arena, &schema_builtin, t, json, &o, NULL, &err) < 0)
        return;
    s = o.data;
    ret->reason = s->reason;
    ret->message = s->message;
    if (s->code)
        ret->code = s->code;
}

static bool answers_with_object(const struct rest_call *call, struct str body)
{
    struct str version, kind;
    struct arena *a = (struct arena *)(uintptr_t)&call->arena;
    struct err err;

    return call->verb != REST_LIST && call->verb != REST_DELETECOLLECTION &&
           object_json_peek_gvk(a, body, &version, &kind, &err) >= 0 &&
           str_eq(kind, call->resource->kind);
}

static void end_call(struct rest_call *call, int result, struct str message)
{
    struct rest_result r = { .result = result, .code = call->code, .message = message };
    struct api_object *o = NULL;
    struct err err;

    r.body = call->watch ? STR_NULL : buf_str(&call->body);
    if (call->is_too_large)
        r.result = ERR_TOO_LARGE;
    if (r.result == 0 && (call->code < 200 || call->code > 299)) {
        read_status(call, buf_str(&call->body), &r);
        r.result = result_of(r.code, r.reason);
    } else if (r.result == 0 && !call->watch && answers_with_object(call, r.body)) {
        r.result = api_object_decode(call->resource, r.body, &o, &err);
        if (r.result < 0)
            r.message = str_from_cstr(err.text);
        r.object = o;
    }
    if (call->watch && call->done)
        call->watch->on_end(&r, call->arg);
    else if (call->done)
        call->done(&r, call->arg);
    api_object_unref(o);
    free_call(call);
}

static void on_head(struct http_call *http, int status, const struct http_header *headers, size_t n,
                    void *arg)
{
    struct rest_call *call = arg;

    (void)http;
    call->code = status;
    call->retry_after_s = 0;
    for (size_t i = 0; i < n; i++)
        if (str_eq(headers[i].name, STR("retry-after")))
            (void)str_to_u64(headers[i].value, &call->retry_after_s); /* a date stays 0 */
}

static void gather(struct rest_call *call, struct str bytes, size_t limit)
{
    if (call->is_too_large || call->body.len + bytes.len > limit) {
        call->is_too_large = true;
        http_call_cancel(call->http);
        return;
    }
    buf_append_str(&call->body, bytes);
}

static void on_lines(struct rest_call *call, struct str bytes);

static void on_body(struct http_call *http, struct str bytes, void *arg)
{
    struct rest_call *call = arg;

    (void)http;
    if (call->watch && call->code == 200)
        on_lines(call, bytes);
    else
        gather(call, bytes, BODY_MAX_BYTES);
}

static void on_end(struct http_call *http, int result, const char *text, void *arg)
{
    struct rest_call *call = arg;

    (void)http;
    if (!call->done) {
        free_call(call);
        return;
    }
    if (result == 0 && !call->watch && wants_retry(call))
        return;
    end_call(call, result, str_from_cstr(text));
}

static const struct http_call_ops call_ops = { on_head, on_body, on_end };

/* --- watch --- */

static bool event_of(struct str type, enum rest_event *ret)
{
    static const struct str names[] = { STR_INIT("ADDED"), STR_INIT("MODIFIED"),
                                        STR_INIT("DELETED"), STR_INIT("BOOKMARK") };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(type, names[i])) {
            *ret = (enum rest_event)i;
            return true;
        }
    return false;
}

static void nobody(const struct rest_result *r, void *arg)
{
    (void)r;
    (void)arg;
}

/* {"type":"ADDED","object":{...}}: both members, in any order. */
static int read_frame(struct arena *a, struct str line, struct str *ret_type,
                      struct str *ret_object, struct err *err)
{
    struct json_reader r;
    struct str name;
    bool first = true;
    int rc;

    *ret_type = *ret_object = STR_NULL;
    json_reader_init(&r, a, line, err);
    if (json_peek(&r) != '{')
        return json_unexpected(&r, "looking for beginning of value");
    r.p++;
    while ((rc = json_object_next(&r, first, &name)) > 0) {
        first = false;
        if (str_eq(name, STR("type")))
            rc = json_string(&r, ret_type);
        else if (str_eq(name, STR("object")))
            rc = json_skip(&r, ret_object);
        else
            rc = json_skip(&r, NULL);
        if (rc < 0)
            break;
    }
    return rc < 0 ? rc : 0;
}

/* False: the watch is over. */
static bool on_line(struct rest_call *call, struct str line)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct rest_result r = { .code = 200 };
    enum rest_event event;
    struct str type, object;
    struct err err;

    if (!str_trim(line).len)
        return true;
    if (read_frame(&a, line, &type, &object, &err) < 0) {
        r.result = ERR_PROTOCOL;
        r.message = str_from_cstr(err.text);
    } else if (event_of(type, &event)) {
        if (call->watch->on_event(event, object, call->arg))
            return true;
        rest_call_cancel(call);
        return false;
    } else {
        read_status(call, object, &r); /* ERROR */
        r.result = result_of(r.code, r.reason);
        r.result = r.result ? r.result : ERR_PROTOCOL;
    }
    call->watch->on_end(&r, call->arg);
    rest_call_cancel(call);
    return false;
}

static void on_lines(struct rest_call *call, struct str bytes)
{
    struct buf whole = { 0 };

    for (;;) {
        ptrdiff_t at = str_find(bytes, '\n');
        bool goes_on;

        if (at < 0)
            break;
        if (!call->body.len) {
            goes_on = on_line(call, str_sub(bytes, 0, (size_t)at));
        } else {
            buf_append_str(&call->body, str_sub(bytes, 0, (size_t)at));
            whole = call->body; /* the call may end below */
            call->body = (struct buf){ 0 };
            goes_on = on_line(call, buf_str(&whole));
            buf_done(&whole);
        }
        if (!goes_on)
            return;
        bytes = str_tail(bytes, (size_t)at + 1);
    }
    gather(call, bytes, LINE_MAX_BYTES);
}

/* --- starting --- */

static struct str method_of(enum rest_verb v)
{
    switch (v) {
    case REST_GET:
    case REST_LIST:
    case REST_WATCH:
        return STR("GET");
    case REST_CREATE:
        return STR("POST");
    case REST_UPDATE:
        return STR("PUT");
    case REST_JSON_PATCH:
    case REST_MERGE_PATCH:
    case REST_STRATEGIC_MERGE_PATCH:
        return STR("PATCH");
    case REST_DELETE:
    case REST_DELETECOLLECTION:
        return STR("DELETE");
    }
    return STR("GET");
}

static struct str content_type_of(enum rest_verb v)
{
    switch (v) {
    case REST_JSON_PATCH:
        return STR("application/json-patch+json");
    case REST_MERGE_PATCH:
        return STR("application/merge-patch+json");
    case REST_STRATEGIC_MERGE_PATCH:
        return STR("application/strategic-merge-patch+json");
    default: /* objects */
        return STR("application/json");
    }
}

static struct str body_of(struct arena *a, const struct rest_request *q)
{
    struct buf b = { 0 };

    if (q->patch.len || !q->body.data)
        return q->patch;
    buf_init_arena(&b, a, 1024);
    object_json_encode(&b, q->body, NULL);
    return buf_str(&b);
}

static struct rest_call *start(struct rest_client *c, const struct rest_request *q, void *arg)
{
    struct rest_call *call = NEW(struct rest_call);
    size_t n = c->n_headers;

    call->client = c;
    call->resource = q->resource;
    call->verb = q->verb;
    call->arg = arg;
    list_append(&c->calls, &call->link);
    loop_timer_init(&call->retry, c->loop, on_retry);
    memcpy(call->headers, c->headers, n * sizeof(c->headers[0]));
    call->options = (struct http_call_options){
        .method = method_of(q->verb),
        .path = rest_request_path(&call->arena, q, c->prefix),
        .headers = call->headers,
        .body = body_of(&call->arena, q),
        .timeout_ms = q->timeout_ms ? q->timeout_ms : REST_TIMEOUT_MS,
        .ops = &call_ops,
        .arg = call,
    };
    if (q->verb == REST_WATCH)
        call->options.timeout_ms = q->timeout_ms;
    call->options.body = str_dup(&call->arena, call->options.body);
    if (call->options.body.len)
        add_header(call->headers, &n, STR("content-type"), content_type_of(q->verb));
    call->options.n_headers = n;
    return call;
}

struct rest_call *rest_call_start(struct rest_client *c, const struct rest_request *q,
                                  rest_done_fn *done, void *arg)
{
    struct rest_call *call = start(c, q, arg);

    call->done = done;
    send_call(call);
    return call;
}

struct rest_call *rest_watch_start(struct rest_client *c, const struct rest_request *q,
                                   const struct rest_watch_ops *ops, void *arg)
{
    struct rest_call *call = start(c, q, arg);

    call->watch = ops;
    call->done = nobody; /* somebody listens: ops */
    send_call(call);
    return call;
}

void rest_call_cancel(struct rest_call *call)
{
    if (!call)
        return;
    call->done = NULL;
    if (call->http)
        http_call_cancel(call->http); /* on_end frees it */
    else
        free_call(call);
}
