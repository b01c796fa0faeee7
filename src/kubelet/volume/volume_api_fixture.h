/* For tests: a small API server of ConfigMaps, Secrets, claims and tokens that holds its watches
 * open. */
#pragma once

#include "kubelet/volume/volume_manager.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "api/core_v1.h"
#include "api/resource.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "client/kube_config.h"
#include "client/rest_client.h"
#include "http/http_server.h"
#include "io/loop.h"
#include "kubelet/object_cache.h"
#include "kubelet/pod_field.h"
#include "kubelet/volume/volume_internal.h"

enum { TMPFS_MAGIC_NUMBER = 0x01021994 };

#define PODS "/mnt/pods"
#define POD  PODS "/u-1"

/* --- an API server of ConfigMaps, Secrets and tokens --- */

struct watch {
    struct http_source source;
    struct http_request *request;
    struct buf waiting;
    char key[64]; /* "configmaps/NAME" */
};

static struct loop *loop;
static struct clock_fake fake;
static struct http_server *server;
static struct rest_client *client;
static struct object_cache *config_maps, *secrets;
static struct volume_manager *manager;
static struct arena arena;
static struct map objects; /* by "configmaps/NAME": JSON without braces */
static struct watch watches[32];
static size_t n_watches;
static int n_tokens, n_changes, n_gets, token_status;
static uint64_t revision = 10;
static const struct pod_node node = { .name = STR_INIT("node-1"),
                                      .allocatable_cpu_milli = 2000,
                                      .allocatable_memory_bytes = 64 << 20 };

static inline int pull(struct http_source *s, struct buf *out, size_t hint_bytes)
{
    struct watch *w = CONTAINER_OF(s, struct watch, source);

    (void)hint_bytes;
    if (!w->waiting.len)
        return HTTP_SOURCE_WAIT;
    buf_append_str(out, buf_str(&w->waiting));
    buf_reset(&w->waiting);
    return HTTP_SOURCE_MORE;
}

static inline void on_source_done(struct http_source *s)
{
    CONTAINER_OF(s, struct watch, source)->request = NULL;
}

static inline void tell(struct watch *w, const char *type)
{
    bool is_secret = strncmp(w->key, "secrets/", 8) == 0;
    const char *json = map_get(&objects, str_from_cstr(w->key));

    buf_printf(&w->waiting,
               "{\"type\":\"%s\",\"object\":{\"apiVersion\":\"v1\",\"kind\":\"%s\",\"metadata\":{"
               "\"name\":\"%s\",\"namespace\":\"n\",\"resourceVersion\":\"%llu\"}%s%s}}\n",
               type, is_secret ? "Secret" : "ConfigMap", strchr(w->key, '/') + 1,
               (unsigned long long)revision++, json && *json ? "," : "", json ? json : "");
}

static inline void start_watch(struct http_request *r, const char *kind, struct str name)
{
    struct watch *w = &watches[n_watches++];

    cr_assert_lt(n_watches, ARRAY_LEN(watches));
    (void)snprintf(w->key, sizeof(w->key), "%s/%.*s", kind, STR_ARG(name));
    w->source = (struct http_source){ pull, on_source_done };
    w->request = r;
    if (map_has(&objects, str_from_cstr(w->key)))
        tell(w, "ADDED");
    buf_printf(&w->waiting,
               "{\"type\":\"BOOKMARK\",\"object\":{\"apiVersion\":\"v1\",\"kind\":\"%s\","
               "\"metadata\":{\"resourceVersion\":\"%llu\",\"annotations\":{"
               "\"k8s.io/initial-events-end\":\"true\"}}}}\n",
               strcmp(kind, "secrets") == 0 ? "Secret" : "ConfigMap",
               (unsigned long long)revision++);
    http_respond_source(r, 200, NULL, 0, -1, &w->source);
}

static inline void on_token(struct http_request *r, int result, struct str body, void *arg)
{
    struct str text;

    (void)arg;
    cr_assert_eq(result, 0);
    cr_expect(str_contains(body, STR("\"boundObjectRef\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\","
                                     "\"name\":\"p\",\"uid\":\"u-1\"}")),
              "%.*s", STR_ARG(body));
    if (token_status != 201) {
        http_respond(r, token_status, NULL, 0,
                     STR("{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"message\":"
                         "\"serviceaccounts \\\"robot\\\" not found\",\"code\":404}"));
        return;
    }
    text = arena_printf(&arena,
                        "{\"status\":{\"token\":\"token-%d%s\",\"expirationTimestamp\":"
                        "\"2023-11-14T23:13:20Z\"}}", /* an hour after the beginning */
                        ++n_tokens, str_contains(body, STR("\"vault\"")) ? "-vault" : "");
    http_respond(r, 201, NULL, 0, text);
}

/* Objects that are read once: "persistentvolumes/NAME", whole. */
static inline bool get(struct http_request *r, struct str target, struct str plural)
{
    ptrdiff_t at = str_find_str(target, plural);
    const char *json;

    if (at < 0)
        return false;
    n_gets++;
    json = map_get(&objects, str_tail(target, (size_t)at + 1));
    if (json)
        http_respond(r, 200, NULL, 0, str_from_cstr(json));
    else
        http_respond(r, 404, NULL, 0,
                     STR("{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\","
                         "\"message\":\"it is not there\",\"reason\":\"NotFound\",\"code\":404}"));
    return true;
}

static inline void on_request(struct http_request *r, void *arg)
{
    struct str target = http_request_path(r), query = http_request_query(r), name = query;
    ptrdiff_t at = str_find_str(query, STR("metadata.name"));

    if (get(r, target, STR("/persistentvolumeclaims/")) ||
        get(r, target, STR("/persistentvolumes/")))
        return;
    if (str_has_suffix(target, STR("/serviceaccounts/robot/token"))) {
        http_request_read_body(r, 1 << 16, on_token, arg);
        return;
    }
    cr_assert_geq(at, 0, "%.*s", STR_ARG(query));
    name = str_tail(query, (size_t)at + sizeof("metadata.name") - 1);
    name = str_tail(name, str_has_prefix(name, STR("%3D")) ? 3 : 1);
    (void)str_cut(name, '&', &name, &(struct str){ 0 });
    start_watch(r, str_contains(target, STR("/secrets")) ? "secrets" : "configmaps", name);
}

/* json: the members beside metadata; NULL: gone. */
static inline void set_object(const char *key, const char *json)
{
    bool had = map_has(&objects, str_from_cstr(key));
    bool is_deletion = !json;

    if (json)
        (void)map_put(&objects, str_from_cstr(key), (void *)(uintptr_t)json);
    for (size_t i = 0; i < n_watches; i++) {
        if (strcmp(watches[i].key, key) != 0 || !watches[i].request)
            continue;
        tell(&watches[i], is_deletion ? "DELETED" : had ? "MODIFIED" : "ADDED");
        http_source_wake(watches[i].request);
    }
    if (is_deletion)
        (void)map_remove(&objects, str_from_cstr(key));
}
