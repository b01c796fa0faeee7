#include "runtime/image/image_manifest.h"

#include <criterion/criterion.h>

#include "base/arena.h"
#include "base/err.h"

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"

static struct arena a;
static struct image_manifest m;
static struct err err;

static int parse(const char *text)
{
    return image_manifest_parse(&a, str_from_cstr(text), &m, &err);
}

static void done(void)
{
    arena_done(&a);
}

TestSuite(image_manifest, .fini = done);

Test(image_manifest, an_image)
{
    cr_assert_eq(parse("{\"schemaVersion\":2,\"config\":{\"digest\":\"" D1 "\",\"size\":7},"
                       "\"layers\":[{\"digest\":\"" D2 "\",\"size\":9}]}"),
                 0);
    cr_expect(!m.is_index && m.n_layers == 1 && m.layers[0].size == 9 && m.config.size == 7);
    cr_expect(str_eq(m.layers[0].digest, STR(D2)));
}

Test(image_manifest, an_index)
{
    cr_assert_eq(parse("{\"manifests\":[{\"digest\":\"" D1 "\",\"size\":7,\"platform\":{\"os\":"
                       "\"windows\",\"architecture\":\"amd64\"}},{\"digest\":\"" D2
                       "\",\"size\":9}]}"),
                 0);
    cr_expect(m.is_index && str_eq(m.chosen.digest, STR(D2)));
    cr_assert_eq(parse("{\"manifests\":[]}"), 0);
    cr_expect(m.is_index && !m.chosen.digest.len);
}

Test(image_manifest, what_is_neither)
{
    cr_expect_eq(parse("{}"), ERR_INVALID);
    cr_expect_eq(parse("{\"layers\":[],\"manifests\":[]}"), ERR_INVALID);
    cr_expect_eq(parse("{\"schemaVersion\":1,\"fsLayers\":[]}"), ERR_UNSUPPORTED);
    cr_expect_eq(parse("{\"layers\":[]}"), ERR_INVALID);
    cr_expect_lt(parse("x"), 0);
    cr_expect_eq(parse("{\"config\":{\"digest\":\"" D1 "\",\"size\":7},\"layers\":[{\"digest\":"
                       "\"sha256:../..\",\"size\":9}]}"),
                 ERR_INVALID);
    cr_expect_eq(parse("{\"config\":{\"digest\":\"" D1 "\",\"size\":-7},\"layers\":[]}"),
                 ERR_INVALID);
    cr_expect_eq(parse("{\"config\":{\"digest\":\"" D1 "\",\"size\":7777777777},\"layers\":[]}"),
                 ERR_TOO_LARGE);
}
