/* The static Pods of a directory: each file that is not hidden holds one. The kernel tells of
 * changes (inotify); a file that cannot be read as a Pod is told of in the log, and what it was
 * before stays. One loop. */
#pragma once

#include "base/str.h"

struct api_object;
struct err;
struct loop;
struct manifest_source;

struct manifest_source_options {
    struct loop *loop;
    const char *directory; /* must exist */
    struct str node_name;
    /* old NULL: a new Pod; new NULL: its file is gone; both: the file has changed, another uid. */
    void (*on_change)(const struct api_object *old, const struct api_object *new, void *arg);
    void *arg;
};

/* Reads the directory before it returns, by on_change. */
int manifest_source_new(const struct manifest_source_options *o, struct manifest_source **ret,
                        struct err *err);
void manifest_source_free(struct manifest_source *s); /* accepts NULL */
