#include "cni/cni_ipam.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/macros.h"

enum { IPAM_MAX_TRIES = 65536, IPAM_RESERVED_FIRST = 2 };

DEFINE_CLEANUP(DIR *, closedir);

/* The directory, made when absent, with its lock held: closing it lets go. */
static int open_locked(const char *directory, struct err *err)
{
    int fd, lock;

    if (mkdir(directory, 0700) < 0 && errno != EEXIST)
        return err_errno(err, errno, "make '%s'", directory);
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, "open '%s'", directory);
    do
        lock = flock(fd, LOCK_EX);
    while (lock < 0 && errno == EINTR);
    if (lock < 0) {
        int r = err_errno(err, errno, "lock '%s'", directory);

        (void)close(fd);
        return r;
    }
    return fd;
}

enum { OWNER_MORE_BYTES = CNI_IPAM_OWNER_BYTES + 1 }; /* one more shows a longer one */

static bool read_owner(int dir, const char *name, char text[OWNER_MORE_BYTES], struct str *ret)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n;

    if (fd < 0)
        return false;
    n = read(fd, text, OWNER_MORE_BYTES);
    (void)close(fd);
    *ret = str_n(text, n > 0 ? (size_t)n : 0);
    return n >= 0;
}

/* The files that are addresses to fn, until it returns non-zero. */
typedef int address_fn(int dir, const char *name, const struct ip *ip, struct str owner, void *arg);
static int each_address(int dir, address_fn *fn, void *arg)
{
    int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    CLEANUP(closedir) DIR *d = copy < 0 ? NULL : fdopendir(copy);
    char text[OWNER_MORE_BYTES];
    const struct dirent *e;
    struct str owner;
    struct ip ip;

    if (!d) {
        r = -errno;
        if (copy >= 0)
            (void)close(copy);
        return r;
    }
    while (r == 0 && (e = readdir(d)))
        if (ip_parse(str_from_cstr(e->d_name), &ip) && read_owner(dir, e->d_name, text, &owner))
            r = fn(dir, e->d_name, &ip, owner, arg);
    return r;
}

struct wanted {
    struct str owner;
    const struct ip_prefix *range;
    struct ip found;
};

static int take_if_in_range(int dir, const char *name, const struct ip *ip, struct str owner,
                            void *arg)
{
    struct wanted *w = arg;

    (void)dir;
    (void)name;
    if (!str_eq(owner, w->owner) || !ip_prefix_contains(w->range, ip))
        return 0;
    w->found = *ip;
    return 1;
}

static const char *last_name(const struct ip_prefix *range)
{
    return ip_bits(&range->ip) == 32 ? "last4" : "last6";
}

static uint64_t read_last(int dir, const struct ip_prefix *range)
{
    char text[IP_TEXT_BYTES];
    ssize_t n = readlinkat(dir, last_name(range), text, sizeof(text));
    struct ip ip;

    if (n <= 0 || !ip_parse(str_n(text, (size_t)n), &ip) || !ip_prefix_contains(range, &ip))
        return 0;
    return ip_prefix_index(range, &ip);
}

static void write_last(int dir, const struct ip_prefix *range, const char *text)
{
    /* Only a hint, so a failure costs no more than an earlier reuse. */
    (void)unlinkat(dir, last_name(range), 0);
    if (symlinkat(text, dir, last_name(range)) < 0)
        return;
}

static int write_owner(int dir, struct str owner, struct err *err)
{
    int fd = openat(dir, "new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    ssize_t n;

    if (fd < 0)
        return err_errno(err, errno, "write an address's owner");
    n = write(fd, owner.p, owner.len);
    (void)close(fd);
    return n == (ssize_t)owner.len ? 0 : err_errno(err, n < 0 ? errno : ENOSPC, "write an owner");
}

static int take_next(int dir, const struct ip_prefix *range, struct ip *ret, struct err *err)
{
    uint64_t size = ip_prefix_size(range), last = read_last(dir, range);
    uint64_t end = ip_bits(&range->ip) == 32 ? size - 1 : size; /* broadcast */
    uint64_t tries = size <= 4 ? 0 : MIN(end - IPAM_RESERVED_FIRST, (uint64_t)IPAM_MAX_TRIES);
    char text[IP_TEXT_BYTES], range_text[IP_PREFIX_TEXT_BYTES];

    for (uint64_t i = 0, n = MAX(last, IPAM_RESERVED_FIRST - 1); i < tries; i++) {
        struct ip ip;

        n = n + 1 >= end ? IPAM_RESERVED_FIRST : n + 1;
        if (!ip_prefix_nth(range, n, &ip))
            break;
        if (linkat(dir, "new", dir, ip_print(&ip, text), 0) == 0) {
            write_last(dir, range, text);
            *ret = ip;
            return 0;
        }
        if (errno != EEXIST)
            return err_errno(err, errno, "take address %s", text);
    }
    return err_set(err, ERR_NO_SPACE, "no free address in %s", ip_prefix_print(range, range_text));
}

int cni_ipam_allocate(const char *directory, const struct ip_prefix *range, struct str owner,
                      struct ip *ret, struct err *err)
{
    struct wanted w = { .owner = owner, .range = range };
    int dir, r;

    if (owner.len == 0 || owner.len > CNI_IPAM_OWNER_BYTES)
        return err_set(err, ERR_INVALID, "an address's owner of %zu bytes", owner.len);
    dir = open_locked(directory, err);
    if (dir < 0)
        return dir;
    r = each_address(dir, take_if_in_range, &w);
    if (r > 0) {
        *ret = w.found;
        r = 0;
    } else if (r < 0) {
        r = err_errno(err, -r, "read '%s'", directory);
    } else {
        r = write_owner(dir, owner, err);
        if (r == 0)
            r = take_next(dir, range, ret, err);
        (void)unlinkat(dir, "new", 0); /* its other name is what counts */
    }
    (void)close(dir);
    return r;
}

struct kept {
    cni_ipam_is_kept_fn *fn;
    void *arg;
};

static int remove_unless_kept(int dir, const char *name, const struct ip *ip, struct str owner,
                              void *arg)
{
    const struct kept *k = arg;

    (void)ip;
    if (k->fn(owner, k->arg))
        return 0;
    return unlinkat(dir, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int cni_ipam_retain(const char *directory, cni_ipam_is_kept_fn *is_kept, void *arg, struct err *err)
{
    struct kept k = { .fn = is_kept, .arg = arg };
    int dir, r;

    if (access(directory, F_OK) < 0 && errno == ENOENT)
        return 0;
    dir = open_locked(directory, err);
    if (dir < 0)
        return dir;
    r = each_address(dir, remove_unless_kept, &k);
    (void)close(dir);
    return r < 0 ? err_errno(err, -r, "release addresses of '%s'", directory) : 0;
}

static bool is_another(struct str owner, void *arg)
{
    return !str_eq(owner, *(const struct str *)arg);
}

int cni_ipam_release(const char *directory, struct str owner, struct err *err)
{
    return cni_ipam_retain(directory, is_another, &owner, err);
}
