#include "apiserver/endpoints.h"

#include <stddef.h>

#include "apiserver/authn/openid_endpoint.h"
#include "apiserver/discovery.h"
#include "apiserver/health.h"
#include "apiserver/openapi_endpoint.h"
#include "apiserver/paths_endpoint.h"

endpoint_fn *const endpoints[] = {
    health_handle, version_handle, discovery_handle, openapi_handle,
    openid_handle, metrics_handle, paths_handle,     NULL,
};
