/* What binding and letting go write. */
#include "controller/volume_state.h"

#include <criterion/criterion.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"
#include "api/text_map.h"
#include "api/volume_match.h"
#include "base/arena.h"

struct fixture {
    struct arena arena;
    struct core_v1_persistent_volume volume;
    struct core_v1_persistent_volume_claim claim;
};

static void begin(struct fixture *f)
{
    *f = (struct fixture){ 0 };
    f->claim.metadata.namespace = STR("ns");
    f->claim.metadata.name = STR("c");
    f->claim.metadata.uid = STR("1");
    f->claim.metadata.resource_version = STR("7");
    f->claim.status.phase = STR("Pending");
    text_map_put(&f->arena, &f->volume.spec.capacity, STR("storage"), STR("2Gi"));
}

static struct str annotation(const struct meta_v1_object_meta *m, struct str key)
{
    const struct schema_str_entry *e = text_map_find(&m->annotations, key);

    return e ? e->value : STR_NULL;
}

Test(volume_state, a_free_volume_is_bound_and_let_go)
{
    struct fixture f;

    begin(&f);
    volume_state_refer(&f.arena, &f.volume, &f.claim);
    cr_assert_not_null(f.volume.spec.claim_ref);
    cr_expect(str_eq(f.volume.spec.claim_ref->uid, STR("1")));
    cr_expect(str_eq(f.volume.spec.claim_ref->resource_version, STR("7")));
    cr_expect(str_eq(annotation(&f.volume.metadata, STR(VOLUME_BOUND_BY_CONTROLLER)), STR("yes")));
    volume_state_let_go(&f.arena, &f.volume);
    cr_expect_null(f.volume.spec.claim_ref);
    cr_expect_eq(f.volume.metadata.annotations.len, 0);
    arena_done(&f.arena);
}

Test(volume_state, a_promise_is_kept)
{
    struct core_v1_object_reference promise = { .namespace = STR("ns"), .name = STR("c") };
    struct fixture f;

    begin(&f);
    f.volume.spec.claim_ref = &promise;
    volume_state_refer(&f.arena, &f.volume, &f.claim);
    cr_expect(str_eq(f.volume.spec.claim_ref->uid, STR("1")));
    cr_expect_eq(f.volume.metadata.annotations.len, 0, "not bound by us");
    cr_expect_eq(promise.uid.len, 0, "the old one is others'");
    volume_state_let_go(&f.arena, &f.volume);
    cr_assert_not_null(f.volume.spec.claim_ref);
    cr_expect_eq(f.volume.spec.claim_ref->uid.len, 0);
    cr_expect(str_eq(f.volume.spec.claim_ref->name, STR("c")));
    arena_done(&f.arena);
}

Test(volume_state, what_a_claim_says_of_its_volume)
{
    static const struct {
        const char *was, *phase, *before, *want; /* before: the size until a file system grows */
        bool has_volume;
    } rows[] = {
        { "Pending", "Bound", NULL, "2Gi", true }, { "Pending", "Bound", "1Gi", "1Gi", true },
        { "Pending", "Bound", "?", "2Gi", true },  { "Bound", "Bound", NULL, "5Gi", true },
        { "Bound", "Lost", NULL, NULL, false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct schema_str_entry *e;
        struct fixture f;

        begin(&f);
        f.claim.status.phase = str_from_cstr(rows[i].was);
        text_map_put(&f.arena, &f.claim.status.capacity, STR("storage"), STR("5Gi"));
        if (rows[i].before)
            text_map_put(&f.arena, &f.volume.metadata.annotations,
                         STR("volume.alpha.kubernetes.io/pre-resize-capacity"),
                         str_from_cstr(rows[i].before));
        volume_state_claim_status(&f.arena, &f.claim, str_from_cstr(rows[i].phase),
                                  rows[i].has_volume ? &f.volume : NULL);
        e = text_map_find(&f.claim.status.capacity, STR("storage"));
        cr_expect(str_eq(e ? e->value : STR_NULL, str_from_cstr(rows[i].want)), "%zu: %.*s", i,
                  STR_ARG(e ? e->value : STR("none")));
        cr_expect(str_eq(f.claim.status.phase, str_from_cstr(rows[i].phase)));
        arena_done(&f.arena);
    }
}

Test(volume_state, volumes_of_plugins_within)
{
    static const struct str finalizer = STR_INIT("kubernetes.io/pv-controller");
    struct str external = STR("external-provisioner.volume.kubernetes.io/finalizer");
    struct fixture f;

    begin(&f);
    f.volume.spec.persistent_volume_reclaim_policy = STR("Delete");
    volume_state_protect(&f.arena, &f.volume);
    cr_expect_eq(f.volume.metadata.finalizers.len, 0, "nobody provisioned it");
    text_map_put(&f.arena, &f.volume.metadata.annotations, STR(VOLUME_PROVISIONED_BY),
                 STR("csi.example.com"));
    f.volume.metadata.finalizers.items = &external;
    f.volume.metadata.finalizers.len = 1;
    volume_state_protect(&f.arena, &f.volume);
    cr_expect(volume_state_has_finalizer(&f.volume.metadata, external), "a driver's is its own");
    cr_expect_eq(volume_state_deleter(&f.arena, &f.volume).len, 0);
    text_map_put(&f.arena, &f.volume.metadata.annotations, STR(VOLUME_PROVISIONED_BY),
                 STR("kubernetes.io/host-path"));
    volume_state_protect(&f.arena, &f.volume);
    cr_expect(volume_state_has_finalizer(&f.volume.metadata, finalizer));
    cr_expect_not(volume_state_has_finalizer(&f.volume.metadata, external));
    cr_expect(str_eq(volume_state_deleter(&f.arena, &f.volume),
                     STR("no volume plugin matched name: kubernetes.io/host-path")));
    f.volume.spec.persistent_volume_reclaim_policy = STR("Retain");
    volume_state_protect(&f.arena, &f.volume);
    cr_expect_eq(f.volume.metadata.finalizers.len, 0);
    arena_done(&f.arena);
}
