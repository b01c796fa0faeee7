/* What registries answer: challenges, tokens, errors, manifests; and a registries file. */
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "runtime/image/image_manifest.h"
#include "runtime/image/registries.h"
#include "runtime/image/registry_auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(buf_done) struct buf b = { 0 };
    struct str text = str_n((const char *)data, size);
    struct registry_challenge c = registry_auth_challenge(&a, text);
    struct image_manifest m;
    struct registry_place place;
    struct err err;

    registry_auth_escape(&b, c.realm);
    (void)registry_auth_token(&a, text);
    (void)registry_auth_error(&a, text);
    (void)image_manifest_parse(&a, text, &m, &err);
    (void)registries_parse(&a, text, STR("r.example"), &place, &err);
    return 0;
}
