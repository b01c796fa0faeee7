/* StorageObjectInUseProtection: claims, volumes and classes of attributes are born with the
 * finalizer that their controller takes off when nobody uses them. */
#include "api/meta_v1.h"
#include "api/resource.h"
#include "apiserver/admission/admission.h"
#include "apiserver/api_request.h"
#include "base/arena.h"

static const struct protection {
    const char *group, *resource, *finalizer;
} protections[] = {
    { "", "persistentvolumes", "kubernetes.io/pv-protection" },
    { "", "persistentvolumeclaims", "kubernetes.io/pvc-protection" },
    { "storage.k8s.io", "volumeattributesclasses", "kubernetes.io/vac-protection" },
};

static void add(struct arena *a, struct meta_v1_object_meta *m, struct str name)
{
    struct str *items = ARENA_NEW_ARRAY(a, struct str, m->finalizers.len + 1);

    for (uint32_t i = 0; i < m->finalizers.len; i++) {
        if (str_eq(m->finalizers.items[i], name))
            return;
        items[i] = m->finalizers.items[i];
    }
    items[m->finalizers.len++] = name;
    m->finalizers.items = items;
}

static bool mutate(const struct admission_call *call, struct status *ret)
{
    const struct api_request *r = call->request;

    (void)ret;
    if (call->operation != ADMISSION_CREATE || r->subresource)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(protections); i++)
        if (str_eq(r->resource->group, str_from_cstr(protections[i].group)) &&
            str_eq(r->resource->name, str_from_cstr(protections[i].resource)))
            add(r->arena, object_meta(call->object), str_from_cstr(protections[i].finalizer));
    return true;
}

const struct admission_plugin storage_protection_plugin = {
    .name = "StorageObjectInUseProtection",
    .mutate = mutate,
};
