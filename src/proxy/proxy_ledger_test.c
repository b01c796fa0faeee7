#include "proxy/proxy_ledger.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "net/nft_batch.h"

static char woken[64];
static struct nft_batch *batch;

static void on_free(struct str owner, void *arg)
{
    (void)arg;
    (void)snprintf(woken, sizeof(woken), "%.*s", STR_ARG(owner));
}

static struct proxy_ledger *ledger(void)
{
    batch = nft_batch_new();
    woken[0] = '\0';
    return proxy_ledger_new(
        &(struct proxy_ledger_options){ .batch = batch, .table = "t", .on_free = on_free });
}

/* n slots of one place, to 10.0.0.<first>, 10.0.0.<first + 1>, ... */
static struct proxy_elements slots(uint16_t port, unsigned n, unsigned first)
{
    struct proxy_elements e = { 0 };

    for (unsigned i = 0; i < n; i++) {
        struct proxy_element x = { .set = PROXY_EPS,
                                   .family = AF_INET,
                                   .protocol = IPPROTO_UDP,
                                   .port = port,
                                   .slot = i,
                                   .to_port = 53 };

        x.address = (struct ip){ AF_INET, { 10, 96, 0, 1 } };
        x.to = (struct ip){ AF_INET, { 10, 0, (uint8_t)((first + i) >> 8), (uint8_t)(first + i) } };
        VEC_PUSH(&e, x);
    }
    return e;
}

static size_t changes(struct proxy_ledger *l, const char *owner, struct proxy_elements e)
{
    nft_batch_reset(batch);
    proxy_ledger_replace(l, str_from_cstr(owner), &e);
    cr_expect(e.items == NULL);
    return nft_batch_len(batch);
}

static void done(struct proxy_ledger *l)
{
    proxy_ledger_free(l);
    nft_batch_free(batch);
}

Test(proxy_ledger, what_stays_is_not_touched)
{
    struct proxy_ledger *l = ledger();
    struct proxy_elements none = { 0 };

    cr_expect_eq(changes(l, "a", slots(1, 5, 1)), 5);
    cr_expect_eq(changes(l, "a", slots(1, 5, 1)), 0);
    cr_expect_eq(changes(l, "a", slots(1, 4, 1)), 1);
    cr_expect_eq(proxy_ledger_gone(l)->len, 1, "its datagrams are to be forgotten");
    VEC_CLEAR(proxy_ledger_gone(l));
    cr_expect_eq(changes(l, "a", slots(1, 4, 2)), 2, "one endpoint went, one came");
    cr_expect_eq(proxy_ledger_len(l), 4);
    cr_expect_eq(proxy_ledger_gone(l)->len, 1, "those that stay are not forgotten");
    VEC_CLEAR(proxy_ledger_gone(l));
    cr_expect_eq(changes(l, "a", none), 4);
    cr_expect_eq(proxy_ledger_gone(l)->len, 4);
    cr_expect_eq(proxy_ledger_len(l), 0);
    done(l);
}

Test(proxy_ledger, long_lists_are_compared_by_key)
{
    struct proxy_ledger *l = ledger();
    struct proxy_elements e = slots(1, 20000, 0), turned = slots(1, 20000, 0);

    cr_expect_eq(changes(l, "a", e), 20000);
    for (size_t i = 0; i < turned.len / 2; i++) {
        struct proxy_element x = turned.items[i];

        turned.items[i] = turned.items[turned.len - 1 - i];
        turned.items[turned.len - 1 - i] = x;
    }
    cr_expect_eq(changes(l, "a", turned), 0, "the order alone differs");
    done(l);
}

Test(proxy_ledger, two_may_want_the_same)
{
    struct proxy_ledger *l = ledger();
    struct proxy_elements none = { 0 };

    cr_expect_eq(changes(l, "a", slots(1, 1, 1)), 1);
    cr_expect_eq(changes(l, "b", slots(1, 1, 1)), 0);
    cr_expect_eq(changes(l, "a", none), 0);
    cr_expect_eq(changes(l, "b", none), 1);
    done(l);
}

Test(proxy_ledger, the_second_gets_it_when_the_first_goes)
{
    struct proxy_ledger *l = ledger();
    struct proxy_elements none = { 0 };

    cr_expect_eq(changes(l, "a", slots(1, 1, 1)), 1);
    cr_expect_eq(changes(l, "b", slots(1, 1, 2)), 0);
    cr_expect_eq(changes(l, "b", slots(1, 1, 2)), 0);
    cr_expect_str_eq(woken, "");
    cr_expect_eq(changes(l, "a", none), 1);
    cr_expect_str_eq(woken, "b");
    cr_expect_eq(changes(l, "b", slots(1, 1, 2)), 1);
    woken[0] = '\0';
    cr_expect_eq(changes(l, "b", none), 1);
    cr_expect_str_eq(woken, "", "nobody waits any more");
    done(l);
}
