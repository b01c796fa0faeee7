#include "api/authentication_v1.h"
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/storage_v1.h"
#include "apiserver/admission/node_restriction.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/stored_read.h"
#include "base/arena.h"
#include "base/err.h"

static bool look_up(const struct node_wish *w, struct str group, struct str resource,
                    struct str namespace, struct str name, struct object *ret)
{
    struct api_request *r = w->call->request;
    const struct stored_reader reader = { &r->server->registry, w->call->snapshot, r->arena };
    struct err ignored; /* what is not there wants no audience */

    return name.len && stored_read_get(&reader, stored_read_row(group, resource), namespace, name,
                                       ret, &ignored) >= 0;
}

static bool driver_wants(const struct node_wish *w, struct str driver, struct str audience)
{
    const struct storage_v1_csi_driver *d;
    struct object o;

    if (!look_up(w, STR("storage.k8s.io"), STR("csidrivers"), STR(""), driver, &o))
        return false;
    d = o.data;
    for (uint32_t i = 0; i < d->spec.token_requests.len; i++)
        if (str_eq(d->spec.token_requests.items[i].audience, audience))
            return true;
    return false;
}

static bool claim_wants(const struct node_wish *w, struct str claim, struct str audience)
{
    const struct core_v1_csi_persistent_volume_source *csi;
    struct object pvc, pv;

    if (!look_up(w, STR(""), STR("persistentvolumeclaims"), w->call->namespace, claim, &pvc) ||
        !look_up(w, STR(""), STR("persistentvolumes"), STR(""),
                 ((const struct core_v1_persistent_volume_claim *)pvc.data)->spec.volume_name, &pv))
        return false;
    csi = ((const struct core_v1_persistent_volume *)pv.data)->spec.persistent_volume_source.csi;
    return csi && driver_wants(w, csi->driver, audience);
}

static bool volume_wants(const struct node_wish *w, const struct core_v1_pod *pod,
                         const struct core_v1_volume *volume, struct str audience)
{
    const struct core_v1_volume_source *v = &volume->volume_source;

    for (uint32_t i = 0; v->projected && i < v->projected->sources.len; i++) {
        const struct core_v1_service_account_token_projection *t =
            v->projected->sources.items[i].service_account_token;

        if (t && str_eq(t->audience, audience))
            return true;
    }
    if (v->csi)
        return driver_wants(w, v->csi->driver, audience);
    if (v->persistent_volume_claim)
        return claim_wants(w, v->persistent_volume_claim->claim_name, audience);
    return v->ephemeral &&
           claim_wants(w,
                       arena_printf(w->call->request->arena, "%.*s-%.*s",
                                    STR_ARG(pod->metadata.name), STR_ARG(volume->name)),
                       audience);
}

/* Else somebody has granted nodes the verb for the audience. */
static bool check_audience(const struct node_wish *w,
                           const struct authentication_v1_token_request_spec *spec,
                           const struct core_v1_pod *pod)
{
    struct api_request *r = w->call->request;
    struct str audience = spec->audiences.len ? spec->audiences.items[0] : STR(""), reason;
    const struct authz_attributes a = {
        .arena = r->arena,
        .user = &r->user,
        .is_resource = true,
        .verb = STR("request-serviceaccounts-token-audience"),
        .group = STR(""),
        .resource = audience,
        .namespace = w->call->namespace,
        .name = w->call->name,
    };

    if (spec->audiences.len > 1)
        return node_restriction_refuse(w, "node may only request 0 or 1 audiences");
    for (uint32_t i = 0; i < pod->spec.volumes.len; i++)
        if (volume_wants(w, pod, &pod->spec.volumes.items[i], audience))
            return true;
    return authz_check(r->server, &a, &reason) == AUTHORIZER_ALLOW ||
           node_restriction_refuse(w,
                                   "audience \"%.*s\" not found in pod spec volume, %.*s is not "
                                   "authorized to request tokens for this audience",
                                   STR_ARG(audience), STR_ARG(r->user.name));
}

bool node_restriction_token(const struct node_wish *w)
{
    const struct authentication_v1_token_request *t = w->call->object.data;
    const struct authentication_v1_bound_object_reference *ref = t->spec.bound_object_ref;
    const struct core_v1_pod *pod;
    struct object o;

    if (!ref || !str_eq(ref->api_version, STR("v1")) || !str_eq(ref->kind, STR("Pod")) ||
        !ref->name.len)
        return node_restriction_refuse(w, "node requested token not bound to a pod");
    if (!ref->uid.len)
        return node_restriction_refuse(w, "node requested token with a pod binding without a uid");
    if (!node_restriction_read(w, stored_read_row(STR(""), STR("pods")), w->call->namespace,
                               ref->name, &o))
        return false;
    pod = o.data;
    if (!str_eq(ref->uid, pod->metadata.uid))
        return node_restriction_refuse(
            w,
            "the UID in the bound object reference (%.*s) does not match the UID in record. The "
            "object might have been deleted and then recreated",
            STR_ARG(ref->uid));
    if (!str_eq(pod->spec.node_name, w->node))
        return node_restriction_refuse(
            w, "node requested token bound to a pod scheduled on a different node");
    return check_audience(w, &t->spec, pod);
}
