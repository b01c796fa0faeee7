/* What an update of a Pod may change: images, activeDeadlineSeconds (down, or set), additions to
 * tolerations, removal of scheduling gates, and a negative grace period to 1. Everything else of
 * the new spec must equal the old one: the allowed fields of a shallow copy are set back, and the
 * rest is compared. */
#include "api/core_v1.h"
#include "api/field_error.h"
#include "api/object.h"
#include "api/rules_internal.h"
#include "api/validation.h"
#include "base/arena.h"

#define CHANGED_TEXT                                                                               \
    "pod updates may not change fields other than "                                                \
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"      \
    "`spec.tolerations` (only additions to existing tolerations),"                                 \
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"

static struct core_v1_container *with_old_images(struct arena *a,
                                                 const struct core_v1_container *updated,
                                                 const struct core_v1_container *old, uint32_t n)
{
    struct core_v1_container *copy = arena_dup(a, updated, n * sizeof(*copy));

    for (uint32_t i = 0; i < n; i++)
        copy[i].image = old[i].image;
    return copy;
}

static void check_deadline(const struct rule_context *c, const struct core_v1_pod_spec *updated,
                           const struct core_v1_pod_spec *old, const struct field_path *spec)
{
    struct field_path p = field_path_member(spec, STR("activeDeadlineSeconds"));
    const int64_t *now = updated->active_deadline_seconds, *was = old->active_deadline_seconds;

    if (was && !now)
        field_errors_add_raw(c->errs, &p, FIELD_ERROR_INVALID, STR("null"),
                             "must not update from a positive integer to nil value");
    else if (was && *now > *was)
        field_errors_add_raw(c->errs, &p, FIELD_ERROR_INVALID,
                             arena_printf(c->arena, "%lld", (long long)*now),
                             "must be less than or equal to previous value");
}

/* All but the seconds, which may change. */
static bool is_same_toleration(const struct core_v1_toleration *a,
                               const struct core_v1_toleration *b)
{
    return str_eq(a->key, b->key) && str_eq(a->operator, b->operator) &&
           str_eq(a->value, b->value) && str_eq(a->effect, b->effect);
}

static void check_tolerations(const struct rule_context *c, const struct core_v1_pod_spec *updated,
                              const struct core_v1_pod_spec *old, const struct field_path *spec)
{
    struct field_path p = field_path_member(spec, STR("tolerations"));

    for (uint32_t i = 0; i < old->tolerations.len; i++) {
        bool kept = false;

        for (uint32_t k = 0; k < updated->tolerations.len && !kept; k++)
            kept = is_same_toleration(&old->tolerations.items[i], &updated->tolerations.items[k]);
        if (!kept) {
            field_errors_add(c->errs, &p, FIELD_ERROR_FORBIDDEN,
                             "existing toleration can not be modified except its "
                             "tolerationSeconds");
            return;
        }
    }
}

static void check_gates(const struct rule_context *c, const struct core_v1_pod_spec *updated,
                        const struct core_v1_pod_spec *old, const struct field_path *spec)
{
    struct field_path p = field_path_member(spec, STR("schedulingGates"));

    for (uint32_t i = 0; i < updated->scheduling_gates.len; i++) {
        struct str name = updated->scheduling_gates.items[i].name;
        struct field_path item = field_path_index(&p, i),
                          at = field_path_member(&item, STR("name"));
        bool known = false;

        for (uint32_t k = 0; k < old->scheduling_gates.len && !known; k++)
            known = str_eq(name, old->scheduling_gates.items[k].name);
        if (!known)
            field_errors_add(c->errs, &at, FIELD_ERROR_FORBIDDEN,
                             "only deletion is allowed, but found new scheduling gate '%.*s'",
                             STR_ARG(name));
    }
}

static void check_counts(const struct rule_context *c, const struct core_v1_pod_spec *updated,
                         const struct core_v1_pod_spec *old, const struct field_path *spec)
{
    struct field_path containers = field_path_member(spec, STR("containers"));
    struct field_path inits = field_path_member(spec, STR("initContainers"));

    if (updated->containers.len != old->containers.len)
        field_errors_add(c->errs, &containers, FIELD_ERROR_FORBIDDEN,
                         "pod updates may not add or remove containers");
    if (updated->init_containers.len != old->init_containers.len)
        field_errors_add(c->errs, &inits, FIELD_ERROR_FORBIDDEN,
                         "pod updates may not add or remove containers");
}

static bool rest_is_equal(const struct rule_context *c, const struct core_v1_pod_spec *updated,
                          const struct core_v1_pod_spec *old)
{
    const struct schema_type *type =
        schema_find_type(&schema_builtin, STR(""), STR("v1"), STR("PodSpec"));
    struct core_v1_pod_spec copy = *updated, was = *old;
    struct object a = { .schema = &schema_builtin, .type = type, .data = &copy }, b = a;

    b.data = &was;
    copy.containers.items = with_old_images(c->arena, updated->containers.items,
                                            old->containers.items, old->containers.len);
    copy.init_containers.items =
        with_old_images(c->arena, updated->init_containers.items, old->init_containers.items,
                        old->init_containers.len);
    copy.active_deadline_seconds = old->active_deadline_seconds;
    copy.tolerations = was.tolerations;
    copy.scheduling_gates = was.scheduling_gates;
    if (old->termination_grace_period_seconds && *old->termination_grace_period_seconds < 0 &&
        updated->termination_grace_period_seconds &&
        *updated->termination_grace_period_seconds == 1)
        copy.termination_grace_period_seconds = old->termination_grace_period_seconds;
    return object_equal(a, b);
}

void rule_pod_update(const struct rule_context *c)
{
    const struct core_v1_pod *pod = c->data, *old_pod = c->request->old.data;
    const struct core_v1_pod_spec *updated = &pod->spec, *old = &old_pod->spec;
    struct field_path spec = field_path_member(c->path, STR("spec"));

    check_counts(c, updated, old, &spec);
    if (updated->containers.len != old->containers.len ||
        updated->init_containers.len != old->init_containers.len)
        return;
    check_deadline(c, updated, old, &spec);
    check_tolerations(c, updated, old, &spec);
    check_gates(c, updated, old, &spec);
    if (!rest_is_equal(c, updated, old))
        field_errors_add(c->errs, &spec, FIELD_ERROR_FORBIDDEN, "%s", CHANGED_TEXT);
}
