/* What the files of io/ share: libuv's loop behind ours. Included nowhere else. */
#pragma once

#include <uv.h>

struct loop;

uv_loop_t *loop_uv_(struct loop *l);
