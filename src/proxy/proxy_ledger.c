#include "proxy/proxy_ledger.h"

#include <netinet/in.h>

#include "base/map.h"
#include "base/mem.h"
#include "proxy/slot_keeper.h"

enum { FEW = 32 };

/* An element that the kernel has, for as many owners as want it. */
struct rule {
    struct proxy_element element;
    uint32_t users;
};

struct proxy_ledger {
    struct proxy_ledger_options o;
    struct map rules;           /* bytes of set and key -> struct rule */
    struct map wanted;          /* owner -> struct proxy_elements */
    struct map shadowed;        /* owners of whom something is */
    struct proxy_elements gone; /* endpoints whose datagrams may still go there */
};

struct proxy_ledger *proxy_ledger_new(const struct proxy_ledger_options *o)
{
    struct proxy_ledger *l = NEW(struct proxy_ledger);

    l->o = *o;
    return l;
}

static void elements_free(struct proxy_elements *e)
{
    if (!e)
        return;
    VEC_DONE(e);
    mem_free(e);
}

void proxy_ledger_free(struct proxy_ledger *l)
{
    if (!l)
        return;
    MAP_FOREACH(it, &l->wanted)
        elements_free(it->value);
    MAP_FOREACH(it, &l->rules)
        mem_free(it->value);
    map_done(&l->wanted);
    map_done(&l->rules);
    map_done(&l->shadowed);
    VEC_DONE(&l->gone);
    mem_free(l);
}

static void wake_shadowed(struct proxy_ledger *l)
{
    MAP_FOREACH(it, &l->shadowed)
        l->o.on_free(it->key, l->o.arg);
}

static void release(struct proxy_ledger *l, const struct proxy_element *e)
{
    char text[PROXY_KEY_BYTES];
    struct str key = proxy_element_key(e, text);
    struct rule *r = map_get(&l->rules, key);

    if (!r || e->is_shadowed || --r->users)
        return;
    proxy_table_remove(l->o.batch, l->o.table, &r->element);
    (void)map_remove(&l->rules, key);
    mem_free(r);
    wake_shadowed(l);
}

static void acquire(struct proxy_ledger *l, struct proxy_element *e)
{
    char text[PROXY_KEY_BYTES];
    struct str key = proxy_element_key(e, text);
    struct rule *r = map_get(&l->rules, key);

    if (r) {
        e->is_shadowed = !proxy_element_same_value(&r->element, e);
        r->users += !e->is_shadowed;
        return;
    }
    e->is_shadowed = false;
    r = NEW(struct rule);
    r->element = *e;
    r->users = 1;
    (void)map_put(&l->rules, key, r);
    proxy_table_add(l->o.batch, l->o.table, e);
}

/* --- what is in both of two lists --- */

struct lookup {
    const struct proxy_elements *list;
    struct map by_key; /* of a long list, made when it is first needed */
};

static bool is_same(const struct proxy_element *a, const struct proxy_element *b)
{
    char x[PROXY_KEY_BYTES], y[PROXY_KEY_BYTES];

    return a->set == b->set && proxy_element_same_value(a, b) &&
           str_eq(proxy_element_key(a, x), proxy_element_key(b, y));
}

static const struct proxy_element *find(struct lookup *in, const struct proxy_element *e,
                                        size_t hint)
{
    const struct proxy_elements *list = in->list;
    const struct proxy_element *found;
    char text[PROXY_KEY_BYTES];

    /* Lists are made in the same order, so the place is mostly the same. */
    if (hint < list->len && is_same(&list->items[hint], e))
        return &list->items[hint];
    for (size_t i = 0; list->len <= FEW && i < list->len; i++)
        if (is_same(&list->items[i], e))
            return &list->items[i];
    if (list->len <= FEW)
        return NULL;
    for (size_t i = in->by_key.len ? list->len : 0; i < list->len; i++)
        (void)map_put(&in->by_key, proxy_element_key(&list->items[i], text), &list->items[i]);
    found = map_get(&in->by_key, proxy_element_key(e, text));
    return found && proxy_element_same_value(found, e) ? found : NULL;
}

/* --- endpoints of datagrams that went: no slot leads there any more --- */

/* A place and an endpoint of it, whichever its slot. */
static struct str path_of(const struct proxy_element *e, char ret[PROXY_KEY_BYTES])
{
    size_t n = 0;

    ret[n++] = (char)e->family;
    memcpy(ret + n, &e->port, sizeof(e->port));
    n += sizeof(e->port);
    memcpy(ret + n, e->address.bytes, sizeof(e->address.bytes));
    n += sizeof(e->address.bytes);
    memcpy(ret + n, e->to.bytes, sizeof(e->to.bytes));
    n += sizeof(e->to.bytes);
    memcpy(ret + n, &e->to_port, sizeof(e->to_port));
    return str_n(ret, n + sizeof(e->to_port));
}

static bool is_path(const struct proxy_element *e)
{
    return e->protocol == IPPROTO_UDP && e->to.family && !e->is_shadowed && e->set != PROXY_RANGES;
}

static void note_gone(struct proxy_ledger *l, const struct proxy_elements *was,
                      const struct proxy_elements *is)
{
    char text[PROXY_KEY_BYTES];
    struct map there = { 0 };

    for (size_t i = 0; i < is->len; i++)
        if (is_path(&is->items[i]))
            (void)map_put(&there, path_of(&is->items[i], text), l);
    for (size_t i = 0; i < was->len; i++)
        if (is_path(&was->items[i]) && !map_put(&there, path_of(&was->items[i], text), l))
            VEC_PUSH(&l->gone, was->items[i]);
    map_done(&there);
}

static bool is_shadowed(const struct proxy_elements *list)
{
    for (size_t i = 0; i < list->len; i++)
        if (list->items[i].is_shadowed)
            return true;
    return false;
}

void proxy_ledger_replace(struct proxy_ledger *l, struct str owner, struct proxy_elements *take)
{
    static const struct proxy_elements none = { 0 };
    struct proxy_elements *old = map_get(&l->wanted, owner), *new = NEW(struct proxy_elements);
    struct lookup was = { .list = old ? old : &none }, is = { .list = new };

    *new = *take;
    *take = none;
    slot_keeper_settle(was.list, new);
    for (size_t i = 0; i < was.list->len; i++)
        if (!find(&is, &was.list->items[i], i))
            release(l, &was.list->items[i]);
    for (size_t i = 0; i < new->len; i++) {
        const struct proxy_element *same = find(&was, &new->items[i], i);

        if (!same || same->is_shadowed)
            acquire(l, &new->items[i]);
    }
    note_gone(l, was.list, new);
    if (is_shadowed(new))
        (void)map_put(&l->shadowed, owner, l);
    else
        (void)map_remove(&l->shadowed, owner);
    if (new->len) {
        (void)map_put(&l->wanted, owner, new);
    } else {
        (void)map_remove(&l->wanted, owner);
        elements_free(new);
    }
    elements_free(old);
    map_done(&was.by_key);
    map_done(&is.by_key);
}

size_t proxy_ledger_len(const struct proxy_ledger *l)
{
    return l->rules.len;
}

const struct proxy_element *proxy_ledger_next(const struct proxy_ledger *l, size_t *cursor)
{
    const struct map_entry *e = map_next(&l->rules, cursor);

    return e ? &((const struct rule *)e->value)->element : NULL;
}

struct proxy_elements *proxy_ledger_gone(struct proxy_ledger *l)
{
    return &l->gone;
}
