/* What the files of the actions share. */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "io/loop.h"
#include "io/tcp.h"
#include "kubelet/prober/probe_action.h"

struct http_call;
struct http_call_options;
struct http_client;

enum { PROBE_BODY_MAX_BYTES = 10 * 1024 };

/* Where an HTTP request goes; changes with each redirect. */
struct probe_url {
    bool is_https;
    struct str host; /* as it was written: "localhost", "10.0.0.1", "::1" */
    uint16_t port;
    struct str path; /* with its query */
};

struct probe_action {
    struct probe_action_options o;
    struct arena arena;
    struct loop_timer deadline;
    struct loop_task finish, redirect;
    struct runtime_call *exec;
    struct tcp_stream tcp;
    bool is_tcp_open;
    struct http_client *http;
    struct http_call *call;
    struct probe_url url;
    struct str location; /* of an answer that is followed; unset: none is */
    int n_redirects;
    bool is_host_ours; /* a redirect has named the host: the plan's header is void */
    int status;        /* HTTP's */
    int grpc_status;
    struct str grpc_message;
    bool is_cut; /* the body was longer than we look at */
    struct buf body;
    struct probe_action_result result;
    bool is_over;
};

/* The first one counts; done is told from a task. */
void probe_action_end(struct probe_action *p, int code, enum probe_verdict verdict, const char *fmt,
                      ...) __attribute__((format(printf, 4, 5)));
/* "connection refused": upstream's (Go's) word for a negative code. */
struct str probe_action_reason(struct arena *a, int code);
/* "10.0.0.1:80", "[::1]:80" */
struct str probe_action_address(struct arena *a, struct str host, uint16_t port);

void probe_http_start(struct probe_action *p);
void probe_http_on_deadline(struct probe_action *p);
void probe_grpc_start(struct probe_action *p);
void probe_grpc_on_deadline(struct probe_action *p);
/* A HealthCheckResponse in its frame: 0 to 3; -1: it is none. */
int probe_grpc_read_health(struct str body);
/* The body of an answer as it comes, up to PROBE_BODY_MAX_BYTES. */
void probe_http_on_body(struct http_call *c, struct str bytes, void *arg);
/* "http://10.0.0.1:80/path" */
struct str probe_http_url(struct arena *a, const struct probe_url *u);
/* Where a Location leads from here; in a. False: nowhere that we could go. */
bool probe_http_resolve(struct arena *a, const struct probe_url *from, struct str location,
                        struct probe_url *ret);
