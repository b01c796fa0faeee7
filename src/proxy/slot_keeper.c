#include "proxy/slot_keeper.h"

#include "base/map.h"
#include "base/mem.h"

/* The slots of a place: elements that follow each other. */
struct run {
    size_t at, n;
};
struct runs VEC(struct run);

/* What a slot leads to. */
struct target {
    struct ip to;
    uint16_t to_port;
    uint32_t id;
};

static bool has_slots(const struct proxy_element *e)
{
    return e->set == PROXY_EPS || e->set == PROXY_NPEPS || e->set == PROXY_IDS ||
           e->set == PROXY_NPIDS;
}

static bool is_same_place(const struct proxy_element *a, const struct proxy_element *b)
{
    return a->set == b->set && a->family == b->family && a->protocol == b->protocol &&
           a->port == b->port && ip_cmp(&a->address, &b->address) == 0;
}

static void find_runs(const struct proxy_elements *list, struct runs *ret)
{
    for (size_t i = 0; i < list->len; i++) {
        const struct proxy_element *e = &list->items[i], *before = e - 1;

        if (!has_slots(e))
            continue;
        if (i && is_same_place(before, e) && e->slot == before->slot + 1 && ret->len)
            VEC_LAST(ret).n++;
        else
            VEC_PUSH(ret, (struct run){ i, 1 });
    }
}

static bool is_same_target(const struct proxy_element *a, const struct proxy_element *b)
{
    return a->to_port == b->to_port && a->id == b->id && ip_cmp(&a->to, &b->to) == 0;
}

static struct target target_of(const struct proxy_element *e)
{
    struct target t;

    memset(&t, 0, sizeof(t)); /* its bytes are a key */
    t.to = e->to;
    t.to_port = e->to_port;
    t.id = e->id;
    return t;
}

static void aim(struct proxy_element *e, const struct target *t)
{
    e->to = t->to;
    e->to_port = t->to_port;
    e->id = t->id;
}

/* How many slots of a target are still to be dealt out. */
static size_t *count_of(struct map *counts, const struct target *t)
{
    return map_get(counts, str_n((const char *)t, sizeof(*t)));
}

static void settle(const struct proxy_element *was, size_t n_was, struct proxy_element *is,
                   size_t n)
{
    struct target *wanted = mem_alloc(n * sizeof(*wanted));
    bool *is_kept = mem_zalloc(n);
    struct map counts = { 0 };
    size_t next = 0;

    for (size_t i = 0; i < n; i++) {
        size_t *count;

        wanted[i] = target_of(&is[i]);
        count = count_of(&counts, &wanted[i]);
        if (!count) {
            count = NEW(size_t);
            (void)map_put(&counts, str_n((const char *)&wanted[i], sizeof(*wanted)), count);
        }
        ++*count;
    }
    for (size_t i = 0; i < n && i < n_was; i++) {
        struct target t = target_of(&was[i]);
        size_t *count = count_of(&counts, &t);

        if (!count || !*count)
            continue;
        --*count;
        aim(&is[i], &t);
        is_kept[i] = true;
    }
    for (size_t i = 0; i < n; i++) {
        size_t *count = count_of(&counts, &wanted[i]);

        if (!count || !*count)
            continue;
        --*count;
        while (is_kept[next])
            next++;
        aim(&is[next++], &wanted[i]);
    }
    MAP_FOREACH(it, &counts)
        mem_free(it->value);
    map_done(&counts);
    mem_free(is_kept);
    mem_free(wanted);
}

static bool is_settled(const struct proxy_element *was, size_t n_was,
                       const struct proxy_element *is, size_t n)
{
    for (size_t i = 0; i < n && i < n_was; i++)
        if (!is_same_target(&was[i], &is[i]))
            return false;
    return true;
}

void slot_keeper_settle(const struct proxy_elements *was, struct proxy_elements *is)
{
    struct runs before = { 0 }, now = { 0 };

    find_runs(was, &before);
    find_runs(is, &now);
    VEC_FOREACH(const struct run *, r, &now)
        VEC_FOREACH(const struct run *, b, &before) {
            const struct proxy_element *old = &was->items[b->at];
            struct proxy_element *new = &is->items[r->at];

            if (is_same_place(old, new) && old->slot == new->slot &&
                !is_settled(old, b->n, new, r->n))
                settle(old, b->n, new, r->n);
        }
    VEC_DONE(&before);
    VEC_DONE(&now);
}
