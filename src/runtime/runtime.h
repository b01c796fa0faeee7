/* Containers behind one interface in CRI's terms: Pod sandboxes, containers, images, streams. The
 * kubelet sees nothing else of a runtime. Implementations: builtin (crun, conmon, overlayfs, an
 * image store on disk); others fill the same table.
 *
 * Everything is asynchronous and belongs to one loop. A call copies what it needs of its arguments
 * before it returns; done runs exactly once, never from within the call, unless the call was
 * cancelled. Cancelling drops the answer only: what was begun is finished or undone by itself, as
 * every call may be repeated: stopping what is stopped and removing what is gone succeed.
 *
 * State is on disk alone: a new runtime over the same directories finds the sandboxes and
 * containers of the one before, and containers run on while there is none. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "runtime/runtime_types.h"

struct err;
struct loop;
struct runtime;
struct runtime_call;

/* What a call came to. Everything in it is the runtime's and valid during the callback only. Beyond
 * code, each call fills what its comment names. */
struct runtime_result {
    int code;              /* 0, or negative: ERR_NOT_FOUND, ERR_TIMEOUT, ERR_INVALID, ... */
    const struct err *err; /* code < 0: the text; ours or the program's that failed */
    struct str reason;     /* code < 0: CRI's word where there is one ("ErrImagePull", "StartError",
                              "CreateContainerError", "RunContainerError"); else unset */
    struct str id;
    const struct runtime_sandbox_status *sandboxes;
    size_t n_sandboxes;
    const struct runtime_container_status *containers;
    size_t n_containers;
    const struct runtime_image *images;
    size_t n_images;
    const struct runtime_stats *stats;
    size_t n_stats;
    const struct runtime_sandbox_stats *sandbox_stats;
    size_t n_sandbox_stats;
    int exit_code;                 /* exec_sync */
    struct str output;             /* exec_sync: both streams as they came, at most its limit */
    struct runtime_stream *stream; /* exec, attach, port_forward: the callee's to close */
};
typedef void runtime_done_fn(const struct runtime_result *res, void *arg);

/* Unasked: something ended or changed by itself or by a call. Level, not edge: whoever gets one
 * asks for the status. */
enum runtime_event_type {
    RUNTIME_CONTAINER_CREATED,
    RUNTIME_CONTAINER_STARTED,
    RUNTIME_CONTAINER_STOPPED,
    RUNTIME_CONTAINER_REMOVED,
    RUNTIME_SANDBOX_READY,
    RUNTIME_SANDBOX_STOPPED,
    RUNTIME_SANDBOX_REMOVED,
};
struct runtime_event {
    enum runtime_event_type type;
    struct str pod_uid;
    struct str sandbox_id;
    struct str container_id; /* unset for a sandbox's */
    int exit_code;           /* CONTAINER_STOPPED */
};
typedef void runtime_event_fn(const struct runtime_event *event, void *arg);

/* Each hook starts a call and returns it, for runtime_cancel() until done has run. */
typedef struct runtime_call *runtime_id_hook(struct runtime *rt, struct str id,
                                             runtime_done_fn *done, void *arg);
struct runtime_ops {
    const char *name; /* "builtin": containerRuntimeVersion is NAME://VERSION */
    /* res->id. The image is not needed. Fails whole: nothing stays behind. */
    struct runtime_call *(*run_pod_sandbox)(struct runtime *rt,
                                            const struct runtime_sandbox_config *config,
                                            runtime_done_fn *done, void *arg);
    runtime_id_hook *stop_pod_sandbox;   /* kills its containers, frees its network */
    runtime_id_hook *remove_pod_sandbox; /* and removes them; stops it first */
    runtime_id_hook *pod_sandbox_status; /* sandboxes[0]; ERR_NOT_FOUND */
    struct runtime_call *(*list_pod_sandboxes)(struct runtime *rt, runtime_done_fn *done,
                                               void *arg);
    /* res->id. The image must be there (ERR_NOT_FOUND: it is not). */
    struct runtime_call *(*create_container)(struct runtime *rt, struct str sandbox_id,
                                             const struct runtime_container_config *config,
                                             runtime_done_fn *done, void *arg);
    runtime_id_hook *start_container;
    /* TERM (or the image's STOPSIGNAL), after the timeout KILL; 0: KILL at once. done when it has
     * ended. */
    struct runtime_call *(*stop_container)(struct runtime *rt, struct str id, int64_t timeout_ms,
                                           runtime_done_fn *done, void *arg);
    runtime_id_hook *remove_container; /* kills it first; its log stays */
    runtime_id_hook *container_status; /* containers[0]; ERR_NOT_FOUND */
    struct runtime_call *(*list_containers)(struct runtime *rt,
                                            struct str sandbox_id /* or unset */,
                                            runtime_done_fn *done, void *arg);
    struct runtime_call *(*update_container_resources)(struct runtime *rt, struct str id,
                                                       const struct runtime_resources *resources,
                                                       runtime_done_fn *done, void *arg);
    runtime_id_hook *reopen_container_log; /* after the caller renamed the old file */
    /* exit_code, output. ERR_TIMEOUT: killed after timeout_ms (0: none). */
    struct runtime_call *(*exec_sync)(struct runtime *rt, struct str id,
                                      const struct runtime_exec_options *options,
                                      runtime_done_fn *done, void *arg);
    /* stream. */
    struct runtime_call *(*exec)(struct runtime *rt, struct str id,
                                 const struct runtime_exec_options *options, runtime_done_fn *done,
                                 void *arg);
    /* stream; several at a time are fine. The end of its input is that of the container's when it
     * reads it once (stdin_once) and not from a terminal, else that of this stream. */
    runtime_id_hook *attach;
    /* stream: one TCP connection to the port on the Pod's loopback, 127.0.0.1 first, then ::1. */
    struct runtime_call *(*port_forward)(struct runtime *rt, struct str sandbox_id, uint16_t port,
                                         runtime_done_fn *done, void *arg);
    /* Of all that run; stats, sandbox_stats. Some milliseconds of work, over several turns. */
    struct runtime_call *(*stats)(struct runtime *rt, runtime_done_fn *done, void *arg);
    /* By any name that a Pod may give it, or by id. images[0]; ERR_NOT_FOUND. */
    runtime_id_hook *image_status;
    struct runtime_call *(*list_images)(struct runtime *rt, runtime_done_fn *done, void *arg);
    /* id. Progress is none; failures carry the registry's reason. */
    struct runtime_call *(*pull_image)(struct runtime *rt, struct str image,
                                       const struct runtime_auth *auth /* NULL: none */,
                                       runtime_done_fn *done, void *arg);
    runtime_id_hook *remove_image; /* by id or name; one in use stays: ERR_CONFLICT */
    void (*cancel)(struct runtime_call *call);
    void (*set_listener)(struct runtime *rt, runtime_event_fn *fn, void *arg); /* one; NULL: none */
    const char *(*version)(const struct runtime *rt); /* the runtime's own, for node info */
    void (*free)(struct runtime *rt);                 /* cancels all calls; containers run on */
};

/* A call that has ended, by CRI's name of it ("run_podsandbox"); for figures. */
typedef void runtime_observer_fn(const char *operation, int code, int64_t took_ns, void *arg);

struct runtime { /* embedded first by implementations */
    const struct runtime_ops *ops;
    struct loop *loop;
    runtime_observer_fn *observer; /* the owner's to set; NULL: none */
    void *observer_arg;
};

/* --- streams: three descriptors, moved by whoever serves the client --- */

/* Descriptors are non-blocking, -1 where there is none; with a terminal out_fd alone is both ways
 * (in_fd is a duplicate). Closing in_fd is the end of its input. A port forward's in_fd and out_fd
 * are one socket's. The callee takes them over by setting them to -1, else stream_close closes. */
struct runtime_stream;
struct runtime_stream_fds {
    int in_fd;
    int out_fd;
    int err_fd;
};
/* Once, for exec: the process ended (code 128 + n by signal n), or could not start (then err has
 * crun's words). Output may still be in out_fd: it ends by itself. */
typedef void runtime_stream_exit_fn(struct runtime_stream *s, int exit_code, const struct err *err,
                                    void *arg);
struct runtime_stream_fds *runtime_stream_fds(struct runtime_stream *s);
void runtime_stream_on_exit(struct runtime_stream *s, runtime_stream_exit_fn *fn, void *arg);
void runtime_stream_resize(struct runtime_stream *s, uint16_t columns, uint16_t rows);
/* Ends it: descriptors that are still its own are closed, an exec's process gets HUP when it has a
 * terminal and goes on otherwise. Accepts NULL. */
void runtime_stream_close(struct runtime_stream *s);

/* --- the builtin one --- */

struct cni_network; /* what gives Pods their network; see cni/cni_network.h */

struct runtime_builtin_options {
    const char *root_directory;  /* images, layers, containers' writable layers */
    const char *image_directory; /* the image store, shared by nodes; NULL: root_directory/store */
    const char *state_directory; /* sockets, exit files, namespaces; may be on tmpfs */
    const char *program_directory; /* pintle-sandbox, pintle-image; NULL: where we are */
    const char *crun;              /* NULL: "crun" in PATH */
    const char *conmon;            /* NULL: "conmon" in PATH */
    const char *registries_file;   /* NULL: none; see docs/images.md */
    struct cni_network *network;   /* NULL: Pods get loopback alone, and no address */
};
/* ERR_NOT_FOUND: crun or conmon are not there. The process must have gone through
 * node_mounts_enter() (runtime/node_mounts.h) before it had threads. */
int runtime_builtin_new(struct loop *l, const struct runtime_builtin_options *o,
                        struct runtime **ret, struct err *err);
