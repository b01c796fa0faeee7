/* What others need to check service account tokens by themselves: the issuer's discovery document
 * and its public keys. */
#pragma once

#include <stdbool.h>

struct api_request;

bool openid_handle(struct api_request *r);
