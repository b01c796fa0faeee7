#include "api/structural/custom_resource.h"

#include <criterion/criterion.h>

#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/schema.h"
#include "base/err.h"

static struct object decode(struct arena *a, const char *group, const char *type, const char *json)
{
    const struct schema_type *t =
        schema_find_type(&schema_builtin, str_from_cstr(group), STR("v1"), str_from_cstr(type));
    char *text = arena_dup(a, json, strlen(json) + 1);
    struct object o = { 0 };
    struct err err;

    for (char *p = text; *p; p++)
        if (*p == '\'')
            *p = '"';
    cr_assert_eq(object_json_decode(a, &schema_builtin, t, str_from_cstr(text), &o, NULL, &err), 0,
                 "%s", err.text);
    return o;
}

Test(custom_resource, orders_versions)
{
    static const char *const sorted[] = { "v10",      "v2",      "v1",        "v11beta2",
                                          "v10beta3", "v3beta1", "v12alpha1", "v11alpha2",
                                          "foo1",     "foo10" };

    for (size_t i = 0; i < ARRAY_LEN(sorted); i++)
        for (size_t k = 0; k < ARRAY_LEN(sorted); k++) {
            int c = custom_resource_compare_versions(str_from_cstr(sorted[i]),
                                                     str_from_cstr(sorted[k]));

            cr_expect_eq((c > 0) - (c < 0), (i > k) - (i < k), "%s %s", sorted[i], sorted[k]);
        }
}

#define CRD(versions)                                                                              \
    "{'metadata':{'name':'ws.e.com','uid':'u','generation':3,'resourceVersion':'7'},"              \
    "'spec':{'group':'e.com','scope':'Namespaced','names':{'plural':'ws','kind':'W','listKind':"   \
    "'WList','singular':'w','shortNames':['x','y']},'versions':[" versions "]},"                   \
    "'status':{'conditions':[{'type':'NamesAccepted','status':'True'}]}}"
#define VERSION(name, stored, schema)                                                              \
    "{'name':'" name "','served':true,'storage':" stored ",'schema':{'openAPIV3Schema':" schema    \
    "},'subresources':{'status':{}}}"
#define SPEC(fields)                                                                               \
    "{'type':'object','properties':{'spec':{'type':'object','properties':{" fields "}}}}"

Test(custom_resource, makes_rows)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct object crd =
        decode(&a, "apiextensions.k8s.io", "CustomResourceDefinition",
               CRD(VERSION("v1beta1", "true", SPEC("'a':{'type':'string'}")) "," VERSION(
                   "v1", "false", SPEC("'a':{'type':'string'}"))));
    struct custom_definition *d = NULL;
    const struct custom_resource *c;
    struct err err;

    cr_assert_eq(custom_definition_new(crd, &d, &err), 0, "%s", err.text);
    cr_expect(d->is_established && !d->is_terminating);
    cr_expect_eq(d->generation, 3);
    cr_expect_eq(d->revision, 7);
    cr_assert_eq(d->n_versions, 2);
    cr_expect(str_eq(d->versions[0].row.version, STR("v1"))); /* preferred */
    cr_expect_eq(d->storage, &d->versions[1]);
    c = custom_definition_version(d, STR("v1"));
    cr_expect(str_eq(c->row.storage_prefix, STR("/registry/e.com/ws/")));
    cr_expect(str_eq(c->row.short_names, STR("x y")));
    cr_expect(resource_is_namespaced(&c->row));
    cr_expect_eq(c->row.n_subresources, 1);
    cr_expect_neq(c->stamp, d->storage->stamp); /* alike but for their names */
    cr_expect_null(custom_definition_version(d, STR("v2")));
    custom_definition_unref(d);
}

Test(custom_resource, settles_objects)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct object crd = decode(&a, "apiextensions.k8s.io", "CustomResourceDefinition",
                               CRD(VERSION("v1", "true",
                                           SPEC("'z':{'type':'integer'},'a':{'type':'string',"
                                                "'default':'d'}"))));
    struct object o = decode(&a, "meta.k8s.io", "CustomObject",
                             "{'spec':{'z':1,'nope':2},'metadata':{'name':'n'},'status':{},"
                             "'kind':'W','other':1}");
    struct object same = decode(&a, "meta.k8s.io", "CustomObject",
                                "{'kind':'W','metadata':{'name':'n'},'spec':{'a':'d', 'z':1}}");
    struct custom_definition *d = NULL;
    struct err err;

    cr_assert_eq(custom_definition_new(crd, &d, &err), 0, "%s", err.text);
    cr_assert_eq(custom_object_settle(&a, d->storage, o, NULL, NULL, NULL, &err), 0);
    cr_assert_eq(custom_object_settle(&a, d->storage, same, NULL, NULL, NULL, &err), 0);
    cr_expect(object_equal(o, same));
    cr_expect(str_eq(custom_object_member(o, STR("spec")), STR("{\"a\":\"d\",\"z\":1}")));
    cr_expect_null(custom_object_member(o, STR("status")).p);
    custom_object_set_member(&a, o, STR("status"), STR("{}"));
    cr_expect(custom_object_differs(o, same, STR("")));
    cr_expect_not(custom_object_differs(o, same, STR("status")));
    custom_object_set_member(&a, o, STR("status"), STR_NULL);
    cr_expect(object_equal(o, same));
    custom_definition_unref(d);
}
