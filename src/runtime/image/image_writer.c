#include "runtime/image/image_writer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "codec/digest.h"
#include "codec/json_writer.h"
#include "codec/value.h"
#include "runtime/image/image_unpack.h"
#include "runtime/image_store.h"
#include "runtime/runtime_files.h"

enum { CONFIG_LIMIT_BYTES = 2 << 20 };

DEFINE_CLEANUP(DIR *, closedir);

struct image_writer {
    struct arena arena;
    const char *directory;
    struct image_store *store;
    int lock_fd;
};

/* What a process that was killed left half done. */
static void remove_leftovers(const char *directory)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(closedir) DIR *d = opendir(arena_printf(&a, "%s/layers", directory).p);
    const struct dirent *e;
    struct err ignored;

    while (d && (e = readdir(d)))
        if (strncmp(e->d_name, "new-", 4) == 0)
            (void)runtime_files_remove(dirfd(d), e->d_name, &ignored);
}

int image_writer_open(const char *store, struct image_writer **ret, struct err *err)
{
    struct image_writer *w = NEW(struct image_writer);
    int r, locked;

    w->lock_fd = -1;
    w->directory = str_cstr(&w->arena, str_from_cstr(store));
    r = image_store_new(store, &w->store, err);
    if (r == 0) {
        const char *path = arena_printf(&w->arena, "%s/lock", store).p;

        w->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        do
            locked = w->lock_fd < 0 ? -1 : flock(w->lock_fd, LOCK_EX);
        while (locked < 0 && errno == EINTR);
        if (locked < 0)
            r = err_errno(err, errno, "lock '%s'", path);
    }
    if (r == 0) {
        image_store_invalidate(w->store);
        r = image_store_refresh(w->store, err);
    }
    if (r < 0) {
        image_writer_close(w);
        return r;
    }
    remove_leftovers(store);
    *ret = w;
    return 0;
}

void image_writer_close(struct image_writer *w)
{
    if (!w)
        return;
    if (w->lock_fd >= 0)
        (void)close(w->lock_fd);
    image_store_free(w->store);
    arena_done(&w->arena);
    mem_free(w);
}

const char *image_writer_store(const struct image_writer *w)
{
    return w->directory;
}

static void print_list(struct buf *b, const char *key, struct runtime_strs list, struct str more,
                       struct str without)
{
    bool first = true;

    buf_printf(b, ",\"%s\":[", key);
    for (size_t i = 0; i < list.len; i++) {
        if (str_eq(list.items[i], without) || str_eq(list.items[i], more))
            continue;
        if (!first)
            buf_append_char(b, ',');
        json_write_string(b, list.items[i]);
        first = false;
    }
    if (more.len) {
        if (!first)
            buf_append_char(b, ',');
        json_write_string(b, more);
    }
    buf_append_char(b, ']');
}

static const char *record_path(struct image_writer *w, struct str id)
{
    return arena_printf(&w->arena, "%s/images/%.*s.json", w->directory, STR_ARG(str_tail(id, 7))).p;
}

/* The record as it is, with one tag less. */
static int drop_tag(struct image_writer *w, const struct image *image, struct str tag,
                    struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(buf_done) struct buf b = { 0 };
    const char *path = record_path(w, image->info.id);
    struct value v, tags = value_array();
    struct str text;
    int r = runtime_files_read(&a, AT_FDCWD, path, IMAGE_RECORD_MAX_BYTES, &text, err);

    if (r == 0)
        r = value_parse(&a, text, &v, NULL, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < image->info.tags.len; i++)
        if (!str_eq(image->info.tags.items[i], tag))
            value_push(&a, &tags, value_string(image->info.tags.items[i]));
    value_set(&a, &v, STR("tags"), tags);
    value_print(&b, &v);
    return runtime_files_write_durably(path, buf_str(&b), 0600, err);
}

static int take_tag(struct image_writer *w, struct str tag, struct str id, struct err *err)
{
    for (size_t i = 0; tag.len && i < image_store_len(w->store); i++) {
        const struct image *other = image_store_at(w->store, i);

        for (size_t t = 0; t < other->info.tags.len; t++)
            if (str_eq(other->info.tags.items[t], tag) && !str_eq(other->info.id, id)) {
                int r = drop_tag(w, other, tag, err);

                if (r < 0)
                    return r;
            }
    }
    return 0;
}

static int unpack_layers(struct image_writer *w, const struct image_writer_image *image,
                         const struct value *diff_ids, struct buf *names, uint64_t *size,
                         struct err *err)
{
    for (size_t i = 0; i < image->n_layers; i++) {
        char name[IMAGE_LAYER_NAME_LEN + 1];
        uint64_t bytes;
        int r;

        if (diff_ids->items[i].type != VALUE_STRING)
            return err_set(err, ERR_INVALID, "the image's configuration: diff id %zu", i);
        r = image_unpack(w->directory, image->layer_fds[i], diff_ids->items[i].s, NULL, name,
                         &bytes, err);
        if (r < 0)
            return r;
        buf_printf(names, "%s\"%s\"", i ? "," : "", name);
        *size += bytes;
    }
    return 0;
}

static int write_record(struct image_writer *w, const struct image_writer_image *image,
                        struct str id, struct str layers, uint64_t size, const struct value *config,
                        struct err *err)
{
    const struct image *old = image_store_find(w->store, id);
    const struct value *inner = value_get(config, STR("config"));
    CLEANUP(buf_done) struct buf b = { 0 };
    const struct runtime_strs none = { 0 };
    int r;

    buf_printf(
        &b, "{\"id\":\"%.*s\",\"size\":%llu", STR_ARG(id),
        (unsigned long long)(old && old->info.size_bytes > size ? old->info.size_bytes : size));
    print_list(&b, "tags", old ? old->info.tags : none, image->tag, STR_NULL);
    print_list(&b, "digests", old ? old->info.digests : none, image->digest, STR_NULL);
    buf_printf(&b, ",\"layers\":[%.*s],\"config\":", STR_ARG(layers));
    if (inner && inner->type == VALUE_OBJECT)
        value_print(&b, inner);
    else
        buf_append_lit(&b, "{}");
    buf_append_char(&b, '}');
    /* Layers are synced; that they have their names is not, before their directory is. */
    r = runtime_files_sync_directory(arena_printf(&w->arena, "%s/layers", w->directory).p, err);
    return r < 0 ? r : runtime_files_write_durably(record_path(w, id), buf_str(&b), 0600, err);
}

int image_writer_add(struct image_writer *w, const struct image_writer_image *image,
                     char ret_id[72], struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    CLEANUP(buf_done) struct buf layers = { 0 };
    const struct value *rootfs, *diff_ids;
    struct value config;
    uint64_t size = image->config.len;
    int r;

    if (image->config.len > CONFIG_LIMIT_BYTES)
        return err_set(err, ERR_TOO_LARGE, "an image's configuration of %zu bytes",
                       image->config.len);
    r = value_parse(&a, image->config, &config, NULL, err);
    if (r < 0)
        return err_wrap(err, "the image's configuration");
    rootfs = value_get(&config, STR("rootfs"));
    diff_ids = rootfs ? value_get(rootfs, STR("diff_ids")) : NULL;
    if (!diff_ids || diff_ids->type != VALUE_ARRAY || diff_ids->len != image->n_layers ||
        image->n_layers > IMAGE_MAX_LAYERS)
        return err_set(err, ERR_INVALID, "the image's configuration does not fit its %zu layers",
                       image->n_layers);
    digest_sha256_text(image->config, ret_id);
    r = unpack_layers(w, image, diff_ids, &layers, &size, err);
    if (r == 0)
        r = take_tag(w, image->tag, str_from_cstr(ret_id), err);
    if (r == 0)
        r = write_record(w, image, str_from_cstr(ret_id), buf_str(&layers), size, &config, err);
    image_store_invalidate(w->store);
    return r == 0 ? image_store_refresh(w->store, err) : r;
}

static bool is_needed(const struct image_writer *w, const char *layer)
{
    for (size_t i = 0; i < image_store_len(w->store); i++) {
        struct runtime_strs layers = image_store_at(w->store, i)->layers;

        for (size_t n = 0; n < layers.len; n++)
            if (str_eq(layers.items[n], str_from_cstr(layer)))
                return true;
    }
    return false;
}

int image_writer_remove(struct image_writer *w, struct str name, struct err *err)
{
    const struct image *image = image_store_find(w->store, name);
    const char *layers_path = arena_printf(&w->arena, "%s/layers", w->directory).p;
    CLEANUP(closedir) DIR *d = NULL;
    const struct dirent *e;
    int r;

    if (!image)
        return err_set(err, ERR_NOT_FOUND, "image '%.*s' not found",
                       STR_ARG(str_sub(name, 0, 512)));
    if (unlink(record_path(w, image->info.id)) < 0)
        return err_errno(err, errno, "remove the record of '%.*s'", STR_ARG(name));
    image_store_invalidate(w->store);
    r = image_store_refresh(w->store, err);
    if (r < 0)
        return r;
    d = opendir(layers_path);
    while (r == 0 && d && (e = readdir(d)))
        if (strlen(e->d_name) == IMAGE_LAYER_NAME_LEN && !is_needed(w, e->d_name))
            r = runtime_files_remove(dirfd(d), e->d_name, err);
    return r;
}
