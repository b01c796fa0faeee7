/* The framework's own parts: manager (process, informers, queues) and runs (changes on their way).
 */
#pragma once

#include "client/rest_client.h"
#include "controller/controller.h"
#include "io/loop.h"

struct custom_rows;
struct event_recorder;
struct workqueue;

enum { MAX_CONTROLLERS = 48, MAX_INFORMERS = 96 };

enum {
    INDEX_NAMESPACE, /* of every informer, in this order */
    INDEX_OWNER,
    INDEX_ANY_OWNER,
    INDEX_CLAIM, /* of Pods: what they use */
};

struct managed_controller {
    struct controller_manager *manager;
    const struct controller *controller;
    struct workqueue *queue;
    struct event_recorder *recorder;
    int running;
    void *state;
};

struct controller_manager {
    const struct controller_manager_options *options;
    struct loop *loop;
    struct arena arena;
    struct rest_client *rest;
    struct str root_ca;
    struct informer *informers[MAX_INFORMERS];
    size_t n_informers;
    struct custom_rows *custom;
    size_t n_synced;
    struct managed_controller controllers[MAX_CONTROLLERS];
    size_t n_controllers;
    bool is_running;                  /* all informers are synced */
    struct leader_election *election; /* NULL: always leads */
    bool has_lost;                    /* the lease */
    struct loop_timer goodbye;
};

/* An informer with every informer's indexes, not started; the caller's. */
struct informer *controller_informer_new(struct controller_manager *m, const struct resource *row);
/* Starts one run of a key that the queue has handed out; it ends with controller_run_ended(). */
void controller_run_start(struct managed_controller *mc, struct str key);
/* result: as reconcile's; the queue's done() and back-off follow. */
struct run_outcome {
    bool is_failed;
    bool is_conflict;
    int64_t again_after_ms;
};
void controller_run_ended(struct managed_controller *mc, struct str key,
                          const struct run_outcome *outcome);
struct managed_controller *controller_managed(struct controller_manager *m,
                                              const struct controller *c);
/* All of them, ends with NULL: controllers.c. */
extern const struct controller *const controller_table[];
