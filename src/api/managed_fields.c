#include "api/managed_fields.h"

#include <stdlib.h>

#include "api/meta_v1.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"

static int decode_entry(struct arena *a, const struct meta_v1_managed_fields_entry *e, uint32_t i,
                        struct managed_entry *ret, struct err *err)
{
    bool applied = str_eq(e->operation, STR("Apply"));
    int r;

    if (!applied && !str_eq(e->operation, STR("Update")))
        return err_set(err, ERR_INVALID, "operation must be `Apply` or `Update`");
    if (!e->api_version.len)
        return err_set(err, ERR_INVALID, "apiVersion must not be empty");
    if (!e->fields_type.len)
        return err_set(err, ERR_INVALID, "missing fieldsType in managed fields entry %u", i);
    if (!str_eq(e->fields_type, STR("FieldsV1")))
        return err_set(err, ERR_INVALID, "invalid fieldsType \"%.*s\" in managed fields entry %u",
                       STR_ARG(e->fields_type), i);
    *ret = (struct managed_entry){
        .manager = e->manager,
        .api_version = e->api_version,
        .subresource = e->subresource,
        .text = e->fields_v1,
        .time = e->time,
        .applied = applied,
    };
    if (!e->fields_v1.len)
        return 0;
    r = field_set_parse(a, e->fields_v1, &ret->set, err);
    return r < 0 ? err_wrap(err, "error decoding versioned set") : 0;
}

static struct managed_manager identity(const struct managed_entry *e)
{
    return (struct managed_manager){ e->manager, e->api_version, e->subresource, e->applied };
}

int managed_fields_decode(struct arena *a, const struct meta_v1_object_meta *meta,
                          struct managed_fields *ret, struct err *err)
{
    struct managed_fields m = { 0 };

    m.cap = meta->managed_fields.len + 2;
    m.items = ARENA_NEW_ARRAY(a, struct managed_entry, m.cap);
    for (uint32_t i = 0; i < meta->managed_fields.len; i++) {
        struct managed_entry e = { 0 }, *same;
        struct managed_manager who;
        int r = decode_entry(a, &meta->managed_fields.items[i], i, &e, err);

        if (r < 0)
            return r;
        who = identity(&e);
        same = managed_fields_find(&m, &who);
        if (same)
            *same = e;
        else
            m.items[m.len++] = e;
    }
    *ret = m;
    return 0;
}

static int compare_entries(const void *x, const void *y)
{
    const struct meta_v1_managed_fields_entry *a = x, *b = y;
    int64_t sa = a->time.set ? a->time.sec : 0, sb = b->time.set ? b->time.sec : 0;
    int c = str_cmp(a->operation, b->operation);

    if (!c)
        c = (sa > sb) - (sa < sb);
    if (!c)
        c = str_cmp(a->manager, b->manager);
    if (!c)
        c = str_cmp(a->api_version, b->api_version);
    return c ? c : str_cmp(a->subresource, b->subresource);
}

void managed_fields_encode(struct arena *a, const struct managed_fields *m,
                           struct meta_v1_object_meta *meta)
{
    struct meta_v1_managed_fields_entry *items;

    meta->managed_fields.items = NULL;
    meta->managed_fields.len = 0;
    if (!m->len)
        return;
    items = ARENA_NEW_ARRAY(a, struct meta_v1_managed_fields_entry, m->len);
    for (uint32_t i = 0; i < m->len; i++) {
        const struct managed_entry *e = &m->items[i];
        struct buf b = { 0 };
        struct str text = e->text;

        if (!text.p) {
            buf_init_arena(&b, a, 512);
            field_set_print(&b, &e->set);
            text = buf_str(&b);
        }
        items[i] = (struct meta_v1_managed_fields_entry){
            .manager = e->manager,
            .operation = e->applied ? STR("Apply") : STR("Update"),
            .api_version = e->api_version,
            .time = e->time,
            .fields_type = STR("FieldsV1"),
            .fields_v1 = text,
            .subresource = e->subresource,
        };
    }
    qsort(items, m->len, sizeof(*items), compare_entries);
    meta->managed_fields.items = items;
    meta->managed_fields.len = m->len;
}

struct managed_fields managed_fields_copy(struct arena *a, const struct managed_fields *m)
{
    struct managed_fields c = { .len = m->len, .cap = m->len + 2 };

    c.items = ARENA_NEW_ARRAY(a, struct managed_entry, c.cap);
    if (m->len)
        memcpy(c.items, m->items, m->len * sizeof(*m->items));
    return c;
}

struct managed_entry *managed_fields_find(const struct managed_fields *m,
                                          const struct managed_manager *who)
{
    for (uint32_t i = 0; i < m->len; i++) {
        struct managed_entry *e = &m->items[i];

        if (e->applied == who->applied && str_eq(e->manager, who->name) &&
            str_eq(e->subresource, who->subresource) &&
            (who->applied || str_eq(e->api_version, who->api_version)))
            return e;
    }
    return NULL;
}

struct managed_entry *managed_fields_add(struct arena *a, struct managed_fields *m,
                                         const struct managed_manager *who)
{
    struct managed_entry *e;

    if (m->len == m->cap) {
        struct managed_fields wider = { .len = m->len, .cap = m->cap * 2 + 2 };

        wider.items = ARENA_NEW_ARRAY(a, struct managed_entry, wider.cap);
        if (m->len)
            memcpy(wider.items, m->items, m->len * sizeof(*m->items));
        *m = wider;
    }
    e = &m->items[m->len++];
    *e = (struct managed_entry){
        .manager = who->name,
        .api_version = who->api_version,
        .subresource = who->subresource,
        .applied = who->applied,
    };
    return e;
}

void managed_entry_set(struct managed_entry *e, struct field_set set)
{
    if (field_set_equal(&e->set, &set))
        return;
    e->set = set;
    e->text = STR_NULL;
}

void managed_fields_remove_empty(struct managed_fields *m)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < m->len; i++)
        if (!field_set_is_empty(&m->items[i].set))
            m->items[n++] = m->items[i];
    m->len = n;
}

bool managed_fields_equal(const struct managed_fields *x, const struct managed_fields *y)
{
    if (x->len != y->len)
        return false;
    for (uint32_t i = 0; i < x->len; i++) {
        const struct managed_entry *e = &x->items[i];
        const struct managed_manager who = identity(e);
        const struct managed_entry *f = managed_fields_find(y, &who);

        if (!f || !str_eq(e->api_version, f->api_version) || !field_set_equal(&e->set, &f->set))
            return false;
    }
    return true;
}

/* --- the cap --- */

static int compare_age(const void *x, const void *y)
{
    const struct managed_entry *a = x, *b = y;
    int64_t sa = a->time.set ? a->time.sec : 0, sb = b->time.set ? b->time.sec : 0;
    int c = (int)a->applied - (int)b->applied;

    if (!c)
        c = (sa > sb) - (sa < sb);
    if (!c)
        c = str_cmp(a->manager, b->manager);
    if (!c)
        c = str_cmp(a->api_version, b->api_version);
    return c ? c : str_cmp(a->subresource, b->subresource);
}

/* The first updater of that version among the oldest n, or NULL. */
static struct managed_entry *first_of_version(struct managed_fields *m, uint32_t n,
                                              struct str version)
{
    for (uint32_t i = 0; i < n; i++)
        if (!field_set_is_empty(&m->items[i].set) && str_eq(m->items[i].api_version, version))
            return &m->items[i];
    return NULL;
}

void managed_fields_cap(struct arena *a, struct managed_fields *m)
{
    uint32_t updaters = 0, left;

    for (uint32_t i = 0; i < m->len; i++)
        updaters += !m->items[i].applied;
    if (updaters <= MANAGED_FIELDS_MAX_UPDATERS)
        return;
    qsort(m->items, m->len, sizeof(*m->items), compare_age);
    left = updaters;
    for (uint32_t i = 0; i < updaters && left > MANAGED_FIELDS_MAX_UPDATERS; i++) {
        struct managed_entry *e = &m->items[i];
        const struct managed_manager ancient = { STR("ancient-changes"), e->api_version, STR_NULL,
                                                 false };
        struct managed_entry *bucket = managed_fields_find(m, &ancient);
        struct managed_entry *first = first_of_version(m, i, e->api_version);

        if (!first)
            continue;
        if (!bucket) {
            bucket = first;
            bucket->manager = ancient.name;
            bucket->subresource = STR_NULL;
        } else if (bucket == e) {
            continue;
        }
        managed_entry_set(bucket, field_set_union(a, &e->set, &bucket->set));
        bucket->time = e->time;
        e->set = (struct field_set){ 0 };
        left--;
    }
    managed_fields_remove_empty(m);
}

/* --- the rest --- */

bool managed_fields_is_reset(const struct meta_v1_object_meta *meta)
{
    const struct meta_v1_managed_fields_entry *e = meta->managed_fields.items;

    if (!meta->managed_fields.len)
        return e != NULL;
    return meta->managed_fields.len == 1 && !e->manager.len && !e->operation.len &&
           !e->api_version.len && !e->time.set && !e->fields_type.len && !e->fields_v1.p &&
           !e->subresource.len;
}

#define LEAF(name)                                                                                 \
    {                                                                                              \
        .element = STR_INIT("f:" name), .member = true                                             \
    }

static struct field_set_node never_metadata[] = {
    LEAF("clusterName"), LEAF("creationTimestamp"), LEAF("generation"),      LEAF("managedFields"),
    LEAF("name"),        LEAF("namespace"),         LEAF("resourceVersion"), LEAF("selfLink"),
    LEAF("uid"),
};

static struct field_set_node never_root[] = {
    LEAF("apiVersion"),
    LEAF("kind"),
    {
        .element = STR_INIT("f:metadata"),
        .below = { never_metadata, ARRAY_LEN(never_metadata), ARRAY_LEN(never_metadata) },
        .member = true,
    },
};

static const struct field_set never_owned = { never_root, ARRAY_LEN(never_root),
                                              ARRAY_LEN(never_root) };

const struct field_set *managed_fields_never_owned(void)
{
    return &never_owned;
}

static bool is_printable(unsigned char c)
{
    return c >= ' ' && c != 0x7f;
}

bool managed_fields_name_is_printable(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!is_printable((unsigned char)name.p[i]))
            return false;
    return true;
}

struct str managed_fields_agent_name(struct arena *a, struct str user_agent)
{
    struct str head, rest;
    struct buf b = { 0 };

    str_cut(user_agent, '/', &head, &rest);
    buf_init_arena(&b, a,
                   head.len < MANAGED_FIELDS_MANAGER_MAX ? head.len + 1
                                                         : MANAGED_FIELDS_MANAGER_MAX + 1);
    for (size_t i = 0; i < head.len && b.len < MANAGED_FIELDS_MANAGER_MAX; i++)
        if (is_printable((unsigned char)head.p[i]))
            buf_append_char(&b, head.p[i]);
    return b.len ? buf_str(&b) : STR("unknown");
}
