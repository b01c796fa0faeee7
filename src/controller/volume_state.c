#include "controller/volume_state.h"
#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/quantity.h"
#include "api/schema.h"
#include "api/text_map.h"
#include "api/volume_match.h"
#include "base/arena.h"

#define PRE_RESIZE_CAPACITY "volume.alpha.kubernetes.io/pre-resize-capacity"
#define IN_TREE             "kubernetes.io/"
#define IN_TREE_FINALIZER   "kubernetes.io/pv-controller"
#define EXTERNAL_FINALIZER  "external-provisioner.volume.kubernetes.io/finalizer"

void volume_state_refer(struct arena *a, struct core_v1_persistent_volume *v,
                        const struct core_v1_persistent_volume_claim *c)
{
    const struct core_v1_object_reference *old = v->spec.claim_ref;
    struct core_v1_object_reference *ref;

    if (!volume_is_for(v, c))
        text_map_put(a, &v->metadata.annotations, STR(VOLUME_BOUND_BY_CONTROLLER), STR("yes"));
    if (old && str_eq(old->name, c->metadata.name) &&
        str_eq(old->namespace, c->metadata.namespace) && str_eq(old->uid, c->metadata.uid))
        return;
    ref = ARENA_NEW(a, struct core_v1_object_reference);
    ref->kind = STR("PersistentVolumeClaim");
    ref->api_version = STR("v1");
    ref->namespace = c->metadata.namespace;
    ref->name = c->metadata.name;
    ref->uid = c->metadata.uid;
    ref->resource_version = c->metadata.resource_version;
    v->spec.claim_ref = ref;
}

static void drop_annotation(struct arena *a, struct meta_v1_object_meta *m, struct str key)
{
    struct schema_str_entry *kept = ARENA_NEW_ARRAY(a, struct schema_str_entry, m->annotations.len);
    uint32_t n = 0;

    for (uint32_t i = 0; i < m->annotations.len; i++)
        if (!str_eq(m->annotations.items[i].key, key))
            kept[n++] = m->annotations.items[i];
    m->annotations.items = n ? kept : NULL;
    m->annotations.len = n;
}

void volume_state_let_go(struct arena *a, struct core_v1_persistent_volume *v)
{
    struct core_v1_object_reference *ref;

    if (!v->spec.claim_ref)
        return;
    if (text_map_find(&v->metadata.annotations, STR(VOLUME_BOUND_BY_CONTROLLER))) {
        v->spec.claim_ref = NULL;
        drop_annotation(a, &v->metadata, STR(VOLUME_BOUND_BY_CONTROLLER));
        return;
    }
    ref = arena_dup(a, v->spec.claim_ref, sizeof(*ref));
    ref->uid = STR_NULL;
    v->spec.claim_ref = ref;
}

/* --- a claim's status --- */

/* While the file system is yet to grow, what was there before is what the claim has. */
static void set_capacity(struct arena *a, struct core_v1_persistent_volume_claim_status *s,
                         const struct core_v1_persistent_volume *v)
{
    const struct schema_str_entry *before =
        text_map_find(&v->metadata.annotations, STR(PRE_RESIZE_CAPACITY));
    struct quantity q;
    struct str text;

    if (!before) {
        text_map_copy(a, &s->capacity, &v->spec.capacity);
        return;
    }
    text = before->value;
    if (!quantity_parse(text, &q)) {
        const struct schema_str_entry *e = text_map_find(&v->spec.capacity, STR("storage"));

        text = e ? e->value : STR("0");
    }
    text_map_put(a, &s->capacity, STR("storage"), text);
}

void volume_state_claim_status(struct arena *a, struct core_v1_persistent_volume_claim *c,
                               struct str phase, const struct core_v1_persistent_volume *v)
{
    struct core_v1_persistent_volume_claim_status *s = &c->status;
    struct str was = s->phase;

    s->phase = phase;
    if (!v) {
        s->access_modes.items = NULL;
        s->access_modes.len = 0;
        s->capacity.items = NULL;
        s->capacity.len = 0;
        s->current_volume_attributes_class_name = STR_NULL;
        return;
    }
    s->access_modes.items = v->spec.access_modes.items;
    s->access_modes.len = v->spec.access_modes.len;
    /* Once bound, sizes differ where that is meant. */
    if (!str_eq(was, phase))
        set_capacity(a, s, v);
    if (str_eq(was, STR("Pending")) && str_eq(phase, STR("Bound")))
        s->current_volume_attributes_class_name = v->spec.volume_attributes_class_name;
}

/* --- the end of a volume --- */

struct str volume_state_deleter(struct arena *a, const struct core_v1_persistent_volume *v)
{
    const struct schema_str_entry *by =
        text_map_find(&v->metadata.annotations, STR(VOLUME_PROVISIONED_BY));
    struct str name = by ? by->value : STR_NULL;

    if (name.len && str_has_prefix(name, STR(IN_TREE)))
        return arena_printf(a, "no volume plugin matched name: %.*s", STR_ARG(name));
    if (name.len || v->spec.persistent_volume_source.csi)
        return STR_NULL;
    if (v->spec.persistent_volume_source.host_path)
        return arena_printf(a, "host_path deleter only supports /tmp/.+ but received provided %.*s",
                            STR_ARG(v->spec.persistent_volume_source.host_path->path));
    return arena_printf(
        a, "error getting deleter volume plugin for volume \"%.*s\": no %svolume plugin matched",
        STR_ARG(v->metadata.name), v->spec.persistent_volume_source.nfs ? "deletable " : "");
}

bool volume_state_has_finalizer(const struct meta_v1_object_meta *m, struct str name)
{
    for (uint32_t i = 0; i < m->finalizers.len; i++)
        if (str_eq(m->finalizers.items[i], name))
            return true;
    return false;
}

void volume_state_set_finalizer(struct arena *a, struct meta_v1_object_meta *m, struct str name,
                                bool is_wanted)
{
    struct str *items;
    uint32_t n = 0;

    if (volume_state_has_finalizer(m, name) == is_wanted)
        return;
    items = ARENA_NEW_ARRAY(a, struct str, m->finalizers.len + 1);
    for (uint32_t i = 0; i < m->finalizers.len; i++)
        if (!str_eq(m->finalizers.items[i], name))
            items[n++] = m->finalizers.items[i];
    if (is_wanted)
        items[n++] = name;
    m->finalizers.items = n ? items : NULL;
    m->finalizers.len = n;
}

void volume_state_protect(struct arena *a, struct core_v1_persistent_volume *v)
{
    const struct schema_str_entry *by =
        text_map_find(&v->metadata.annotations, STR(VOLUME_PROVISIONED_BY));
    struct meta_v1_object_meta *m = &v->metadata;

    if (!by || !str_has_prefix(by->value, STR(IN_TREE)))
        return;
    volume_state_set_finalizer(a, m, STR(EXTERNAL_FINALIZER), false);
    if (str_eq(v->spec.persistent_volume_reclaim_policy, STR("Delete"))) {
        if (!m->deletion_timestamp.set)
            volume_state_set_finalizer(a, m, STR(IN_TREE_FINALIZER), true);
    } else {
        volume_state_set_finalizer(a, m, STR(IN_TREE_FINALIZER), false);
    }
}
