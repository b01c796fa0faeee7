#include "apiserver/registry/subresources.h"

#include "api/resource.h"
#include "apiserver/api_request.h"
#include "apiserver/extensions/custom_strategy.h"
#include "apiserver/proxying/kubelet_endpoints.h"
#include "base/macros.h"

#define CORE  STR_INIT("")
#define APPS  STR_INIT("apps")
#define AUTHN STR_INIT("authentication.k8s.io")
#define AUTHZ STR_INIT("authorization.k8s.io")

static const struct subresource rows[] = {
    { CORE, STR_INIT("pods"), STR_INIT("log"), NULL, NULL, pod_log_connect },
    { CORE, STR_INIT("pods"), STR_INIT("exec"), NULL, NULL, pod_exec_connect },
    { CORE, STR_INIT("pods"), STR_INIT("attach"), NULL, NULL, pod_attach_connect },
    { CORE, STR_INIT("pods"), STR_INIT("portforward"), NULL, NULL, pod_port_forward_connect },
    { CORE, STR_INIT("pods"), STR_INIT("proxy"), NULL, NULL, pod_proxy_connect },
    { CORE, STR_INIT("services"), STR_INIT("proxy"), NULL, NULL, service_proxy_connect },
    { CORE, STR_INIT("nodes"), STR_INIT("proxy"), NULL, NULL, node_proxy_connect },
    { CORE, STR_INIT("replicationcontrollers"), STR_INIT("scale"), &scale_projection, NULL, NULL },
    { APPS, { 0 }, STR_INIT("scale"), &scale_projection, NULL, NULL },
    { CORE, STR_INIT("pods"), STR_INIT("binding"), NULL, pod_binding_create, NULL },
    { CORE, STR_INIT("bindings"), STR_INIT(""), NULL, pod_binding_create, NULL },
    { CORE, STR_INIT("pods"), STR_INIT("eviction"), NULL, pod_eviction_create, NULL },
    { CORE, STR_INIT("serviceaccounts"), STR_INIT("token"), NULL, token_request_create, NULL },
    { AUTHN, STR_INIT("tokenreviews"), STR_INIT(""), NULL, token_review_create, NULL },
    { AUTHN, STR_INIT("selfsubjectreviews"), STR_INIT(""), NULL, self_subject_review_create, NULL },
    { AUTHZ, STR_INIT("subjectaccessreviews"), STR_INIT(""), NULL, subject_access_review_create,
      NULL },
    { AUTHZ, STR_INIT("localsubjectaccessreviews"), STR_INIT(""), NULL,
      subject_access_review_create, NULL },
    { AUTHZ, STR_INIT("selfsubjectaccessreviews"), STR_INIT(""), NULL,
      self_subject_access_review_create, NULL },
    { AUTHZ, STR_INIT("selfsubjectrulesreviews"), STR_INIT(""), NULL,
      self_subject_rules_review_create, NULL },
};

const struct subresource *subresource_find(const struct api_request *r)
{
    struct str sub = r->subresource ? r->subresource->name : STR("");
    static const struct subresource custom_scale = { .subresource = STR_INIT("scale"),
                                                     .projection = &custom_scale_projection };

    if (r->resource->custom)
        return str_eq(sub, custom_scale.subresource) ? &custom_scale : NULL;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_eq(rows[i].group, r->resource->group) && str_eq(rows[i].subresource, sub) &&
            (!rows[i].resource.p || str_eq(rows[i].resource, r->resource->name)))
            return &rows[i];
    return NULL;
}
