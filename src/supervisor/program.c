#include "supervisor/program.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "io/command.h"
#include "io/loop.h"

enum { TIMEOUT_MS = 60000 };

struct program {
    struct loop *loop;
    const char *name;
    int code;
    struct err *err;
};

static void on_done(struct command *c, const struct command_result *res, void *arg)
{
    struct program *p = arg;
    struct str text = str_trim(res->err);

    (void)c;
    if (res->code < 0)
        p->code = err_set(p->err, res->code, "%s: %s", p->name, err_name(res->code));
    else if (res->status != 0)
        p->code =
            err_set(p->err, ERR_INVALID, "%s: %.*s (exit code %d)", p->name,
                    STR_ARG(str_tail(text, (size_t)(str_rfind(text, '\n') + 1))), res->status);
    loop_stop(p->loop);
}

int program_feed(const char *const *argv, const char *input, struct err *err)
{
    struct program p = { .loop = loop_new(&clock_system), .name = argv[0], .err = err };
    struct command_options o = { .argv = argv,
                                 .input = str_from_cstr(input),
                                 .timeout_ms = TIMEOUT_MS,
                                 .done = on_done,
                                 .arg = &p };
    struct command *c = NULL;
    int r = command_start(p.loop, &o, &c, err);

    if (r >= 0) {
        loop_run(p.loop);
        r = p.code;
    }
    loop_free(p.loop);
    return r;
}

int program_run(const char *const *argv, struct err *err)
{
    return program_feed(argv, NULL, err);
}

bool program_is_there(const char *name)
{
    CLEANUP(arena_done) struct arena a = { 0 };
    struct str rest = str_from_cstr(getenv("PATH")), directory;

    while (str_next(&rest, ':', &directory))
        if (access(arena_printf(&a, "%.*s/%s", STR_ARG(directory), name).p, X_OK) == 0)
            return true;
    return false;
}
