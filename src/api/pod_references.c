#include "api/pod_references.h"

#include <stdint.h>

#include "api/core_v1.h"
#include "base/macros.h"

enum what { SECRETS, CONFIG_MAPS };

static bool in_container(const struct core_v1_container *c, enum what what)
{
    for (uint32_t i = 0; i < c->env_from.len; i++) {
        const struct core_v1_env_from_source *s = &c->env_from.items[i];

        if (what == SECRETS ? s->secret_ref != NULL : s->config_map_ref != NULL)
            return true;
    }
    for (uint32_t i = 0; i < c->env.len; i++) {
        const struct core_v1_env_var_source *s = c->env.items[i].value_from;

        if (s && (what == SECRETS ? s->secret_key_ref != NULL : s->config_map_key_ref != NULL))
            return true;
    }
    return false;
}

/* Ephemeral containers are not of a new Pod, so not of a static one. */
static bool in_containers(const struct core_v1_pod *pod, enum what what)
{
    for (uint32_t i = 0; i < pod->spec.init_containers.len; i++)
        if (in_container(&pod->spec.init_containers.items[i], what))
            return true;
    for (uint32_t i = 0; i < pod->spec.containers.len; i++)
        if (in_container(&pod->spec.containers.items[i], what))
            return true;
    return false;
}

static bool in_volume(const struct core_v1_volume_source *v, enum what what)
{
    const struct core_v1_projected_volume_source *p = v->projected;

    for (uint32_t i = 0; p && i < p->sources.len; i++) {
        const struct core_v1_volume_projection *s = &p->sources.items[i];

        if (what == SECRETS ? s->secret != NULL : s->config_map != NULL)
            return true;
    }
    if (what == CONFIG_MAPS)
        return v->config_map;
    return v->secret || v->azure_file || (v->cephfs && v->cephfs->secret_ref) ||
           (v->cinder && v->cinder->secret_ref) || (v->flex_volume && v->flex_volume->secret_ref) ||
           (v->rbd && v->rbd->secret_ref) || (v->scale_io && v->scale_io->secret_ref) ||
           (v->iscsi && v->iscsi->secret_ref) || (v->storageos && v->storageos->secret_ref) ||
           (v->csi && v->csi->node_publish_secret_ref);
}

static bool names(const struct core_v1_pod *pod, enum what what)
{
    for (uint32_t i = 0; i < pod->spec.volumes.len; i++)
        if (in_volume(&pod->spec.volumes.items[i].volume_source, what))
            return true;
    return in_containers(pod, what) || (what == SECRETS && pod->spec.image_pull_secrets.len);
}

bool pod_references_secrets(const struct core_v1_pod *pod)
{
    return names(pod, SECRETS);
}

bool pod_references_config_maps(const struct core_v1_pod *pod)
{
    return names(pod, CONFIG_MAPS);
}

bool pod_references_tokens(const struct core_v1_pod *pod)
{
    for (uint32_t i = 0; i < pod->spec.volumes.len; i++) {
        const struct core_v1_projected_volume_source *p =
            pod->spec.volumes.items[i].volume_source.projected;

        for (uint32_t k = 0; p && k < p->sources.len; k++)
            if (p->sources.items[k].service_account_token)
                return true;
    }
    return false;
}

static const char *of_projection(const struct core_v1_projected_volume_source *p)
{
    for (uint32_t i = 0; i < p->sources.len; i++) {
        if (p->sources.items[i].cluster_trust_bundle)
            return "clustertrustbundles";
        if (p->sources.items[i].pod_certificate)
            return "podcertificates";
    }
    return NULL;
}

static const char *of_volume(const struct core_v1_volume_source *v)
{
    if (v->csi)
        return "csidrivers (via CSI volumes)";
    if (v->glusterfs)
        return "endpoints (via glusterFS volumes)";
    if (v->persistent_volume_claim)
        return "persistentvolumeclaims";
    if (v->ephemeral)
        return "persistentvolumeclaims (via ephemeral volumes)";
    return v->projected ? of_projection(v->projected) : NULL;
}

const char *pod_references_any(const struct core_v1_pod *pod)
{
    const char *found = NULL;

    if (pod->spec.service_account_name.len)
        return "serviceaccounts";
    if (pod_references_secrets(pod))
        return "secrets";
    if (pod_references_config_maps(pod))
        return "configmaps";
    if (pod->spec.resource_claims.len)
        return "resourceclaims";
    if (pod_references_tokens(pod))
        return "serviceaccounts (via projected volumes)";
    for (uint32_t i = 0; !found && i < pod->spec.volumes.len; i++)
        found = of_volume(&pod->spec.volumes.items[i].volume_source);
    return found;
}
