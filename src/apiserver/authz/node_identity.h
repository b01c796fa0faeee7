/* Nodes as users: system:node:NAME in the group system:nodes. */
#pragma once

#include <stdbool.h>

#include "base/str.h"

struct user_info;

/* False: no node. *ret_name is "" for one that does not say which. */
bool node_identity(const struct user_info *user, struct str *ret_name);
