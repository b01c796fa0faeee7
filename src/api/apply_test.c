#include "api/apply.h"

#include <criterion/criterion.h>

#include "api/meta_v1.h"
#include "api/schema.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* An object that managers write to in turn. */
struct scene {
    struct arena arena;
    struct value live;
    struct managed_fields managers;
    struct apply_conflicts conflicts;
    bool changed;
    int64_t now_s;
    const char *kind;
};

static void scene_done(struct scene *s)
{
    arena_done(&s->arena);
}

DEFINE_CLEANUP_VALUE(struct scene, scene_done);

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

static struct apply_call call_of(struct scene *s, const char *manager, bool applies)
{
    const struct schema_type *t =
        schema_find_type(&schema_builtin, STR(""), STR("v1"), str_from_cstr(s->kind));

    return (struct apply_call){
        .arena = &s->arena,
        .type = field_type_builtin(&schema_builtin, t),
        .who = { str_from_cstr(manager), STR("v1"), STR_NULL, applies },
        .now_s = ++s->now_s,
    };
}

static int apply(struct scene *s, const char *manager, const char *config, bool force)
{
    struct apply_call call = call_of(s, manager, true);
    struct value v = parse(&s->arena, config), empty = parse(&s->arena, "{'metadata':{}}");
    struct err err = { 0 };

    s->conflicts = (struct apply_conflicts){ 0 };
    return apply_config(&call, &s->live, &empty, &v, force, &s->managers, &s->live, &s->changed,
                        &s->conflicts, &err);
}

static void update(struct scene *s, const char *manager, const char *object)
{
    struct apply_call call = call_of(s, manager, false);
    struct value v = parse(&s->arena, object);
    struct err err = { 0 };

    cr_assert_eq(apply_update(&call, &s->live, &v, &s->managers, &err), 0, "%s", err.text);
    s->live = v;
}

/* What the manager owns, as FieldsV1 with single quotes. */
static const char *owned(struct scene *s, const char *manager, bool applied)
{
    struct managed_manager who = { str_from_cstr(manager), STR("v1"), STR_NULL, applied };
    const struct managed_entry *e = managed_fields_find(&s->managers, &who);
    struct buf b = { 0 };

    if (!e)
        return "";
    buf_init_arena(&b, &s->arena, 64);
    field_set_print(&b, &e->set);
    for (size_t i = 0; i < b.len; i++)
        if (b.p[i] == '"')
            b.p[i] = '\'';
    return buf_cstr(&b);
}

static void expect_object(struct scene *s, const char *want)
{
    struct value v = parse(&s->arena, want);
    struct buf b = { 0 };

    buf_init_arena(&b, &s->arena, 64);
    value_print(&b, &s->live);
    cr_expect(value_equal(&s->live, &v), "%s instead of %s", buf_cstr(&b), want);
}

static struct scene scene(const char *kind)
{
    struct scene s = { .kind = kind };

    s.live = value_object();
    return s;
}

Test(apply, a_field_goes_with_its_last_owner)
{
    CLEANUP(scene_done) struct scene s = scene("ConfigMap");

    cr_expect_eq(apply(&s, "a", "{'data':{'x':'1','y':'1'}}", false), 0);
    cr_expect_eq(apply(&s, "b", "{'data':{'y':'1'}}", false), 0);
    cr_expect_eq(apply(&s, "a", "{}", false), 0);
    expect_object(&s, "{'data':{'y':'1'}}");
    cr_expect_str_eq(owned(&s, "a", true), "");
    cr_expect_str_eq(owned(&s, "b", true), "{'f:data':{'f:y':{}}}");
}

Test(apply, items_go_by_their_keys)
{
    CLEANUP(scene_done) struct scene s = scene("Pod");

    apply(&s, "a", "{'spec':{'containers':[{'name':'x','image':'1'},{'name':'y','image':'1'}]}}",
          false);
    apply(&s, "b", "{'spec':{'containers':[{'name':'y','command':['c']}]}}", false);
    cr_expect_eq(apply(&s, "a", "{'spec':{'containers':[{'name':'x','image':'2'}]}}", false), 0);
    expect_object(&s, "{'spec':{'containers':[{'name':'x','image':'2'},{'name':'y','command':['c']}"
                      "]}}");
    cr_expect_eq(apply(&s, "b", "{'spec':{'containers':[]}}", false), 0);
    expect_object(&s, "{'spec':{'containers':[{'name':'x','image':'2'}]}}");
}

Test(apply, conflicts_and_force)
{
    CLEANUP(scene_done) struct scene s = scene("ConfigMap");

    apply(&s, "a", "{'data':{'x':'1','y':'1'}}", false);
    update(&s, "u", "{'data':{'x':'1','y':'1','z':'1'}}");
    cr_expect_eq(apply(&s, "b", "{'data':{'x':'2','z':'2'}}", false), ERR_CONFLICT);
    cr_assert_eq(s.conflicts.len, 2);
    cr_expect(str_eq(apply_conflicts_message(&s.arena, &s.conflicts),
                     STR("Apply failed with 2 conflicts: conflicts with \"a\":\n- .data.x\n"
                         "conflicts with \"u\" using v1:\n- .data.z")));
    expect_object(&s, "{'data':{'x':'1','y':'1','z':'1'}}");
    cr_expect_eq(apply(&s, "b", "{'data':{'x':'2','z':'2'}}", true), 0);
    cr_expect_str_eq(owned(&s, "a", true), "{'f:data':{'f:y':{}}}");
    cr_expect_str_eq(owned(&s, "u", false), "");
    cr_expect_str_eq(owned(&s, "b", true), "{'f:data':{'f:x':{},'f:z':{}}}");
}

Test(apply, equal_values_are_shared)
{
    CLEANUP(scene_done) struct scene s = scene("ConfigMap");

    apply(&s, "a", "{'data':{'x':'1'}}", false);
    cr_expect_eq(apply(&s, "b", "{'data':{'x':'1'}}", false), 0);
    cr_expect_str_eq(owned(&s, "a", true), owned(&s, "b", true));
    cr_expect_eq(apply(&s, "b", "{'data':{'x':'2'}}", false), ERR_CONFLICT);
}

Test(apply, nothing_new_is_no_change)
{
    CLEANUP(scene_done) struct scene s = scene("ConfigMap");
    struct managed_manager a = { STR("a"), STR("v1"), STR_NULL, true };
    int64_t first;

    apply(&s, "a", "{'data':{'x':'1'}}", false);
    cr_expect(s.changed);
    first = managed_fields_find(&s.managers, &a)->time.sec;
    apply(&s, "a", "{'data':{'x':'1'}}", false);
    cr_expect_not(s.changed);
    cr_expect_eq(managed_fields_find(&s.managers, &a)->time.sec, first);
}

Test(apply, an_update_takes_what_it_changes)
{
    CLEANUP(scene_done) struct scene s = scene("ConfigMap");

    apply(&s, "a", "{'data':{'x':'1','y':'1'}}", false);
    update(&s, "u", "{'data':{'x':'2'}}");
    cr_expect_str_eq(owned(&s, "u", false), "{'f:data':{'f:x':{}}}");
    cr_expect_str_eq(owned(&s, "a", true), "");
    update(&s, "v", "{'data':{'x':'2'}}");
    cr_expect_str_eq(owned(&s, "v", false), "");
}

Test(apply, what_was_there_before_is_somebodys)
{
    CLEANUP(scene_done) struct scene s = scene("ConfigMap");

    s.live = parse(&s.arena, "{'metadata':{'name':'n','uid':'u'},'data':{'x':'1','y':'1'}}");
    cr_expect_eq(apply(&s, "a", "{'data':{'x':'2'}}", false), ERR_CONFLICT);
    cr_expect(str_eq(s.conflicts.items[0].owner.manager, STR("before-first-apply")));
    cr_expect_eq(apply(&s, "a", "{'metadata':{'name':'n'},'data':{'x':'1'}}", false), 0);
    cr_expect_str_eq(owned(&s, "a", true), "{'f:data':{'f:x':{}}}");
    cr_expect_str_eq(owned(&s, "before-first-apply", false),
                     "{'f:data':{'.':{},'f:x':{},'f:y':{}}}");
}

Test(apply, client_side_applys_annotation_is_taken_over)
{
    CLEANUP(scene_done) struct scene s = scene("ConfigMap");
    const char *const object =
        "{'metadata':{'annotations':{'kubectl.kubernetes.io/last-applied-configuration':"
        "'{\\'apiVersion\\':\\'v1\\',\\'data\\':{\\'x\\':\\'1\\'}}'}},'data':{'x':'1','y':'1'}}";

    update(&s, "kubectl-client-side-apply", object);
    cr_expect_eq(apply(&s, "other", "{'data':{'x':'2'}}", false), ERR_CONFLICT);
    cr_expect_eq(apply(&s, "kubectl", "{'data':{'y':'2'}}", false), ERR_CONFLICT);
    cr_expect_eq(apply(&s, "kubectl", "{'data':{'x':'2'}}", false), 0);
    expect_object(&s,
                  "{'metadata':{'annotations':{'kubectl.kubernetes.io/last-applied-configuration':"
                  "'{\\'data\\':{\\'x\\':\\'2\\'}}\\n'}},'data':{'x':'2','y':'1'}}");
}

Test(apply, ignored_paths_are_nobodys)
{
    CLEANUP(scene_done) struct scene s = scene("Pod");
    struct apply_call call = call_of(&s, "u", false);
    struct value before = parse(&s.arena, "{'spec':{},'status':{}}");
    struct value after = parse(&s.arena, "{'spec':{'hostname':'a'},'status':{'phase':'x'}}");
    struct err err = { 0 };

    field_set_add_names(&s.arena, &call.ignored, STR("status"));
    cr_assert_eq(apply_update(&call, &before, &after, &s.managers, &err), 0);
    cr_expect_str_eq(owned(&s, "u", false), "{'f:spec':{'f:hostname':{}}}");
}

/* No version but the own is known. */
static int no_such_version(void *arg, struct arena *a, const struct value *v, struct str from,
                           struct str to, struct value *ret, struct field_type *ret_type,
                           struct err *err)
{
    (void)arg;
    (void)a;
    (void)v;
    (void)from;
    (void)to;
    (void)ret;
    (void)ret_type;
    return err_set(err, ERR_NOT_FOUND, "no such version");
}

Test(apply, entries_of_lost_versions_are_dropped)
{
    CLEANUP(scene_done) struct scene s = scene("ConfigMap");
    struct managed_manager old = { STR("old"), STR("v0"), STR_NULL, false };
    struct apply_call call = call_of(&s, "u", false);
    struct value after = parse(&s.arena, "{'data':{'x':'2'}}");
    struct managed_entry *e;
    struct err err = { 0 };

    call.convert = no_such_version;
    apply(&s, "a", "{'data':{'x':'1'}}", false);
    e = managed_fields_add(&s.arena, &s.managers, &old);
    field_set_add_names(&s.arena, &e->set, STR("data"));
    cr_assert_eq(apply_update(&call, &s.live, &after, &s.managers, &err), 0);
    cr_expect_null(managed_fields_find(&s.managers, &old));
}
