/* What scales have in common, of built-in workloads and of custom resources. */
#pragma once

#include <stdbool.h>

#include "api/object.h"

struct api_request;
struct autoscaling_v1_scale;
struct status;

/* A Scale with the identity of o, without numbers. */
struct object scale_new(struct api_request *r, struct object o);
/* May o have that many replicas? */
bool scale_check(struct api_request *r, const struct autoscaling_v1_scale *scale, struct object o,
                 struct status *ret);
