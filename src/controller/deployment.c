/* Deployments: a ReplicaSet for each template that there was, sizes that move from the old ones to
 * the new one, revisions, history. What sizes become is decided in deployment_sizes.c. */
#include "api/core_v1.h"
#include "api/label_selector.h"
#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/text_map.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/vec.h"
#include "client/informer.h"
#include "codec/json_writer.h"
#include "controller/deployment_internal.h"
#include "controller/owned_objects.h"
#include "controller/pod_state.h"

static const struct resource *sets_row(void)
{
    return resource_find(STR("apps"), STR("v1"), STR("replicasets"));
}

static const struct resource *deployments_row(void)
{
    return resource_find(STR("apps"), STR("v1"), STR("deployments"));
}

/* --- templates --- */

/* The template as text, without the hash label that we add to a set's. */
static struct str template_text(struct arena *a, const struct core_v1_pod_template_spec *t)
{
    const struct schema_type *type =
        schema_find_type(&schema_builtin, STR(""), STR("v1"), STR("PodTemplateSpec"));
    struct core_v1_pod_template_spec *copy = ARENA_NEW(a, struct core_v1_pod_template_spec);
    struct object o = { .schema = &schema_builtin, .type = type, .data = copy };
    struct schema_str_entry *kept =
        ARENA_NEW_ARRAY(a, struct schema_str_entry, t->metadata.labels.len + 1);
    uint32_t n = 0;
    struct buf b = { 0 };

    *copy = *t;
    for (uint32_t i = 0; i < t->metadata.labels.len; i++)
        if (!str_eq(t->metadata.labels.items[i].key, STR(HASH_LABEL)))
            kept[n++] = t->metadata.labels.items[i];
    copy->metadata.labels.items = kept;
    copy->metadata.labels.len = n;
    buf_init_arena(&b, a, 2048);
    object_json_encode(&b, o, NULL);
    return buf_str(&b);
}

/* Letters and digits that make no words. */
static struct str template_hash(struct arena *a, struct str text, int32_t collisions)
{
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
    uint32_t n = hash_crc32c(hash_crc32c(0, text.p, text.len), &collisions, sizeof(collisions));
    char *p = arena_alloc(a, 10, 1);

    for (int i = 0; i < 10; i++) {
        p[i] = alphabet[n % (sizeof(alphabet) - 1)];
        n = n * 1664525U + 1013904223U; /* spread over all places */
    }
    return str_n(p, 10);
}

/* --- what there is --- */

/* ReplicaSets that match and belong to nobody become the Deployment's, others are let go. True:
 * some will. */
static bool claim_sets(struct rollout *o, const struct label_selector *selector)
{
    struct owned_objects sets;

    owned_claim(
        o->r, &(struct owned_rules){ .row = sets_row(), .owner = o->object, .selector = selector },
        &sets);
    return sets.some_change;
}

static int oldest_first(const void *a, const void *b)
{
    const struct rollout_set *x = a, *y = b;
    int64_t s = x->object->meta->creation_timestamp.sec,
            t = y->object->meta->creation_timestamp.sec;

    if (s != t)
        return s < t ? -1 : 1;
    return str_cmp(x->object->meta->name, y->object->meta->name);
}

static void find_sets(struct rollout *o)
{
    const struct api_object *const *owned;
    size_t n = controller_owned_by(controller_informer(o->r->manager, sets_row()),
                                   o->object->meta->uid, &owned);
    struct str want = template_text(o->r->arena, &o->deployment->spec.template);

    o->sets = ARENA_NEW_ARRAY(o->r->arena, struct rollout_set, n + 1);
    for (size_t i = 0; i < n; i++) {
        const struct apps_v1_replica_set *rs = owned[i]->o.data;

        o->sets[o->n_sets++] = (struct rollout_set){
            .object = owned[i], .set = rs, .size = rs->spec.replicas ? *rs->spec.replicas : 1
        };
    }
    qsort(o->sets, o->n_sets, sizeof(o->sets[0]), oldest_first);
    for (size_t i = 0; i < o->n_sets && !o->new; i++)
        if (str_eq(want, template_text(o->r->arena, &o->sets[i].set->spec.template)))
            o->new = &o->sets[i];
    if (o->new)
        o->new_name = o->new->object->meta->name;
}

static int64_t revision_of(const struct meta_v1_object_meta *m)
{
    const struct schema_str_entry *e = text_map_find(&m->annotations, STR(REVISION_ANNOTATION));
    int64_t n = 0;

    if (e)
        (void)str_to_i64(e->value, &n); /* nonsense counts as 0 */
    return n;
}

static int64_t next_revision(const struct rollout *o)
{
    int64_t most = 0;

    for (size_t i = 0; i < o->n_sets; i++)
        if (&o->sets[i] != o->new)
            most = MAX(most, revision_of(o->sets[i].object->meta));
    return most + 1;
}

/* --- annotations --- */

static bool is_copied(struct str key)
{
    static const struct str not_copied[] = {
        STR_INIT("kubectl.kubernetes.io/last-applied-configuration"),
        STR_INIT(REVISION_ANNOTATION),
        STR_INIT("deployment.kubernetes.io/revision-history"),
        STR_INIT(DESIRED_ANNOTATION),
        STR_INIT(MAX_ANNOTATION),
        STR_INIT("deprecated.deployment.rollback.to"),
    };

    for (size_t i = 0; i < ARRAY_LEN(not_copied); i++)
        if (str_eq(key, not_copied[i]))
            return false;
    return true;
}

/* The annotations that a set of this size has; `of` gets them. */
static void annotate(const struct rollout *o, void *annotations, bool is_new)
{
    struct arena *a = o->r->arena;

    for (uint32_t i = 0; is_new && i < o->object->meta->annotations.len; i++) {
        const struct schema_str_entry *e = &o->object->meta->annotations.items[i];

        if (is_copied(e->key))
            text_map_put(a, annotations, e->key, e->value);
    }
    text_map_put(a, annotations, STR(DESIRED_ANNOTATION), arena_printf(a, "%d", o->replicas));
    text_map_put(a, annotations, STR(MAX_ANNOTATION),
                 arena_printf(a, "%d", o->replicas + o->max_surge));
}

static void set_revision(const struct rollout *o, void *annotations, int64_t revision)
{
    const struct schema_str_entry *had = text_map_find(annotations, STR(REVISION_ANNOTATION));
    int64_t before = 0;

    if (had)
        (void)str_to_i64(had->value, &before);
    if (before >= revision)
        return;
    text_map_put(o->r->arena, annotations, STR(REVISION_ANNOTATION),
                 arena_printf(o->r->arena, "%lld", (long long)revision));
}

/* --- changes --- */

static void event_scaled(struct rollout *o, struct str name, int32_t from, int32_t to)
{
    reconcile_event(o->r, o->object, "Normal", "ScalingReplicaSet",
                    "Scaled %s replica set %.*s from %d to %d", to > from ? "up" : "down",
                    STR_ARG(name), from, to);
}

static void create_new_set(struct rollout *o)
{
    struct arena *a = o->r->arena;
    const struct apps_v1_deployment_spec *spec = &o->deployment->spec;
    const int32_t *collisions = o->deployment->status.collision_count;
    struct str text = template_text(a, &spec->template);
    struct str hash = template_hash(a, text, collisions ? *collisions : 0);
    struct object obj = object_new(a, &schema_builtin, sets_row()->type);
    struct apps_v1_replica_set *rs = obj.data;
    const struct api_object *taken;

    o->new_name = arena_printf(a, "%.*s-%.*s", STR_ARG(o->object->meta->name), STR_ARG(hash));
    taken = informer_get(controller_informer(o->r->manager, sets_row()),
                         controller_key(a, o->r->namespace, o->new_name));
    if (taken) {
        o->collides = true;
        return;
    }
    o->created_new = true;
    o->new_size = rollout_new_set_size(o, 0);
    rs->metadata.name = o->new_name;
    rs->metadata.namespace = o->r->namespace;
    rs->metadata.owner_references.items = ARENA_NEW(a, struct meta_v1_owner_reference);
    rs->metadata.owner_references.items[0] = owner_reference_to(a, o->object);
    rs->metadata.owner_references.len = 1;
    text_map_copy(a, &rs->metadata.labels, &spec->template.metadata.labels);
    text_map_put(a, &rs->metadata.labels, STR(HASH_LABEL), hash);
    annotate(o, &rs->metadata.annotations, true);
    set_revision(o, &rs->metadata.annotations, next_revision(o));
    rs->spec.replicas = ARENA_NEW(a, int32_t);
    *rs->spec.replicas = o->new_size;
    rs->spec.min_ready_seconds = spec->min_ready_seconds;
    rs->spec.selector = ARENA_NEW(a, struct meta_v1_label_selector);
    *rs->spec.selector = *spec->selector;
    text_map_copy(a, &rs->spec.selector->match_labels, &spec->selector->match_labels);
    text_map_put(a, &rs->spec.selector->match_labels, STR(HASH_LABEL), hash);
    rs->spec.template = spec->template;
    text_map_copy(a, &rs->spec.template.metadata.labels, &spec->template.metadata.labels);
    text_map_put(a, &rs->spec.template.metadata.labels, STR(HASH_LABEL), hash);
    reconcile_create(o->r, sets_row(), o->r->namespace, obj);
    event_scaled(o, o->new_name, 0, o->new_size);
}

/* Sets whose size, annotations or minReadySeconds are to be others. */
static void update_sets(struct rollout *o)
{
    for (size_t i = 0; i < o->n_sets; i++) {
        struct rollout_set *s = &o->sets[i];
        struct object copy = object_copy(o->r->arena, s->object->o);
        struct apps_v1_replica_set *rs = copy.data;
        int32_t before = rs->spec.replicas ? *rs->spec.replicas : 1;
        bool is_new = s == o->new;

        if (is_new || s->size || s->size != before)
            annotate(o, &rs->metadata.annotations, is_new);
        if (is_new) {
            set_revision(o, &rs->metadata.annotations, next_revision(o));
            rs->spec.min_ready_seconds = o->deployment->spec.min_ready_seconds;
        }
        if (s->size != before) {
            *rs->spec.replicas = s->size;
            event_scaled(o, s->object->meta->name, before, s->size);
        }
        if (!object_equal(copy, s->object->o))
            reconcile_update(o->r, sets_row(), copy);
    }
}

/* The Deployment bears its newest set's revision; written with its status. */
static void note_revision(struct rollout *o)
{
    int64_t had = revision_of(o->object->meta);

    if (!o->new && !o->created_new)
        return;
    o->revision = next_revision(o);
    if (o->new)
        o->revision = MAX(o->revision, revision_of(o->new->object->meta));
    o->found_new_again = o->new &&had &&revision_of(o->new->object->meta) < o->revision;
}

static int lower_revision_first(const void *a, const void *b)
{
    const struct rollout_set *const *x = a, *const *y = b;
    int64_t r = revision_of((*x)->object->meta), s = revision_of((*y)->object->meta);

    return r < s ? -1 : r > s;
}

static void clean_history(struct rollout *o)
{
    const int32_t *limit = o->deployment->spec.revision_history_limit;
    const struct rollout_set **empty =
        ARENA_NEW_ARRAY(o->r->arena, const struct rollout_set *, o->n_sets + 1);
    size_t n = 0;

    if (!limit || *limit < 0)
        return;
    for (size_t i = 0; i < o->n_sets; i++) {
        const struct rollout_set *s = &o->sets[i];

        if (s != o->new && s->size == 0 && s->set->status.replicas == 0 &&
            s->set->status.observed_generation >= s->object->meta->generation &&
            !s->object->meta->deletion_timestamp.set)
            empty[n++] = s;
    }
    qsort(empty, n, sizeof(empty[0]), lower_revision_first);
    for (size_t i = 0; i + (size_t)*limit < n; i++)
        reconcile_delete(o->r, sets_row(), o->r->namespace, empty[i]->object->meta->name,
                         empty[i]->object->meta->uid, STR_NULL);
}

/* --- reconcile --- */

/* Is the size that the sets were told to add up to another one now? */
static bool is_scaling(const struct rollout *o)
{
    for (size_t i = 0; i < o->n_sets; i++) {
        const struct schema_str_entry *e =
            text_map_find(&o->sets[i].object->meta->annotations, STR(DESIRED_ANNOTATION));
        int64_t desired;

        if (o->sets[i].size && e && str_to_i64(e->value, &desired) && desired != o->replicas)
            return true;
    }
    return false;
}

static bool old_pods_are_running(const struct rollout *o)
{
    const struct informer *pods = controller_informer_of(o->r->manager, "", "v1", "pods");

    for (size_t i = 0; i < o->n_sets; i++) {
        const struct api_object *const *owned;
        size_t n = &o->sets[i] == o->new
                       ? 0
                       : controller_owned_by(pods, o->sets[i].object->meta->uid, &owned);

        for (size_t p = 0; p < n; p++)
            if (!pod_is_finished(owned[p]->o.data))
                return true;
    }
    return false;
}

static void decide(struct rollout *o)
{
    bool running = !rollout_is_rolling(o) && old_pods_are_running(o);

    if (o->deployment->spec.paused || is_scaling(o)) {
        rollout_scale(o);
        return;
    }
    if (!o->new && (rollout_is_rolling(o) || (!running && rollout_total_size(o) == 0)))
        create_new_set(o);
    if (!rollout_is_rolling(o))
        rollout_recreate(o, running);
    else if (!o->created_new)
        rollout_roll(o);
}

static enum reconcile_result reconcile_deployment(struct reconcile *r)
{
    struct rollout o = { .r = r };
    struct label_selector selector;
    struct err err;

    o.object = informer_get(controller_informer(r->manager, deployments_row()), r->key);
    if (!o.object)
        return RECONCILE_DONE;
    o.deployment = o.object->o.data;
    if (label_selector_from_meta(r->arena, o.deployment->spec.selector, &selector, &err) < 0)
        return RECONCILE_DONE;
    if (label_selector_is_empty(&selector)) {
        reconcile_event(r, o.object, "Warning", "SelectingAll",
                        "This deployment is selecting all pods. A non-empty selector is required.");
        return RECONCILE_DONE;
    }
    if (claim_sets(&o, &selector))
        return RECONCILE_DONE; /* the next run sees them */
    rollout_resolve_limits(&o);
    find_sets(&o);
    if (!o.object->meta->deletion_timestamp.set) {
        decide(&o);
        update_sets(&o);
        note_revision(&o);
    }
    rollout_update_status(&o);
    if (rollout_is_complete(&o, &o.deployment->status))
        clean_history(&o);
    return RECONCILE_DONE;
}

static const struct meta_v1_label_selector *selector_of(struct arena *a,
                                                        const struct api_object *deployment)
{
    (void)a;
    return API_OBJECT(deployment, struct apps_v1_deployment)->spec.selector;
}

static void map_set(struct controller_manager *m, const struct controller *c,
                    const struct api_object *old, const struct api_object *new)
{
    owned_map(m, c, deployments_row(), selector_of, old, new);
}

/* A Pod that has gone may be what a Recreate waits for. */
static void map_pod(struct controller_manager *m, const struct controller *c,
                    const struct api_object *old, const struct api_object *new)
{
    const struct api_object *pod = new ? new : old, *const *sets;
    size_t n;

    if (new &&pod_is_active(new))
        return;
    n = controller_in_namespace(controller_informer(m, sets_row()), pod->meta->namespace, &sets);
    for (size_t i = 0; i < n; i++)
        if (pod->meta->owner_references.len &&
            str_eq(pod->meta->owner_references.items[0].uid, sets[i]->meta->uid))
            controller_enqueue_owner(m, c, sets[i], STR("Deployment"));
}

static const struct controller_watch watches[] = {
    { "apps", "v1", "deployments", controller_map_self },
    { "apps", "v1", "replicasets", map_set },
    { "", "v1", "pods", map_pod },
    { 0 },
};

const struct controller deployment_controller = {
    .name = "deployment",
    .watches = watches,
    .reconcile = reconcile_deployment,
};
