/* Sets of bootstrap objects are watched in the store, and put right whenever somebody changes or
 * deletes one of them. */
#include "apiserver/apiserver_internal.h"
#include "apiserver/bootstrap.h"
#include "apiserver/registry/registry.h"
#include "apiserver/registry/stored_read.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/loop.h"
#include "store/store.h"

struct kept_objects;

struct keeper {
    struct kept_objects *all;
    const struct kept_set *set;
    struct store_watch *watches[ARRAY_LEN(((struct kept_set *)0)->places)];
    bool is_busy;
    bool again; /* something changed while it was busy */
};

struct kept_objects {
    struct apiserver *server;
    struct loop *loop;
    size_t n, n_busy;
    bool is_over; /* stopped while something was busy: freed when that ends */
    struct keeper keepers[];
};

static void put_right(struct keeper *k);

static void on_put(void *arg, int result)
{
    struct keeper *k = arg;
    struct kept_objects *all = k->all;

    k->is_busy = false;
    all->n_busy--;
    if (all->is_over) {
        if (!all->n_busy)
            mem_free(all);
        return;
    }
    if (result < 0)
        LOG_WARNING("objects were not put right", KV("what", k->set->name),
                    KV("reason", err_name(result)));
    if (k->again)
        put_right(k);
}

static void put_right(struct keeper *k)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct bootstrap_object *objects;

    k->again = k->is_busy;
    if (k->is_busy)
        return;
    k->is_busy = true;
    k->all->n_busy++;
    objects = ARENA_NEW_ARRAY(&a, struct bootstrap_object, k->set->max);
    bootstrap_put(k->all->server, k->all->loop, objects,
                  k->set->objects(k->all->server, &a, objects), on_put, k);
}

static void watch(struct keeper *k, size_t i);

static void on_change(struct store_watch *w, void *arg)
{
    struct keeper *k = arg;
    const struct store_event *e;
    bool changed = false;

    while ((e = store_watch_next(w))) {
        changed |= e->type != STORE_EVENT_CREATED;
        store_event_unref(e);
    }
    if (store_watch_status(w) < 0) /* more than it takes at once: it begins anew */
        for (size_t i = 0; i < k->set->n_places; i++)
            if (k->watches[i] == w) {
                store_watch_stop(w);
                watch(k, i);
                changed = true;
                break;
            }
    if (changed)
        put_right(k);
}

static void watch(struct keeper *k, size_t i)
{
    const struct kept_place *place = &k->set->places[i];
    struct apiserver *s = k->all->server;
    CLEANUP(arena_done) struct arena a = { 0 };
    struct err err;
    const struct store_watch_options o = {
        .resource = registry_store_id(&s->registry, stored_read_row(place->group, place->resource)),
        .prefix =
            place->namespace.len ? arena_printf(&a, "%.*s/", STR_ARG(place->namespace)) : STR(""),
        .name = place->name,
        .after = store_revision(s->store),
    };

    k->watches[i] = NULL;
    if (store_watch_start(s->store, &o, loop_mailbox(k->all->loop), on_change, k, &k->watches[i],
                          &err) < 0)
        LOG_WARNING("objects are not watched", KV("what", k->set->name),
                    KV("reason", (const char *)err.text));
}

struct kept_objects *kept_objects_start(struct apiserver *s, struct loop *l)
{
    struct kept_objects *all;
    size_t n = 0;

    while (kept_sets[n])
        n++;
    all = mem_zalloc(sizeof(*all) + n * sizeof(all->keepers[0]));
    all->server = s;
    all->loop = l;
    all->n = n;
    for (size_t i = 0; i < n; i++) {
        all->keepers[i].all = all;
        all->keepers[i].set = kept_sets[i];
        for (size_t k = 0; k < kept_sets[i]->n_places; k++)
            watch(&all->keepers[i], k);
    }
    return all;
}

void kept_objects_stop(struct kept_objects *all)
{
    if (!all)
        return;
    for (size_t i = 0; i < all->n; i++)
        for (size_t k = 0; k < all->keepers[i].set->n_places; k++)
            store_watch_stop(all->keepers[i].watches[k]);
    all->is_over = true;
    if (!all->n_busy)
        mem_free(all);
}
