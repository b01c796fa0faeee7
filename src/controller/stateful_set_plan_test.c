/* What a StatefulSet does next, without anybody to talk to. A case is a text: Pods as "number" and
 * state, claims as "c" and number. */
#include <criterion/criterion.h>

#include "api/meta_v1.h"
#include "api/resource.h"
#include "api/schema.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/buf.h"
#include "controller/stateful_set_internal.h"

enum { MAX_OBJECTS = 32, NOW_S = 100000 };

struct fixture {
    struct arena arena;
    struct apps_v1_stateful_set set;
    struct apps_v1_rolling_update_stateful_set_strategy rolling;
    struct apps_v1_stateful_set_persistent_volume_claim_retention_policy policy;
    struct apps_v1_stateful_set_ordinals ordinals;
    struct core_v1_persistent_volume_claim claim_template;
    struct core_v1_pod_template_spec old_template;
    struct api_object object;
    struct api_object pods[MAX_OBJECTS], claims[MAX_OBJECTS];
    const struct api_object *pod_list[MAX_OBJECTS];
    size_t n_pods, n_claims;
    struct stateful_run run;
};

static struct api_object wrap(struct object o)
{
    return (struct api_object){ .o = o, .meta = object_meta(o), .key = object_meta(o)->name };
}

static struct object new_object(struct arena *a, const char *resource)
{
    const struct resource *row = resource_find(STR(""), STR("v1"), str_from_cstr(resource));
    struct object o = object_new(a, &schema_builtin, row->type);

    object_set_gvk(o, STR("v1"), row->kind);
    return o;
}

static const struct api_object *find_claim(const struct stateful_run *s, struct str name)
{
    const struct fixture *f = s->arg;

    for (size_t i = 0; i < f->n_claims; i++)
        if (str_eq(f->claims[i].meta->name, name))
            return &f->claims[i];
    return NULL;
}

/* Flags: P parallel, D on delete, c claims, s they go with scale, x and with the set, numbers from
 * 5 on (5), partition 1 or 2. */
static void begin(struct fixture *f, const char *flags, int32_t replicas)
{
    struct str has = str_from_cstr(flags);

    *f = (struct fixture){ 0 };
    f->set.metadata.name = STR("web");
    f->set.metadata.namespace = STR("ns");
    f->set.metadata.uid = STR("set-uid");
    f->set.spec.replicas = arena_dup(&f->arena, &replicas, sizeof(replicas));
    f->set.spec.min_ready_seconds = 10;
    f->set.spec.pod_management_policy =
        str_find(has, 'P') >= 0 ? STR("Parallel") : STR("OrderedReady");
    f->set.spec.update_strategy.type =
        str_find(has, 'D') >= 0 ? STR("OnDelete") : STR("RollingUpdate");
    f->rolling.partition = ARENA_NEW(&f->arena, int32_t);
    *f->rolling.partition = str_find(has, '2') >= 0 ? 2 : str_find(has, '1') >= 0;
    if (str_find(has, 'D') < 0)
        f->set.spec.update_strategy.rolling_update = &f->rolling;
    f->claim_template.metadata.name = STR("data");
    f->set.spec.volume_claim_templates.items = &f->claim_template;
    f->set.spec.volume_claim_templates.len = str_find(has, 'c') >= 0;
    f->policy.when_scaled = str_find(has, 's') >= 0 ? STR("Delete") : STR("Retain");
    f->policy.when_deleted = str_find(has, 'x') >= 0 ? STR("Delete") : STR("Retain");
    f->set.spec.persistent_volume_claim_retention_policy = &f->policy;
    f->ordinals.start = 5;
    f->set.spec.ordinals = str_find(has, '5') >= 0 ? &f->ordinals : NULL;
    f->object = wrap(
        (struct object){ .schema = &schema_builtin,
                         .type = resource_find(STR("apps"), STR("v1"), STR("statefulsets"))->type,
                         .data = &f->set });
    object_set_gvk(f->object.o, STR("apps/v1"), STR("StatefulSet"));
    f->run = (struct stateful_run){ .arena = &f->arena,
                                    .object = &f->object,
                                    .set = &f->set,
                                    .current_template = &f->old_template,
                                    .current = STR("old"),
                                    .update = STR("new"),
                                    .now_s = NOW_S,
                                    .find_claim = find_claim,
                                    .arg = f };
}

static struct meta_v1_owner_reference owner(struct arena *a, const char *version, const char *kind,
                                            struct str name, struct str uid)
{
    bool *yes = ARENA_NEW(a, bool);

    *yes = true;
    return (struct meta_v1_owner_reference){ .api_version = str_from_cstr(version),
                                             .kind = str_from_cstr(kind),
                                             .name = name,
                                             .uid = uid,
                                             .controller = yes };
}

/* "c3" and: s the set owns it, p its Pod does, o another, z an earlier Pod of the name; d leaving.
 */
static void add_claim(struct fixture *f, struct str text)
{
    struct object o = new_object(&f->arena, "persistentvolumeclaims");
    struct meta_v1_object_meta *m = object_meta(o);
    struct str pod = arena_printf(&f->arena, "web-%c", text.p[1]);

    m->name = arena_printf(&f->arena, "data-web-%c", text.p[1]);
    m->owner_references.items = ARENA_NEW_ARRAY(&f->arena, struct meta_v1_owner_reference, 4);
    for (size_t i = 2; i < text.len; i++) {
        struct meta_v1_owner_reference *ref = &m->owner_references.items[m->owner_references.len];

        if (text.p[i] == 'd') {
            m->deletion_timestamp = (struct ktime){ .sec = NOW_S, .set = true };
            continue;
        }
        m->owner_references.len++;
        if (text.p[i] == 's')
            *ref = owner(&f->arena, "apps/v1", "StatefulSet", STR("web"), STR("set-uid"));
        if (text.p[i] == 'p')
            *ref = owner(&f->arena, "v1", "Pod", pod, arena_printf(&f->arena, "uid-%c", text.p[1]));
        if (text.p[i] == 'z')
            *ref = owner(&f->arena, "v1", "Pod", pod, STR("earlier"));
        if (text.p[i] == 'o')
            *ref = owner(&f->arena, "example.com/v1", "Other", STR("x"), STR("y"));
    }
    f->claims[f->n_claims++] = wrap(o);
}

/* "3" and: r ready, y ready but just now, p pending, n running and not ready, f failed, s
 * succeeded; o of the old template; d leaving; l without its label, v without its volume. */
static void add_pod(struct fixture *f, struct str text)
{
    struct stateful_slot slot = { .ordinal = text.p[0] - '0',
                                  .name = arena_printf(&f->arena, "web-%c", text.p[0]) };
    struct object o = stateful_pod(&f->run, &slot);
    struct core_v1_pod *pod = o.data;

    object_set_gvk(o, STR("v1"), STR("Pod"));
    pod->metadata.uid = arena_printf(&f->arena, "uid-%c", text.p[0]);
    text_map_put(&f->arena, &pod->metadata.labels, STR(STATEFUL_REVISION_LABEL),
                 str_find(text, 'o') >= 0 ? STR("old") : STR("new"));
    if (str_find(text, 'l') >= 0)
        text_map_put(&f->arena, &pod->metadata.labels, STR("statefulset.kubernetes.io/pod-name"),
                     STR("nonsense"));
    if (str_find(text, 'v') >= 0)
        pod->spec.volumes.len = 0;
    if (str_find(text, 'd') >= 0)
        pod->metadata.deletion_timestamp = (struct ktime){ .sec = NOW_S, .set = true };
    pod->status.phase = str_find(text, 'p') >= 0   ? STR("Pending")
                        : str_find(text, 'f') >= 0 ? STR("Failed")
                        : str_find(text, 's') >= 0 ? STR("Succeeded")
                                                   : STR("Running");
    pod->status.conditions.items = ARENA_NEW(&f->arena, struct core_v1_pod_condition);
    pod->status.conditions.len = 1;
    pod->status.conditions.items[0] = (struct core_v1_pod_condition){
        .type = STR("Ready"),
        .status = str_find(text, 'r') >= 0 || str_find(text, 'y') >= 0 ? STR("True") : STR("False"),
        .last_transition_time = { .sec = str_find(text, 'y') >= 0 ? NOW_S - 3 : 0, .set = true },
    };
    f->pods[f->n_pods] = wrap(o);
    f->pod_list[f->n_pods] = &f->pods[f->n_pods];
    f->n_pods++;
}

static void gather(struct fixture *f, const char *world)
{
    struct str rest = str_from_cstr(world), word;

    while (world[0] && str_next(&rest, ' ', &word)) {
        if (word.p[0] == 'c')
            add_claim(f, word);
        else
            add_pod(f, word);
    }
    stateful_gather(&f->run, f->pod_list, f->n_pods);
}

/* + created, - deleted, ! repaired, c claim made, o claim's owners changed. */
static struct str decided(struct fixture *f)
{
    static const char signs[] = { [STATEFUL_CREATE] = '+',
                                  [STATEFUL_DELETE] = '-',
                                  [STATEFUL_REPAIR] = '!',
                                  [STATEFUL_CREATE_CLAIM] = 'c',
                                  [STATEFUL_OWN_CLAIM] = 'o' };
    struct buf b = { 0 };

    buf_init_arena(&b, &f->arena, 64);
    for (size_t i = 0; i < f->run.n_steps; i++)
        buf_printf(&b, "%s%c%lld", b.len ? " " : "", signs[f->run.steps[i].action],
                   (long long)f->run.steps[i].slot->ordinal);
    if (f->run.needs_claims)
        buf_append_lit(&b, " again");
    if (f->run.leaving_claim.len)
        buf_printf(&b, "%s", f->run.refused ? "refused" : "waits");
    return buf_str(&b);
}

static const struct {
    const char *flags;
    int32_t replicas;
    const char *world, *want;
} cases[] = {
    /* In order. */
    { "", 3, "", "+0" },
    { "", 0, "", "" },
    { "", 3, "0p", "" },
    { "", 3, "0n", "" },
    { "", 3, "0y", "" },
    { "", 3, "0r", "+1" },
    { "", 3, "0rd", "" },
    { "", 3, "0r 2r", "+1" },
    { "", 3, "0r 1f 2r", "-1" },
    { "", 3, "0r 1s 2r", "-1" },
    { "", 3, "0r 1fd 2r", "" },
    { "", 3, "0n 1f 2r", "" },
    { "", 3, "0r 1r 2r", "" },
    { "5", 2, "", "+5" },
    { "5", 2, "5r", "+6" },
    /* Down: the last first, each when all others are well; the one that is not may go. */
    { "", 1, "0r 1r 2r", "-2" },
    { "", 1, "0n 1r 2r", "" },
    { "", 1, "0r 1r 2n", "-2" },
    { "", 1, "0r 1n 2r", "-2" },
    { "", 1, "0r 1n 2n", "" },
    { "", 1, "0r 1r 2rd", "" },
    { "", 1, "0r 1r 2y", "-2" },
    { "", 0, "0r 1r", "-1" },
    { "", 0, "0n 1r", "-1" },
    { "5", 2, "0r 5r 6r 7r", "-7" },
    { "5", 2, "0r 5r 6r", "-0" },
    { "", 2, "0r 2r", "+1" },
    /* All at once. */
    { "P", 3, "", "+0 +1 +2" },
    { "P", 3, "0n 1f", "-1 +2" },
    { "P", 1, "0n 1r 2n 3rd", "-2 -1" },
    { "P", 3, "0ro 1ro 2ro", "-2" },
    { "P", 3, "0ro 1ro", "+2" },
    /* Another template. */
    { "", 3, "0ro 1ro 2ro", "-2" },
    { "", 3, "0ro 1ro", "+2" },
    { "", 3, "0ro 1ro 2y", "" },
    { "", 3, "0ro 1ro 2r", "-1" },
    { "", 3, "0ro 1ro 2rod", "" },
    { "", 3, "0ro 1no 2r", "" },
    { "P", 3, "0ro 1no 2r", "-1" },
    { "P", 3, "0ro 1ro 2n", "" },
    { "1", 3, "0ro 1ro 2r", "-1" },
    { "2", 3, "0ro 1ro 2r", "" },
    { "5 1", 3, "5ro 6ro 7r", "-6" },
    { "5 2", 3, "5ro 6ro 7r", "" },
    { "D", 3, "0ro 1ro 2ro", "" },
    { "", 1, "0ro 1ro", "-1" }, /* fewer first */
    /* Claims. */
    { "c", 2, "", "c0 again" },
    { "c", 2, "c0", "+0" },
    { "c", 2, "c0d", "refused" },
    { "c", 2, "0p", "c0" },
    { "c", 2, "0p c0d", "waits" },
    { "cP", 2, "", "c0 c1 again" },
    { "cP", 2, "c1", "c0 +1 again" },
    { "c", 1, "0r c0", "" },
    { "c", 1, "0rv c0", "!0" },
    { "c", 1, "0rl c0", "!0" },
    { "c", 1, "0rv", "c0 !0" },
    /* Who owns them. */
    { "cx", 1, "0r c0", "o0" },
    { "cx", 1, "0p c0", "o0" },
    { "cx", 1, "0r c0s", "" },
    { "c", 1, "0r c0s", "o0" },
    { "cs", 1, "0r c0", "" },
    { "cs", 1, "0r 1r c0 c1", "o1 again" },
    { "cs", 1, "0r 1r c0 c1p", "-1" },
    { "cs", 2, "0r 1r c0 c1p", "o1" },
    { "csx", 1, "0r 1r c0s c1s", "o1 again" },
    { "csx", 1, "0r 1r c0s c1p", "-1" },
    { "csx", 1, "0r c0sp", "o0" },
    { "cs", 1, "c0z", "" }, /* the collector is to take it first */
    { "c", 1, "c0z", "+0" },
    { "cx", 1, "0r c0z", "" },
    { "cx", 1, "0r c0o", "" },
    { "cx", 1, "0r c0os", "o0" },
    { "c", 1, "0r c0o", "" },
};

Test(stateful_set_plan, steps)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        struct str got;

        begin(&f, cases[i].flags, cases[i].replicas);
        gather(&f, cases[i].world);
        stateful_plan(&f.run);
        got = decided(&f);
        cr_expect(str_eq(got, str_from_cstr(cases[i].want)), "%zu: %s %d: %s: '%.*s', not '%s'", i,
                  cases[i].flags, cases[i].replicas, cases[i].world, STR_ARG(got), cases[i].want);
        arena_done(&f.arena);
    }
}

Test(stateful_set_plan, one_that_is_deleted_is_let_alone)
{
    struct fixture f;

    begin(&f, "P", 3);
    f.set.metadata.deletion_timestamp = (struct ktime){ .sec = NOW_S, .set = true };
    gather(&f, "0r 7r");
    stateful_plan(&f.run);
    cr_assert_eq(f.run.n_steps, 0);
    arena_done(&f.arena);
}

Test(stateful_set_plan, a_huge_set_is_taken_in_parts)
{
    struct fixture f;

    begin(&f, "P", INT32_MAX);
    gather(&f, "3ro 9ro");
    cr_assert(f.run.is_cut);
    cr_assert_eq(f.run.n_slots, STATEFUL_MISSING_MAX + 2);
    stateful_plan(&f.run);
    cr_assert_eq(f.run.n_steps, STATEFUL_MISSING_MAX);
    cr_assert_eq(f.run.steps[STATEFUL_MISSING_MAX - 1].action, STATEFUL_CREATE);
    arena_done(&f.arena);
}

Test(stateful_set_plan, status_counts_pods)
{
    struct apps_v1_stateful_set_status s = { 0 };
    struct fixture f;
    int64_t wait;

    begin(&f, "", 4);
    gather(&f, "0ro 1y 2rd 3n 4ro 5p");
    stateful_status(&f.run, &s, &wait);
    cr_assert_eq(s.replicas, 6);
    cr_assert_eq(s.ready_replicas, 4);
    cr_assert_eq(s.available_replicas, 3);
    cr_assert_eq(s.current_replicas, 2);
    cr_assert_eq(s.updated_replicas, 3);
    cr_assert_eq(wait, 7);
    cr_assert(str_eq(s.current_revision, STR("old")));
    arena_done(&f.arena);

    begin(&f, "", 2); /* an update that is over */
    gather(&f, "0r 1r");
    stateful_status(&f.run, &s, &wait);
    cr_assert(str_eq(s.current_revision, STR("new")));
    cr_assert_eq(s.current_replicas, 2);
    arena_done(&f.arena);

    begin(&f, "D", 2); /* nobody says when one on delete is */
    gather(&f, "0r 1r");
    stateful_status(&f.run, &s, &wait);
    cr_assert(str_eq(s.current_revision, STR("old")));
    arena_done(&f.arena);
}

Test(stateful_set_plan, ordinals_are_of_names_that_we_give)
{
    static const struct {
        const char *pod;
        int64_t want;
    } rows[] = {
        { "web-0", 0 },
        { "web-2147483647", INT32_MAX },
        { "web-2147483648", -1 },
        { "web-01", -1 },
        { "web-", -1 },
        { "web", -1 },
        { "web--1", -1 },
        { "web-1x", -1 },
        { "web-0-1", -1 },
        { "xweb-1", -1 },
        { "", -1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        cr_expect_eq(stateful_ordinal(STR("web"), str_from_cstr(rows[i].pod)), rows[i].want, "%s",
                     rows[i].pod);
    cr_expect_eq(stateful_ordinal(STR("web-0"), STR("web-0-1")), 1);
}

Test(stateful_set_plan, below_the_partition_the_old_template_is_used)
{
    struct core_v1_container was = { .name = STR("was") }, is = { .name = STR("is") };
    struct fixture f;

    begin(&f, "5 2", 4);
    f.old_template.spec.containers.items = &was;
    f.set.spec.template.spec.containers.items = &is;
    f.old_template.spec.containers.len = f.set.spec.template.spec.containers.len = 1;
    gather(&f, "");
    for (size_t i = 0; i < 4; i++) {
        const struct core_v1_pod *pod = stateful_pod(&f.run, &f.run.slots[i]).data;

        cr_expect(str_eq(pod->spec.containers.items[0].name, i < 2 ? STR("was") : STR("is")));
        cr_expect(str_eq(text_map_find(&pod->metadata.labels, STR(STATEFUL_REVISION_LABEL))->value,
                         i < 2 ? STR("old") : STR("new")));
    }
    arena_done(&f.arena);
}

Test(stateful_set_plan, owners_of_claims_are_replaced_and_others_kept)
{
    struct fixture f;
    const struct meta_v1_object_meta *m;

    begin(&f, "csx", 1);
    gather(&f, "0r 1r c0p c1s");
    m = object_meta(stateful_owned_claim(&f.run, &f.run.slots[0], &f.claims[0]));
    cr_assert_eq(m->owner_references.len, 1);
    cr_assert(str_eq(m->owner_references.items[0].uid, STR("set-uid")));
    m = object_meta(stateful_owned_claim(&f.run, &f.run.condemned[0], &f.claims[1]));
    cr_assert_eq(m->owner_references.len, 1);
    cr_assert(str_eq(m->owner_references.items[0].uid, STR("uid-1")));
    arena_done(&f.arena);

    begin(&f, "cx", 1);
    gather(&f, "0r c0os");
    m = object_meta(stateful_owned_claim(&f.run, &f.run.slots[0], &f.claims[0]));
    cr_assert_eq(m->owner_references.len, 1);
    cr_assert(str_eq(m->owner_references.items[0].kind, STR("Other")));
    arena_done(&f.arena);
}
