/* Running a program to its end, before there is a loop or when there is none any more. */
#pragma once

#include <stdbool.h>

struct err;

/* argv[0] is looked up in PATH. Fails unless it exits with 0; what it said on standard error last
 * is then the reason. */
int program_run(const char *const *argv, struct err *err);
int program_feed(const char *const *argv, const char *input, struct err *err);
bool program_is_there(const char *name); /* in PATH */
