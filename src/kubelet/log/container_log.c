#include "kubelet/log/container_log.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"

enum { MAX_OLD = 1024 }; /* of one log; more than that are not ours */

int64_t container_log_size(struct str path)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct stat st;

    return path.len && lstat(str_cstr(&a, path), &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : 0;
}

/* "20260102-030405": names sort by age. */
static struct str stamp(struct arena *a, int64_t now_s)
{
    time_t t = (time_t)now_s;
    struct tm tm;
    char text[32];

    if (!gmtime_r(&t, &tm) || !strftime(text, sizeof(text), "%Y%m%d-%H%M%S", &tm))
        text[0] = '\0';
    return str_dup(a, str_from_cstr(text));
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Names of old files, oldest first. */
static size_t list_old(struct arena *a, struct str path, struct str *ret, size_t max)
{
    ptrdiff_t slash = str_rfind(path, '/');
    struct str prefix = arena_printf(a, "%.*s.", STR_ARG(str_tail(path, (size_t)(slash + 1))));
    DIR *d = opendir(str_cstr(a, str_sub(path, 0, (size_t)(slash < 0 ? 0 : slash))));
    const struct dirent *e;
    size_t n = 0;

    while (d && n < max && (e = readdir(d)))
        if (str_has_prefix(str_from_cstr(e->d_name), prefix))
            ret[n++] = str_dup(a, str_from_cstr(e->d_name));
    if (d)
        (void)closedir(d);
    if (n)
        qsort(ret, n, sizeof(*ret), by_name);
    return n;
}

/* All but the newest `keep`. */
static void remove_old(struct str path, size_t keep)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str *names = ARENA_NEW_ARRAY(&a, struct str, MAX_OLD);
    size_t n = list_old(&a, path, names, MAX_OLD);
    struct str directory = str_sub(path, 0, (size_t)(str_rfind(path, '/') + 1));

    for (size_t i = 0; i + keep < n; i++)
        (void)unlink(arena_printf(&a, "%.*s%.*s", STR_ARG(directory), STR_ARG(names[i])).p);
}

int container_log_rotate(struct str path, int64_t now_s, size_t max_files, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const char *from = str_cstr(&a, path);
    const char *to = arena_printf(&a, "%s.%.*s", from, STR_ARG(stamp(&a, now_s))).p;

    if (rename(from, to) < 0)
        return err_errno(err, errno, "turn over '%s'", from);
    remove_old(path, max_files - 1);
    return 0;
}

void container_log_remove(struct str path)
{
    CLEANUP(arena_done) struct arena a = { 0 };

    if (!path.len)
        return;
    remove_old(path, 0);
    (void)unlink(str_cstr(&a, path));
}
