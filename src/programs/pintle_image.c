/* pintle-image: images of a store: load, pull, list, remove. Exit codes: 0; 1 failed, the reason is
 * the last line of standard error; 2 usage; 4 no such image. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/macros.h"
#include "runtime/image/image_load.h"
#include "runtime/image/image_writer.h"
#include "runtime/image_store.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NOT_FOUND = 4 };

static const char usage[] =
    "usage: pintle-image --store DIRECTORY COMMAND\n"
    "  load [--tag NAME] FILE    an OCI or docker archive; - is standard input\n"
    "  ls                        names and ids\n"
    "  rm NAME                   with the layers that no other image needs\n";

static int fail(const struct err *err)
{
    (void)fprintf(stderr, "%s\n", err->text);
    return err->code == ERR_NOT_FOUND ? EXIT_NOT_FOUND : EXIT_FAILED;
}

static void print_loaded(struct str tag, struct str id, void *arg)
{
    (void)arg;
    (void)printf("%.*s\t%.*s\n", STR_ARG(tag.len ? tag : STR("<none>")), STR_ARG(id));
}

static int run_load(struct image_writer *w, int argc, char **argv)
{
    struct str tag = STR_NULL;
    struct err err;
    int fd = STDIN_FILENO, r;

    if (argc == 4 && strcmp(argv[1], "--tag") == 0) {
        tag = str_from_cstr(argv[2]);
        argv += 2;
        argc -= 2;
    }
    if (argc != 2) {
        (void)fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "-") != 0)
        fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        (void)err_errno(&err, errno, "open '%s'", argv[1]);
        return fail(&err);
    }
    r = image_load(w, fd, tag, print_loaded, NULL, &err);
    if (fd != STDIN_FILENO)
        (void)close(fd);
    return r < 0 ? fail(&err) : 0;
}

static int run_ls(const char *directory)
{
    struct image_store *store;
    struct err err;

    if (image_store_new(directory, &store, &err) < 0)
        return fail(&err);
    for (size_t i = 0; i < image_store_len(store); i++) {
        const struct runtime_image *info = &image_store_at(store, i)->info;
        struct runtime_strs names = info->tags.len ? info->tags : info->digests;

        if (names.len == 0)
            print_loaded(STR_NULL, info->id, NULL);
        for (size_t n = 0; n < names.len; n++)
            print_loaded(names.items[n], info->id, NULL);
    }
    image_store_free(store);
    return 0;
}

static int run_rm(struct image_writer *w, int argc, char **argv)
{
    struct err err;

    if (argc != 2) {
        (void)fputs(usage, stderr);
        return EXIT_USAGE;
    }
    return image_writer_remove(w, str_from_cstr(argv[1]), &err) < 0 ? fail(&err) : 0;
}

int main(int argc, char **argv)
{
    const char *directory = NULL;
    struct image_writer *w;
    struct err err;
    int r = EXIT_USAGE;

    if (argc >= 4 && strcmp(argv[1], "--store") == 0) {
        directory = argv[2];
        argv += 3;
        argc -= 3;
    }
    if (directory && strcmp(argv[0], "ls") == 0)
        return run_ls(directory);
    if (!directory || (strcmp(argv[0], "load") != 0 && strcmp(argv[0], "rm") != 0)) {
        (void)fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (image_writer_open(directory, &w, &err) < 0)
        return fail(&err);
    r = strcmp(argv[0], "load") == 0 ? run_load(w, argc, argv) : run_rm(w, argc, argv);
    image_writer_close(w);
    return r;
}
