/* The objects that every cluster has: namespaces, default/kubernetes with what it leads to, the
 * range of Service addresses, priority classes, RBAC's roles and bindings. They are made when they
 * are missing; those that the server keeps are put right again whenever they differ. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct apiserver;
struct arena;
struct loop;

/* One object to be there. */
struct bootstrap_object {
    struct str group, resource;
    struct str json;   /* without apiVersion and kind */
    bool is_kept;      /* else it is only made */
    bool with_address; /* a Service: its clusterIP is taken with it */
};

/* done(arg, result) runs on the loop, later; result is the first failure, or 0. What the objects
 * point to may go when this returns. */
typedef void bootstrap_done_fn(void *arg, int result);
void bootstrap_put(struct apiserver *s, struct loop *l, const struct bootstrap_object *objects,
                   size_t n, bootstrap_done_fn *done, void *arg);

/* All of them; before the server serves. */
void bootstrap_start(struct apiserver *s, struct loop *l, bootstrap_done_fn *done, void *arg);

/* default/kubernetes: its Service, Endpoints and EndpointSlice, in ret, which has room for
 * KUBERNETES_SERVICE_OBJECTS. Returns how many: without an address only the Service. */
enum { KUBERNETES_SERVICE_OBJECTS = 3 };
size_t kubernetes_service_objects(const struct apiserver *s, struct arena *a,
                                  struct bootstrap_object *ret);
/* Watches them from now on and puts them right. On the loop's thread; ends with
 * kubernetes_service_stop(), which accepts NULL. */
struct kubernetes_service;
struct kubernetes_service *kubernetes_service_start(struct apiserver *s, struct loop *l);
void kubernetes_service_stop(struct kubernetes_service *k);
