#include "apiserver/proxying/kubelet_endpoints.h"

#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/meta_v1.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/proxying/proxy_path.h"
#include "apiserver/proxying/relay.h"
#include "apiserver/registry/ip_range.h"
#include "apiserver/registry/stored_read.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "store/store.h"

enum { KUBELET_PORT = 10250 };

/* What a connect handler works with; refused says why not. */
struct connect {
    struct api_request *r;
    struct core_v1_pod *pod;
    struct str container;
    struct relay_target target;
    struct status refused;
};

bool proxy_path_read(struct api_request *r, const char *resource, struct str name,
                     struct object *ret, struct status *ret_status)
{
    struct store_snapshot snapshot;
    struct err err;
    int rc = store_snapshot_begin(r->server->store, &snapshot, &err);

    if (rc >= 0) {
        const struct stored_reader reader = { &r->server->registry, &snapshot, r->arena };

        rc = stored_read_get(&reader, stored_read_row(STR(""), str_from_cstr(resource)),
                             r->info.namespace, name, ret, &err);
        store_snapshot_end(&snapshot);
    }
    if (rc >= 0)
        return true;
    *ret_status =
        rc == ERR_NOT_FOUND
            ? status_not_found(r->arena,
                               (struct group_resource){ STR(""), str_from_cstr(resource) }, name)
            : status_of_store(r->arena, rc, &err);
    return false;
}

/* --- where a node's kubelet is --- */

static struct str address_of(const struct core_v1_node *node)
{
    static const struct str types[] = { STR_INIT("InternalIP"), STR_INIT("ExternalIP"),
                                        STR_INIT("Hostname") };

    for (size_t t = 0; t < ARRAY_LEN(types); t++)
        for (uint32_t i = 0; i < node->status.addresses.len; i++) {
            const struct core_v1_node_address *a = &node->status.addresses.items[i];

            if (str_eq(a->type, types[t]) && ip_range_family_of(a->address).len)
                return a->address;
        }
    return STR_NULL;
}

static bool aim_at_node(struct connect *c, struct str name)
{
    struct api_request *r = c->r;
    const struct core_v1_node *node;
    struct object o;

    if (!proxy_path_read(r, "nodes", name, &o, &c->refused))
        return false;
    node = o.data;
    c->target.address = address_of(node);
    c->target.port = KUBELET_PORT;
    if (node->status.daemon_endpoints.kubelet_endpoint.port > 0)
        c->target.port = (uint16_t)node->status.daemon_endpoints.kubelet_endpoint.port;
    c->target.tls = r->server->kubelet_tls;
    c->target.unreachable = "error dialing backend";
    if (c->target.address.len && c->target.tls)
        return true;
    c->refused = status_internal(r->arena, c->target.tls
                                               ? "no preferred addresses found; known addresses: []"
                                               : "this server has no certificate for kubelets");
    return false;
}

/* --- Pods --- */

static bool read_pod(struct connect *c)
{
    struct object o;

    if (!proxy_path_read(c->r, "pods", c->r->info.name, &o, &c->refused))
        return false;
    c->pod = o.data;
    return true;
}

static void append_names(struct buf *b, const struct core_v1_container *items, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        buf_printf(b, "%s%.*s", i ? " " : "", STR_ARG(items[i].name));
}

static bool has_container(const struct core_v1_pod_spec *s, struct str name)
{
    for (uint32_t i = 0; i < s->containers.len; i++)
        if (str_eq(s->containers.items[i].name, name))
            return true;
    for (uint32_t i = 0; i < s->init_containers.len; i++)
        if (str_eq(s->init_containers.items[i].name, name))
            return true;
    for (uint32_t i = 0; i < s->ephemeral_containers.len; i++)
        if (str_eq(s->ephemeral_containers.items[i].ephemeral_container_common.name, name))
            return true;
    return false;
}

static bool choose_container(struct connect *c)
{
    struct arena *a = c->r->arena;
    const struct core_v1_pod_spec *s = &c->pod->spec;
    struct buf b;

    c->container = request_info_param(&c->r->info, STR("container"));
    if (c->container.len) {
        if (has_container(s, c->container))
            return true;
        c->refused = status_plain(a, STATUS_BAD_REQUEST, "container %.*s is not valid for pod %.*s",
                                  STR_ARG(c->container), STR_ARG(c->r->info.name));
        return false;
    }
    if (s->containers.len == 1) {
        c->container = s->containers.items[0].name;
        return true;
    }
    buf_init_arena(&b, a, 256);
    buf_printf(&b, "a container name must be specified for pod %.*s, choose one of: [",
               STR_ARG(c->r->info.name));
    append_names(&b, s->containers.items, s->containers.len);
    buf_append_char(&b, ']');
    if (s->init_containers.len) {
        buf_append_lit(&b, " or one of the init containers: [");
        append_names(&b, s->init_containers.items, s->init_containers.len);
        buf_append_char(&b, ']');
    }
    c->refused = status_plain(a, STATUS_BAD_REQUEST, "%s", buf_cstr(&b));
    return false;
}

static bool aim_at_pod_node(struct connect *c)
{
    if (c->pod->spec.node_name.len)
        return aim_at_node(c, c->pod->spec.node_name);
    c->refused = status_plain(c->r->arena, STATUS_BAD_REQUEST,
                              "pod %.*s does not have a host assigned", STR_ARG(c->r->info.name));
    return false;
}

/* "/exec/NAMESPACE/POD[/CONTAINER]" */
static void begin_path(struct connect *c, struct buf *b, const char *what)
{
    buf_init_arena(b, c->r->arena, 256);
    buf_printf(b, "/%s/%.*s/%.*s", what, STR_ARG(c->r->info.namespace), STR_ARG(c->r->info.name));
    if (c->container.len)
        buf_printf(b, "/%.*s", STR_ARG(c->container));
}

static void append_param(struct buf *b, bool *first, struct str name, struct str value)
{
    buf_append_char(b, *first ? '?' : '&');
    *first = false;
    buf_append_str(b, name);
    buf_append_char(b, '=');
    proxy_path_escape(b, value);
}

static void go(struct connect *c, struct buf *path)
{
    c->target.path = buf_str(path);
    relay_start(c->r, &c->target);
}

/* exec and attach: the streams that are wanted, under the kubelet's names. */
static void connect_streams(struct api_request *r, const char *what)
{
    static const struct {
        struct str ours, theirs;
    } streams[] = { { STR_INIT("stdin"), STR_INIT("input") },
                    { STR_INIT("stdout"), STR_INIT("output") },
                    { STR_INIT("stderr"), STR_INIT("error") },
                    { STR_INIT("tty"), STR_INIT("tty") } };
    struct connect c = { .r = r };
    bool first = true;
    struct buf b;

    if (!read_pod(&c) || !choose_container(&c) || !aim_at_pod_node(&c)) {
        api_respond_status(r, &c.refused);
        return;
    }
    begin_path(&c, &b, what);
    for (size_t i = 0; i < ARRAY_LEN(streams); i++)
        if (request_info_bool(&r->info, streams[i].ours))
            append_param(&b, &first, streams[i].theirs, STR("1"));
    for (size_t i = 0; i < r->info.n_params; i++)
        if (str_eq(r->info.params[i].name, STR("command")))
            append_param(&b, &first, STR("command"), r->info.params[i].value);
    go(&c, &b);
}

void pod_exec_connect(struct api_request *r)
{
    connect_streams(r, "exec");
}

void pod_attach_connect(struct api_request *r)
{
    connect_streams(r, "attach");
}

void pod_port_forward_connect(struct api_request *r)
{
    struct connect c = { .r = r };
    bool first = true;
    struct buf b;

    if (!read_pod(&c) || !aim_at_pod_node(&c)) {
        api_respond_status(r, &c.refused);
        return;
    }
    begin_path(&c, &b, "portForward");
    for (size_t i = 0; i < r->info.n_params; i++)
        if (str_eq(r->info.params[i].name, STR("ports")))
            append_param(&b, &first, STR("port"), r->info.params[i].value);
    go(&c, &b);
}

/* --- logs --- */

static bool check_log_options(struct connect *c)
{
    static const struct {
        struct str name;
        int64_t min;
        const char *text;
    } numbers[] = {
        { STR_INIT("tailLines"), 0, "must be greater than or equal to 0" },
        { STR_INIT("limitBytes"), 1, "must be greater than 0" },
        { STR_INIT("sinceSeconds"), 1, "must be greater than 0" },
    };
    struct field_errors errs;
    struct err err;

    field_errors_init(&errs, c->r->arena);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        struct field_path path = field_path_member(NULL, numbers[i].name);
        int64_t v = numbers[i].min;

        if (request_info_int(&c->r->info, numbers[i].name, &v, &err) < 0) {
            c->refused = status_plain(c->r->arena, STATUS_BAD_REQUEST, "%s", err.text);
            return false;
        }
        if (v < numbers[i].min)
            field_errors_add_raw(&errs, &path, FIELD_ERROR_INVALID,
                                 arena_printf(c->r->arena, "%lld", (long long)v), "%s",
                                 numbers[i].text);
    }
    if (request_info_param(&c->r->info, STR("sinceTime")).len &&
        request_info_param(&c->r->info, STR("sinceSeconds")).len) {
        struct field_path path = field_path_member(NULL, STR(""));

        field_errors_add_raw(&errs, &path, FIELD_ERROR_FORBIDDEN, STR(""), "%s",
                             "at most one of `sinceTime` or `sinceSeconds` may be specified");
    }
    if (!errs.len)
        return true;
    c->refused = status_invalid(c->r->arena, STR(""), STR("PodLogOptions"), c->r->info.name, &errs);
    return false;
}

void pod_log_connect(struct api_request *r)
{
    static const struct str flags[] = { STR_INIT("follow"), STR_INIT("previous"),
                                        STR_INIT("timestamps") };
    static const struct str passed[] = {
        STR_INIT("sinceTime"),  STR_INIT("sinceSeconds"), STR_INIT("tailLines"),
        STR_INIT("limitBytes"), STR_INIT("stream"),
    };
    struct connect c = { .r = r };
    bool first = true;
    struct buf b;

    if (!check_log_options(&c) || !read_pod(&c) || !choose_container(&c) ||
        (c.pod->spec.node_name.len && !aim_at_node(&c, c.pod->spec.node_name))) {
        api_respond_status(r, &c.refused);
        return;
    }
    if (!c.pod->spec.node_name.len) { /* nothing runs yet, so nothing was said yet */
        api_respond_text(r, 200, STR(""));
        return;
    }
    begin_path(&c, &b, "containerLogs");
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (request_info_bool(&r->info, flags[i]))
            append_param(&b, &first, flags[i], STR("true"));
    for (size_t i = 0; i < ARRAY_LEN(passed); i++) {
        struct str v = request_info_param(&r->info, passed[i]);

        if (v.len)
            append_param(&b, &first, passed[i], v);
    }
    c.target.errors = RELAY_ERRORS_AS_STATUS;
    c.target.speaks_messages = true;
    go(&c, &b);
}

/* --- nodes --- */

/* A node's port that is not its kubelet's is some server's: asked without our certificate. Where a
 * node is, it says itself: not that it is here. */
static bool aim_at_node_port(struct connect *c, const struct proxy_name *name)
{
    uint64_t port = c->target.port;
    bool is_own =
        !name->port.len || str_eq(name->port, arena_printf(c->r->arena, "%u", c->target.port));

    if (!is_own && (!str_to_u64(name->port, &port) || !port || port > 65535)) {
        c->refused = status_plain(c->r->arena, STATUS_BAD_REQUEST, "no such port");
        return false;
    }
    if (!proxy_path_is_allowed(c->target.address)) {
        c->refused = status_plain(c->r->arena, STATUS_BAD_REQUEST, "address not allowed");
        return false;
    }
    c->target.port = (uint16_t)port;
    if (!is_own)
        c->target.tls = NULL;
    return true;
}

void node_proxy_connect(struct api_request *r)
{
    struct connect c = { .r = r };
    struct proxy_name name;

    if (!proxy_path_name(r, &name, &c.refused) || !aim_at_node(&c, name.name) ||
        !aim_at_node_port(&c, &name)) {
        api_respond_status(r, &c.refused);
        return;
    }
    proxy_path_aim(r, c.target.tls ? STR("") : name.scheme, &c.target);
    c.target.is_unavailable = true;
    c.target.unreachable = "error trying to reach service";
    relay_start(r, &c.target);
}
