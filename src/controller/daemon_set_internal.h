/* What the files of the DaemonSet controller share: one DaemonSet with the nodes and its Pods on
 * them, as seen at the start of a run. */
#pragma once

#include "api/apps_v1.h"
#include "api/core_v1.h"
#include "client/api_object.h"
#include "controller/controller.h"

#define DAEMON_HASH_LABEL            "controller-revision-hash"
#define DAEMON_GENERATION_LABEL      "pod-template-generation"
#define DAEMON_GENERATION_ANNOTATION "deprecated.daemonset.template.generation"

struct pod_backoff;

struct daemon_node {
    const struct api_object *object; /* NULL: there is no such node (any more) */
    struct str name;
    bool should_run; /* one is to be there */
    bool may_stay;   /* one that is there is left alone */
    /* Scheduled first, then the oldest first; without those that only their finalizers hold. */
    const struct api_object **pods;
    size_t n_pods;
};

enum daemon_why {
    DAEMON_UNWANTED,
    DAEMON_FAILED,
    DAEMON_SUCCEEDED,
};
struct daemon_removal {
    const struct api_object *pod;
    const struct daemon_node *node;
    enum daemon_why why;
};

struct daemon_run {
    struct arena *arena;
    const struct api_object *object;
    const struct apps_v1_daemon_set *set;
    struct str hash;       /* of the present template, on its Pods */
    struct str generation; /* the same in an older form; unset: none */
    int64_t now_s, now_ms;
    struct pod_backoff *backoff;
    struct daemon_node *nodes; /* by name */
    size_t n_nodes;
    /* What daemon_plan() decides; room for what the nodes and Pods can give. */
    const struct daemon_node **create;
    size_t n_create;
    struct daemon_removal *remove;
    size_t n_remove;
    int64_t again_after_ms; /* 0: not by itself */
};

/* daemon_set_nodes.c: pure. */
/* Sorts nodes and Pods into d->nodes; says where Pods should be. */
void daemon_gather(struct daemon_run *d, const struct api_object *const *nodes, size_t n_nodes,
                   const struct api_object *const *pods, size_t n_pods);
/* The node that a Pod runs on or is meant for; unset: none can be told. */
struct str daemon_target(const struct core_v1_pod *pod);
/* A new Pod for a node, which the scheduler will put there. */
struct object daemon_pod(const struct daemon_run *d, struct str node);
bool daemon_pod_is_updated(const struct daemon_run *d, const struct api_object *pod);
bool daemon_allows_surge(const struct apps_v1_daemon_set *set);

/* daemon_set_plan.c: pure. What is to be made and removed now: what is missing or too much on each
 * node, and when nothing is, the next step of a rolling update. */
void daemon_plan(struct daemon_run *d);
/* Everything but collisionCount and conditions. *ret_wait_s: until the next Pod is available. */
void daemon_status(const struct daemon_run *d, struct apps_v1_daemon_set_status *ret,
                   int64_t *ret_wait_s);
