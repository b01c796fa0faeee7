/* Log files of containers: "DIR/0.log", which conmon writes, and what was turned over from it,
 * "DIR/0.log.20260102-030405", at most so many. */
#pragma once

#include <stdint.h>

#include "base/str.h"

struct err;

enum { CONTAINER_LOG_MAX_BYTES = 10 << 20, CONTAINER_LOG_MAX_FILES = 5 };

int64_t container_log_size(struct str path); /* 0: there is none */
/* Renames the file after the time; the oldest of more than max_files - 1 old ones go. The writer is
 * to be told to open the path anew. */
int container_log_rotate(struct str path, int64_t now_s, size_t max_files, struct err *err);
/* The file and its old ones; absent is fine. */
void container_log_remove(struct str path);
