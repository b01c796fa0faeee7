/* pintle image: images of the cluster's store, by way of pintle-image, which has the libraries. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "cmd/cluster_flags.h"
#include "cmd/cmd.h"
#include "supervisor/run_state.h"

static const char usage[] =
    "usage: pintle image [--root DIR] COMMAND\n"
    "  load [--tag NAME] FILE    an OCI or docker archive; - is standard input\n"
    "  pull NAME                 from its registry\n"
    "  ls                        names and ids\n"
    "  rm NAME                   with the layers that no other image needs\n";

static int fail(const char *text, int code)
{
    (void)fprintf(stderr, "pintle image: %s\n", text);
    return code;
}

/* "--root DIR" and "--root=DIR" before the command; what follows is pintle-image's. The index of
 * the command. */
static int take_flags(struct cluster_flags *f, int argc, char **argv)
{
    static const char *const names[] = { "--root", "--run-dir" };
    const char **values[] = { &f->o.root, &f->o.run_dir };
    int at = 1;

    for (bool found = true; found && at < argc;) {
        found = false;
        for (size_t i = 0; i < ARRAY_LEN(names) && !found; i++) {
            size_t len = strlen(names[i]);

            if (strncmp(argv[at], names[i], len) != 0 || (argv[at][len] && argv[at][len] != '='))
                continue;
            found = true;
            *values[i] = argv[at][len] ? argv[at] + len + 1 : at + 1 < argc ? argv[++at] : "";
            at++;
        }
    }
    return at;
}

static const char *helper(struct arena *a, const char *program)
{
    struct str self = str_from_cstr(program);

    return arena_printf(a, "%.*s/pintle-image", (int)str_rfind(self, '/'), program).p;
}

int cmd_image(int argc, char **argv)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct cluster_flags f;
    struct cluster c;
    struct err err;
    const char **words;
    int at, n = 0;

    cluster_flags_init(&f, NULL);
    at = take_flags(&f, argc, argv);
    if (at >= argc || strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "help") == 0) {
        (void)fputs(usage, at >= argc ? stderr : stdout);
        return at >= argc ? 2 : 0;
    }
    if (geteuid() != 0)
        return fail("must run as root: images are root's", 1);
    if (cluster_flags_find(&a, &f, &c, &err) < 0)
        return fail(err.text, 2);
    if (run_state_make_directory(c.image_dir, 0700, &err) < 0)
        return fail(err.text, 1);
    words = ARENA_NEW_ARRAY(&a, const char *, (size_t)argc + 8);
    words[n++] = helper(&a, c.o->program);
    words[n++] = "--store";
    words[n++] = c.image_dir;
    if (c.o->registries_file && strcmp(argv[at], "pull") == 0) {
        words[n++] = "--registries";
        words[n++] = c.o->registries_file;
    }
    while (at < argc)
        words[n++] = argv[at++];
    (void)execv(words[0], (char *const *)(uintptr_t)words);
    (void)err_errno(&err, errno, "run '%s'", words[0]);
    return fail(err.text, 1);
}
