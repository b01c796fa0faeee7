#include "kubelet/log/container_log.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    (void)close(fd);
}

static size_t files_in(const char *directory)
{
    DIR *d = opendir(directory);
    size_t n = 0;

    while (readdir(d))
        n++;
    (void)closedir(d);
    return n - 2;
}

Test(container_log, keeps_the_newest)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    char directory[] = "/tmp/container-log-XXXXXX";
    struct str path;
    struct err err;

    cr_assert(mkdtemp(directory));
    path = arena_printf(&a, "%s/0.log", directory);
    cr_expect_eq(container_log_size(path), 0);
    write_file(arena_printf(&a, "%s/1.log", directory).p, "another run's");
    for (int i = 0; i < 6; i++) {
        write_file(path.p, "text");
        cr_expect_eq(container_log_size(path), 4);
        cr_expect_eq(container_log_rotate(path, 1000000000 + i, 3, &err), 0, "%s", err.text);
    }
    cr_expect_eq(files_in(directory), 3, "two old ones and another run's");
    cr_expect_eq(access(arena_printf(&a, "%s/0.log.20010909-014645", directory).p, F_OK), 0);
    write_file(path.p, "text");
    container_log_remove(path);
    cr_expect_eq(files_in(directory), 1);
    container_log_remove(path);
    cr_expect(container_log_rotate(path, 0, 3, &err) < 0, "there is nothing to turn over");
    (void)unlink(arena_printf(&a, "%s/1.log", directory).p);
    (void)rmdir(directory);
}
