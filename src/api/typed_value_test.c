#include "api/typed_value.h"

#include <criterion/criterion.h>

#include "api/schema.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

static struct value parse(struct arena *a, const char *text)
{
    struct err err = { 0 };
    char *json = arena_dup(a, text, strlen(text) + 1);
    struct value v;

    for (char *p = json; *p; p++)
        if (*p == '\'')
            *p = '"';
    cr_assert_eq(value_parse(a, str_from_cstr(json), &v, NULL, &err), 0, "%s: %s", text, err.text);
    return v;
}

static const char *quoted_singly(struct buf *b)
{
    for (size_t i = 0; i < b->len; i++)
        if (b->p[i] == '"')
            b->p[i] = '\'';
    return buf_cstr(b);
}

static const char *set_text(struct arena *a, const struct field_set *s)
{
    struct buf b = { 0 };

    buf_init_arena(&b, a, 64);
    field_set_print(&b, s);
    return quoted_singly(&b);
}

static const char *value_text(struct arena *a, const struct value *v)
{
    struct buf b = { 0 };

    buf_init_arena(&b, a, 64);
    value_print(&b, v);
    return quoted_singly(&b);
}

static struct field_type type_of(const char *kind)
{
    return field_type_builtin(&schema_builtin, schema_find_type(&schema_builtin, STR(""), STR("v1"),
                                                                str_from_cstr(kind)));
}

Test(typed_value, fields)
{
    static const struct {
        const char *kind, *value, *want;
    } cases[] = {
        { "ConfigMap", "{'data':{'a':'b'},'immutable':true}",
          "{'f:data':{'f:a':{}},'f:immutable':{}}" },
        { "ConfigMap", "{'data':{}}", "{'f:data':{}}" },
        { "ConfigMap", "{'data':null}", "{'f:data':{}}" },
        { "Pod", "{'spec':{'containers':[{'name':'a','image':'x','command':['y']}]}}",
          "{'f:spec':{'f:containers':{'k:{\\'name\\':\\'a\\'}':{'.':{},'f:command':{},'f:image':{},"
          "'f:name':{}}}}}" },
        { "Pod", "{'spec':{'containers':[{'name':'a','ports':[{'containerPort':80}]}]}}",
          "{'f:spec':{'f:containers':{'k:{\\'name\\':\\'a\\'}':{'.':{},'f:name':{},'f:ports':{"
          "'k:{\\'containerPort\\':80,\\'protocol\\':\\'TCP\\'}':{'.':{},'f:containerPort':{}}}}}}}" },
        { "Pod", "{'metadata':{'finalizers':['a','b'],'ownerReferences':[{'uid':'u','name':'n'}]}}",
          "{'f:metadata':{'f:finalizers':{'v:\\'a\\'':{},'v:\\'b\\'':{}},'f:ownerReferences':{"
          "'k:{\\'uid\\':\\'u\\'}':{}}}}" },
        { "Pod", "{'spec':{'tolerations':[{'key':'x'}],'nodeSelector':{'a':'b'}}}",
          "{'f:spec':{'f:nodeSelector':{},'f:tolerations':{}}}" },
        { "Service", "{'spec':{'selector':{'a':'b'}}}", "{'f:spec':{'f:selector':{}}}" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct field_type t = type_of(cases[i].kind);
        struct value v = parse(&a, cases[i].value);
        struct field_set s;
        struct err err = { 0 };

        cr_assert_eq(typed_value_fields(&a, &t, &v, &s, &err), 0, "%s", err.text);
        cr_expect_str_eq(set_text(&a, &s), cases[i].want, "%zu: %s", i, set_text(&a, &s));
    }
}

Test(typed_value, compare)
{
    static const struct {
        const char *kind, *left, *right, *added, *removed, *modified;
    } cases[] = {
        { "ConfigMap", "{'data':{'a':'1','b':'1'}}", "{'data':{'a':'2','c':'1'}}",
          "{'f:data':{'f:c':{}}}", "{'f:data':{'f:b':{}}}", "{'f:data':{'f:a':{}}}" },
        { "ConfigMap", "{}", "{'data':{'a':'1'}}", "{'f:data':{'.':{},'f:a':{}}}", "{}", "{}" },
        { "ConfigMap", "{'data':{'a':'1'}}", "{'data':{'a':'1'}}", "{}", "{}", "{}" },
        { "Pod", "{'spec':{'containers':null}}", "{'spec':{'containers':[{'name':'a'}]}}",
          "{'f:spec':{'f:containers':{'k:{\\'name\\':\\'a\\'}':{'.':{},'f:name':{}}}}}", "{}",
          "{}" },
        { "Pod", "{'spec':{'containers':[{'name':'a','image':'1'},{'name':'b'}]}}",
          "{'spec':{'containers':[{'name':'b'},{'name':'a','image':'2'}]}}", "{}", "{}",
          "{'f:spec':{'f:containers':{'k:{\\'name\\':\\'a\\'}':{'f:image':{}}}}}" },
        { "Pod", "{'spec':{'tolerations':[{'key':'x'}]}}", "{'spec':{'tolerations':[]}}", "{}",
          "{}", "{'f:spec':{'f:tolerations':{}}}" },
        { "Pod", "{'metadata':{'finalizers':['a']}}", "{'metadata':{'finalizers':['b']}}",
          "{'f:metadata':{'f:finalizers':{'v:\\'b\\'':{}}}}",
          "{'f:metadata':{'f:finalizers':{'v:\\'a\\'':{}}}}", "{}" },
        /* Items that occur twice count as one. */
        { "Pod",
          "{'spec':{'containers':[{'name':'a','env':[{'name':'x','value':'1'},"
          "{'name':'x','value':'2'}]}]}}",
          "{'spec':{'containers':[{'name':'a','env':[{'name':'x','value':'1'}]}]}}", "{}", "{}",
          "{'f:spec':{'f:containers':{'k:{\\'name\\':\\'a\\'}':{'f:env':{'k:{\\'name\\':\\'x\\'}':{}"
          "}}}}}" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct field_type t = type_of(cases[i].kind);
        struct value l = parse(&a, cases[i].left), r = parse(&a, cases[i].right);
        struct typed_comparison c;
        struct err err = { 0 };

        cr_assert_eq(typed_value_compare(&a, &t, &l, &r, &c, &err), 0, "%s", err.text);
        cr_expect_str_eq(set_text(&a, &c.added), cases[i].added, "%zu: added", i);
        cr_expect_str_eq(set_text(&a, &c.removed), cases[i].removed, "%zu: removed", i);
        cr_expect_str_eq(set_text(&a, &c.modified), cases[i].modified, "%zu: modified", i);
    }
}

Test(typed_value, merge)
{
    static const struct {
        const char *kind, *left, *right, *want;
    } cases[] = {
        { "ConfigMap", "{'data':{'a':'1','b':'1'}}", "{'data':{'b':'2','c':'1'}}",
          "{'data':{'a':'1','b':'2','c':'1'}}" },
        { "ConfigMap", "{'data':{'a':'1'}}", "{'data':{'a':null}}", "{'data':{'a':null}}" },
        { "ConfigMap", "{'data':{'a':'1'}}", "{'data':null}", "{'data':{'a':'1'}}" },
        { "Pod", "{'spec':{'nodeSelector':{'a':'1'}}}", "{'spec':{'nodeSelector':{'b':'1'}}}",
          "{'spec':{'nodeSelector':{'b':'1'}}}" },
        { "Pod", "{'spec':{'containers':[{'name':'a','image':'1'},{'name':'b'},{'name':'c'}]}}",
          "{'spec':{'containers':[{'name':'c'},{'name':'a','command':['x']}]}}",
          "{'spec':{'containers':[{'name':'b'},{'name':'c'},{'name':'a','image':'1','command':["
          "'x']}]}}" },
        { "Pod", "{'spec':{'containers':[{'name':'a'},{'name':'b'}]}}",
          "{'spec':{'containers':[{'name':'x'},{'name':'a'},{'name':'y'}]}}",
          "{'spec':{'containers':[{'name':'x'},{'name':'a'},{'name':'b'},{'name':'y'}]}}" },
        { "Pod", "{'metadata':{'finalizers':['a','b']}}", "{'metadata':{'finalizers':['b','c']}}",
          "{'metadata':{'finalizers':['a','b','c']}}" },
        { "Pod", "{'spec':{'tolerations':[{'key':'a'}]}}", "{'spec':{'tolerations':[{'key':'b'}]}}",
          "{'spec':{'tolerations':[{'key':'b'}]}}" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct field_type t = type_of(cases[i].kind);
        struct value l = parse(&a, cases[i].left), r = parse(&a, cases[i].right), v;
        struct err err = { 0 };

        cr_assert_eq(typed_value_merge(&a, &t, &l, &r, &v, &err), 0, "%s", err.text);
        cr_expect_str_eq(value_text(&a, &v), cases[i].want, "%zu: %s", i, value_text(&a, &v));
    }
}

Test(typed_value, remove)
{
    static const struct {
        const char *kind, *value, *set, *want;
    } cases[] = {
        { "ConfigMap", "{'data':{'a':'1','b':'1'}}", "{'f:data':{'f:a':{}}}",
          "{'data':{'b':'1'}}" },
        { "ConfigMap", "{'data':{'a':'1'}}", "{'f:data':{'f:a':{}}}", "{'data':null}" },
        { "ConfigMap", "{'data':{'a':'1'},'immutable':true}", "{'f:data':{}}",
          "{'immutable':true}" },
        { "Pod", "{'spec':{'containers':[{'name':'a','image':'1'},{'name':'b'}]}}",
          "{'f:spec':{'f:containers':{'k:{\\'name\\':\\'a\\'}':{'f:image':{}}}}}",
          "{'spec':{'containers':[{'name':'a'},{'name':'b'}]}}" },
        { "Pod", "{'spec':{'containers':[{'name':'a'},{'name':'b'}]}}",
          "{'f:spec':{'f:containers':{'k:{\\'name\\':\\'a\\'}':{}}}}",
          "{'spec':{'containers':[{'name':'b'}]}}" },
        { "Pod", "{'spec':{'tolerations':[{'key':'a'}]}}",
          "{'f:spec':{'f:tolerations':{'i:0':{}}}}", "{'spec':{'tolerations':[{'key':'a'}]}}" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct field_type t = type_of(cases[i].kind);
        struct value v = parse(&a, cases[i].value), out;
        struct field_set s;
        struct err err = { 0 };
        char *text = arena_dup(&a, cases[i].set, strlen(cases[i].set) + 1);

        for (char *p = text; *p; p++)
            if (*p == '\'')
                *p = '"';
        cr_assert_eq(field_set_parse(&a, str_from_cstr(text), &s, &err), 0, "%s", err.text);
        cr_assert_eq(typed_value_remove(&a, &t, &v, &s, &out, &err), 0, "%s", err.text);
        cr_expect_str_eq(value_text(&a, &out), cases[i].want, "%zu: %s", i, value_text(&a, &out));
    }
}

Test(typed_value, validate)
{
    static const struct {
        const char *kind, *value, *want;
    } cases[] = {
        { "Pod", "{'apiVersion':'v1','kind':'Pod','spec':{'hostname':null}}", "" },
        { "Pod", "{'spec':{'foo':1}}", ".spec.foo: field not declared in schema" },
        { "Pod", "{'spec':[]}", ".spec: expected map, got &{[]}" },
        { "Pod", "{'spec':{'containers':{}}}", ".spec.containers: expected list, got &{{}}" },
        { "Pod", "{'spec':{'hostname':1}}",
          ".spec.hostname: expected string, got &value.valueUnstructured{Value:1}" },
        { "Pod", "{'spec':{'priority':'x'}}",
          ".spec.priority: expected numeric (int or float), got string" },
        { "Pod", "{'spec':{'hostNetwork':'x'}}", ".spec.hostNetwork: expected boolean, got &{x}" },
        { "Pod", "{'spec':{'containers':[{'name':'a'},{'name':'a'}]}}",
          ".spec.containers: duplicate entries for key [name='a']" },
        { "Pod", "{'spec':{'containers':[{'image':'a'}]}}", "" }, /* its key is the default, "" */
        { "Pod", "{'spec':{'containers':[{'image':'a'},{'image':'b'}]}}",
          ".spec.containers: duplicate entries for key [name='']" },
        { "Pod", "{'metadata':{'finalizers':['a','a']}}",
          ".metadata.finalizers: duplicate entries for key [='a']" },
        { "Pod", "{'a':1,'b':2}",
          "errors:\n  .a: field not declared in schema\n  .b: field not declared in schema" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct field_type t = type_of(cases[i].kind);
        struct value v = parse(&a, cases[i].value);
        struct buf b = { 0 };

        buf_init_arena(&b, &a, 64);
        typed_value_validate(&a, &t, &v, &b);
        cr_expect_str_eq(quoted_singly(&b), cases[i].want, "%zu: %s", i, buf_cstr(&b));
    }
}

Test(typed_value, long_lists_cost_no_squares)
{
    enum { N = 20000 };
    CLEANUP(arena_done) struct arena a = { 0 };
    struct field_type t = type_of("Pod");
    struct buf b = { 0 };
    struct value v, out;
    struct typed_comparison c;
    struct err err = { 0 };

    buf_init_arena(&b, &a, 1 << 20);
    buf_append_lit(&b, "{\"metadata\":{\"finalizers\":[");
    for (int i = 0; i < N; i++)
        buf_printf(&b, "%s\"f%d\"", i ? "," : "", i % (N / 2));
    buf_append_lit(&b, "]}}");
    cr_assert_eq(value_parse(&a, buf_str(&b), &v, NULL, &err), 0);
    cr_expect_eq(typed_value_merge(&a, &t, &v, &v, &out, &err), 0);
    cr_expect_eq(typed_value_compare(&a, &t, &v, &v, &c, &err), 0);
    cr_expect(field_set_is_empty(&c.modified));
}
