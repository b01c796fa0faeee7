/* Garbage collection by owner references. An object whose owners are all gone is deleted; an owner
 * that is deleted in the foreground waits for the dependents that block it; one that orphans lets
 * its dependents go first. The caches of all resources are the graph: dependents are found by an
 * index of owners' uids. That an owner is absent is believed only from the server, because caches
 * of two resources are not of one moment.
 *
 * A key is "ROW/NAMESPACE/NAME", ROW being a place in resource_table, or one in custom_rows after
 * those. */
#include "api/meta_v1.h"
#include "api/resource.h"
#include "base/buf.h"
#include "base/err.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "codec/json_writer.h"
#include "controller/controller.h"
#include "controller/custom_rows.h"

#define FOREGROUND "foregroundDeletion"
#define ORPHAN     "orphan"

const struct controller garbage_collector_controller;

typedef const struct meta_v1_owner_reference owner_reference;

static bool is_collected(const struct resource *row)
{
    const unsigned needed = RESOURCE_VERB_DELETE | RESOURCE_VERB_LIST | RESOURCE_VERB_WATCH;

    return (row->flags & RESOURCE_SERVED) && resource_is_stored(row) &&
           (row->verbs & needed) == needed && !(row->flags & RESOURCE_NO_GC) &&
           !str_eq(row->name, STR("events")) &&
           resource_find(row->group, row->version, row->name) == row;
}

/* Rows that show the same objects are watched once: the first. */
static bool is_first_of_its_storage(const struct resource *row)
{
    for (const struct resource *r = resource_table; r < row; r++)
        if (is_collected(r) && resource_storage_index(r) == resource_storage_index(row))
            return false;
    return true;
}

static bool is_watched(const struct resource *row)
{
    return is_collected(row) && is_first_of_its_storage(row);
}

/* All rows that are watched, by their places in keys; NULL where there is none. */
static size_t row_count(const struct controller_manager *m)
{
    return resource_table_len + custom_rows_len(m);
}

static const struct resource *row_at(const struct controller_manager *m, size_t i)
{
    if (i >= resource_table_len)
        return custom_rows_at(m, i - resource_table_len);
    return is_watched(&resource_table[i]) ? &resource_table[i] : NULL;
}

static size_t place_of(const struct controller_manager *m, const struct resource *row)
{
    size_t n = row_count(m), i = resource_table_len;

    if (row >= resource_table && row < resource_table + resource_table_len)
        return (size_t)(row - resource_table);
    while (i < n && row_at(m, i) != row)
        i++;
    return i;
}

static const struct resource *custom_row(const struct controller_manager *m, struct str group,
                                         struct str kind)
{
    for (size_t i = 0; i < custom_rows_len(m); i++) {
        const struct resource *row = custom_rows_at(m, i);

        if (row && str_eq(row->group, group) && str_eq(row->kind, kind))
            return row;
    }
    return NULL;
}

static void enqueue(struct controller_manager *m, const struct resource *row, struct str namespace,
                    struct str name)
{
    CLEANUP(arena_done) struct arena a = { 0 };

    controller_enqueue(
        m, &garbage_collector_controller,
        arena_printf(&a, "%zu/%.*s/%.*s", place_of(m, row), STR_ARG(namespace), STR_ARG(name)));
}

static bool has_finalizer(const struct api_object *o, const char *name)
{
    for (uint32_t i = 0; i < o->meta->finalizers.len; i++)
        if (str_eq(o->meta->finalizers.items[i], str_from_cstr(name)))
            return true;
    return false;
}

/* The watched row whose objects an owner reference may name; NULL: a kind that we do not know. */
static const struct resource *row_of_owner(const struct controller_manager *m, owner_reference *ref)
{
    struct str group, version;
    const struct resource *row;

    if (!str_cut(ref->api_version, '/', &group, &version)) {
        version = group;
        group = STR("");
    }
    row = resource_find_kind(group, version, ref->kind);
    for (const struct resource *r = resource_table; row && r < resource_table + resource_table_len;
         r++)
        if (is_watched(r) && resource_storage_index(r) == resource_storage_index(row))
            return r;
    return row ? NULL : custom_row(m, group, ref->kind);
}

static struct str owner_namespace(const struct api_object *o, const struct resource *row)
{
    return resource_is_namespaced(row) ? o->meta->namespace : STR("");
}

/* --- dependents --- */

typedef void visit_fn(struct controller_manager *m, const struct resource *row,
                      const struct api_object *dependent, void *arg);

static void visit_dependents(struct controller_manager *m, struct str uid, visit_fn *visit,
                             void *arg)
{
    for (size_t i = 0; i < row_count(m); i++) {
        const struct resource *row = row_at(m, i);
        const struct informer *informer = row ? controller_informer(m, row) : NULL;
        const struct api_object *const *found;
        size_t n = informer ? controller_dependents(informer, uid, &found) : 0;

        for (size_t k = 0; k < n; k++)
            visit(m, row, found[k], arg);
    }
}

static void enqueue_dependent(struct controller_manager *m, const struct resource *row,
                              const struct api_object *dependent, void *arg)
{
    (void)arg;
    enqueue(m, row, dependent->meta->namespace, dependent->meta->name);
}

static const struct resource *row_of(const struct controller_manager *m, const struct api_object *o)
{
    struct str group, version, api_version = object_api_version(o->o);
    const struct resource *row;

    if (!str_cut(api_version, '/', &group, &version)) {
        version = group;
        group = STR("");
    }
    row = resource_find_kind(group, version, object_kind(o->o));
    if (!row)
        return custom_row(m, group, object_kind(o->o));
    return is_watched(row) ? row : NULL;
}

/* --- events --- */

static bool refs_differ(const struct api_object *a, const struct api_object *b)
{
    if (a->meta->owner_references.len != b->meta->owner_references.len)
        return true;
    for (uint32_t i = 0; i < a->meta->owner_references.len; i++)
        if (!str_eq(a->meta->owner_references.items[i].uid, b->meta->owner_references.items[i].uid))
            return true;
    return false;
}

static bool blocks(const struct api_object *o, struct str owner_uid)
{
    for (uint32_t i = 0; i < o->meta->owner_references.len; i++) {
        owner_reference *ref = &o->meta->owner_references.items[i];

        if (str_eq(ref->uid, owner_uid) && ref->block_owner_deletion && *ref->block_owner_deletion)
            return true;
    }
    return false;
}

/* Owners that the object keeps from going no longer. */
static void enqueue_unblocked(struct controller_manager *m, const struct api_object *old,
                              const struct api_object *new)
{
    for (uint32_t i = 0; i < old->meta->owner_references.len; i++) {
        owner_reference *ref = &old->meta->owner_references.items[i];
        const struct resource *row = row_of_owner(m, ref);

        if (row && blocks(old, ref->uid) && !blocks(new, ref->uid))
            enqueue(m, row, owner_namespace(old, row), ref->name);
    }
}

static void enqueue_owners(struct controller_manager *m, const struct api_object *o)
{
    for (uint32_t i = 0; i < o->meta->owner_references.len; i++) {
        owner_reference *ref = &o->meta->owner_references.items[i];
        const struct resource *row = row_of_owner(m, ref);

        if (row)
            enqueue(m, row, owner_namespace(o, row), ref->name);
    }
}

static void map_any(struct controller_manager *m, const struct controller *c,
                    const struct api_object *old, const struct api_object *new)
{
    const struct api_object *o = new ? new : old;
    const struct resource *row = row_of(m, o);

    (void)c;
    if (!row)
        return;
    if (!new) {
        visit_dependents(m, old->meta->uid, enqueue_dependent, NULL);
        enqueue_owners(m, old);
        return;
    }
    if (old)
        enqueue_unblocked(m, old, new);
    if (new->meta->deletion_timestamp.set &&
        (has_finalizer(new, FOREGROUND) || has_finalizer(new, ORPHAN)))
        enqueue(m, row, new->meta->namespace, new->meta->name);
    else if (new->meta->owner_references.len && (!old || refs_differ(old, new)))
        enqueue(m, row, new->meta->namespace, new->meta->name);
}

/* --- changes --- */

/* The object's references but those that are dropped (NULL: none), as a patch. Without blocks: none
 * of them keeps its owner from going. */
static void patch_references(struct reconcile *r, const struct resource *row,
                             const struct api_object *o, const bool *drop, bool with_blocks)
{
    struct buf b = { 0 };
    bool first = true;

    buf_init_arena(&b, r->arena, 512);
    buf_append_lit(&b, "{\"metadata\":{\"uid\":");
    json_write_string(&b, o->meta->uid);
    buf_append_lit(&b, ",\"ownerReferences\":[");
    for (uint32_t i = 0; i < o->meta->owner_references.len; i++) {
        owner_reference *ref = &o->meta->owner_references.items[i];

        if (drop && drop[i])
            continue;
        buf_printf(&b, "%s{\"apiVersion\":", first ? "" : ",");
        json_write_string(&b, ref->api_version);
        buf_append_lit(&b, ",\"kind\":");
        json_write_string(&b, ref->kind);
        buf_append_lit(&b, ",\"name\":");
        json_write_string(&b, ref->name);
        buf_append_lit(&b, ",\"uid\":");
        json_write_string(&b, ref->uid);
        if (ref->controller)
            buf_printf(&b, ",\"controller\":%s", *ref->controller ? "true" : "false");
        if (ref->block_owner_deletion)
            buf_printf(&b, ",\"blockOwnerDeletion\":%s",
                       *ref->block_owner_deletion && with_blocks ? "true" : "false");
        buf_append_char(&b, '}');
        first = false;
    }
    buf_append_lit(&b, "]}}");
    reconcile_patch(r, row, o->meta->namespace, o->meta->name, buf_str(&b));
}

/* Only as it was seen: somebody else may change the list meanwhile. */
static void drop_finalizer(struct reconcile *r, const struct resource *row,
                           const struct api_object *o, const char *name)
{
    struct buf b = { 0 };
    bool first = true;

    buf_init_arena(&b, r->arena, 256);
    buf_append_lit(&b, "{\"metadata\":{\"resourceVersion\":");
    json_write_string(&b, o->meta->resource_version);
    buf_append_lit(&b, ",\"finalizers\":[");
    for (uint32_t i = 0; i < o->meta->finalizers.len; i++) {
        if (str_eq(o->meta->finalizers.items[i], str_from_cstr(name)))
            continue;
        buf_append_str(&b, first ? STR("") : STR(","));
        json_write_string(&b, o->meta->finalizers.items[i]);
        first = false;
    }
    buf_append_lit(&b, "]}}");
    reconcile_patch(r, row, o->meta->namespace, o->meta->name, buf_str(&b));
}

/* --- an owner on its way out --- */

struct owner_visit {
    struct reconcile *r;
    struct str uid;
    size_t n_blocking;
};

static void orphan_dependent(struct controller_manager *m, const struct resource *row,
                             const struct api_object *d, void *arg)
{
    struct owner_visit *v = arg;
    bool *drop = ARENA_NEW_ARRAY(v->r->arena, bool, d->meta->owner_references.len + 1);

    (void)m;
    for (uint32_t i = 0; i < d->meta->owner_references.len; i++)
        drop[i] = str_eq(d->meta->owner_references.items[i].uid, v->uid);
    patch_references(v->r, row, d, drop, true);
}

static void block_on_dependent(struct controller_manager *m, const struct resource *row,
                               const struct api_object *d, void *arg)
{
    struct owner_visit *v = arg;

    v->n_blocking += blocks(d, v->uid);
    if (!d->meta->deletion_timestamp.set)
        enqueue(m, row, d->meta->namespace, d->meta->name);
}

static const struct api_object *find(struct reconcile *r, const struct resource **ret_row)
{
    struct str row, rest, namespace, name;
    uint64_t n;

    (void)str_cut(r->key, '/', &row, &rest);
    (void)str_cut(rest, '/', &namespace, &name);
    if (!str_to_u64(row, &n) || n >= row_count(r->manager))
        return NULL;
    *ret_row = row_at(r->manager, n);
    if (!*ret_row)
        return NULL;
    return informer_get(controller_informer(r->manager, *ret_row),
                        controller_key(r->arena, namespace, name));
}

static enum reconcile_result after_orphaning(struct reconcile *r)
{
    const struct resource *row;
    const struct api_object *o = find(r, &row);

    if (o && o->meta->deletion_timestamp.set && has_finalizer(o, ORPHAN))
        drop_finalizer(r, row, o, ORPHAN);
    return RECONCILE_DONE;
}

static enum reconcile_result leave(struct reconcile *r, const struct resource *row,
                                   const struct api_object *o)
{
    struct owner_visit v = { .r = r, .uid = o->meta->uid };

    if (has_finalizer(o, ORPHAN)) {
        visit_dependents(r->manager, o->meta->uid, orphan_dependent, &v);
        r->then = after_orphaning;
        return RECONCILE_DONE;
    }
    if (!has_finalizer(o, FOREGROUND))
        return RECONCILE_DONE;
    visit_dependents(r->manager, o->meta->uid, block_on_dependent, &v);
    if (!v.n_blocking)
        drop_finalizer(r, row, o, FOREGROUND);
    return RECONCILE_DONE;
}

/* --- a dependent: does it still have an owner? --- */

struct dependent {
    uint64_t revision; /* of what was looked at */
    bool *is_dangling; /* of each reference */
    bool *is_waiting;  /* its owner waits for us */
    size_t *answers;   /* place in r->answers + 1; 0: not asked */
};

struct dependents {
    size_t n, n_leaving; /* in the foreground: for their own dependents */
};

static void count_one(struct controller_manager *m, const struct resource *row,
                      const struct api_object *d, void *arg)
{
    struct dependents *count = arg;

    (void)m, (void)row;
    count->n++;
    count->n_leaving += d->meta->deletion_timestamp.set && has_finalizer(d, FOREGROUND);
}

/* How the object is deleted: as its finalizers say, in the foreground when its own dependents must
 * go before an owner that waits. */
static struct str policy_of(const struct api_object *o, const struct dependents *d)
{
    if (has_finalizer(o, ORPHAN))
        return STR("Orphan");
    if (has_finalizer(o, FOREGROUND))
        return STR("Foreground");
    return d->n ? STR("Foreground") : STR("Background");
}

static enum reconcile_result judge(struct reconcile *r)
{
    const struct resource *row;
    const struct api_object *o = find(r, &row);
    struct dependent *d = r->state;
    struct dependents below = { 0 };
    uint32_t n_gone = 0, n_waiting = 0, n = o ? o->meta->owner_references.len : 0;

    if (o && o->revision != d->revision) { /* its owners may be others by now */
        r->again_after_ms = 1;
        return RECONCILE_DONE;
    }
    for (uint32_t i = 0; i < n; i++) {
        if (d->answers[i]) {
            const struct reconcile_answer *a = &r->answers.items[d->answers[i] - 1];

            d->is_dangling[i] = a->result == ERR_NOT_FOUND ||
                                !str_eq(a->uid, o->meta->owner_references.items[i].uid);
            d->is_waiting[i] = !d->is_dangling[i] && a->is_deleted_in_foreground;
        }
        n_gone += d->is_dangling[i];
        n_waiting += d->is_waiting[i];
    }
    if (!o || o->meta->deletion_timestamp.set || n_gone + n_waiting == 0)
        return RECONCILE_DONE;
    if (n_gone + n_waiting < n) { /* others keep it */
        for (uint32_t i = 0; i < n; i++)
            d->is_dangling[i] |= d->is_waiting[i];
        patch_references(r, row, o, d->is_dangling, true);
        return RECONCILE_DONE;
    }
    if (n_waiting)
        visit_dependents(r->manager, o->meta->uid, count_one, &below);
    if (below.n_leaving) /* it may wait for us, round a circle */
        patch_references(r, row, o, NULL, false);
    reconcile_delete(r, row, o->meta->namespace, o->meta->name, o->meta->uid, policy_of(o, &below));
    return RECONCILE_DONE;
}

static enum reconcile_result look_at_owners(struct reconcile *r, const struct api_object *o)
{
    uint32_t n = o->meta->owner_references.len;
    struct dependent *d = ARENA_NEW(r->arena, struct dependent);

    d->revision = o->revision;
    d->is_dangling = ARENA_NEW_ARRAY(r->arena, bool, n + 1);
    d->is_waiting = ARENA_NEW_ARRAY(r->arena, bool, n + 1);
    d->answers = ARENA_NEW_ARRAY(r->arena, size_t, n + 1);
    r->state = d;
    for (uint32_t i = 0; i < n; i++) {
        owner_reference *ref = &o->meta->owner_references.items[i];
        const struct resource *row = row_of_owner(r->manager, ref);
        struct str namespace = row ? owner_namespace(o, row) : STR("");
        const struct api_object *owner;

        if (!row)
            continue; /* a kind that we do not know counts as there */
        owner = informer_get(controller_informer(r->manager, row),
                             controller_key(r->arena, namespace, ref->name));
        if (owner && str_eq(owner->meta->uid, ref->uid)) {
            d->is_waiting[i] =
                owner->meta->deletion_timestamp.set && has_finalizer(owner, FOREGROUND);
        } else {
            reconcile_get(r, row, namespace, ref->name);
            d->answers[i] = r->answers.len;
        }
    }
    if (!r->answers.len)
        return judge(r);
    r->then = judge;
    return RECONCILE_DONE;
}

static enum reconcile_result reconcile_object(struct reconcile *r)
{
    const struct resource *row;
    const struct api_object *o = find(r, &row);

    if (!o)
        return RECONCILE_DONE;
    if (o->meta->deletion_timestamp.set)
        return leave(r, row, o);
    return o->meta->owner_references.len ? look_at_owners(r, o) : RECONCILE_DONE;
}

/* Its objects are known by now: whoever named one as its owner while they were not is looked at. */
static void on_custom_synced(struct controller_manager *m, const struct resource *row)
{
    for (size_t i = 0; i < row_count(m); i++) {
        const struct resource *other = row_at(m, i);
        const struct informer *informer = other ? controller_informer(m, other) : NULL;
        const struct api_object *o;
        size_t cursor = 0;

        while (informer && (o = informer_next(informer, &cursor)))
            for (uint32_t k = 0; k < o->meta->owner_references.len; k++)
                if (row_of_owner(m, &o->meta->owner_references.items[k]) == row)
                    enqueue(m, other, o->meta->namespace, o->meta->name);
    }
}

static void prepare(struct controller_manager *m)
{
    custom_rows_watch(m, &garbage_collector_controller, map_any, on_custom_synced);
    for (size_t i = 0; i < resource_table_len; i++)
        if (is_watched(&resource_table[i]))
            controller_add_watch(m, &garbage_collector_controller, &resource_table[i], map_any);
}

static const struct controller_watch watches[] = { { 0 } };

const struct controller garbage_collector_controller = {
    .name = "generic-garbage-collector",
    .watches = watches,
    .reconcile = reconcile_object,
    .prepare = prepare,
};
