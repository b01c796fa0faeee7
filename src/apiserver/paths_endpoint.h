/* GET /: every path that answers without naming a resource. */
#pragma once

#include <stdbool.h>

struct api_request;

bool paths_handle(struct api_request *r);
