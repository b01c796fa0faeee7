#include "runtime/image/image_manifest.h"

#include "base/arena.h"
#include "base/err.h"
#include "codec/value.h"
#include "runtime/image_reference.h"
#include "runtime/image_store.h"

#if defined(__x86_64__)
#    define ARCHITECTURE "amd64"
#elif defined(__aarch64__)
#    define ARCHITECTURE "arm64"
#else
#    error "what does Go call this machine?"
#endif

enum { MAX_ENTRIES = 1000 };

bool image_manifest_is_foreign(const struct value *descriptor)
{
    const struct value *platform = value_get(descriptor, STR("platform"));

    return platform && (!str_eq(value_get_str(platform, STR("architecture")), STR(ARCHITECTURE)) ||
                        !str_eq(value_get_str(platform, STR("os")), STR("linux")));
}

struct str image_manifest_platform(void)
{
    return STR("linux/" ARCHITECTURE);
}

const char *image_manifest_accept(void)
{
    return "application/vnd.docker.distribution.manifest.v2+json, "
           "application/vnd.docker.distribution.manifest.list.v2+json, "
           "application/vnd.oci.image.manifest.v1+json, "
           "application/vnd.oci.image.index.v1+json, */*";
}

static int read_descriptor(const struct value *v, uint64_t limit, struct image_descriptor *ret,
                           struct err *err)
{
    const struct value *size = v ? value_get(v, STR("size")) : NULL;

    if (!v || v->type != VALUE_OBJECT)
        return err_set(err, ERR_INVALID, "manifest: a descriptor is missing");
    ret->digest = value_get_str(v, STR("digest"));
    if (!image_digest_is_valid(ret->digest))
        return err_set(err, ERR_INVALID, "manifest: a descriptor without a sha256 digest");
    if (!size || size->type != VALUE_INT || size->i < 0)
        return err_set(err, ERR_INVALID, "manifest: a descriptor without a size");
    ret->size = (uint64_t)size->i;
    if (ret->size > limit)
        return err_set(err, ERR_TOO_LARGE, "manifest: %.*s has %llu bytes", STR_ARG(ret->digest),
                       (unsigned long long)ret->size);
    return 0;
}

static int read_index(const struct value *manifests, struct image_manifest *ret, struct err *err)
{
    if (manifests->type != VALUE_ARRAY || manifests->len > MAX_ENTRIES)
        return err_set(err, ERR_INVALID, "manifest: an index without manifests");
    ret->is_index = true;
    for (uint32_t i = 0; i < manifests->len; i++)
        if (!image_manifest_is_foreign(&manifests->items[i]))
            return read_descriptor(&manifests->items[i], IMAGE_MANIFEST_MAX_BYTES, &ret->chosen,
                                   err);
    return 0;
}

static int read_layers(struct arena *a, const struct value *layers, struct image_manifest *ret,
                       struct err *err)
{
    if (layers->type != VALUE_ARRAY || layers->len > IMAGE_MAX_LAYERS)
        return err_set(err, ERR_INVALID, "manifest: no list of at most %d layers",
                       IMAGE_MAX_LAYERS);
    ret->layers = ARENA_NEW_ARRAY(a, struct image_descriptor, layers->len + 1);
    for (; ret->n_layers < layers->len; ret->n_layers++) {
        int r = read_descriptor(&layers->items[ret->n_layers], IMAGE_LAYER_MAX_BYTES,
                                &ret->layers[ret->n_layers], err);

        if (r < 0)
            return r;
    }
    return 0;
}

int image_manifest_parse(struct arena *a, struct str text, struct image_manifest *ret,
                         struct err *err)
{
    const struct value *manifests, *layers, *version;
    struct value v;
    int r;

    *ret = (struct image_manifest){ 0 };
    if (text.len > IMAGE_MANIFEST_MAX_BYTES)
        return err_set(err, ERR_TOO_LARGE, "a manifest of %zu bytes", text.len);
    r = value_parse(a, text, &v, NULL, err);
    if (r < 0)
        return err_wrap(err, "manifest");
    manifests = value_get(&v, STR("manifests"));
    layers = value_get(&v, STR("layers"));
    version = value_get(&v, STR("schemaVersion"));
    if (version && version->type == VALUE_INT && version->i == 1)
        return err_set(err, ERR_UNSUPPORTED,
                       "media type \"application/vnd.docker.distribution.manifest.v1+prettyjws\" "
                       "is no longer supported");
    /* One text that is both would be another image to another reader. */
    if (!manifests == !layers)
        return err_set(err, ERR_INVALID, "manifest: neither an index nor an image, or both");
    if (manifests)
        return read_index(manifests, ret, err);
    r = read_descriptor(value_get(&v, STR("config")), IMAGE_CONFIG_MAX_BYTES, &ret->config, err);
    return r == 0 ? read_layers(a, layers, ret, err) : r;
}
