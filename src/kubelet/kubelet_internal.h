/* What the kubelet's own files share. */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "base/vec.h"
#include "io/loop.h"
#include "kubelet/kubelet.h"
#include "kubelet/pod_config.h"
#include "kubelet/pod_env.h"
#include "kubelet/pod_field.h"
#include "kubelet/pod_plan.h"
#include "kubelet/prober/prober.h"
#include "kubelet/server/kubelet_server.h"
#include "runtime/runtime.h"

struct cni_network;
struct core_v1_resource_requirements;
struct event_recorder;
struct informer;
struct kubelet_metrics;
struct manifest_source;
struct mirror_pods;
struct node_agent;
struct node_pressure;
struct object_cache;
struct pod_worker;
struct rest_client;
struct stats_collector;
struct volume_manager;

struct kubelet {
    const struct kubelet_options *o;
    struct arena arena;
    struct loop *loop;
    struct rest_client *rest;
    struct runtime *runtime;
    struct cni_network *network;
    struct event_recorder *events;
    struct informer *pods, *services;
    struct object_cache *config_maps, *secrets;
    struct volume_manager *volumes;
    struct prober *prober;
    struct node_agent *node_agent;
    struct pod_config_node config;
    struct pod_node node;
    struct pod_env_sources env_sources;
    struct kubelet_server *server; /* NULL: no port */
    struct kubelet_view view;      /* its own */
    struct stats_collector *stats;
    struct kubelet_metrics *metrics;
    const char *image_directory;
    int64_t began_ns;
    struct map workers;                /* of struct pod_worker by uid */
    struct manifest_source *manifests; /* NULL: no static Pods */
    struct mirror_pods *mirrors;
    struct map statics;     /* of the static Pods that are wanted, by key; api_objects */
    bool is_runtime_listed; /* what ran before us is known, and all Pods of the API were */
    bool is_orphans_looked_for;
    struct loop_timer log_timer;
    int64_t log_bytes; /* of all logs that are written to, when last looked at */
    struct VEC(const struct api_object *) viewed; /* what the port was shown last */
    int exit_code;
};

/* --- workers: pod_worker.c --- */

/* One container of a Pod across its runs. */
struct pod_slot {
    struct pod_worker *worker;
    char *name;
    uint32_t attempt;   /* of the next run */
    int64_t backoff_ms; /* of the last restart; 0: none yet */
    int64_t restart_at_ms;
    char *waiting_reason; /* why it does not run; NULL: nothing special */
    char *waiting_message;
    int64_t pull_backoff_ms;
    bool is_told;              /* the waiting reason has gone into a status */
    bool must_restart;         /* was ended for a change of its spec */
    bool is_healed_by_objects; /* a ConfigMap or Secret may end the wait */
    struct pod_kill *kill;     /* under way */
    char *probed_id;           /* the run that the prober has; NULL: none */
    char *backed_off_id;       /* the run whose end has set restart_at_ms */
    char *resources;           /* what the run has (pod_resize_text()); NULL: not known */
};

enum pod_phase {
    POD_RUNS,       /* is wanted */
    POD_TERMINATES, /* its containers are being ended */
    POD_CLEANS_UP,  /* its sandbox, volumes, cgroup */
    POD_IS_GONE,    /* only the API object is left to be deleted */
};

struct pod_worker {
    struct kubelet *k;
    struct str uid;
    char *uid_text;
    const struct api_object *pod; /* the newest */
    enum pod_phase phase;
    bool is_static;         /* of a manifest, shown to the API by a mirror */
    bool is_adopted;        /* what an earlier kubelet has left of it is known */
    bool is_deleted_in_api; /* nothing is to be told any more */
    bool is_final;          /* the phase was Succeeded or Failed once */
    bool is_deadline_over;
    char *final_reason; /* "DeadlineExceeded", ...; NULL: none */
    char *final_message;
    bool is_admitted; /* has been asked whether it fits */
    int64_t grace_ms, ending_since_ms;
    bool is_network_told;
    struct arena statuses_arena;
    struct runtime_container_status *statuses; /* of the sandbox's containers */
    size_t n_statuses;
    struct arena lost_arena;
    struct runtime_container_status *lost; /* last runs in sandboxes that were made anew */
    size_t n_lost;
    bool is_listed;   /* statuses are known */
    char *sandbox_id; /* NULL: none */
    bool is_sandbox_ready;
    uint32_t sandbox_attempt; /* of the next one */
    struct str *ips;
    size_t n_ips;
    struct arena ips_arena;
    struct runtime_call *refresh, *sandbox_call;
    bool is_refresh_wanted;
    struct pod_start *start; /* a container that is being started */
    struct map slots;        /* of struct pod_slot by name */
    struct loop_task task;
    struct loop_timer timer;
    int64_t wake_at_ms;
    int64_t started_s;                              /* status.startTime */
    char *volume_error;                             /* the last one told of */
    int64_t volume_retry_ms, volume_retry_at_ms;    /* 0: nothing failed */
    int64_t seen_at_ms, pulled_ms, status_began_ms; /* for figures */
    bool is_start_told;
    /* resize/worker_resize.c */
    bool is_resizing; /* a run has other resources than the spec says */
    const char
        *resize_reason; /* why it does not go on: "Deferred", "Infeasible", "Error"; or NULL */
    char *resize_message;
    char *resize_text; /* what is being given */
    struct runtime_call *resize_call;
    int64_t resize_failed_generation;
    /* pod_status_send.c */
    struct rest_call *status_call;
    char *status_sent; /* the last text that the server has */
    char *status_sending;
    bool is_delete_sent;
    int64_t status_backoff_ms;
    struct loop_timer status_timer;
};

/* Something may have changed: looks at the end of the turn. */
void pod_worker_wake(struct pod_worker *w);
/* Asks the runtime first. */
void pod_worker_refresh(struct pod_worker *w);
/* Looks again then; the earliest of several wins, each look at the Pod begins without one. */
void pod_worker_retry_after(struct pod_worker *w, int64_t ms);
struct pod_worker *pod_worker_new(struct kubelet *k, const struct api_object *pod, bool is_static);
void pod_worker_free(struct pod_worker *w);
/* The API has a newer object, or none any more (NULL). */
void pod_worker_update(struct pod_worker *w, const struct api_object *pod);
/* Its manifest is gone. */
void pod_worker_end(struct pod_worker *w);
/* The object in the API that shows it: itself, or its mirror; NULL: none. */
const struct api_object *pod_worker_shown(const struct pod_worker *w);
const struct core_v1_pod *pod_worker_spec(const struct pod_worker *w);
struct pod_slot *pod_worker_slot(struct pod_worker *w, struct str name);
/* The container's latest run; NULL: none. */
const struct runtime_container_status *pod_worker_latest(const struct pod_worker *w,
                                                         struct str name);
/* The container's run before that one; NULL: none. */
const struct runtime_container_status *
pod_worker_run_before(const struct pod_worker *w, const struct runtime_container_status *c);
/* Its last run that has gone with an earlier sandbox; NULL: none. */
const struct runtime_container_status *pod_worker_lost_run(const struct pod_worker *w,
                                                           struct str name);
void pod_worker_keep_lost(struct pod_worker *w); /* before the sandbox is removed */
struct runtime_strs pod_worker_ips(const struct pod_worker *w);
void pod_worker_event(struct pod_worker *w, struct str container, const char *type,
                      const char *reason, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
void pod_slot_wait(struct pod_slot *s, const char *reason, struct str message);

/* --- pod_sandbox.c; the worker is woken when it is done --- */
void pod_sandbox_make(struct pod_worker *w);
void pod_sandbox_stop(struct pod_worker *w);   /* what can be read stays */
void pod_sandbox_remove(struct pod_worker *w); /* with its containers */
/* Asks the runtime how it is, and its containers. */
void pod_sandbox_ask(struct pod_worker *w);
/* One of the Pod's was found at the start. */
void pod_sandbox_adopt(struct pod_worker *w, const struct runtime_sandbox_status *s);

/* --- pod_restart.c --- */
/* At each look at a Pod that runs: back-off of what ended, Events, old runs. */
void pod_restart_look(struct pod_worker *w);

/* --- pod_worker.c --- */
/* It has failed for good, without its containers' doing. */
void pod_worker_fail(struct pod_worker *w, const char *reason, struct str message);
/* Is it one that a newcomer has to share the node with? */
bool pod_worker_is_active(const struct pod_worker *w);

/* --- pod_start.c: one container from its image to its postStart hook --- */
void pod_start_begin(struct pod_worker *w, const struct pod_container *c);
void pod_start_cancel(struct pod_start *s);
struct str pod_start_name(const struct pod_start *s);

int64_t pod_worker_grace_ms(const struct pod_worker *w); /* of its spec */

/* --- resize/worker_resize.c --- */
/* The slot's run was made with these. */
void worker_resize_note(struct pod_slot *s, const struct core_v1_resource_requirements *r);
/* Gives a running container what its spec says. True: something is under way. */
bool worker_resize_step(struct pod_worker *w, const struct pod_container *cs, size_t n);

/* --- pod_kill.c --- */
/* preStop, TERM, KILL of the slot's running container; the worker is woken when it has ended. */
void pod_kill_begin(struct pod_slot *s, const struct pod_container *c, int64_t grace_ms,
                    struct str why /* of the Event; unset: it is stopped */);
void pod_kill_cancel(struct pod_kill *k);
/* A shorter grace for one that is under way. */
void pod_kill_hurry(struct pod_kill *k, int64_t grace_ms);

/* --- pod_status.c --- */
/* The status of the Pod as it is now, as JSON of a strategic merge patch; in the arena. */
struct str pod_status_patch(struct arena *a, struct pod_worker *w, const struct plan *plan);
/* Fills what the plan needs of each container; in the arena. */
void pod_status_plan_input(struct arena *a, struct pod_worker *w, struct plan_input *ret);

/* --- pod_status_send.c --- */
void pod_status_send(struct pod_worker *w, struct str patch);
/* The object itself: it has ended here. */
void pod_status_delete(struct pod_worker *w);
void pod_status_stop(struct pod_worker *w);

/* --- admission/kubelet_admission.c --- */
/* Asks once, before anything is done for it. */
void kubelet_admission_check(struct pod_worker *w);

/* --- pod_pull.c: the Pod's pull secrets --- */
void pod_pull_retain(struct pod_worker *w);
/* 0 and credentials to be tried in turn, in a; ERR_AGAIN: a Secret is not known yet. */
int pod_pull_auths(struct arena *a, struct pod_worker *w, struct str image,
                   struct runtime_auth *ret, size_t max, size_t *ret_n);

/* --- node_agent.c: the Node object and its Lease --- */
/* The Node as the API has it; NULL: not known. */
const struct core_v1_node *node_agent_node(const struct node_agent *n);
/* pressure: the thresholds, copied. */
struct node_agent *node_agent_new(struct kubelet *k, const struct node_pressure *pressure);
const struct node_pressure *node_agent_pressure(const struct node_agent *n);
void node_agent_free(struct node_agent *n);
/* Something that the Node's conditions tell of has changed. */
void node_agent_wake(struct node_agent *n);
/* The image store has changed. */
void node_agent_look_at_images(struct node_agent *n);

/* --- log/log_keeper.c: turns over what has grown too large --- */
void log_keeper_start(struct kubelet *k);

/* --- kubelet_figures.c --- */
void kubelet_figures_of(struct kubelet_view *v);
runtime_observer_fn kubelet_figures_observe;
/* A container was started, or (error: why) not. */
void kubelet_figures_count_start(struct kubelet *k, enum pod_container_kind kind, struct str error);
/* The server has the Pod's status. */
void kubelet_figures_pod_told(struct pod_worker *w);

/* --- kubelet_view.c --- */
struct kubelet_view kubelet_view_of(struct kubelet *k);

/* Directories, runtime and network of the node, for the agent and for --cleanup. */
int kubelet_open_runtime(struct kubelet *k, struct err *err);
int kubelet_open_volumes(struct kubelet *k, struct err *err);
void kubelet_worker_gone(struct kubelet *k, struct pod_worker *w); /* frees it */
/* --- kubelet_pods.c: where Pods come from --- */
int kubelet_pods_open(struct kubelet *k, struct err *err);
void kubelet_pods_close(struct kubelet *k);
/* --cleanup; the loop stops when it is done. */
int kubelet_clean(struct kubelet *k, struct err *err);
