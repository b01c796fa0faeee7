/* One forwarded connection: bytes between a client's stream and a socket in the Pod. The client's
 * side holds the structure and moves its bytes; neither side is read faster than the other takes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "io/loop.h"

struct port_pair;
struct runtime;
struct runtime_call;
struct runtime_stream;

enum { PORT_PAIR_HELD_BYTES = 256 * 1024 };

struct port_pair_ops {
    /* To the client, copied. False: enough waits, stop until port_pair_drain(). */
    bool (*send)(struct port_pair *p, struct str bytes);
    /* The Pod took some of what it was given. */
    void (*took)(struct port_pair *p);
    /* The Pod's end is over, or was never reached (error: why; else NULL). Once, the last call,
     * never from within a call of the client's side. */
    void (*over)(struct port_pair *p, const char *error);
};

struct port_pair {
    const struct port_pair_ops *ops;
    struct runtime *runtime;
    uint16_t port;
    struct runtime_call *call;
    struct runtime_stream *stream;
    struct loop_watch in_watch, out_watch;
    int in_fd, out_fd;
    struct buf input; /* for the Pod, not taken yet */
    bool is_input_over;
};

void port_pair_init(struct port_pair *p, const struct port_pair_ops *ops, struct runtime *rt,
                    uint16_t port);
void port_pair_connect(struct port_pair *p, struct str sandbox_id);
void port_pair_write(struct port_pair *p, struct str bytes);
void port_pair_finish(struct port_pair *p); /* no more bytes from the client */
void port_pair_drain(struct port_pair *p);
bool port_pair_is_held(const struct port_pair *p); /* more waits for the Pod than should */
void port_pair_stop(struct port_pair *p);          /* no callback follows; may be called again */
