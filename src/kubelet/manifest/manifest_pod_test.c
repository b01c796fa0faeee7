#include "kubelet/manifest/manifest_pod.h"

#include <criterion/criterion.h>

#include "api/core_v1.h"
#include "api/text_map.h"
#include "base/arena.h"
#include "base/err.h"
#include "client/api_object.h"

static const struct manifest_origin origin = { .node_name = STR_INIT("n1"),
                                               .path = STR_INIT("/m/a.yaml"),
                                               .now_s = 1000000000 };

static const char good[] = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, labels: {a: b}}\n"
                           "spec:\n  containers:\n  - {name: c, image: \"busybox:1\"}\n";

Test(manifest_pod, becomes_a_pod_of_this_node)
{
    const struct api_object *o = NULL, *again = NULL, *other = NULL;
    const struct core_v1_pod *pod;
    struct err err;

    cr_assert(manifest_pod_decode(str_from_cstr(good), &origin, &o, &err) >= 0, "%s", err.text);
    pod = API_OBJECT(o, struct core_v1_pod);
    cr_expect(str_eq(o->key, STR("default/web-n1")), "%.*s", STR_ARG(o->key));
    cr_expect_eq(o->meta->uid.len, 32);
    cr_expect(str_eq(pod->spec.node_name, STR("n1")));
    cr_expect(str_eq(pod->spec.restart_policy, STR("Always")), "defaults are filled in");
    cr_expect(str_eq(pod->spec.tolerations.items[0].effect, STR("NoExecute")));
    cr_expect(str_eq(text_map_find(&o->meta->annotations, STR("kubernetes.io/config.seen"))->value,
                     STR("2001-09-09T01:46:40Z")));
    cr_assert(manifest_pod_decode(str_from_cstr(good), &origin, &again, &err) >= 0);
    cr_expect(str_eq(o->meta->uid, again->meta->uid), "the same text is the same Pod");
    cr_assert(
        manifest_pod_decode(STR("{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":"
                                "\"web\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":"
                                "\"busybox:2\"}]}}"),
                            &origin, &other, &err) >= 0);
    cr_expect_not(str_eq(o->meta->uid, other->meta->uid), "another text is another Pod");
    api_object_unref(o);
    api_object_unref(again);
    api_object_unref(other);
}

#define POD "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {"

Test(manifest_pod, refuses_what_is_none)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        { "{ this is: [no yaml", "yaml" },
        { "", "not a Pod" },
        { "- 1", "not a Pod" },
        { "apiVersion: v1\nkind: Service\nmetadata: {name: x}", "not a Pod" },
        { "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: []}", "containers" },
        { "apiVersion: v1\nkind: Pod\nmetadata: {name: X_Y}\nspec: {containers: [{name: c, image: "
          "i}]}",
          "metadata.name" },
        { POD "serviceAccountName: a, containers: [{name: c, image: i}]}",
          "static pods may not reference serviceaccounts" },
        { POD "containers: [{name: c, image: i, envFrom: [{secretRef: {name: s}}]}]}",
          "may not reference secrets" },
        { POD "imagePullSecrets: [{name: s}], containers: [{name: c, image: i}]}",
          "may not reference secrets" },
        { POD "containers: [{name: c, image: i, env: [{name: X, valueFrom: {configMapKeyRef: "
              "{name: m, key: k}}}]}]}",
          "may not reference configmaps" },
        { POD "containers: [{name: c, image: i}], volumes: [{name: v, projected: {sources: "
              "[{serviceAccountToken: {path: t}}]}}]}",
          "must not be specified when serviceAccountName is not set" },
        { POD "containers: [{name: c, image: i}], volumes: [{name: v, persistentVolumeClaim: "
              "{claimName: x}}]}",
          "may not reference persistentvolumeclaims" },
        { "apiVersion: v1\nkind: Pod\nmetadata: 3\nspec: {containers: 7}", "" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct api_object *o = NULL;
        struct err err = { 0 };

        cr_expect(manifest_pod_decode(str_from_cstr(cases[i].text), &origin, &o, &err) < 0, "%s",
                  cases[i].text);
        cr_expect(strstr(err.text, cases[i].error), "'%s': %s", cases[i].text, err.text);
    }
}
