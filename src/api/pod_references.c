#include "api/pod_references.h"

#include <stdint.h>
#include <string.h>

#include "api/core_v1.h"
#include "base/macros.h"

struct walk {
    pod_reference_fn *fn;
    void *arg;
};

static bool say(const struct walk *w, enum pod_reference kind, struct str name)
{
    return w->fn(kind, name, w->arg);
}

static bool in_container(const struct core_v1_container *c, const struct walk *w)
{
    for (uint32_t i = 0; i < c->env_from.len; i++) {
        const struct core_v1_env_from_source *s = &c->env_from.items[i];

        if ((s->secret_ref &&
             !say(w, POD_REFERENCE_SECRET, s->secret_ref->local_object_reference.name)) ||
            (s->config_map_ref &&
             !say(w, POD_REFERENCE_CONFIG_MAP, s->config_map_ref->local_object_reference.name)))
            return false;
    }
    for (uint32_t i = 0; i < c->env.len; i++) {
        const struct core_v1_env_var_source *s = c->env.items[i].value_from;

        if (!s)
            continue;
        if ((s->secret_key_ref &&
             !say(w, POD_REFERENCE_SECRET, s->secret_key_ref->local_object_reference.name)) ||
            (s->config_map_key_ref &&
             !say(w, POD_REFERENCE_CONFIG_MAP, s->config_map_key_ref->local_object_reference.name)))
            return false;
    }
    return true;
}

/* An ephemeral container begins as a container does. */
static bool in_containers(const struct core_v1_pod_spec *spec, const struct walk *w)
{
    for (uint32_t i = 0; i < spec->init_containers.len; i++)
        if (!in_container(&spec->init_containers.items[i], w))
            return false;
    for (uint32_t i = 0; i < spec->containers.len; i++)
        if (!in_container(&spec->containers.items[i], w))
            return false;
    for (uint32_t i = 0; i < spec->ephemeral_containers.len; i++) {
        const struct core_v1_ephemeral_container_common *e =
            &spec->ephemeral_containers.items[i].ephemeral_container_common;
        struct core_v1_container c = { 0 };

        memcpy(&c.env_from, &e->env_from, sizeof(c.env_from));
        memcpy(&c.env, &e->env, sizeof(c.env));
        if (!in_container(&c, w))
            return false;
    }
    return true;
}

static bool in_projection(const struct core_v1_projected_volume_source *p, const struct walk *w)
{
    for (uint32_t i = 0; i < p->sources.len; i++) {
        const struct core_v1_volume_projection *s = &p->sources.items[i];

        if ((s->secret && !say(w, POD_REFERENCE_SECRET, s->secret->local_object_reference.name)) ||
            (s->config_map &&
             !say(w, POD_REFERENCE_CONFIG_MAP, s->config_map->local_object_reference.name)))
            return false;
    }
    return true;
}

/* The Secret that a volume of a kind named here alone is mounted with; unset: none. */
static const struct str *secret_of(const struct core_v1_volume_source *v)
{
    const struct core_v1_local_object_reference *refs[] = {
        v->cephfs ? v->cephfs->secret_ref : NULL,
        v->cinder ? v->cinder->secret_ref : NULL,
        v->flex_volume ? v->flex_volume->secret_ref : NULL,
        v->rbd ? v->rbd->secret_ref : NULL,
        v->scale_io ? v->scale_io->secret_ref : NULL,
        v->iscsi ? v->iscsi->secret_ref : NULL,
        v->storageos ? v->storageos->secret_ref : NULL,
        v->csi ? v->csi->node_publish_secret_ref : NULL,
    };

    for (size_t i = 0; i < ARRAY_LEN(refs); i++)
        if (refs[i])
            return &refs[i]->name;
    if (v->azure_file)
        return &v->azure_file->secret_name;
    return v->secret ? &v->secret->secret_name : NULL;
}

static bool in_volume(const struct core_v1_volume_source *v, const struct walk *w)
{
    const struct str *secret = secret_of(v);

    return (!v->projected || in_projection(v->projected, w)) &&
           (!v->config_map ||
            say(w, POD_REFERENCE_CONFIG_MAP, v->config_map->local_object_reference.name)) &&
           (!v->persistent_volume_claim ||
            say(w, POD_REFERENCE_CLAIM, v->persistent_volume_claim->claim_name)) &&
           (!secret || say(w, POD_REFERENCE_SECRET, *secret));
}

void pod_references_each(const struct core_v1_pod *pod, pod_reference_fn *fn, void *arg)
{
    const struct walk w = { fn, arg };

    for (uint32_t i = 0; i < pod->spec.volumes.len; i++)
        if (!in_volume(&pod->spec.volumes.items[i].volume_source, &w))
            return;
    for (uint32_t i = 0; i < pod->spec.image_pull_secrets.len; i++)
        if (!say(&w, POD_REFERENCE_SECRET, pod->spec.image_pull_secrets.items[i].name))
            return;
    (void)in_containers(&pod->spec, &w);
}

struct search {
    enum pod_reference kind;
    bool found;
};

static bool is_sought(enum pod_reference kind, struct str name, void *arg)
{
    struct search *s = arg;

    (void)name;
    s->found |= kind == s->kind;
    return !s->found;
}

static bool names(const struct core_v1_pod *pod, enum pod_reference kind)
{
    struct search s = { .kind = kind };

    pod_references_each(pod, is_sought, &s);
    return s.found;
}

bool pod_references_secrets(const struct core_v1_pod *pod)
{
    return names(pod, POD_REFERENCE_SECRET);
}

bool pod_references_config_maps(const struct core_v1_pod *pod)
{
    return names(pod, POD_REFERENCE_CONFIG_MAP);
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
