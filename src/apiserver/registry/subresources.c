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
    { CORE, STR_INIT("pods"), STR_INIT("log"), .connect = pod_log_connect },
    { CORE, STR_INIT("pods"), STR_INIT("exec"), .connect = pod_exec_connect },
    { CORE, STR_INIT("pods"), STR_INIT("attach"), .connect = pod_attach_connect },
    { CORE, STR_INIT("pods"), STR_INIT("portforward"), .connect = pod_port_forward_connect },
    { CORE, STR_INIT("pods"), STR_INIT("proxy"), .connect = pod_proxy_connect },
    { CORE, STR_INIT("services"), STR_INIT("proxy"), .connect = service_proxy_connect },
    { CORE, STR_INIT("nodes"), STR_INIT("proxy"), .connect = node_proxy_connect },
    { CORE, STR_INIT("replicationcontrollers"), STR_INIT("scale"),
      .projection = &scale_projection },
    { APPS, { 0 }, STR_INIT("scale"), .projection = &scale_projection },
    { CORE, STR_INIT("pods"), STR_INIT("binding"), .create = pod_binding_create },
    { CORE, STR_INIT("bindings"), STR_INIT(""), .create = pod_binding_create },
    { CORE, STR_INIT("componentstatuses"), STR_INIT(""), .read = component_status_read },
    { CORE, STR_INIT("pods"), STR_INIT("eviction"), .create = pod_eviction_create },
    { CORE, STR_INIT("serviceaccounts"), STR_INIT("token"), .create = token_request_create },
    { AUTHN, STR_INIT("tokenreviews"), STR_INIT(""), .create = token_review_create },
    { AUTHN, STR_INIT("selfsubjectreviews"), STR_INIT(""), .create = self_subject_review_create },
    { AUTHZ, STR_INIT("subjectaccessreviews"), STR_INIT(""),
      .create = subject_access_review_create },
    { AUTHZ, STR_INIT("localsubjectaccessreviews"), STR_INIT(""),
      .create = subject_access_review_create },
    { AUTHZ, STR_INIT("selfsubjectaccessreviews"), STR_INIT(""),
      .create = self_subject_access_review_create },
    { AUTHZ, STR_INIT("selfsubjectrulesreviews"), STR_INIT(""),
      .create = self_subject_rules_review_create },
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
