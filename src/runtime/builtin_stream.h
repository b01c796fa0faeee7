/* Streams of the builtin runtime: see runtime.h for what the caller sees. */
#pragma once

#include <stdbool.h>

#include "runtime/runtime.h"

struct err;
struct loop;

struct runtime_stream *builtin_stream_new(struct loop *l, bool tty);
/* Starts crun, whose end is the stream's exit; stem: of its files, removed then. */
int builtin_stream_start(struct runtime_stream *s, const char *const *argv, const int stdio[3],
                         const char *stem, struct err *err);
/* Takes a connection to conmon's attach socket and makes pipes of it. ctl: where conmon hears of
 * the terminal's size, or NULL. ends_with_input: the output ends when the caller's input does. */
int builtin_stream_attach(struct runtime_stream *s, int socket_fd, bool has_stdin,
                          bool ends_with_input, const char *ctl, struct err *err);
