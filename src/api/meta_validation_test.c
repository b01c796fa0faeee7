#include "api/meta_validation.h"

#include <criterion/criterion.h>

#include "api/field_error.h"
#include "api/meta_v1.h"
#include "api/object_json.h"
#include "api/schema_walk.h"
#include "base/arena.h"
#include "base/err.h"

static struct meta_v1_object_meta *decode(struct arena *a, const char *text)
{
    struct object o;
    struct err err = { 0 };
    char *p = arena_dup(a, text, strlen(text) + 1);

    for (char *c = p; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    cr_assert_eq(object_json_decode(a, &schema_builtin,
                                    schema_walk_type(&schema_builtin, "meta.k8s.io/v1.ObjectMeta"),
                                    str_from_cstr(p), &o, NULL, &err),
                 0, "%s", err.text);
    return o.data;
}

static const struct field_path metadata = { .name = STR_INIT("metadata"), .index = -1 };

static void expect(struct arena *a, const struct field_errors *errs, const char *want_text,
                   const char *json)
{
    struct str have = field_errors_print(a, errs), want = str_from_cstr(want_text);

    if (str_has_suffix(want, STR("..."))) {
        want.len -= 3;
        cr_expect(str_has_prefix(have, want), "%s\nhave %.*s", json, STR_ARG(have));
    } else {
        cr_expect(str_eq(have, want), "%s\nhave %.*s", json, STR_ARG(have));
    }
}

Test(meta_validation, on_create)
{
    static const struct {
        const char *json, *want;
        bool cluster;
    } cases[] = {
        { "{'name':'a','namespace':'d','labels':{'a':'b'},'annotations':{'A/b':'c'}}", NULL },
        { "{'name':'a','namespace':'d','annotations':{'a.b/C':'x'}}", NULL },
        { "{'name':'a'}", NULL, true },
        { "{'name':'a'}", "metadata.namespace: Required value" },
        { "{'name':'a','namespace':'d'}", "metadata.namespace: Forbidden: not allowed on this type",
          true },
        { "{'namespace':'d'}", "metadata.name: Required value: name or generateName is required" },
        { "{'name':'a','namespace':'D'}", "metadata.namespace: Invalid value: \"D\": a lowercase "
                                          "RFC 1123 label..." },
        { "{'name':'A','namespace':'d'}", "metadata.name: Invalid value: \"A\": a lowercase RFC "
                                          "1123 subdomain..." },
        { "{'name':'a','generateName':'Bb-','namespace':'d'}",
          "metadata.generateName: Invalid value: \"Bb-\": a lowercase RFC 1123 subdomain..." },
        { "{'name':'a-x','generateName':'a-','namespace':'d'}", NULL },
        { "{'name':'a','namespace':'d','labels':{'-':'b'}}",
          "metadata.labels: Invalid value: \"-\": name part must consist..." },
        { "{'name':'a','namespace':'d','labels':{'a':'b/'}}",
          "metadata.labels: Invalid value: \"b/\": a valid label must be..." },
        { "{'name':'a','namespace':'d','annotations':{'a b':'x'}}",
          "metadata.annotations: Invalid value: \"a b\": name part must consist..." },
        { "{'name':'a','namespace':'d','finalizers':['x']}", NULL },
        { "{'name':'a','namespace':'d','finalizers':['x y']}",
          "metadata.finalizers: Invalid value: \"x y\": name part..." },
        { "{'name':'a','namespace':'d','finalizers':['orphan','foregroundDeletion']}",
          "metadata.finalizers: Invalid value: [\"orphan\",\"foregroundDeletion\"]: finalizer "
          "orphan and foregroundDeletion cannot be both set" },
        { "{'name':'a','namespace':'d','ownerReferences':[{'apiVersion':'apps/v1','kind':'X',"
          "'name':'n','uid':'u'}]}",
          NULL },
        { "{'name':'a','namespace':'d','ownerReferences':[{}]}",
          "[metadata.ownerReferences[0].apiVersion: Required value: must not be empty, "
          "metadata.ownerReferences[0].kind: Required value: must not be empty, "
          "metadata.ownerReferences[0].name: Required value: must not be empty, "
          "metadata.ownerReferences[0].uid: Required value: must not be empty]" },
        { "{'name':'a','namespace':'d','ownerReferences':[{'apiVersion':'v1','kind':'Event',"
          "'name':'n','uid':'u'}]}",
          "metadata.ownerReferences[0]: Invalid value: ..." },
        { "{'name':'a','namespace':'d','ownerReferences':[{'apiVersion':'v1','kind':'A','name':"
          "'n','uid':'u','controller':true},{'apiVersion':'v1','kind':'B','name':'n','uid':'v',"
          "'controller':true}]}",
          "metadata.ownerReferences: Invalid value: ..." },
        { "{'name':'a','namespace':'d','generation':-1}",
          "metadata.generation: Invalid value: -1: must be greater than or equal to 0" },
        { "{'name':'a','namespace':'d','managedFields':[{'operation':'x','manager':'m'}]}",
          "metadata.managedFields[0].operation: Unsupported value: \"x\": supported values: "
          "\"Apply\", \"Update\"" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct meta_rules rules = { .namespaced = !cases[i].cluster,
                                    .name_rule = NAME_RULE_DNS1123_SUBDOMAIN };
        struct field_errors errs;

        field_errors_init(&errs, &a);
        meta_validate(&errs, decode(&a, cases[i].json), &rules, &metadata);
        expect(&a, &errs, cases[i].want, cases[i].json);
    }
}

Test(meta_validation, on_update)
{
    static const struct {
        const char *old, *json, *want;
    } cases[] = {
        { "{'name':'a','resourceVersion':'1'}", "{'name':'a','resourceVersion':'1'}", NULL },
        { "{'name':'a','uid':'u'}", "{'name':'a','resourceVersion':'1'}", NULL },
        { "{'name':'a','creationTimestamp':'2020-01-01T00:00:00Z'}",
          "{'name':'a','resourceVersion':'1'}", NULL },
        { "{'name':'a'}", "{'name':'a'}",
          "metadata.resourceVersion: Invalid value: \"\": must be specified for an update" },
        { "{'name':'a'}", "{'name':'b','resourceVersion':'1'}",
          "metadata.name: Invalid value: \"b\": field is immutable" },
        { "{'name':'a','uid':'u'}", "{'name':'a','uid':'v','resourceVersion':'1'}",
          "metadata.uid: Invalid value: \"v\": field is immutable" },
        { "{'name':'a','deletionTimestamp':'2020-01-01T00:00:00Z','finalizers':['x']}",
          "{'name':'a','resourceVersion':'1','finalizers':['x','y','z']}",
          "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being "
          "deleted, found new finalizers []string{\"y\", \"z\"}" },
        { "{'name':'a','deletionTimestamp':'2020-01-01T00:00:00Z','finalizers':['x']}",
          "{'name':'a','resourceVersion':'1'}", NULL },
        { "{'name':'a'}", "{'name':'a','resourceVersion':'1','labels':{'a':' '}}",
          "metadata.labels: Invalid value: \" \": a valid label..." },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct meta_rules rules = { .name_rule = NAME_RULE_DNS1123_SUBDOMAIN };
        struct meta_v1_object_meta *old = decode(&a, cases[i].old);
        struct meta_v1_object_meta *updated = decode(&a, cases[i].json);
        struct field_errors errs;

        field_errors_init(&errs, &a);
        meta_prepare_update(updated, old);
        meta_validate_update(&errs, updated, old, &rules, &metadata);
        expect(&a, &errs, cases[i].want, cases[i].json);
    }
}

Test(meta_validation, annotations_are_bounded)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct meta_v1_object_meta *m = decode(&a, "{'name':'a','annotations':{'k':'v'}}");
    struct meta_rules rules = { .name_rule = NAME_RULE_DNS1123_SUBDOMAIN };
    struct field_errors errs;

    m->annotations.items[0].value = str_n(arena_zalloc(&a, 262144, 1), 262143);
    field_errors_init(&errs, &a);
    meta_validate(&errs, m, &rules, &metadata);
    cr_expect_eq(errs.len, 0);
    m->annotations.items[0].value.len++;
    meta_validate(&errs, m, &rules, &metadata);
    expect(&a, &errs, "metadata.annotations: Too long: may not be more than 262144 bytes", "");
}
