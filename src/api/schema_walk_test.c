#include "api/schema_walk.h"

#include <criterion/criterion.h>

#include "api/core_v1.h"
#include "base/arena.h"

static const struct schema_field *field(const char *type, const char *name, uint32_t *ret_offset)
{
    uint32_t base = 0;
    const struct schema_field *f = schema_find_member(
        &schema_builtin, schema_walk_type(&schema_builtin, type), str_from_cstr(name), &base);

    cr_assert(f);
    *ret_offset = base + f->offset;
    return f;
}

Test(schema_walk, finds_types_by_written_name)
{
    cr_expect(schema_walk_type(&schema_builtin, "core/v1.Pod"));
    cr_expect(schema_walk_type(&schema_builtin, "apps/v1.DeploymentSpec"));
    cr_expect(schema_walk_type(&schema_builtin, "meta.k8s.io/v1.ObjectMeta"));
    cr_expect_not(schema_walk_type(&schema_builtin, "core/v1.Nothing"));
    cr_expect_not(schema_walk_type(&schema_builtin, "Pod"));
}

Test(schema_walk, sets_literals_of_every_shape)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct core_v1_pod_spec s = { 0 };
    struct core_v1_service_port p = { 0 };
    static const struct {
        const char *name, *json;
    } rows[] = {
        { "dnsPolicy", "\"x\"" },          { "terminationGracePeriodSeconds", "30" },
        { "securityContext", "{}" },       { "hostNetwork", "true" },
        { "enableServiceLinks", "false" }, { "preemptionPolicy", "\"\"" },
    };
    const struct schema_field *f;
    uint32_t at;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        f = field("core/v1.PodSpec", rows[i].name, &at);

        cr_expect(schema_walk_is_zero(f, (char *)&s + at), "%s", rows[i].name);
        cr_expect(schema_walk_set_json(&a, &schema_builtin, f, (char *)&s + at, rows[i].json));
        cr_expect_not(schema_walk_is_zero(f, (char *)&s + at), "%s", rows[i].name);
    }
    cr_expect(str_eq(s.dns_policy, STR("x")));
    cr_expect_eq(*s.termination_grace_period_seconds, 30);
    cr_expect(s.security_context && s.host_network && !*s.enable_service_links);
    f = field("core/v1.ServicePort", "targetPort", &at);
    cr_expect(schema_walk_set_json(&a, &schema_builtin, f, (char *)&p + at, "80"));
    cr_expect_eq(p.target_port.i, 80);
    f = field("core/v1.PodSpec", "containers", &at);
    cr_expect_not(schema_walk_set_json(&a, &schema_builtin, f, (char *)&s + at, "[1]"));
}
