/* The allocator of one HTTP/2 session. nghttp2 keeps a buffer of 16 KiB for the frame that it
 * writes, of which a connection that is idle has used a few hundred bytes: that buffer gets pages
 * of its own, so that the rest of it takes no memory. All else comes from the heap. */
#pragma once

#include <nghttp2/nghttp2.h>
#include <stddef.h>

struct http2_memory {
    nghttp2_mem mem; /* for nghttp2_session_server_new3() */
    void *frame;     /* the first allocation of HTTP2_MEMORY_FRAME_BYTES or more; NULL: none */
    size_t frame_size;
};

enum { HTTP2_MEMORY_FRAME_BYTES = 16 * 1024 };

/* *m stays where it is, and alive, until the session has ended. */
void http2_memory_init(struct http2_memory *m);
