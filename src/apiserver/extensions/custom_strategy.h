/* Objects of custom resources: what their definition's schema and subresources say of a write. */
#pragma once

#include "apiserver/registry/strategy.h"
#include "apiserver/registry/subresources.h"

struct custom_resource;

extern const struct strategy custom_strategy;
extern const struct projection custom_scale_projection;

struct arena;
struct value;
/* What an applied Scale says, as a configuration of the object behind it: put into *config. spec
 * may be NULL. */
void custom_scale_config(struct arena *a, const struct custom_resource *c, const struct value *spec,
                         struct value *config);
