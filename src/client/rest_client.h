/* Requests to the API server in terms of resources: verbs, objects, Status errors. Answers are
 * decoded; "try again later" (429, or 503 with Retry-After) is obeyed here, up to REST_TRIES times.
 * One loop. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/object.h"
#include "base/str.h"

struct api_object;
struct err;
struct kube_config;
struct loop;
struct resource;
struct rest_call;
struct rest_client;

enum { REST_TRIES = 10, REST_TIMEOUT_MS = 60000 };

/* host must be numeric or "localhost". Everything is copied. */
int rest_client_new(struct loop *l, const struct kube_config *config, struct str user_agent,
                    struct rest_client **ret, struct err *err);
void rest_client_free(struct rest_client *c); /* ends all calls; accepts NULL */

enum rest_verb {
    REST_GET,
    REST_LIST,
    REST_CREATE,
    REST_UPDATE,
    REST_JSON_PATCH,
    REST_MERGE_PATCH,
    REST_STRATEGIC_MERGE_PATCH,
    REST_DELETE,
    REST_DELETECOLLECTION,
    REST_WATCH, /* with rest_watch_start() */
};

struct rest_request {
    enum rest_verb verb;
    const struct resource *resource;
    struct str namespace; /* unset: cluster-scoped, or all */
    struct str name;
    struct str subresource;
    struct str query;   /* "a=b&c=d", escaped (rest_query_escape) */
    struct object body; /* CREATE, UPDATE; DeleteOptions of DELETE; data NULL: none */
    struct str patch;   /* of the patches */
    int64_t timeout_ms; /* 0: REST_TIMEOUT_MS */
};

/* How a call ended. result: 0, or ERR_NOT_FOUND, ERR_EXISTS, ERR_CONFLICT (409), ERR_INVALID (400,
 * 422), ERR_DENIED (401, 403), ERR_COMPACTED (410), ERR_OVERFLOW (429), ERR_TOO_LARGE (413),
 * ERR_TIMEOUT, ERR_PROTOCOL for other answers, and what the connection failed with. Valid within
 * the callback. */
struct rest_result {
    int result;
    int code; /* HTTP's; 0: no answer */
    struct str reason, message;
    struct str body;                 /* as it came */
    const struct api_object *object; /* the resource's object, when the answer is one; else NULL */
};
typedef void rest_done_fn(const struct rest_result *r, void *arg);

/* Copies the request. done runs once, later; not after rest_call_cancel(). */
struct rest_call *rest_call_start(struct rest_client *c, const struct rest_request *q,
                                  rest_done_fn *done, void *arg);
void rest_call_cancel(struct rest_call *call); /* the call is gone; accepts NULL */

/* --- watch --- */
enum rest_event { REST_ADDED, REST_MODIFIED, REST_DELETED, REST_BOOKMARK };
struct rest_watch_ops {
    /* json: the object, valid within the call. False: stop; on_end does not follow. */
    bool (*on_event)(enum rest_event type, struct str json, void *arg);
    /* Once, the last call; an ERROR event's Status is in r. result 0: the server ended it. */
    void (*on_end)(const struct rest_result *r, void *arg);
};
struct rest_call *rest_watch_start(struct rest_client *c, const struct rest_request *q,
                                   const struct rest_watch_ops *ops, void *arg);

struct arena;
struct str rest_query_escape(struct arena *a, struct str text);
/* Path and query of a request, as the server wants them. */
struct str rest_request_path(struct arena *a, const struct rest_request *q, struct str prefix);
