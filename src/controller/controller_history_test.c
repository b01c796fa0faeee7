#include <criterion/criterion.h>

#include "api/apps_v1.h"
#include "api/core_v1.h"
#include "api/object_json.h"
#include "api/schema.h"
#include "base/arena.h"
#include "base/err.h"
#include "client/api_object.h"
#include "controller/controller_history.h"

static const struct core_v1_pod_template_spec *parse(struct arena *a, const char *json)
{
    struct object o;
    struct err err;
    int r = object_json_decode(
        a, &schema_builtin,
        schema_find_type(&schema_builtin, STR(""), STR("v1"), STR("PodTemplateSpec")),
        str_from_cstr(json), &o, NULL, &err);

    cr_assert_geq(r, 0, "%s", err.text);
    return o.data;
}

static const char template[] =
    "{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"a<b\",\"env\":[{\"name\":\"z\"},"
    "{\"name\":\"a\"}]}]},\"metadata\":{\"labels\":{\"b\":\"1\",\"a\":\"2\"}}}";

/* As upstream's Go prints it: members sorted, lists in their order. */
Test(controller_history, data_is_the_patch_that_brings_it_back)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str data = history_data(&a, parse(&a, template));

    cr_assert(
        str_eq(data, STR("{\"spec\":{\"template\":{\"$patch\":\"replace\",\"metadata\":{"
                         "\"labels\":{\"a\":\"2\",\"b\":\"1\"}},\"spec\":{\"containers\":[{"
                         "\"env\":[{\"name\":\"z\"},{\"name\":\"a\"}],\"image\":\"a\\u003cb\","
                         "\"name\":\"c\",\"resources\":{}}]}}}}")),
        "%.*s", STR_ARG(data));
}

Test(controller_history, data_leads_back_to_the_template)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct apps_v1_controller_revision rev = { .data = history_data(&a, parse(&a, template)) };
    struct api_object o = { .o = { .data = &rev } };
    const struct core_v1_pod_template_spec *t = history_template(&a, &o);

    cr_assert_not_null(t);
    cr_assert(str_eq(history_data(&a, t), rev.data));
    rev.data = STR("{\"a\":1}");
    cr_assert_null(history_template(&a, &o));
    rev.data = STR("{\"spec\":{\"template\":7}}");
    cr_assert_null(history_template(&a, &o));
    rev.data = STR("{\"spec\":{\"template\":{\"spec\":{\"containers\":7}}}}");
    cr_assert_null(history_template(&a, &o));
    rev.data = STR_NULL;
    cr_assert_null(history_template(&a, &o));
}

/* FNV-1 of 32 bits; of nothing it is 2166136261. */
Test(controller_history, hashes_are_those_of_the_field)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    int32_t none = 0;
    struct str plain = history_hash(&a, STR(""), NULL), one = history_hash(&a, STR("a"), NULL);

    cr_assert(str_eq(plain, STR("65bb57b6b5")), "%.*s", STR_ARG(plain));
    cr_assert_not(str_eq(plain, one));
    cr_assert_not(str_eq(one, history_hash(&a, STR("a"), &none)), "the count is part of it");
    cr_assert(str_eq(history_hash(&a, STR("a0"), NULL), history_hash(&a, STR("a"), &none)));
}

Test(controller_history, names_are_bounded)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    char long_name[254];

    memset(long_name, 'x', sizeof(long_name));
    cr_assert(str_eq(history_name(&a, STR("web"), STR("abc")), STR("web-abc")));
    cr_assert_eq(history_name(&a, str_n(long_name, 253), STR("0123456789")).len, 234);
}

Test(controller_history, order_is_number_then_age_then_name)
{
    struct apps_v1_controller_revision revs[] = {
        { .metadata = { .name = STR("c"), .creation_timestamp = { .sec = 5 } }, .revision = 2 },
        { .metadata = { .name = STR("b"), .creation_timestamp = { .sec = 5 } }, .revision = 2 },
        { .metadata = { .name = STR("z"), .creation_timestamp = { .sec = 4 } }, .revision = 2 },
        { .metadata = { .name = STR("y"), .creation_timestamp = { .sec = 9 } }, .revision = 1 },
    };
    struct api_object objects[ARRAY_LEN(revs)];
    const struct api_object *list[ARRAY_LEN(revs)];
    char got[ARRAY_LEN(revs) + 1] = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(revs); i++) {
        objects[i] = (struct api_object){ .o = { .data = &revs[i] }, .meta = &revs[i].metadata };
        list[i] = &objects[i];
    }
    qsort(list, ARRAY_LEN(list), sizeof(list[0]), history_compare);
    for (size_t i = 0; i < ARRAY_LEN(list); i++)
        got[i] = list[i]->meta->name.p[0];
    cr_assert_str_eq(got, "yzbc");
}
