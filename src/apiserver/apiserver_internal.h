/* What the parts of the API server share. Included by src/apiserver only. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "apiserver/admission/admission.h"
#include "apiserver/authn/authenticator.h"
#include "apiserver/authz/authorizer.h"
#include "apiserver/registry/registry.h"

struct apiserver_options;
struct clock;
struct metrics;
struct store;

struct apiserver {
    const struct apiserver_options *options;
    const struct clock *clock;
    struct store *store;
    struct metrics *metrics;
    struct registry registry;
    const struct authenticator *const *authenticators; /* NULL-terminated; the first that knows */
    const struct authorizer *const *authorizers;       /* NULL-terminated; the first opinion */
    const struct admission_plugin *const *admission;   /* NULL-terminated, in order */
    _Atomic bool ready;                                /* bootstrap objects are there */
    _Atomic bool stopping;
};
