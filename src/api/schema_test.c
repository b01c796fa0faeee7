#include "api/schema.h"

#include <criterion/criterion.h>

#include "api/core_v1.h"
#include "api/meta_v1.h"

static const struct schema *const s = &schema_builtin;

Test(schema, finds_types_with_the_size_of_their_struct)
{
    static const struct {
        const char *group, *version, *name;
        size_t size;
    } rows[] = {
        { "", "v1", "Pod", sizeof(struct core_v1_pod) },
        { "", "v1", "PodSpec", sizeof(struct core_v1_pod_spec) },
        { "", "v1", "Container", sizeof(struct core_v1_container) },
        { "meta.k8s.io", "v1", "ObjectMeta", sizeof(struct meta_v1_object_meta) },
        { "apps", "v1", "Deployment", 0 },
        { "batch", "v1", "CronJobSpec", 0 },
        { "rbac.authorization.k8s.io", "v1", "ClusterRole", 0 },
        { "apiextensions.k8s.io", "v1", "JSONSchemaProps", 0 },
        { "autoscaling", "v1", "Scale", 0 },
        { "meta.k8s.io", "v1", "Table", 0 },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const struct schema_type *t =
            schema_find_type(s, str_from_cstr(rows[i].group), str_from_cstr(rows[i].version),
                             str_from_cstr(rows[i].name));

        cr_assert(t, "%s", rows[i].name);
        cr_expect(!rows[i].size || t->size == rows[i].size, "%s", rows[i].name);
    }
    cr_expect_not(schema_find_type(s, STR("apps"), STR("v1"), STR("Pod")));
    cr_expect_not(schema_find_type(s, STR(""), STR("v2"), STR("Pod")));
}

/* Every member of every type is found by its name, and lies inside its struct. */
Test(schema, finds_every_member)
{
    size_t found = 0;

    for (uint32_t i = 0; i < s->n_types; i++) {
        const struct schema_type *t = &s->types[i];
        const char *type = schema_cstr(s, t->name);

        cr_assert(t->n_slots && !(t->n_slots & (t->n_slots - 1)), "%s", type);
        for (uint32_t j = 0; j < t->n_members; j++) {
            const struct schema_member *m = &s->members[t->first_member + j];
            const struct schema_field *f = &s->fields[m->field];
            uint32_t base = UINT32_MAX;

            cr_assert_eq(schema_find_member(s, t, schema_field_name(s, f), &base), f, "%s.%s", type,
                         schema_cstr(s, f->name));
            cr_expect_eq(base, m->base);
            cr_expect_lt(base + f->offset, t->size);
            found++;
        }
        cr_expect_not(schema_find_member(s, t, STR("noSuchMember"), &(uint32_t){ 0 }), "%s", type);
    }
    cr_expect_gt(found, 3000);
}

/* Inline structs have no member of their own. */
Test(schema, describes_every_type_and_field)
{
    size_t fields = 0;

    for (uint32_t i = 0; i < s->n_types; i++) {
        const struct schema_type *t = &s->types[i];
        const char *type = schema_cstr(s, t->name);

        cr_expect(schema_str(s, t->doc).len, "%s", type);
        for (uint32_t j = t->first_field; j < (uint32_t)t->first_field + t->n_fields; j++) {
            const struct schema_field *f = &s->fields[j];

            if (f->shape == SCHEMA_INLINE)
                continue;
            cr_expect(schema_str(s, f->doc).len, "%s.%s", type, schema_cstr(s, f->name));
            fields++;
        }
    }
    cr_expect_gt(fields, 3000);
}

Test(schema, lists_protobuf_numbers_in_ascent)
{
    for (uint32_t i = 0; i < s->n_types; i++) {
        const struct schema_type *t = &s->types[i];
        unsigned last = 0;
        bool numberless = false;

        for (uint32_t j = t->first_field; j < (uint32_t)t->first_field + t->n_fields; j++) {
            unsigned n = s->fields[s->proto_order[j]].proto_number;

            if (n)
                cr_expect(n > last && !numberless, "%s", schema_cstr(s, t->name));
            numberless = !n;
            last = n;
        }
    }
}

Test(schema, map_entries_lie_as_their_structs)
{
    static const struct {
        const char *type, *field;
        size_t size, value;
    } rows[] = {
        { "ConfigMap", "data", sizeof(struct schema_str_entry),
          offsetof(struct schema_str_entry, value) },
        { "Secret", "data", sizeof(struct schema_str_entry),
          offsetof(struct schema_str_entry, value) },
        { "ResourceRequirements", "limits", sizeof(struct schema_str_entry),
          offsetof(struct schema_str_entry, value) },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const struct schema_type *t =
            schema_find_type(s, STR(""), STR("v1"), str_from_cstr(rows[i].type));
        uint32_t base;
        size_t value;
        const struct schema_field *f =
            t ? schema_find_member(s, t, str_from_cstr(rows[i].field), &base) : NULL;

        cr_assert(f, "%s", rows[i].type);
        cr_expect_eq(schema_map_entry_size(s, f, &value), rows[i].size);
        cr_expect_eq(value, rows[i].value);
    }
}
