#include "api/structural/structural.h"

#include <criterion/criterion.h>

#include "api/apiextensions_v1.h"
#include "api/field_error.h"
#include "api/object_json.h"
#include "api/schema.h"
#include "api/structural/structural_internal.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/value.h"

/* Tables are easier to read with one sort of quotes. */
static struct str json(struct arena *a, const char *text)
{
    char *p = arena_dup(a, text, strlen(text) + 1);

    for (char *at = p; *at; at++)
        if (*at == '\'')
            *at = '"';
    return str_from_cstr(p);
}

static struct value parse(struct arena *a, const char *text)
{
    struct err err = { 0 };
    struct value v;

    cr_assert_eq(value_parse(a, json(a, text), &v, NULL, &err), 0, "%s: %s", text, err.text);
    return v;
}

static int compile(struct arena *a, const char *text, const struct structural **ret,
                   struct err *err)
{
    const struct schema_type *t = schema_find_type(&schema_builtin, STR("apiextensions.k8s.io"),
                                                   STR("v1"), STR("JSONSchemaProps"));
    struct object o;

    cr_assert_eq(object_json_decode(a, &schema_builtin, t, json(a, text), &o, NULL, err), 0,
                 "%s: %s", text, err->text);
    return structural_compile(a, o.data, ret, err);
}

static const struct structural *schema(struct arena *a, const char *text)
{
    const struct structural *s = NULL;
    struct err err = { 0 };

    cr_assert_eq(compile(a, text, &s, &err), 0, "%s: %s", text, err.text);
    return s;
}

static const char *printed(struct arena *a, const struct value *v)
{
    struct buf b = { 0 };

    buf_init_arena(&b, a, 64);
    value_print(&b, v);
    for (size_t i = 0; i < b.len; i++)
        if (b.p[i] == '"')
            b.p[i] = '\'';
    return buf_cstr(&b);
}

struct names {
    struct arena *arena;
    struct buf b;
};

static void add_name(struct str path, void *arg)
{
    struct names *n = arg;

    buf_printf(&n->b, "%s%.*s", n->b.len ? " " : "", STR_ARG(path));
}

Test(structural, prunes)
{
    static const struct {
        const char *schema, *value, *want, *unknown;
    } cases[] = {
        { "{'type':'object','properties':{'a':{'type':'string'}}}", "{'a':1,'b':2,'c':{'d':1}}",
          "{'a':1}", "b c" },
        { "{'type':'object'}", "{'apiVersion':'v','kind':'k','metadata':{'x':1},'y':1}",
          "{'apiVersion':'v','kind':'k','metadata':{'x':1}}", "y" },
        { "{'type':'object','properties':{'a':{'type':'object'}}}", "{'a':{'kind':'x'}}",
          "{'a':{}}", "a.kind" },
        { "{'type':'object','properties':{'a':{'type':'object',"
          "'x-kubernetes-embedded-resource':true,'properties':{'s':{'type':'string'}}}}}",
          "{'a':{'kind':'x','apiVersion':'v1','metadata':{'z':1},'s':1,'t':2}}",
          "{'a':{'kind':'x','apiVersion':'v1','metadata':{'z':1},'s':1}}", "a.t" },
        { "{'type':'object','x-kubernetes-preserve-unknown-fields':true,'properties':{'a':{'type':"
          "'object'}}}",
          "{'a':{'b':1},'c':{'d':1}}", "{'a':{},'c':{'d':1}}", "a.b" },
        { "{'type':'object','properties':{'a':{'type':'array','items':{'type':'object',"
          "'properties':{'k':{'type':'string'}}}}}}",
          "{'a':[{'k':1,'l':2},{'m':3}]}", "{'a':[{'k':1},{}]}", "a[0].l a[1].m" },
        { "{'type':'object','additionalProperties':{'type':'object','properties':{'k':{'type':"
          "'string'}}}}",
          "{'x':{'k':1,'l':2}}", "{'x':{'k':1}}", "x.l" },
        { "{'type':'object','additionalProperties':true}", "{'x':1,'y':{'z':1}}", "{'x':1,'y':{}}",
          "y.z" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct names n = { .arena = &a, .b = { .arena = &a } };
        struct value v = parse(&a, cases[i].value);

        structural_prune(&a, &v, schema(&a, cases[i].schema), add_name, &n);
        cr_expect_str_eq(printed(&a, &v), cases[i].want, "%s", cases[i].schema);
        cr_expect_str_eq(buf_cstr(&n.b), cases[i].unknown, "%s", cases[i].schema);
    }
}

Test(structural, fills_in_defaults)
{
    static const struct {
        const char *schema, *value, *want;
    } cases[] = {
        { "{'type':'object','properties':{'a':{'type':'integer','default':3}}}", "{}", "{'a':3}" },
        { "{'type':'object','properties':{'a':{'type':'integer','default':3}}}", "{'a':0}",
          "{'a':0}" },
        { "{'type':'object','properties':{'a':{'type':'integer','default':3}}}", "{'a':null}",
          "{'a':3}" },
        { "{'type':'object','properties':{'a':{'type':'integer','default':3,'nullable':true}}}",
          "{'a':null}", "{'a':null}" },
        { "{'type':'object','properties':{'a':{'type':'integer'}}}", "{'a':null}", "{}" },
        { "{'type':'object','properties':{'a':{'type':'integer','nullable':true}}}", "{'a':null}",
          "{'a':null}" },
        /* an object that is not there has no members to fill in, unless it has a default itself */
        { "{'type':'object','properties':{'o':{'type':'object','properties':{'a':{'type':"
          "'integer','default':3}}}}}",
          "{}", "{}" },
        { "{'type':'object','properties':{'o':{'type':'object','default':{},'properties':{'a':{"
          "'type':'integer','default':3}}}}}",
          "{}", "{'o':{'a':3}}" },
        { "{'type':'object','properties':{'l':{'type':'array','items':{'type':'object',"
          "'properties':{'a':{'type':'integer','default':3}}}}}}",
          "{'l':[{},{'a':1}]}", "{'l':[{'a':3},{'a':1}]}" },
        { "{'type':'object','additionalProperties':{'type':'object','properties':{'a':{'type':"
          "'integer','default':3}}}}",
          "{'x':{}}", "{'x':{'a':3}}" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct value v = parse(&a, cases[i].value);

        structural_default(&a, &v, schema(&a, cases[i].schema));
        cr_expect_str_eq(printed(&a, &v), cases[i].want, "%s %s", cases[i].schema, cases[i].value);
    }
}

static const char *complaints(struct arena *a, const char *schema_text, const char *value,
                              const char *old)
{
    struct value v = parse(a, value), was;
    struct field_errors errs;
    struct str text;

    if (old)
        was = parse(a, old);
    field_errors_init(&errs, a);
    structural_validate(&v, old ? &was : NULL, schema(a, schema_text), NULL, &errs);
    text = errs.len ? field_errors_print(a, &errs) : STR("");
    return str_cstr(a, text);
}

#define OBJ(name, body) "{'type':'object','properties':{'" name "':" body "}}"

Test(structural, validates)
{
    static const struct {
        const char *schema, *value, *want;
    } cases[] = {
        { OBJ("a", "{'type':'string'}"), "{'a':'x'}", "" },
        { OBJ("a", "{'type':'string'}"), "{'a':1}",
          "a: Invalid value: \"integer\": a in body must be of type string: \"integer\"" },
        { OBJ("a", "{'type':'string'}"), "{'a':null}",
          "a: Invalid value: \"null\": a in body must be of type string: \"null\"" },
        { OBJ("a", "{'type':'integer'}"), "{'a':1.5}",
          "a: Invalid value: \"number\": a in body must be of type integer: \"number\"" },
        { OBJ("a", "{'type':'number'}"), "{'a':1}", "" },
        { OBJ("a", "{'type':'string','maxLength':2}"), "{'a':'\xc3\xa4\xc3\xb6'}", "" },
        { OBJ("a", "{'type':'string','maxLength':2}"), "{'a':'abc'}",
          "a: Too long: may not be more than 2 bytes" },
        { OBJ("a", "{'type':'string','minLength':2}"), "{'a':'a'}",
          "a: Invalid value: \"a\": a in body should be at least 2 chars long" },
        { OBJ("a", "{'type':'string','pattern':'^x+$'}"), "{'a':'xxy'}",
          "a: Invalid value: \"xxy\": a in body should match '^x+$'" },
        { OBJ("a", "{'type':'integer','multipleOf':3}"), "{'a':4}",
          "a: Invalid value: 4: a in body should be a multiple of 3" },
        { OBJ("a", "{'type':'integer','maximum':3,'exclusiveMaximum':true}"), "{'a':3}",
          "a: Invalid value: 3: a in body should be less than 3" },
        { OBJ("a", "{'type':'integer','minimum':3,'exclusiveMinimum':true}"), "{'a':3}",
          "a: Invalid value: 3: a in body should be greater than 3" },
        { OBJ("a", "{'type':'array','items':{'type':'string'},'maxItems':1}"), "{'a':['x','y']}",
          "a: Too many: 2: must have at most 1 items" },
        { OBJ("a", "{'type':'array','items':{'type':'string'},'minItems':1}"), "{'a':[]}",
          "a: Invalid value: 0: a in body should have at least 1 items" },
        { OBJ("a", "{'type':'object','additionalProperties':{'type':'string'},'maxProperties':1}"),
          "{'a':{'x':'1','y':'2'}}", "a: Too many: 2: must have at most 1 items" },
        { OBJ("a", "{'type':'object','additionalProperties':{'type':'string'},'minProperties':1}"),
          "{'a':{}}", "a: Invalid value: 0: a in body should have at least 1 properties" },
        { OBJ("a", "{'type':'object','required':['b'],'properties':{'b':{'type':'string'}}}"),
          "{'a':{}}", "a.b: Required value" },
        { OBJ("a", "{'type':'string','enum':['x','y']}"), "{'a':'z'}",
          "a: Unsupported value: \"z\": supported values: \"x\", \"y\"" },
        { OBJ("a", "{'x-kubernetes-int-or-string':true}"), "{'a':'10%'}", "" },
        { OBJ("a", "{'x-kubernetes-int-or-string':true,'anyOf':[{'type':'integer'},{'type':"
                   "'string'}],'pattern':'^[0-9]+%$'}"),
          "{'a':'x'}", "a: Invalid value: \"x\": a in body should match '^[0-9]+%$'" },
        { OBJ("a", "{'type':'integer','not':{'enum':[5]}}"), "{'a':5}",
          "<nil>: Invalid value: \"\": \"a\" must not validate the schema (not)" },
        { OBJ("a", "{'type':'string','format':'date-time'}"), "{'a':'2020-01-01T00:00:00Z'}", "" },
        { OBJ("a", "{'type':'string','format':'ipv4'}"), "{'a':'1.2.3'}",
          "a: Invalid value: \"1.2.3\": a in body must be of type ipv4: \"1.2.3\"" },
        { OBJ("a", "{'type':'string','format':'nobody-knows'}"), "{'a':'x'}", "" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };

        cr_expect_str_eq(complaints(&a, cases[i].schema, cases[i].value, NULL), cases[i].want);
    }
}

Test(structural, alternatives)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const char *one = OBJ("a", "{'type':'integer','oneOf':[{'minimum':5},{'maximum':9}]}");
    const char *any = OBJ("a", "{'type':'integer','anyOf':[{'minimum':5},{'maximum':1}]}");
    const char *all = OBJ("a", "{'type':'integer','allOf':[{'minimum':5},{'maximum':9}]}");

    cr_expect_str_eq(complaints(&a, one, "{'a':4}", NULL), "");
    cr_expect_str_eq(complaints(&a, one, "{'a':7}", NULL),
                     "<nil>: Invalid value: \"\": \"a\" must validate one and only one schema "
                     "(oneOf). Found 2 valid alternatives");
    cr_expect_str_eq(complaints(&a, any, "{'a':6}", NULL), "");
    cr_expect(strstr(complaints(&a, any, "{'a':3}", NULL),
                     "\"a\" must validate at least one schema (anyOf)"));
    cr_expect_str_eq(complaints(&a, all, "{'a':6}", NULL), "");
    cr_expect(strstr(complaints(&a, all, "{'a':3}", NULL),
                     "\"a\" must validate all the schemas (allOf)"));
}

Test(structural, lets_be_what_was_wrong_already)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const char *s = "{'type':'object','properties':{'a':{'type':'integer','maximum':5},'b':{'type':"
                    "'string'},'l':{'type':'array','x-kubernetes-list-type':'map',"
                    "'x-kubernetes-list-map-keys':['k'],'items':{'type':'object','properties':{'k':"
                    "{'type':'string'},'v':{'type':'integer','maximum':5}}}}}}";

    cr_expect_str_eq(complaints(&a, s, "{'a':9,'b':'x'}", "{'a':9}"), "");
    cr_expect_str_eq(complaints(&a, s, "{'a':8}", "{'a':9}"),
                     "a: Invalid value: 8: a in body should be less than or equal to 5");
    cr_expect_str_eq(
        complaints(&a, s, "{'l':[{'k':'y'},{'k':'x','v':9}]}", "{'l':[{'k':'x','v':9}]}"), "");
    cr_expect_str_eq(complaints(&a, s, "{'l':[{'k':'x','v':8}]}", "{'l':[{'k':'x','v':9}]}"),
                     "l[0].v: Invalid value: 8: l[0].v in body should be less than or equal to 5");
}

Test(structural, refuses_what_it_cannot_bound)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const struct structural *s;
    struct err err;
    struct buf b = { .arena = &a };

    cr_expect_eq(compile(&a, OBJ("a", "{'type':'string','pattern':'('}"), &s, &err), ERR_INVALID);
    for (int i = 0; i < STRUCTURAL_MAX_DEPTH + 2; i++)
        buf_append_lit(&b, "{'type':'array','items':");
    buf_append_lit(&b, "{'type':'string'}");
    for (int i = 0; i < STRUCTURAL_MAX_DEPTH + 2; i++)
        buf_append_lit(&b, "}");
    cr_expect_eq(compile(&a, buf_cstr(&b), &s, &err), ERR_TOO_DEEP);
}

static bool matches(struct arena *a, const char *pattern, const char *text)
{
    const struct pcre2_real_code_8 *code = NULL;
    int64_t steps = 1000000;
    struct err err = { 0 };

    cr_assert_eq(structural_pattern_compile(a, str_from_cstr(pattern), &code, &err), 0, "%s: %s",
                 pattern, err.text);
    return structural_pattern_matches(code, str_from_cstr(text), &steps);
}

Test(structural, patterns)
{
    static const struct {
        const char *pattern, *text;
        bool want;
    } cases[] = {
        { "b", "abc", true },
        { "^b", "abc", false },
        { "^a.c$", "abc", true },
        { "^a$", "a\n", false },
        { "(?i)ABC", "xabcx", true },
        { "^\\d{3}$", "123", true },
        { "^[[:alpha:]]+$", "ab", true },
        { "(?P<x>a)b", "ab", true },
        { "a[]b]c", "a]c", true },
        { "\\x41", "A", true },
        { "^\\pL+$", "\xc3\xa4", true },
        { "^(a|b)*?c", "abac", true },
    };
    static const char *const foreign[] = { "(?=a)", "(?!a)", "(?<=a)",  "(?<!a)", "(a)\\1",
                                           "(?>a)", "a++",   "(*UTF8)", "(?R)",   "\\k<x>" };
    CLEANUP(arena_done) struct arena a = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        cr_expect_eq(matches(&a, cases[i].pattern, cases[i].text), cases[i].want, "%s on %s",
                     cases[i].pattern, cases[i].text);
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
        const struct pcre2_real_code_8 *code;
        struct err err;

        cr_expect_eq(structural_pattern_compile(&a, str_from_cstr(foreign[i]), &code, &err),
                     ERR_INVALID, "%s", foreign[i]);
    }
}

/* Patterns that backtracking alone would not end with. */
Test(structural, patterns_that_explode, .timeout = 30)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    char text[2002];

    memset(text, 'a', 2000);
    text[2000] = 'b';
    text[2001] = '\0';
    cr_expect_not(matches(&a, "^(a+)+$", text));
    cr_expect_not(matches(&a, "^(a|aa)+$", text));
    cr_expect(matches(&a, "^(a+)+b$", text));
    cr_expect(matches(&a, "^(a|aa)+b$", text));
}

Test(structural, formats)
{
    static const struct {
        const char *format, *text;
        bool want;
    } cases[] = {
        { "ipv6", "::1", true },
        { "ipv6", "1.2.3.4", false },
        { "cidr", "10.0.0.0/8", true },
        { "cidr", "10.0.0.0", false },
        { "mac", "01:23:45:67:89:ab", true },
        { "mac", "01:23", false },
        { "uuid", "a3bb189e-8bf9-3888-9912-ace4e6543002", true },
        { "uuid", "a3bb189e", false },
        { "date", "2020-02-29", true },
        { "date", "2020-13-01", false },
        { "date-time", "2020-02-29T00:00:00.5+01:00", true },
        { "date-time", "yesterday", false },
        { "duration", "1h30m", true },
        { "duration", "soon", false },
        { "byte", "aGk=", true },
        { "byte", "?", false },
        { "email", "a@example.com", true },
        { "email", "a", false },
        { "hostname", "a.example.com", true },
        { "hostname", "-a", false },
        { "uri", "https://example.com/x", true },
        { "uri", "not a uri", false },
        { "isbn10", "0321751043", true },
        { "isbn10", "0321751041", false },
        { "isbn13", "978-0321751041", true },
        { "creditcard", "4111-1111-1111-1111", true },
        { "creditcard", "4111-1111-1111-1112", false },
        { "ssn", "111-11-1111", true },
        { "hexcolor", "#ffffff", true },
        { "rgbcolor", "rgb(1,2,300)", false },
        { "bsonobjectid", "507f1f77bcf86cd799439011", true },
        { "password", "", true },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        cr_expect_eq(structural_format_holds(
                         structural_format_known(STRUCTURAL_STRING, str_from_cstr(cases[i].format)),
                         str_from_cstr(cases[i].text)),
                     cases[i].want, "%s: %s", cases[i].format, cases[i].text);
}

/* Many items, each of which takes long: the object is given up, not the server. */
Test(structural, gives_up_on_what_takes_too_long, .timeout = 30)
{
    static const char *const schemas[] = {
        OBJ("a", "{'type':'array','items':{'type':'string','pattern':'(a|aa)+[bd]'}}"),
        OBJ("a", "{'type':'array','items':{'type':'string','pattern':'(a*)*(a*)*[bd]'}}"),
    };

    for (size_t k = 0; k < ARRAY_LEN(schemas); k++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct buf b = { .arena = &a };

        buf_append_lit(&b, "{'a':[");
        for (int i = 0; i < 50000; i++)
            buf_printf(&b, "%s'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'", i ? "," : "");
        buf_append_lit(&b, "]}");
        cr_expect(strstr(complaints(&a, schemas[k], buf_cstr(&b), NULL),
                         "takes more than 5000000 steps to be checked"),
                  "%s", schemas[k]);
    }
}
