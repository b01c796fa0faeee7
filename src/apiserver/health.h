/* /healthz, /livez, /readyz with their checks, and /version. */
#pragma once

#include <stdbool.h>

struct api_request;

/* Answers when the path is one of these; false: it is not. */
bool health_handle(struct api_request *r);
bool version_handle(struct api_request *r);
bool metrics_handle(struct api_request *r);
