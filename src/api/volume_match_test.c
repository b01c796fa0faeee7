/* Which volume a claim gets, from volumes made by hand. */
#include "api/volume_match.h"

#include <criterion/criterion.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "base/arena.h"
#include "base/err.h"

enum { MAX_VOLUMES = 6 };

struct spec {
    const char *name, *size, *modes, *class; /* modes by commas */
    const char *claim, *uid;                 /* of its reference; NULL: none */
    const char *phase;                       /* NULL: Available */
    const char *zone;                        /* that it is in; NULL: everywhere */
    bool is_block, is_going;
};

struct fixture {
    struct arena arena;
    struct core_v1_persistent_volume_claim claim;
    struct core_v1_persistent_volume volumes[MAX_VOLUMES];
    struct core_v1_node node;
    struct schema_str_entry label;
};

static void set_size(struct arena *a, void *map, const char *size)
{
    struct schema_str_entry *e = ARENA_NEW(a, struct schema_str_entry);

    *e = (struct schema_str_entry){ STR("storage"), str_from_cstr(size) };
    *(struct schema_list *)map = (struct schema_list){ e, 1 };
}

static void set_modes(struct arena *a, void *list, const char *modes)
{
    struct str rest = str_from_cstr(modes), part;
    struct str *items = ARENA_NEW_ARRAY(a, struct str, 4);
    uint32_t n = 0;

    while (str_next(&rest, ',', &part))
        items[n++] = part;
    *(struct schema_list *)list = (struct schema_list){ items, n };
}

static void set_zone(struct arena *a, struct core_v1_persistent_volume *v, const char *zone)
{
    struct core_v1_node_selector_requirement *r =
        ARENA_NEW(a, struct core_v1_node_selector_requirement);
    struct core_v1_node_selector_term *t = ARENA_NEW(a, struct core_v1_node_selector_term);

    r->key = STR("zone");
    r->operator= STR("In");
    r->values.items = ARENA_NEW(a, struct str);
    r->values.items[0] = str_from_cstr(zone);
    r->values.len = 1;
    t->match_expressions.items = r;
    t->match_expressions.len = 1;
    v->spec.node_affinity = ARENA_NEW(a, struct core_v1_volume_node_affinity);
    v->spec.node_affinity->required = ARENA_NEW(a, struct core_v1_node_selector);
    v->spec.node_affinity->required->node_selector_terms.items = t;
    v->spec.node_affinity->required->node_selector_terms.len = 1;
}

static void make(struct fixture *f, struct core_v1_persistent_volume *v, const struct spec *s)
{
    v->metadata.name = str_from_cstr(s->name);
    v->metadata.deletion_timestamp.set = s->is_going;
    v->spec.storage_class_name = str_from_cstr(s->class);
    v->spec.volume_mode = s->is_block ? STR("Block") : STR_NULL;
    v->status.phase = str_from_cstr(s->phase ? s->phase : "Available");
    set_size(&f->arena, &v->spec.capacity, s->size);
    set_modes(&f->arena, &v->spec.access_modes, s->modes);
    if (s->zone)
        set_zone(&f->arena, v, s->zone);
    if (!s->claim)
        return;
    v->spec.claim_ref = ARENA_NEW(&f->arena, struct core_v1_object_reference);
    v->spec.claim_ref->namespace = STR("ns");
    v->spec.claim_ref->name = str_from_cstr(s->claim);
    v->spec.claim_ref->uid = str_from_cstr(s->uid);
}

/* A claim ns/c of uid 1 for 2Gi, ReadWriteOnce, class "fast", on a node in zone a. */
static void begin(struct fixture *f)
{
    *f = (struct fixture){ .label = { STR("zone"), STR("a") } };
    f->claim.metadata.namespace = STR("ns");
    f->claim.metadata.name = STR("c");
    f->claim.metadata.uid = STR("1");
    f->claim.spec.storage_class_name = STR("fast");
    set_size(&f->arena, &f->claim.spec.resources.requests, "2Gi");
    set_modes(&f->arena, &f->claim.spec.access_modes, "ReadWriteOnce");
    f->node.metadata.labels.items = &f->label;
    f->node.metadata.labels.len = 1;
}

static struct volume_search search(struct fixture *f, const struct spec *specs, bool is_delayed,
                                   bool has_node)
{
    struct volume_search s;
    struct err err;

    cr_assert_eq(volume_search_init(&f->arena, &s, &f->claim, &err), 0);
    s.is_delayed = is_delayed;
    s.node = has_node ? &f->node : NULL;
    for (size_t i = 0; i < MAX_VOLUMES && specs[i].name; i++) {
        f->volumes[i] = (struct core_v1_persistent_volume){ 0 };
        make(f, &f->volumes[i], &specs[i]);
        volume_search_offer(&s, &f->volumes[i]);
    }
    return s;
}

#define RWO "ReadWriteOnce"
#define RWX "ReadWriteMany"

Test(volume_match, the_best_one)
{
    static const struct {
        const char *what;
        struct spec volumes[MAX_VOLUMES];
        const char *want; /* NULL: none */
        bool is_delayed, has_node;
    } rows[] = {
        { "smallest that is large enough",
          { { "a", "1Gi", RWO, "fast" }, { "b", "9Gi", RWO, "fast" }, { "c", "3Gi", RWO, "fast" } },
          "c" },
        { "sizes are numbers, not texts",
          { { "a", "2048Mi", RWO, "fast" }, { "b", "2000M", RWO, "fast" } },
          "a" },
        { "by name among equals",
          { { "b", "2Gi", RWO, "fast" }, { "a", "2Gi", RWO, "fast" } },
          "a" },
        { "fewer modes before smaller",
          { { "a", "2Gi", RWO "," RWX, "fast" }, { "b", "5Gi", RWO, "fast" } },
          "b" },
        { "a mode named twice is one",
          { { "a", "5Gi", RWO "," RWX, "fast" }, { "b", "5Gi", RWO "," RWO, "fast" } },
          "b" },
        { "the mode must be there", { { "a", "2Gi", RWX, "fast" } }, NULL },
        { "the class must be the same",
          { { "a", "2Gi", RWO, "slow" }, { "b", "2Gi", RWO, "" } },
          NULL },
        { "not what is taken, not what was let go, not what is leaving",
          { { "a", "2Gi", RWO, "fast", "other", "7" },
            { "b", "2Gi", RWO, "fast", "c", "7" },
            { "c", "2Gi", RWO, "fast", .phase = "Released" },
            { "d", "2Gi", RWO, "fast", .phase = "Pending" },
            { "e", "2Gi", RWO, "fast", .is_going = true } },
          NULL },
        { "not a block device", { { "a", "2Gi", RWO, "fast", .is_block = true } }, NULL },
        { "promised by name, whatever its class and phase, before what is smaller",
          { { "a", "2Gi", RWO, "fast" }, { "b", "9Gi", RWO, "slow", "c", .phase = "Pending" } },
          "b" },
        { "promised, but too small", { { "a", "1Gi", RWO, "fast", "c" } }, NULL },
        { "bound to it already", { { "a", "2Gi", RWO, "fast", "c", "1", .phase = "Bound" } }, "a" },
        { "delayed: the scheduler chooses",
          { { "a", "2Gi", RWO, "fast" } },
          NULL,
          .is_delayed = true },
        { "delayed, but promised",
          { { "a", "2Gi", RWO, "fast" }, { "b", "3Gi", RWO, "fast", "c" } },
          "b",
          .is_delayed = true },
        { "on the node: the zone counts",
          { { "a", "2Gi", RWO, "fast", .zone = "b" }, { "b", "3Gi", RWO, "fast", .zone = "a" } },
          "b",
          .has_node = true },
        { "on the node: modes do not",
          { { "a", "3Gi", RWO, "fast" }, { "b", "2Gi", RWO "," RWX, "fast" } },
          "b",
          .has_node = true },
        { "on the node: it must have the mode all the same",
          { { "a", "3Gi", RWX, "fast" } },
          NULL,
          .has_node = true },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f;
        struct volume_search s;

        begin(&f);
        s = search(&f, rows[i].volumes, rows[i].is_delayed, rows[i].has_node);
        cr_expect(str_eq(s.best ? s.best->metadata.name : STR_NULL, str_from_cstr(rows[i].want)),
                  "%s: %.*s", rows[i].what, STR_ARG(s.best ? s.best->metadata.name : STR("none")));
        arena_done(&f.arena);
    }
}

Test(volume_match, what_is_promised_is_elsewhere)
{
    static const struct spec volumes[MAX_VOLUMES] = {
        { "a", "2Gi", RWO, "fast", "c", .zone = "b" },
    };
    struct fixture f;
    struct volume_search s;

    begin(&f);
    s = search(&f, volumes, false, true);
    cr_expect_null(s.best);
    cr_expect(s.is_elsewhere);
    arena_done(&f.arena);
}

Test(volume_match, objections)
{
    static const struct {
        struct spec volume;
        const char *want;
    } rows[] = {
        { { "a", "2Gi", RWO, "fast" }, "" },
        { { "a", "2Gi", RWO "," RWX, "fast" }, "" },
        { { "a", "2Gi", RWO, "fast", .is_going = true },
          "the volume is marked for deletion \"a\"" },
        { { "a", "1Gi", RWO, "fast" }, "requested PV is too small" },
        { { "a", "2Gi", RWO, "" }, "storageClassName does not match" },
        { { "a", "2Gi", RWO, "fast", .is_block = true }, "incompatible volumeMode" },
        { { "a", "2Gi", RWX, "fast" }, "incompatible accessMode" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture f;
        struct str why;

        begin(&f);
        make(&f, &f.volumes[0], &rows[i].volume);
        why = volume_objection(&f.arena, &f.volumes[0], &f.claim);
        cr_expect(str_eq(why, str_from_cstr(rows[i].want)), "%zu: %.*s", i, STR_ARG(why));
        arena_done(&f.arena);
    }
}

Test(volume_match, operators_of_a_volumes_place)
{
    static const struct {
        const char *key, *operator, * value;
        bool want;
    } rows[] = {
        { "zone", "In", "a", true },
        { "zone", "In", "b", false },
        { "zone", "NotIn", "a", false },
        { "rack", "NotIn", "a", true },
        { "zone", "Exists", NULL, true },
        { "rack", "Exists", NULL, false },
        { "rack", "DoesNotExist", NULL, true },
        { "zone", "DoesNotExist", NULL, false },
        { "zone", "Gt", "1", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        static const struct spec volume = { "a", "2Gi", RWO, "fast", .zone = "a" };
        struct core_v1_node_selector_requirement *r;
        struct fixture f;

        begin(&f);
        make(&f, &f.volumes[0], &volume);
        r = &f.volumes[0]
                 .spec.node_affinity->required->node_selector_terms.items[0]
                 .match_expressions.items[0];
        r->key = str_from_cstr(rows[i].key);
        r->operator= str_from_cstr(rows[i].operator);
        r->values.len = rows[i].value ? 1 : 0;
        if (rows[i].value)
            r->values.items[0] = str_from_cstr(rows[i].value);
        cr_expect_eq(volume_is_on_node(&f.volumes[0], &f.node), rows[i].want, "%zu", i);
        arena_done(&f.arena);
    }
}

Test(volume_match, claims_of_pods)
{
    struct core_v1_persistent_volume_claim_volume_source named = { .claim_name = STR("data") };
    struct core_v1_ephemeral_volume_source made = { 0 };
    struct core_v1_volume by_name = { .name = STR("v"),
                                      .volume_source = { .persistent_volume_claim = &named } };
    struct core_v1_volume ephemeral = { .name = STR("v"), .volume_source = { .ephemeral = &made } };
    struct core_v1_volume other = { .name = STR("v") };
    struct core_v1_pod pod = { .metadata = { .name = STR("p"), .uid = STR("1") } };
    bool yes = true;
    struct meta_v1_owner_reference ref = { .uid = STR("1"), .controller = &yes };
    struct core_v1_persistent_volume_claim claim = { 0 };
    struct arena a = { 0 };

    cr_expect(str_eq(volume_claim_name(&a, &pod, &by_name), STR("data")));
    cr_expect(str_eq(volume_claim_name(&a, &pod, &ephemeral), STR("p-v")));
    cr_expect_null(volume_claim_name(&a, &pod, &other).p);
    cr_expect_not(volume_claim_is_of_pod(&claim, &pod));
    claim.metadata.owner_references.items = &ref;
    claim.metadata.owner_references.len = 1;
    cr_expect(volume_claim_is_of_pod(&claim, &pod));
    pod.metadata.uid = STR("2");
    cr_expect_not(volume_claim_is_of_pod(&claim, &pod));
    arena_done(&a);
}
