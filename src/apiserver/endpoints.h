/* Paths that are no resources: each handler looks whether the path is its own. */
#pragma once

#include <stdbool.h>

struct api_request;

/* True: the path was its own and the request is answered. */
typedef bool endpoint_fn(struct api_request *r);

/* NULL-terminated, asked in order. */
extern endpoint_fn *const endpoints[];
