#include "runtime/image_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/vec.h"
#include "codec/value.h"
#include "runtime/image_reference.h"
#include "runtime/runtime_files.h"

enum { SHORTEST_ID = 12, STORE_MAX_IMAGES = 10000 };

DEFINE_CLEANUP(DIR *, closedir);

struct image_store {
    char *directory;
    char *images_directory;
    struct arena arena; /* of all records */
    struct VEC(struct image) images;
    struct timespec read_at; /* the directory's mtime when it was read */
};

int image_store_new(const char *directory, struct image_store **ret, struct err *err)
{
    struct image_store *s = NEW(struct image_store);
    char path[4096];
    int r = 0;

    arena_init(&s->arena, 0);
    s->directory = str_heap_cstr(str_from_cstr(directory));
    (void)snprintf(path, sizeof(path), "%s/images", directory);
    s->images_directory = str_heap_cstr(str_from_cstr(path));
    r = runtime_files_make_directory(path, 0700, err);
    (void)snprintf(path, sizeof(path), "%s/layers", directory);
    if (r == 0)
        r = runtime_files_make_directory(path, 0700, err);
    if (r == 0)
        r = image_store_refresh(s, err);
    if (r < 0) {
        image_store_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

void image_store_free(struct image_store *s)
{
    if (!s)
        return;
    VEC_DONE(&s->images);
    arena_done(&s->arena);
    mem_free(s->directory);
    mem_free(s->images_directory);
    mem_free(s);
}

static struct runtime_strs read_strs(struct arena *a, const struct value *v)
{
    struct runtime_strs list = { 0 };
    struct str *items;

    if (!v || v->type != VALUE_ARRAY || v->len == 0)
        return list;
    items = ARENA_NEW_ARRAY(a, struct str, v->len);
    for (uint32_t i = 0; i < v->len; i++)
        if (v->items[i].type == VALUE_STRING)
            items[list.len++] = v->items[i].s;
    list.items = items;
    return list;
}

static bool is_layer_name(struct str s)
{
    if (s.len != IMAGE_LAYER_NAME_LEN)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
            return false;
    return true;
}

/* USER is "name", "1000", "1000:group": a number says who, a name is for /etc/passwd. */
static void read_user(struct image *image)
{
    struct str user = image->user, group;
    uint64_t uid;

    (void)str_cut(user, ':', &user, &group); /* without ':' all of it is the user */
    if (user.len == 0) {
        image->info.has_uid = true;
    } else if (str_to_u64(user, &uid) && uid <= UINT32_MAX) {
        image->info.has_uid = true;
        image->info.uid = (int64_t)uid;
    } else {
        image->info.username = user;
    }
}

static int read_record(struct arena *a, struct str text, struct image *ret, struct err *err)
{
    struct value v;
    const struct value *config, *size;
    struct image image = { 0 };
    int r = value_parse(a, text, &v, NULL, err);

    if (r < 0)
        return r;
    config = value_get(&v, STR("config"));
    size = value_get(&v, STR("size"));
    image.info.id = value_get_str(&v, STR("id"));
    image.info.tags = read_strs(a, value_get(&v, STR("tags")));
    image.info.digests = read_strs(a, value_get(&v, STR("digests")));
    image.info.size_bytes = size && size->type == VALUE_INT && size->i > 0 ? (uint64_t)size->i : 0;
    image.layers = read_strs(a, value_get(&v, STR("layers")));
    if (!image_digest_is_valid(image.info.id) || image.layers.len > IMAGE_MAX_LAYERS)
        return err_set(err, ERR_CORRUPT, "no record of an image");
    for (size_t i = 0; i < image.layers.len; i++)
        if (!is_layer_name(image.layers.items[i]))
            return err_set(err, ERR_CORRUPT, "no record of an image");
    if (config && config->type == VALUE_OBJECT) {
        image.entrypoint = read_strs(a, value_get(config, STR("Entrypoint")));
        image.cmd = read_strs(a, value_get(config, STR("Cmd")));
        image.env = read_strs(a, value_get(config, STR("Env")));
        image.working_dir = value_get_str(config, STR("WorkingDir"));
        image.user = value_get_str(config, STR("User"));
        image.stop_signal = value_get_str(config, STR("StopSignal"));
    }
    read_user(&image);
    *ret = image;
    return 0;
}

static void read_all(struct image_store *s, DIR *d)
{
    const struct dirent *e;

    while ((e = readdir(d)) && s->images.len < STORE_MAX_IMAGES) {
        struct image image;
        struct str text;
        struct err err;
        int r;

        if (!str_has_suffix(str_from_cstr(e->d_name), STR(".json")))
            continue;
        r = runtime_files_read(&s->arena, dirfd(d), e->d_name, IMAGE_RECORD_MAX_BYTES, &text, &err);
        if (r == 0)
            r = read_record(&s->arena, text, &image, &err);
        if (r == 0)
            VEC_PUSH(&s->images, image);
        else
            LOG_WARNING("unreadable image record", KV("file", e->d_name), KV("err", err.text));
    }
}

int image_store_refresh(struct image_store *s, struct err *err)
{
    struct stat st;
    CLEANUP(closedir) DIR *d = NULL;

    if (stat(s->images_directory, &st) < 0)
        return err_errno(err, errno, "read '%s'", s->images_directory);
    if (st.st_mtim.tv_sec == s->read_at.tv_sec && st.st_mtim.tv_nsec == s->read_at.tv_nsec)
        return 0;
    d = opendir(s->images_directory);
    if (!d)
        return err_errno(err, errno, "read '%s'", s->images_directory);
    s->read_at = st.st_mtim;
    arena_reset(&s->arena);
    VEC_CLEAR(&s->images);
    read_all(s, d);
    return 0;
}

void image_store_invalidate(struct image_store *s)
{
    s->read_at = (struct timespec){ 0 };
}

static bool is_in(struct runtime_strs list, struct str s)
{
    for (size_t i = 0; i < list.len; i++)
        if (str_eq(list.items[i], s))
            return true;
    return false;
}

static const struct image *find_by_id(const struct image_store *s, struct str id)
{
    if (str_has_prefix(id, STR("sha256:")))
        id = str_tail(id, 7);
    if (id.len < SHORTEST_ID)
        return NULL;
    for (size_t i = 0; i < s->images.len; i++)
        if (str_has_prefix(str_tail(s->images.items[i].info.id, 7), id))
            return &s->images.items[i];
    return NULL;
}

const struct image *image_store_find(const struct image_store *s, struct str name)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct image_reference r;
    struct str wanted;
    struct err ignored;

    if (image_reference_parse(&a, name, &r, &ignored) == 0) {
        wanted = r.digest.len ? image_reference_digested(&a, &r, r.digest)
                              : image_reference_tagged(&a, &r);
        for (size_t i = 0; i < s->images.len; i++)
            if (is_in(r.digest.len ? s->images.items[i].info.digests : s->images.items[i].info.tags,
                      wanted))
                return &s->images.items[i];
    }
    return find_by_id(s, name);
}

size_t image_store_len(const struct image_store *s)
{
    return s->images.len;
}

const struct image *image_store_at(const struct image_store *s, size_t i)
{
    return &s->images.items[i];
}

const char *image_store_directory(const struct image_store *s)
{
    return s->directory;
}
