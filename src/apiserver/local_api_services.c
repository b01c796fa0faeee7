/* What the server says of itself as a server of APIs: an APIService for each group version that it
 * serves, and whose certificates it trusts, which servers of other APIs ask for. */
#include "api/resource.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/bootstrap.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "codec/json_writer.h"
#include "codec/time_text.h"

enum { MAX_GROUP_VERSIONS = 64 };
#define OWN_GROUP "apiregistration.k8s.io"

static struct str api_service(const struct apiserver *s, struct arena *a,
                              const struct resource_group_version *v)
{
    struct buf now = { .arena = a }, b = { .arena = a };

    time_text_print(&now, clock_wall_s(s->clock));
    buf_printf(&b,
               "{\"metadata\":{\"name\":\"%.*s.%.*s\",\"labels\":{"
               "\"kube-aggregator.kubernetes.io/automanaged\":\"onstart\"}},\"spec\":{"
               "\"version\":\"%.*s\",\"groupPriorityMinimum\":%u,\"versionPriority\":%u",
               STR_ARG(v->version), STR_ARG(v->group), STR_ARG(v->version), v->group_priority,
               v->version_priority);
    if (v->group.len)
        buf_printf(&b, ",\"group\":\"%.*s\"", STR_ARG(v->group));
    buf_printf(&b,
               "},\"status\":{\"conditions\":[{\"type\":\"Available\",\"status\":\"True\","
               "\"lastTransitionTime\":\"%.*s\",\"reason\":\"Local\",\"message\":"
               "\"Local APIServices are always available\"}]}}",
               STR_ARG(buf_str(&now)));
    return buf_str(&b);
}

static size_t api_services(const struct apiserver *s, struct arena *a, struct bootstrap_object *ret)
{
    size_t n = 0;

    for (size_t i = 0; i < resource_group_versions_len && n < MAX_GROUP_VERSIONS; i++) {
        const struct resource_group_version *v = &resource_group_versions[i];

        if (v->served && !str_eq(v->group, STR(OWN_GROUP))) /* which no server can take over */
            ret[n++] = (struct bootstrap_object){
                .group = STR(OWN_GROUP),
                .resource = STR("apiservices"),
                .json = api_service(s, a, v),
            };
    }
    return n;
}

const struct kept_set local_api_services_set = {
    .name = "local APIServices",
    .places = { { .group = STR_INIT(OWN_GROUP), .resource = STR_INIT("apiservices") } },
    .n_places = 1,
    .max = MAX_GROUP_VERSIONS,
    .objects = api_services,
};

static size_t authentication(const struct apiserver *s, struct arena *a,
                             struct bootstrap_object *ret)
{
    struct buf b = { .arena = a };

    if (!s->client_ca_pem.len)
        return 0;
    buf_append_lit(&b, "{\"metadata\":{\"namespace\":\"kube-system\",\"name\":"
                       "\"extension-apiserver-authentication\"},\"data\":{\"client-ca-file\":");
    json_write_string(&b, s->client_ca_pem);
    buf_append_lit(&b, "}}");
    ret[0] = (struct bootstrap_object){
        .group = STR(""), .resource = STR("configmaps"), .is_kept = true, .json = buf_str(&b)
    };
    return 1;
}

const struct kept_set extension_authentication_set = {
    .name = "extension-apiserver-authentication",
    .places = { { STR_INIT(""), STR_INIT("configmaps"), STR_INIT("kube-system"),
                  STR_INIT("extension-apiserver-authentication") } },
    .n_places = 1,
    .max = 1,
    .objects = authentication,
};
