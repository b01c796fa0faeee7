/* The Pods behind a Service: who answers, on which ports, in which state. Both forms in which the
 * API shows it (EndpointSlices and Endpoints) are made from this. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct api_object;
struct core_v1_object_reference;
struct reconcile;

struct backend_port {
    struct str name;
    struct str protocol;
    struct str app_protocol; /* unset: none */
    int32_t port;
};

struct backend {
    const struct api_object *pod;
    struct str ip;
    bool is_ready; /* takes traffic: ready (or published anyway) and not going */
    bool is_serving;
    bool is_terminating;
    struct str hostname; /* unset: none */
};

/* Pods that resolve the Service's ports to the same numbers. */
struct backend_group {
    struct backend_port *ports; /* in the Service's order */
    size_t n_ports;
    struct backend *backends; /* by ip */
    size_t n_backends;
};

struct backends {
    struct backend_group *groups;
    size_t n;
};

/* is_v6: of which family the addresses are. In r's arena; objects are the caches'. A Service
 * without selector has none. */
void service_backends(struct reconcile *r, const struct api_object *service, bool is_v6,
                      struct backends *ret);
/* Does the Service get its endpoints from Pods? */
bool service_has_selector(const struct api_object *service);
bool service_is_headless(const struct api_object *service);
bool service_selects(const struct api_object *service, const struct api_object *pod);
struct core_v1_object_reference *service_target_ref(struct reconcile *r,
                                                    const struct api_object *pod);
/* Labels of the Service that what is made for it bears, the headless mark with them; `map` is a
 * string map of an object in r's arena. */
void service_copy_labels(struct reconcile *r, const struct api_object *service, void *map);

/* For both controllers: which Services an event of a Pod concerns. */
struct controller;
struct controller_manager;
void service_map_pod(struct controller_manager *m, const struct controller *c,
                     const struct api_object *old, const struct api_object *new);
