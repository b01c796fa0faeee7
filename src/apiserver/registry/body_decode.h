/* Bodies to objects: JSON, YAML or protobuf, defaulted, with unknown fields dropped, warned of or
 * refused by ?fieldValidation. */
#pragma once

#include <stdbool.h>

#include "api/object.h"

struct api_request;
struct schema_type;
struct status;

enum field_validation { FIELD_VALIDATION_IGNORE, FIELD_VALIDATION_WARN, FIELD_VALIDATION_STRICT };

enum field_validation body_field_validation(const struct api_request *r);
/* What bodies of this endpoint are: the subresource's type, or the resource's. */
const struct schema_type *body_type(const struct api_request *r);
/* An object of the resource's type (or the subresource's). False: *ret_status is 400. */
bool body_decode(struct api_request *r, struct object *ret, struct status *ret_status);
/* A patch, for those that it must be shown to. */
struct body_patch {
    struct str shown; /* as errors about what it made quote it */
    struct str
        complaint; /* what is wrong with the patch itself, for who reads strictly; or unset */
};
/* JSON that a patch made, of the resource's version. *ret_status is 422 about the patch. */
bool body_decode_patched(struct api_request *r, const struct body_patch *patch, struct str json,
                         struct object *ret, struct status *ret_status);
/* DeleteOptions from the body, or from the query where there is none. *ret_status: 400. */
struct meta_v1_delete_options;
bool body_decode_delete_options(struct api_request *r, struct meta_v1_delete_options *ret,
                                struct status *ret_status);
/* dryRun, fieldValidation, fieldManager of the query; sets r->dry_run. False: 422. `kind` names the
 * options ("CreateOptions") in the answer. */
bool body_check_options(struct api_request *r, const char *kind, struct status *ret_status);
