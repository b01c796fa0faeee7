#include "client/api_object.h"

#include <criterion/criterion.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/resource.h"
#include "base/err.h"

#define POD                                                                                               \
    "{\"metadata\":{\"name\":\"p\",\"namespace\":\"d\",\"resourceVersion\":\"7\",\"annotations\":{"       \
    "\"a\":\"\\u0041b\"},\"managedFields\":[{\"manager\":\"m\",\"fieldsV1\":{\"f:spec\":{}}}]},\"spec\":" \
    "{\"containers\":[{\"name\":\"c\",\"env\":[{\"name\":\"E\",\"value\":\"v\"}],\"resources\":{"         \
    "\"limits\":{\"cpu\":\"1000m\"}}}],\"nodeName\":\"n\"}}"

static void trim_env(struct object o)
{
    struct core_v1_pod *pod = o.data;

    pod->spec.containers.items[0].env.items = NULL;
    pod->spec.containers.items[0].env.len = 0;
}

Test(api_object, keeps_a_copy_without_managed_fields)
{
    const struct resource *pods = resource_find(STR(""), STR("v1"), STR("pods"));
    char text[] = POD;
    struct api_object *o, *trimmed;
    const struct core_v1_pod *pod;
    struct err err;

    cr_assert_eq(api_object_decode(pods, str_n(text, sizeof(text) - 1), &o, &err), 0);
    cr_assert_eq(
        api_object_decode_trimmed(pods, str_n(text, sizeof(text) - 1), trim_env, &trimmed, &err),
        0);
    memset(text, 'x', sizeof(text)); /* it was the caller's */
    pod = API_OBJECT(o, struct core_v1_pod);
    cr_assert(str_eq(o->key, STR("d/p")) && o->revision == 7);
    cr_assert_eq((const void *)o->meta, (const void *)&pod->metadata);
    cr_assert(str_eq(pod->metadata.annotations.items[0].value, STR("Ab")));
    cr_assert(str_eq(pod->spec.containers.items[0].resources.limits.items[0].value, STR("1")));
    cr_assert(str_eq(pod->spec.containers.items[0].env.items[0].value, STR("v")));
    cr_assert(pod->metadata.managed_fields.len == 0 && !pod->metadata.managed_fields.items);
    cr_assert_eq(arena_filled(&o->arena), o->arena.used - (size_t)(o->arena.end - o->arena.at));
    cr_assert_lt(o->arena.end - o->arena.at, 64, "little is left over");
    pod = API_OBJECT(trimmed, struct core_v1_pod);
    cr_assert_eq(pod->spec.containers.items[0].env.len, 0);
    cr_assert(str_eq(pod->spec.node_name, STR("n")));
    cr_assert_lt(trimmed->arena.used, o->arena.used);
    api_object_unref(o);
    api_object_unref(trimmed);
}

Test(api_object, keeps_what_is_larger_than_the_count)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct resource *maps = resource_find(STR(""), STR("v1"), STR("configmaps"));
    const size_t many = 3000;
    struct str json = STR("{\"metadata\":{\"name\":\"m\"},\"data\":{\"k\":\"\"");
    struct api_object *o;
    struct err err;

    for (size_t i = 0; i < many; i += 100) {
        struct str more = STR_NULL;

        for (size_t k = i; k < i + 100; k++)
            more = arena_printf(&a, "%.*s,\"key-%05zu\":\"value of some length %zu\"",
                                STR_ARG(more), k, k);
        json = str_join(&a, json, more, STR_NULL);
    }
    json = str_join(&a, json, STR("}}"), STR_NULL);
    cr_assert_eq(api_object_decode(maps, json, &o, &err), 0);
    cr_assert_eq(API_OBJECT(o, struct core_v1_config_map)->data.len, many + 1);
    cr_assert(str_eq(API_OBJECT(o, struct core_v1_config_map)->data.items[many].value,
                     STR("value of some length 2999")));
    cr_assert(str_eq(o->key, STR("m")));
    api_object_unref(o);
}

Test(api_object, refuses_what_is_none)
{
    const struct resource *pods = resource_find(STR(""), STR("v1"), STR("pods"));
    struct api_object *o = NULL;
    struct err err;

    cr_assert_lt(api_object_decode(pods, STR("{\"spec\":[]}"), &o, &err), 0);
    cr_assert_lt(api_object_decode(pods, STR("{\"metadata\":"), &o, &err), 0);
    cr_assert_null(o);
}
