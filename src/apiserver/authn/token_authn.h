/* Authentication by bearer token: those of service accounts. */
#pragma once

#include "apiserver/authn/authenticator.h"

extern const struct authenticator token_authenticator;
