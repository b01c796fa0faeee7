/* What every control loop shares. A controller is one file with one table row: which resources it
 * watches, which key an event maps to, and one reconcile(key). Reconcile reads the caches
 * (listers), decides, and lists the changes that it wants; the framework sends them, waits until
 * the caches have seen them, and only then lets the same key run again. So a controller never acts
 * twice on a stale view, and needs no bookkeeping of what it expects.
 *
 * Level-triggered: an event only enqueues a key. Failed keys come back with back-off. One loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/object.h"
#include "base/arena.h"
#include "base/str.h"
#include "base/vec.h"

struct api_object;
struct clock;
struct controller;
struct controller_manager;
struct err;
struct informer;
struct loop;
struct rest_client;
struct resource;
struct rest_request;
struct rest_result;

/* --- one run --- */

enum reconcile_result {
    RECONCILE_DONE,
    RECONCILE_FAILED, /* run again, after a while that grows */
};

/* What a read found. */
struct reconcile_answer {
    int result; /* 0, ERR_NOT_FOUND, ... */
    struct str uid;
    bool is_deleted_in_foreground; /* waits for its dependents */
    struct str body;               /* of subresources, lists, questions: as it came */
};

struct change; /* a request that reconcile wants sent */

struct reconcile {
    struct controller_manager *manager;
    const struct controller *controller;
    struct arena *arena; /* until the run's changes are done */
    struct str key;
    struct str namespace, name; /* the key's parts; namespace "" for cluster-scoped */
    int64_t now_s;
    /* Set by reconcile: */
    int64_t again_after_ms; /* 0: not by itself */
    /* When all changes went well and the caches have seen them: runs on, may list further changes.
     */
    enum reconcile_result (*then)(struct reconcile *r);
    /* When a change failed: the same, with the first failure's words; the key comes back all the
     * same. */
    enum reconcile_result (*otherwise)(struct reconcile *r);
    struct str failure;
    struct VEC(struct reconcile_answer) answers; /* of reconcile_get() */
    void *state;                                 /* reconcile's own, for then and otherwise */
    /* For then: how many objects delete_collections met, and how many of them are still there, on
     * their way out. */
    size_t n_deleted, n_terminating;
    struct VEC(struct change *) changes;
};

/* Objects go out as they are; they and all texts lie in r->arena or in the cache, of which nothing
 * lasts longer than the stage: `then` looks objects up anew. Changes are sent in order, in growing
 * batches (1, 2, 4 ...) that stop at the first failure. Not found at a delete is fine; a conflict
 * makes the key run again at once on what is newer. */
void reconcile_create(struct reconcile *r, const struct resource *row, struct str namespace,
                      struct object o);
void reconcile_update(struct reconcile *r, const struct resource *row, struct object o);
void reconcile_update_status(struct reconcile *r, const struct resource *row, struct object o);
/* Any subresource: namespaces/finalize, ... */
void reconcile_update_sub(struct reconcile *r, const struct resource *row, struct str subresource,
                          struct object o);
/* One of another type (scale), as JSON. */
void reconcile_put_sub(struct reconcile *r, const struct resource *row, struct str namespace,
                       struct str name, struct str subresource, struct str json);
/* JSON merge patch. */
void reconcile_patch(struct reconcile *r, const struct resource *row, struct str namespace,
                     struct str name, struct str patch);
/* Strategic merge patch. */
void reconcile_patch_strategic(struct reconcile *r, const struct resource *row,
                               struct str namespace, struct str name, struct str patch);
/* Only the object of this uid (unset: any). policy: "", "Background", "Foreground", "Orphan". */
void reconcile_delete(struct reconcile *r, const struct resource *row, struct str namespace,
                      struct str name, struct str uid, struct str policy);
/* Only as it is in the cache: a change since makes it a conflict. */
void reconcile_delete_as_seen(struct reconcile *r, const struct resource *row,
                              const struct api_object *o, struct str policy);
/* Without grace: nobody is left who could end it. */
void reconcile_delete_now(struct reconcile *r, const struct resource *row, struct str namespace,
                          struct str name, struct str uid);
void reconcile_delete_collection(struct reconcile *r, const struct resource *row,
                                 struct str namespace);
/* Reads past the cache: then finds r->answers in the order of these calls. */
void reconcile_get(struct reconcile *r, const struct resource *row, struct str namespace,
                   struct str name);
/* The same for what is only asked: creates it, where nothing is stored (SubjectAccessReviews). */
void reconcile_ask(struct reconcile *r, const struct resource *row, struct str namespace,
                   struct object o);
void reconcile_list(struct reconcile *r, const struct resource *row, struct str namespace);
void reconcile_get_sub(struct reconcile *r, const struct resource *row, struct str namespace,
                       struct str name, struct str subresource);
/* An Event about an object, when the changes listed before it went well. */
void reconcile_event(struct reconcile *r, const struct api_object *about, const char *type,
                     const char *reason, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* Events about what becomes of the change listed last: one when it went well, another when it was
 * refused (but for a Namespace that is leaving), which ends in the refusal's words. */
struct reconcile_tale {
    const char *reason; /* NULL: none */
    struct str text;
    bool ends_in_name; /* that the server gave the object */
    const char *failed_reason;
    struct str failed_text;
};
void reconcile_tell(struct reconcile *r, const struct api_object *about,
                    const struct reconcile_tale *tale);

/* --- a controller --- */

/* Adds the keys that an event concerns: controller_enqueue(). old and new as informer_handler. */
typedef void controller_map_fn(struct controller_manager *m, const struct controller *c,
                               const struct api_object *old, const struct api_object *new);

struct controller_watch {
    const char *group, *version, *resource;
    controller_map_fn *map; /* NULL: only read, changes enqueue nothing */
};

struct controller {
    const char *name;
    const struct controller_watch *watches; /* ends with a row without resource */
    enum reconcile_result (*reconcile)(struct reconcile *r);
    /* At start, before informers run: indexes and the like. May be NULL. */
    void (*prepare)(struct controller_manager *m);
    int workers; /* keys at once; 0: CONTROLLER_WORKERS */
};
enum { CONTROLLER_WORKERS = 16 };

void controller_enqueue(struct controller_manager *m, const struct controller *c, struct str key);
void controller_enqueue_after(struct controller_manager *m, const struct controller *c,
                              struct str key, int64_t delay_ms);
/* Maps. */
void controller_map_self(struct controller_manager *m, const struct controller *c,
                         const struct api_object *old, const struct api_object *new);
/* The object's namespace. */
void controller_map_namespace(struct controller_manager *m, const struct controller *c,
                              const struct api_object *old, const struct api_object *new);
/* The controlling owner, when it is of this kind ("ReplicaSet"). */
void controller_enqueue_owner(struct controller_manager *m, const struct controller *c,
                              const struct api_object *o, struct str kind);

/* --- what reconcile reads --- */
struct informer *controller_informer(struct controller_manager *m, const struct resource *row);
/* The shared informer of a served resource; made on first use (before start). */
struct informer *controller_informer_of(struct controller_manager *m, const char *group,
                                        const char *version, const char *resource);
/* One more watch than the controller's table has: before start. */
void controller_add_watch(struct controller_manager *m, const struct controller *c,
                          const struct resource *row, controller_map_fn *map);
/* An index that every informer of namespaced objects has: by namespace. */
size_t controller_in_namespace(const struct informer *i, struct str namespace,
                               const struct api_object *const **ret);
/* The same informer's index by the uid of the controlling owner. */
size_t controller_owned_by(const struct informer *i, struct str uid,
                           const struct api_object *const **ret);
/* And by the uid of any owner. */
size_t controller_dependents(const struct informer *i, struct str uid,
                             const struct api_object *const **ret);
/* Pods that use a claim ("ns/name"), by name or as the one that is made for them. */
size_t controller_pods_of_claim(struct controller_manager *m, struct str claim,
                                const struct api_object *const **ret);
/* "ns/name" in the arena; name alone when namespace is empty. */
struct str controller_key(struct arena *a, struct str namespace, struct str name);

/* --- the process --- */
struct controller_manager_options {
    const char *kubeconfig;
    struct str cluster_cidr; /* node ranges come from it; "" : none are given */
    int node_cidr_mask_size;
    const char *root_ca_file; /* for ConfigMaps kube-root-ca.crt; NULL: the kubeconfig's */
    /* The cluster's authority, which signs certificate requests; NULL: nobody does. */
    const char *cluster_signing_cert_file, *cluster_signing_key_file;
    const char *service_account_key_file; /* signs tokens in Secrets; NULL: there are none */
    int64_t cluster_signing_duration_s;   /* at most */
    int64_t node_monitor_grace_ms; /* a node's silence that counts; 0: CONTROLLER_NODE_GRACE_MS */
    bool leader_elect;
};
enum { CONTROLLER_NODE_GRACE_MS = 50000 };
/* Until SIGTERM. The process's exit code; one line on stderr when it cannot start. */
int controller_manager_run(const struct controller_manager_options *o);
const struct controller_manager_options *controller_options(const struct controller_manager *m);
struct str controller_root_ca(const struct controller_manager *m);
/* A controller's own memory; NULL at first. What it points to lies in the manager's arena. */
void *controller_state(struct controller_manager *m, const struct controller *c);
void controller_set_state(struct controller_manager *m, const struct controller *c, void *state);
struct arena *controller_arena(struct controller_manager *m); /* ends with the process */
int64_t controller_now_s(const struct controller_manager *m);
const struct clock *controller_clock(const struct controller_manager *m);
struct loop *controller_loop(const struct controller_manager *m);
struct rest_client *controller_rest(const struct controller_manager *m);
