/* What a running cluster leaves in its run directory for `pintle status` and `pintle down`:
 *
 *     lock        held (flock) by the supervisor; its pid
 *     cluster     the flags that it was started with, one a line
 *     components  NAME PID STATE RESTARTS, a line each
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/str.h"

struct arena;
struct err;

/* The lock's descriptor, which holds it until it is closed; ERR_EXISTS when somebody else has it.
 */
int run_state_lock(const char *run_dir, struct err *err);
pid_t run_state_supervisor(const char *run_dir); /* 0: none runs */
/* In one step. */
int run_state_write(const char *run_dir, const char *name, struct str text, struct err *err);
/* False: there is none. */
bool run_state_read(struct arena *a, const char *run_dir, const char *name, struct str *ret);
/* The directory and its parents. */
int run_state_make_directory(const char *path, mode_t mode, struct err *err);
