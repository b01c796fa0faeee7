/* What the files of server/ share. */
#pragma once

#include <stdbool.h>

#include "base/list.h"
#include "http/http_server.h"
#include "kubelet/server/kubelet_server.h"
#include "runtime/runtime.h"

struct arena;

struct kubelet_server {
    struct kubelet_server_options o;
    struct http_server *http;
    struct tls_context *tls;
    struct list logs;     /* of struct log_stream that follow */
    struct list commands; /* of struct remote_command */
    struct list forwards; /* of struct port_forward */
    struct list scrapes;  /* of struct scrape, that wait for figures */
};

/* A request with its path in parts: "/exec/default/web/main" is 4. */
enum { SERVER_MAX_PARTS = 8 };
struct server_request {
    struct kubelet_server *server;
    struct http_request *http;
    struct arena *arena;
    struct str parts[SERVER_MAX_PARTS];
    size_t n;
};

/* A query's parameter, unescaped, in the arena; the i-th of that name. Unset: none. */
struct str server_param(const struct server_request *r, struct str name, size_t i);
/* Upstream's reading: absent, "false" and "0" are false, all else is true. */
bool server_flag(const struct server_request *r, struct str name);
void server_answer_text(const struct server_request *r, int status, struct str text);
void server_answer_json(const struct server_request *r, struct str json);
/* SPDY's way to agree: the first of the client's X-Stream-Protocol-Version that is among ours,
 * unset when it named none. False: no common one, answered. */
bool server_choose_stream_protocol(const struct server_request *r, const struct str *ours, size_t n,
                                   struct str *ret);
/* The Pod and container that parts[1..] name, perhaps with a uid between. False: answered. */
struct server_container {
    const struct api_object *pod;
    struct str container, id; /* id unset: it has never run */
};
bool server_find_container(const struct server_request *r, struct server_container *ret);

void log_stream_serve(const struct server_request *r);
void log_stream_ended(struct kubelet_server *s, struct str container_id);
void log_stream_stop_all(struct kubelet_server *s);

void remote_command_exec(const struct server_request *r);
void remote_command_attach(const struct server_request *r);
void remote_command_stop_all(struct kubelet_server *s);

void port_forward_serve(const struct server_request *r);
void port_forward_stop_all(struct kubelet_server *s);

void stats_routes_metrics(const struct server_request *r);
void stats_routes_stats(const struct server_request *r);
void stats_routes_running_pods(const struct server_request *r);
void stats_routes_stop_all(struct kubelet_server *s);
