/* The objects that every cluster has: namespaces, default/kubernetes with what it leads to, the
 * range of Service addresses, priority classes, priority levels, local APIServices, RBAC's roles
 * and bindings. They are made when they are missing; those of kept sets also later. */
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

/* Objects that are made again when somebody deletes them, and put right if they are kept. */
struct kept_set {
    const char *name; /* for the log */
    struct kept_place {
        struct str group, resource, namespace, name; /* no name: all of the resource */
    } places[3];
    size_t n_places, max; /* max: of objects */
    size_t (*objects)(const struct apiserver *s, struct arena *a, struct bootstrap_object *ret);
};
extern const struct kept_set *const kept_sets[]; /* NULL-terminated */

/* default/kubernetes; without an address only the Service. */
extern const struct kept_set kubernetes_service_set;
/* Priority levels and FlowSchemas that every cluster begins with. */
extern const struct kept_set flow_control_set;
/* An APIService for each group version that this server itself serves. */
extern const struct kept_set local_api_services_set;
/* kube-system/extension-apiserver-authentication: whom servers of other APIs may trust. */
extern const struct kept_set extension_authentication_set;

/* Watches all sets from now on. On the loop's thread; ends with kept_objects_stop(), which accepts
 * NULL. */
struct kept_objects;
struct kept_objects *kept_objects_start(struct apiserver *s, struct loop *l);
void kept_objects_stop(struct kept_objects *k);
