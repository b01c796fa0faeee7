#include "base/map.h"

#include "base/hash.h"
#include "base/mem.h"

static const char tomb[1];

/* Up to this many slots are gone through in order: that is cheaper than a hash, and too short for
 * collisions to matter. Their hashes are 0. */
enum { SMALL_CAP = 8 };

static bool is_live(const struct map_entry *e)
{
    return e->key.p && e->key.p != tomb;
}

void map_done(struct map *m)
{
    for (size_t i = 0; i < m->cap; i++) {
        if (is_live(&m->entries[i]))
            mem_free((char *)(uintptr_t)m->entries[i].key.p);
    }
    mem_free(m->entries);
    *m = (struct map){ 0 };
}

static uint64_t hash_for(size_t cap, struct str key)
{
    return cap <= SMALL_CAP ? 0 : hash_str(key);
}

/* The entry of key, or NULL. */
static struct map_entry *find(const struct map *m, struct str key, uint64_t hash)
{
    if (!m->cap)
        return NULL;
    for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct map_entry *e = &m->entries[i];

        if (!e->key.p)
            return NULL;
        if (e->key.p != tomb && e->hash == hash && str_eq(e->key, key))
            return e;
    }
}

/* The first slot that a new key may take; there is always one. */
static struct map_entry *free_slot(struct map_entry *entries, size_t cap, uint64_t hash)
{
    size_t i = hash & (cap - 1);

    while (is_live(&entries[i]))
        i = (i + 1) & (cap - 1);
    return &entries[i];
}

static void rehash(struct map *m)
{
    size_t cap = SMALL_CAP;
    struct map_entry *entries;

    while (cap < (m->len + 1) * 2)
        cap *= 2;
    entries = mem_zalloc(cap * sizeof(*entries));
    for (size_t i = 0; i < m->cap; i++) {
        struct map_entry *e = &m->entries[i];

        if (!is_live(e))
            continue;
        if ((m->cap <= SMALL_CAP) != (cap <= SMALL_CAP))
            e->hash = hash_for(cap, e->key);
        *free_slot(entries, cap, e->hash) = *e;
    }
    mem_free(m->entries);
    m->entries = entries;
    m->cap = cap;
    m->used = m->len;
}

void *map_get(const struct map *m, struct str key)
{
    const struct map_entry *e = find(m, key, hash_for(m->cap, key));

    return e ? e->value : NULL;
}

bool map_has(const struct map *m, struct str key)
{
    return find(m, key, hash_for(m->cap, key)) != NULL;
}

void *map_put(struct map *m, struct str key, void *value)
{
    uint64_t hash = hash_for(m->cap, key);
    struct map_entry *e = find(m, key, hash);

    if (e) {
        void *old = e->value;

        e->value = value;
        return old;
    }
    if ((m->used + 1) * 4 > m->cap * 3) {
        rehash(m);
        hash = hash_for(m->cap, key);
    }
    e = free_slot(m->entries, m->cap, hash);
    m->used += !e->key.p;
    m->len++;
    *e = (struct map_entry){ .key = str_n(str_heap_cstr(key), key.len),
                             .hash = hash,
                             .value = value };
    return NULL;
}

void *map_remove(struct map *m, struct str key)
{
    struct map_entry *e = find(m, key, hash_for(m->cap, key));

    if (!e)
        return NULL;
    mem_free((char *)(uintptr_t)e->key.p);
    e->key = str_n(tomb, 0);
    m->len--;
    return e->value;
}

struct map_entry *map_next(const struct map *m, size_t *cursor)
{
    while (*cursor < m->cap) {
        struct map_entry *e = &m->entries[(*cursor)++];

        if (is_live(e))
            return e;
    }
    return NULL;
}
