/* A StatefulSet's Pods and claims: names, numbers, labels, volumes. Nothing here talks to anybody.
 */
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "controller/pod_state.h"
#include "controller/stateful_set_internal.h"

#define NAME_LABEL  STR("statefulset.kubernetes.io/pod-name")
#define INDEX_LABEL STR("apps.kubernetes.io/pod-index")

/* --- which is which --- */

int64_t stateful_ordinal(struct str set, struct str pod)
{
    ptrdiff_t dash = str_rfind(pod, '-');
    struct str digits = dash < 0 ? STR_NULL : str_tail(pod, (size_t)dash + 1);
    uint64_t n;

    if (dash < 0 || !str_eq(str_sub(pod, 0, (size_t)dash), set) || !str_to_u64(digits, &n) ||
        n > INT32_MAX || (digits.len > 1 && digits.p[0] == '0'))
        return -1;
    return (int64_t)n;
}

static int lower_first(const void *a, const void *b)
{
    const struct stateful_slot *x = a, *y = b;

    return x->ordinal < y->ordinal ? -1 : x->ordinal > y->ordinal;
}

static int higher_first(const void *a, const void *b)
{
    return lower_first(b, a);
}

static struct str name_of(const struct stateful_run *s, int64_t ordinal)
{
    return arena_printf(s->arena, "%.*s-%lld", STR_ARG(s->object->meta->name), (long long)ordinal);
}

/* The slots of the Pods that are there, and between and behind them the empty ones, while these are
 * not too many. */
static void fill_gaps(struct stateful_run *s, const struct stateful_slot *found, size_t n_found)
{
    int64_t at = stateful_start(s->set), end = at + stateful_replicas(s->set);
    size_t missing = 0;

    for (size_t i = 0; i <= n_found; i++) {
        int64_t next = i < n_found ? found[i].ordinal : end;

        for (; at < next && missing < STATEFUL_MISSING_MAX; at++, missing++)
            s->slots[s->n_slots++] =
                (struct stateful_slot){ .ordinal = at, .name = name_of(s, at) };
        s->is_cut |= at < next;
        if (i < n_found)
            s->slots[s->n_slots++] = found[i];
        at = next + 1;
    }
}

void stateful_gather(struct stateful_run *s, const struct api_object *const *pods, size_t n_pods)
{
    int64_t start = stateful_start(s->set), end = start + stateful_replicas(s->set);
    struct stateful_slot *found = ARENA_NEW_ARRAY(s->arena, struct stateful_slot, n_pods + 1);
    size_t n_found = 0;

    s->slots = ARENA_NEW_ARRAY(s->arena, struct stateful_slot, n_pods + STATEFUL_MISSING_MAX + 1);
    s->condemned = ARENA_NEW_ARRAY(s->arena, struct stateful_slot, n_pods + 1);
    for (size_t i = 0; i < n_pods; i++) {
        struct stateful_slot slot = {
            .ordinal = stateful_ordinal(s->object->meta->name, pods[i]->meta->name),
            .name = pods[i]->meta->name,
            .pod = pods[i],
        };

        if (slot.ordinal >= start && slot.ordinal < end)
            found[n_found++] = slot;
        else if (slot.ordinal >= 0)
            s->condemned[s->n_condemned++] = slot;
    }
    if (n_found)
        qsort(found, n_found, sizeof(found[0]), lower_first);
    if (s->n_condemned)
        qsort(s->condemned, s->n_condemned, sizeof(s->condemned[0]), higher_first);
    fill_gaps(s, found, n_found);
}

/* --- claims --- */

struct str stateful_claim_name(const struct stateful_run *s, size_t claim, int64_t ordinal)
{
    return arena_printf(s->arena, "%.*s-%.*s-%lld",
                        STR_ARG(s->set->spec.volume_claim_templates.items[claim].metadata.name),
                        STR_ARG(s->object->meta->name), (long long)ordinal);
}

struct object stateful_claim(const struct stateful_run *s, size_t claim, int64_t ordinal)
{
    struct object o =
        object_new(s->arena, &schema_builtin,
                   resource_find(STR(""), STR("v1"), STR("persistentvolumeclaims"))->type);
    struct core_v1_persistent_volume_claim *c = o.data;
    const struct meta_v1_label_selector *selector = s->set->spec.selector;

    *c = s->set->spec.volume_claim_templates.items[claim];
    c->metadata.name = stateful_claim_name(s, claim, ordinal);
    c->metadata.namespace = s->object->meta->namespace;
    text_map_copy(s->arena, &c->metadata.labels,
                  &s->set->spec.volume_claim_templates.items[claim].metadata.labels);
    for (uint32_t i = 0; selector && i < selector->match_labels.len; i++)
        text_map_put(s->arena, &c->metadata.labels, selector->match_labels.items[i].key,
                     selector->match_labels.items[i].value);
    return o;
}

static const struct core_v1_volume *volume_of(const struct core_v1_pod_spec *spec, struct str name)
{
    for (uint32_t i = 0; i < spec->volumes.len; i++)
        if (str_eq(spec->volumes.items[i].name, name))
            return &spec->volumes.items[i];
    return NULL;
}

/* A volume for each claim, in the place of the template's of the same name. */
static void set_volumes(const struct stateful_run *s, int64_t ordinal,
                        struct core_v1_pod_spec *spec)
{
    size_t n_claims = s->set->spec.volume_claim_templates.len, n = 0;
    struct core_v1_volume *volumes =
        ARENA_NEW_ARRAY(s->arena, struct core_v1_volume, n_claims + spec->volumes.len + 1);

    for (size_t i = 0; i < n_claims; i++) {
        struct core_v1_persistent_volume_claim_volume_source *source =
            ARENA_NEW(s->arena, struct core_v1_persistent_volume_claim_volume_source);

        source->claim_name = stateful_claim_name(s, i, ordinal);
        volumes[n].name = s->set->spec.volume_claim_templates.items[i].metadata.name;
        volumes[n++].volume_source.persistent_volume_claim = source;
    }
    for (uint32_t i = 0; i < spec->volumes.len; i++) {
        bool is_ours = false;

        for (size_t k = 0; k < n_claims && !is_ours; k++)
            is_ours = str_eq(volumes[k].name, spec->volumes.items[i].name);
        if (!is_ours)
            volumes[n++] = spec->volumes.items[i];
    }
    spec->volumes.items = volumes;
    spec->volumes.len = (uint32_t)n;
}

/* --- Pods --- */

/* Those below the partition stay with the old template. */
bool stateful_is_of_update(const struct stateful_run *s, const struct stateful_slot *slot)
{
    const struct apps_v1_stateful_set_update_strategy *u = &s->set->spec.update_strategy;
    int64_t index = slot->ordinal - stateful_start(s->set);

    if (u->rolling_update)
        return index >= (u->rolling_update->partition ? *u->rolling_update->partition : 0);
    return !str_eq(u->type, STR("RollingUpdate")) || index >= s->set->status.current_replicas;
}

static void set_identity(const struct stateful_run *s, const struct stateful_slot *slot,
                         struct core_v1_pod *pod)
{
    text_map_put(s->arena, &pod->metadata.labels, NAME_LABEL, slot->name);
    text_map_put(s->arena, &pod->metadata.labels, INDEX_LABEL,
                 arena_printf(s->arena, "%lld", (long long)slot->ordinal));
}

struct object stateful_pod(const struct stateful_run *s, const struct stateful_slot *slot)
{
    bool is_new = stateful_is_of_update(s, slot);
    const struct core_v1_pod_template_spec *t =
        is_new ? &s->set->spec.template : s->current_template;
    struct object o = pod_from_template(
        s->arena, t, s->object->meta->namespace,
        arena_printf(s->arena, "%.*s-", STR_ARG(s->object->meta->name)), s->object);
    struct core_v1_pod *pod = o.data;

    pod->metadata.name = slot->name;
    text_map_copy(s->arena, &pod->metadata.labels, &t->metadata.labels);
    set_identity(s, slot, pod);
    text_map_put(s->arena, &pod->metadata.labels, STR(STATEFUL_REVISION_LABEL),
                 is_new ? s->update : s->current);
    pod->spec.hostname = slot->name;
    pod->spec.subdomain = s->set->spec.service_name;
    set_volumes(s, slot->ordinal, &pod->spec);
    return o;
}

bool stateful_identity_is_right(const struct stateful_slot *slot)
{
    const struct schema_str_entry *name = text_map_find(&slot->pod->meta->labels, NAME_LABEL);

    return name && str_eq(name->value, slot->name);
}

bool stateful_storage_is_right(const struct stateful_run *s, const struct stateful_slot *slot)
{
    const struct core_v1_pod *pod = slot->pod->o.data;

    for (size_t i = 0; i < s->set->spec.volume_claim_templates.len; i++) {
        const struct core_v1_volume *v =
            volume_of(&pod->spec, s->set->spec.volume_claim_templates.items[i].metadata.name);

        if (!v || !v->volume_source.persistent_volume_claim ||
            !str_eq(v->volume_source.persistent_volume_claim->claim_name,
                    stateful_claim_name(s, i, slot->ordinal)))
            return false;
    }
    return true;
}

struct object stateful_repaired(const struct stateful_run *s, const struct stateful_slot *slot)
{
    struct object o = object_copy(s->arena, slot->pod->o);
    struct core_v1_pod *pod = o.data;

    set_identity(s, slot, pod);
    if (!stateful_storage_is_right(s, slot))
        set_volumes(s, slot->ordinal, &pod->spec);
    return o;
}

struct str stateful_revision_of(const struct api_object *pod)
{
    const struct schema_str_entry *e =
        text_map_find(&pod->meta->labels, STR(STATEFUL_REVISION_LABEL));

    return e ? e->value : STR_NULL;
}
