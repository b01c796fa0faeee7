#include "controller/owned_objects.h"

#include "api/label_selector.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/text_map.h"
#include "base/buf.h"
#include "base/err.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "codec/json_writer.h"
#include "controller/controller.h"

static bool look_up(void *arg, struct str key, struct str *ret_value)
{
    const struct schema_str_entry *e = text_map_find(arg, key);

    if (e)
        *ret_value = e->value;
    return e != NULL;
}

bool owned_selects(const struct label_selector *s, const struct api_object *o)
{
    return label_selector_match(s, look_up, (void *)(uintptr_t)&o->meta->labels);
}

const struct meta_v1_owner_reference *owned_by(const struct api_object *o)
{
    for (uint32_t i = 0; i < o->meta->owner_references.len; i++)
        if (o->meta->owner_references.items[i].controller &&
            *o->meta->owner_references.items[i].controller)
            return &o->meta->owner_references.items[i];
    return NULL;
}

/* --- claiming --- */

/* Strategic merge patches: other owners and finalizers stay as they are. The uid makes them fail on
 * another object of the same name. */
void owned_take(struct reconcile *r, const struct owned_rules *rules, const struct api_object *o)
{
    const struct api_object *owner = rules->owner;
    struct buf b = { 0 };

    buf_init_arena(&b, r->arena, 256);
    buf_printf(&b,
               "{\"metadata\":{\"uid\":\"%.*s\",\"ownerReferences\":[{\"apiVersion\":\"%.*s\","
               "\"kind\":\"%.*s\",\"name\":\"%.*s\",\"uid\":\"%.*s\",\"controller\":true,"
               "\"blockOwnerDeletion\":true}]",
               STR_ARG(o->meta->uid), STR_ARG(object_api_version(owner->o)),
               STR_ARG(object_kind(owner->o)), STR_ARG(owner->meta->name),
               STR_ARG(owner->meta->uid));
    if (rules->finalizer.len)
        buf_printf(&b, ",\"finalizers\":[\"%.*s\"]", STR_ARG(rules->finalizer));
    buf_append_lit(&b, "}}");
    reconcile_patch_strategic(r, rules->row, o->meta->namespace, o->meta->name, buf_str(&b));
}

void owned_let_go(struct reconcile *r, const struct owned_rules *rules, const struct api_object *o)
{
    struct buf b = { 0 };

    buf_init_arena(&b, r->arena, 256);
    buf_printf(&b,
               "{\"metadata\":{\"uid\":\"%.*s\",\"ownerReferences\":[{\"$patch\":\"delete\","
               "\"uid\":\"%.*s\"}]",
               STR_ARG(o->meta->uid), STR_ARG(rules->owner->meta->uid));
    if (rules->finalizer.len)
        buf_printf(&b, ",\"$deleteFromPrimitiveList/finalizers\":[\"%.*s\"]",
                   STR_ARG(rules->finalizer));
    buf_append_lit(&b, "}}");
    reconcile_patch_strategic(r, rules->row, o->meta->namespace, o->meta->name, buf_str(&b));
}

static bool may_take(const struct owned_rules *rules, const struct api_object *o)
{
    return !o->meta->deletion_timestamp.set && (!rules->may_take || rules->may_take(o));
}

void owned_claim(struct reconcile *r, const struct owned_rules *rules, struct owned_objects *ret)
{
    const struct api_object *owner = rules->owner, *const * all;
    size_t n = controller_in_namespace(controller_informer(r->manager, rules->row),
                                       owner->meta->namespace, &all);

    *ret = (struct owned_objects){ 0 };
    ret->items = ARENA_NEW_ARRAY(r->arena, const struct api_object *, n + 1);
    for (size_t i = 0; i < n; i++) {
        const struct meta_v1_owner_reference *ref = owned_by(all[i]);
        bool is_leaving = owner->meta->deletion_timestamp.set, fits;

        if (ref && !str_eq(ref->uid, owner->meta->uid))
            continue;
        fits =
            owned_selects(rules->selector, all[i]) && (!rules->fits || rules->fits(all[i], owner));
        if (ref && fits) {
            ret->items[ret->len++] = all[i];
        } else if (ref && !is_leaving) {
            owned_let_go(r, rules, all[i]);
            ret->some_change = true;
        } else if (fits && !ref && !is_leaving && may_take(rules, all[i])) {
            owned_take(r, rules, all[i]);
            ret->some_change = true;
        }
    }
}

/* --- events --- */

void owned_map(struct controller_manager *m, const struct controller *c,
               const struct resource *owners, owned_selector_fn *selector_of,
               const struct api_object *old, const struct api_object *new)
{
    const struct api_object *const *all;
    size_t n;

    controller_enqueue_owner(m, c, old, owners->kind);
    controller_enqueue_owner(m, c, new, owners->kind);
    if (!new || owned_by(new))
        return;
    n = controller_in_namespace(controller_informer(m, owners), new->meta->namespace, &all);
    for (size_t i = 0; i < n; i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        const struct meta_v1_label_selector *from = selector_of(&a, all[i]);
        struct label_selector selector;
        struct err err;

        if (from && label_selector_from_meta(&a, from, &selector, &err) >= 0 &&
            owned_selects(&selector, new))
            controller_enqueue(m, c, all[i]->key);
    }
}
