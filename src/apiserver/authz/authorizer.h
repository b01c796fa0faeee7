/* May they: authorizers are asked in order until one has an opinion; without any it is no. */
#pragma once

#include "base/str.h"

struct api_request;

enum authorizer_answer { AUTHORIZER_NO_OPINION, AUTHORIZER_ALLOW, AUTHORIZER_DENY };

struct authorizer {
    const char *name;
    /* Decides by r->user and r->info; *ret_reason (may be left unset) is shown to the client. */
    enum authorizer_answer (*authorize)(const struct api_request *r, struct str *ret_reason);
};

/* system:masters may do everything. */
extern const struct authorizer masters_authorizer;
/* Health and version are everyone's. */
extern const struct authorizer always_allow_paths_authorizer;
