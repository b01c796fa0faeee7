#include "apiserver/extensions/extensions.h"

#include <pthread.h>
#include <stdlib.h>

#include "api/apiextensions_v1.h"
#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/schema.h"
#include "api/structural/custom_resource.h"
#include "apiserver/api_request.h"
#include "apiserver/apiserver_internal.h"
#include "apiserver/extensions/definition_cleanup.h"
#include "apiserver/extensions/definition_status.h"
#include "apiserver/extensions/openapi_publication.h"
#include "apiserver/registry/registry.h"
#include "apiserver/registry/stored_object.h"
#include "apiserver/registry/stored_read.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "io/loop.h"
#include "store/store.h"

/* A definition as it is in the store. */
struct entry {
    char *text;
    struct str name; /* text */
    uint64_t revision;
    bool is_dirty;                        /* changed since it was read */
    bool is_settled;                      /* nothing is to be written of it until it changes */
    struct custom_definition *definition; /* NULL: it does not compile, failure says why */
    struct str failure;                   /* in names_arena */
    struct arena names_arena;
    struct str group;
    struct str resources[2], kinds[2];  /* names that were accepted */
    struct str short_names;             /* separated by spaces */
    struct definition_writer *writer;   /* its status on its way to the store */
    struct definition_cleanup *cleanup; /* its objects are being deleted */
};

struct extensions {
    struct apiserver *server;
    struct loop *loop;
    struct loop_task rebuild; /* once a turn, however many changes came */
    struct store_watch *watch;
    struct map entries; /* by name */
    bool has_missed;    /* changes: everything is read again */
    /* A lock and no message: every request on every loop reads the pointer, for some
     * nanoseconds. */
    pthread_mutex_t lock;
    struct extension_table *table;
    struct openapi_makers *makers;
};

static const struct resource *crd_row(void)
{
    return stored_read_row(STR("apiextensions.k8s.io"), STR("customresourcedefinitions"));
}

/* --- tables --- */

struct extension_table *extensions_get(struct extensions *x)
{
    struct extension_table *t;

    pthread_mutex_lock(&x->lock);
    t = x->table;
    refcount_ref(&t->refs);
    pthread_mutex_unlock(&x->lock);
    return t;
}

void extension_table_unref(struct extension_table *t)
{
    if (!t || !refcount_unref(&t->refs))
        return;
    for (size_t i = 0; i < t->n; i++)
        custom_definition_unref(t->definitions[i]);
    openapi_publication_free(t->openapi);
    mem_free(t->definitions);
    mem_free(t->group_versions);
    mem_free(t);
}

static void let_go(void *arg)
{
    extension_table_unref(arg);
}

const struct extension_table *extensions_of(struct api_request *r)
{
    struct extensions *x = r->server->extensions;

    if (!r->extensions && x) {
        r->extensions = extensions_get(x);
        arena_defer(r->arena, let_go, r->extensions);
    }
    return r->extensions;
}

const struct custom_definition *extension_table_definition(const struct extension_table *t,
                                                           struct str group, struct str resource)
{
    size_t low = 0, high = t ? t->n : 0;

    while (low < high) {
        size_t at = (low + high) / 2;
        const struct custom_definition *d = t->definitions[at];
        int c = str_cmp(d->group, group);

        if (!c)
            c = str_cmp(d->storage->row.name, resource);
        if (!c)
            return d;
        if (c < 0)
            low = at + 1;
        else
            high = at;
    }
    return NULL;
}

const struct resource *extension_table_find(const struct extension_table *t, struct str group,
                                            struct str version, struct str resource)
{
    const struct custom_definition *d = extension_table_definition(t, group, resource);
    const struct custom_resource *c = d ? custom_definition_version(d, version) : NULL;

    return c && c->is_served ? &c->row : NULL;
}

bool extension_table_has_group_version(const struct extension_table *t, struct str group,
                                       struct str version)
{
    for (size_t i = 0; t && i < t->n_group_versions; i++)
        if (str_eq(t->group_versions[i].group, group) &&
            str_eq(t->group_versions[i].version, version))
            return true;
    return false;
}

static int by_resource(const void *a, const void *b)
{
    const struct custom_definition *x = *(struct custom_definition *const *)a;
    const struct custom_definition *y = *(struct custom_definition *const *)b;
    int c = str_cmp(x->group, y->group);

    return c ? c : str_cmp(x->storage->row.name, y->storage->row.name);
}

static int by_group_version(const void *a, const void *b)
{
    const struct resource_group_version *x = a, *y = b;
    int c = str_cmp(x->group, y->group);

    return c ? c : custom_resource_compare_versions(x->version, y->version);
}

/* Texts are those of the definitions that the table holds. */
static void add_group_versions(struct extension_table *t)
{
    size_t n = 0, max = 0;

    for (size_t i = 0; i < t->n; i++)
        max += t->definitions[i]->n_versions;
    t->group_versions = mem_zalloc((max + 1) * sizeof(*t->group_versions));
    for (size_t i = 0; i < t->n; i++) {
        const struct custom_definition *d = t->definitions[i];

        for (size_t k = 0; k < d->n_versions; k++)
            if (d->versions[k].is_served)
                t->group_versions[n++] = (struct resource_group_version){
                    .group = d->group,
                    .version = d->versions[k].row.version,
                    .served = true,
                    .stability = STR("GA"),
                    .group_priority = 1000,
                    .version_priority = 100,
                };
    }
    qsort(t->group_versions, n, sizeof(*t->group_versions), by_group_version);
    for (size_t i = 0; i < n; i++) {
        struct resource_group_version *last =
            t->n_group_versions ? &t->group_versions[t->n_group_versions - 1] : NULL;

        if (last && str_eq(last->group, t->group_versions[i].group) &&
            str_eq(last->version, t->group_versions[i].version))
            continue;
        t->group_versions[t->n_group_versions] = t->group_versions[i];
        t->group_versions[t->n_group_versions++].preferred =
            !last || !str_eq(last->group, t->group_versions[i].group);
    }
}

static bool same_definitions(const struct extension_table *a, const struct extension_table *b)
{
    if (!a || a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->definitions[i] != b->definitions[i])
            return false;
    return true;
}

static void publish(struct extensions *x)
{
    struct extension_table *t = NEW(struct extension_table), *old;

    refcount_init(&t->refs);
    t->definitions = mem_zalloc((x->entries.len + 1) * sizeof(struct custom_definition *));
    MAP_FOREACH(e, &x->entries) {
        const struct entry *entry = e->value;

        if (entry->definition && entry->definition->is_established)
            t->definitions[t->n++] = custom_definition_ref(entry->definition);
    }
    qsort(t->definitions, t->n, sizeof(struct custom_definition *), by_resource);
    add_group_versions(t);
    if (same_definitions(x->table, t)) {
        extension_table_unref(t);
        return;
    }
    t->openapi = openapi_publication_new(x->makers);
    pthread_mutex_lock(&x->lock);
    old = x->table;
    x->table = t;
    pthread_mutex_unlock(&x->lock);
    extension_table_unref(old);
}

/* --- watches of objects --- */

int extensions_watch_definition(struct api_request *r, store_watch_fn *ready, void *arg,
                                struct store_watch **ret, struct err *err)
{
    const struct custom_definition *d = r->resource->custom->definition;
    struct store_watch_options o = {
        .resource = registry_store_id(&r->server->registry, crd_row()),
        .prefix = STR(""),
        .name = d->name,
        .after = d->revision,
        .max_queued = UINT32_MAX, /* looked at, at once */
    };
    int rc = store_watch_start(r->server->store, &o, loop_mailbox(r->loop), ready, arg, ret, err);

    if (rc != ERR_COMPACTED)
        return rc;
    o.after = store_revision(r->server->store);
    return store_watch_start(r->server->store, &o, loop_mailbox(r->loop), ready, arg, ret, err);
}

/* Its metadata says enough: the generation rises with every change of the spec. */
bool extensions_definition_changed(const struct custom_definition *d, const struct store_event *e)
{
    const struct schema_type *t = schema_find_type(&schema_builtin, STR("meta.k8s.io"), STR("v1"),
                                                   STR("PartialObjectMetadata"));
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str json = stored_object_json(&a, e->object.head, e->revision, e->object.tail);
    const struct meta_v1_object_meta *meta;
    struct object o;
    struct err err;

    if (e->type == STORE_EVENT_DELETED ||
        object_json_decode(&a, &schema_builtin, t, json, &o, NULL, &err) < 0)
        return true;
    meta = object_meta(o);
    if (!str_eq(meta->uid, d->uid))
        return true;
    /* Marking it for deletion is a change of the spec's state alone. */
    return !meta->deletion_timestamp.set && meta->generation != d->generation;
}

/* --- reading --- */

static void entry_free(struct entry *e)
{
    definition_cleanup_stop(e->cleanup);
    definition_writer_release(e->writer);
    custom_definition_unref(e->definition);
    arena_done(&e->names_arena);
    mem_free(e->text);
    mem_free(e);
}

/* The same thing as before, seen from requests: then those that run go on with what they have. */
static bool is_same(const struct custom_definition *a, const struct custom_definition *b)
{
    return a && str_eq(a->uid, b->uid) && a->generation == b->generation &&
           a->is_established == b->is_established && a->is_terminating == b->is_terminating &&
           str_eq(a->storage->row.kind, b->storage->row.kind) &&
           str_eq(a->storage->row.list_kind, b->storage->row.list_kind) &&
           str_eq(a->storage->row.singular, b->storage->row.singular) &&
           str_eq(a->storage->row.short_names, b->storage->row.short_names) &&
           str_eq(a->storage->row.categories, b->storage->row.categories);
}

static int name_storage(struct extensions *x, struct custom_definition *d, struct err *err)
{
    const struct store_resource_options o = {
        .prefix = d->storage->row.storage_prefix,
        .class = STORE_HARD,
    };

    return store_resource(x->server->store, &o, &d->store_id, err);
}

static void compile(struct extensions *x, struct entry *e, struct object crd)
{
    struct custom_definition *d;
    struct err err;

    if (custom_definition_new(crd, &d, &err) < 0) {
        LOG_WARNING("a CustomResourceDefinition is not served", KV("name", e->name),
                    KV("reason", (const char *)err.text));
        custom_definition_unref(e->definition);
        e->definition = NULL;
        e->failure = str_dup(&e->names_arena, str_from_cstr(err.text));
        return;
    }
    if (is_same(e->definition, d)) {
        custom_definition_unref(d);
        return;
    }
    if (name_storage(x, d, &err) < 0) {
        LOG_ERROR("no storage for a custom resource", KV("name", e->name),
                  KV("reason", (const char *)err.text));
        custom_definition_unref(d);
        custom_definition_unref(e->definition);
        e->definition = NULL;
        e->failure = str_dup(&e->names_arena, str_from_cstr(err.text));
        return;
    }
    if (e->definition && !str_eq(e->definition->uid, d->uid)) { /* another one of that name */
        definition_cleanup_stop(e->cleanup);
        e->cleanup = NULL;
    }
    custom_definition_unref(e->definition);
    e->definition = d;
}

static struct entry *entry_of(struct extensions *x, struct str name)
{
    struct entry *e = map_get(&x->entries, name);

    if (e)
        return e;
    e = NEW(struct entry);
    e->text = str_heap_cstr(name);
    e->name = str_n(e->text, name.len);
    map_put(&x->entries, name, e);
    return e;
}

static void on_settled(void *arg)
{
    struct extensions *x = arg;

    loop_task_post(x->loop, &x->rebuild);
}

static void note_names(struct entry *e, struct object o)
{
    const struct apiextensions_v1_custom_resource_definition *crd = o.data;
    const struct apiextensions_v1_custom_resource_definition_names *n = &crd->status.accepted_names;
    struct arena *a = &e->names_arena;
    struct buf b = { 0 };

    arena_reset(a);
    buf_init_arena(&b, a, 64);
    for (uint32_t i = 0; i < n->short_names.len; i++)
        buf_printf(&b, "%s%.*s", i ? " " : "", STR_ARG(n->short_names.items[i]));
    e->short_names = buf_str(&b);
    e->group = str_dup(a, crd->spec.group);
    e->resources[0] = str_dup(a, n->plural);
    e->resources[1] = str_dup(a, n->singular);
    e->kinds[0] = str_dup(a, n->kind);
    e->kinds[1] = str_dup(a, n->list_kind);
    e->failure = STR_NULL;
}

static bool has_name(const struct entry *e, bool kinds, struct str name)
{
    const struct str *names = kinds ? e->kinds : e->resources;
    struct str rest = kinds ? STR_NULL : e->short_names, word;

    if (str_eq(names[0], name) || str_eq(names[1], name))
        return true;
    while (rest.len && str_next(&rest, ' ', &word))
        if (str_eq(word, name))
            return true;
    return false;
}

static bool is_taken(void *arg, struct str group, bool kinds, struct str name)
{
    struct extensions *x = arg;

    MAP_FOREACH(e, &x->entries) {
        const struct entry *entry = e->value;

        if (str_eq(entry->group, group) && has_name(entry, kinds, name))
            return true;
    }
    return false;
}

/* What is stored now: compiled when it is new, and what is to be written of it. */
static void look_at(struct extensions *x, const struct store_object *so)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct entry *e = entry_of(x, so->key);
    struct object crd;
    struct err err;

    e->is_dirty = false;
    if (e->revision == so->mod_revision)
        return;
    if (stored_object_decode(&a, crd_row(), so, &crd, &err) < 0) {
        LOG_ERROR("a CustomResourceDefinition was not read", KV("reason", (const char *)err.text));
        return;
    }
    e->revision = so->mod_revision;
    e->is_settled = false;
    note_names(e, crd);
    compile(x, e, crd);
}

/* All that there are, after what was missed; who is not among them is still dirty. */
static int look_at_all(struct extensions *x, struct store_snapshot *snapshot, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct store_range range = {
        .resource = registry_store_id(&x->server->registry, crd_row()),
        .prefix = STR(""),
    };
    struct store_cursor *cursor;
    struct store_object so;
    int rc = store_range_begin(snapshot, &a, &range, &cursor, err);

    MAP_FOREACH(e, &x->entries)
        ((struct entry *)e->value)->is_dirty = true;
    while (rc >= 0 && (rc = store_range_next(cursor, &so, err)) > 0)
        look_at(x, &so);
    return rc;
}

static int read_one(struct extensions *x, struct store_snapshot *snapshot, struct entry *e,
                    struct store_object *ret, struct err *err)
{
    return store_get(snapshot, registry_store_id(&x->server->registry, crd_row()), e->name, ret,
                     err);
}

static void look_at_changed(struct extensions *x, struct store_snapshot *snapshot)
{
    MAP_FOREACH(e, &x->entries) {
        struct entry *entry = e->value;
        struct store_object so;
        struct err err;
        int rc;

        if (!entry->is_dirty)
            continue;
        rc = read_one(x, snapshot, entry, &so, &err);
        if (rc >= 0) {
            look_at(x, &so);
        } else if (rc == ERR_NOT_FOUND) {
            map_remove(&x->entries, entry->name);
            entry_free(entry);
        }
    }
}

/* Writes what is missing of its status, and deletes the objects of one that goes. */
static void bring_on(struct extensions *x, struct entry *e, const struct store_object *so)
{
    bool goes = e->definition && e->definition->is_terminating;
    struct definition_facts facts = { .is_taken = is_taken, .arg = x };

    if (!e->writer)
        e->writer = definition_writer_new(x->server, x->loop, on_settled, x);
    if (goes && !e->cleanup)
        e->cleanup = definition_cleanup_start(x->server, x->loop, e->definition, on_settled, x);
    facts.is_cleaned = !goes || definition_cleanup_is_done(e->cleanup);
    facts.failure = e->failure;
    e->is_settled = definition_writer_run(e->writer, so, &facts) && !goes;
}

static void bring_all_on(struct extensions *x, struct store_snapshot *snapshot)
{
    MAP_FOREACH(e, &x->entries) {
        struct entry *entry = e->value;
        struct store_object so;
        struct err err;

        if (!entry->is_settled && read_one(x, snapshot, entry, &so, &err) >= 0)
            bring_on(x, entry, &so);
    }
}

static int build(struct extensions *x, struct err *err)
{
    struct store_snapshot snapshot;
    int rc = store_snapshot_begin(x->server->store, &snapshot, err);

    if (rc < 0)
        return rc;
    if (x->has_missed)
        rc = look_at_all(x, &snapshot, err);
    if (rc >= 0) {
        x->has_missed = false;
        look_at_changed(x, &snapshot);
        publish(x);
        bring_all_on(x, &snapshot);
    }
    store_snapshot_end(&snapshot);
    return rc;
}

static void on_rebuild(struct loop_task *t)
{
    struct err err;

    if (build(CONTAINER_OF(t, struct extensions, rebuild), &err) < 0)
        LOG_ERROR("CustomResourceDefinitions were not read", KV("reason", (const char *)err.text));
}

static void on_change(struct store_watch *w, void *arg);

static int watch(struct extensions *x, struct err *err)
{
    const struct store_watch_options o = {
        .resource = registry_store_id(&x->server->registry, crd_row()),
        .prefix = STR(""),
        .after = store_revision(x->server->store),
        .max_queued = UINT32_MAX, /* only noted, at once */
    };

    x->has_missed = true;
    return store_watch_start(x->server->store, &o, loop_mailbox(x->loop), on_change, x, &x->watch,
                             err);
}

static void on_change(struct store_watch *w, void *arg)
{
    struct extensions *x = arg;
    const struct store_event *e;
    struct err err;

    while ((e = store_watch_next(w))) {
        entry_of(x, e->object.key)->is_dirty = true;
        store_event_unref(e);
    }
    if (store_watch_status(w) < 0) {
        store_watch_stop(w);
        x->watch = NULL;
        if (watch(x, &err) < 0)
            LOG_ERROR("CustomResourceDefinitions are no longer watched",
                      KV("reason", (const char *)err.text));
    }
    loop_task_post(x->loop, &x->rebuild);
}

int extensions_new(struct apiserver *s, struct loop *l, struct extensions **ret, struct err *err)
{
    struct extensions *x = NEW(struct extensions);
    int rc;

    x->server = s;
    x->loop = l;
    x->makers = openapi_makers_new();
    pthread_mutex_init(&x->lock, NULL);
    loop_task_init(&x->rebuild, on_rebuild);
    rc = watch(x, err);
    if (rc >= 0)
        rc = build(x, err);
    if (rc < 0) {
        extensions_stop(x);
        extensions_free(x);
        return rc;
    }
    *ret = x;
    return 0;
}

void extensions_stop(struct extensions *x)
{
    if (!x)
        return;
    store_watch_stop(x->watch);
    x->watch = NULL;
    loop_task_cancel(&x->rebuild);
    MAP_FOREACH(e, &x->entries) {
        struct entry *entry = e->value;

        definition_cleanup_stop(entry->cleanup);
        definition_writer_release(entry->writer);
        entry->cleanup = NULL;
        entry->writer = NULL;
    }
}

void extensions_settle(struct extensions *x)
{
    if (x)
        openapi_makers_settle(x->makers);
}

void extensions_free(struct extensions *x)
{
    if (!x)
        return;
    MAP_FOREACH(e, &x->entries)
        entry_free(e->value);
    map_done(&x->entries);
    extension_table_unref(x->table);
    openapi_makers_free(x->makers);
    pthread_mutex_destroy(&x->lock);
    mem_free(x);
}
