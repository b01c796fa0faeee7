#include <criterion/criterion.h>

#include "apiserver/negotiation.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"

static const struct negotiation_offer objects = {
    .media = MEDIA_OBJECTS,
    .as = MEDIA_AS_BIT(MEDIA_AS_TABLE) | MEDIA_AS_BIT(MEDIA_AS_PARTIAL_METADATA),
};
static const struct negotiation_offer watch = {
    .media = MEDIA_OBJECTS,
    .as = MEDIA_AS_BIT(MEDIA_AS_TABLE),
    .stream = true,
};

Test(negotiation, output)
{
    static const struct {
        const struct negotiation_offer *offer;
        const char *accept;
        int result;
        enum media media;
        enum media_as as;
    } cases[] = {
        { &objects, NULL, 0, MEDIA_JSON, MEDIA_AS_OBJECT },
        { &objects, "*/*", 0, MEDIA_JSON, MEDIA_AS_OBJECT },
        { &objects, "application/*", 0, MEDIA_JSON, MEDIA_AS_OBJECT },
        { &objects, "application/json", 0, MEDIA_JSON, MEDIA_AS_OBJECT },
        { &objects, "application/yaml", 0, MEDIA_YAML, MEDIA_AS_OBJECT },
        { &objects, "application/vnd.kubernetes.protobuf,application/json", 0, MEDIA_PROTOBUF,
          MEDIA_AS_OBJECT },
        /* what client-go and kubectl send */
        { &objects,
          "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json",
          0, MEDIA_JSON, MEDIA_AS_TABLE },
        { &objects, "application/json;as=Table;v=v9;g=meta.k8s.io", ERR_UNSUPPORTED, 0, 0 },
        { &objects, "application/json;as=Table;v=v9;g=meta.k8s.io,application/json", 0, MEDIA_JSON,
          MEDIA_AS_OBJECT },
        { &objects, "application/json;as=Table;v=v1;g=other", ERR_UNSUPPORTED, 0, 0 },
        { &objects,
          "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json",
          0, MEDIA_PROTOBUF, MEDIA_AS_PARTIAL_METADATA },
        /* not offered here */
        { &objects, "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
          ERR_UNSUPPORTED, 0, 0 },
        { &objects, "application/json;stream=watch", ERR_UNSUPPORTED, 0, 0 },
        { &watch, "application/json;stream=watch", 0, MEDIA_JSON, MEDIA_AS_OBJECT },
        { &watch, "application/vnd.kubernetes.protobuf;stream=watch,application/json", 0,
          MEDIA_PROTOBUF, MEDIA_AS_OBJECT },
        /* weights and specificity */
        { &objects, "application/json;q=0.5, application/yaml;q=0.9", 0, MEDIA_YAML,
          MEDIA_AS_OBJECT },
        { &objects, "*/*, application/yaml", 0, MEDIA_YAML, MEDIA_AS_OBJECT },
        { &objects, "application/yaml;q=0, */*;q=0.1", 0, MEDIA_JSON, MEDIA_AS_OBJECT },
        { &objects, "application/json;charset=utf-8", 0, MEDIA_JSON, MEDIA_AS_OBJECT },
        { &objects, "application/json;charset=latin1", ERR_UNSUPPORTED, 0, 0 },
        { &objects, "text/html", ERR_UNSUPPORTED, 0, 0 },
        { &objects, "garbage;;;=,/", ERR_UNSUPPORTED, 0, 0 },
        { &objects, ",,,", ERR_UNSUPPORTED, 0, 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct negotiation got = { 0 };
        int r = negotiation_output(str_from_cstr(cases[i].accept), cases[i].offer, &got);

        cr_expect_eq(r, cases[i].result, "%s: %d", cases[i].accept, r);
        if (r == 0) {
            cr_expect_eq(got.media, cases[i].media, "%s: media %d", cases[i].accept, got.media);
            cr_expect_eq(got.as, cases[i].as, "%s: as %d", cases[i].accept, got.as);
        }
    }
}

Test(negotiation, input)
{
    enum media m = MEDIA_MAX;

    cr_assert_eq(negotiation_input(STR_NULL, MEDIA_OBJECTS, &m), 0);
    cr_assert_eq(m, MEDIA_JSON);
    cr_assert_eq(negotiation_input(STR("Application/YAML; charset=utf-8"), MEDIA_OBJECTS, &m), 0);
    cr_assert_eq(m, MEDIA_YAML);
    cr_assert_eq(negotiation_input(STR("application/merge-patch+json"), MEDIA_PATCHES, &m), 0);
    cr_assert_eq(m, MEDIA_MERGE_PATCH);
    cr_assert_eq(negotiation_input(STR("application/json"), MEDIA_PATCHES, &m), ERR_UNSUPPORTED);
    cr_assert_eq(negotiation_input(STR_NULL, MEDIA_PATCHES, &m), ERR_UNSUPPORTED);
    cr_assert_eq(negotiation_input(STR("text/xml"), MEDIA_OBJECTS, &m), ERR_UNSUPPORTED);
}

Test(negotiation, gzip_and_lists)
{
    CLEANUP(arena_done) struct arena a = { 0 };

    cr_assert(negotiation_accepts_gzip(STR("deflate, gzip;q=0.5")));
    cr_assert_not(negotiation_accepts_gzip(STR("gzip;q=0")));
    cr_assert_not(negotiation_accepts_gzip(STR_NULL));
    cr_assert(str_eq(media_list(&a, MEDIA_BIT(JSON) | MEDIA_BIT(YAML), false),
                     STR("application/json, application/yaml")));
}
