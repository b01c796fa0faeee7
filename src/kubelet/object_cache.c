/* An entry lives while a Pod refers to it: a reflector on the one name, and the newest object. */
#include "kubelet/object_cache.h"

#include "api/meta_v1.h"
#include "api/resource.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "base/mem.h"
#include "client/api_object.h"
#include "client/reflector.h"

struct entry {
    struct object_cache *cache;
    char *key;
    struct reflector *reflector;
    const struct api_object *object; /* NULL: there is none, or not known */
    bool is_known;
    bool is_listed;  /* told of in the list that runs */
    struct map pods; /* uid -> the entry */
};

struct object_cache {
    struct object_cache_options o;
    struct map entries;
};

static void changed(struct entry *e)
{
    e->cache->o.on_change(str_from_cstr(e->key), e->cache->o.arg);
}

static void on_list(void *arg)
{
    struct entry *e = arg;

    e->is_listed = false;
}

static void on_object(const struct api_object *o, bool is_deleted, void *arg)
{
    struct entry *e = arg;

    api_object_unref(e->object);
    e->object = is_deleted ? NULL : api_object_ref(o);
    e->is_listed = !is_deleted;
    if (e->is_known)
        changed(e);
}

static void on_synced(void *arg)
{
    struct entry *e = arg;
    bool is_news = !e->is_known;

    if (!e->is_listed && e->object) {
        api_object_unref(e->object);
        e->object = NULL;
        is_news = true;
    }
    e->is_known = true;
    if (is_news)
        changed(e);
}

static void on_revision(uint64_t revision, void *arg)
{
    (void)revision;
    (void)arg;
}

static void entry_free(struct entry *e)
{
    reflector_free(e->reflector);
    api_object_unref(e->object);
    map_done(&e->pods);
    mem_free(e->key);
    mem_free(e);
}

static struct entry *entry_new(struct object_cache *c, struct str key, struct str namespace,
                               struct str name)
{
    static const struct reflector_ops ops = { on_list, on_object, on_synced, on_revision };
    CLEANUP(arena_done) struct arena a = { 0 };
    struct entry *e = NEW(struct entry);

    e->cache = c;
    e->key = str_heap_cstr(key);
    e->reflector = reflector_new(&(struct reflector_options){
        .loop = c->o.loop,
        .client = c->o.client,
        .resource = c->o.resource,
        .namespace = namespace,
        .field_selector = arena_printf(&a, "metadata.name=%.*s", STR_ARG(name)),
        .ops = &ops,
        .arg = e });
    return e;
}

struct object_cache *object_cache_new(const struct object_cache_options *o)
{
    struct object_cache *c = NEW(struct object_cache);

    c->o = *o;
    return c;
}

void object_cache_free(struct object_cache *c)
{
    if (!c)
        return;
    MAP_FOREACH(e, &c->entries)
        entry_free(e->value);
    map_done(&c->entries);
    mem_free(c);
}

void object_cache_retain(struct object_cache *c, struct str pod_uid, struct str namespace,
                         struct str name)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str key = arena_printf(&a, "%.*s/%.*s", STR_ARG(namespace), STR_ARG(name));
    struct entry *e = map_get(&c->entries, key);

    if (!e) {
        e = entry_new(c, key, namespace, name);
        (void)map_put(&c->entries, key, e); /* there was none */
    }
    (void)map_put(&e->pods, pod_uid, e); /* once more is the same */
}

void object_cache_release_pod(struct object_cache *c, struct str pod_uid)
{
    MAP_FOREACH(it, &c->entries) {
        struct entry *e = it->value;

        if (!map_remove(&e->pods, pod_uid) || e->pods.len)
            continue;
        (void)map_remove(&c->entries, str_from_cstr(e->key));
        entry_free(e);
    }
}

int object_cache_get(const struct object_cache *c, struct str namespace, struct str name,
                     const struct api_object **ret, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct entry *e =
        map_get(&c->entries, arena_printf(&a, "%.*s/%.*s", STR_ARG(namespace), STR_ARG(name)));

    if (!e || !e->is_known)
        return err_set(err, ERR_AGAIN, "%s '%.*s' is not known yet", c->o.resource->singular.p,
                       STR_ARG(name));
    if (!e->object)
        return err_set(err, ERR_NOT_FOUND, "%.*s \"%.*s\" not found",
                       STR_ARG(c->o.resource->singular), STR_ARG(name));
    *ret = e->object;
    return 0;
}
