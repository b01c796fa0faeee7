#include "controller/custom_rows.h"

#include "api/apiextensions_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/structural/custom_resource.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "controller/controller_internal.h"

typedef const struct apiextensions_v1_custom_resource_definition crd_t;

enum { MAX_WATCHERS = 8 };

struct place {
    struct custom_rows *rows;
    struct arena arena;
    struct resource row;
    struct str definition; /* name */
    struct informer *informer;
    bool is_used;
};

struct custom_watcher {
    const struct controller *controller;
    controller_map_fn *map;
    void (*synced)(struct controller_manager *m, const struct resource *row);
};

struct custom_rows {
    struct controller_manager *manager;
    struct VEC(struct place *) places;
    struct custom_watcher watchers[MAX_WATCHERS];
    size_t n_watchers;
};

/* --- objects --- */

static void on_object(const struct api_object *old, const struct api_object *new, void *arg)
{
    struct place *p = arg;

    for (size_t i = 0; i < p->rows->n_watchers; i++) {
        const struct custom_watcher *w = &p->rows->watchers[i];

        w->map(p->rows->manager, w->controller, old, new);
    }
}

static void on_synced(void *arg)
{
    struct place *p = arg;

    for (size_t i = 0; i < p->rows->n_watchers; i++)
        if (p->rows->watchers[i].synced)
            p->rows->watchers[i].synced(p->rows->manager, &p->row);
}

/* --- rows --- */

static bool is_established(crd_t *d)
{
    for (uint32_t i = 0; i < d->status.conditions.len; i++)
        if (str_eq(d->status.conditions.items[i].type, STR("Established")))
            return str_eq(d->status.conditions.items[i].status, STR("True"));
    return false;
}

/* The served version that clients prefer; unset: there is none. */
static struct str preferred_version(crd_t *d)
{
    struct str best = STR_NULL;

    for (uint32_t i = 0; i < d->spec.versions.len; i++) {
        struct str name = d->spec.versions.items[i].name;

        if (d->spec.versions.items[i].served &&
            (!best.p || custom_resource_compare_versions(name, best) < 0))
            best = name;
    }
    return best;
}

static bool is_namespaced(crd_t *d)
{
    return str_eq(d->spec.scope, STR("Namespaced"));
}

static bool fits(const struct place *p, crd_t *d, struct str version)
{
    return str_eq(p->row.group, d->spec.group) && str_eq(p->row.name, d->spec.names.plural) &&
           str_eq(p->row.version, version) && str_eq(p->row.kind, d->spec.names.kind) &&
           resource_is_namespaced(&p->row) == is_namespaced(d);
}

static struct place *new_place(struct custom_rows *c, crd_t *d, struct str version)
{
    struct place *p = NEW(struct place);
    struct arena *a = &p->arena;

    p->rows = c;
    p->definition = str_dup(a, d->metadata.name);
    p->row = (struct resource){
        .group = str_dup(a, d->spec.group),
        .version = str_dup(a, version),
        .name = str_dup(a, d->spec.names.plural),
        .singular = str_dup(a, d->spec.names.singular),
        .kind = str_dup(a, d->spec.names.kind),
        .list_kind = str_dup(a, d->spec.names.list_kind),
        .verbs = (1U << RESOURCE_VERB_INDEX_MAX) - 1,
        .flags = RESOURCE_SERVED | (is_namespaced(d) ? RESOURCE_NAMESPACED : 0),
        .type = schema_find_type(&schema_builtin, STR("meta.k8s.io"), STR("v1"),
                                 STR("PartialObjectMetadata")),
    };
    p->informer = controller_informer_new(c->manager, &p->row);
    informer_add_handler(
        p->informer,
        &(struct informer_handler){ .on_change = on_object, .on_synced = on_synced, .arg = p });
    VEC_PUSH(&c->places, p);
    return p;
}

static void retire(struct custom_rows *c, struct str definition, const struct place *except)
{
    for (size_t i = 0; i < c->places.len; i++) {
        struct place *p = c->places.items[i];

        if (!p->is_used || p == except || !str_eq(p->definition, definition))
            continue;
        informer_stop(p->informer); /* tells of all its objects as gone */
        p->is_used = false;
    }
}

static void use(struct custom_rows *c, crd_t *d, struct str version)
{
    struct place *p = NULL;

    for (size_t i = 0; i < c->places.len && !p; i++)
        if (fits(c->places.items[i], d, version))
            p = c->places.items[i];
    if (!p)
        p = new_place(c, d, version);
    retire(c, d->metadata.name, p);
    if (p->is_used)
        return;
    p->is_used = true;
    informer_start(p->informer);
}

static void on_definition(const struct api_object *old, const struct api_object *new, void *arg)
{
    struct custom_rows *c = arg;
    crd_t *d = new ? new->o.data : NULL;
    struct str version = d ? preferred_version(d) : STR_NULL;

    if (d && version.p && is_established(d))
        use(c, d, version);
    else
        retire(c, (new ? new : old)->meta->name, NULL);
}

/* --- for the manager and controllers --- */

void custom_rows_prepare(struct controller_manager *m)
{
    struct informer *definitions =
        controller_informer_of(m, "apiextensions.k8s.io", "v1", "customresourcedefinitions");

    m->custom = NEW(struct custom_rows);
    m->custom->manager = m;
    informer_add_handler(
        definitions, &(struct informer_handler){ .on_change = on_definition, .arg = m->custom });
}

void custom_rows_free(struct custom_rows *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->places.len; i++) {
        informer_free(c->places.items[i]->informer);
        arena_done(&c->places.items[i]->arena);
        mem_free(c->places.items[i]);
    }
    VEC_DONE(&c->places);
    mem_free(c);
}

void custom_rows_watch(struct controller_manager *m, const struct controller *c,
                       controller_map_fn *map,
                       void (*synced)(struct controller_manager *m, const struct resource *row))
{
    struct custom_rows *rows = m->custom;

    if (rows->n_watchers < MAX_WATCHERS)
        rows->watchers[rows->n_watchers++] = (struct custom_watcher){ c, map, synced };
}

size_t custom_rows_len(const struct controller_manager *m)
{
    return m->custom ? m->custom->places.len : 0;
}

const struct resource *custom_rows_at(const struct controller_manager *m, size_t i)
{
    const struct place *p = m->custom->places.items[i];

    return p->is_used ? &p->row : NULL;
}

struct informer *custom_rows_informer(const struct controller_manager *m,
                                      const struct resource *row)
{
    for (size_t i = 0; i < custom_rows_len(m); i++)
        if (&m->custom->places.items[i]->row == row)
            return m->custom->places.items[i]->informer;
    return NULL;
}
