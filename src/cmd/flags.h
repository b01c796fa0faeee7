/* Command-line flags as rows: "--name=value", "--name value", "--name" alone for booleans. One
 * table per command, whose --help prints it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum flag_type {
    FLAG_STRING, /* const char ** */
    FLAG_BOOL,   /* bool * */
    FLAG_UINT,   /* uint32_t * */
    FLAG_PORT,   /* uint16_t * */
};

struct flag {
    const char *name; /* without dashes; NULL ends the table */
    enum flag_type type;
    void *value; /* holds the default before parsing */
    const char *help;
};

/* argv[0] is not looked at. Words that are no flags go to rest (room for argc), *ret_rest of them;
 * "--" ends the flags. ERR_INVALID with a text fit to be shown; 1 when --help was given and
 * printed. */
int flags_parse(const struct flag *flags, int argc, char **argv, const char **rest,
                size_t *ret_rest, const char *usage, struct err *err);
/* The same of a command that takes no words: one is ERR_INVALID as well. 0, or 1 after --help. */
int flags_parse_only(const struct flag *flags, int argc, char **argv, const char *usage,
                     struct err *err);
