#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "base/vec.h"
#include "client/api_object.h"
#include "kubelet/image/image_auth.h"
#include "kubelet/kubelet_internal.h"
#include "kubelet/object_cache.h"

void pod_pull_retain(struct pod_worker *w)
{
    const struct core_v1_pod *pod = pod_worker_spec(w);

    for (uint32_t i = 0; i < pod->spec.image_pull_secrets.len; i++)
        object_cache_retain(w->k->secrets, w->uid, pod->metadata.namespace,
                            pod->spec.image_pull_secrets.items[i].name);
}

static struct str datum(const struct core_v1_secret *s, struct str key)
{
    for (uint32_t i = 0; i < s->data.len; i++)
        if (str_eq(s->data.items[i].key, key))
            return s->data.items[i].value;
    return STR_NULL;
}

/* Missing Secrets are passed over, as upstream does; an Event tells. */
int pod_pull_auths(struct arena *a, struct pod_worker *w, struct str image,
                   struct runtime_auth *ret, size_t max, size_t *ret_n)
{
    const struct core_v1_pod *pod = pod_worker_spec(w);
    struct image_auth_config *configs =
        ARENA_NEW_ARRAY(a, struct image_auth_config, pod->spec.image_pull_secrets.len);
    size_t n = 0;
    struct err err;

    for (uint32_t i = 0; i < pod->spec.image_pull_secrets.len; i++) {
        struct str name = pod->spec.image_pull_secrets.items[i].name;
        const struct api_object *o;
        const struct core_v1_secret *s;
        int r = object_cache_get(w->k->secrets, pod->metadata.namespace, name, &o, &err);

        if (r == ERR_AGAIN)
            return r;
        if (r < 0) {
            pod_worker_event(w, STR_NULL, "Warning", "FailedToRetrieveImagePullSecret",
                             "Unable to retrieve some image pull secrets (%.*s); attempting to "
                             "pull the image may not succeed.",
                             STR_ARG(name));
            continue;
        }
        s = API_OBJECT(o, struct core_v1_secret);
        configs[n].is_legacy = str_eq(s->type, STR("kubernetes.io/dockercfg"));
        configs[n].text =
            datum(s, configs[n].is_legacy ? STR(".dockercfg") : STR(".dockerconfigjson"));
        n++;
    }
    *ret_n = image_auth_find(a, configs, n, image, ret, max);
    return 0;
}
