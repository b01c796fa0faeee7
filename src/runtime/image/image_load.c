/* The archive's files are written to a scratch directory, each under the hash of its name, so no
 * name in it means anything to the file system; then the images are put together from there. */
#include "runtime/image/image_load.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/random.h"
#include "codec/digest.h"
#include "codec/value.h"
#include "runtime/image/image_manifest.h"
#include "runtime/image/image_writer.h"
#include "runtime/image_reference.h"
#include "runtime/image_store.h"
#include "runtime/runtime_files.h"

enum {
    JSON_LIMIT_BYTES = 4 << 20,
    MAX_ENTRIES = 100000,
    MAX_IMAGES = 1000,
    MAX_INDEX_DEPTH = 3,
    READ_BYTES = 64 * 1024,
};

struct loading {
    struct image_writer *writer;
    struct arena arena;
    int dir;
    struct str tag; /* the caller's */
    image_load_fn *fn;
    void *arg;
    size_t n_images;
};

/* --- the scratch directory --- */

static void scratch_name(struct str path, char ret[DIGEST_TEXT_BYTES])
{
    while (str_has_prefix(path, STR("./")))
        path = str_tail(path, 2);
    digest_sha256_text(path, ret);
}

/* A link's target, seen from the directory of the link. */
static struct str resolve(struct arena *a, struct str link, struct str target)
{
    ptrdiff_t slash = str_rfind(link, '/');
    struct str directory = slash < 0 ? STR_NULL : str_sub(link, 0, (size_t)slash);

    while (str_has_prefix(target, STR("../"))) {
        target = str_tail(target, 3);
        slash = str_rfind(directory, '/');
        directory = slash < 0 ? STR_NULL : str_sub(directory, 0, (size_t)slash);
    }
    return directory.len ? arena_printf(a, "%.*s/%.*s", STR_ARG(directory), STR_ARG(target))
                         : str_dup(a, target);
}

static int save_file(struct loading *l, struct archive *a, const char *name, struct err *err)
{
    int fd = openat(l->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), r;

    if (fd < 0)
        return err_errno(err, errno, "write the archive");
    r = archive_read_data_into_fd(a, fd);
    (void)close(fd);
    return r == ARCHIVE_OK ? 0 : err_set(err, ERR_CORRUPT, "archive: %s", archive_error_string(a));
}

static int save_entry(struct loading *l, struct archive *a, struct archive_entry *e,
                      struct err *err)
{
    struct str path = str_from_cstr(archive_entry_pathname(e));
    const char *hardlink = archive_entry_hardlink(e), *symlink = archive_entry_symlink(e);
    char name[DIGEST_TEXT_BYTES], target[DIGEST_TEXT_BYTES];

    if (!path.len || path.len > 4096)
        return err_set(err, ERR_INVALID, "archive: an entry's name");
    scratch_name(path, name);
    if (hardlink || symlink) {
        scratch_name(hardlink ? str_from_cstr(hardlink)
                              : resolve(&l->arena, path, str_from_cstr(symlink)),
                     target);
        if (symlinkat(target, l->dir, name) < 0 && errno != EEXIST)
            return err_errno(err, errno, "write the archive");
        return 0;
    }
    return archive_entry_filetype(e) == AE_IFREG ? save_file(l, a, name, err) : 0;
}

static int save_entries(struct loading *l, struct archive *a, struct err *err)
{
    struct archive_entry *e;
    int r, n = 0;

    while ((r = archive_read_next_header(a, &e)) == ARCHIVE_OK || r == ARCHIVE_WARN) {
        if (++n > MAX_ENTRIES)
            return err_set(err, ERR_TOO_LARGE, "archive: too many entries");
        r = save_entry(l, a, e, err);
        if (r < 0)
            return r;
    }
    return r == ARCHIVE_EOF ? 0 : err_set(err, ERR_CORRUPT, "archive: %s", archive_error_string(a));
}

static int save_archive(struct loading *l, int fd, struct err *err)
{
    struct archive *a = archive_read_new();
    int r;

    if (!a)
        return err_set(err, -ENOMEM, "libarchive");
    (void)archive_read_support_filter_all(a);
    (void)archive_read_support_format_tar(a);
    if (archive_read_open_fd(a, fd, READ_BYTES) != ARCHIVE_OK)
        r = err_set(err, ERR_CORRUPT, "archive: %s", archive_error_string(a));
    else
        r = save_entries(l, a, err);
    (void)archive_read_free(a);
    return r;
}

static int open_member(struct loading *l, struct str path, struct err *err)
{
    char name[DIGEST_TEXT_BYTES];
    struct stat st;
    int fd;

    scratch_name(path, name);
    fd = openat(l->dir, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, ERR_CORRUPT, "archive: '%.*s' is missing",
                       STR_ARG(str_sub(path, 0, 200)));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        (void)close(fd);
        return err_set(err, ERR_CORRUPT, "archive: '%.*s' is no file",
                       STR_ARG(str_sub(path, 0, 200)));
    }
    return fd;
}

static bool has_member(struct loading *l, struct str path)
{
    char name[DIGEST_TEXT_BYTES];

    scratch_name(path, name);
    return faccessat(l->dir, name, F_OK, 0) == 0;
}

static int read_member(struct loading *l, struct str path, struct str *ret, struct err *err)
{
    char name[DIGEST_TEXT_BYTES];

    scratch_name(path, name);
    if (!has_member(l, path))
        return err_set(err, ERR_CORRUPT, "archive: '%.*s' is missing",
                       STR_ARG(str_sub(path, 0, 200)));
    return runtime_files_read(&l->arena, l->dir, name, JSON_LIMIT_BYTES, ret, err);
}

static int read_json(struct loading *l, struct str path, struct value *ret, struct err *err)
{
    struct str text;
    int r = read_member(l, path, &text, err);

    if (r == 0)
        r = value_parse(&l->arena, text, ret, NULL, err);
    return r < 0 ? err_wrap(err, "archive: '%.*s'", STR_ARG(str_sub(path, 0, 200))) : 0;
}

/* blobs/sha256/HEX of a descriptor; checked against what is there. */
static int blob_path(struct loading *l, const struct value *descriptor, struct str *ret,
                     struct err *err)
{
    struct str digest = value_get_str(descriptor, STR("digest"));

    if (!image_digest_is_valid(digest))
        return err_set(err, ERR_INVALID, "archive: a descriptor without a sha256 digest");
    *ret = arena_printf(&l->arena, "blobs/sha256/%.*s", STR_ARG(str_tail(digest, 7)));
    return 0;
}

static int read_blob(struct loading *l, const struct value *descriptor, struct str *ret,
                     struct err *err)
{
    char actual[DIGEST_TEXT_BYTES];
    struct str path;
    int r = blob_path(l, descriptor, &path, err);

    if (r == 0)
        r = read_member(l, path, ret, err);
    if (r != 0)
        return r;
    digest_sha256_text(*ret, actual);
    if (!str_eq(str_from_cstr(actual), value_get_str(descriptor, STR("digest"))))
        return err_set(err, ERR_CORRUPT, "archive: '%.*s' has another digest", STR_ARG(path));
    return 0;
}

/* --- images --- */

static int full_tag(struct loading *l, struct str name, struct str *ret, struct err *err)
{
    struct image_reference r;
    int code;

    *ret = STR_NULL;
    if (!name.len)
        return 0;
    code = image_reference_parse(&l->arena, name, &r, err);
    if (code == 0 && r.tag.len)
        *ret = image_reference_tagged(&l->arena, &r);
    return code;
}

/* layers: their members' names. */
static int add_image(struct loading *l, struct str config, const struct str *layers, size_t n,
                     struct str tag, struct err *err)
{
    int fds[IMAGE_MAX_LAYERS], r = 0;
    size_t opened = 0;
    char id[72];

    if (n > IMAGE_MAX_LAYERS || ++l->n_images > MAX_IMAGES)
        return err_set(err, ERR_TOO_LARGE, "archive: too many layers or images");
    for (; r == 0 && opened < n; opened++) {
        fds[opened] = open_member(l, layers[opened], err);
        if (fds[opened] < 0) {
            r = fds[opened];
            break;
        }
    }
    if (r == 0)
        r = image_writer_add(l->writer,
                             &(struct image_writer_image){
                                 .config = config, .layer_fds = fds, .n_layers = n, .tag = tag },
                             id, err);
    for (size_t i = 0; i < opened; i++)
        (void)close(fds[i]);
    if (r == 0)
        l->fn(tag, str_from_cstr(id), l->arg);
    return r;
}

static int load_docker_image(struct loading *l, const struct value *image, struct err *err)
{
    const struct value *layers = value_get(image, STR("Layers")),
                       *tags = value_get(image, STR("RepoTags"));
    struct str config, *paths, tag;
    size_t n_tags = tags && tags->type == VALUE_ARRAY ? tags->len : 0;
    int r;

    if (!layers || layers->type != VALUE_ARRAY || layers->len > IMAGE_MAX_LAYERS)
        return err_set(err, ERR_INVALID, "archive: manifest.json without layers");
    r = read_member(l, value_get_str(image, STR("Config")), &config, err);
    paths = ARENA_NEW_ARRAY(&l->arena, struct str, layers->len);
    for (uint32_t i = 0; i < layers->len; i++)
        paths[i] = layers->items[i].type == VALUE_STRING ? layers->items[i].s : STR_NULL;
    for (size_t i = 0; r == 0 && i < MAX(n_tags, (size_t)1); i++) {
        r = full_tag(l, n_tags && tags->items[i].type == VALUE_STRING ? tags->items[i].s : l->tag,
                     &tag, err);
        if (r == 0)
            r = add_image(l, config, paths, layers->len, tag, err);
    }
    return r;
}

static int load_docker(struct loading *l, struct err *err)
{
    struct value manifest = { 0 };
    int r = read_json(l, STR("manifest.json"), &manifest, err);

    if (r < 0)
        return r;
    if (manifest.type != VALUE_ARRAY || manifest.len == 0 || manifest.len > MAX_IMAGES)
        return err_set(err, ERR_INVALID, "archive: manifest.json names no image");
    for (uint32_t i = 0; r == 0 && i < manifest.len; i++)
        r = load_docker_image(l, &manifest.items[i], err);
    return r;
}

static int load_manifest(struct loading *l, const struct value *manifest, struct str tag,
                         struct err *err)
{
    const struct value *layers = value_get(manifest, STR("layers")),
                       *config = value_get(manifest, STR("config"));
    struct str config_text, *paths;
    int r;

    if (!layers || layers->type != VALUE_ARRAY || layers->len > IMAGE_MAX_LAYERS || !config)
        return err_set(err, ERR_INVALID, "archive: a manifest without layers or config");
    r = read_blob(l, config, &config_text, err);
    paths = ARENA_NEW_ARRAY(&l->arena, struct str, layers->len);
    for (uint32_t i = 0; r == 0 && i < layers->len; i++)
        r = blob_path(l, &layers->items[i], &paths[i], err);
    return r == 0 ? add_image(l, config_text, paths, layers->len, tag, err) : r;
}

static struct str name_of(const struct value *descriptor)
{
    const struct value *notes = value_get(descriptor, STR("annotations"));
    struct str name;

    if (!notes)
        return STR_NULL;
    name = value_get_str(notes, STR("io.containerd.image.name"));
    return name.len ? name : value_get_str(notes, STR("org.opencontainers.image.ref.name"));
}

static int load_index(struct loading *l, const struct value *index, struct str tag, int depth,
                      struct err *err)
{
    const struct value *manifests = value_get(index, STR("manifests"));
    int r = 0;

    if (!manifests || manifests->type != VALUE_ARRAY || manifests->len > MAX_IMAGES ||
        depth > MAX_INDEX_DEPTH)
        return err_set(err, ERR_INVALID, "archive: an index without manifests");
    for (uint32_t i = 0; r == 0 && i < manifests->len; i++) {
        const struct value *descriptor = &manifests->items[i];
        struct str name = name_of(descriptor), text, inner_tag;
        struct value inner;

        if (image_manifest_is_foreign(descriptor))
            continue;
        r = read_blob(l, descriptor, &text, err);
        if (r == 0)
            r = value_parse(&l->arena, text, &inner, NULL, err);
        /* A bare tag, as OCI's own annotation may be, names nothing by itself. */
        if (r == 0)
            r = full_tag(l, str_find(name, '/') >= 0 || str_find(name, ':') >= 0 ? name : tag,
                         &inner_tag, err);
        if (r == 0)
            r = value_get(&inner, STR("manifests"))
                    ? load_index(l, &inner, inner_tag, depth + 1, err)
                    : load_manifest(l, &inner, inner_tag, err);
    }
    return r;
}

static int load_oci(struct loading *l, struct err *err)
{
    struct value index;
    int r = read_json(l, STR("index.json"), &index, err);

    if (r == 0)
        r = load_index(l, &index, l->tag, 0, err);
    if (r == 0 && l->n_images == 0)
        r = err_set(err, ERR_NOT_FOUND, "archive: no image for %.*s",
                    STR_ARG(image_manifest_platform()));
    return r;
}

int image_load(struct image_writer *w, int fd, struct str tag, image_load_fn *fn, void *arg,
               struct err *err)
{
    struct loading l = { .writer = w, .tag = tag, .fn = fn, .arg = arg };
    const char *directory = arena_printf(&l.arena, "%s/load-%016llx", image_writer_store(w),
                                         (unsigned long long)random_u64())
                                .p;
    struct err ignored;
    int r = runtime_files_make_directory(directory, 0700, err);

    if (r == 0) {
        l.dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = l.dir < 0 ? err_errno(err, errno, "open '%s'", directory) : save_archive(&l, fd, err);
        if (r == 0 && has_member(&l, STR("manifest.json")))
            r = load_docker(&l, err);
        else if (r == 0 && has_member(&l, STR("index.json")))
            r = load_oci(&l, err);
        else if (r == 0)
            r = err_set(err, ERR_INVALID,
                        "neither an OCI nor a docker archive: no index.json, no manifest.json");
        if (l.dir >= 0)
            (void)close(l.dir);
        (void)runtime_files_remove(AT_FDCWD, directory, &ignored);
    }
    arena_done(&l.arena);
    return r;
}
