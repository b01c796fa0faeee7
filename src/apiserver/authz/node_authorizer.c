/* What a node may do: its own Node, Lease, CSINode and ResourceSlices, its Pods, and what these
 * name (node_graph.h); of all else what the role system:node says. Whatever depends on the content
 * of what is written is admission's (admission/node_restriction.c). */
#include "api/core_v1.h"
#include "api/field_selector.h"
#include "api/meta_v1.h"
#include "api/rbac_v1.h"
#include "api/resource.h"
#include "api/resource_v1.h"
#include "api/storage_v1.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/authz/bootstrap_policy.h"
#include "apiserver/authz/node_graph.h"
#include "apiserver/authz/node_identity.h"
#include "apiserver/authz/rbac_policy.h"
#include "apiserver/registry/stored_read.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "store/store.h"

struct ask {
    struct apiserver *server;
    const struct authz_attributes *a;
    struct str node;
    struct str *reason;
};

static bool refuse(const struct ask *q, struct str why)
{
    *q->reason = why;
    return false;
}

static bool unrelated(const struct ask *q)
{
    return refuse(q, arena_printf(q->a->arena,
                                  "no relationship found between node '%.*s' and this object",
                                  STR_ARG(q->node)));
}

/* One of words, by spaces. */
static bool is_among(struct str word, const char *words)
{
    struct str rest = str_from_cstr(words), w;

    while (str_next(&rest, ' ', &w))
        if (str_eq(w, word))
            return true;
    return false;
}

static bool is_named(const struct ask *q)
{
    return q->a->name.len || refuse(q, STR("No Object name found"));
}

static bool check_edge(const struct ask *q, enum node_edge edge)
{
    const struct authz_attributes *a = q->a;

    if (!is_named(q))
        return false;
    return (q->server->node_graph &&
            node_graph_has(q->server->node_graph, q->node, edge, a->namespace, a->name)) ||
           unrelated(q);
}

static bool check_read(const struct ask *q, enum node_edge edge)
{
    if (!is_among(q->a->verb, "get list watch"))
        return refuse(q, STR("can only read resources of this type"));
    if (q->a->subresource.len)
        return refuse(q, STR("cannot read subresource"));
    if (!q->a->namespace.len)
        return refuse(q, STR("can only read namespaced object of this type"));
    return check_edge(q, edge);
}

static bool is_plain_get(const struct ask *q)
{
    if (!str_eq(q->a->verb, STR("get")))
        return refuse(q, STR("can only get individual resources of this type"));
    return !q->a->subresource.len || refuse(q, STR("cannot get subresource"));
}

static bool check_get(const struct ask *q, enum node_edge edge)
{
    return is_plain_get(q) && check_edge(q, edge);
}

/* An object that itself says whose it is: is it this node's? */
typedef bool is_own_fn(const struct ask *q, struct object o);

static bool check_object(const struct ask *q, is_own_fn *is_own)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct resource *row = stored_read_row(q->a->group, q->a->resource);
    struct store_snapshot snapshot;
    struct stored_reader reader = { &q->server->registry, &snapshot, &a };
    struct object o;
    struct err err;
    bool ok;

    if (!is_named(q))
        return false;
    if (store_snapshot_begin(q->server->store, &snapshot, &err) < 0)
        return unrelated(q);
    ok = stored_read_get(&reader, row, q->a->namespace, q->a->name, &o, &err) >= 0 && is_own(q, o);
    store_snapshot_end(&snapshot);
    return ok || unrelated(q);
}

static bool is_own_pod(const struct ask *q, struct object o)
{
    return str_eq(((const struct core_v1_pod *)o.data)->spec.node_name, q->node);
}

static bool is_own_attachment(const struct ask *q, struct object o)
{
    return str_eq(((const struct storage_v1_volume_attachment *)o.data)->spec.node_name, q->node);
}

static bool is_own_slice(const struct ask *q, struct object o)
{
    return str_eq(((const struct resource_v1_resource_slice *)o.data)->spec.node_name, q->node);
}

static bool is_own_volume(const struct ask *q, struct object o)
{
    const struct core_v1_persistent_volume *pv = o.data;
    const struct core_v1_object_reference *claim = pv->spec.claim_ref;

    return claim && q->server->node_graph &&
           node_graph_has(q->server->node_graph, q->node, NODE_EDGE_CLAIM, claim->namespace,
                          claim->name);
}

static bool selects_own(const struct ask *q, struct str field)
{
    struct field_selector s;
    struct str value;
    struct err err;

    return field_selector_parse(q->a->arena, q->a->field_selector, &s, &err) >= 0 &&
           field_selector_requires(&s, field, &value) && str_eq(value, q->node);
}

/* --- by resource --- */

static bool may_secrets(const struct ask *q)
{
    return check_read(q, NODE_EDGE_SECRET);
}

static bool may_config_maps(const struct ask *q)
{
    return check_read(q, NODE_EDGE_CONFIG_MAP);
}

static bool may_claims(const struct ask *q)
{
    if (!str_eq(q->a->subresource, STR("status")))
        return check_get(q, NODE_EDGE_CLAIM);
    if (!is_among(q->a->verb, "update patch"))
        return refuse(q, STR("can only get/update/patch this type"));
    return check_edge(q, NODE_EDGE_CLAIM);
}

static bool may_volumes(const struct ask *q)
{
    return is_plain_get(q) && check_object(q, is_own_volume);
}

static bool may_resource_claims(const struct ask *q)
{
    return check_get(q, NODE_EDGE_RESOURCE_CLAIM);
}

static bool may_attachments(const struct ask *q)
{
    return is_plain_get(q) && check_object(q, is_own_attachment);
}

static bool may_accounts(const struct ask *q)
{
    if (str_eq(q->a->verb, STR("get")) && !q->a->subresource.len)
        return check_read(q, NODE_EDGE_ACCOUNT);
    if (!str_eq(q->a->verb, STR("create")) || !q->a->name.len)
        return refuse(q, STR("can only create tokens for individual service accounts"));
    if (!str_eq(q->a->subresource, STR("token")))
        return refuse(q, STR("can only create token subresource of serviceaccount"));
    return check_edge(q, NODE_EDGE_ACCOUNT);
}

static bool may_leases(const struct ask *q)
{
    if (!is_among(q->a->verb, "get create update patch delete"))
        return refuse(q, STR("can only get, create, update, patch, or delete a node lease"));
    if (!str_eq(q->a->namespace, STR("kube-node-lease")))
        return refuse(q, STR("can only access leases in the \"kube-node-lease\" system namespace"));
    return str_eq(q->a->verb, STR("create")) || str_eq(q->a->name, q->node) ||
           refuse(q, STR("can only access node lease with the same name as the requesting node"));
}

static bool may_csi_nodes(const struct ask *q)
{
    if (!is_among(q->a->verb, "get create update patch delete"))
        return refuse(q, STR("can only get, create, update, patch, or delete a CSINode"));
    if (q->a->subresource.len)
        return refuse(q, STR("cannot authorize CSINode subresources"));
    return str_eq(q->a->verb, STR("create")) || str_eq(q->a->name, q->node) ||
           refuse(q, STR("can only access CSINode with the same name as the requesting node"));
}

static bool may_slices(const struct ask *q)
{
    if (q->a->subresource.len)
        return refuse(q, STR("cannot authorize ResourceSlice subresources"));
    if (str_eq(q->a->verb, STR("create")))
        return true;
    if (is_among(q->a->verb, "get update patch delete"))
        return check_object(q, is_own_slice);
    if (is_among(q->a->verb, "watch list deletecollection"))
        return selects_own(q, STR("spec.nodeName")) ||
               refuse(q, STR("can only list/watch/deletecollection resourceslices with nodeName "
                             "field selector"));
    return refuse(q, STR("only the following verbs are allowed for a ResourceSlice: get, watch, "
                         "list, create, update, patch, delete, deletecollection"));
}

static bool may_nodes(const struct ask *q)
{
    if (str_eq(q->a->subresource, STR("status")))
        return is_among(q->a->verb, "update patch");
    if (q->a->subresource.len)
        return false;
    if (is_among(q->a->verb, "create update patch"))
        return true;
    if (!is_among(q->a->verb, "get list watch"))
        return false;
    if (str_eq(q->a->name, q->node))
        return true;
    if (!q->a->name.len)
        return refuse(q, arena_printf(q->a->arena,
                                      "node '%.*s' cannot read all nodes, only its own Node object",
                                      STR_ARG(q->node)));
    return refuse(q, arena_printf(q->a->arena,
                                  "node '%.*s' cannot read '%.*s', only its own Node object",
                                  STR_ARG(q->node), STR_ARG(q->a->name)));
}

static bool may_pods(const struct ask *q)
{
    if (str_eq(q->a->subresource, STR("status")))
        return is_among(q->a->verb, "update patch");
    if (str_eq(q->a->subresource, STR("eviction")))
        return str_eq(q->a->verb, STR("create"));
    if (q->a->subresource.len)
        return false;
    if (str_eq(q->a->verb, STR("get")))
        return check_object(q, is_own_pod);
    if (is_among(q->a->verb, "list watch")) {
        if (selects_own(q, STR("spec.nodeName")))
            return true;
        return q->a->name.len
                   ? check_object(q, is_own_pod)
                   : refuse(q, STR("can only list/watch pods with spec.nodeName field selector"));
    }
    return is_among(q->a->verb, "create delete");
}

static bool may_others(const struct ask *q)
{
    const struct rbac_rules *rules = &q->server->node_rules;

    for (size_t i = 0; i < rules->n; i++)
        if (rbac_rule_allows(&rules->items[i], q->a))
            return true;
    return false;
}

static const struct {
    struct str group, resource;
    bool (*may)(const struct ask *q);
} rows[] = {
    { STR_INIT(""), STR_INIT("secrets"), may_secrets },
    { STR_INIT(""), STR_INIT("configmaps"), may_config_maps },
    { STR_INIT(""), STR_INIT("persistentvolumeclaims"), may_claims },
    { STR_INIT(""), STR_INIT("persistentvolumes"), may_volumes },
    { STR_INIT("resource.k8s.io"), STR_INIT("resourceclaims"), may_resource_claims },
    { STR_INIT("storage.k8s.io"), STR_INIT("volumeattachments"), may_attachments },
    { STR_INIT(""), STR_INIT("serviceaccounts"), may_accounts },
    { STR_INIT("coordination.k8s.io"), STR_INIT("leases"), may_leases },
    { STR_INIT("storage.k8s.io"), STR_INIT("csinodes"), may_csi_nodes },
    { STR_INIT("resource.k8s.io"), STR_INIT("resourceslices"), may_slices },
    { STR_INIT(""), STR_INIT("nodes"), may_nodes },
    { STR_INIT(""), STR_INIT("pods"), may_pods },
};

static enum authorizer_answer authorize(struct apiserver *s, const struct authz_attributes *a,
                                        struct str *ret_reason)
{
    struct ask q = { .server = s, .a = a, .reason = ret_reason };
    bool (*may)(const struct ask *q) = may_others;

    if (!node_identity(a->user, &q.node))
        return AUTHORIZER_NO_OPINION;
    if (!q.node.len) {
        *ret_reason =
            arena_printf(a->arena, "unknown node for user \"%.*s\"", STR_ARG(a->user->name));
        return AUTHORIZER_NO_OPINION;
    }
    for (size_t i = 0; a->is_resource && i < ARRAY_LEN(rows); i++)
        if (str_eq(a->resource, rows[i].resource) && str_eq(a->group, rows[i].group))
            may = rows[i].may;
    return may(&q) ? AUTHORIZER_ALLOW : AUTHORIZER_NO_OPINION;
}

const struct authorizer node_authorizer = {
    .name = "node",
    .authorize = authorize,
};
