/* TCP: listening, connecting, and a thin non-blocking stream that buffers nothing. What cannot be
 * written stays with the caller, who asks to be told when the socket takes more: so memory is
 * bounded where it is known what for. All on one loop's thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "io/loop.h"

struct err;

struct tcp_stream;
typedef void tcp_stream_fn(struct tcp_stream *s, int events); /* LOOP_READABLE, LOOP_WRITABLE */
struct tcp_stream {
    struct loop_watch watch;
    tcp_stream_fn *fn;
    int fd; /* -1: closed */
};

/* Takes fd, a connected socket. Wants nothing until tcp_stream_want(). On failure fd is closed. */
int tcp_stream_open(struct tcp_stream *s, struct loop *l, int fd, tcp_stream_fn *fn);
/* Starts to connect to a numeric address; fn sees LOOP_WRITABLE once it is decided, then
 * tcp_stream_connected() tells: 0, -EINPROGRESS or the failure. */
int tcp_stream_connect(struct tcp_stream *s, struct loop *l, const char *address, uint16_t port,
                       tcp_stream_fn *fn, struct err *err);
int tcp_stream_connected(struct tcp_stream *s);
void tcp_stream_want(struct tcp_stream *s, int events);
ssize_t tcp_stream_read(struct tcp_stream *s, void *p, size_t size); /* 0: end; -EAGAIN: nothing */
/* Bytes taken, perhaps 0, or -errno. Never raises SIGPIPE. */
ssize_t tcp_stream_write(struct tcp_stream *s, const void *p, size_t len);
/* A peer that acknowledges nothing, probes included, for after_ms + probe_ms ends the connection:
 * -ETIMEDOUT. An idle one is probed after after_ms; what counts in seconds is rounded up. */
void tcp_stream_detect_death(struct tcp_stream *s, uint32_t after_ms, uint32_t probe_ms);
void tcp_stream_shutdown(struct tcp_stream *s); /* no more writing: the peer sees the end */
void tcp_stream_close(struct tcp_stream *s);    /* also when closed */

struct tcp_listener;
/* A connected, non-blocking, close-on-exec socket, the callee's to close; peer: "1.2.3.4:5". */
typedef void tcp_accept_fn(int fd, const char *peer, void *arg);
/* Port 0 picks one. A port in use is -EADDRINUSE, and the text names it. */
int tcp_listen(struct loop *l, const char *address, uint16_t port, tcp_accept_fn *fn, void *arg,
               struct tcp_listener **ret, uint16_t *ret_port, struct err *err);
void tcp_listener_free(struct tcp_listener *t); /* stops accepting; accepts NULL */
