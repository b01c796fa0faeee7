/* DefaultStorageClass and DefaultIngressClass: who names no class gets the one that is annotated as
 * the default; of several the newest, of these the first by name. PersistentVolumeClaimResize: a
 * claim grows only where its class allows that. */
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/networking_v1.h"
#include "api/quantity.h"
#include "api/resource.h"
#include "api/storage_v1.h"
#include "api/text_map.h"
#include "apiserver/admission/admission.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/registry/stored_read.h"
#include "apiserver/status_response.h"
#include "base/err.h"

struct search {
    struct str annotations[2]; /* either, set to "true", makes a default */
    const struct meta_v1_object_meta *best;
};

static bool is_better(const struct meta_v1_object_meta *m, const struct meta_v1_object_meta *best)
{
    if (!best || m->creation_timestamp.sec != best->creation_timestamp.sec)
        return !best || m->creation_timestamp.sec > best->creation_timestamp.sec;
    return str_cmp(m->name, best->name) < 0;
}

static int look(struct object o, void *arg)
{
    struct search *s = arg;
    const struct meta_v1_object_meta *m = object_meta(o);

    for (size_t i = 0; i < ARRAY_LEN(s->annotations); i++) {
        const struct schema_str_entry *e = text_map_find(&m->annotations, s->annotations[i]);

        if (e && str_eq(e->value, STR("true")) && is_better(m, s->best)) {
            s->best = m;
            break;
        }
    }
    return 0;
}

/* Sets *class when there is a default; false: *ret is the answer. */
static bool fill_in(const struct admission_call *call, const struct resource *row, struct search *s,
                    struct str *class, struct status *ret)
{
    struct api_request *r = call->request;
    const struct stored_reader reader = { &r->server->registry, call->snapshot, r->arena };
    struct err err;
    int rc = stored_read_each(&reader, row, STR(""), look, s, &err);

    if (rc < 0) {
        *ret = status_of_store(r->arena, rc, &err);
        return false;
    }
    if (s->best)
        *class = s->best->name;
    return true;
}

static bool is_create_of(const struct admission_call *call, struct str group, struct str resource)
{
    const struct api_request *r = call->request;

    return call->operation == ADMISSION_CREATE && !r->subresource &&
           str_eq(r->resource->group, group) && str_eq(r->resource->name, resource);
}

static bool storage_mutate(const struct admission_call *call, struct status *ret)
{
    struct core_v1_persistent_volume_claim *p = call->object.data;
    struct search s = { { STR("storageclass.kubernetes.io/is-default-class"),
                          STR("storageclass.beta.kubernetes.io/is-default-class") },
                        NULL };

    if (!is_create_of(call, STR(""), STR("persistentvolumeclaims")) ||
        p->spec.storage_class_name.p ||
        text_map_find(&p->metadata.annotations, STR("volume.beta.kubernetes.io/storage-class")))
        return true;
    return fill_in(call, stored_read_row(STR("storage.k8s.io"), STR("storageclasses")), &s,
                   &p->spec.storage_class_name, ret);
}

static bool ingress_mutate(const struct admission_call *call, struct status *ret)
{
    struct networking_v1_ingress *i = call->object.data;
    struct search s = { { STR("ingressclass.kubernetes.io/is-default-class") }, NULL };

    if (!is_create_of(call, STR("networking.k8s.io"), STR("ingresses")) ||
        i->spec.ingress_class_name.p ||
        text_map_find(&i->metadata.annotations, STR("kubernetes.io/ingress.class")))
        return true;
    return fill_in(call, stored_read_row(STR("networking.k8s.io"), STR("ingressclasses")), &s,
                   &i->spec.ingress_class_name, ret);
}

const struct admission_plugin default_storage_class_plugin = {
    .name = "DefaultStorageClass",
    .mutate = storage_mutate,
};

const struct admission_plugin default_ingress_class_plugin = {
    .name = "DefaultIngressClass",
    .mutate = ingress_mutate,
};

/* --- PersistentVolumeClaimResize --- */

static int find_expandable(struct object o, void *arg)
{
    const struct storage_v1_storage_class *c = o.data;
    struct str *name = arg;

    if (str_eq(c->metadata.name, *name) && c->allow_volume_expansion && *c->allow_volume_expansion)
        return 1;
    return 0;
}

static bool may_grow(const struct admission_call *call, struct str class)
{
    struct api_request *r = call->request;
    const struct stored_reader reader = { &r->server->registry, call->snapshot, r->arena };
    struct err err;

    return class.len &&
           stored_read_each(&reader, stored_read_row(STR("storage.k8s.io"), STR("storageclasses")),
                            STR(""), find_expandable, &class, &err) > 0;
}

static struct quantity size_of(const struct core_v1_persistent_volume_claim *p)
{
    const struct schema_str_entry *e = text_map_find(&p->spec.resources.requests, STR("storage"));
    struct quantity q = { 0 };

    if (e)
        (void)quantity_parse(e->value, &q); /* validation refuses what is none */
    return q;
}

static bool resize_validate(const struct admission_call *call, struct status *ret)
{
    const struct core_v1_persistent_volume_claim *p = call->object.data, *old = call->old.data;
    const struct api_request *r = call->request;
    const char *why;

    if (call->operation != ADMISSION_UPDATE || r->subresource || r->resource->group.len ||
        !str_eq(r->resource->name, STR("persistentvolumeclaims")) ||
        quantity_compare(size_of(p), size_of(old)) <= 0)
        return true;
    if (!str_eq(old->status.phase, STR("Bound")))
        why = "Only bound persistent volume claims can be expanded";
    else if (!may_grow(call, old->spec.storage_class_name))
        why =
            "only dynamically provisioned pvc can be resized and the storageclass that provisions "
            "the pvc must support resize";
    else
        return true;
    *ret = status_forbidden(r->arena,
                            (struct group_resource){ STR(""), STR("persistentvolumeclaims") },
                            call->name, "%s", why);
    return false;
}

const struct admission_plugin claim_resize_plugin = {
    .name = "PersistentVolumeClaimResize",
    .validate = resize_validate,
};
