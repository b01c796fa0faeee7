/* pintle-image: images of a store: load, pull, list, remove. Exit codes: 0; 1 failed, the reason is
 * the last line of standard error; 2 usage; 4 no such image. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "runtime/image/image_load.h"
#include "runtime/image/image_pull.h"
#include "runtime/image/image_writer.h"
#include "runtime/image_store.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NOT_FOUND = 4, CREDENTIALS_MAX_BYTES = 256 << 10 };

static const char usage[] =
    "usage: pintle-image --store DIRECTORY [--registries FILE] [--credentials] COMMAND\n"
    "  load [--tag NAME] FILE    an OCI or docker archive; - is standard input\n"
    "  pull NAME                 from its registry; with --credentials the first lines of standard\n"
    "                            input are user, password, registry token, identity token\n"
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

/* Lines of standard input: what is on a command line everybody may read. */
static int read_credentials(struct arena *a, struct runtime_auth *ret, struct err *err)
{
    struct str *const parts[] = { &ret->username, &ret->password, &ret->registry_token,
                                  &ret->identity_token };
    struct buf b;
    struct str rest;
    ssize_t n;

    buf_init_arena(&b, a, CREDENTIALS_MAX_BYTES);
    while ((n = read(STDIN_FILENO, buf_reserve(&b, 4096), 4096)) != 0) {
        if (n < 0 && errno != EINTR)
            return err_errno(err, errno, "read the credentials");
        b.len += n > 0 ? (size_t)n : 0;
        if (b.len > CREDENTIALS_MAX_BYTES)
            return err_set(err, ERR_TOO_LARGE, "credentials");
    }
    rest = buf_str(&b);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        (void)str_next(&rest, '\n', parts[i]);
    return 0;
}

static int run_pull(const char *directory, const char *registries, bool has_credentials,
                    const char *name)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct runtime_auth auth = { 0 };
    char id[72];
    struct err err;
    int r = has_credentials ? read_credentials(&a, &auth, &err) : 0;

    if (r == 0)
        r = image_pull(&(struct image_pull_options){ .store = directory,
                                                     .registries_file = registries,
                                                     .name = str_from_cstr(name),
                                                     .auth = has_credentials ? &auth : NULL },
                       id, &err);
    if (r < 0)
        return fail(&err);
    (void)printf("%s\n", id);
    return 0;
}

int main(int argc, char **argv)
{
    const char *directory = NULL, *registries = NULL;
    bool has_credentials = false;
    struct image_writer *w;
    struct err err;
    int r = EXIT_USAGE;

    for (argv++, argc--; argc >= 2 && argv[0][0] == '-';) {
        if (strcmp(argv[0], "--credentials") == 0) {
            has_credentials = true;
            argv++;
            argc--;
            continue;
        }
        if (strcmp(argv[0], "--store") == 0)
            directory = argv[1];
        else if (strcmp(argv[0], "--registries") == 0)
            registries = argv[1];
        else
            break;
        argv += 2;
        argc -= 2;
    }
    if (directory && argc == 2 && strcmp(argv[0], "pull") == 0)
        return run_pull(directory, registries, has_credentials, argv[1]);
    if (directory && argc && strcmp(argv[0], "ls") == 0)
        return run_ls(directory);
    if (!directory || !argc || (strcmp(argv[0], "load") != 0 && strcmp(argv[0], "rm") != 0)) {
        (void)fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (image_writer_open(directory, &w, &err) < 0)
        return fail(&err);
    r = strcmp(argv[0], "load") == 0 ? run_load(w, argc, argv) : run_rm(w, argc, argv);
    image_writer_close(w);
    return r;
}
