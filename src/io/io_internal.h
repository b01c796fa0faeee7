/* What the files of io/ share: libuv's loop behind ours. Included nowhere else. */
#pragma once

#include <uv.h>

struct loop;

uv_loop_t *loop_uv_(struct loop *l);
/* The loop ends: closes a child's handle, and frees the child that nobody holds any more. */
void child_close_(uv_handle_t *h);
