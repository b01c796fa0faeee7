/* Status objects: what clients see of errors (and of deletions that return no object). One table
 * maps reason -> HTTP code; texts are upstream's, because clients match on them. A struct status is
 * a value; its texts live in the request's arena. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/object.h"
#include "base/macros.h"
#include "base/str.h"

struct arena;
struct err;
struct field_errors;
struct resource;

/* X(name, reason, code) */
#define STATUS_REASONS(X)                                                                          \
    X(SUCCESS, "", 200)                                                                            \
    X(UNKNOWN, "", 500)                                                                            \
    X(UNAUTHORIZED, "Unauthorized", 401)                                                           \
    X(FORBIDDEN, "Forbidden", 403)                                                                 \
    X(NOT_FOUND, "NotFound", 404)                                                                  \
    X(ALREADY_EXISTS, "AlreadyExists", 409)                                                        \
    X(CONFLICT, "Conflict", 409)                                                                   \
    X(GONE, "Gone", 410)                                                                           \
    X(EXPIRED, "Expired", 410)                                                                     \
    X(INVALID, "Invalid", 422)                                                                     \
    X(SERVER_TIMEOUT, "ServerTimeout", 500)                                                        \
    X(STORAGE_READ_ERROR, "StorageReadError", 500)                                                 \
    X(TIMEOUT, "Timeout", 504)                                                                     \
    X(TOO_MANY_REQUESTS, "TooManyRequests", 429)                                                   \
    X(BAD_REQUEST, "BadRequest", 400)                                                              \
    X(METHOD_NOT_ALLOWED, "MethodNotAllowed", 405)                                                 \
    X(NOT_ACCEPTABLE, "NotAcceptable", 406)                                                        \
    X(TOO_LARGE, "RequestEntityTooLarge", 413)                                                     \
    X(UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", 415)                                         \
    X(INTERNAL, "InternalError", 500)                                                              \
    X(NOT_IMPLEMENTED, "NotImplemented", 501)                                                      \
    X(UNAVAILABLE, "ServiceUnavailable", 503)                                                      \
    X(INSUFFICIENT_STORAGE, "InsufficientStorage", 507)

enum status_reason {
#define X(name, reason, code) STATUS_##name,
    STATUS_REASONS(X)
#undef X
        STATUS_REASON_MAX,
};

struct status_cause {
    struct str type;
    struct str message;
    struct str field;
};

struct status {
    enum status_reason reason;
    struct str message;
    /* details */
    struct str group;
    struct str kind; /* plural resource, or the Kind for INVALID */
    struct str name;
    struct str uid;
    const struct status_cause *causes;
    size_t n_causes;
    int retry_after_s;
    bool has_details; /* shown even when empty */
    /* metadata.continue of an expired list */
    struct str continue_token;
};

int status_code(enum status_reason reason);

/* A reason and a text, without details. */
struct status status_plain(struct arena *a, enum status_reason reason, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* With details of the resource; gr names it: group ("" core) and plural. */
struct group_resource {
    struct str group;
    struct str resource;
};
struct str group_resource_text(struct arena *a, struct group_resource gr); /* "deployments.apps" */
struct status status_not_found(struct arena *a, struct group_resource gr, struct str name);
struct status status_already_exists(struct arena *a, struct group_resource gr, struct str name);
/* generateName tries used up */
struct status status_not_unique(struct arena *a, struct group_resource gr, struct str name);
/* 'Operation cannot be fulfilled on pods "x": WHY' */
struct status status_conflict(struct arena *a, struct group_resource gr, struct str name,
                              const char *fmt, ...) PRINTF_LIKE(4, 5);
struct status status_modified(struct arena *a, struct group_resource gr, struct str name);
/* 'pods "x" is forbidden: WHY' */
struct status status_forbidden(struct arena *a, struct group_resource gr, struct str name,
                               const char *fmt, ...) PRINTF_LIKE(4, 5);
struct status status_invalid(struct arena *a, struct str group, struct str kind, struct str name,
                             const struct field_errors *errs);
/* What upstream's router refuses, which knows paths and no resources: details are there, and empty.
 */
struct status status_unrouted(struct arena *a, enum status_reason reason, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
struct status status_method_not_allowed(struct arena *a, struct group_resource gr, struct str verb);
struct status status_internal(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
struct status status_future_revision(struct arena *a, uint64_t asked, uint64_t current);
/* What the store answers, where the verb has no words of its own. */
struct status status_of_store(struct arena *a, int code, const struct err *err);

/* As a meta/v1 Status, kind and apiVersion set. */
struct object status_object(struct arena *a, const struct status *s);
