#include "api/managed_fields.h"

#include <criterion/criterion.h>

#include "api/meta_v1.h"
#include "base/arena.h"
#include "base/err.h"

static struct meta_v1_managed_fields_entry entry(const char *manager, const char *operation,
                                                 const char *version, int64_t sec,
                                                 const char *fields)
{
    return (struct meta_v1_managed_fields_entry){
        .manager = str_from_cstr(manager),
        .operation = str_from_cstr(operation),
        .api_version = str_from_cstr(version),
        .time = { .sec = sec, .set = sec != 0 },
        .fields_type = STR("FieldsV1"),
        .fields_v1 = str_from_cstr(fields),
    };
}

Test(managed_fields, what_is_read_is_written_in_order)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct meta_v1_managed_fields_entry items[] = {
        entry("u", "Update", "v1", 20, "{\"f:data\":{}}"),
        entry("z", "Update", "v1", 10, "{\"f:a\":{}}"),
        entry("a", "Apply", "v1", 30, "{\"f:b\":{}}"),
        entry("a", "Update", "v2", 10, "{\"f:c\":{}}"),
    };
    struct meta_v1_object_meta meta = { 0 };
    struct managed_fields m;
    struct err err = { 0 };
    const char *want[] = { "a", "a", "z", "u" };

    meta.managed_fields.items = items;
    meta.managed_fields.len = 4;
    cr_assert_eq(managed_fields_decode(&a, &meta, &m, &err), 0, "%s", err.text);
    managed_fields_encode(&a, &m, &meta);
    cr_assert_eq(meta.managed_fields.len, 4);
    for (size_t i = 0; i < 4; i++)
        cr_expect(str_eq(meta.managed_fields.items[i].manager, str_from_cstr(want[i])));
    cr_expect(str_eq(meta.managed_fields.items[0].operation, STR("Apply")));
    cr_expect(str_eq(meta.managed_fields.items[3].fields_v1, STR("{\"f:data\":{}}")));
}

Test(managed_fields, refuses)
{
    static const struct {
        const char *operation, *version, *type, *fields, *text;
    } cases[] = {
        { "x", "v1", "FieldsV1", "{}", "operation must be `Apply` or `Update`" },
        { "Apply", "", "FieldsV1", "{}", "apiVersion must not be empty" },
        { "Apply", "v1", "", "{}", "missing fieldsType in managed fields entry 0" },
        { "Apply", "v1", "F", "{}", "invalid fieldsType \"F\" in managed fields entry 0" },
        { "Apply", "v1", "FieldsV1", "{\"x\":{}}", "error decoding versioned set: missing colon" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct meta_v1_managed_fields_entry e =
            entry("m", cases[i].operation, cases[i].version, 0, cases[i].fields);
        struct meta_v1_object_meta meta = { 0 };
        struct managed_fields m;
        struct err err = { 0 };

        e.fields_type = str_from_cstr(cases[i].type);
        meta.managed_fields.items = &e;
        meta.managed_fields.len = 1;
        cr_expect_eq(managed_fields_decode(&a, &meta, &m, &err), ERR_INVALID);
        cr_expect_str_eq(err.text, cases[i].text);
    }
}

Test(managed_fields, an_applier_is_one_in_all_versions)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct managed_fields m = { 0 };
    struct managed_manager applier = { STR("m"), STR("v1"), STR_NULL, true };
    struct managed_manager updater = { STR("m"), STR("v1"), STR_NULL, false };

    managed_fields_add(&a, &m, &applier);
    managed_fields_add(&a, &m, &updater);
    applier.api_version = updater.api_version = STR("v2");
    cr_expect_not_null(managed_fields_find(&m, &applier));
    cr_expect_null(managed_fields_find(&m, &updater));
    applier.subresource = STR("status");
    cr_expect_null(managed_fields_find(&m, &applier));
}

Test(managed_fields, the_oldest_updaters_are_joined)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct managed_fields m = { 0 };
    int ancient = 0, old_v2 = 0;

    for (int i = 0; i < 13; i++) {
        struct managed_manager who = { arena_printf(&a, "m%02d", i), STR("v1"), STR_NULL, i == 12 };
        struct managed_entry *e;

        if (i == 1)
            who.api_version = STR("v2");
        e = managed_fields_add(&a, &m, &who);
        e->time = (struct ktime){ .sec = 100 + i, .set = true };
        field_set_add_names(&a, &e->set, arena_printf(&a, "f%d", i));
    }
    managed_fields_cap(&a, &m);
    cr_expect_eq(m.len, MANAGED_FIELDS_MAX_UPDATERS + 1);
    for (uint32_t i = 0; i < m.len; i++) {
        old_v2 += str_eq(m.items[i].api_version, STR("v2"));
        if (!str_eq(m.items[i].manager, STR("ancient-changes")))
            continue;
        ancient++;
        cr_expect_eq(m.items[i].set.len, 3);
        cr_expect_eq(m.items[i].time.sec, 103);
    }
    cr_expect_eq(ancient, 1);
    cr_expect_eq(old_v2, 1);
}

Test(managed_fields, resets)
{
    struct meta_v1_managed_fields_entry e = { 0 };
    struct meta_v1_object_meta meta = { 0 };

    cr_expect_not(managed_fields_is_reset(&meta));
    meta.managed_fields.items = &e;
    cr_expect(managed_fields_is_reset(&meta));
    meta.managed_fields.len = 1;
    cr_expect(managed_fields_is_reset(&meta));
    e.manager = STR("x");
    cr_expect_not(managed_fields_is_reset(&meta));
}

Test(managed_fields, agents)
{
    static const struct {
        const char *agent, *want;
    } cases[] = {
        { "kubectl/v1.36 (linux/amd64)", "kubectl" },
        { "robot", "robot" },
        { "", "unknown" },
        { "/x", "unknown" },
        { "a\tb/1", "ab" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct str s = managed_fields_agent_name(&a, str_from_cstr(cases[i].agent));

        cr_expect(str_eq(s, str_from_cstr(cases[i].want)), "%s: %.*s", cases[i].agent, STR_ARG(s));
    }
    cr_expect(managed_fields_name_is_printable(STR("a b-c")));
    cr_expect_not(managed_fields_name_is_printable(STR("a\nb")));
}
