/* Layers arrive in STORE/downloads/HEX, locked by who fills it; a second pull of the same layer at
 * the same time keeps its own nameless file. Files of pulls that failed are taken up by the next
 * one, and go after a day. */
#include "runtime/image/image_pull.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/macros.h"
#include "codec/digest.h"
#include "codec/value.h"
#include "runtime/image/image_manifest.h"
#include "runtime/image/image_writer.h"
#include "runtime/image/registries.h"
#include "runtime/image/registry_client.h"
#include "runtime/image_reference.h"
#include "runtime/image_store.h"
#include "runtime/runtime_files.h"

enum { MAX_INDEX_DEPTH = 3, MAX_ROUNDS = 3, KEEP_SECONDS = 24 * 3600 };

DEFINE_CLEANUP(DIR *, closedir);

struct pull {
    struct arena arena;
    const struct image_pull_options *o;
    struct image_reference name;
    struct registry_place place;
    struct registry_client *client;
    int dir;           /* downloads */
    struct str digest; /* of what the name stands for */
    struct image_manifest manifest;
    struct str config;
    int *fds;           /* a layer's tar, -1: not fetched */
    const char **paths; /* its file in downloads; NULL: none */
};

/* --- what is it? --- */

static struct str reference(const struct pull *p)
{
    return p->name.digest.len ? p->name.digest : p->name.tag;
}

static int get(struct pull *p, const char *kind, struct str what, size_t limit,
               struct registry_answer *ret, struct err *err)
{
    char actual[DIGEST_TEXT_BYTES];
    int r = registry_client_get(p->client, kind, what, limit, &p->arena, ret, err);
    struct str wanted;

    if (r < 0)
        return r;
    digest_sha256_text(ret->body, actual);
    wanted = image_digest_is_valid(what) ? what : ret->digest;
    if (image_digest_is_valid(wanted) && !str_eq(wanted, str_from_cstr(actual)))
        return err_set(err, ERR_CORRUPT, "unexpected digest %s of %.*s, expected %.*s", actual,
                       STR_ARG(what), STR_ARG(wanted));
    ret->digest = str_dup(&p->arena, str_from_cstr(actual));
    return 0;
}

static int get_manifest(struct pull *p, struct err *err)
{
    struct str what = reference(p);

    for (int depth = 0; depth <= MAX_INDEX_DEPTH; depth++) {
        struct registry_answer answer;
        int r = get(p, "manifests", what, IMAGE_MANIFEST_MAX_BYTES, &answer, err);

        if (r == 0)
            r = image_manifest_parse(&p->arena, answer.body, &p->manifest, err);
        if (r < 0)
            return r;
        if (!p->digest.len)
            p->digest = answer.digest;
        if (!p->manifest.is_index)
            return 0;
        what = p->manifest.chosen.digest;
        if (!what.len)
            return err_set(err, ERR_NOT_FOUND, "no match for platform in manifest: not found");
    }
    return err_set(err, ERR_INVALID, "manifest: indexes in indexes");
}

/* The names that the layers have in the store, by the configuration. */
static int get_config(struct pull *p, const struct value **ret_diff_ids, struct err *err)
{
    struct registry_answer answer;
    struct value *v = ARENA_NEW(&p->arena, struct value);
    const struct value *rootfs, *ids;
    int r = get(p, "blobs", p->manifest.config.digest, IMAGE_CONFIG_MAX_BYTES, &answer, err);

    if (r == 0)
        r = value_parse(&p->arena, answer.body, v, NULL, err);
    if (r < 0)
        return r;
    p->config = answer.body;
    rootfs = value_get(v, STR("rootfs"));
    ids = rootfs ? value_get(rootfs, STR("diff_ids")) : NULL;
    if (!ids || ids->type != VALUE_ARRAY || ids->len != p->manifest.n_layers)
        return err_set(err, ERR_INVALID, "mismatched image rootfs and manifest layers");
    for (uint32_t i = 0; i < ids->len; i++)
        if (ids->items[i].type != VALUE_STRING || !image_digest_is_valid(ids->items[i].s))
            return err_set(err, ERR_INVALID, "the image's configuration: diff id %u", i);
    *ret_diff_ids = ids;
    return 0;
}

static bool is_in_store(struct pull *p, const struct value *diff_ids, size_t i)
{
    return access(arena_printf(&p->arena, "%s/layers/%.*s", p->o->store, IMAGE_LAYER_NAME_LEN,
                               diff_ids->items[i].s.p + 7)
                      .p,
                  F_OK) == 0;
}

/* --- layers --- */

static void remove_old_downloads(struct pull *p)
{
    CLEANUP(closedir)
    DIR *d = opendir(arena_printf(&p->arena, "%s/downloads", p->o->store).p);
    const struct dirent *e;

    while (d && (e = readdir(d))) {
        int fd = e->d_name[0] == '.' ? -1 : openat(dirfd(d), e->d_name, O_RDONLY | O_CLOEXEC);
        struct stat st;

        if (fd < 0)
            continue;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &st) == 0 &&
            st.st_mtim.tv_sec + KEEP_SECONDS < clock_wall_s(&clock_system))
            (void)unlinkat(dirfd(d), e->d_name, 0);
        (void)close(fd);
    }
}

static int open_download(struct pull *p, size_t i, struct err *err)
{
    const char *name = str_cstr(&p->arena, str_tail(p->manifest.layers[i].digest, 7));
    int fd = openat(p->dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat here, there;

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &here) == 0 &&
        fstatat(p->dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && here.st_ino == there.st_ino) {
        p->paths[i] = name;
    } else if (fd >= 0) { /* another pull's, or this image's own layer once more */
        (void)close(fd);
        fd = openat(p->dir, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    }
    if (fd < 0)
        return err_errno(err, errno, "write to '%s/downloads'", p->o->store);
    p->fds[i] = fd;
    return 0;
}

static int fetch_layers(struct pull *p, const struct value *diff_ids, struct err *err)
{
    struct registry_blob *blobs =
        ARENA_NEW_ARRAY(&p->arena, struct registry_blob, p->manifest.n_layers + 1);
    size_t n = 0;

    for (size_t i = 0; i < p->manifest.n_layers; i++) {
        int r;

        if (p->fds[i] >= 0 || is_in_store(p, diff_ids, i))
            continue;
        r = open_download(p, i, err);
        if (r < 0)
            return r;
        blobs[n++] = (struct registry_blob){ .digest = p->manifest.layers[i].digest,
                                             .size = p->manifest.layers[i].size,
                                             .fd = p->fds[i] };
    }
    return registry_client_download(p->client, blobs, n, err);
}

static int add(struct pull *p, struct image_writer *w, char ret_id[72], struct err *err)
{
    struct image_writer_image image = {
        .config = p->config,
        .layer_fds = p->fds,
        .n_layers = p->manifest.n_layers,
        .tag = p->name.digest.len ? STR_NULL : image_reference_tagged(&p->arena, &p->name),
        .digest = image_reference_digested(&p->arena, &p->name, p->digest),
    };

    for (size_t i = 0; i < image.n_layers; i++)
        if (p->fds[i] >= 0 && lseek(p->fds[i], 0, SEEK_SET) < 0)
            return err_errno(err, errno, "read a layer");
    return image_writer_add(w, &image, ret_id, err);
}

/* What was in the store may be gone when it has been locked: then it is fetched as well. */
static int fetch_and_add(struct pull *p, const struct value *diff_ids, char ret_id[72],
                         struct err *err)
{
    for (int round = 0; round < MAX_ROUNDS; round++) {
        struct image_writer *w = NULL;
        bool is_whole = true;
        int r = fetch_layers(p, diff_ids, err);

        if (r == 0)
            r = image_writer_open(p->o->store, &w, err);
        if (r < 0)
            return r;
        for (size_t i = 0; i < p->manifest.n_layers; i++)
            is_whole &= p->fds[i] >= 0 || is_in_store(p, diff_ids, i);
        if (is_whole)
            r = add(p, w, ret_id, err);
        image_writer_close(w);
        if (is_whole)
            return r;
    }
    return err_set(err, ERR_CONFLICT, "layers are removed as fast as they come");
}

static int pull_image(struct pull *p, char ret_id[72], struct err *err)
{
    const char *directory = arena_printf(&p->arena, "%s/downloads", p->o->store).p;
    const struct value *diff_ids = NULL;
    size_t n;
    int r = get_manifest(p, err);

    if (r == 0)
        r = get_config(p, &diff_ids, err);
    if (r < 0)
        return err->code == ERR_NOT_FOUND
                   ? err_wrap(err,
                              "failed to resolve reference \"%.*s/%.*s%c%.*s\": %.*s/%.*s%c%.*s",
                              STR_ARG(p->name.registry), STR_ARG(p->name.repository),
                              p->name.digest.len ? '@' : ':', STR_ARG(reference(p)),
                              STR_ARG(p->name.registry), STR_ARG(p->name.repository),
                              p->name.digest.len ? '@' : ':', STR_ARG(reference(p)))
                   : err_wrap(err, "failed to resolve reference \"%.*s/%.*s%c%.*s\"",
                              STR_ARG(p->name.registry), STR_ARG(p->name.repository),
                              p->name.digest.len ? '@' : ':', STR_ARG(reference(p)));
    n = p->manifest.n_layers;
    p->paths = ARENA_NEW_ARRAY(&p->arena, const char *, n + 1);
    p->fds = ARENA_NEW_ARRAY(&p->arena, int, n + 1);
    for (size_t i = 0; i < n; i++)
        p->fds[i] = -1;
    r = runtime_files_make_directory(directory, 0700, err);
    if (r < 0)
        return r;
    p->dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->dir < 0)
        return err_errno(err, errno, "open '%s'", directory);
    remove_old_downloads(p);
    r = fetch_and_add(p, diff_ids, ret_id, err);
    for (size_t i = 0; i < n; i++) {
        /* One that is no tar of its diff id would fail for ever. */
        if (p->paths[i] && (r == 0 || r == ERR_CORRUPT || r == ERR_INVALID))
            (void)unlinkat(p->dir, p->paths[i], 0);
        if (p->fds[i] >= 0)
            (void)close(p->fds[i]);
    }
    (void)close(p->dir);
    return r;
}

int image_pull(const struct image_pull_options *o, char ret_id[72], struct err *err)
{
    struct pull p = { .o = o, .dir = -1 };
    int r = image_reference_parse(&p.arena, o->name, &p.name, err);

    if (r == 0)
        r = registries_find(&p.arena, o->registries_file, p.name.registry, &p.place, err);
    if (r == 0) {
        p.client = registry_client_new(&p.place, p.name.repository, o->auth);
        r = pull_image(&p, ret_id, err);
        registry_client_free(p.client);
        if (r < 0)
            (void)err_wrap(err, "failed to pull and unpack image \"%.*s/%.*s%c%.*s\"",
                           STR_ARG(p.name.registry), STR_ARG(p.name.repository),
                           p.name.digest.len ? '@' : ':', STR_ARG(reference(&p)));
    }
    arena_done(&p.arena);
    return r;
}
