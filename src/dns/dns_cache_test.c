#include "dns/dns_cache.h"

#include <criterion/criterion.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dns/dns_reply.h"

static struct dns_reply *reply(uint32_t ttl_s, bool is_negative, size_t bytes)
{
    struct dns_reply *r = mem_zalloc(sizeof(*r) + bytes);

    r->bytes = sizeof(*r) + bytes;
    r->ttl_s = ttl_s;
    r->is_negative = is_negative;
    return r;
}

static struct clock_fake now;

static struct dns_cache *cache(size_t n)
{
    clock_fake_init(&now, 0);
    return dns_cache_new(&now.clock, n);
}

Test(dns_cache, answers_age_and_end)
{
    struct dns_cache *c = cache(10);
    uint32_t age = 0;

    dns_cache_put(c, STR("a"), reply(30, false, 100));
    clock_fake_advance(&now, 29999000000);
    cr_assert(dns_cache_get(c, STR("a"), &age) != NULL);
    cr_expect_eq(age, 29);
    clock_fake_advance(&now, 1000000);
    cr_expect(dns_cache_get(c, STR("a"), &age) == NULL);
    cr_expect_eq(dns_cache_stats(c).bytes, 0);
    dns_cache_put(c, STR("a"), reply(0, false, 100));
    cr_expect(dns_cache_get(c, STR("a"), &age) == NULL, "not to be kept");
    cr_expect_eq(dns_cache_stats(c).misses, 2);
    dns_cache_free(c);
}

Test(dns_cache, nothing_is_kept_for_ever)
{
    struct dns_cache *c = cache(10);
    uint32_t age;

    dns_cache_put(c, STR("a"), reply(1000000, false, 1));
    dns_cache_put(c, STR("b"), reply(1000000, true, 1));
    cr_expect_eq(dns_cache_stats(c).entries[1], 1);
    clock_fake_advance(&now, (int64_t)DNS_CACHE_MAX_DENIAL_S * 1000000000);
    cr_expect(dns_cache_get(c, STR("a"), &age) != NULL);
    cr_expect(dns_cache_get(c, STR("b"), &age) == NULL);
    clock_fake_advance(&now, (int64_t)DNS_CACHE_MAX_TTL_S * 1000000000);
    cr_expect(dns_cache_get(c, STR("a"), &age) == NULL);
    dns_cache_free(c);
}

Test(dns_cache, the_least_asked_for_leave)
{
    struct dns_cache *c = cache(2);
    uint32_t age;

    dns_cache_put(c, STR("a"), reply(30, false, 1));
    dns_cache_put(c, STR("b"), reply(30, false, 1));
    cr_expect(dns_cache_get(c, STR("a"), &age) != NULL);
    dns_cache_put(c, STR("c"), reply(30, false, 1));
    cr_expect(dns_cache_get(c, STR("b"), &age) == NULL);
    cr_expect(dns_cache_get(c, STR("a"), &age) != NULL);
    cr_expect(dns_cache_get(c, STR("c"), &age) != NULL);
    cr_expect_eq(dns_cache_stats(c).evictions, 1);
    dns_cache_put(c, STR("c"), reply(30, true, 1));
    cr_expect_eq(dns_cache_stats(c).entries[0], 1, "replaced");
    dns_cache_free(c);
}

Test(dns_cache, bytes_are_bounded_as_well)
{
    struct dns_cache *c = cache(1000000);
    char key[16];

    for (int i = 0; i < 1000; i++) {
        int n = snprintf(key, sizeof(key), "%d", i);

        dns_cache_put(c, str_n(key, (size_t)n), reply(30, false, 100000));
    }
    cr_expect_leq(dns_cache_stats(c).bytes, DNS_CACHE_MAX_BYTES);
    cr_expect_gt(dns_cache_stats(c).entries[0], 50);
    dns_cache_free(c);
}
