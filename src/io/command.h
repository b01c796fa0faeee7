/* A child process as a call: some input, its output and messages within limits, how it ended. On
 * one loop's thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

struct command;
struct err;
struct loop;

struct command_result {
    int code;       /* 0: it ran; ERR_TIMEOUT: and was killed for it */
    int status;     /* exit status; 128 + signal when a signal ended it */
    int signum;     /* that signal, else 0 */
    struct str out; /* standard output, and standard error where there is one for both */
    struct str err; /* standard error */
};
/* Once, when it has ended; the strings are valid during the call, and so is c, which is freed after
 * it. What its own children still hold open is not waited for. */
typedef void command_done_fn(struct command *c, const struct command_result *res, void *arg);

struct command_options {
    const char *const *argv; /* as child_options */
    const char *const *env;
    const char *directory;
    struct str input;   /* copied; through a file in memory */
    size_t limit_bytes; /* of each output; what is beyond it is read and dropped; 0: 64 KiB */
    int64_t timeout_ms; /* 0: none. Then KILL to it alone */
    bool one_output;    /* standard error goes where standard output goes */
    command_done_fn *done;
    void *arg;
};

int command_start(struct loop *l, const struct command_options *o, struct command **ret,
                  struct err *err);
pid_t command_pid(const struct command *c);
void command_kill(struct command *c, int signum); /* done runs when it has ended */
/* Kills it; done does not run, and c is gone. Accepts NULL. */
void command_cancel(struct command *c);
