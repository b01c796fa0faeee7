#include "controller/controller_history.h"

#include "api/apps_v1.h"
#include "api/core_v1.h"
#include "api/label_selector.h"
#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/text_map.h"
#include "base/buf.h"
#include "base/err.h"
#include "client/api_object.h"
#include "client/informer.h"
#include "codec/value.h"
#include "controller/controller.h"
#include "controller/owned_objects.h"
#include "controller/pod_state.h"

enum { NAME_PREFIX_MAX = 223, MAX_COLLISIONS = 100 };

static const struct resource *revisions_row(void)
{
    return resource_find(STR("apps"), STR("v1"), STR("controllerrevisions"));
}

static const struct schema_type *template_type(void)
{
    return schema_find_type(&schema_builtin, STR(""), STR("v1"), STR("PodTemplateSpec"));
}

/* --- data --- */

static int by_key(const void *a, const void *b)
{
    return str_cmp(((const struct value_member *)a)->key, ((const struct value_member *)b)->key);
}

/* Members in the order of their names, as upstream prints them: texts are compared. */
static void sort_members(struct value *v)
{
    if (v->type == VALUE_OBJECT && v->len > 1)
        qsort(v->members, v->len, sizeof(v->members[0]), by_key);
    for (uint32_t i = 0; i < v->len && v->type == VALUE_OBJECT; i++)
        sort_members(&v->members[i].v);
    for (uint32_t i = 0; i < v->len && v->type == VALUE_ARRAY; i++)
        sort_members(&v->items[i]);
}

struct str history_data(struct arena *a, const struct core_v1_pod_template_spec *t)
{
    struct object o = { .schema = &schema_builtin,
                        .type = template_type(),
                        .data = (void *)(uintptr_t)t };
    struct value template = value_object(), spec = value_object(), root = value_object();
    struct buf text = { 0 }, b = { 0 };
    struct err err;

    buf_init_arena(&text, a, 2048);
    object_json_encode(&text, o, NULL);
    if (value_parse(a, buf_str(&text), &template, NULL, &err) < 0)
        return STR_NULL; /* our own text: does not happen */
    (void)value_set(a, &template, STR("$patch"), value_string(STR("replace")));
    sort_members(&template);
    (void)value_set(a, &spec, STR("template"), template);
    (void)value_set(a, &root, STR("spec"), spec);
    buf_init_arena(&b, a, 2048);
    value_print(&b, &root);
    return buf_str(&b);
}

const struct core_v1_pod_template_spec *history_template(struct arena *a,
                                                         const struct api_object *revision)
{
    const struct value *spec, *template;
    struct object o = { 0 };
    struct value root;
    struct buf b = { 0 };
    struct err err;

    if (value_parse(a, history_data_of(revision), &root, NULL, &err) < 0)
        return NULL;
    spec = value_get(&root, STR("spec"));
    template = spec ? value_get(spec, STR("template")) : NULL;
    if (!template || template->type != VALUE_OBJECT)
        return NULL;
    buf_init_arena(&b, a, 2048);
    value_print(&b, template);
    /* The directive is no member of a template, and dropped. */
    return object_json_decode(a, &schema_builtin, template_type(), buf_str(&b), &o, NULL, &err) < 0
               ? NULL
               : o.data;
}

/* FNV-1. */
static uint32_t fnv(uint32_t h, struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        h = (h * 16777619U) ^ (unsigned char)s.p[i];
    return h;
}

/* The number's digits as letters that make no words. */
struct str history_hash(struct arena *a, struct str data, const int32_t *collisions)
{
    static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
    uint32_t h = fnv(2166136261U, data);
    struct str digits;
    char *p;

    if (collisions)
        h = fnv(h, arena_printf(a, "%d", *collisions));
    digits = arena_printf(a, "%u", h);
    p = arena_dup(a, digits.p, digits.len);
    for (size_t i = 0; i < digits.len; i++)
        p[i] = alphabet[(unsigned char)p[i] % (sizeof(alphabet) - 1)];
    return str_n(p, digits.len);
}

struct str history_name(struct arena *a, struct str owner, struct str hash)
{
    return arena_printf(a, "%.*s-%.*s", STR_ARG(str_sub(owner, 0, NAME_PREFIX_MAX)), STR_ARG(hash));
}

struct str history_data_of(const struct api_object *revision)
{
    return API_OBJECT(revision, struct apps_v1_controller_revision)->data;
}

int64_t history_number_of(const struct api_object *revision)
{
    return API_OBJECT(revision, struct apps_v1_controller_revision)->revision;
}

int history_compare(const void *a, const void *b)
{
    const struct api_object *x = *(const struct api_object *const *)a;
    const struct api_object *y = *(const struct api_object *const *)b;
    int64_t m = history_number_of(x), n = history_number_of(y);

    if (m != n)
        return m < n ? -1 : 1;
    m = x->meta->creation_timestamp.sec;
    n = y->meta->creation_timestamp.sec;
    if (m != n)
        return m < n ? -1 : 1;
    return str_cmp(x->meta->name, y->meta->name);
}

/* --- the current one --- */

static void create(struct reconcile *r, const struct history *h, struct str name, struct str hash,
                   int64_t number)
{
    struct arena *a = r->arena;
    struct object o = object_new(a, &schema_builtin, revisions_row()->type);
    struct apps_v1_controller_revision *rev = o.data;

    rev->metadata.name = name;
    rev->metadata.namespace = r->namespace;
    rev->metadata.owner_references.items = ARENA_NEW(a, struct meta_v1_owner_reference);
    rev->metadata.owner_references.items[0] = owner_reference_to(a, h->owner);
    rev->metadata.owner_references.len = 1;
    text_map_copy(a, &rev->metadata.labels, &h->template->metadata.labels);
    text_map_put(a, &rev->metadata.labels, h->hash_label, hash);
    text_map_copy(a, &rev->metadata.annotations, &h->owner->meta->annotations);
    rev->data = h->data;
    rev->revision = number;
    reconcile_create(r, revisions_row(), r->namespace, o);
}

/* A name that another template's revision has taken leads to another hash. One that has our data
 * but another owner (our predecessor's, on its way out) will do. */
static void make_current(struct reconcile *r, struct history *h, int64_t number)
{
    const struct informer *revisions = controller_informer(r->manager, revisions_row());

    for (int i = 0; i < MAX_COLLISIONS; i++) {
        struct str hash = history_hash(r->arena, h->data, &h->collisions);
        struct str name = history_name(r->arena, h->owner->meta->name, hash);
        const struct api_object *taken =
            informer_get(revisions, controller_key(r->arena, r->namespace, name));

        if (!taken) {
            create(r, h, name, hash, number);
            h->is_changing = true;
            return;
        }
        if (str_eq(history_data_of(taken), h->data)) {
            h->current = taken;
            return;
        }
        h->collisions++;
    }
}

static void renumber(struct reconcile *r, struct history *h, int64_t number)
{
    struct object o = object_copy(r->arena, h->current->o);

    ((struct apps_v1_controller_revision *)o.data)->revision = number;
    reconcile_update(r, revisions_row(), o);
    h->is_changing = true;
}

void history_look(struct reconcile *r, const struct label_selector *selector,
                  const int32_t *collisions, struct history *h)
{
    struct owned_objects all;
    int64_t highest = 0; /* of other templates */

    owned_claim(
        r, &(struct owned_rules){ .row = revisions_row(), .owner = h->owner, .selector = selector },
        &all);
    h->items = all.items;
    h->len = all.len;
    h->is_changing = all.some_change;
    h->collisions = collisions ? *collisions : 0;
    h->data = history_data(r->arena, h->template);
    h->current = NULL;
    if (h->len)
        qsort(h->items, h->len, sizeof(h->items[0]), history_compare);
    for (size_t i = 0; i < h->len; i++) {
        if (str_eq(history_data_of(h->items[i]), h->data))
            h->current = h->items[i];
        else
            highest = MAX(highest, history_number_of(h->items[i]));
    }
    if (h->is_changing || h->owner->meta->deletion_timestamp.set)
        return; /* the current one may be among those that are being taken */
    if (!h->current)
        make_current(r, h, highest + 1);
    else if (history_number_of(h->current) < highest + 1)
        renumber(r, h, highest + 1);
}

void history_trim(struct reconcile *r, const struct history *h, const struct history_limit *limit)
{
    const struct api_object **idle =
        ARENA_NEW_ARRAY(r->arena, const struct api_object *, h->len + 1);
    size_t n_idle = 0, n_old = 0;

    for (size_t i = 0; i < h->len; i++) {
        bool is_used;

        if (h->items[i] == h->current || h->items[i]->meta->deletion_timestamp.set)
            continue;
        is_used = limit->is_used(h->items[i], limit->arg);
        n_old += !is_used || limit->used_count;
        if (!is_used)
            idle[n_idle++] = h->items[i];
    }
    for (size_t i = 0; limit->limit >= 0 && i < n_idle && i + (size_t)limit->limit < n_old; i++)
        reconcile_delete(r, revisions_row(), r->namespace, idle[i]->meta->name, idle[i]->meta->uid,
                         STR_NULL);
}
