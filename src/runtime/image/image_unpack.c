/* Two readers of libarchive: the first takes the compression off, the second reads the tar out of
 * what the first gives, so that the uncompressed bytes pass by and can be hashed. */
#include "runtime/image/image_unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/random.h"
#include "codec/digest.h"
#include "runtime/image_reference.h"
#include "runtime/runtime_files.h"

enum {
    BLOCK_BYTES = 64 * 1024,
    PATH_LIMIT_BYTES = 4096,
    MAX_PARTS = 512,
    XATTR_LIMIT_BYTES = 64 * 1024,
    RATIO_FREE_BYTES = 64 << 20, /* below this any ratio is harmless */
};
#define DEFAULT_BYTES   ((uint64_t)64 << 30)
#define DEFAULT_ENTRIES 4000000
#define DEFAULT_RATIO   2000

struct unpacking {
    struct archive *outer, *tar;
    struct digest *digest;
    int root; /* the directory that is written */
    uint64_t in_bytes, raw_bytes, file_bytes, entries;
    struct image_unpack_limits limits;
    int tar_fd;
    char in[BLOCK_BYTES], raw[BLOCK_BYTES];
};

static la_ssize_t read_compressed(struct archive *a, void *arg, const void **ret)
{
    struct unpacking *u = arg;
    ssize_t n;

    (void)a;
    do
        n = read(u->tar_fd, u->in, sizeof(u->in));
    while (n < 0 && errno == EINTR);
    if (n > 0)
        u->in_bytes += (uint64_t)n;
    *ret = u->in;
    return n;
}

static la_ssize_t read_raw(struct archive *a, void *arg, const void **ret)
{
    struct unpacking *u = arg;
    la_ssize_t n = archive_read_data(u->outer, u->raw, sizeof(u->raw));

    if (n < 0) {
        archive_set_error(a, EIO, "%s", archive_error_string(u->outer));
        return -1;
    }
    u->raw_bytes += (uint64_t)n;
    digest_update(u->digest, str_n(u->raw, (size_t)n));
    if (u->raw_bytes > RATIO_FREE_BYTES && u->raw_bytes / u->limits.ratio > u->in_bytes) {
        archive_set_error(a, EFBIG, "compressed beyond belief");
        return -1;
    }
    *ret = u->raw;
    return n;
}

/* --- writing beneath the root --- */

/* The path's parts without "." and empty ones; false: "..", too many, too long. */
static bool clean_path(const char *path, char ret[PATH_LIMIT_BYTES])
{
    struct str rest = str_from_cstr(path), part;
    size_t len = 0;
    int parts = 0;

    while (str_next(&rest, '/', &part)) {
        if (part.len == 0 || str_eq(part, STR(".")))
            continue;
        if (str_eq(part, STR("..")) || ++parts > MAX_PARTS || part.len > 255 ||
            len + part.len + 2 > PATH_LIMIT_BYTES)
            return false;
        if (len)
            ret[len++] = '/';
        memcpy(ret + len, part.p, part.len);
        len += part.len;
    }
    ret[len] = '\0';
    return true;
}

static int open_beneath(int root, const char *path, uint64_t flags)
{
    const struct open_how how = { .flags = flags | O_CLOEXEC,
                                  .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
    int fd = (int)syscall(SYS_openat2, root, path[0] ? path : ".", &how, sizeof(how));

    return fd < 0 ? -errno : fd;
}

/* The directory that holds path, made when absent; *ret_name is the last part. */
static int open_parent(int root, char *path, const char **ret_name)
{
    char *slash = strrchr(path, '/');
    int fd, at;

    *ret_name = slash ? slash + 1 : path;
    if (!slash)
        return open_beneath(root, "", O_PATH | O_DIRECTORY);
    *slash = '\0';
    fd = open_beneath(root, path, O_PATH | O_DIRECTORY);
    if (fd != -ENOENT)
        return fd;
    at = open_beneath(root, "", O_PATH | O_DIRECTORY);
    for (struct str rest = str_from_cstr(path), part; at >= 0 && str_next(&rest, '/', &part);) {
        char name[256], *end = (char *)(uintptr_t)part.p + part.len, saved = *end;

        (void)snprintf(name, sizeof(name), "%.*s", STR_ARG(part));
        if (mkdirat(at, name, 0755) < 0 && errno != EEXIST) {
            int r = -errno;

            (void)close(at);
            return r;
        }
        (void)close(at);
        *end = '\0'; /* path up to here, seen from the root: links stay inside */
        at = open_beneath(root, path, O_PATH | O_DIRECTORY);
        *end = saved;
    }
    return at;
}

static int write_data(struct unpacking *u, int fd, struct err *err)
{
    const void *p;
    size_t n;
    la_int64_t at;
    int r;

    while ((r = archive_read_data_block(u->tar, &p, &n, &at)) == ARCHIVE_OK) {
        u->file_bytes += n;
        if (u->file_bytes > u->limits.bytes)
            return err_set(err, ERR_TOO_LARGE, "a layer of more than %llu bytes",
                           (unsigned long long)u->limits.bytes);
        while (n) {
            ssize_t written = pwrite(fd, p, n, at);

            if (written < 0 && errno == EINTR)
                continue;
            if (written < 0)
                return err_errno(err, errno, "write a file of a layer");
            p = (const char *)p + written;
            n -= (size_t)written;
            at += written;
        }
    }
    return r == ARCHIVE_EOF ? 0
                            : err_set(err, ERR_CORRUPT, "layer: %s", archive_error_string(u->tar));
}

static int set_xattrs(struct unpacking *u, const char *self, struct archive_entry *e)
{
    const char *name;
    const void *value;
    size_t size;

    (void)u;
    if (archive_entry_xattr_reset(e) == 0)
        return 0;
    while (archive_entry_xattr_next(e, &name, &value, &size) == ARCHIVE_OK) {
        struct str s = str_from_cstr(name);

        /* Others' are overlayfs's and the security modules'. */
        if (!str_has_prefix(s, STR("user.")) && !str_eq(s, STR("security.capability")))
            continue;
        if (size > XATTR_LIMIT_BYTES)
            return -E2BIG;
        if (setxattr(self, name, value, size, 0) < 0 && errno != EOPNOTSUPP)
            return -errno;
    }
    return 0;
}

/* Owner before mode: a change of owner clears set-id bits. */
static int set_metadata(struct unpacking *u, int dir, const char *name, struct archive_entry *e,
                        bool is_link)
{
    const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
                                       { .tv_sec = archive_entry_mtime(e),
                                         .tv_nsec = archive_entry_mtime_nsec(e) } };
    char self[64];
    int fd, r;

    if (fchownat(dir, name, (uid_t)archive_entry_uid(e), (gid_t)archive_entry_gid(e),
                 AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (is_link)
        return utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
    fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
    r = chmod(self, archive_entry_perm(e) & 07777) < 0 ? -errno : 0;
    if (r == 0)
        r = set_xattrs(u, self, e);
    if (r == 0 && utimensat(AT_FDCWD, self, times, 0) < 0)
        r = -errno;
    (void)close(fd);
    return r;
}

static int remove_other(int dir, const char *name, bool keep_directory)
{
    struct stat st;
    struct err ignored;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (keep_directory && S_ISDIR(st.st_mode))
        return 0;
    return runtime_files_remove(dir, name, &ignored);
}

/* ".wh..wh..opq": what is below this directory in lower layers is not seen; ".wh.X": X is not. */
static int whiteout(int dir, const char *name)
{
    char self[64];

    if (strcmp(name, ".wh..wh..opq") == 0) {
        (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", dir);
        return setxattr(self, "trusted.overlay.opaque", "y", 1, 0) < 0 ? -errno : 0;
    }
    name += 4;
    if (!name[0] || strncmp(name, ".wh.", 4) == 0)
        return 0; /* aufs's own files */
    if (remove_other(dir, name, false) < 0)
        return -EIO;
    return mknodat(dir, name, S_IFCHR, makedev(0, 0)) < 0 ? -errno : 0;
}

static int make_hardlink(struct unpacking *u, int dir, const char *name, const char *target)
{
    char path[PATH_LIMIT_BYTES];
    const char *target_name;
    int target_dir, r;

    if (!clean_path(target, path) || !path[0])
        return -EINVAL;
    target_dir = open_parent(u->root, path, &target_name);
    if (target_dir < 0)
        return target_dir;
    r = linkat(target_dir, target_name, dir, name, 0) < 0 ? -errno : 0; /* a link itself, if one */
    (void)close(target_dir);
    return r;
}

static int make_file(struct unpacking *u, int dir, const char *name, struct err *err)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600), r;

    if (fd < 0)
        return err_errno(err, errno, "make '%s' of a layer", name);
    r = write_data(u, fd, err);
    (void)close(fd);
    return r;
}

static int make_entry(struct unpacking *u, int dir, const char *name, struct archive_entry *e,
                      struct err *err)
{
    const char *hardlink = archive_entry_hardlink(e), *symlink = archive_entry_symlink(e);
    mode_t type = archive_entry_filetype(e);
    int r = remove_other(dir, name, type == AE_IFDIR && !hardlink);

    if (r < 0)
        return err_errno(err, EIO, "replace '%s' of a layer", name);
    if (hardlink) {
        r = make_hardlink(u, dir, name, hardlink);
        return r < 0 ? err_errno(err, -r, "link '%s' of a layer", name) : 0;
    }
    switch (type) {
    case AE_IFREG:
        r = make_file(u, dir, name, err);
        if (r < 0)
            return r;
        break;
    case AE_IFDIR:
        r = mkdirat(dir, name, 0700) < 0 && errno != EEXIST ? -errno : 0;
        break;
    case AE_IFLNK:
        r = !symlink || symlinkat(symlink, dir, name) < 0 ? -errno : 0;
        break;
    case AE_IFCHR:
    case AE_IFBLK:
    case AE_IFIFO:
        r = mknodat(dir, name, type | 0600, archive_entry_rdev(e)) < 0 ? -errno : 0;
        break;
    default:
        return 0; /* sockets mean nothing in an image */
    }
    if (r == 0)
        r = set_metadata(u, dir, name, e, type == AE_IFLNK);
    return r < 0 ? err_errno(err, -r, "make '%s' of a layer", name) : 0;
}

static int unpack_entry(struct unpacking *u, struct archive_entry *e, struct err *err)
{
    const char *raw = archive_entry_pathname(e), *name;
    char path[PATH_LIMIT_BYTES];
    int dir, r;

    if (++u->entries > u->limits.entries)
        return err_set(err, ERR_TOO_LARGE, "a layer of more than %llu entries",
                       (unsigned long long)u->limits.entries);
    if (!raw || !clean_path(raw, path))
        return err_set(err, ERR_INVALID, "a layer has an entry '%.200s'", raw ? raw : "");
    if (!path[0]) { /* the root itself */
        r = archive_entry_filetype(e) == AE_IFDIR ? set_metadata(u, u->root, ".", e, false) : 0;
        return r < 0 ? err_errno(err, -r, "the root of a layer") : 0;
    }
    dir = open_parent(u->root, path, &name);
    if (dir < 0)
        return err_errno(err, -dir, "the directory of '%.200s' of a layer", raw);
    if (strncmp(name, ".wh.", 4) == 0) {
        r = whiteout(dir, name);
        if (r < 0)
            (void)err_errno(err, -r, "the whiteout '%.200s' of a layer", raw);
    } else {
        r = make_entry(u, dir, name, e, err);
    }
    (void)close(dir);
    return r;
}

/* --- the whole layer --- */

static int read_entries(struct unpacking *u, struct err *err)
{
    struct archive_entry *e;
    const void *rest;
    int r;

    while ((r = archive_read_next_header(u->tar, &e)) == ARCHIVE_OK || r == ARCHIVE_WARN) {
        r = unpack_entry(u, e, err);
        if (r < 0)
            return r;
    }
    if (r != ARCHIVE_EOF)
        return err_set(err, ERR_CORRUPT, "layer: %s", archive_error_string(u->tar));
    while (read_raw(u->tar, u, &rest) > 0) /* what follows the tar counts for its digest */
        ;
    return 0;
}

static int open_readers(struct unpacking *u, struct err *err)
{
    struct archive_entry *e;

    u->outer = archive_read_new();
    u->tar = archive_read_new();
    if (!u->outer || !u->tar)
        return err_set(err, -ENOMEM, "libarchive");
    (void)archive_read_support_filter_gzip(u->outer);
    (void)archive_read_support_filter_zstd(u->outer);
    (void)archive_read_support_filter_bzip2(u->outer);
    (void)archive_read_support_filter_xz(u->outer);
    (void)archive_read_support_format_raw(u->outer);
    (void)archive_read_support_format_empty(u->outer);
    (void)archive_read_support_format_tar(u->tar);
    if (archive_read_open(u->outer, u, NULL, read_compressed, NULL) != ARCHIVE_OK ||
        archive_read_next_header(u->outer, &e) != ARCHIVE_OK)
        return err_set(err, ERR_CORRUPT, "layer: %s", archive_error_string(u->outer));
    if (archive_read_open(u->tar, u, NULL, read_raw, NULL) != ARCHIVE_OK)
        return err_set(err, ERR_CORRUPT, "layer: %s", archive_error_string(u->tar));
    return 0;
}

static int check_digest(struct unpacking *u, struct str diff_id, struct err *err)
{
    char actual[DIGEST_TEXT_BYTES];

    digest_finish_text(u->digest, actual);
    if (!str_eq(diff_id, str_from_cstr(actual)))
        return err_set(err, ERR_CORRUPT, "a layer's digest is %s, not %.*s", actual,
                       STR_ARG(diff_id));
    return 0;
}

static int unpack_into(const char *directory, int tar_fd, struct str diff_id,
                       const struct image_unpack_limits *limits, uint64_t *ret_size,
                       struct err *err)
{
    struct unpacking *u = NEW(struct unpacking);
    int r;

    u->limits = *limits;
    u->tar_fd = tar_fd;
    u->digest = digest_new();
    u->root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = u->root < 0 ? err_errno(err, errno, "open '%s'", directory) : open_readers(u, err);
    if (r == 0)
        r = read_entries(u, err);
    if (r == 0)
        r = check_digest(u, diff_id, err);
    if (r == 0 && syncfs(u->root) < 0)
        r = err_errno(err, errno, "write a layer to disk");
    *ret_size = u->file_bytes;
    if (u->tar)
        (void)archive_read_free(u->tar);
    if (u->outer)
        (void)archive_read_free(u->outer);
    if (u->root >= 0)
        (void)close(u->root);
    digest_free(u->digest);
    mem_free(u);
    return r;
}

int image_unpack(const char *store, int tar_fd, struct str diff_id,
                 const struct image_unpack_limits *limits, char ret_name[IMAGE_LAYER_NAME_LEN + 1],
                 uint64_t *ret_size, struct err *err)
{
    struct image_unpack_limits all = limits ? *limits : (struct image_unpack_limits){ 0 };
    char path[PATH_LIMIT_BYTES], temporary[PATH_LIMIT_BYTES];
    struct err ignored;
    int r;

    all.bytes = all.bytes ? all.bytes : DEFAULT_BYTES;
    all.entries = all.entries ? all.entries : DEFAULT_ENTRIES;
    all.ratio = all.ratio ? all.ratio : DEFAULT_RATIO;
    if (!image_digest_is_valid(diff_id))
        return err_set(err, ERR_INVALID, "'%.*s' is no diff id", STR_ARG(str_sub(diff_id, 0, 100)));
    (void)snprintf(ret_name, IMAGE_LAYER_NAME_LEN + 1, "%.*s", IMAGE_LAYER_NAME_LEN, diff_id.p + 7);
    (void)snprintf(path, sizeof(path), "%s/layers/%s", store, ret_name);
    *ret_size = 0;
    if (access(path, F_OK) == 0)
        return 0;
    (void)snprintf(temporary, sizeof(temporary), "%s/layers/new-%016llx", store,
                   (unsigned long long)random_u64());
    r = runtime_files_make_directory(temporary, 0755, err);
    if (r == 0)
        r = unpack_into(temporary, tar_fd, diff_id, &all, ret_size, err);
    if (r == 0 && rename(temporary, path) < 0)
        r = err_errno(err, errno, "name a layer");
    if (r < 0)
        (void)runtime_files_remove(AT_FDCWD, temporary, &ignored);
    return r;
}
