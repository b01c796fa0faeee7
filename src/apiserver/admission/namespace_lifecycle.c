#include "api/resource.h"
#include "apiserver/admission/admission.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/status_response.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "store/store.h"

static const struct str protected_names[] = { STR_INIT("default"), STR_INIT("kube-system"),
                                              STR_INIT("kube-public") };

static struct group_resource gr_of(const struct admission_call *call)
{
    return (struct group_resource){ call->request->resource->group, call->request->resource->name };
}

static bool is_namespaces(const struct resource *r)
{
    return !r->group.len && str_eq(r->name, STR("namespaces"));
}

static bool check_terminating(const struct admission_call *call, struct status *ret)
{
    struct arena *a = call->request->arena;
    struct status_cause *cause = ARENA_NEW(a, struct status_cause);

    cause->type = STR("NamespaceTerminating");
    cause->message =
        arena_printf(a, "namespace %.*s is being terminated", STR_ARG(call->namespace));
    cause->field = STR("metadata.namespace");
    *ret = status_forbidden(
        a, gr_of(call), call->name,
        "unable to create new content in namespace %.*s because it is being terminated",
        STR_ARG(call->namespace));
    ret->causes = cause;
    ret->n_causes = 1;
    return false;
}

static bool lifecycle_mutate(const struct admission_call *call, struct status *ret)
{
    struct api_request *r = call->request;
    struct registry *registry = &r->server->registry;
    struct group_resource namespaces = { STR(""), STR("namespaces") };
    struct store_object ns;
    struct str phase;
    struct err err;
    int rc;

    if (call->operation == ADMISSION_DELETE && is_namespaces(r->resource)) {
        for (size_t i = 0; i < ARRAY_LEN(protected_names); i++)
            if (str_eq(call->name, protected_names[i])) {
                *ret = status_forbidden(r->arena, namespaces, call->name,
                                        "this namespace may not be deleted");
                return false;
            }
        return true;
    }
    if (call->operation != ADMISSION_CREATE || !resource_is_namespaced(r->resource))
        return true;
    rc = store_get(call->snapshot, registry->namespaces_id, call->namespace, &ns, &err);
    if (rc == ERR_NOT_FOUND) {
        *ret = status_not_found(r->arena, namespaces, call->namespace);
        return false;
    }
    if (rc < 0) {
        *ret = status_of_store(r->arena, rc, &err);
        return false;
    }
    if (store_object_field(&ns, STR("status.phase"), &phase) && str_eq(phase, STR("Terminating")))
        return check_terminating(call, ret);
    return true;
}

const struct admission_plugin namespace_lifecycle_plugin = {
    .name = "NamespaceLifecycle",
    .mutate = lifecycle_mutate,
};
