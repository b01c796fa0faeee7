#include "supervisor/run_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { MAX_FILE_BYTES = 256 * 1024 };

static int open_lock(const char *run_dir, int flags)
{
    CLEANUP(arena_done) struct arena a = { 0 };

    return open(arena_printf(&a, "%s/lock", run_dir).p, flags | O_CLOEXEC, 0644);
}

static pid_t read_pid(int fd)
{
    char text[16];
    ssize_t n = pread(fd, text, sizeof(text), 0);
    int64_t pid;

    if (n <= 0 || !str_to_i64(str_trim(str_n(text, (size_t)n)), &pid))
        return 0;
    return (pid_t)pid;
}

static int write_pid(int fd, struct err *err)
{
    char text[16];
    int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
        return err_errno(err, errno ? errno : ENOSPC, "write our pid into the lock");
    return fd;
}

int run_state_lock(const char *run_dir, struct err *err)
{
    int fd = open_lock(run_dir, O_RDWR | O_CREAT), r;

    if (fd < 0)
        return err_errno(err, errno, "open '%s/lock'", run_dir);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        errno = 0;
        r = write_pid(fd, err);
        if (r < 0)
            (void)close(fd);
        return r;
    }
    r = errno == EWOULDBLOCK ? err_set(err, ERR_EXISTS, "%d", (int)read_pid(fd))
                             : err_errno(err, errno, "lock '%s/lock'", run_dir);
    (void)close(fd);
    return r;
}

pid_t run_state_supervisor(const char *run_dir)
{
    int fd = open_lock(run_dir, O_RDONLY);
    pid_t pid = 0;

    if (fd < 0)
        return 0;
    if (flock(fd, LOCK_SH | LOCK_NB) < 0)
        pid = read_pid(fd);
    (void)close(fd);
    return pid;
}

int run_state_write(const char *run_dir, const char *name, struct str text, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    const char *path = arena_printf(&a, "%s/%s", run_dir, name).p;
    const char *temp = arena_printf(&a, "%s.tmp", path).p;
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), r = 0;

    if (fd < 0)
        return err_errno(err, errno, "create '%s'", temp);
    if (write(fd, text.p, text.len) != (ssize_t)text.len)
        r = ENOSPC;
    (void)close(fd); /* a run directory is lost with the machine anyway */
    if (!r && rename(temp, path) < 0)
        r = errno;
    return r ? err_errno(err, r, "write '%s'", path) : 0;
}

bool run_state_read(struct arena *a, const char *run_dir, const char *name, struct str *ret)
{
    struct buf b = { .arena = a };
    FILE *f = fopen(arena_printf(a, "%s/%s", run_dir, name).p, "re");

    if (!f)
        return false;
    for (size_t n; b.len < MAX_FILE_BYTES && (n = fread(buf_reserve(&b, 4096), 1, 4096, f)) > 0;)
        b.len += n;
    (void)fclose(f); /* only read */
    *ret = buf_str(&b);
    return true;
}

int run_state_make_directory(const char *path, mode_t mode, struct err *err)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str whole = str_from_cstr(path);

    for (size_t i = 1; i <= whole.len; i++) {
        if (i < whole.len && path[i] != '/')
            continue;
        if (mkdir(str_cstr(&a, str_sub(whole, 0, i)), i == whole.len ? mode : 0755) < 0 &&
            errno != EEXIST)
            return err_errno(err, errno, "make directory '%s'", path);
    }
    return 0;
}
