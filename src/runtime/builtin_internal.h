/* The builtin runtime's inside. Objects are in memory and on disk; what is on disk is written after
 * each change of state, so a new process reads itself back. Calls are steps that are run again on
 * every change of a container or sandbox until they have come to their end. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "cni/cni_network.h"
#include "io/command.h"
#include "io/loop.h"
#include "runtime/image_store.h"
#include "runtime/oci_spec.h"
#include "runtime/runtime.h"

enum {
    BUILTIN_ID_LEN = 64,
    BUILTIN_PATH_BYTES = 512,
    BUILTIN_LOST_CODE = 255, /* of a container whose end nobody saw, as containerd's */
};

/* A process that is no child of ours, by its number and when it started. */
struct builtin_process {
    pid_t pid; /* 0: none */
    uint64_t start_ticks;
    int pidfd; /* -1: not watched */
    struct loop_watch watch;
};

struct stats_job; /* builtin_stats.c */

struct builtin_sandbox {
    struct builtin *b;
    struct list link;
    struct arena arena;
    struct runtime_sandbox_status status; /* strings in arena */
    struct str log_directory, cgroup_parent, hostname;
    bool host_network, host_ipc, host_pid, shared_pid, host_hostname;
    bool network_is_up; /* CNI has been asked to add it, and not yet to delete it */
    bool is_gone;       /* removed; freed when no call holds it */
    int refs;
    struct builtin_process pause;
    struct ip ips[CNI_MAX_IPS];
};

struct builtin_container {
    struct builtin *b;
    struct list link;
    struct arena arena;
    struct runtime_container_status status;
    struct builtin_sandbox *sandbox; /* NULL: it is gone */
    struct str sandbox_id, cgroup_path, stop_signal;
    struct str image_volumes; /* ids of images that it mounts, by commas */
    bool tty, has_stdin, stdin_once;
    bool is_starting; /* conmon has been asked */
    bool is_gone;
    int refs;
    struct builtin_process main;
    struct builtin_process shim; /* its conmon: writes the exit file, then ends */
    struct command *cleanup;     /* crun delete, after its end */
    bool exit_is_known;
};

struct builtin {
    struct runtime rt;
    const char *root, *state, *programs, *crun, *conmon, *registries; /* in arena */
    struct arena arena;
    struct cni_network *network;
    struct image_store *images;
    struct list sandboxes, containers, calls;
    struct oci_host host;
    int exits_fd; /* inotify */
    struct loop_watch exits_watch;
    struct loop_task kick_task; /* runs the steps of all calls */
    runtime_event_fn *on_event;
    void *event_arg;
    char version[64];
    char boot_id[40]; /* of the kernel */
};

struct runtime_call {
    struct list link;
    struct builtin *b;
    const char *operation;
    int64_t began_ns;
    runtime_done_fn *done; /* NULL: cancelled */
    void *arg;
    struct runtime_result result;
    struct err err;
    struct arena arena;
    struct loop_task task;
    bool is_finished;
    void (*step)(struct runtime_call *c);   /* NULL: waits for something of its own */
    void (*resume)(struct runtime_call *c); /* the step after what it waits for */
    struct builtin_sandbox *sandbox;        /* held */
    struct builtin_container *container;    /* held */
    struct command *command;
    struct cni_call *cni;
    struct loop_timer timer;
    int64_t timeout_ms;     /* or the port, or what a stop is for */
    const char *arena_text; /* of an exec: the stem of its files' names */
    struct stats_job *stats;
    int phase;
    int fd; /* -1 */
    struct loop_watch watch;
    struct buf buf;
};

/* --- builtin_stats.c --- */
struct runtime_call *builtin_stats(struct runtime *rt, runtime_done_fn *done, void *arg);

/* --- builtin.c --- */
struct runtime_call *builtin_call_new(struct builtin *b, const char *operation /* CRI's name */,
                                      runtime_done_fn *done, void *arg);
/* The answer is given at the end of the turn. */
void builtin_call_finish(struct runtime_call *c, int code);
void builtin_kick(struct builtin *b); /* something changed: steps run at the end of the turn */
void builtin_emit(struct builtin *b, enum runtime_event_type type, const struct builtin_sandbox *s,
                  const struct builtin_container *c);
void builtin_new_id(char ret[BUILTIN_ID_LEN + 1]);
struct builtin_sandbox *builtin_find_sandbox(struct builtin *b, struct str id);
struct builtin_container *builtin_find_container(struct builtin *b, struct str id);
void builtin_sandbox_unref(struct builtin_sandbox *s);
void builtin_container_unref(struct builtin_container *c);
const char *builtin_path(struct arena *a, const char *base, const char *kind, struct str id,
                         const char *rest);

/* --- builtin_state.c: records --- */
int builtin_save_sandbox(const struct builtin_sandbox *s, struct err *err);
int builtin_save_container(const struct builtin_container *c, struct err *err);
struct builtin_sandbox *builtin_sandbox_new(struct builtin *b);
struct builtin_container *builtin_container_new(struct builtin *b);
int builtin_load(struct builtin *b, struct err *err);
/* Starts to watch a process; -ESRCH when it is not there, or is another one by now. fn sees its
 * end. */
int builtin_process_watch(struct builtin_process *p, struct loop *l, loop_watch_fn *fn);
void builtin_process_identify(struct builtin_process *p, pid_t pid); /* one that runs for sure */
pid_t builtin_process_parent(pid_t pid); /* 0: there is no such process */
void builtin_process_done(struct builtin_process *p);
int builtin_process_signal(const struct builtin_process *p, int signum);

/* --- builtin_sandbox.c --- */
struct runtime_call *builtin_run_pod_sandbox(struct runtime *rt,
                                             const struct runtime_sandbox_config *config,
                                             runtime_done_fn *done, void *arg);
runtime_id_hook builtin_stop_pod_sandbox, builtin_remove_pod_sandbox;
void builtin_on_pause_end(struct loop_watch *w, int events);

/* --- builtin_container.c --- */
struct runtime_call *builtin_create_container(struct runtime *rt, struct str sandbox_id,
                                              const struct runtime_container_config *config,
                                              runtime_done_fn *done, void *arg);
runtime_id_hook builtin_start_container, builtin_remove_container;
struct runtime_call *builtin_stop_container(struct runtime *rt, struct str id, int64_t timeout_ms,
                                            runtime_done_fn *done, void *arg);
void builtin_on_main_end(struct loop_watch *w, int events);
void builtin_on_shim_end(struct loop_watch *w, int events);
/* Looks for its exit file; true when it has been found and taken. */
bool builtin_take_exit(struct builtin_container *c);
void builtin_container_ended(struct builtin_container *c, int exit_code, const char *reason,
                             int64_t at_ns);
/* Its process is gone: takes the exit file, or waits for the shim to write it. */
void builtin_take_exit_or_wait(struct builtin_container *c);
void builtin_clean_container(struct builtin_container *c); /* crun delete, once */
/* Begins to remove an ended container's files; c->command runs. */
int builtin_drop_container(struct runtime_call *call, struct builtin_container *c, struct err *err);

/* --- builtin_rootfs.c --- */
int builtin_mount_rootfs(struct builtin *b, const struct image *image, struct str container_id,
                         struct err *err);
/* Mounts those of config's mounts that are images, below the container's directory, and gives them
 * with their host_path, in a. */
int builtin_mount_images(struct builtin_container *c, struct arena *a,
                         const struct runtime_container_config *config, struct runtime_mount **ret,
                         struct err *err);
void builtin_unmount_images(const struct builtin_container *c);
int builtin_resolve_user(struct arena *a, const char *rootfs, const struct image *image,
                         const struct runtime_security *security, struct oci_user *ret,
                         struct err *err);

/* --- builtin_exec.c --- */
struct runtime_call *builtin_exec_sync(struct runtime *rt, struct str id,
                                       const struct runtime_exec_options *options,
                                       runtime_done_fn *done, void *arg);
struct runtime_call *builtin_exec(struct runtime *rt, struct str id,
                                  const struct runtime_exec_options *options, runtime_done_fn *done,
                                  void *arg);
runtime_id_hook builtin_attach;
struct runtime_call *builtin_port_forward(struct runtime *rt, struct str sandbox_id, uint16_t port,
                                          runtime_done_fn *done, void *arg);
