/* Child processes: spawn and exec with nothing in between. The child gets the three standard
 * descriptors and no other, default signals and an empty signal mask. All on one loop's thread. */
#pragma once

#include <sys/types.h>

#include "io/loop.h"

struct child;
struct err;

/* Once: it has ended, by exit(status) or by signal (then status is 0). It may free the child. */
typedef void child_exit_fn(struct child *c, int status, int signum, void *arg);

struct child_options {
    const char *const *argv; /* argv[0] is the program, looked up in PATH; ends with NULL */
    const char *const *env;  /* "A=b", ends with NULL; NULL: ours */
    const char *directory;   /* NULL: ours */
    int stdio[3];            /* ours to give, the caller's to close; -1: /dev/null */
    child_exit_fn *on_exit;
    void *arg;
};

int child_start(struct loop *l, const struct child_options *o, struct child **ret, struct err *err);
pid_t child_pid(const struct child *c);
int child_kill(struct child *c, int signum); /* -ESRCH when it has ended */
/* on_exit does not run afterwards; a child that still runs goes on and is reaped. Accepts NULL. */
void child_free(struct child *c);

/* A subreaper's duty (prctl(2)): whom others left behind is waited for as well, or he stays a
 * zombie, and holds what he was in (a namespace of processes ends with the last of them). Embedded
 * in its owner; as long as the loop runs. */
struct child_reaper {
    struct loop *loop;
    struct loop_task task;
};
int child_reaper_start(struct child_reaper *r, struct loop *l, struct err *err);
