/* NodeRestriction: what the authorizer cannot know before it sees the object. A node writes its own
 * Node without what would draw Pods to it, Pods that are pictures of its static ones, the status
 * of its Pods, and what else bears its name. */
#include "apiserver/admission/node_restriction.h"

#include <stdarg.h>

#include "api/certificates_v1.h"
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/pod_references.h"
#include "api/resource.h"
#include "api/resource_v1.h"
#include "api/text_map.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/authz/node_identity.h"
#include "apiserver/registry/stored_read.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/x509.h"

#define MIRROR STR("kubernetes.io/config.mirror")

bool node_restriction_refuse(const struct node_wish *w, const char *fmt, ...)
{
    const struct api_request *r = w->call->request;
    struct str why;
    va_list ap;

    va_start(ap, fmt);
    why = arena_vprintf(r->arena, fmt, ap);
    va_end(ap);
    *w->ret =
        status_forbidden(r->arena, (struct group_resource){ r->resource->group, r->resource->name },
                         w->call->name, "%.*s", STR_ARG(why));
    return false;
}

bool node_restriction_read(const struct node_wish *w, const struct resource *row,
                           struct str namespace, struct str name, struct object *ret)
{
    struct api_request *r = w->call->request;
    const struct stored_reader reader = { &r->server->registry, w->call->snapshot, r->arena };
    struct err err;
    int rc = stored_read_get(&reader, row, namespace, name, ret, &err);

    if (rc >= 0)
        return true;
    *w->ret =
        rc == ERR_NOT_FOUND
            ? status_not_found(r->arena, (struct group_resource){ row->group, row->name }, name)
            : status_of_store(r->arena, rc, &err);
    return false;
}

static const char *operation_name(const struct node_wish *w)
{
    static const char *const names[] = {
        [ADMISSION_CREATE] = "CREATE", [ADMISSION_UPDATE] = "UPDATE", [ADMISSION_DELETE] = "DELETE"
    };

    return names[w->call->operation];
}

static bool unexpected(const struct node_wish *w)
{
    return node_restriction_refuse(w, "unexpected operation \"%s\"", operation_name(w));
}

/* Two fields of one type, compared as what an object of that type holds. */
static bool is_equal_in(const struct node_wish *w, void (*copy)(void *to, const void *from))
{
    struct arena *a = w->call->request->arena;
    struct object x = object_new(a, w->call->old.schema, w->call->old.type);
    struct object y = object_new(a, w->call->old.schema, w->call->old.type);

    copy(x.data, w->call->old.data);
    copy(y.data, w->call->object.data);
    return object_equal(x, y);
}

/* --- Pods --- */

static bool check_owner(const struct node_wish *w, const struct core_v1_pod *pod)
{
    const struct meta_v1_owner_reference *owner = pod->metadata.owner_references.items;
    struct object node;

    if (pod->metadata.owner_references.len > 1)
        return node_restriction_refuse(w,
                                       "node \"%.*s\" can only create pods with a single owner "
                                       "reference set to itself",
                                       STR_ARG(w->node));
    if (!pod->metadata.owner_references.len || !str_eq(owner->api_version, STR("v1")) ||
        !str_eq(owner->kind, STR("Node")) || !str_eq(owner->name, w->node))
        return node_restriction_refuse(
            w, "node \"%.*s\" can only create pods with an owner reference set to itself",
            STR_ARG(w->node));
    if (!owner->controller || !*owner->controller)
        return node_restriction_refuse(
            w, "node \"%.*s\" can only create pods with a controller owner reference set to itself",
            STR_ARG(w->node));
    if (owner->block_owner_deletion && *owner->block_owner_deletion)
        return node_restriction_refuse(
            w, "node \"%.*s\" must not set blockOwnerDeletion on an owner reference",
            STR_ARG(w->node));
    if (!node_restriction_read(w, stored_read_row(STR(""), STR("nodes")), STR(""), w->node, &node))
        return false;
    if (!str_eq(owner->uid, object_meta(node)->uid))
        return node_restriction_refuse(w, "node %.*s UID mismatch: expected %.*s got %.*s",
                                       STR_ARG(w->node), STR_ARG(owner->uid),
                                       STR_ARG(object_meta(node)->uid));
    return true;
}

static bool check_new_pod(const struct node_wish *w)
{
    const struct core_v1_pod *pod = w->call->object.data;
    const char *named;

    if (!text_map_find(&pod->metadata.annotations, MIRROR))
        return node_restriction_refuse(
            w, "pod does not have \"%.*s\" annotation, node \"%.*s\" can only create mirror pods",
            STR_ARG(MIRROR), STR_ARG(w->node));
    if (!str_eq(pod->spec.node_name, w->node))
        return node_restriction_refuse(
            w, "node \"%.*s\" can only create pods with spec.nodeName set to itself",
            STR_ARG(w->node));
    if (!check_owner(w, pod))
        return false;
    named = pod_references_any(pod);
    return !named ||
           node_restriction_refuse(w, "node \"%.*s\" can not create pods that reference %s",
                                   STR_ARG(w->node), named);
}

static bool is_own_pod(const struct node_wish *w)
{
    return str_eq(((const struct core_v1_pod *)w->call->old.data)->spec.node_name, w->node);
}

static void copy_labels(void *to, const void *from)
{
    struct core_v1_pod *x = to;
    const struct core_v1_pod *y = from;

    memcpy(&x->metadata.labels, &y->metadata.labels, sizeof(x->metadata.labels));
}

static void copy_claim_statuses(void *to, const void *from)
{
    struct core_v1_pod *x = to;
    const struct core_v1_pod *y = from;

    memcpy(&x->status.resource_claim_statuses, &y->status.resource_claim_statuses,
           sizeof(x->status.resource_claim_statuses));
}

static void copy_extended_claim(void *to, const void *from)
{
    ((struct core_v1_pod *)to)->status.extended_resource_claim_status =
        ((const struct core_v1_pod *)from)->status.extended_resource_claim_status;
}

static bool check_pod_status(const struct node_wish *w)
{
    if (w->call->operation != ADMISSION_UPDATE)
        return unexpected(w);
    if (!is_own_pod(w))
        return node_restriction_refuse(
            w, "node \"%.*s\" can only update pod status for pods with spec.nodeName set to itself",
            STR_ARG(w->node));
    if (!is_equal_in(w, copy_labels))
        return node_restriction_refuse(w, "node \"%.*s\" cannot update labels through pod status",
                                       STR_ARG(w->node));
    if (!is_equal_in(w, copy_claim_statuses))
        return node_restriction_refuse(w, "node \"%.*s\" cannot update resource claim statues",
                                       STR_ARG(w->node));
    if (!is_equal_in(w, copy_extended_claim))
        return node_restriction_refuse(
            w, "node \"%.*s\" cannot update extended resource claim status", STR_ARG(w->node));
    return true;
}

static bool check_pods(const struct node_wish *w, struct str sub)
{
    if (str_eq(sub, STR("status")))
        return check_pod_status(w);
    if (str_eq(sub, STR("eviction")))
        return is_own_pod(w) ||
               node_restriction_refuse(
                   w, "node %.*s can only evict pods with spec.nodeName set to itself",
                   STR_ARG(w->node));
    if (sub.len)
        return node_restriction_refuse(
            w, "unexpected pod subresource \"%.*s\", only 'status' and 'eviction' are allowed",
            STR_ARG(sub));
    if (w->call->operation == ADMISSION_CREATE)
        return check_new_pod(w);
    if (w->call->operation == ADMISSION_DELETE)
        return is_own_pod(w) ||
               node_restriction_refuse(
                   w, "node \"%.*s\" can only delete pods with spec.nodeName set to itself",
                   STR_ARG(w->node));
    return node_restriction_refuse(
        w, "unexpected operation \"%s\", node \"%.*s\" can only create and delete mirror pods",
        operation_name(w), STR_ARG(w->node));
}

/* --- its Node --- */

static bool is_domain_of(struct str domain, struct str parent)
{
    return str_eq(domain, parent) ||
           (str_has_suffix(domain, parent) && domain.p[domain.len - parent.len - 1] == '.');
}

/* A label by which Pods could be drawn to the node, and that it does not have by itself. */
static bool is_forbidden_label(struct str key)
{
    static const struct str own[] = {
        STR_INIT("kubernetes.io/hostname"),
        STR_INIT("topology.kubernetes.io/zone"),
        STR_INIT("topology.kubernetes.io/region"),
        STR_INIT("failure-domain.beta.kubernetes.io/zone"),
        STR_INIT("failure-domain.beta.kubernetes.io/region"),
        STR_INIT("beta.kubernetes.io/instance-type"),
        STR_INIT("node.kubernetes.io/instance-type"),
        STR_INIT("kubernetes.io/os"),
        STR_INIT("kubernetes.io/arch"),
        STR_INIT("beta.kubernetes.io/os"),
        STR_INIT("beta.kubernetes.io/arch"),
    };
    struct str domain, name;

    if (!str_cut(key, '/', &domain, &name))
        return false;
    if (is_domain_of(domain, STR("node-restriction.kubernetes.io")))
        return true;
    if (!is_domain_of(domain, STR("kubernetes.io")) && !is_domain_of(domain, STR("k8s.io")))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (str_eq(key, own[i]))
            return false;
    return !is_domain_of(domain, STR("kubelet.kubernetes.io")) &&
           !is_domain_of(domain, STR("node.kubernetes.io"));
}

static void add_changed(struct arena *a, void *found, const void *labels, const void *others)
{
    const struct schema_str_entry *items = text_map_items(labels);

    for (uint32_t i = 0; i < text_map_len(labels); i++) {
        const struct schema_str_entry *other = text_map_find(others, items[i].key);

        if ((!other || !str_eq(other->value, items[i].value)) && is_forbidden_label(items[i].key))
            text_map_put(a, found, items[i].key, STR(""));
    }
}

/* Those that differ and must not, by name and commas; "": none. old NULL: there were none. */
static struct str forbidden_labels(struct arena *a, const void *new, const void *old)
{
    static const struct schema_list none;
    struct schema_list found = { 0 };
    struct buf b;

    add_changed(a, &found, new, old ? old : &none);
    if (old)
        add_changed(a, &found, old, new);
    buf_init_arena(&b, a, 128);
    for (uint32_t i = 0; i < text_map_len(&found); i++)
        buf_printf(&b, "%s%.*s", i ? ", " : "", STR_ARG(text_map_items(&found)[i].key));
    return buf_str(&b);
}

static void copy_config_source(void *to, const void *from)
{
    ((struct core_v1_node *)to)->spec.config_source =
        ((const struct core_v1_node *)from)->spec.config_source;
}

static void copy_taints(void *to, const void *from)
{
    struct core_v1_node *x = to;
    const struct core_v1_node *y = from;

    memcpy(&x->spec.taints, &y->spec.taints, sizeof(x->spec.taints));
}

static void copy_owners(void *to, const void *from)
{
    struct core_v1_node *x = to;
    const struct core_v1_node *y = from;

    memcpy(&x->metadata.owner_references, &y->metadata.owner_references,
           sizeof(x->metadata.owner_references));
}

static bool check_changed_node(const struct node_wish *w)
{
    const struct core_v1_node *node = w->call->object.data, *old = w->call->old.data;
    struct str labels;

    if (node->spec.config_source && !is_equal_in(w, copy_config_source))
        return node_restriction_refuse(
            w, "node \"%.*s\" is not allowed to update configSource to a new non-nil configSource",
            STR_ARG(w->node));
    if (!is_equal_in(w, copy_taints))
        return node_restriction_refuse(w, "node \"%.*s\" is not allowed to modify taints",
                                       STR_ARG(w->node));
    if (!is_equal_in(w, copy_owners))
        return node_restriction_refuse(w, "node \"%.*s\" is not allowed to modify ownerReferences",
                                       STR_ARG(w->node));
    labels =
        forbidden_labels(w->call->request->arena, &node->metadata.labels, &old->metadata.labels);
    return !labels.len ||
           node_restriction_refuse(w, "is not allowed to modify labels: %.*s", STR_ARG(labels));
}

static bool check_new_node(const struct node_wish *w)
{
    const struct core_v1_node *node = w->call->object.data;
    struct str labels;

    if (node->spec.config_source)
        return node_restriction_refuse(
            w, "node \"%.*s\" is not allowed to create pods with a non-nil configSource",
            STR_ARG(w->node));
    labels = forbidden_labels(w->call->request->arena, &node->metadata.labels, NULL);
    return !labels.len || node_restriction_refuse(
                              w, "node \"%.*s\" is not allowed to set the following labels: %.*s",
                              STR_ARG(w->node), STR_ARG(labels));
}

static bool check_nodes(const struct node_wish *w, struct str sub)
{
    (void)sub;
    if (!str_eq(w->call->name, w->node))
        return node_restriction_refuse(w, "node \"%.*s\" is not allowed to modify node \"%.*s\"",
                                       STR_ARG(w->node), STR_ARG(w->call->name));
    if (w->call->operation == ADMISSION_CREATE)
        return check_new_node(w);
    return w->call->operation != ADMISSION_UPDATE || check_changed_node(w);
}

/* --- the rest --- */

/* What a node does not say of a claim: all but its sizes and conditions. */
static void copy_claim(void *to, const void *from)
{
    struct core_v1_persistent_volume_claim *c = to;

    memcpy(c, from, sizeof(*c));
    c->metadata.resource_version = STR_NULL;
    c->metadata.managed_fields.len = 0;
    c->status.capacity.len = c->status.conditions.len = 0;
    c->status.allocated_resources.len = c->status.allocated_resource_statuses.len = 0;
}

static bool check_claims(const struct node_wish *w, struct str sub)
{
    if (!str_eq(sub, STR("status")))
        return node_restriction_refuse(w, "may only update PVC status");
    if (w->call->operation != ADMISSION_UPDATE)
        return unexpected(w);
    return is_equal_in(w, copy_claim) ||
           node_restriction_refuse(w,
                                   "node \"%.*s\" is not allowed to update fields other than "
                                   "status.quantity and status.conditions",
                                   STR_ARG(w->node));
}

static bool check_accounts(const struct node_wish *w, struct str sub)
{
    return w->call->operation != ADMISSION_CREATE || !str_eq(sub, STR("token")) ||
           node_restriction_token(w);
}

static bool check_leases(const struct node_wish *w, struct str sub)
{
    (void)sub;
    if (!str_eq(w->call->namespace, STR("kube-node-lease")))
        return node_restriction_refuse(
            w, "can only access leases in the \"kube-node-lease\" system namespace");
    return str_eq(w->call->name, w->node) ||
           node_restriction_refuse(
               w, "can only access node lease with the same name as the requesting node");
}

static bool check_csi_nodes(const struct node_wish *w, struct str sub)
{
    (void)sub;
    return str_eq(w->call->name, w->node) ||
           node_restriction_refuse(
               w, "can only access CSINode with the same name as the requesting node");
}

static bool check_slices(const struct node_wish *w, struct str sub)
{
    bool is_new = w->call->operation == ADMISSION_CREATE;
    const struct resource_v1_resource_slice *slice =
        is_new ? w->call->object.data : w->call->old.data;

    (void)sub;
    return w->call->operation == ADMISSION_UPDATE || str_eq(slice->spec.node_name, w->node) ||
           node_restriction_refuse(
               w, "can only %s ResourceSlice with the same NodeName as the requesting node",
               is_new ? "create" : "delete");
}

static bool check_requests(const struct node_wish *w, struct str sub)
{
    const struct certificates_v1_certificate_signing_request *csr = w->call->object.data;
    struct str name;

    (void)sub;
    if (w->call->operation != ADMISSION_CREATE ||
        (!str_eq(csr->spec.signer_name, STR("kubernetes.io/kubelet-serving")) &&
         !str_eq(csr->spec.signer_name, STR("kubernetes.io/kube-apiserver-client-kubelet"))))
        return true;
    name = arena_printf(w->call->request->arena, "system:node:%.*s", STR_ARG(w->node));
    return x509_request_has(csr->spec.request, X509_COMMON_NAME, name) ||
           node_restriction_refuse(w, "can only create a node CSR with CN=%.*s", STR_ARG(name));
}

static const struct {
    struct str group, resource;
    bool (*check)(const struct node_wish *w, struct str sub);
} rows[] = {
    { STR_INIT(""), STR_INIT("pods"), check_pods },
    { STR_INIT(""), STR_INIT("nodes"), check_nodes },
    { STR_INIT(""), STR_INIT("persistentvolumeclaims"), check_claims },
    { STR_INIT(""), STR_INIT("serviceaccounts"), check_accounts },
    { STR_INIT("coordination.k8s.io"), STR_INIT("leases"), check_leases },
    { STR_INIT("storage.k8s.io"), STR_INIT("csinodes"), check_csi_nodes },
    { STR_INIT("resource.k8s.io"), STR_INIT("resourceslices"), check_slices },
    { STR_INIT("certificates.k8s.io"), STR_INIT("certificatesigningrequests"), check_requests },
};

static bool restriction_mutate(const struct admission_call *call, struct status *ret)
{
    const struct api_request *r = call->request;
    struct node_wish w = { .call = call, .ret = ret };
    struct str sub = r->subresource ? r->subresource->name : STR("");

    if (!node_identity(&r->user, &w.node))
        return true;
    if (!w.node.len)
        return node_restriction_refuse(&w, "could not determine node from user \"%.*s\"",
                                       STR_ARG(r->user.name));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_eq(r->resource->name, rows[i].resource) &&
            str_eq(r->resource->group, rows[i].group))
            return rows[i].check(&w, sub);
    return true;
}

const struct admission_plugin node_restriction_plugin = {
    .name = "NodeRestriction",
    .mutate = restriction_mutate,
};
