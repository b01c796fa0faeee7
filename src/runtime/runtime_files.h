/* Small files and trees of the runtime. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/str.h"

struct arena;
struct err;

/* With its parents; present is fine. */
int runtime_files_make_directory(const char *path, mode_t mode, struct err *err);
/* A file as a whole, below a directory's descriptor (AT_FDCWD: any). ERR_TOO_LARGE. */
int runtime_files_read(struct arena *a, int dir_fd, const char *path, size_t limit_bytes,
                       struct str *ret, struct err *err);
/* Replaces the file in one step. */
int runtime_files_write(const char *path, struct str text, mode_t mode, struct err *err);
/* The same, and it is there after a power cut, as is what was put into its directory before. */
int runtime_files_write_durably(const char *path, struct str text, mode_t mode, struct err *err);
/* What was put into the directory is there after a power cut, as far as it is itself synced. */
int runtime_files_sync_directory(const char *path, struct err *err);
/* A tree, without following links or leaving its mount; absent is fine. */
int runtime_files_remove(int dir_fd, const char *path, struct err *err);
