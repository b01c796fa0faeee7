#include "dns/dns_cache.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "dns/dns_reply.h"

struct entry {
    struct list link; /* the least asked for first */
    char *key;
    size_t key_len;
    struct dns_reply *reply;
    int64_t from_ms, until_ms;
};

struct dns_cache {
    const struct clock *clock;
    size_t max_entries;
    struct map entries;
    struct list order;
    struct dns_cache_stats stats;
};

/* What an entry costs beside its reply: itself, its key twice, its place in the map. */
static size_t cost_of(const struct entry *e)
{
    return e->reply->bytes + sizeof(*e) + 2 * e->key_len + sizeof(struct map_entry);
}

static void entry_drop(struct dns_cache *c, struct entry *e)
{
    (void)map_remove(&c->entries, str_n(e->key, e->key_len));
    list_remove(&e->link);
    c->stats.entries[e->reply->is_negative]--;
    c->stats.bytes -= cost_of(e);
    mem_free(e->reply);
    mem_free(e->key);
    mem_free(e);
}

const struct dns_reply *dns_cache_get(struct dns_cache *c, struct str key, uint32_t *ret_age_s)
{
    struct entry *e = map_get(&c->entries, key);
    int64_t now = clock_mono_ms(c->clock);

    if (e && now >= e->until_ms) {
        entry_drop(c, e);
        e = NULL;
    }
    if (!e) {
        c->stats.misses++;
        return NULL;
    }
    c->stats.hits[e->reply->is_negative]++;
    list_remove(&e->link);
    list_append(&c->order, &e->link);
    *ret_age_s = (uint32_t)((now - e->from_ms) / 1000);
    return e->reply;
}

void dns_cache_put(struct dns_cache *c, struct str key, struct dns_reply *take_reply)
{
    uint32_t most = take_reply->is_negative ? DNS_CACHE_MAX_DENIAL_S : DNS_CACHE_MAX_TTL_S;
    struct entry *e = map_get(&c->entries, key);

    if (e)
        entry_drop(c, e);
    if (!take_reply->ttl_s || !c->max_entries) {
        mem_free(take_reply);
        return;
    }
    e = NEW(struct entry);
    e->key = str_heap_cstr(key);
    e->key_len = key.len;
    e->reply = take_reply;
    e->from_ms = clock_mono_ms(c->clock);
    e->until_ms = e->from_ms + (int64_t)MIN(take_reply->ttl_s, most) * 1000;
    list_init(&e->link);
    list_append(&c->order, &e->link);
    (void)map_put(&c->entries, key, e);
    c->stats.entries[take_reply->is_negative]++;
    c->stats.bytes += cost_of(e);
    LIST_FOREACH_SAFE(n, &c->order) {
        if (c->entries.len <= c->max_entries && c->stats.bytes <= DNS_CACHE_MAX_BYTES)
            break;
        c->stats.evictions++;
        entry_drop(c, CONTAINER_OF(n, struct entry, link));
    }
}

struct dns_cache_stats dns_cache_stats(const struct dns_cache *c)
{
    return c->stats;
}

struct dns_cache *dns_cache_new(const struct clock *clock, size_t max_entries)
{
    struct dns_cache *c = NEW(struct dns_cache);

    c->clock = clock;
    c->max_entries = max_entries;
    list_init(&c->order);
    return c;
}

void dns_cache_free(struct dns_cache *c)
{
    struct list *n;

    if (!c)
        return;
    while ((n = list_first(&c->order)))
        entry_drop(c, CONTAINER_OF(n, struct entry, link));
    map_done(&c->entries);
    mem_free(c);
}
