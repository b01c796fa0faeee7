/* May they: authorizers are asked in order until one has an opinion; without any it is no. */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct api_request;
struct apiserver;
struct arena;
struct user_info;

enum authorizer_answer { AUTHORIZER_NO_OPINION, AUTHORIZER_ALLOW, AUTHORIZER_DENY };

/* What somebody wants to do: of a request, or of a review. */
struct authz_attributes {
    struct arena *arena; /* of reasons */
    const struct user_info *user;
    bool is_resource;
    struct str verb; /* "get", "list", ...; of a path: the method in lower case */
    struct str group, resource, subresource, namespace, name; /* of a resource; "" where unset */
    struct str field_selector; /* of a list, watch or deletecollection; "": none */
    struct str path;           /* of no resource */
};

struct authorizer {
    const char *name;
    /* *ret_reason (may be left as it is) is shown to the client; it lives as long as the process
     * or in the attributes' arena. Any loop's thread. */
    enum authorizer_answer (*authorize)(struct apiserver *s, const struct authz_attributes *a,
                                        struct str *ret_reason);
};

struct authz_attributes authz_attributes_of(const struct api_request *r);
/* All of them, in order. */
enum authorizer_answer authz_check(struct apiserver *s, const struct authz_attributes *a,
                                   struct str *ret_reason);

/* system:masters may do everything. */
extern const struct authorizer masters_authorizer;
/* Health and version are everyone's. */
extern const struct authorizer always_allow_paths_authorizer;
/* Nodes, by what their Pods name. */
extern const struct authorizer node_authorizer;
/* Roles and bindings. */
extern const struct authorizer rbac_authorizer;
