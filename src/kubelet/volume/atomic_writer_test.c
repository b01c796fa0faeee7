/* The writer in a directory that somebody hostile may write to as well. */
#include "kubelet/volume/atomic_writer.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "runtime/runtime_files.h"

static char root[64], outside[96];
static int dir_fd;

static void begin(void)
{
    (void)snprintf(root, sizeof(root), "/tmp/atomic-writer-XXXXXX");
    cr_assert_not_null(mkdtemp(root));
    (void)snprintf(outside, sizeof(outside), "%s/outside", root);
    cr_assert_eq(mkdir(outside, 0755), 0);
    cr_assert_eq(chdir(root), 0);
    cr_assert_eq(mkdir("v", 0755), 0);
    dir_fd = open("v", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(dir_fd, 0);
}

static void end(void)
{
    struct err err;

    (void)close(dir_fd);
    cr_assert_geq(runtime_files_remove(AT_FDCWD, root, &err), 0, "%s", err.text);
}

static int write_one(const char *path, const char *text, struct err *err)
{
    struct atomic_file f = { str_from_cstr(path), str_from_cstr(text), 0644, (uid_t)-1 };

    return atomic_writer_write(dir_fd, &f, 1, (gid_t)-1, err);
}

static int count_entries(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;

    cr_assert_not_null(d);
    while (readdir(d))
        n++;
    (void)closedir(d);
    return n - 2;
}

static bool holds(const char *path, const char *text)
{
    char bytes[256] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    cr_assert_geq(read(fd, bytes, sizeof(bytes) - 1), 0);
    (void)close(fd);
    return strcmp(bytes, text) == 0;
}

TestSuite(atomic_writer, .init = begin, .fini = end);

Test(atomic_writer, refuses_paths_that_lead_elsewhere)
{
    static const char *const bad[] = { "",      "/etc/x", "..",   "../x",     "..data",
                                       "..x/y", "a/../b", "a/..", "a/../../b" };
    static const char *const good[] = { "a", "a/b/c", ".x", "a..b", "a/..b" };
    struct err err;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        cr_expect_eq(write_one(bad[i], "x", &err), ERR_INVALID, "'%s'", bad[i]);
    cr_expect_eq(count_entries("v"), 0);
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        cr_expect_eq(atomic_writer_check_path(str_from_cstr(good[i]), &err), 0, "'%s'", good[i]);
}

Test(atomic_writer, tells_whether_something_changed)
{
    struct err err;

    cr_expect_eq(write_one("a", "1", &err), 1);
    cr_expect_eq(write_one("a", "1", &err), 0);
    cr_expect_eq(write_one("a", "2", &err), 1);
    cr_expect_eq(write_one("b/c", "2", &err), 1);
    cr_expect(holds("v/b/c", "2"));
    cr_expect_eq(count_entries("v"), 3, "b, ..data, one directory");
    cr_expect_eq(atomic_writer_write(dir_fd, NULL, 0, (gid_t)-1, &err), 1);
    cr_expect_eq(atomic_writer_write(dir_fd, NULL, 0, (gid_t)-1, &err), 0);
    cr_expect_eq(count_entries("v"), 2);
    /* Somebody changed it in place: it is put right. */
    cr_expect_eq(write_one("a", "1", &err), 1);
    cr_assert_eq(chmod("v/a", 0600), 0);
    cr_expect_eq(write_one("a", "1", &err), 1);
}

Test(atomic_writer, leaves_nothing_of_what_failed)
{
    struct atomic_file files[] = { { STR_INIT("a"), STR_INIT("1"), 0644, (uid_t)-1 },
                                   { STR_INIT("a/b"), STR_INIT("2"), 0644, (uid_t)-1 } };
    struct err err;

    cr_expect_eq(write_one("old", "0", &err), 1);
    cr_expect_lt(atomic_writer_write(dir_fd, files, 2, (gid_t)-1, &err), 0);
    cr_expect(holds("v/old", "0"));
    cr_expect_eq(count_entries("v"), 3);
}

Test(atomic_writer, is_not_led_out_by_links)
{
    struct err err;
    char victim[128];

    (void)snprintf(victim, sizeof(victim), "%s/victim", outside);
    cr_assert_eq(mkdir(victim, 0755), 0);
    cr_assert_geq(runtime_files_write("outside/victim/file", STR("precious"), 0644, &err), 0);

    /* "..data" leads out: what is there is neither taken for ours nor removed. */
    cr_assert_eq(symlink(victim, "v/..data"), 0);
    cr_expect_eq(write_one("file", "precious", &err), 1);
    cr_expect(holds("v/file", "precious"));
    cr_expect(holds("outside/victim/file", "precious"));

    /* An old directory that is a link, a new one beside it, a name that leads out. */
    cr_assert_eq(symlink(victim, "v/..2020_01_01_00_00_00.1"), 0);
    cr_assert_eq(symlink("../outside/victim", "v/other"), 0);
    cr_assert_eq(mkdir("v/..tmp", 0755), 0);
    cr_assert_eq(symlink(victim, "v/..tmp/in"), 0);
    cr_assert_eq(symlink(victim, "v/..data_tmp"), 0);
    cr_expect_eq(write_one("file", "new", &err), 1);
    cr_expect(holds("v/file", "new"));
    cr_expect(holds("outside/victim/file", "precious"));
    cr_expect_eq(count_entries("outside/victim"), 1);
    cr_expect_eq(count_entries("v"), 3);
}
