/* One entry of an OpenAPI document's paths: the operations of a resource's collection, item,
 * subresource or old-style watch. Used by openapi.c alone. */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct buf;
struct openapi_doc;
struct resource;
struct resource_subresource;

/* What a path is about. */
struct target {
    const struct resource *r;
    const struct resource_subresource *sub; /* NULL: the resource itself */
    bool namespaced;                        /* the path has {namespace} */
    bool all_namespaces;                    /* the collection over all of them */
    bool item;                              /* the path has {name} */
    bool watch;                             /* old form: /watch/ in the path */
    bool below;                             /* of a proxy: the path ends in {path} */
};

void openapi_print_path_item(struct openapi_doc *d, const struct target *t);
/* "rbac.authorization.k8s.io" -> "RbacAuthorization", "" -> "Core", as operation ids have it. */
void openapi_print_group_name(struct buf *b, struct str group);
/* "rbacAuthorization_v1", "core" of no version: what groups operations. */
void openapi_print_tag(struct buf *b, struct str group, struct str version);
