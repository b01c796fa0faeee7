/* Every row of the rules has one accepted and one refused object in the tables of tests. */
#include "api/rules.h"

#include "api/validation_fixture.h"
#include "base/map.h"

struct validation_table *validation_tables;

static struct map accepted, refused;

static struct str key_of(const struct rule *r, char *buf, size_t size)
{
    (void)snprintf(buf, size, "%p", (const void *)r);
    return str_from_cstr(buf);
}

static void see(const struct rule *r, bool is_refused)
{
    char buf[32];

    (void)map_put(is_refused ? &refused : &accepted, key_of(r, buf, sizeof(buf)), &refused);
}

/* Rows that refuse nothing themselves, and texts that are too long to be written out. */
static bool is_exempt(const struct rule *r)
{
    return r->check == RULE_DO || (r->check == RULE_BELOW && !r->fn) ||
           (r->check == RULE_MAX_BYTES && r->max > 4096);
}

static void check_row(const struct rule *r)
{
    char buf[32];
    struct str key = key_of(r, buf, sizeof(buf));

    if (is_exempt(r))
        return;
    cr_expect(map_has(&accepted, key), "accepted nowhere: %s %s (check %d) %s", r->type,
              r->field ? r->field : "", r->check, r->text ? r->text : "");
    cr_expect(map_has(&refused, key), "refused nowhere: %s %s (check %d) %s", r->type,
              r->field ? r->field : "", r->check, r->text ? r->text : "");
}

Test(validation_rows, each_has_both)
{
    validation_observe(see);
    for (const struct validation_table *t = validation_tables; t; t = t->next)
        for (size_t i = 0; i < t->len; i++)
            t->run(&t->cases[i]);
    validation_each_rule(check_row);
    map_done(&accepted);
    map_done(&refused);
}
