/* What is asked of a resource beyond its stored object, as rows: parts of the object that are shown
 * as another kind (scale), actions (binding, eviction, token), streams to a kubelet (log, exec),
 * and resources that are answered and not stored (reviews). Subresources that are the object
 * itself, written under other rules (status, finalize, approval, resize), need no row. */
#pragma once

#include <stdbool.h>

#include "api/object.h"
#include "base/str.h"

struct api_request;
struct status;

/* The object through another kind: GET shows it; PUT and PATCH change it and merge it back. */
struct projection {
    /* In the request's arena; of the subresource's type, kind and apiVersion set. */
    struct object (*view)(struct api_request *r, struct object o);
    /* Writes what the view says into o, a private copy of the stored object. False: *ret says why
     * not. resourceVersion and uid of the view are taken over by the caller. */
    bool (*merge)(struct api_request *r, struct object view, struct object o, struct status *ret);
};

struct subresource {
    struct str group;
    struct str resource;    /* unset: of every resource of the group */
    struct str subresource; /* "": the resource itself, which is not stored */
    const struct projection *projection;
    void (*create)(struct api_request *r);  /* POST; the body is read, r->resource set */
    void (*connect)(struct api_request *r); /* any verb; the body is not read */
    void (*read)(struct api_request *r);    /* GET of one and of all: said, not stored */
};

/* The row for r->resource and r->subresource; NULL when there is none. */
const struct subresource *subresource_find(const struct api_request *r);

extern const struct projection scale_projection;
void pod_binding_create(struct api_request *r);
void pod_eviction_create(struct api_request *r);
void token_request_create(struct api_request *r);
void token_review_create(struct api_request *r);
void self_subject_review_create(struct api_request *r);
void subject_access_review_create(struct api_request *r);
void self_subject_access_review_create(struct api_request *r);
void self_subject_rules_review_create(struct api_request *r);
void component_status_read(struct api_request *r);
