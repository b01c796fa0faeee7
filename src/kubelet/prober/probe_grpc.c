/* grpc.health.v1.Health/Check over HTTP/2 without TLS. */
#include "base/err.h"
#include "codec/pb_wire.h"
#include "codec/time_text.h"
#include "http/http_client.h"
#include "kubelet/prober/probe_action_internal.h"

enum { FRAME_HEAD_BYTES = 5, GRPC_UNIMPLEMENTED = 12, GRPC_STATUS_MAX = 16 };

static const char *const codes[] = {
    "OK",       "Canceled",        "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",   "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",      "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated",
};

/* Field 1 is the status; a frame's head before it: a flag for compression and the length. */
int probe_grpc_read_health(struct str body)
{
    uint32_t number, type;
    struct pb_reader r;
    uint64_t status = 0;
    struct err err;
    size_t len;

    if (body.len < FRAME_HEAD_BYTES || body.p[0] != 0)
        return -1;
    len = (size_t)(unsigned char)body.p[1] << 24 | (size_t)(unsigned char)body.p[2] << 16 |
          (size_t)(unsigned char)body.p[3] << 8 | (unsigned char)body.p[4];
    if (len > body.len - FRAME_HEAD_BYTES)
        return -1;
    pb_reader_init(&r, str_sub(body, FRAME_HEAD_BYTES, FRAME_HEAD_BYTES + len), &err);
    while (!pb_at_end(&r)) {
        if (pb_tag(&r, &number, &type) < 0)
            return -1;
        if ((number == 1 && type == PB_VARINT ? pb_varint(&r, &status) : pb_skip(&r, type)) < 0)
            return -1;
    }
    return status <= 3 ? (int)status : -1;
}

/* An answer without a body has its outcome among the headers. */
static void on_head(struct http_call *c, int status, const struct http_header *headers, size_t n,
                    void *arg)
{
    struct probe_action *p = arg;
    uint64_t code;

    (void)c;
    p->status = status;
    for (size_t i = 0; i < n; i++) {
        if (str_eq_nocase(headers[i].name, STR("grpc-status")) &&
            str_to_u64(headers[i].value, &code) && code <= GRPC_STATUS_MAX)
            p->grpc_status = (int)code;
        if (str_eq_nocase(headers[i].name, STR("grpc-message")))
            p->grpc_message = str_dup(&p->arena, headers[i].value);
    }
}

static void end_of_answer(struct probe_action *p)
{
    static const char *const names[] = { "UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN" };
    int health = probe_grpc_read_health(buf_str(&p->body));

    if (p->grpc_status == GRPC_UNIMPLEMENTED)
        probe_action_end(p, 0, PROBE_NO,
                         "error: this server does not implement the grpc health protocol "
                         "(grpc.health.v1.Health): %.*s",
                         STR_ARG(p->grpc_message));
    else if (p->grpc_status)
        probe_action_end(p, 0, PROBE_NO,
                         "error: health rpc probe failed: rpc error: code = %s desc = %.*s",
                         codes[p->grpc_status], STR_ARG(p->grpc_message));
    else if (p->status != 200)
        probe_action_end(p, 0, PROBE_NO,
                         "error: health rpc probe failed: unexpected HTTP status code received "
                         "from server: %d",
                         p->status);
    else if (health == 1)
        probe_action_end(p, 0, PROBE_YES, "service healthy");
    else if (health >= 0)
        probe_action_end(p, 0, PROBE_NO, "service unhealthy (responded with \"%s\")",
                         names[health]);
    else
        probe_action_end(p, 0, PROBE_NO, "error: health rpc probe failed: no answer of its kind");
}

static struct str timeout_text(struct probe_action *p)
{
    struct buf b;

    buf_init_arena(&b, &p->arena, 32);
    time_text_print_duration(&b, p->o.timeout_ms * 1000000);
    return buf_str(&b);
}

static void end_without_connection(struct probe_action *p)
{
    probe_action_end(
        p, 0, PROBE_NO,
        "timeout: failed to connect service \"%.*s\" within %.*s: context deadline exceeded",
        STR_ARG(probe_action_address(&p->arena, p->o.plan->host, p->o.plan->port)),
        STR_ARG(timeout_text(p)));
}

static void on_end(struct http_call *c, int result, const char *text, void *arg)
{
    struct probe_action *p = arg;

    (void)c;
    p->call = NULL;
    if (p->is_over)
        return;
    if (p->status)
        end_of_answer(p);
    else if (result < 0 && result > -4000)
        end_without_connection(p);
    else
        probe_action_end(p, 0, PROBE_NO, "error: health rpc probe failed: %s", text);
}

static struct str request_of(struct probe_action *p)
{
    struct str service = p->o.plan->service;
    struct buf message, frame;

    buf_init_arena(&message, &p->arena, service.len + 16);
    buf_init_arena(&frame, &p->arena, service.len + 32);
    if (service.len)
        pb_put_bytes(&message, 1, service);
    buf_append(&frame, "\0", 1);
    for (int shift = 24; shift >= 0; shift -= 8)
        buf_append_char(&frame, (char)(message.len >> shift & 0xff));
    buf_append_str(&frame, buf_str(&message));
    return buf_str(&frame);
}

void probe_grpc_start(struct probe_action *p)
{
    static const struct http_call_ops ops = { on_head, probe_http_on_body, on_end };
    static const struct http_header headers[] = {
        { STR_INIT("content-type"), STR_INIT("application/grpc") },
        { STR_INIT("te"), STR_INIT("trailers") },
        { STR_INIT("user-agent"), STR_INIT("kube-probe/1.36 grpc-c/1.0") },
    };
    int r;

    p->http = http_client_new(&(struct http_client_options){ .loop = p->o.loop,
                                                             .address = p->o.plan->address,
                                                             .port = p->o.plan->port,
                                                             .is_plain_h2 = true });
    r = http_call_start(p->http,
                        &(struct http_call_options){ .method = STR("POST"),
                                                     .path = STR("/grpc.health.v1.Health/Check"),
                                                     .headers = headers,
                                                     .n_headers = ARRAY_LEN(headers),
                                                     .body = request_of(p),
                                                     .ops = &ops,
                                                     .arg = p },
                        &p->call);
    if (r < 0)
        probe_action_end(p, r, PROBE_NO, "error: health rpc probe failed: %s", err_name(r));
}

void probe_grpc_on_deadline(struct probe_action *p)
{
    probe_action_end(p, 0, PROBE_NO, "timeout: health rpc did not complete within %.*s",
                     STR_ARG(timeout_text(p)));
}
