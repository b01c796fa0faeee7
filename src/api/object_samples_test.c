/* Every sample object of the API: JSON, YAML and protobuf decode to equal structs and encode to
 * each other's bytes. The samples stand beside the checkout, in ../shared/k8s-samples. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>

#include "api/object.h"
#include "api/object_json.h"
#include "api/object_pb.h"
#include "api/schema.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/json_writer.h"
#include "codec/value.h"
#include "codec/yaml.h"

#define SAMPLES "../shared/k8s-samples"

/* Versions that the API no longer serves; they have no types here. */
static bool is_retired(struct str name)
{
    static const char *const retired[] = {
        "apidiscovery.k8s.io.v2beta1.",
        "apps.v1beta1.",
        "apps.v1beta2.",
        "authentication.k8s.io.v1alpha1.",
        "autoscaling.v2beta1.",
        "autoscaling.v2beta2.",
        "batch.v1beta1.",
        "coordination.k8s.io.v1alpha1.",
        "discovery.k8s.io.v1beta1.",
        "events.k8s.io.v1beta1.",
        "extensions.v1beta1.",
        "flowcontrol.apiserver.k8s.io.v1beta",
        "imagepolicy.k8s.io.",
        "networking.k8s.io.v1beta1.Ingress",
        "node.k8s.io.v1alpha1.",
        "node.k8s.io.v1beta1.",
        "policy.v1beta1.",
        "rbac.authorization.k8s.io.v1alpha1.",
        "rbac.authorization.k8s.io.v1beta1.",
        "scheduling.k8s.io.v1alpha1.",
        "scheduling.k8s.io.v1beta1.",
        "storage.k8s.io.v1alpha1.",
        "storage.k8s.io.v1beta1.CSI",
        "storage.k8s.io.v1beta1.StorageClass",
        "storage.k8s.io.v1beta1.VolumeAttachment",
    };

    for (size_t i = 0; i < sizeof(retired) / sizeof(*retired); i++) {
        if (str_has_prefix(name, str_from_cstr(retired[i])))
            return true;
    }
    return false;
}

static struct str read_file(struct arena *a, struct str stem, const char *ending)
{
    struct str path = arena_printf(a, SAMPLES "/%.*s.%s", STR_ARG(stem), ending);
    struct buf b = { .arena = a };
    FILE *f = fopen(path.p, "re");

    cr_assert(f, "cannot open %s", path.p);
    for (size_t n; (n = fread(buf_reserve(&b, 65536), 1, 65536, f)) > 0;)
        b.len += n;
    (void)fclose(f);
    return buf_str(&b);
}

/* GROUP.VERSION.KIND; the group has dots of its own, "core" is empty. */
static const struct schema_type *type_of(struct str stem)
{
    ptrdiff_t dot = str_rfind(stem, '.');
    struct str kind = str_tail(stem, (size_t)dot + 1), gv = str_sub(stem, 0, (size_t)dot);
    struct str group, version;

    dot = str_rfind(gv, '.');
    version = str_tail(gv, (size_t)dot + 1);
    group = str_sub(gv, 0, (size_t)dot);
    if (str_eq(group, STR("core")))
        group = STR("");
    if (!group.len && !schema_find_type(&schema_builtin, group, version, kind)) {
        group = STR("meta.k8s.io"); /* every group version knows these */
        version = STR("v1");
    }
    return schema_find_type(&schema_builtin, group, version, kind);
}

static void check_yaml(struct arena *a, struct str stem, const struct schema_type *t,
                       struct object same)
{
    struct str yaml = read_file(a, stem, "yaml"), json, again;
    struct object from_yaml;
    struct buf out = { .arena = a };
    struct err err = { 0 };

    cr_assert_eq(yaml_to_json(a, yaml, true, (size_t)16 << 20, &json, &err), 0, "%.*s: %s",
                 STR_ARG(stem), err.text);
    cr_assert_eq(object_json_decode(a, &schema_builtin, t, json, &from_yaml, NULL, &err), 0,
                 "%.*s: %s", STR_ARG(stem), err.text);
    cr_expect(object_equal(from_yaml, same), "%.*s: JSON and YAML differ", STR_ARG(stem));
    object_json_encode(&out, same, NULL);
    cr_assert_eq(yaml_from_json(a, buf_str(&out), &again, &err), 0, "%.*s: %s", STR_ARG(stem),
                 err.text);
    cr_expect(str_eq(again, yaml), "%.*s: YAML\n%.*s\n%.*s", STR_ARG(stem), STR_ARG(again),
              STR_ARG(yaml));
}

static void check(struct str stem)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str json = read_file(&a, stem, "json"), pb = read_file(&a, stem, "pb");
    const struct schema_type *t = type_of(stem);
    struct object from_json, from_pb;
    struct object_pb_envelope envelope;
    struct object_json_strict strict;
    struct buf compact = { .arena = &a }, out = { .arena = &a };
    struct err err = { 0 };

    cr_expect(t, "no type for %.*s", STR_ARG(stem));
    if (!t)
        return;
    cr_assert_eq(object_json_decode(&a, &schema_builtin, t, json, &from_json, &strict, &err), 0,
                 "%.*s: %s", STR_ARG(stem), err.text);
    cr_expect_eq(strict.len, 0, "%.*s: %.*s", STR_ARG(stem), STR_ARG(strict.items[0]));
    json_write_compact(&compact, json);
    object_json_encode(&out, from_json, NULL);
    cr_expect(str_eq(buf_str(&out), buf_str(&compact)), "%.*s: JSON\n%.*s\n%.*s", STR_ARG(stem),
              STR_ARG(buf_str(&out)), STR_ARG(buf_str(&compact)));

    cr_assert_eq(object_pb_open(pb, &envelope, &err), 0, "%.*s: %s", STR_ARG(stem), err.text);
    cr_assert_eq(object_pb_decode(&a, &schema_builtin, t, envelope.raw, &from_pb, &err), 0,
                 "%.*s: %s", STR_ARG(stem), err.text);
    object_set_gvk(from_pb, envelope.api_version, envelope.kind);
    cr_expect(object_equal(from_json, from_pb), "%.*s: JSON and protobuf differ", STR_ARG(stem));
    buf_reset(&out);
    object_pb_encode_enveloped(&out, from_json, object_api_version(from_json),
                               object_kind(from_json));
    cr_expect(str_eq(buf_str(&out), pb), "%.*s: protobuf bytes differ (%zu, %zu)", STR_ARG(stem),
              out.len, pb.len);
    buf_reset(&out);
    object_json_encode(&out, object_copy(&a, from_pb), NULL);
    cr_expect(str_eq(buf_str(&out), buf_str(&compact)), "%.*s: JSON of the copy", STR_ARG(stem));
    check_yaml(&a, stem, t, from_json);
}

Test(object_samples, json_yaml_and_protobuf_are_one)
{
    DIR *d = opendir(SAMPLES);
    size_t checked = 0, skipped = 0;

    cr_assert(d, "the samples are expected in " SAMPLES);
    for (struct dirent *e; (e = readdir(d));) {
        struct str name = str_from_cstr(e->d_name);

        if (!str_has_suffix(name, STR(".json")))
            continue;
        name = str_sub(name, 0, name.len - 5);
        if (is_retired(name)) {
            skipped++;
            continue;
        }
        check(name);
        checked++;
    }
    (void)closedir(d);
    cr_assert_geq(checked, 90, "only %zu samples checked", checked);
    cr_log_info("samples: %zu checked, %zu of retired versions", checked, skipped);
}
