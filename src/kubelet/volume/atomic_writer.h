/* A directory of small files that changes as a whole, as upstream's atomic writer lays it out: the
 * files lie in "..TIMESTAMP", "..data" is a link to that directory which rename(2) moves on, and
 * what a container sees by name are links into ..data. Everything goes by descriptors beneath the
 * volume's directory, whatever a container has put there. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

struct err;

struct atomic_file {
    struct str path; /* relative, without ".."; "a/b" makes directories */
    struct str data;
    mode_t mode;
    uid_t uid; /* (uid_t)-1: ours */
};

/* Writes nothing when the directory holds just this. gid: of everything, (gid_t)-1: ours; then the
 * group may read what the owner may. 0 or 1 when something changed; negative. */
int atomic_writer_write(int dir_fd, const struct atomic_file *files, size_t n, gid_t gid,
                        struct err *err);
/* Is the path one that may be written: relative, no "..", not beginning with ".."? */
int atomic_writer_check_path(struct str path, struct err *err);
