/* /healthz, /livez, /readyz with their checks, and /version. */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct api_request;
struct arena;

/* Answers when the path is one of these; false: it is not. */
bool health_handle(struct api_request *r);
bool version_handle(struct api_request *r);
bool metrics_handle(struct api_request *r);
/* Every path of a check: "/healthz", "/livez/etcd", ... */
void health_each_path(struct arena *a, void (*fn)(struct str path, void *arg), void *arg);
