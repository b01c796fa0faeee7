/* Impersonation: a request in the name of another user (Impersonate-User, -Uid, -Group and
 * -Extra-KEY headers), for whom may impersonate each of them. */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct api_request;
struct status;

/* Replaces r->user when the request's headers ask for it. False: *ret is why not. */
bool impersonation_apply(struct api_request *r, struct status *ret);
/* Is it one of these headers (lower case)? They are not passed on to others. */
bool impersonation_is_header(struct str name);
