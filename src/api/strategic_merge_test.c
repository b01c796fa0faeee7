#include "api/strategic_merge.h"

#include <criterion/criterion.h>

#include "api/schema.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

static const struct {
    const char *name, *doc, *patch, *want;
    const char *kind; /* of core/v1; "apps/..." for apps/v1 */
} cases[] = {
    { "maps merge, null removes", "{'metadata':{'labels':{'a':'1','b':'2'}}}",
      "{'metadata':{'labels':{'a':null,'c':'3'}}}", "{'metadata':{'labels':{'b':'2','c':'3'}}}",
      "Pod" },
    { "lists merge by key",
      "{'spec':{'containers':[{'name':'a','image':'x'},{'name':'b','image':'y'}]}}",
      "{'spec':{'containers':[{'name':'b','image':'z'}]}}",
      "{'spec':{'containers':[{'name':'a','image':'x'},{'name':'b','image':'z'}]}}", "Pod" },
    { "a new item is put before what only the server knows",
      "{'spec':{'containers':[{'name':'a'}]}}", "{'spec':{'containers':[{'name':'b'}]}}",
      "{'spec':{'containers':[{'name':'b'},{'name':'a'}]}}", "Pod" },
    { "an item is deleted", "{'spec':{'containers':[{'name':'a'},{'name':'b'}]}}",
      "{'spec':{'containers':[{'name':'a','$patch':'delete'}]}}",
      "{'spec':{'containers':[{'name':'b'}]}}", "Pod" },
    { "a list is replaced", "{'spec':{'containers':[{'name':'a'},{'name':'b'}]}}",
      "{'spec':{'containers':[{'name':'c'},{'$patch':'replace'}]}}",
      "{'spec':{'containers':[{'name':'c'}]}}", "Pod" },
    { "a map is replaced", "{'metadata':{'labels':{'a':'1'}}}",
      "{'metadata':{'labels':{'$patch':'replace','b':'2'}}}", "{'metadata':{'labels':{'b':'2'}}}",
      "Pod" },
    { "a map is deleted", "{'metadata':{'labels':{'a':'1'}}}",
      "{'metadata':{'labels':{'$patch':'delete'}}}", "{'metadata':{'labels':{}}}", "Pod" },
    { "a list without strategy is replaced",
      "{'spec':{'containers':[{'name':'a','args':['1','2']}]}}",
      "{'spec':{'containers':[{'name':'a','args':['3']}]}}",
      "{'spec':{'containers':[{'name':'a','args':['3']}]}}", "Pod" },
    { "scalars are united", "{'metadata':{'finalizers':['x/a','x/b']}}",
      "{'metadata':{'finalizers':['x/b','x/c']}}",
      "{'metadata':{'finalizers':['x/a','x/b','x/c']}}", "Pod" },
    { "scalars are taken out", "{'metadata':{'finalizers':['x/a','x/b','x/c']}}",
      "{'metadata':{'$deleteFromPrimitiveList/finalizers':['x/b']}}",
      "{'metadata':{'finalizers':['x/a','x/c']}}", "Pod" },
    { "out and in, in the order asked for", "{'metadata':{'finalizers':['x/a','x/b']}}",
      "{'metadata':{'$deleteFromPrimitiveList/finalizers':['x/a'],"
      "'$setElementOrder/finalizers':['x/c','x/b'],'finalizers':['x/c']}}",
      "{'metadata':{'finalizers':['x/c','x/b']}}", "Pod" },
    { "order alone", "{'spec':{'containers':[{'name':'a'},{'name':'b'},{'name':'c'}]}}",
      "{'spec':{'$setElementOrder/containers':[{'name':'c'},{'name':'a'}]}}",
      "{'spec':{'containers':[{'name':'b'},{'name':'c'},{'name':'a'}]}}", "Pod" },
    { "order of a list that the document lacks", "{'spec':{}}",
      "{'spec':{'$setElementOrder/containers':[{'name':'a'},{'name':'b'}],"
      "'containers':[{'name':'a'},{'name':'b'},{'name':'x','$patch':'delete'}]}}",
      "{'spec':{'containers':[{'name':'a'},{'name':'b'}]}}", "Pod" },
    { "order without a list does nothing", "{'spec':{}}",
      "{'spec':{'$setElementOrder/containers':[{'name':'a'}]}}", "{'spec':{}}", "Pod" },
    { "order, change and addition",
      "{'spec':{'containers':[{'name':'a','image':'1'},{'name':'s','image':'s'}]}}",
      "{'spec':{'$setElementOrder/containers':[{'name':'n'},{'name':'a'}],"
      "'containers':[{'name':'n','image':'n'},{'name':'a','image':'2'}]}}",
      "{'spec':{'containers':[{'name':'n','image':'n'},{'name':'a','image':'2'},"
      "{'name':'s','image':'s'}]}}",
      "Pod" },
    { "retainKeys clears the other members of a union",
      "{'spec':{'volumes':[{'name':'v','emptyDir':{}}]}}",
      "{'spec':{'volumes':[{'name':'v','$retainKeys':['name','hostPath'],"
      "'hostPath':{'path':'/x'}}]}}",
      "{'spec':{'volumes':[{'name':'v','hostPath':{'path':'/x'}}]}}", "Pod" },
    { "retainKeys on a struct",
      "{'spec':{'strategy':{'type':'RollingUpdate','rollingUpdate':{'maxSurge':1}}}}",
      "{'spec':{'strategy':{'$retainKeys':['type'],'type':'Recreate'}}}",
      "{'spec':{'strategy':{'type':'Recreate'}}}", "apps/Deployment" },
    { "nested lists",
      "{'spec':{'containers':[{'name':'a','ports':[{'containerPort':80,'protocol':'TCP'}]}]}}",
      "{'spec':{'containers':[{'name':'a','ports':[{'containerPort':443},"
      "{'containerPort':80,'name':'http'}]}]}}",
      "{'spec':{'containers':[{'name':'a','ports':[{'containerPort':443},"
      "{'containerPort':80,'protocol':'TCP','name':'http'}]}]}}",
      "Pod" },
    { "nulls of new maps are dropped", "{'metadata':{}}",
      "{'metadata':{'labels':{'a':'1','b':null}}}", "{'metadata':{'labels':{'a':'1'}}}", "Pod" },
    { "a changed type replaces", "{'spec':{'containers':null}}",
      "{'spec':{'containers':[{'name':'a'}]}}", "{'spec':{'containers':[{'name':'a'}]}}", "Pod" },
    { "service ports merge by port", "{'spec':{'ports':[{'port':80,'nodePort':30000}]}}",
      "{'spec':{'ports':[{'port':80,'targetPort':8080}]}}",
      "{'spec':{'ports':[{'port':80,'nodePort':30000,'targetPort':8080}]}}", "Service" },
    { "a field whose strategy is replace",
      "{'spec':{'selector':{'matchLabels':{'a':'1'}},'minAvailable':1}}",
      "{'spec':{'selector':{'matchLabels':{'b':'2'}}}}",
      "{'spec':{'selector':{'matchLabels':{'b':'2'}},'minAvailable':1}}",
      "policy/PodDisruptionBudget" },
    { "unknown members are kept for the decoder to judge", "{'data':{'a':'1'}}", "{'x':{'y':1}}",
      "{'data':{'a':'1'},'x':{'y':1}}", "ConfigMap" },
};

static const struct schema_type *type_of(const char *kind)
{
    struct str group = STR(""), name = str_from_cstr(kind);

    if (str_find(name, '/') >= 0)
        (void)str_cut(name, '/', &group, &name);
    return schema_find_type(&schema_builtin, group, STR("v1"), name);
}

/* JSON with ' for ". */
static struct value parse(struct arena *a, const char *text)
{
    struct value v;
    struct err err = { 0 };
    char *p = arena_dup(a, text, strlen(text) + 1);

    for (char *c = p; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    cr_assert_eq(value_parse(a, str_from_cstr(p), &v, NULL, &err), 0, "%s: %s", text, err.text);
    return v;
}

/* Equal, with the same order of list items. */
Test(strategic_merge, applies)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        CLEANUP(buf_done) struct buf b = { 0 };
        struct value doc = parse(&a, cases[i].doc), patch = parse(&a, cases[i].patch);
        struct value want = parse(&a, cases[i].want), before = value_copy(&a, &patch);
        struct err err = { 0 };

        cr_assert(type_of(cases[i].kind));
        cr_expect_eq(
            strategic_merge_apply(&a, &schema_builtin, type_of(cases[i].kind), &doc, &patch, &err),
            0, "%s: %s", cases[i].name, err.text);
        value_print(&b, &doc);
        cr_expect(value_equal(&doc, &want), "%s: %s", cases[i].name, buf_cstr(&b));
        cr_expect(value_equal(&patch, &before), "%s: the patch changed", cases[i].name);
    }
}

Test(strategic_merge, refuses_in_upstream_words)
{
    static const struct {
        const char *doc, *patch;
        int code;
        const char *text;
    } bad[] = {
        { "{'metadata':{}}", "{'metadata':{'$patch':'fly'}}", ERR_UNSUPPORTED,
          "unknown patch type: fly in map: map[$patch:fly]" },
        { "{'spec':{'containers':[]}}", "{'spec':{'containers':[{'image':'x'}]}}", ERR_UNSUPPORTED,
          "map: map[image:x] does not contain declared merge key: name" },
        { "{'spec':{'containers':[]}}", "{'spec':{'containers':[{'$patch':'delete'}]}}",
          ERR_UNSUPPORTED, "map: map[$patch:delete] does not contain declared merge key: name" },
        { "{'spec':{'containers':[{'name':'a'}]}}",
          "{'spec':{'containers':[{'name':'a','$patch':'merge'}]}}", ERR_UNSUPPORTED,
          "merging lists cannot yet be specified in the patch" },
        { "{'spec':{'x':{}}}", "{'spec':{'x':{}}}", ERR_UNSUPPORTED,
          "unable to find api field in struct PodSpec for the json field \"x\"" },
        { "{'metadata':{'finalizers':['a']}}", "{'metadata':{'finalizers':[['b']]}}", ERR_INVALID,
          "lists of lists are not supported" },
        { "{'spec':{'volumes':[{'name':'v'}]}}",
          "{'spec':{'volumes':[{'name':'v','$retainKeys':['name'],'emptyDir':{}}]}}", ERR_SYNTAX,
          "invalid patch format of retainKeys" },
        { "{'spec':{}}", "{'spec':{'$retainKeys':'name'}}", ERR_SYNTAX,
          "invalid patch format of retainKeys" },
        { "{'spec':{}}", "{'spec':{'$setElementOrder':[]}}", ERR_SYNTAX,
          "invalid patch format of setElementOrder list" },
        { "{'metadata':{}}", "{'metadata':{'$deleteFromPrimitiveList':['a']}}", ERR_SYNTAX,
          "invalid patch format of primitive list" },
        { "{'spec':{'containers':[{'name':'a'}]}}",
          "{'spec':{'$setElementOrder/containers':[{'name':'b'},{'name':'a'}],"
          "'containers':[{'name':'a'},{'name':'b'}]}}",
          ERR_UNSUPPORTED,
          "The order in patch list:\n[map[name:a] map[name:b]]\n doesn't match $setElementOrder "
          "list:\n[map[name:b] map[name:a]]\n" },
        { "{'metadata':{'labels':{'a':{}}}}", "{'metadata':{'labels':{'a':{}}}}", ERR_UNSUPPORTED,
          "merging an object in json but data type is not struct, instead is: map" },
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CLEANUP(arena_done) struct arena a = { 0 };
        struct value doc = parse(&a, bad[i].doc), patch = parse(&a, bad[i].patch);
        struct err err = { 0 };

        cr_expect_eq(strategic_merge_apply(&a, &schema_builtin, type_of("Pod"), &doc, &patch, &err),
                     bad[i].code, "%s", bad[i].patch);
        cr_expect_str_eq(err.text, bad[i].text);
    }
}

Test(strategic_merge, long_lists_take_linear_time)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(buf_done) struct buf text = { 0 };
    struct value doc, patch;
    struct err err = { 0 };

    buf_append_lit(&text, "{\"spec\":{\"containers\":[");
    for (int i = 0; i < 30000; i++)
        buf_printf(&text, "%s{\"name\":\"c%d\"}", i ? "," : "", i);
    buf_append_lit(&text, "]}}");
    cr_assert_eq(value_parse(&a, buf_str(&text), &doc, NULL, &err), 0);
    cr_assert_eq(strategic_merge_decode(&a, buf_str(&text), &patch, &err), 0);
    cr_expect_eq(strategic_merge_apply(&a, &schema_builtin, type_of("Pod"), &doc, &patch, &err), 0);
    cr_expect_eq(value_get(value_get(&doc, STR("spec")), STR("containers"))->len, 30000);
    cr_expect_eq(strategic_merge_decode(&a, STR("[]"), &patch, &err), ERR_SYNTAX);
    cr_expect_str_eq(err.text,
                     "json: cannot unmarshal array into Go value of type map[string]interface {}");
}
