/* Authentication by client certificate: the common name is the user, organisations are groups. The
 * TLS layer has verified the certificate against the client CA. */
#pragma once

#include "apiserver/authn/authenticator.h"

extern const struct authenticator x509_authenticator;
/* Everyone is an administrator; only for servers without TLS (tests, benches). */
extern const struct authenticator insecure_authenticator;
